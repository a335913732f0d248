//! Two versions of the program on one ledger in Redis, as while an update rolls out: their scripts differ,
//! and the newer one keeps more in the places that are meant for that. Nothing is lost, whoever writes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use tollgate::credit::{Amount, ChargeId, Class};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, Entropy, SeededEntropy, SimulatedClock};

use crate::ledger_redis::{RedisStore, create, open, open_beside, settings};
use crate::ledger_redis_faults::{key, redis};
use crate::ledger_world::{LEASE, MINUTE, NOON, Store, World, bucket, ok, wait};
use crate::redis_server::RedisServer;

/// What the newer version keeps at the end of its records.
const LATER: &[u8] = b"\x01later\xff\x00bytes";
const STEPS: u64 = 1_500;

struct Rollout {
    world: World,
    newer: RedisLedger,
    judge: ModelLedger,
    random: SeededEntropy,
    charges: Vec<(ChargeId, Reserve)>,
    said: BTreeMap<&'static str, usize>,
}

impl Rollout {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let server = RedisServer::start(&[]);
        create(&server, true);
        let ledger = open(&settings(&server), &clock);
        let newer = open_beside(&settings(&server), &clock, "-- one line more\n");
        let judge = ModelLedger::new(Arc::clone(&clock) as Arc<dyn Clock>, LEASE);
        let world = World::with(Store::Redis(Box::new(RedisStore::of(ledger, server))), clock);
        let random = SeededEntropy::new(seed);
        let document = ok(wait(world.store.ledger().document(world.account.clone())));
        ok(wait(judge.create_account(crate::ledger_world::new_account(&world.account))));
        let id = document.keys[0].id;
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: world.account.clone(),
            id,
            hash: [1; 32],
            label: "".into(),
            ends: None,
        };
        ok(wait(judge.create_key(call)));
        Self { world, newer, judge, random, charges: Vec::new(), said: BTreeMap::new() }
    }

    fn below(&self, bound: u64) -> u64 {
        let mut word = [0; 8];
        self.random.fill(&mut word).unwrap();
        u64::from_le_bytes(word) % bound
    }

    /// Asks one of the two versions, and the model; the answers must be the same.
    fn same<T: Debug + PartialEq>(
        &mut self,
        what: &'static str,
        ask: impl Fn(&dyn Ledger) -> Reply<T>,
    ) {
        let older = self.below(2) == 0;
        let ledger = if older { self.world.store.ledger() } else { &self.newer };
        let answer = wait(ask(ledger));
        assert_eq!(
            answer,
            wait(ask(&self.judge)),
            "{what} by the {}",
            if older { "older" } else { "newer" }
        );
        if matches!(answer, Answer::Applied(_)) {
            *self.said.entry(what).or_default() += 1;
            if !older {
                self.add_later();
            }
        }
    }

    /// Does what the newer version does with what it writes: more bytes behind accounts and open charges.
    fn add_later(&self) {
        let script = b"local function with(bytes)
                if string.sub(bytes, -#ARGV[1]) == ARGV[1] then return bytes end
                return bytes .. ARGV[1]
            end
            redis.call('SET', KEYS[1], with(redis.call('GET', KEYS[1])))
            for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
                redis.call('HSET', KEYS[2], id, with(redis.call('HGET', KEYS[2], id)))
            end";
        let (account, open) = (self.key("a:acct_maria"), self.key("o:acct_maria"));
        let words: [&[u8]; 6] = [b"EVAL", script, b"2", account.as_bytes(), open.as_bytes(), LATER];
        redis(&self.world).server().command(&words);
    }

    fn key(&self, rest: &str) -> String {
        key(&self.world, rest)
    }

    /// How many records have the newer version's bytes, and whether the account has.
    fn with_later(&self) -> (usize, bool) {
        let script = b"local found = 0
            for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
                if string.sub(redis.call('HGET', KEYS[2], id), -#ARGV[1]) == ARGV[1] then found = found + 1 end
            end
            local account = string.sub(redis.call('GET', KEYS[1]), -#ARGV[1]) == ARGV[1]
            return { found, account and 1 or 0 }";
        let (account, open) = (self.key("a:acct_maria"), self.key("o:acct_maria"));
        let words: [&[u8]; 6] = [b"EVAL", script, b"2", account.as_bytes(), open.as_bytes(), LATER];
        let (found, account): (usize, u8) =
            ::redis::from_redis_value(redis(&self.world).server().command(&words)).unwrap();
        (found, account == 1)
    }

    fn step(&mut self, step: u64) {
        let latest = self.charges.len().saturating_sub(8);
        let some = self.charges.get(latest + usize::try_from(self.below(8)).unwrap()).cloned();
        let account = self.world.account.clone();
        match (self.below(12), some) {
            (0..=3, _) | (_, None) => {
                let caps =
                    vec![self.world.cap("day", tollgate::credit::Measure::Credits, 90_000_000)];
                let allowances = vec![self.world.allowance("daily", 3)];
                let gates = Gates { caps, allowances, ..Gates::default() };
                let reconcile_ms = 10 * MINUTE;
                let call = Reserve { gates, reconcile_ms, ..self.world.call(self.below(4)) };
                self.charges.push((call.charge, call.clone()));
                self.same("reserve", |ledger| ledger.reserve(call.clone()));
            }
            (4, Some((_, call))) => {
                self.same("reserve again", |ledger| ledger.reserve(call.clone()))
            }
            (5 | 6, Some((charge, _))) => {
                let actual = Amount::from_credits(self.below(6)).unwrap();
                let explanation = b"{}".to_vec();
                let call = Settle { account, charge, actual, explanation };
                self.same("settle", |ledger| ledger.settle(call.clone()));
            }
            (7, Some((charge, _))) => {
                let call = Release { account, charge, explanation: Vec::new() };
                self.same("release", |ledger| ledger.release(call.clone()));
            }
            (8, Some((charge, _))) => {
                let call = Doubt { account, charge, explanation: b"{}".to_vec() };
                self.same("doubt", |ledger| ledger.doubt(call.clone()));
            }
            (9, Some((charge, _))) => {
                let call = Extend { charges: vec![(account, charge)] };
                self.same("extend", |ledger| ledger.extend(call.clone()));
            }
            (10, Some(_)) => {
                let id = bucket(&format!("b{}", step / 3));
                let expires = Some(self.world.now().plus_ms(30 * MINUTE));
                let call = Grant { id, expires, ..self.world.granting("b", Class::Purchased, 9) };
                self.same("grant", |ledger| ledger.grant(call.clone()));
            }
            (_, Some(_)) => {
                self.world.clock.advance(self.below(MINUTE));
                self.same("tick", |ledger| ledger.tick(account.clone()));
            }
        }
    }
}

#[test]
fn two_versions_serve_the_same_accounts_in_turn() {
    for seed in 1..=3 {
        let mut rollout = Rollout::new(seed);
        let mut most = 0;
        for step in 0..STEPS {
            rollout.step(step);
            let ledger = &redis(&rollout.world).ledger;
            assert_eq!(wait(ledger.audit(rollout.world.account.clone())), Answer::Applied(()));
            let gates = Gates::default();
            let account = rollout.world.account.clone();
            rollout.same("view", |ledger| ledger.view(account.clone(), gates.clone()));
            let (open, account) = rollout.with_later();
            most = most.max(open);
            // From the first write of the newer version on the account carries its bytes.
            assert!(account || step < 20, "seed {seed} step {step}: the account has lost bytes");
        }
        println!(
            "seed {seed}: {STEPS} steps, {:?}, {most} open charges with more bytes",
            rollout.said
        );
        let done = ["reserve", "settle", "release", "doubt", "extend", "grant", "tick"];
        assert!(done.iter().all(|what| rollout.said.get(what).is_some_and(|n| *n >= 10)), "{seed}");
        assert!(most > 2, "{most}");
    }
}

#[test]
fn an_older_version_keeps_the_bytes_of_a_charge_that_it_changes() {
    let rollout = Rollout::new(1);
    let world = &rollout.world;
    world.buy("a", 10);
    let (extended, doubted) = (world.call(1), world.call(1));
    ok(world.reserve(&extended));
    ok(world.reserve(&doubted));
    rollout.add_later();
    world.clock.advance(1_000);
    assert!(matches!(world.extend(extended.charge), Extended::Until(_)));
    ok(world.doubt(doubted.charge));
    let (account, id) = (world.account.clone(), bucket("j"));
    let held = Amount::from_credits(3).unwrap();
    let call = Adjust { account, charge: doubted.charge, id, held };
    ok(wait(world.store.ledger().adjust(call)));
    assert_eq!(rollout.with_later(), (2, true));
    world.clock.advance(LEASE);
    assert_eq!(world.tick(), 1);
    assert_eq!(rollout.with_later(), (2, true));
}
