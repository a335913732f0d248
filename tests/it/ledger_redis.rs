//! A ledger in a real Redis for the ledger's tests, with a clock that stands still.
//!
//! Invariant: every ledger has a server of its own, so that everything in it can be compared.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use tokio::runtime::Handle;
use tollgate::ledger::redis::{Address, Deadlines, Login, RedisLedger, Settings, Topology};
use tollgate::seam::{Clock, SimulatedClock, SystemClock, SystemEntropy};

use crate::ledger_world::LEASE;
use crate::redis_server::RedisServer;
use crate::redis_server::sentinels::WATCHED;

/// Where the links of all tests run.
static LINKS: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    tollgate::seam::thread("links", run).unwrap();
    handle
});

/// Where the nodes of a cluster are that the behaviour suite is to run on, as `7000,7001,7002`.
pub(crate) const CLUSTER: &str = "TOLLGATE_TEST_CLUSTER";
/// Where the Sentinels are whose primary it is to run on.
pub(crate) const SENTINELS: &str = "TOLLGATE_TEST_SENTINELS";

/// How to reach the servers that the behaviour suite is to run on, if somebody named some.
pub(crate) fn elsewhere() -> Option<Settings> {
    let ports = |name| {
        let ports = std::env::var(name).ok()?;
        Some(ports.split(',').map(|port| port.parse().unwrap()).collect::<Vec<u16>>())
    };
    let cluster = ports(CLUSTER).map(|ports| cluster_settings(&ports));
    cluster.or_else(|| ports(SENTINELS).map(|ports| sentinel_settings(&ports)))
}

/// A server and its ledger.
pub(crate) struct RedisStore {
    pub(crate) ledger: RedisLedger,
    /// `None`: somebody else's servers.
    server: Option<RedisServer>,
}

impl RedisStore {
    /// An empty ledger that was made for tests.
    pub(crate) fn start(clock: &Arc<SimulatedClock>) -> Self {
        let server = RedisServer::start(&[]);
        create(&server, true);
        let ledger = open(&settings(&server), clock);
        Self { ledger, server: Some(server) }
    }

    /// The same, with every request taken by the rules.
    pub(crate) fn start_by_rules(clock: &Arc<SimulatedClock>) -> Self {
        let server = RedisServer::start(&[]);
        create(&server, true);
        let ledger = open_by_rules(&settings(&server), clock);
        Self { ledger, server: Some(server) }
    }

    /// An empty ledger of its own in servers that others use too.
    pub(crate) fn beside_others(settings: &Settings, clock: &Arc<SimulatedClock>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        let settings = Settings { prefix, ..settings.clone() };
        make(&settings, true);
        Self { ledger: open(&settings, clock), server: None }
    }

    /// A ledger on a server of its own.
    pub(crate) fn of(ledger: RedisLedger, server: RedisServer) -> Self {
        Self { ledger, server: Some(server) }
    }

    /// Its server, if it has one of its own.
    #[track_caller]
    pub(crate) fn server(&self) -> &RedisServer {
        self.server.as_ref().expect("a server of its own")
    }

    /// Whether others use its servers too.
    pub(crate) fn is_shared(&self) -> bool {
        self.server.is_none()
    }

    /// Everything in the server but for the partitions' own records, as one hash.
    pub(crate) fn digest(&self) -> String {
        self.hash("kept")
    }

    /// The same, without the places of entries in streams, which the server numbers by its own clock.
    pub(crate) fn said(&self) -> String {
        self.hash("said")
    }

