//! What the scripts of a ledger in Redis cost inside the server, against an empty script in the same run.
//!
//! `cargo bench --bench redis` starts a `redis-server` of its own and prints tables, for 10 and 1,000,000
//! accounts or for as many as are named behind `--`. Times are the server's own (`usec_per_call` of
//! `INFO commandstats`); ratios within one run mean something.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench, not a library"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use redis::{Connection, Value};
use tollgate::credit::{
    AccountId, Amount, ChargeId, Class, Every, Facts, KeyId, Measure, Paid, Partition, PricedLine,
    Rounding, When, Zone,
};
use tollgate::ledger::redis::{RedisLedger, Settings, create};
use tollgate::ledger::{
    AllowanceCheck, Answer, CapCheck, Gates, Grant, Ledger, NewAccount, NewKey, OnUnknown, OverRun,
    Reserve, Scope, Settle, SlotCheck,
};
use tollgate::meter::Note;
use tollgate::seam::{Clock, Entropy, SystemClock, SystemEntropy};

/// Calls of a phase.
const CALLS: usize = 20_000;
/// Callers at once.
const CALLERS: usize = 50;
/// Rounds; the median is shown.
const ROUNDS: usize = 5;
/// Accounts of a round in one pipeline.
const CHUNK: usize = 2_000;

/// The commands of a usual reserve, with records of usual lengths and no rule at all: what no layout of rules
/// can go below.
const BARE_RESERVE: &str = "#!lua
local call = redis.call
local stored = call('MGET', KEYS[1], KEYS[2], KEYS[4])
call('TIME')
call('HSETNX', KEYS[3], ARGV[1], ARGV[2])
call('SET', KEYS[2], stored[2])
return ARGV[3]";
/// The same of a settle.
const BARE_SETTLE: &str = "#!lua
local call = redis.call
local stored = call('MGET', KEYS[1], KEYS[2])
call('HGET', KEYS[3], ARGV[1])
call('TIME')
call('ZADD', KEYS[5], '0', ARGV[1])
call('XADD', KEYS[6], '*', 'e', ARGV[2])
call('HDEL', KEYS[3], ARGV[1])
call('SET', KEYS[4], ARGV[2], 'PX', '1000000')
call('SET', KEYS[7], ARGV[2], 'PX', '100000')
call('SET', KEYS[2], stored[2])
return ARGV[3]";

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What one call cost: microseconds inside the script by the server's clock, microseconds of its processor
/// with everything around it, and commands that the script ran.
#[derive(Clone, Copy)]
struct Cost {
    usec: f64,
    cpu: f64,
    commands: f64,
}

struct Bench {
    server: Connection,
    ledger: RedisLedger,
    accounts: Vec<AccountId>,
    key: KeyId,
    version: u64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "| accounts | script | µs inside, median (min–max) | × empty | µs of processor | commands |"
    );
    println!("|---|---|---|---|---|---|");
    let named: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    for accounts in if named.is_empty() { vec![10, 1_000_000] } else { named } {
        runtime.block_on(table(accounts));
    }
}

