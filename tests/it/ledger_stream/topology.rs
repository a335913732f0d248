//! The same over a cluster, while a slot moves.

use std::sync::Arc;

use tollgate::credit::{AccountId, Class, Partition};
use tollgate::ledger::redis::{Address, Settings, Topology, create};
use tollgate::ledger::{Grant, Ledger};
use tollgate::seam::{SimulatedClock, SystemClock, SystemEntropy};

use super::replay::Replay;
use super::{Start, folder};
use crate::ledger_redis::{open, settings};
use crate::ledger_world::{LEASE, NOON, bucket, credits, kind, new_account, ok, wait};
use crate::redis_server::cluster::RedisCluster;
use crate::redis_server::wait_until;

const ACCOUNTS: u64 = 40;

fn gift(account: &AccountId, number: u64) -> Grant {
    Grant {
        bonus: None,
        only: Vec::new(),
        paid: None,
        account: account.clone(),
        id: bucket(&format!("g-{account}-{number}")),
        kind: kind(),
        class: Class::Purchased,
        amount: credits(1),
        priority: 0,
        effective: None,
        expires: None,
        reason: "test".into(),
    }
}

fn entries(cluster: &mut RedisCluster) -> u64 {
    let script = b"local n = 0
        for _, key in ipairs(redis.call('KEYS', '*:stream')) do n = n + redis.call('XLEN', key) end
        return n";
    let count = |value| redis::from_redis_value::<u64>(value).unwrap();
    let nodes = cluster.nodes().iter();
    nodes.map(|node| count(node.command(&[b"EVAL", script, b"0"]))).sum()
}

#[test]
fn a_cluster_is_exported_while_a_slot_moves() {
    let mut cluster = RedisCluster::start(3);
    let seeds = cluster.ports().into_iter().map(|port| Address { host: "127.0.0.1".into(), port });
    let settings = Settings {
        topology: Topology::Cluster { seeds: seeds.collect() },
        ..settings(&cluster.nodes()[0])
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(create(&settings, true, &SystemClock, &SystemEntropy)).unwrap();
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = open(&settings, &clock);
    let accounts: Vec<AccountId> =
        (0..ACCOUNTS).map(|n| format!("acct_{n}").parse().unwrap()).collect();
    for account in &accounts {
        ok(wait(ledger.create_account(new_account(account))));
    }
    clock.advance(LEASE);
    let partition = Partition::of(&accounts[0]).number();
    let slot: u16 = cluster.nodes()[0].say(&format!("CLUSTER KEYSLOT {{{partition:04}}}"));
    let folder = folder();
    let exporter = Start::default().at(settings, folder.path());
    for round in 0..4 {
        for account in &accounts {
            ok(wait(ledger.grant(gift(account, round))));
        }
        let to = (cluster.owner(slot) + 1) % 3;
        cluster.move_slot(slot, to, || {});
    }
    wait_until("the streams are empty", || entries(&mut cluster) == 0);
    let log = exporter.stop();
    let replay = Replay::of(&[folder.path()]);
    println!("{} lines of {ACCOUNTS} accounts, {} repeats", replay.lines.len(), replay.repeats);
    assert_eq!(replay.lines.len() as u64, 4 * ACCOUNTS, "{}", log.text());
    assert_eq!(replay.repeats, 0);
}
