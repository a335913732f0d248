//! A ledger in Redis by the server's own clock: grace after an outage, calls that come late, clocks that
//! disagree.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use tollgate::credit::{AccountId, Amount, ChargeId, Class, Partition};
use tollgate::ledger::redis::{RedisLedger, Settings};
use tollgate::ledger::*;
use tollgate::seam::{Clock, SeededEntropy, SystemClock, Timestamp};

use crate::ledger_redis::{create, open_by_server, settings};
use crate::ledger_world::{bucket, key_of, kind, new_account, no, ok, wait};
use crate::redis_server::{RedisServer, wait_until};

/// A gateway's clock that is wrong by so much.
#[derive(Debug)]
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0.saturating_add_signed(self.0))
    }

    fn uptime_ms(&self) -> u64 {
        SystemClock.uptime_ms()
    }
}

struct Scene {
    ledger: RedisLedger,
    server: RedisServer,
    settings: Settings,
    account: AccountId,
    random: SeededEntropy,
    version: u64,
}

impl Scene {
    /// An account with 100 credits and leases of `lease_ms`.
    fn new(lease_ms: u64) -> Self {
        let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        create(&server, false);
        let settings = Settings { lease_ms, ..settings(&server) };
        let ledger = open_by_server(&settings, Arc::new(SystemClock));
        let account: AccountId = "acct_maria".parse().unwrap();
        ok(wait(ledger.create_account(new_account(&account))));
        let id = key_of(&account, 7);
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account.clone(),
            id,
            hash: [1; 32],
            label: "".into(),
            ends: None,
        };
        let version = ok(wait(ledger.create_key(call))).version;
        let scene =
            Self { ledger, server, settings, account, random: SeededEntropy::new(3), version };
        ok(wait(scene.ledger.grant(scene.granting("a", 100, None))));
        // The server has only just started: perhaps there was grace.
        sleep(Duration::from_millis(lease_ms));
        scene
    }

    fn granting(&self, id: &str, amount: u64, expires: Option<Timestamp>) -> Grant {
        Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: self.account.clone(),
            id: bucket(id),
            kind: kind(),
            class: Class::Purchased,
            amount: Amount::from_micro(amount).unwrap(),
            priority: 0,
            effective: None,
            expires,
            reason: String::new(),
        }
    }

    fn by_clock(&self, wrong_ms: i64) -> RedisLedger {
        open_by_server(&self.settings, Arc::new(Wrong(wrong_ms)))
    }

    fn call(&self) -> Reserve {
        Reserve {
            member: None,
            account: self.account.clone(),
            charge: ChargeId::make(SystemClock.now(), &self.account, &self.random).unwrap(),
            fingerprint: [9; 32],
            key: key_of(&self.account, 7),
            document_version: self.version,
            revision: "r1".into(),
            kind: kind(),
            amount: Amount::from_micro(10).unwrap(),
            route: "image".into(),
            feature: None,
            gates: Gates::default(),
            instance: "i1".into(),
            timeout_ms: 600_000,
            reconcile_ms: 100,
            on_unknown: OnUnknown::Release,
            over_run: OverRun::Debt,
            max_debt: None,
            note: Vec::new(),
        }
    }

    fn reserve(&self) -> ChargeId {
        let call = self.call();
        ok(wait(self.ledger.reserve(call.clone())));
        call.charge
    }

    fn tick(&self, ledger: &RedisLedger) -> u32 {
        ok(wait(ledger.tick(self.account.clone())))
    }

    fn extend(&self, charge: ChargeId) -> Extended {
        let charges = vec![(self.account.clone(), charge)];
        ok(wait(self.ledger.extend(Extend { charges })))[0]
    }

    fn state(&self, charge: ChargeId) -> ChargeState {
        ok(wait(self.ledger.charge(charge))).state
    }

    /// Everything in the server but for the partitions' own records.
    fn digest(&self) -> ::redis::Value {
        let script = b"local keys, all = redis.call('KEYS', '*'), {}
            table.sort(keys)
            for _, key in ipairs(keys) do
                if not string.find(key, ':epoch', 1, true) then
                    all[#all + 1] = redis.sha1hex(key .. redis.call('DUMP', key))
                end
            end
            return redis.sha1hex(table.concat(all))";
        self.server.command(&[b"EVAL", script, b"0"])
    }
}