async fn table(count: usize) {
    let server = start();
    let mut bench = Bench::open(&server, count).await;
    let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let empty = bench.empty();
        costs.entry("0 empty").or_default().push(empty);
        let (reserve, charges) = bench.reserves().await;
        costs.entry("1 reserve").or_default().push(reserve);
        costs.entry("3 renew").or_default().push(bench.renewals(&charges).await);
        costs.entry("2 settle").or_default().push(bench.settles(charges).await);
        costs.entry("4 refused").or_default().push(bench.refusals().await);
        costs.entry("5 bare reserve").or_default().push(bench.bare(BARE_RESERVE));
        costs.entry("6 bare settle").or_default().push(bench.bare(BARE_SETTLE));
    }
    let empty = median(&costs["0 empty"], |cost| cost.usec);
    for (name, costs) in &costs {
        let usec = median(costs, |cost| cost.usec);
        let least = costs.iter().map(|cost| cost.usec).fold(f64::MAX, f64::min);
        let most = costs.iter().map(|cost| cost.usec).fold(0.0, f64::max);
        let (cpu, commands) = (median(costs, |cost| cost.cpu), median(costs, |cost| cost.commands));
        let (ratio, name) = (usec / empty, &name[2..]);
        print!("| {count} | {name} | {usec:.1} ({least:.1}–{most:.1}) | {ratio:.1} ");
        println!("| {cpu:.1} | {commands:.0} |");
    }
    for (name, one, other) in [
        ("reserve + settle", "1 reserve", "2 settle"),
        ("bare reserve + bare settle", "5 bare reserve", "6 bare settle"),
    ] {
        let usec = [one, other].map(|of| median(&costs[of], |cost| cost.usec)).iter().sum::<f64>();
        let cpu = [one, other].map(|of| median(&costs[of], |cost| cost.cpu)).iter().sum::<f64>();
        println!("| {count} | {name} | {usec:.1} | {:.1} | {cpu:.1} | |", usec / empty);
    }
    bench.memory().await;
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut all: Vec<f64> = costs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn start() -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port_text = port.to_string();
    let words = ["--port", &port_text, "--bind", "127.0.0.1", "--save", ""];
    let more = ["--maxmemory-policy", "noeviction", "--loglevel", "warning"];
    let child = Command::new("redis-server")
        .args(words.iter().chain(&more))
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server would not start: {error}"));
    Server { child, port }
}

fn connect(port: u16) -> Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    loop {
        if let Ok(connection) = client.get_connection() {
            return connection;
        }
        std::thread::yield_now();
    }
}

fn ok<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Applied(value) => value,
        Answer::Refused(refusal) => panic!("refused: {refusal:?}"),
        Answer::Unknown(why) => panic!("unknown: {why}"),
    }
}

impl Bench {
    async fn open(server: &Server, count: usize) -> Self {
        let mut connection = connect(server.port);
        let settings = Settings::at("127.0.0.1", server.port);
        create(&settings, false, &SystemClock, &SystemEntropy).await.unwrap();
        let template: AccountId = "acct_template".parse().unwrap();
        let (key, version) = used_once(&settings, &template).await;
        let ledger = RedisLedger::open(settings, Arc::new(SystemClock));
        let before = number(&mut connection, "memory", "used_memory");
        let accounts = copy(&mut connection, &template, count);
        let bytes = number(&mut connection, "memory", "used_memory").saturating_sub(before);
        println!(
            "| {count} | an idle account, with all that names it | {} bytes | | | |",
            bytes / count
        );
        let record = key_of(&accounts[0], &format!("a:{}", accounts[0]));
        let record: usize =
            redis::cmd("MEMORY").arg("USAGE").arg(record).query(&mut connection).unwrap();
        println!("| {count} | of these its record, of three buckets | {record} bytes | | | |");
        Self { server: connection, ledger, accounts, key, version }
    }

    fn account(&self) -> &AccountId {
        let mut word = [0; 8];
        SystemEntropy.fill(&mut word).unwrap();
        let count = u64::try_from(self.accounts.len()).unwrap();
        &self.accounts[usize::try_from(u64::from_le_bytes(word) % count).unwrap()]
    }

    fn reserve(&self, amount: Amount) -> Reserve {
        reserve_of(self.account(), self.key, self.version, amount)
    }

    /// Runs a phase and reads the server's own figures of it.
    async fn phase<T>(&mut self, calls: usize, run: impl AsyncFnOnce(&Self) -> T) -> (Cost, T) {
        let before = self.reset();
        let done = run(self).await;
        (self.cost(before, calls), done)
    }