    fn hash(&self, how: &str) -> String {
        // A hash or a set is dumped in the order of its table, which is each server's own.
        let script = b"local keys, all = redis.call('KEYS', '*'), {}
            local function content(key)
                local type = redis.call('TYPE', key).ok
                if type == 'stream' and ARGV[1] == 'said' then
                    local said = redis.call('XRANGE', key, '-', '+')
                    for i, entry in ipairs(said) do said[i] = redis.sha1hex(entry[2][2]) end
                    return table.concat(said)
                end
                if type == 'set' then
                    local members = redis.call('SMEMBERS', key)
                    table.sort(members)
                    return table.concat(members, ' ')
                end
                if type ~= 'hash' then return redis.call('DUMP', key) end
                local fields = redis.call('HKEYS', key)
                table.sort(fields)
                for i, field in ipairs(fields) do
                    fields[i] = redis.sha1hex(field .. redis.call('HGET', key, field))
                end
                return table.concat(fields)
            end
            table.sort(keys)
            for _, key in ipairs(keys) do
                if not string.find(key, ':epoch', 1, true) then
                    all[#all + 1] = redis.sha1hex(key .. content(key))
                end
            end
            return redis.sha1hex(table.concat(all))";
        let digest = self.server().command(&[b"EVAL", script, b"0", how.as_bytes()]);
        format!("{digest:?}")
    }
}

/// How tests reach a server: what is kept is kept as long as the model keeps it.
pub(crate) fn settings(server: &RedisServer) -> Settings {
    let settings = Settings::at("127.0.0.1", server.port());
    let explained_for_ms = settings.refundable_for_ms;
    // A busy machine is no reason to fail.
    let deadlines = Deadlines { reserve_ms: 10_000, other_ms: 20_000, ..settings.deadlines };
    Settings { lease_ms: LEASE, explained_for_ms, deadlines, ..settings }
}

/// How tests reach a cluster.
pub(crate) fn cluster_settings(ports: &[u16]) -> Settings {
    settings_of(Topology::Cluster { seeds: at(ports) })
}

/// How tests reach the primary that Sentinels name.
pub(crate) fn sentinel_settings(ports: &[u16]) -> Settings {
    let (sentinels, login, name) = (at(ports), Login::default(), WATCHED.to_owned());
    settings_of(Topology::Sentinel { sentinels, login, name, database: 0 })
}

fn at(ports: &[u16]) -> Vec<Address> {
    ports.iter().map(|port| Address { host: "127.0.0.1".to_owned(), port: *port }).collect()
}

fn settings_of(topology: Topology) -> Settings {
    let settings = Settings { topology, ..Settings::at("127.0.0.1", 0) };
    let explained_for_ms = settings.refundable_for_ms;
    // A busy machine is no reason to fail.
    let deadlines = Deadlines { reserve_ms: 10_000, other_ms: 20_000, ..settings.deadlines };
    Settings { lease_ms: LEASE, explained_for_ms, deadlines, ..settings }
}

/// Makes a ledger as an operator does.
pub(crate) fn make(settings: &Settings, for_tests: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = tollgate::ledger::redis::create(settings, for_tests, &SystemClock, &SystemEntropy);
    runtime.block_on(made).unwrap();
}

/// A ledger for which `clock` decides.
pub(crate) fn open(settings: &Settings, clock: &Arc<SimulatedClock>) -> RedisLedger {
    let _links = LINKS.enter();
    RedisLedger::for_tests(settings.clone(), Arc::clone(clock) as Arc<dyn Clock>)
}

/// As `open`, with every request taken by the rules.
pub(crate) fn open_by_rules(settings: &Settings, clock: &Arc<SimulatedClock>) -> RedisLedger {
    let _links = LINKS.enter();
    RedisLedger::for_tests_by_rules(settings.clone(), Arc::clone(clock) as Arc<dyn Clock>)
}

/// A ledger for which the server's clock decides.
pub(crate) fn open_served(settings: &Settings) -> RedisLedger {
    let _links = LINKS.enter();
    RedisLedger::open(settings.clone(), Arc::new(SystemClock))
}

/// As `open`, with scripts that end in this remark, as another version's would differ.
pub(crate) fn open_beside(
    settings: &Settings,
    clock: &Arc<SimulatedClock>,
    remark: &str,
) -> RedisLedger {
    let _links = LINKS.enter();
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    RedisLedger::for_tests_beside(settings.clone(), clock, remark)
}

/// A ledger for which the server's clock decides.
pub(crate) fn open_by_server(settings: &Settings, clock: Arc<dyn Clock>) -> RedisLedger {
    let _links = LINKS.enter();
    RedisLedger::open(settings.clone(), clock)
}

/// Makes the ledger's epoch in every partition.
pub(crate) fn create(server: &RedisServer, for_tests: bool) {
    let mut record = vec![4, u8::from(for_tests)];
    record.extend([7; 16]);
    record.extend([0; 16]);
    let script = b"for p = 0, 1023 do
        redis.call('SET', string.format('tollgate:{%04d}:epoch', p), ARGV[1])
    end";
    server.command(&[b"EVAL", script, b"0", &record]);
}
