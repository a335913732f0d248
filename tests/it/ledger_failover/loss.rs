//! A replica takes over that lacks what was acknowledged last: it is reported, and nothing is charged twice by it.

use tollgate::credit::{AccountId, Amount, Class};
use tollgate::ledger::redis::{RedisLedger, Settings};
use tollgate::ledger::*;

use crate::ledger_cluster::{caller, slot_of};
use crate::ledger_redis::{cluster_settings, make, open_served, sentinel_settings};
use crate::ledger_stream::Start;
use crate::ledger_world::{credits, kind, no, ok, wait};
use crate::log::Log;
use crate::redis_server::cluster::RedisCluster;
use crate::redis_server::sentinels::Sentinels;
use crate::redis_server::wait_until;
use tollgate::credit::Partition;

/// Servers of which the primary can die when its replica has heard nothing for a while.
pub(super) enum Servers {
    Cluster(RedisCluster, u16),
    Sentinels(Sentinels),
}

impl Servers {
    fn cluster(account: &AccountId) -> Self {
        let slot = slot_of(Partition::of(account));
        Self::Cluster(RedisCluster::start_with(3, 3, &[]), slot)
    }

    pub(super) fn settings(&self) -> Settings {
        match self {
            Self::Cluster(all, _) => cluster_settings(&all.ports()),
            Self::Sentinels(all) => sentinel_settings(&all.ports()),
        }
    }

    /// From now on the account's primary acknowledges what its replica never hears.
    pub(super) fn cut_off(&mut self) {
        match self {
            Self::Cluster(all, slot) => {
                let primary = all.owner(*slot);
                let replica = all.replica_of(primary);
                let nodes = all.nodes();
                nodes[primary].wait_for_its_replica();
                nodes[primary].cut_off(&nodes[replica]);
            }
            Self::Sentinels(all) => all.cut_off_the_replica(),
        }
    }

    /// The primary dies, and its replica takes over.
    pub(super) fn fail_over(&mut self) {
        match self {
            Self::Cluster(all, slot) => {
                let primary = all.owner(*slot);
                all.nodes()[primary].kill_nine();
                all.wait_for_another(*slot, primary);
            }
            Self::Sentinels(all) => {
                let before = all.primary_port();
                all.primary().kill_nine();
                all.wait_for_another(before);
            }
        }
    }
}

/// Asks until there is an answer.
fn patiently<T>(mut ask: impl FnMut() -> Answer<T>) -> Answer<T> {
    let mut last = None;
    wait_until("the ledger answers", || {
        let answer = ask();
        let there =
            !matches!(answer, Answer::Unknown(_) | Answer::Refused(Refusal::Unavailable(_)));
        last = Some(answer);
        there
    });
    last.unwrap()
}

fn settle(ledger: &RedisLedger, call: &Settle) -> Answer<Settled> {
    patiently(|| wait(ledger.settle(call.clone())))
}

fn spent(ledger: &RedisLedger, account: &AccountId) -> Amount {
    let view = ok(patiently(|| wait(ledger.view(account.clone(), Gates::default()))));
    view.buckets.iter().map(|bucket| bucket.spent).sum()
}

fn pack(account: &AccountId, id: &str) -> Grant {
    Grant {
        bonus: Some(Bonus { amount: credits(2), expires: None }),
        only: Vec::new(),
        paid: None,
        account: account.clone(),
        id: id.parse().unwrap(),
        kind: kind(),
        class: Class::Purchased,
        amount: credits(10),
        priority: 0,
        effective: None,
        expires: None,
        reason: String::new(),
    }
}