    /// Forgets the server's figures; the answer is its processor time so far.
    fn reset(&mut self) -> f64 {
        let reset: Value = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.server).unwrap();
        assert_eq!(reset, Value::Okay);
        processor(&mut self.server)
    }

    fn cost(&mut self, before: f64, calls: usize) -> Cost {
        let spent = processor(&mut self.server) - before;
        let (usec, commands) = inside(&info(&mut self.server, "commandstats"));
        Cost { usec, cpu: spent / count(calls), commands }
    }

    async fn reserves(&mut self) -> (Cost, Vec<(AccountId, ChargeId)>) {
        self.phase(CALLS, async |bench| {
            let one = async |_: usize| {
                let mut made = Vec::new();
                for _ in 0..CALLS / CALLERS {
                    let call = bench.reserve(Amount::from_credits(5).unwrap());
                    made.push((call.account.clone(), call.charge));
                    ok(bench.ledger.reserve(call).await);
                }
                made
            };
            join_all((0..CALLERS).map(one)).await.concat()
        })
        .await
    }

    async fn settles(&mut self, charges: Vec<(AccountId, ChargeId)>) -> Cost {
        let settled = self.phase(CALLS, async |bench| {
            let one = async |part: &[(AccountId, ChargeId)]| {
                for (account, charge) in part {
                    let actual = Amount::from_credits(3).unwrap();
                    let explanation = vec![b'e'; 200];
                    let call =
                        Settle { account: account.clone(), charge: *charge, actual, explanation };
                    ok(bench.ledger.settle(call).await);
                }
            };
            join_all(charges.chunks(CALLS / CALLERS).map(one)).await;
        });
        settled.await.0
    }

    async fn renewals(&mut self, charges: &[(AccountId, ChargeId)]) -> Cost {
        let renewed = self.phase(CALLS, async |bench| {
            for part in charges.chunks(1_000) {
                let call = tollgate::ledger::Extend { charges: part.to_vec() };
                ok(bench.ledger.extend(call).await);
            }
        });
        renewed.await.0
    }

    async fn refusals(&mut self) -> Cost {
        let refused = self.phase(CALLS, async |bench| {
            let one = async |_: usize| {
                for _ in 0..CALLS / CALLERS {
                    drop(bench.ledger.reserve(bench.reserve(Amount::MAX)).await);
                }
            };
            join_all((0..CALLERS).map(one)).await;
        });
        refused.await.0
    }

    /// A script that does nothing, with as many keys and arguments.
    fn empty(&mut self) -> Cost {
        let load = redis::cmd("SCRIPT").arg("LOAD").arg("#!lua\nreturn 1").clone();
        let sha: String = load.query(&mut self.server).unwrap();
        let before = self.reset();
        for _ in 0..CALLS / CALLERS {
            let mut pipe = redis::pipe();
            for _ in 0..CALLERS {
                let call = pipe.cmd("EVALSHA").arg(&sha).arg(10);
                for key in 0..10 {
                    call.arg(format!("tollgate:{{0001}}:a:acct_{key}"));
                }
                call.arg([0_u8; 40].as_slice()).arg([0_u8; 600].as_slice());
            }
            let answers: Vec<Value> = pipe.query(&mut self.server).unwrap();
            assert_eq!(answers.len(), CALLERS);
        }
        self.cost(before, CALLS)
    }

    /// A script of bare commands over accounts' records, which it leaves as they are, and keys of its own.
    fn bare(&mut self, script: &str) -> Cost {
        let sha: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(script).query(&mut self.server).unwrap();
        let before = self.reset();
        for round in 0..CALLS / CALLERS {
            let mut pipe = redis::pipe();
            for caller in 0..CALLERS {
                let account = self.account().clone();
                let charge = format!("chg_{round:013}{caller:013}");
                let call = pipe.cmd("EVALSHA").arg(&sha).arg(7);
                for rest in [
                    "epoch".to_owned(),
                    format!("a:{account}"),
                    format!("bare:o:{account}"),
                    format!("bare:c:{charge}"),
                    format!("bare:h:{account}"),
                    "bare:stream".to_owned(),
                    format!("bare:x:{charge}"),
                ] {
                    call.arg(key_of(&account, &rest));
                }
                call.arg(charge).arg([b'o'; 480].as_slice()).arg([b'p'; 40].as_slice());
            }
            let answers: Vec<Value> = pipe.query(&mut self.server).unwrap();
            assert_eq!(answers.len(), CALLERS);
        }
        self.cost(before, CALLS)
    }

    async fn memory(&mut self) {
        let count = self.accounts.len();
        let before = number(&mut self.server, "memory", "used_memory");
        let (_, charges) = self.reserves().await;
        let after = number(&mut self.server, "memory", "used_memory");
        println!(
            "| {count} | an open charge | {} bytes | | | |",
            after.saturating_sub(before) / CALLS
        );
        let _ = self.settles(charges).await;
        let ended = number(&mut self.server, "memory", "used_memory");
        let bytes = ended.saturating_sub(before) / CALLS;
        println!("| {count} | an ended charge, its texts and its entry | {bytes} bytes | | | |");
    }
}

