//! A ledger in a cluster on loopback, and the tables on every topology.
//!
//! Invariant: the judge of what was charged are the answers that callers were given.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tollgate::credit::{AccountId, Amount, ChargeId, Class, KeyId, Partition};
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SystemClock, SystemEntropy};

use crate::ledger_redis::{CLUSTER, SENTINELS, cluster_settings, make, open_served};
use crate::ledger_world::{HOUR, MINUTE, credits, key_of, kind, neighbour, new_account, ok, wait};
use crate::redis_server::cluster::RedisCluster;
use crate::redis_server::sentinels::Sentinels;

/// Moves of the slot.
const MOVES: usize = 4;
/// What each account has at first.
const BOUGHT: u64 = 1_000_000;

/// Every module of tables.
const TABLES: [&str; 6] = [
    "ledger_tables::",
    "ledger_tables_",
    "ledger_amend::",
    "ledger_plans::",
    "ledger_audit::",
    "ledger_jobs::",
];

/// Runs tables on servers that are named in the environment.
fn run_tables(modules: &[&str], least: u32, name: &str, ports: &[u16]) {
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    let suite = Command::new(std::env::current_exe().unwrap())
        .args(modules)
        .args(["--test-threads", "2"])
        // These start servers of their own.
        .args(["--skip", "a_thousand_claims", "--skip", "what_a_server_has_lost"])
        .args(["--skip", "instances_share_jobs"])
        .env(name, ports.join(","))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&suite.stdout);
    let blamed = String::from_utf8_lossy(&suite.stderr);
    assert!(suite.status.success(), "{said}{blamed}");
    let line = said.lines().find(|line| line.starts_with("test result: ok.")).expect("a result");
    let passed: u32 = line.split(' ').nth(3).unwrap().parse().unwrap();
    println!("{passed} tables with {name}");
    assert!(passed >= least, "{line}");
}

#[test]
fn the_tables_run_on_a_cluster_of_six() {
    let cluster = RedisCluster::start_with(3, 3, &[]);
    run_tables(&TABLES, 126, CLUSTER, &cluster.ports());
}

/// Where Sentinels watch there is one server after all: what the cluster cannot show is how it is found, so one
/// module of each sort is enough.
#[test]
fn tables_run_where_sentinels_watch() {
    let all = Sentinels::start();
    let some = ["ledger_tables_allowances::", "ledger_amend::", "ledger_plans::", "ledger_audit::"];
    run_tables(&some, 40, SENTINELS, &all.ports());
}

/// What one caller was told.
#[derive(Debug, Default)]
struct Told {
    charged: u64,
    refused: u32,
    unknown: u32,
    ended: u32,
}

pub(crate) struct Caller {
    pub(crate) ledger: RedisLedger,
    pub(crate) account: AccountId,
    key: KeyId,
    version: u64,
}

impl Caller {
    pub(crate) fn reserve(&self) -> Reserve {
        let charge = ChargeId::make(SystemClock.now(), &self.account, &SystemEntropy).unwrap();
        Reserve {
            member: None,
            account: self.account.clone(),
            charge,
            fingerprint: [1; 32],
            key: self.key,
            document_version: self.version,
            revision: "r1".into(),
            kind: kind(),
            amount: credits(5),
            route: "image".into(),
            feature: None,
            gates: Gates::default(),
            instance: "i1".into(),
            timeout_ms: 10 * MINUTE,
            reconcile_ms: HOUR,
            on_unknown: OnUnknown::Hold,
            over_run: OverRun::Absorb,
            max_debt: None,
            note: Vec::new(),
        }
    }

    /// Reserves and settles until `over`; what is not known is asked again by its id.
    async fn run(&self, over: &AtomicBool) -> Told {
        let mut told = Told::default();
        while !over.load(Ordering::Relaxed) {
            let call = self.reserve();
            let charge = call.charge;
            match self.ledger.reserve(call).await {
                Answer::Applied(_) => {
                    self.settle(charge, &mut told).await;
                    told.charged += 3;
                    told.ended += 1;
                }
                Answer::Refused(_) => told.refused += 1,
                Answer::Unknown(_) => {
                    told.unknown += 1;
                    self.release(charge).await;
                }
            }
        }
        told
    }