#[test]
fn after_an_outage_no_lease_lapses_for_the_time_of_one() {
    let mut scene = Scene::new(2_000);
    let (renewed, left) = (scene.reserve(), scene.reserve());
    let returns = scene.ledger.returns();
    let before = *returns.borrow();
    sleep(Duration::from_millis(1_500));
    scene.server.kill_nine();
    sleep(Duration::from_millis(600));
    scene.server.start_again();
    wait_until("the ledger is back", || *returns.borrow() > before);
    let back = SystemClock.uptime_ms();
    let since = || Duration::from_millis(SystemClock.uptime_ms() - back);
    // The leases would have lapsed by now.
    assert_eq!(scene.tick(&scene.ledger), 0);
    assert_eq!(wait(scene.ledger.due(9)), Answer::Applied(Vec::new()));
    assert_eq!([renewed, left].map(|id| scene.state(id)), [ChargeState::Held; 2]);
    assert!(matches!(scene.extend(renewed), Extended::Until(_)));
    assert!(since() < Duration::from_millis(1_500), "this machine is too slow to tell");
    sleep(Duration::from_millis(1_700).saturating_sub(since()));
    assert!(matches!(scene.extend(renewed), Extended::Until(_)));
    sleep(Duration::from_millis(2_200).saturating_sub(since()));
    assert_eq!(wait(scene.ledger.due(9)), Answer::Applied(vec![scene.account.clone()]));
    assert_eq!(scene.tick(&scene.ledger), 1);
    assert_eq!(scene.extend(left), Extended::Ended);
    assert_eq!(
        [renewed, left].map(|id| scene.state(id)),
        [ChargeState::Held, ChargeState::Unknown]
    );
    ok(wait(scene.ledger.audit(scene.account.clone())));
}

#[test]
fn a_call_that_comes_late_ends_nothing() {
    let scene = Scene::new(300);
    let late = scene.by_clock(-6_000);
    let in_time = scene.by_clock(-3_000);
    let charge = scene.reserve();
    sleep(Duration::from_millis(400));
    assert_eq!(scene.tick(&late), 0, "a lease has lapsed for a late call");
    assert_eq!(scene.state(charge), ChargeState::Held);
    ok(wait(late.reserve(scene.call())));
    assert_eq!(scene.state(charge), ChargeState::Held);
    assert_eq!(scene.tick(&in_time), 1);
    assert_eq!(scene.state(charge), ChargeState::Unknown);
    sleep(Duration::from_millis(200));
    assert_eq!(scene.tick(&late), 0, "a deadline has come for a late call");
    assert_eq!(scene.state(charge), ChargeState::Unknown);
    assert!(scene.tick(&in_time) > 0);
    assert_eq!(scene.state(charge), ChargeState::Released);
    ok(wait(scene.ledger.audit(scene.account.clone())));
}

#[test]
fn clocks_five_minutes_apart_decide_nothing() {
    let scene = Scene::new(300);
    let charge = scene.reserve();
    let before = scene.digest();
    for wrong_ms in [-310_000, 310_000] {
        let wrong = scene.by_clock(wrong_ms);
        let account = || scene.account.clone();
        assert_eq!(no(wait(wrong.reserve(scene.call()))), Refusal::ClockJump);
        let (actual, explanation) = (Amount::ZERO, Vec::new());
        let settle =
            Settle { account: account(), charge, actual, explanation: explanation.clone() };
        assert_eq!(no(wait(wrong.settle(settle))), Refusal::ClockJump);
        let release = Release { account: account(), charge, explanation };
        assert_eq!(no(wait(wrong.release(release))), Refusal::ClockJump);
        assert_eq!(no(wait(wrong.grant(scene.granting("b", 1, None)))), Refusal::ClockJump);
        assert_eq!(no(wait(wrong.tick(account()))), Refusal::ClockJump);
        assert_eq!(no(wait(wrong.view(account(), Gates::default()))), Refusal::ClockJump);
    }
    assert_eq!(scene.digest(), before);
    for wrong_ms in [-290_000, 290_000] {
        let near = scene.by_clock(wrong_ms);
        ok(wait(near.view(scene.account.clone(), Gates::default())));
    }
}

#[test]
fn time_of_an_account_never_goes_back() {
    let scene = Scene::new(5_000);
    // The server that was primary before ran ahead by a minute: its mark is in the record's bytes 9 to 15.
    let ahead = SystemClock.now().plus_ms(60_000);
    let key = format!("tollgate:{{{:04}}}:a:acct_maria", Partition::of(&scene.account).number());
    let mark = ahead.0.to_le_bytes();
    scene.server.command(&[b"SETRANGE", key.as_bytes(), b"8", &mark[..7]]);
    let ends = Some(ahead.plus_ms(1));
    ok(wait(scene.ledger.grant(scene.granting("ends", 5, ends))));
    let reserved = ok(wait(scene.ledger.reserve(scene.call())));
    assert_eq!(reserved.at, ahead);
    assert_eq!(reserved.lease_end, ahead.plus_ms(5_000));
    assert_eq!(reserved.available.micro(), 95);
    let view = ok(wait(scene.ledger.view(scene.account.clone(), Gates::default())));
    assert_eq!(view.at, ahead);
    // A moment from its end, and the clock stands still: it does not end early.
    sleep(Duration::from_millis(50));
    assert_eq!(scene.tick(&scene.ledger), 0);
    ok(wait(scene.ledger.audit(scene.account.clone())));
}
