//! Claims of a person's free credits: at most so many accounts have them, however many ask at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tollgate::credit::AccountId;
use tollgate::ledger::redis::{RedisLedger, Settings};
use tollgate::ledger::*;

use super::on_every_store;
use crate::ledger_redis::{cluster_settings, create, make, open_served, settings};
use crate::ledger_world::{no, ok, wait};
use crate::redis_server::RedisServer;
use crate::redis_server::cluster::RedisCluster;

fn claim(person: &str, account: &str, limit: u32) -> FreeClaim {
    FreeClaim { person: person.to_owned(), account: account.parse().unwrap(), limit }
}

#[test]
fn two_accounts_of_a_person_have_free_credits() {
    on_every_store(|w| {
        let ask = |person: &str, account: &str, limit| {
            ok(wait(w.store.ledger().claim_free(claim(person, account, limit))))
        };
        assert!(!ask("ana", "acct_0", 0));
        assert!(ask("ana", "acct_1", 2) && ask("ana", "acct_2", 2));
        assert!(!ask("ana", "acct_3", 2) && ask("bob", "acct_3", 2));
        // What was given is not taken back, and a higher limit lets more in.
        assert!(ask("ana", "acct_1", 1) && ask("ana", "acct_2", 0));
        assert!(ask("ana", "acct_3", 3) && !ask("ana", "acct_4", 3));
        let claims = |person: &str| {
            let ids = ok(wait(w.store.ledger().claims(person.to_owned())));
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(claims("ana"), ["acct_1", "acct_2", "acct_3"]);
        assert_eq!(claims("bob"), ["acct_3"]);
        assert!(claims("eve").is_empty());
        for person in ["", &"x".repeat(1_000)] {
            let why = no(wait(w.store.ledger().claims(person.to_owned())));
            assert!(matches!(why, Refusal::Invalid(_)), "{why:?}");
            let why = no(wait(w.store.ledger().claim_free(claim(person, "acct_1", 2))));
            assert!(matches!(why, Refusal::Invalid(_)), "{why:?}");
        }
    });
}

/// A thousand accounts of one person ask at once, by two gateways, each twice.
fn thousand_ask(at: &Settings) {
    let handles: Vec<Arc<RedisLedger>> = (0..2).map(|_| Arc::new(open_served(at))).collect();
    let calls = (0..1_000).flat_map(|n| {
        let ask = move |handle: Arc<RedisLedger>| async move {
            let account = format!("acct_many{n}");
            let call = claim("somebody", &account, 2);
            let mut has = handle.claim_free(call.clone()).await;
            for _ in 0..50 {
                if matches!(has, Answer::Applied(_)) {
                    break;
                }
                has = handle.claim_free(call.clone()).await;
            }
            ok(has).then(|| account.parse::<AccountId>().unwrap())
        };
        handles.iter().cloned().map(ask).collect::<Vec<_>>()
    });
    let got: Vec<_> = wait(join_all(calls)).into_iter().flatten().collect();
    let accounts: BTreeSet<_> = got.iter().cloned().collect();
    assert_eq!((accounts.len(), got.len()), (2, 4), "{got:?}");
    let claimed = ok(wait(handles[0].claims("somebody".to_owned())));
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), accounts);
}

#[test]
fn a_thousand_claims_by_one_person_are_two() {
    let server = RedisServer::start(&[]);
    create(&server, false);
    thousand_ask(&settings(&server));
}

#[test]
fn a_thousand_claims_on_a_cluster_of_six_are_two() {
    let cluster = RedisCluster::start_with(3, 3, &[]);
    let settings = cluster_settings(&cluster.ports());
    make(&settings, false);
    thousand_ask(&settings);
}
