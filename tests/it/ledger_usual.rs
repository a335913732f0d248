//! Usual paths in Redis write and answer, to the last byte, what the rules do: the same requests on two
//! servers, of which one takes everything by the rules.

use std::sync::Arc;

use tollgate::credit::{Amount, ChargeId, Class, Every, Measure, Period, Zone};
use tollgate::ledger::*;
use tollgate::seam::SimulatedClock;

use crate::ledger_properties::dice::Dice;
use crate::ledger_redis::RedisStore;
use crate::ledger_world::{DAY, HOUR, NOON, Store, World, credits, ok, wait};

const STEPS: u64 = 1_200;

/// A server with usual paths, and one without.
fn worlds() -> [World; 2] {
    let clock = || Arc::new(SimulatedClock::at(NOON));
    let (usual, ruled) = (clock(), clock());
    let stores = [RedisStore::start(&usual), RedisStore::start_by_rules(&ruled)];
    let [one, other] = stores.map(|store| Store::Redis(Box::new(store)));
    [World::with(one, usual), World::with(other, ruled)]
}

impl World {
    fn redis(&self) -> &RedisStore {
        let Store::Redis(store) = &self.store else { panic!("no Redis") };
        store
    }

    /// How often the server has run this command so far.
    fn ran(&self, command: &str) -> u64 {
        let info = self.redis().server().command(&[b"INFO", b"commandstats"]);
        let info: String = ::redis::from_redis_value(info).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
        let calls = line.and_then(|line| line.strip_prefix("calls=")?.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    fn month(&self) -> [Period; 2] {
        Every::Month.periods(&Zone::UTC, self.now()).unwrap()
    }

    /// Everything that a plan may say, all of it far from its limit.
    fn plan(&self) -> Gates {
        let account = Scope::Account;
        let monthly =
            CapCheck { periods: self.month(), ..self.cap("m", Measure::Credits, 1 << 50) };
        let carry = Carry {
            min: credits(1),
            max: credits(5),
            percent: 50,
            until: [self.month()[1].end; 2],
        };
        let allowance = AllowanceCheck {
            periods: self.month(),
            carry: Some(carry),
            ..self.allowance("monthly", 300)
        };
        let free = AllowanceCheck {
            when: tollgate::credit::When::PaidExhausted,
            ..self.allowance("f", 2)
        };
        let rate =
            RateCheck { name: "r".into(), scope: account.clone(), interval_us: 100, burst: 50 };
        Gates {
            rates: vec![rate],
            slots: vec![SlotCheck { name: "s".into(), scope: account, limit: 500 }],
            caps: vec![self.cap("d", Measure::Requests, 1 << 40), monthly],
            allowances: vec![allowance, free],
            ..Gates::default()
        }
    }

    /// Some of it, now and then near its limit.
    fn part_of_plan(&self, dice: &Dice) -> Gates {
        let mut gates = self.plan();
        let tight = dice.one_in(40);
        gates.rates.retain(|_| dice.one_in(2));
        gates.slots.retain(|_| dice.one_in(2));
        gates.allowances.retain(|_| dice.one_in(2));
        gates.caps.retain(|_| !dice.one_in(3));
        for cap in &mut gates.caps {
            cap.limit = if tight { dice.below(20) } else { cap.limit };
            cap.refundable = dice.one_in(2);
            cap.kind = dice.one_in(5).then(|| "scans".parse().unwrap());
        }
        for slot in &mut gates.slots {
            slot.limit = if tight { 3 } else { slot.limit };
            slot.scope = if dice.one_in(2) { Scope::Route("image".into()) } else { Scope::Account };
        }
        gates
    }

    fn ask(&self, dice: &Dice, charge: ChargeId) -> String {
        let mut call = self.call_for(charge, 0);
        call.amount = dice.amount();
        call.gates = self.part_of_plan(dice);
        call.feature = dice.one_in(3).then(|| "big".to_owned());
        call.member = dice.one_in(3).then(|| "ana".to_owned());
        call.on_unknown = *dice.pick(&[OnUnknown::Release, OnUnknown::Charge, OnUnknown::Hold]);
        call.max_debt = dice.one_in(2).then(|| credits(3));
        call.note = vec![b'n'; usize::try_from(dice.below(300)).unwrap()];
        format!("{:?}", self.reserve(&call))
    }

    fn end(&self, dice: &Dice, charge: ChargeId) -> String {
        let account = self.account.clone();
        let explanation = vec![b'e'; usize::try_from(dice.below(2) * 99).unwrap()];
        let some = Amount::from_micro(dice.below(2 * Amount::MICRO)).unwrap();
        let actual = if dice.one_in(8) { dice.amount() } else { some };
        match dice.below(12) {
            0 => format!("{:?}", self.release(charge)),
            1 => format!("{:?}", self.doubt(charge)),
            _ => {
                let call = Settle { account, charge, actual, explanation };
                format!("{:?}", wait(self.store.ledger().settle(call)))
            }
        }
    }

    fn wait_for_job(&self, dice: &Dice, charge: ChargeId) -> String {
        let call = self.handing(charge, &dice.below(40).to_string(), dice.below(DAY));
        format!("{:?}", self.hand_over(&call))
    }

    fn top_up(&self, dice: &Dice, step: u64) -> String {
        let class = *dice.pick(&[Class::Purchased, Class::Goodwill, Class::Bonus]);
        let call = Grant {
            expires: dice.one_in(2).then(|| self.now().plus_ms(HOUR * (1 + dice.below(40)))),
            only: if dice.one_in(6) { vec!["video".parse().unwrap()] } else { Vec::new() },
            priority: u8::from(dice.one_in(3)),
            ..self.granting(&format!("g{step}"), class, 1 + dice.below(900))
        };
        format!("{:?}", self.grant(&call))
    }
}

/// The same step on both.
fn step(world: &World, seed: u64, at: u64, open: &[ChargeId], new: ChargeId) -> String {
    let dice = Dice::new(seed);
    match dice.below(100) {
        0..=2 => world.top_up(&dice, at),
        4 => format!("{:?}", world.tick()),
        3 if dice.one_in(4) => {
            world.clock.advance(if dice.one_in(12) { DAY } else { HOUR / 4 });
            String::new()
        }
        5..=50 => world.ask(&dice, new),
        51..=53 if !open.is_empty() => world.ask(&dice, *dice.pick(open)),
        54..=58 if !open.is_empty() => world.wait_for_job(&dice, *dice.pick(open)),
        _ if !open.is_empty() => world.end(&dice, open[open.len() - 1]),
        _ => world.ask(&dice, new),
    }
}

#[test]
fn usual_paths_write_what_the_rules_write() {
    let seed = std::env::var("TOLLGATE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let dice = Dice::new(seed);
    let [usual, ruled] = worlds();
    let mut open: Vec<ChargeId> = Vec::new();
    for at in 0..STEPS {
        let (seed_of_step, new) = (dice.next(), usual.id());
        assert_eq!(new, ruled.id());
        let [one, other] = [&usual, &ruled].map(|world| step(world, seed_of_step, at, &open, new));
        assert_eq!(one, other, "seed {seed}, step {at}");
        assert_eq!(usual.redis().said(), ruled.redis().said(), "seed {seed}, step {at}: {one}");
        for world in [&usual, &ruled] {
            world.clock.advance(at % 3);
        }
        open.push(new);
        if open.len() > 12 {
            open.remove(0);
        }
    }
    // The rules ask for the length of a hash where the usual settlement does not, and open a charge without asking
    // whether it is there.
    let settled = ruled.ran("hlen") - usual.ran("hlen");
    let (reserved, left) = (usual.ran("hsetnx"), usual.ran("hset"));
    println!(
        "seed {seed}: {STEPS} steps, {settled} usual settlements, {reserved} usual reserves, {left} left"
    );
    assert!(settled >= STEPS / 20 && reserved >= STEPS / 20 && left >= STEPS / 20);
    assert_eq!(ruled.ran("hsetnx"), 0);
}

/// What the benchmark measures is what the usual path does: nothing of it is left to the rules.
#[test]
fn what_is_usual_is_not_left_to_the_rules() {
    let [usual, ruled] = worlds();
    for world in [&usual, &ruled] {
        world.buy("pay_1", 1_000);
        world.buy("pay_2", 1_000);
        for round in 0..20_u32 {
            let mut call = world.call(5);
            call.gates = world.plan();
            call.gates.allowances.truncate(1);
            call.feature = Some("big".to_owned());
            call.member = Some("ana".to_owned());
            ok(world.reserve(&call));
            ok(world.settle(call.charge, u64::from(round % 6)));
            world.clock.advance(10);
        }
    }
    assert_eq!(usual.redis().said(), ruled.redis().said());
    // The first request begins the month, its bucket and the counters.
    assert_eq!((usual.ran("hsetnx"), usual.ran("hset")), (19, 1));
    assert_eq!(ruled.ran("hlen") - usual.ran("hlen"), 20);
}
