//! Many at once on Redis: what the rules decide beside the scripts is written once, over nothing that has
//! changed.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tollgate::credit::{AccountId, ChargeId, Class, KeyId};
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SystemClock, SystemEntropy};

use crate::ledger_redis::{create, open_served, settings};
use crate::ledger_world::{HOUR, MINUTE, columns, credits, key_of, kind, new_account, ok, wait};
use crate::redis_server::RedisServer;

struct Scene {
    handles: [Arc<RedisLedger>; 2],
    account: AccountId,
    key: KeyId,
    version: u64,
    _server: RedisServer,
}

impl Scene {
    fn new() -> Self {
        let server = RedisServer::start(&[]);
        create(&server, false);
        let handles = [(); 2].map(|()| Arc::new(open_served(&settings(&server))));
        let account: AccountId = "acct_maria".parse().unwrap();
        let key = key_of(&account, 7);
        ok(wait(handles[0].create_account(new_account(&account))));
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account.clone(),
            id: key,
            hash: [1; 32],
            label: String::new(),
            ends: None,
        };
        let version = ok(wait(handles[0].create_key(call))).version;
        let grant = Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: account.clone(),
            id: "a".parse().unwrap(),
            kind: kind(),
            class: Class::Purchased,
            amount: credits(1_000),
            priority: 0,
            effective: None,
            expires: None,
            reason: String::new(),
        };
        ok(wait(handles[0].grant(grant)));
        Self { handles, account, key, version, _server: server }
    }

    fn reserve(&self, amount: u64) -> ChargeId {
        let charge = ChargeId::make(SystemClock.now(), &self.account, &SystemEntropy).unwrap();
        let call = Reserve {
            member: None,
            account: self.account.clone(),
            charge,
            fingerprint: [1; 32],
            key: self.key,
            document_version: self.version,
            revision: "r1".into(),
            kind: kind(),
            amount: credits(amount),
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
        };
        ok(wait(self.handles[0].reserve(call)));
        charge
    }

    fn settle(&self, charge: ChargeId, actual: u64) {
        let (account, actual) = (self.account.clone(), credits(actual));
        let call = Settle { account, charge, actual, explanation: Vec::new() };
        ok(wait(self.handles[0].settle(call)));
    }

    fn bucket(&self) -> [u64; 5] {
        ok(wait(self.handles[0].audit(self.account.clone())));
        let view = ok(wait(self.handles[1].view(self.account.clone(), Gates::default())));
        columns(&view.buckets[0])
    }
}

/// Asks until it is known; being too busy is no answer.
async fn insist<T>(mut ask: impl FnMut() -> Reply<T>) -> Answer<T> {
    loop {
        match ask().await {
            Answer::Unknown(_) | Answer::Refused(Refusal::Unavailable(_)) => {}
            other => return other,
        }
    }
}

#[test]
fn refunds_at_once_give_back_what_each_says_and_no_more() {
    let scene = Scene::new();
    let charge = scene.reserve(100);
    scene.settle(charge, 100);
    // 24 ids of 5 by both gateways: 20 of them fit.
    let calls = (0..48).map(|n| {
        let handle = scene.handles[n % 2].clone();
        let call = Refund {
            account: scene.account.clone(),
            charge,
            id: format!("r{}", n / 2).parse().unwrap(),
            amount: credits(5),
            reason: String::new(),
        };
        insist(move || handle.refund(call.clone()))
    });
    let answers = wait(join_all(calls));
    let applied = answers.iter().filter(|answer| matches!(answer, Answer::Applied(_))).count();
    assert_eq!(applied, 40, "{answers:?}");
    assert_eq!(scene.bucket(), [1_000, 0, 0, 0, 0]);
    let record = ok(wait(scene.handles[0].charge(charge)));
    assert_eq!((record.refunds.len(), record.charged), (20, credits(0)));
}

#[test]
fn an_adjustment_and_an_end_at_once_are_one_after_the_other() {
    let scene = Scene::new();
    for round in 0..60_u64 {
        let charge = scene.reserve(10);
        let [one, two] = scene.handles.clone();
        let (account, id) = (scene.account.clone(), "j".parse().unwrap());
        let call = Adjust { account: account.clone(), charge, id, held: credits(4 + round % 12) };
        let end = Settle { account, charge, actual: credits(8), explanation: Vec::new() };
        let adjusted = insist(move || one.adjust(call.clone()));
        let settled = insist(move || two.settle(end.clone()));
        let (adjusted, settled) = wait(futures_util::future::join(adjusted, settled));
        let charged = ok(settled).charged;
        assert_eq!(charged, credits(8), "{adjusted:?}");
        match adjusted {
            Answer::Applied(_) | Answer::Refused(Refusal::Ended(ChargeState::Settled)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.bucket(), [1_000 - 480, 0, 480, 0, 0]);
}

#[test]
fn rare_verbs_find_their_way_through_a_busy_account() {
    let scene = Scene::new();
    let charge = scene.reserve(100);
    scene.settle(charge, 100);
    let open: Vec<_> = (0..60).map(|_| scene.reserve(5)).collect();
    let mut calls: Vec<BoxFuture<'_, bool>> = Vec::new();
    for (n, id) in open.iter().enumerate() {
        let handle = scene.handles[n % 2].clone();
        let account = scene.account.clone();
        let end = Settle { account, charge: *id, actual: credits(3), explanation: Vec::new() };
        let settled = insist(move || handle.settle(end.clone()));
        calls.push(settled.map(|answer| matches!(answer, Answer::Applied(_))).boxed());
        if n % 6 == 0 {
            let handle = scene.handles[n % 2].clone();
            let call = Refund {
                account: scene.account.clone(),
                charge,
                id: format!("r{n}").parse().unwrap(),
                amount: credits(2),
                reason: String::new(),
            };
            let refunded = insist(move || handle.refund(call.clone()));
            calls.push(refunded.map(|answer| matches!(answer, Answer::Applied(_))).boxed());
        }
    }
    let done = wait(join_all(calls));
    assert!(done.iter().all(|done| *done) && done.len() == 70);
    assert_eq!(scene.bucket(), [1_000 - 100 - 180 + 20, 0, 260, 0, 0]);
}
