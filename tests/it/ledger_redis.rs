//! A ledger in a real Redis for the ledger's tests, with a clock that stands still.
//!
//! Invariant: every ledger has a server of its own, so that everything in it can be compared.

use std::sync::{Arc, LazyLock};

use tokio::runtime::Handle;
use tollgate::ledger::redis::{Deadlines, RedisLedger, Settings};
use tollgate::seam::{Clock, SimulatedClock};

use crate::ledger_world::LEASE;
use crate::redis_server::RedisServer;

/// Where the links of all tests run.
static LINKS: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

/// A server and its ledger.
pub(crate) struct RedisStore {
    pub(crate) ledger: RedisLedger,
    pub(crate) server: RedisServer,
}

impl RedisStore {
    /// An empty ledger that was made for tests.
    pub(crate) fn start(clock: &Arc<SimulatedClock>) -> Self {
        let server = RedisServer::start(&[]);
        create(&server, true);
        let ledger = open(&settings(&server), clock);
        Self { ledger, server }
    }

    /// Everything in the server but for the partitions' own records, as one hash.
    pub(crate) fn digest(&self) -> String {
        // A hash is dumped in the order of its table, which the server changes at its leisure.
        let script = b"local keys, all = redis.call('KEYS', '*'), {}
            local function content(key)
                if redis.call('TYPE', key).ok ~= 'hash' then return redis.call('DUMP', key) end
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
        let digest = self.server.command(&[b"EVAL", script, b"0"]);
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

/// A ledger for which `clock` decides.
pub(crate) fn open(settings: &Settings, clock: &Arc<SimulatedClock>) -> RedisLedger {
    let _links = LINKS.enter();
    RedisLedger::for_tests(settings.clone(), Arc::clone(clock) as Arc<dyn Clock>)
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
    let mut record = vec![1, u8::from(for_tests)];
    record.extend([7; 16]);
    record.extend(0_u64.to_le_bytes());
    record.extend(0_u64.to_le_bytes());
    let script = b"for p = 0, 1023 do
        redis.call('SET', string.format('tollgate:{%04d}:epoch', p), ARGV[1])
    end";
    server.command(&[b"EVAL", script, b"0", &record]);
}
