//! A fleet: one real Redis, one sample upstream, and gateways that share them, each a process with a folder
//! of its own.
//!
//! Invariant: what was forwarded is read from the upstream's counter and log, what was charged from the
//! ledger itself, by a reader that no gateway serves.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::credit::{AccountId, Partition};
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::{ChargeRecord, Gates, Ledger};

use super::audit::{Found, Sent, books_of, charges_of, compare};
use super::exposition::Scrape;
use super::ledger_redis::{open_served, settings};
use super::ledger_world::{ok, wait};
use super::processes::{BIN, Process, Proxy, Reply, TOKEN, Upstream, YAML, ask, eventually};
use super::redis_server::RedisServer;
use super::world::Payer;

const STORE: &str = "store: { redis: { url: 'redis://127.0.0.1:PORT', state: ./data, lease: LEASE, \
                     deadlines: DEADLINES } }";
/// Such that a busy machine is no outage.
const PATIENT: &str = "{ reserve: 10s, other: 10s }";
/// As they are without a word.
pub(crate) const PROMPT: &str = "{ reserve: 250ms, other: 2s }";
const PLANS: &str = "plans:
  studio: {}
  crowded: { concurrency: [{ name: crowd, limit: 100000 }] }
  walled: { routes: [dubbing] }
";
/// Survives a kill, and says what it has done only when it is on the disk.
pub(crate) const DURABLE: [&str; 2] = ["appendonly yes", "appendfsync always"];

/// How a fleet differs from another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) redis: &'a [&'a str],
    pub(crate) lease: &'a str,
    pub(crate) deadlines: &'a str,
    pub(crate) changes: &'a [(&'a str, &'a str)],
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self { redis: &[], lease: "1s", deadlines: PATIENT, changes: &[] }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) redis: RedisServer,
    pub(crate) upstream: Upstream,
    pub(crate) gateways: Vec<Proxy>,
    pub(crate) folder: TempDir,
}

impl Fleet {
    /// Two gateways on a new ledger.
    #[track_caller]
    pub(crate) fn start(shape: Shape<'_>) -> Self {
        Self::through(shape, RedisServer::port)
    }

    /// As `start`, with gateways that reach the server through a port of the caller's.
    #[track_caller]
    pub(crate) fn through(shape: Shape<'_>, port: impl FnOnce(&RedisServer) -> u16) -> Self {
        let redis = RedisServer::start(shape.redis);
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::start(folder.path());
        let mut fleet = Self { redis, upstream, gateways: Vec::new(), folder };
        fleet.configure(0, shape, fleet.redis.port());
        fleet.create();
        let port = port(&fleet.redis);
        for number in 0..2 {
            fleet.configure(number, shape, port);
            let proxy = fleet.gateway(number);
            fleet.gateways.push(proxy);
        }
        fleet
    }

    fn create(&self) {
        let mut command = Command::new(BIN);
        command.args(["ledger", "create", "--config"]).arg(self.config(0));
        let mut process = Process::start(&mut command);
        assert_eq!(process.wait(), Some(0), "{}", process.told());
    }