/// An account that was used once, and that nothing is left to be done for.
async fn used_once(settings: &Settings, account: &AccountId) -> (KeyId, u64) {
    let settings = Settings { lease_ms: 1, ..settings.clone() };
    let ledger = RedisLedger::open(settings, Arc::new(SystemClock));
    let (key, version) = make(&ledger, account).await;
    let call = reserve_of(account, key, version, Amount::from_credits(5).unwrap());
    let charge = call.charge;
    ok(ledger.reserve(call).await);
    let actual = Amount::from_credits(3).unwrap();
    let call = Settle { account: account.clone(), charge, actual, explanation: Vec::new() };
    ok(ledger.settle(call).await);
    std::thread::sleep(std::time::Duration::from_millis(5));
    ok(ledger.tick(account.clone()).await);
    (key, version)
}

fn reserve_of(account: &AccountId, key: KeyId, version: u64, amount: Amount) -> Reserve {
    let now = SystemClock.now();
    let charge = ChargeId::make(now, account, &SystemEntropy).unwrap();
    Reserve {
        member: None,
        account: account.clone(),
        charge,
        fingerprint: [1; 32],
        key,
        document_version: version,
        revision: "0123456789abcdef".to_owned(),
        kind: "credits".parse().unwrap(),
        amount,
        route: "image".to_owned(),
        feature: None,
        gates: gates(),
        instance: "bench".to_owned(),
        timeout_ms: 600_000,
        reconcile_ms: 600_000,
        on_unknown: OnUnknown::Release,
        over_run: OverRun::Absorb,
        max_debt: None,
        note: note(),
    }
}