/// What was acknowledged and lost is reported, can be said again, and counts once.
fn what_is_lost_is_reported(mut servers: Servers, account: &AccountId) {
    let log = Log::default();
    let _listening = log.listen();
    let settings = servers.settings();
    make(&settings, false);
    let caller = caller(&settings, account, 7);
    let setbacks = Setbacks::default();
    let ledger = open_served(&settings).telling(&setbacks);
    let folder = tempfile::tempdir().unwrap();
    let start = Start::default();
    let exporter = start.at(settings.clone(), folder.path());

    let calls: Vec<Reserve> = (0..3).map(|_| caller.reserve()).collect();
    let end = |n: usize| Settle {
        account: account.clone(),
        charge: calls[n].charge,
        actual: credits(3),
        explanation: Vec::new(),
    };
    ok(wait(ledger.reserve(calls[0].clone())));
    ok(wait(ledger.reserve(calls[1].clone())));
    ok(settle(&ledger, &end(0)));
    servers.cut_off();
    // All of this is acknowledged, exported, and lost.
    ok(settle(&ledger, &end(1)));
    ok(wait(ledger.reserve(calls[2].clone())));
    ok(settle(&ledger, &end(2)));
    ok(wait(ledger.grant(pack(account, "lost"))));
    let refund = Refund {
        account: account.clone(),
        charge: calls[0].charge,
        id: "r1".parse().unwrap(),
        amount: credits(1),
        reason: "late".to_owned(),
    };
    assert_eq!(ok(wait(ledger.refund(refund.clone()))).refunded, credits(1));
    // The grant of all credits, the settlement that is kept, and the four that are not.
    wait_until("all is exported", || exporter.gauges.exported() >= 6);
    assert_eq!((setbacks.count(), start.setbacks.count()), (0, 0));
    assert_eq!(spent(&ledger, account), credits(8));
    servers.fail_over();

    // It is noticed by the first answer, and by whoever exports when its numbers come again.
    assert_eq!(spent(&ledger, account), credits(3));
    assert_eq!(setbacks.count(), 1);
    let seen = setbacks.of(account).unwrap();
    assert_eq!((seen.known, seen.found), (6, Some(2)));
    assert_eq!(log.count("ledger_went_back"), 1, "{}", log.text());
    let books = ok(wait(audit(&ledger, account.clone()))).books;
    let found: Vec<_> = books.breaches.iter().map(|breach| breach.invariant).collect();
    assert_eq!(found, ["I10"], "{:?}", books.breaches);

    // Whoever still knows says it again, more than once: it counts once.
    for _ in 0..3 {
        assert_eq!(ok(settle(&ledger, &end(1))).charged, credits(3));
        assert_eq!(ok(settle(&ledger, &end(0))).charged, credits(3));
        assert_eq!(ok(patiently(|| wait(ledger.refund(refund.clone())))).refunded, credits(1));
        let granted = ok(patiently(|| wait(ledger.grant(pack(account, "lost")))));
        assert_eq!(granted.bucket.granted, credits(10));
        assert_eq!(granted.bonus.unwrap().granted, credits(2));
    }
    // A hold that is lost with its settlement is unknown, until it is made again.
    assert_eq!(no(settle(&ledger, &end(2))), Refusal::UnknownCharge);
    ok(wait(ledger.reserve(calls[2].clone())));
    for _ in 0..3 {
        assert_eq!(ok(settle(&ledger, &end(2))).charged, credits(3));
    }
    assert_eq!(spent(&ledger, account), credits(8));
    ok(wait(ledger.audit(account.clone())));
    assert_eq!(setbacks.count(), 1, "it is seen once");
    // The others' view: another gateway has seen nothing before, and says nothing.
    let books = ok(patiently(|| wait(audit(&caller.ledger, account.clone())))).books;
    assert_eq!(books.breaches, []);
    wait_until("the exporter has noticed", || start.setbacks.count() == 1);
    let seen = start.setbacks.of(account).unwrap();
    assert_eq!((seen.known, seen.found), (6, Some(2)));
    let told = exporter.stop();
    assert_eq!(told.count("ledger_went_back"), 1, "{}", told.text());
}

#[test]
fn a_cluster_that_loses_what_it_acknowledged_is_reported() {
    let account: AccountId = "acct_maria".parse().unwrap();
    what_is_lost_is_reported(Servers::cluster(&account), &account);
}

#[test]
fn a_primary_of_sentinels_that_loses_what_it_acknowledged_is_reported() {
    what_is_lost_is_reported(
        Servers::Sentinels(Sentinels::start()),
        &"acct_maria".parse().unwrap(),
    );
}