    /// The folder of a gateway.
    pub(crate) fn place(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("gateway-{number}"))
    }

    pub(crate) fn config(&self, number: usize) -> PathBuf {
        self.place(number).join("tollgate.yaml")
    }

    /// Writes a gateway's configuration.
    #[track_caller]
    pub(crate) fn configure(&self, number: usize, shape: Shape<'_>, port: u16) {
        let place = self.place(number);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("admin-token"), TOKEN).unwrap();
        let store = STORE
            .replace("PORT", &port.to_string())
            .replace("LEASE", shape.lease)
            .replace("DEADLINES", shape.deadlines);
        let mut yaml = YAML
            .replace("store: { embedded: { path: data, lease: 1s } }", &store)
            .replace("plans: { studio: {} }\n", PLANS)
            .replace("UPSTREAM", &self.upstream.addr.to_string())
            .replace("MORE", "");
        for (from, to) in shape.changes {
            assert!(yaml.contains(from), "the configuration has no {from:?}");
            yaml = yaml.replace(from, to);
        }
        std::fs::write(place.join("tollgate.yaml"), yaml).unwrap();
    }

    /// Starts a gateway in its folder.
    pub(crate) fn gateway(&self, number: usize) -> Proxy {
        Proxy::start(&self.config(number))
    }

    /// How many requests have reached the upstream.
    pub(crate) fn forwarded(&self) -> u64 {
        self.upstream.state()["requests"].as_u64().unwrap()
    }

    /// Two new accounts: of one partition, or of two.
    pub(crate) fn two_accounts(&self, round: usize, together: bool) -> [String; 2] {
        let first = format!("acct_{round}_a");
        let of = |id: &str| Partition::of(&id.parse().unwrap());
        let mut others = (0..).map(|n| format!("acct_{round}_{n}"));
        let other = others.find(|other| (of(other) == of(&first)) == together).unwrap();
        [first, other]
    }

    /// Waits until so many exchanges run at the upstream.
    #[track_caller]
    pub(crate) fn running(&self, count: usize) {
        let running = || self.upstream.state()["running"].as_u64().unwrap() == count as u64;
        eventually("the upstream works on all", || running().then_some(()));
    }

    /// The open charges of an account as they are kept, due or not: which of them are unknown.
    pub(crate) fn open(&self, account: &str) -> Vec<bool> {
        let partition = Partition::of(&account.parse().unwrap()).number();
        let line = format!("HVALS tollgate:{{{partition:04}}}:o:{account}");
        let records: Vec<Vec<u8>> = self.redis.say(&line);
        // Behind the version of the record.
        records.iter().map(|record| record[1] == 1).collect()
    }

    /// Waits until nothing of these accounts is open any more, as it is kept: by somebody's write, not by
    /// a reader who looks ahead.
    #[track_caller]
    pub(crate) fn all_ended(&self, accounts: &[&str]) {
        let none = || accounts.iter().all(|account| self.open(account).is_empty());
        eventually("nothing is open", || none().then_some(()));
    }

    /// Waits until no gateway has anything to say about a charge any more.
    #[track_caller]
    pub(crate) fn quiet(&self) {
        let quiet = |gateway: &Proxy| {
            let now = scrape(gateway);
            ["tollgate_exchanges", "tollgate_open_charges", "tollgate_settlements_waiting"]
                .into_iter()
                .all(|name| now.value(name, &[]) == "0")
        };
        eventually("all ends are told", || self.gateways.iter().all(quiet).then_some(()));
    }

    /// A reader of the ledger.
    pub(crate) fn ledger(&self) -> RedisLedger {
        open_served(&settings(&self.redis))
    }

    /// Compares the ledger, the upstream's log and what clients saw.
    #[track_caller]
    pub(crate) fn audit(&self, sent: &[Sent]) -> Found {
        let ledger = self.ledger();
        for document in ok(wait(ledger.accounts(None, 1_000))) {
            ok(wait(ledger.audit(document.account)));
        }
        compare(self.upstream.all_units(), &books_of(&ledger), sent)
    }

    /// All charges of an account.
    pub(crate) fn charges(&self, ledger: &RedisLedger, account: &str) -> Vec<ChargeRecord> {
        charges_of(ledger, &account.parse().unwrap())
    }

    /// Waits until nothing of an account is held, open or in a slot, by the ledger's own records; the answer
    /// is what is available, in micro-credits.
    #[track_caller]
    pub(crate) fn at_rest(&self, ledger: &RedisLedger, account: &str) -> u64 {
        let id: AccountId = account.parse().unwrap();
        eventually("the account is at rest", || {
            let view = ok(wait(ledger.view(id.clone(), Gates::default())));
            let held = view.buckets.iter().any(|bucket| !bucket.held.is_zero());
            (!held && view.open.is_empty())
                .then(|| view.buckets.iter().map(|bucket| bucket.available.micro()).sum())
        })
    }
}

/// A new account on a plan, with these credits in two grants and a key.
#[track_caller]
pub(crate) fn payer(by: &Proxy, id: &str, plan: &str, credits: u64) -> Payer {
    by.operator("POST", "/accounts", &json!({ "id": id, "plan": plan }));
    for (part, amount) in [credits / 3, credits - credits / 3].into_iter().enumerate() {
        if amount > 0 {
            let body = json!({ "id": format!("pay_{id}_{part}"), "amount": amount.to_string(), "reason": "a test" });
            by.operator("POST", &format!("/accounts/{id}/grants"), &body);
        }
    }
    let made = by.operator("POST", &format!("/accounts/{id}/keys"), &json!({}));
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Payer { account: id.to_owned(), key: text("secret"), key_id: text("id") }
}

/// How many slots the account of this key uses.
pub(crate) fn in_use(by: &Proxy, key: &str) -> u64 {
    let bearer = format!("Bearer {key}");
    let reply = ask(by.data, "GET", "/_credits/v1/limits", &[("authorization", &bearer)], "");
    let limits = reply.unwrap().json();
    let slots = limits["concurrency"].as_array().unwrap();
    slots.iter().map(|slot| slot["in_use"].as_u64().unwrap()).sum()
}

/// A request with a key and switches of the sample upstream.
pub(crate) fn paid(to: &Proxy, path: &str, key: &str, told: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {key}");
    ask(to.data, "POST", path, &[("authorization", &bearer), ("x-sample", told)], body).unwrap()
}

/// What a gateway counts.
pub(crate) fn scrape(of: &Proxy) -> Scrape {
    let bearer = format!("Bearer {TOKEN}");
    Scrape::read(&ask(of.admin, "GET", "/metrics", &[("authorization", &bearer)], "").unwrap().body)
}

/// Status and code of a refusal.
pub(crate) fn code(reply: &Reply) -> (u16, String) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    (reply.status, body["code"].as_str().unwrap_or_default().to_owned())
}