    async fn settle(&self, charge: ChargeId, told: &mut Told) {
        let (account, actual) = (self.account.clone(), credits(3));
        let call = Settle { account, charge, actual, explanation: Vec::new() };
        loop {
            match self.ledger.settle(call.clone()).await {
                Answer::Applied(settled) => return assert_eq!(settled.charged, credits(3)),
                Answer::Refused(Refusal::Unavailable(_)) => told.refused += 1,
                Answer::Refused(other) => panic!("{other:?}"),
                Answer::Unknown(_) => told.unknown += 1,
            }
        }
    }

    async fn release(&self, charge: ChargeId) {
        let call = Release { account: self.account.clone(), charge, explanation: Vec::new() };
        while !matches!(self.ledger.release(call.clone()).await, Answer::Applied(_)) {}
    }
}

/// An account with one key and many credits.
pub(crate) fn caller(
    settings: &tollgate::ledger::redis::Settings,
    account: &AccountId,
    number: u8,
) -> Caller {
    let ledger = open_served(settings);
    ok(wait(ledger.create_account(new_account(account))));
    let (id, label) = (key_of(account, number), String::new());
    let key = NewKey {
        member: None,
        routes: Vec::new(),
        account: account.clone(),
        id,
        hash: [1; 32],
        label,
        ends: None,
    };
    let version = ok(wait(ledger.create_key(key))).version;
    let grant = Grant {
        bonus: None,
        only: Vec::new(),
        paid: None,
        account: account.clone(),
        id: format!("for-{account}").parse().unwrap(),
        kind: kind(),
        class: Class::Purchased,
        amount: credits(BOUGHT),
        priority: 0,
        effective: None,
        expires: None,
        reason: String::new(),
    };
    ok(wait(ledger.grant(grant)));
    Caller { ledger, account: account.clone(), key: id, version }
}

#[test]
fn a_slot_moves_under_load_and_nothing_is_lost() {
    let cluster = RedisCluster::start(3);
    let settings = cluster_settings(&cluster.ports());
    make(&settings, false);
    let first: AccountId = "acct_maria".parse().unwrap();
    let slot = slot_of(Partition::of(&first));
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = [(first.clone(), 7), (neighbour(&first), 8)]
        .into_iter()
        .map(|(account, number)| {
            let (caller, over) = (caller(&settings, &account, number), over.clone());
            let run = move || {
                let told = wait(caller.run(&over));
                (caller, told)
            };
            tollgate::seam::thread("caller", run).unwrap()
        })
        .collect();
    for _ in 0..MOVES {
        let to = (cluster.owner(slot) + 1) % 3;
        cluster.move_slot(slot, to, || std::thread::sleep(std::time::Duration::from_millis(2)));
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    over.store(true, Ordering::Relaxed);
    for thread in threads {
        let (caller, told) = thread.join().unwrap();
        println!("{}: {told:?}", caller.account);
        assert!(told.ended > 100, "{told:?}");
        judge(&caller, &told);
    }
}

/// The account has what its caller was told, to the micro-credit.
fn judge(caller: &Caller, told: &Told) {
    ok(wait(caller.ledger.audit(caller.account.clone())));
    let view = ok(wait(caller.ledger.view(caller.account.clone(), Gates::default())));
    assert!(view.open.is_empty(), "{:?}", view.open);
    let sums = |of: fn(&tollgate::credit::Bucket) -> Amount| -> Amount {
        view.buckets.iter().map(of).sum()
    };
    assert_eq!(sums(|bucket| bucket.held), Amount::ZERO);
    assert_eq!(sums(|bucket| bucket.spent), credits(told.charged));
    assert_eq!(sums(|bucket| bucket.available), credits(BOUGHT - told.charged));
}

/// The slot of a partition's keys, as the server computes it: CRC-16 of what stands in braces.
pub(crate) fn slot_of(partition: Partition) -> u16 {
    let tag = format!("{:04}", partition.number());
    let bit = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    let crc = tag.bytes().fold(0, |crc: u16, byte| (0..8).fold(crc ^ (u16::from(byte) << 8), bit));
    crc % 16_384
}