/// What the proxy notes of a priced image: the quantities, the line that made the hold.
fn note() -> Vec<u8> {
    let inputs = |text: &str| -> Facts { serde_json::from_str(text).unwrap() };
    let line = PricedLine {
        label: "images".to_owned(),
        inputs: inputs(r#"{"n":"1","quality":"high","size":"1024x1024"}"#),
        per: NonZeroU64::MIN,
        rounding: Rounding::Exact,
        rate: Amount::from_credits(5).unwrap(),
        amount: Amount::from_credits(5).unwrap(),
    };
    Note {
        method: "POST".to_owned(),
        path: "/v1/images/generations".to_owned(),
        price: "images".to_owned(),
        plan: "studio".to_owned(),
        inputs: line.inputs.clone(),
        lines: vec![line],
        overrides: Vec::new(),
        tags: BTreeMap::new(),
    }
    .bytes()
}

/// One slot limit, a daily and a monthly cap, and a monthly allowance, as a usual plan has.
fn gates() -> Gates {
    let slot = SlotCheck { name: "at-once".to_owned(), scope: Scope::Account, limit: 1_000_000 };
    let cap = |name: &str, every: Every, measure: Measure| CapCheck {
        name: name.to_owned(),
        scope: Scope::Account,
        measure,
        kind: None,
        limit: Amount::MAX.micro(),
        refundable: true,
        periods: every.periods(&Zone::UTC, SystemClock.now()).unwrap(),
    };
    let caps = vec![
        cap("daily", Every::Day, Measure::Requests),
        cap("monthly", Every::Month, Measure::Credits),
    ];
    let allowance = AllowanceCheck {
        name: "monthly".to_owned(),
        kind: "credits".parse().unwrap(),
        class: Class::Plan,
        priority: 0,
        amount: Amount::from_credits(1_000_000_000).unwrap(),
        when: When::Always,
        only: Vec::new(),
        carry: None,
        periods: Every::Month.periods(&Zone::UTC, SystemClock.now()).unwrap(),
    };
    Gates { slots: vec![slot], caps, allowances: vec![allowance], ..Gates::default() }
}

async fn make(ledger: &RedisLedger, account: &AccountId) -> (KeyId, u64) {
    let new = NewAccount {
        account: account.clone(),
        plan: "bench".to_owned(),
        zone: "UTC".to_owned(),
        anchor: None,
        label: String::new(),
        person: None,
        reference: None,
    };
    ok(ledger.create_account(new).await);
    let partition = Partition::of(account);
    let id = KeyId::make(SystemClock.now(), partition, &SystemEntropy).unwrap();
    let key = NewKey {
        member: None,
        routes: Vec::new(),
        account: account.clone(),
        id,
        hash: [1; 32],
        label: String::new(),
        ends: None,
    };
    let version = ok(ledger.create_key(key).await).version;
    for name in ["pay_3Q9aXkL2eZvKYlo2C", "pay_3Q9bYmN7fAwLZmp3D"] {
        let paid = Paid { amount: Amount::from_credits(49).unwrap(), currency: "USD".to_owned() };
        let grant = Grant {
            bonus: None,
            only: Vec::new(),
            paid: Some(paid),
            account: account.clone(),
            id: name.parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: Class::Purchased,
            amount: Amount::from_credits(1_000_000_000).unwrap(),
            priority: 0,
            effective: None,
            expires: None,
            reason: String::new(),
        };
        ok(ledger.grant(grant).await);
    }
    (id, version)
}

fn key_of(account: &AccountId, rest: &str) -> String {
    format!("tollgate:{{{:04}}}:{rest}", Partition::of(account).number())
}

/// Copies of an account: its record, its document, its place in the list, its key and its grant.
fn copy(server: &mut Connection, template: &AccountId, count: usize) -> Vec<AccountId> {
    let get = |server: &mut Connection, kind: &str| -> Vec<u8> {
        let name = key_of(template, &format!("{kind}:{template}"));
        redis::cmd("GET").arg(name).query(server).unwrap()
    };
    let (record, document) = (get(server, "a"), get(server, "d"));
    let ids: Vec<AccountId> =
        (0..count).map(|n| format!("acct_bench{n:07}").parse().unwrap()).collect();
    for some in ids.chunks(CHUNK) {
        let mut pipe = redis::pipe();
        for id in some {
            pipe.set(key_of(id, &format!("a:{id}")), &record).ignore();
            pipe.set(key_of(id, &format!("d:{id}")), &document).ignore();
            pipe.zadd(key_of(id, "accounts"), id.as_str(), 0).ignore();
            pipe.set(key_of(id, &format!("k:key_{id}")), id.as_str()).ignore();
            for purchase in ["one", "two"] {
                let name = format!("pay_{purchase}{id}");
                pipe.set(key_of(id, &format!("g:{name}")), [0_u8; 160].as_slice()).ignore();
                pipe.set(key_of(id, &format!("i:{name}")), id.as_str()).ignore();
            }
        }
        let () = pipe.query(server).unwrap();
    }
    ids
}

fn info(server: &mut Connection, section: &str) -> String {
    redis::cmd("INFO").arg(section).query(server).unwrap()
}

fn number(server: &mut Connection, section: &str, name: &str) -> usize {
    let text = info(server, section);
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap().trim().parse().unwrap()
}

/// Microseconds of the processor that the server has used.
fn processor(server: &mut Connection) -> f64 {
    let text = info(server, "cpu");
    let seconds = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    (seconds("used_cpu_user:") + seconds("used_cpu_sys:")) * 1e6
}

fn count(calls: usize) -> f64 {
    f64::from(u32::try_from(calls).unwrap())
}

/// `cmdstat_evalsha:calls=…,usec=…,usec_per_call=…`, and the commands that scripts ran, both per script.
fn inside(stats: &str) -> (f64, f64) {
    let field = |line: &str, name: &str| -> f64 {
        let found = line.split([',', ':']).find_map(|part| part.strip_prefix(&format!("{name}=")));
        found.unwrap().parse().unwrap()
    };
    let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    let outside = ["cmdstat_evalsha:", "cmdstat_info:", "cmdstat_config", "cmdstat_ping:"];
    let inside = stats.lines().filter(|line| line.starts_with("cmdstat_"));
    let inside = inside.filter(|line| !outside.iter().any(|name| line.starts_with(name)));
    let commands: f64 = inside.map(|line| field(line, "calls")).sum();
    let scripts = field(line, "calls");
    assert!(scripts > 0.0, "no script ran");
    (field(line, "usec") / scripts, commands.abs() / scripts)
}
