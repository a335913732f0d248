//! Ways that must lead to the same place: less reserved and less settled, work done by time and work done by the
//! sweeper, a quote and a reserve, a call and the same call again; and what is refused leads nowhere.

use std::sync::Arc;

use tollgate::credit::{Amount, ChargeId, Class, Measure, Ranks};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock, Timestamp};

use crate::ledger_properties::dice::Dice;
use crate::ledger_redis::RedisStore;
use crate::ledger_world::{
    DAY, HOUR, LEASE, NOON, Store, World, bucket, credits, embedded_in_memory, no, ok,
    on_every_store, wait,
};

/// So many seeds on the model, on the embedded store and on Redis.
const SEEDS: [u64; 3] = [300, 40, 6];

fn world(store: usize) -> World {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let store = match store {
        0 => {
            let shared = Arc::clone(&clock) as Arc<dyn Clock>;
            Store::Model(Box::new(ModelLedger::new(shared, LEASE)))
        }
        1 => Store::Embedded(embedded_in_memory(&clock)),
        _ => Store::Redis(Box::new(RedisStore::start(&clock))),
    };
    World::with(store, clock)
}

/// Two worlds that are alike, for every seed; the answer is how many pairs there were to compare.
fn twins(story: impl Fn(u64, &World, &World) -> bool) -> u64 {
    let mut compared = 0;
    for (store, seeds) in SEEDS.into_iter().enumerate() {
        for seed in 1..=seeds {
            compared += u64::from(story(seed, &world(store), &world(store)));
        }
    }
    println!("{compared} pairs were compared");
    compared
}

/// Some buckets of several sorts, the same for the same seed.
fn furnish(w: &World, dice: &Dice) {
    for n in 0..6 {
        let class = *dice.pick(&[Class::Purchased, Class::Bonus, Class::Goodwill, Class::Free]);
        let ends = dice.one_in(2).then(|| w.now().plus_ms(HOUR + dice.below(4 * HOUR)));
        let narrow = dice.one_in(5).then(|| vec!["video".parse().unwrap()]);
        let call = Grant {
            priority: u8::try_from(dice.below(2)).unwrap(),
            expires: ends,
            only: narrow.unwrap_or_default(),
            ..w.granting(&format!("g{n}"), class, 1 + dice.below(9))
        };
        ok(w.grant(&call));
    }
}

fn gates(w: &World) -> Gates {
    let caps = vec![
        w.cap("credits", Measure::Credits, 1_000_000_000),
        CapCheck { refundable: false, ..w.cap("tries", Measure::Requests, 100) },
    ];
    Gates { caps, ranks: Ranks([0, 1, 2, 2, 2, 3]), ..Gates::default() }
}

/// What is left: buckets, sums, and what caps have counted.
fn money(w: &World) -> String {
    let view = w.view(&gates(w));
    let caps: Vec<_> = view.caps.iter().map(|cap| (&cap.name, cap.used)).collect();
    format!("{:#?} {:?} {caps:?}", view.buckets, view.archived)
}

/// Both have the same; if not, only what differs is shown.
#[track_caller]
fn same(one: &World, two: &World, why: &str) {
    alike(&money(one), &money(two), why);
}

#[track_caller]
fn alike(one: &str, two: &str, why: &str) {
    let differs = |(a, b): &(&str, &str)| a != b;
    let lines: Vec<_> = one
        .lines()
        .zip(two.lines())
        .enumerate()
        .filter(|(_, pair)| differs(pair))
        .take(20)
        .collect();
    assert!(one == two, "{why}: {lines:#?}");
}

fn held(w: &World, charge: ChargeId, amount: u64) -> bool {
    let call = Reserve { gates: gates(w), over_run: OverRun::Absorb, ..w.call_for(charge, amount) };
    matches!(w.reserve(&call), Answer::Applied(_))
}

fn adjusted(w: &World, charge: ChargeId, id: &str, amount: u64) -> Adjusted {
    let (account, id, held) = (w.account.clone(), bucket(id), credits(amount));
    ok(wait(w.store.ledger().adjust(Adjust { account, charge, id, held })))
}

fn refund(w: &World, charge: ChargeId, id: &str, amount: u64) -> Answer<Refunded> {
    let (account, id, amount) = (w.account.clone(), bucket(id), credits(amount));
    let reason = "why".to_owned();
    wait(w.store.ledger().refund(Refund { account, charge, id, amount, reason }))
}

fn withdraw(w: &World, id: &str, how: Withdrawal) -> Answer<Withdrawn> {
    let (account, bucket, reason) = (w.account.clone(), bucket(id), String::new());
    wait(w.store.ledger().withdraw(Withdraw { account, bucket, how, reason }))
}

fn freeze(w: &World, id: &str, frozen: bool) -> Answer<tollgate::credit::Bucket> {
    let (account, bucket, reason) = (w.account.clone(), bucket(id), String::new());
    let call = Freeze { account, bucket, frozen, expires: None, reason };
    wait(w.store.ledger().freeze(call))
}

/// A pair of amounts, the smaller first.
fn amounts(dice: &Dice) -> (u64, u64) {
    let (a, b) = (dice.below(25), dice.below(25));
    (a.min(b), a.max(b))
}

#[test]
fn settling_less_is_as_if_less_had_been_reserved() {
    let compared = twins(|seed, one, two| {
        let dice = Dice::new(seed);
        let (less, more) = amounts(&dice);
        for w in [one, two] {
            furnish(w, &Dice::new(!seed));
        }
        let (charge, other) = (one.id(), two.id());
        assert_eq!(charge, other);
        if !held(one, charge, more) {
            return false;
        }
        assert!(held(two, charge, less));
        ok(one.settle(charge, less));
        ok(two.settle(charge, less));
        same(one, two, &format!("seed {seed}: {less} of {more}"));
        true
    });
    assert!(compared >= 150, "{compared}");
}

#[test]
fn refunding_is_as_if_less_had_been_settled() {
    let compared = twins(|seed, one, two| {
        let dice = Dice::new(seed);
        let (less, more) = amounts(&dice);
        for w in [one, two] {
            furnish(w, &Dice::new(!seed));
        }
        let charge = one.id();
        if less == more || !held(one, charge, more) {
            return false;
        }
        assert!(held(two, charge, more));
        ok(one.settle(charge, more));
        ok(two.settle(charge, less));
        // At once or in two parts.
        let part = dice.below(more - less);
        if part > 0 {
            ok(refund(one, charge, "r1", part));
        }
        ok(refund(one, charge, "r2", more - less - part));
        same(one, two, &format!("seed {seed}: {less} of {more}"));
        let legs = |w: &World| ok(w.charge(charge)).legs;
        assert_eq!(legs(one), legs(two), "seed {seed}");
        true
    });
    assert!(compared >= 150, "{compared}");
}

#[test]
fn adjusting_is_as_if_the_other_amount_had_been_reserved() {
    let compared = twins(|seed, one, two| {
        let dice = Dice::new(seed);
        let (less, more) = amounts(&dice);
        let actual = dice.below(less + 1);
        for w in [one, two] {
            furnish(w, &Dice::new(!seed));
        }
        let charge = one.id();
        // Up or down; both must be there to be reserved.
        let (first, then) = if dice.one_in(2) { (more, less) } else { (less, more) };
        if !held(two, charge, then) || !held(one, charge, first) {
            return false;
        }
        assert_eq!(adjusted(one, charge, "a1", then).short, Amount::ZERO, "seed {seed}");
        same(one, two, &format!("seed {seed}: {first} to {then}"));
        ok(one.settle(charge, actual));
        ok(two.settle(charge, actual));
        same(one, two, &format!("seed {seed}: {first} to {then}, {actual}"));
        true
    });
    assert!(compared >= 120, "{compared}");
}

/// But for what counts attempts.
#[test]
fn reserving_and_releasing_is_as_if_nothing_had_been() {
    let compared = twins(|seed, one, two| {
        let dice = Dice::new(seed);
        for w in [one, two] {
            furnish(w, &Dice::new(!seed));
        }
        let charge = one.id();
        if !held(one, charge, dice.below(25)) {
            return false;
        }
        if dice.one_in(2) {
            adjusted(one, charge, "a1", dice.below(40));
        }
        ok(one.release(charge));
        let tried = money(one);
        assert!(tried.contains("(\"credits\", 0)") && tried.contains("(\"tries\", 1)"), "{tried}");
        assert_eq!(tried.replace("(\"tries\", 1)", "(\"tries\", 0)"), money(two), "seed {seed}");
        true
    });
    assert!(compared >= 200, "{compared}");
}

/// A quote says what a reserve does, and writes nothing.
#[test]
fn a_quote_is_what_is_reserved() {
    let compared = twins(|seed, one, _| {
        let dice = Dice::new(seed);
        furnish(one, &Dice::new(!seed));
        let (allowance, carry) = (one.allowance("gift", 3), None);
        let mut gates = gates(one);
        gates.allowances = vec![AllowanceCheck {
            when: *dice.pick(&[Default::default(), tollgate::credit::When::PaidExhausted]),
            carry,
            ..allowance
        }];
        let call = Reserve { gates, ..one.call(dice.below(40)) };
        let before = one.everything();
        let quoted = wait(one.store.ledger().quote(call.clone()));
        assert_eq!(one.everything(), before, "seed {seed}");
        let reserved = one.reserve(&call);
        assert_eq!(quoted.map(|quoted| quoted.reserved), reserved, "seed {seed}");
        true
    });
    assert_eq!(compared, SEEDS.iter().sum::<u64>());
}

fn sweep(w: &World) {
    while w.tick() > 0 {}
}

/// What is answered once due work has been done, if there is too much of it for the verb itself.
fn answered<T: std::fmt::Debug>(w: &World, call: impl Fn() -> Answer<T>) -> (String, bool) {
    loop {
        match call() {
            Answer::Refused(Refusal::Tick) => _ = w.tick(),
            answer => return (format!("{answer:?}"), matches!(answer, Answer::Applied(_))),
        }
    }
}

/// A bucket of those that are listed.
fn listed(w: &World, dice: &Dice) -> String {
    let buckets = w.view(&Gates::default()).buckets;
    dice.pick(&buckets).id.to_string()
}

/// One act on both, the same for the same dice: what was answered, and whether it was applied.
fn act(w: &World, what: u64, dice: &Dice, step: u64, charges: &[ChargeId]) -> (String, bool) {
    let charge = *dice.pick(charges);
    match what {
        0 => {
            let begins = dice.one_in(2).then(|| w.now().plus_ms(dice.below(5 * HOUR)));
            let ends = dice.one_in(2).then(|| w.now().plus_ms(6 * HOUR + dice.below(DAY)));
            let grant = w.granting(&format!("late{step}"), Class::Purchased, 1 + dice.below(3));
            let grant = Grant { effective: begins, expires: ends, ..grant };
            answered(w, || w.grant(&grant))
        }
        1 => answered(w, || refund(w, charge, &format!("r{step}"), 1)),
        2 => {
            let how = *dice.pick(&[Withdrawal::Void, Withdrawal::Refund, Withdrawal::Reversal]);
            let id = listed(w, dice);
            answered(w, || withdraw(w, &id, how))
        }
        3 | 4 => {
            let (id, frozen) = (listed(w, dice), dice.one_in(2));
            answered(w, || freeze(w, &id, frozen))
        }
        5 => {
            let (account, id, held) = (w.account.clone(), format!("a{step}"), dice.below(9));
            let call = Adjust { account, charge, id: bucket(&id), held: credits(held) };
            answered(w, || wait(w.store.ledger().adjust(call.clone())))
        }
        6 | 7 => {
            let actual = dice.below(12);
            answered(w, || w.settle(charge, actual))
        }
        8 => answered(w, || w.release(charge)),
        9 => answered(w, || w.doubt(charge)),
        _ => (String::new(), true),
    }
}

/// An allowance of a day, of which some carries over.
fn carrying(w: &World) -> Gates {
    let carry = Carry {
        min: credits(0),
        max: credits(9),
        percent: 60,
        until: [w.now().plus_ms(30 * HOUR), w.now().plus_ms(54 * HOUR)],
    };
    let allowance = AllowanceCheck { carry: Some(carry), ..w.allowance("gift", 7) };
    Gates { allowances: vec![allowance], ..Gates::default() }
}

/// An over-run is told after its period has ended: what rolled over of it pays, whether or not somebody has looked.
#[test]
fn an_over_run_after_its_period_is_paid_by_what_rolled_over() {
    on_every_store(|w| {
        let on_unknown = OnUnknown::Hold;
        let call = Reserve { gates: carrying(&w), on_unknown, ..w.call(2) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        let late = Reserve { reconcile_ms: 5_000, ..w.call(0) };
        ok(w.reserve(&late));
        ok(w.doubt(late.charge));
        w.clock.advance(12 * HOUR + 1_000);
        let settled = ok(w.settle(call.charge, 4));
        assert_eq!((settled.debt, settled.absorbed), (Amount::ZERO, Amount::ZERO));
        assert_eq!(w.columns("gift@2026-11-22"), [0, 0, 2, 5, 0]);
        assert_eq!(w.columns("gift@2026-11-22@rollover"), [1, 0, 2, 0, 0]);
        // And so does a late success.
        assert!(ok(w.settle(late.charge, 0)).late);
    });
}

/// A grant ends what is over, however many there are: with a tick where that is too much.
#[test]
fn buckets_that_have_ended_do_not_refuse_a_grant() {
    on_every_store(|w| {
        for n in 0..64 {
            let end = Some(w.now().plus_ms(HOUR));
            let grant = w.granting(&format!("b{n}"), Class::Bonus, 1);
            ok(w.grant(&Grant { expires: end, ..grant }));
        }
        let more = w.granting("more", Class::Purchased, 1);
        assert!(matches!(no(w.grant(&more)), Refusal::TooMany(_)));
        w.clock.advance(HOUR);
        assert_eq!(no(w.grant(&more)), Refusal::Tick);
        assert!(answered(&w, || w.grant(&more)).1);
        let fewer: Vec<_> = (0..9).map(|n| w.granting(&format!("c{n}"), Class::Bonus, 1)).collect();
        for grant in &fewer {
            ok(w.grant(&Grant { expires: Some(w.now().plus_ms(HOUR)), ..grant.clone() }));
        }
        w.clock.advance(HOUR);
        ok(w.grant(&w.granting("last", Class::Purchased, 1)));
        assert_eq!(w.columns("c0"), [0, 0, 0, 1, 0]);
    });
}

/// A bucket is taken back whose hold had its deadline: what came back of it is taken too.
#[test]
fn a_bucket_that_is_taken_back_has_its_overdue_hold_first() {
    on_every_store(|w| {
        w.buy("p", 9);
        let call = Reserve { reconcile_ms: 1_000, ..w.call(4) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(2_000);
        let taken = ok(withdraw(&w, "p", Withdrawal::Refund));
        assert_eq!(taken.bucket.voided, credits(9));
        let ended = ok(w.charge(call.charge));
        assert!(ended.by_deadline && ended.state == ChargeState::Released, "{ended:?}");
        // What its deadline charges is refunded at once.
        w.buy("q", 9);
        let reconcile_ms = 1_000;
        let call = Reserve { reconcile_ms, on_unknown: OnUnknown::Charge, ..w.call(4) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(2_000);
        assert_eq!(ok(refund(&w, call.charge, "r", 1)).charged, credits(3));
        assert_eq!(w.columns("q"), [6, 0, 3, 0, 0]);
    });
}

/// What is known of charges, and which are open.
fn records(w: &World, charges: &[ChargeId]) -> String {
    let known: Vec<_> = charges.iter().map(|charge| w.charge(*charge)).collect();
    format!("{known:#?} {:#?}", w.view(&Gates::default()).open)
}

/// Nothing depends on the sweeper: whatever is asked answers and leaves what it would after a sweep.
#[test]
fn a_sweep_before_a_verb_changes_nothing() {
    let mut seen = std::collections::BTreeMap::new();
    let seen = std::cell::RefCell::new(&mut seen);
    let compared = twins(|seed, swept, lazy| {
        let worlds = [swept, lazy];
        let mut charges = Vec::new();
        for w in worlds {
            furnish(w, &Dice::new(seed));
        }
        for step in 0..24 {
            let dice = Dice::new(seed * 1_000 + step);
            let passes = dice.below(*dice.pick(&[1_000, 3 * HOUR, 9 * HOUR]));
            worlds.iter().for_each(|w| w.clock.advance(passes));
            sweep(swept);
            let (what, chance) =
                (if charges.is_empty() { 11 } else { dice.below(14) }, dice.next());
            let why = format!("seed {seed} step {step}: {what}");
            let done = if what < 10 {
                worlds.map(|w| act(w, what, &Dice::new(chance), step, &charges))
            } else {
                let calls = worlds.map(|w| {
                    let dice = Dice::new(chance);
                    let never = [OnUnknown::Release, OnUnknown::Charge, OnUnknown::Hold];
                    Reserve {
                        gates: carrying(w),
                        on_unknown: *dice.pick(&never),
                        reconcile_ms: dice.below(6 * HOUR),
                        ..w.call(dice.below(7))
                    }
                });
                charges.push(calls[0].charge);
                [0, 1].map(|n| answered(worlds[n], || worlds[n].reserve(&calls[n])))
            };
            assert_eq!(done[0].0, done[1].0, "{why}");
            // What is refused writes nothing, and a lease that lapses does so when somebody looks.
            if !done[1].1 {
                sweep(lazy);
            }
            *seen.borrow_mut().entry((what, done[1].1)).or_insert(0_u64) += 1;
            same(swept, lazy, &why);
            alike(&records(swept, &charges), &records(lazy, &charges), &why);
        }
        true
    });
    assert_eq!(compared, SEEDS.iter().sum::<u64>());
    for what in 0..14 {
        assert!(seen.borrow()[&(what, true)] >= 20, "{what}: {:?}", seen.borrow());
    }
}

/// Charges whose outcome is unknown, with deadlines of their own; and a debt.
fn doubtful(w: &World, dice: &Dice) {
    for _ in 0..4 {
        let call = Reserve {
            on_unknown: *dice.pick(&[OnUnknown::Release, OnUnknown::Charge]),
            reconcile_ms: dice.below(12 * HOUR),
            ..w.call(1 + dice.below(5))
        };
        if matches!(w.reserve(&call), Answer::Applied(_)) {
            ok(w.doubt(call.charge));
        }
    }
}

/// One tick in the end is as good as one at each step, whatever was done in between.
#[test]
fn what_nobody_sweeps_ends_as_what_is_swept() {
    let compared = twins(|seed, swept, lazy| {
        let worlds = [swept, lazy];
        let mut charges = Vec::new();
        for w in worlds {
            let dice = Dice::new(seed);
            furnish(w, &dice);
            let gates = carrying(w);
            let debt = w.id();
            charges = vec![debt];
            ok(w.reserve(&Reserve { gates, ..w.call_for(debt, 3) }));
            // Everything that there is, and a debt of three.
            let there = w.view(&Gates::default()).buckets;
            let all: u64 = there
                .iter()
                .filter(|b| b.only.is_empty())
                .map(|b| b.available.micro() / Amount::MICRO)
                .sum();
            let actual = if dice.one_in(2) { 3 + all + 3 } else { 2 };
            ok(w.settle(debt, actual));
            for n in 6..8 {
                let begins = Some(w.now().plus_ms(HOUR + dice.below(9 * HOUR)));
                let grant = w.granting(&format!("g{n}"), Class::Bonus, 1 + dice.below(4));
                ok(w.grant(&Grant { effective: begins, ..grant }));
            }
            if seed % 2 == 0 {
                doubtful(w, &dice);
            }
            for _ in 0..4 {
                let call = Reserve { on_unknown: OnUnknown::Hold, ..w.call(dice.below(2)) };
                if matches!(w.reserve(&call), Answer::Applied(_)) {
                    ok(w.doubt(call.charge));
                    charges.push(call.charge);
                }
            }
        }
        for step in 0..14 {
            let dice = Dice::new(seed * 1_000 + step);
            let passes = dice.below(5 * HOUR);
            for w in worlds {
                w.clock.advance(passes);
            }
            sweep(swept);
            // Only charges without a deadline: how late a success may come counts from when somebody looked.
            let (what, chance) = (dice.below(11), dice.next());
            let done = worlds.map(|w| act(w, what, &Dice::new(chance), step, &charges));
            assert_eq!(done[0], done[1], "seed {seed} step {step}: {what}");
        }
        sweep(swept);
        sweep(lazy);
        same(swept, lazy, &format!("seed {seed}"));
        true
    });
    assert_eq!(compared, SEEDS.iter().sum::<u64>());
}

/// Every sort of refusal leaves every record as it was, to the last byte.
#[expect(clippy::too_many_lines, reason = "one story: every refusal after the same beginning")]
#[test]
fn what_is_refused_changes_nothing() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(DAY));
        ok(w.grant(&Grant { expires: end, ..w.granting("p", Class::Purchased, 9) }));
        ok(w.grant(&w.granting("free", Class::Free, 1)));
        let (open, settled, closed) = (w.id(), w.id(), w.id());
        ok(w.reserve(&w.call_for(open, 2)));
        ok(w.reserve(&w.call_for(settled, 3)));
        ok(w.settle(settled, 3));
        ok(w.release(closed));
        adjusted(&w, open, "a1", 1);
        ok(refund(&w, settled, "r1", 1));
        // Time brings work that the refused calls would have done first.
        ok(w.grant(&Grant {
            effective: Some(w.now().plus_ms(1)),
            ..w.granting("later", Class::Bonus, 1)
        }));
        w.clock.advance(5);
        let ledger = w.store.ledger();
        let call = w.call(1);
        let slot = SlotCheck { name: "s".into(), scope: Scope::Account, limit: 1 };
        let full = Gates { slots: vec![slot], ..Gates::default() };
        let capped = Gates { caps: vec![w.cap("c", Measure::Requests, 0)], ..Gates::default() };
        let past = Window { from: Timestamp(0), until: Timestamp(1) };
        let old = Gates { window: past, ..Gates::default() };
        let rate =
            RateCheck { name: "r".into(), scope: Scope::Account, interval_us: 1_000_000, burst: 1 };
        let fast = Gates { rates: vec![rate.clone(), rate], ..Gates::default() };
        let reserves = [
            ("Conflict", Reserve { fingerprint: [8; 32], ..w.call_for(open, 2) }),
            ("Ended", w.call_for(settled, 3)),
            ("Ended", w.call_for(closed, 1)),
            ("Stale", Reserve { document_version: 0, ..call.clone() }),
            ("Stale", Reserve { gates: old, ..call.clone() }),
            (
                "InvalidKey",
                Reserve { key: crate::ledger_world::key_of(&w.account, 99), ..call.clone() },
            ),
            ("SlotsFull", Reserve { gates: full, ..call.clone() }),
            ("CapExceeded", Reserve { gates: capped, ..call.clone() }),
            ("RateLimited", Reserve { gates: fast, ..call.clone() }),
            ("Insufficient", w.call(50)),
            ("Invalid", Reserve { note: vec![0; NOTE_MAX + 1], ..call.clone() }),
        ];
        let mut seen = 0;
        let before = w.everything();
        let mut check = |expected: &str, refusal: Refusal| {
            let text = format!("{refusal:?}");
            assert!(text.starts_with(expected), "{expected}: {text}");
            assert_eq!(w.everything(), before, "{text}");
            seen += 1;
        };
        for (expected, call) in reserves {
            check(expected, no(w.reserve(&call)));
        }
        let unknown = w.id();
        check("UnknownCharge", no(w.settle(unknown, 1)));
        check("Conflict", no(w.settle(settled, 2)));
        check("Ended", no(w.release(settled)));
        check("Ended", no(w.settle(closed, 2)));
        check("Ended", no(w.doubt(settled)));
        check("UnknownCharge", no(w.doubt(unknown)));
        check("Conflict", no(refund(&w, settled, "r1", 2)));
        check("RefundTooLarge", no(refund(&w, settled, "r2", 3)));
        check("RefundTooLarge", no(refund(&w, closed, "r2", 1)));
        check("Invalid", no(refund(&w, settled, "r2", 0)));
        check("Invalid", no(refund(&w, open, "r2", 1)));
        check("UnknownCharge", no(refund(&w, unknown, "r2", 1)));
        let adjust = |charge, id: &str, held: u64| {
            let (account, id, held) = (w.account.clone(), bucket(id), credits(held));
            wait(ledger.adjust(Adjust { account, charge, id, held }))
        };
        check("Conflict", no(adjust(open, "a1", 2)));
        check("Ended", no(adjust(settled, "a2", 2)));
        check("UnknownCharge", no(adjust(unknown, "a2", 2)));
        for how in [Withdrawal::Void, Withdrawal::Refund, Withdrawal::Reversal, Withdrawal::Expire]
        {
            check("UnknownBucket", no(withdraw(&w, "nothing", how)));
        }
        check("Invalid", no(withdraw(&w, "free", Withdrawal::Refund)));
        check("Invalid", no(withdraw(&w, "free", Withdrawal::Reversal)));
        check("UnknownBucket", no(freeze(&w, "nothing", true)));
        let grants = [
            ("Invalid", w.granting("x", Class::Purchased, 0)),
            ("Invalid", w.granting("x", Class::Plan, 1)),
            ("Invalid", w.granting("x", Class::Debt, 1)),
            ("Invalid", w.granting("debt:x", Class::Bonus, 1)),
            ("Invalid", w.granting("x@y", Class::Bonus, 1)),
            ("Invalid", Grant { expires: Some(w.now()), ..w.granting("x", Class::Bonus, 1) }),
            ("Invalid", Grant { amount: Amount::MAX, ..w.granting("x", Class::Bonus, 1) }),
            ("Conflict", w.granting("p", Class::Purchased, 8)),
        ];
        for (expected, grant) in grants {
            check(expected, no(w.grant(&grant)));
        }
        let zone = Some("Nowhere".to_owned());
        let change = AccountChange { zone, ..AccountChange::of(w.account.clone()) };
        check("Invalid", no(wait(ledger.change_account(change))));
        assert_eq!(seen, 11 + 12 + 3 + 7 + 8 + 1);
    });
}

/// The same call again gets the same answer and moves nothing.
#[test]
fn the_same_again_is_the_same() {
    on_every_store(|w| {
        let ledger = w.store.ledger();
        let mut seen = 0;
        macro_rules! twice {
            ($call:expr) => {{
                let first = ok($call);
                // As a person reads it: Redis notes of a grant's claim that it was asked for again.
                let before = w.readable();
                let why = stringify!($call);
                assert_eq!(ok($call), first, "{why}");
                assert!(w.readable() == before, "{why} has changed something");
                seen += 1;
            }};
        }
        let bonus = Some(Bonus { amount: credits(2), expires: None });
        let bought = Grant { bonus, ..w.granting("p", Class::Purchased, 20) };
        twice!(w.grant(&bought));
        let (one, two, three) = (w.call(5), w.call(4), w.call(0));
        twice!(w.reserve(&one));
        twice!(w.reserve(&two));
        twice!(w.reserve(&three));
        let adjust = Adjust {
            account: w.account.clone(),
            charge: one.charge,
            id: bucket("a"),
            held: credits(3),
        };
        twice!(wait(ledger.adjust(adjust.clone())));
        twice!(w.doubt(one.charge));
        twice!(w.settle(one.charge, 3));
        twice!(w.release(two.charge));
        twice!(w.settle(three.charge, 0));
        twice!(refund(&w, one.charge, "r", 1));
        let unseen = w.id();
        twice!(w.release(unseen));
        for how in [Withdrawal::Refund, Withdrawal::Void, Withdrawal::Reversal] {
            twice!(withdraw(&w, "p", how));
        }
        ok(w.grant(&w.granting("q", Class::Goodwill, 1)));
        twice!(freeze(&w, "q", true));
        twice!(freeze(&w, "q", false));
        twice!(withdraw(&w, "q", Withdrawal::Expire));
        let person = "p1".to_owned();
        let claim = FreeClaim { person, account: w.account.clone(), limit: 2 };
        twice!(wait(ledger.claim_free(claim.clone())));
        assert_eq!(seen, 18);
    });
}

/// A purchase is charged, its payment fails, what is owed is repaid by another purchase, and then the charge is
/// refunded: what was repaid comes back to the purchase that repaid it.
#[test]
fn what_was_repaid_for_a_failed_payment_comes_back_with_a_refund() {
    on_every_store(|w| {
        w.buy("p", 10);
        let charge = w.id();
        ok(w.reserve(&w.call_for(charge, 10)));
        ok(w.settle(charge, 10));
        assert_eq!(ok(withdraw(&w, "p", Withdrawal::Reversal)).owed, credits(10));
        assert_eq!(w.buy("q", 10).repaid, credits(10));
        ok(refund(&w, charge, "r1", 4));
        assert_eq!(w.columns("q"), [4, 0, 6, 0, 0]);
        ok(refund(&w, charge, "r2", 6));
        assert_eq!(w.columns("p"), [0, 0, 0, 0, 10]);
        assert_eq!(w.columns("q"), [10, 0, 0, 0, 0]);
        assert_eq!(w.columns("debt:p"), [0, 0, 0, 0, 10]);
    });
}

/// The same by a late success: its deadline charged all, the work was less.
#[test]
fn what_was_repaid_for_a_failed_payment_comes_back_with_a_late_success() {
    on_every_store(|w| {
        w.buy("p", 10);
        let call = Reserve { on_unknown: OnUnknown::Charge, reconcile_ms: 1_000, ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(2_000);
        sweep(&w);
        assert_eq!(ok(withdraw(&w, "p", Withdrawal::Reversal)).owed, credits(10));
        assert_eq!(w.buy("q", 10).repaid, credits(10));
        assert!(ok(w.settle(call.charge, 6)).late);
        assert_eq!(w.columns("p"), [0, 0, 6, 0, 4]);
        assert_eq!(w.columns("q"), [4, 0, 6, 0, 0]);
        assert_eq!(w.columns("debt:p"), [0, 0, 0, 0, 10]);
    });
}

/// What carried a charge may leave the record early if there is too much of its sort: a refund says that it is too
/// late, and the account goes on.
#[test]
fn a_refund_to_a_bucket_that_is_not_listed_any_more_is_too_late() {
    on_every_store(|w| {
        let spend = |id: &str| {
            w.buy(id, 1);
            let charge = w.id();
            ok(w.reserve(&w.call_for(charge, 1)));
            ok(w.settle(charge, 1));
            charge
        };
        let first = spend("first");
        w.clock.advance(1_000);
        for n in 0..130 {
            spend(&format!("b{n}"));
        }
        w.clock.advance(3 * HOUR);
        let last = spend("last");
        assert!(!w.has("first"));
        let before = w.everything();
        assert_eq!(no(refund(&w, first, "r", 1)), Refusal::ChargeArchived);
        assert_eq!(w.everything(), before);
        ok(refund(&w, last, "r", 1));
        assert_eq!(w.columns("last"), [1, 0, 0, 0, 0]);
    });
}

/// Good will that has ended takes nothing more in: each refund gives three days.
#[test]
fn every_refund_of_ended_credit_lives_on_for_its_time() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(HOUR));
        ok(w.grant(&Grant { expires: end, ..w.granting("p", Class::Purchased, 9) }));
        let charge = w.id();
        ok(w.reserve(&w.call_for(charge, 9)));
        ok(w.settle(charge, 9));
        w.clock.advance(2 * HOUR);
        for n in 0..4 {
            ok(refund(&w, charge, &format!("r{n}"), 2));
            let there: Amount = w
                .view(&Gates::default())
                .buckets
                .iter()
                .filter(|b| b.pays_at(w.now()))
                .map(|b| b.available)
                .sum();
            assert_eq!(there, credits(2), "refund {n}");
            w.clock.advance(4 * DAY);
        }
        assert_eq!(w.columns("p"), [0, 0, 1, 8, 0]);
    });
}

/// What has ended is nobody's to be paid for, whether or not somebody has looked since.
#[test]
fn a_purchase_that_has_ended_is_not_refunded_to_its_buyer() {
    on_every_store(|w| {
        let paid = tollgate::credit::Paid { amount: credits(5), currency: "USD".into() };
        let end = Some(w.now().plus_ms(HOUR));
        let grant =
            Grant { expires: end, paid: Some(paid), ..w.granting("p", Class::Purchased, 9) };
        ok(w.grant(&grant));
        w.clock.advance(HOUR);
        let back = ok(withdraw(&w, "p", Withdrawal::Refund));
        assert_eq!(back.money.unwrap().amount, Amount::ZERO);
        assert_eq!(w.columns("p"), [0, 0, 0, 9, 0]);
    });
}

/// An account that owes five.
fn in_debt(w: &World) {
    let call = Reserve { max_debt: Some(credits(5)), ..w.call(5) };
    w.buy("first", 5);
    ok(w.reserve(&call));
    assert_eq!(ok(w.settle(call.charge, 10)).debt, credits(5));
}

#[test]
fn a_frozen_grant_repays_nothing_until_it_is_thawed() {
    on_every_store(|w| {
        in_debt(&w);
        let begins = Some(w.now().plus_ms(HOUR));
        ok(w.grant(&Grant { effective: begins, ..w.granting("later", Class::Purchased, 8) }));
        ok(freeze(&w, "later", true));
        w.clock.advance(2 * HOUR);
        sweep(&w);
        w.buy("small", 1);
        assert_eq!(w.columns("later"), [8, 0, 0, 0, 0]);
        assert_eq!(ok(wait(w.store.ledger().due(9))), Vec::new());
        ok(freeze(&w, "later", false));
        sweep(&w);
        assert_eq!(w.columns("later"), [4, 0, 4, 0, 0]);
        assert_eq!(w.columns("small"), [0, 0, 1, 0, 0]);
    });
}

#[test]
fn the_grant_that_begins_first_repays_first() {
    on_every_store(|w| {
        in_debt(&w);
        for (id, hours) in [("second", 2), ("first-to-begin", 1)] {
            let begins = Some(w.now().plus_ms(hours * HOUR));
            ok(w.grant(&Grant { effective: begins, ..w.granting(id, Class::Purchased, 8) }));
        }
        w.clock.advance(3 * HOUR);
        sweep(&w);
        assert_eq!(w.columns("first-to-begin"), [3, 0, 5, 0, 0]);
        assert_eq!(w.columns("second"), [8, 0, 0, 0, 0]);
    });
}

/// A deadline gives back as of its own moment: the bucket lived then and ended afterwards.
#[test]
fn a_deadline_gives_back_as_of_its_moment() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(2 * HOUR));
        ok(w.grant(&Grant { expires: end, ..w.granting("p", Class::Purchased, 9) }));
        let call = Reserve { reconcile_ms: HOUR, ..w.call(4) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(3 * HOUR);
        sweep(&w);
        assert_eq!(w.columns("p"), [0, 0, 0, 9, 0]);
        assert!(!w.has(&format!("gw:{}", call.charge)));
        assert_eq!(ok(w.charge(call.charge)).ended, Some(w.now()));
        // Late by the time of the end, not of the deadline: the work is still to be paid.
        w.buy("q", 9);
        assert!(ok(w.settle(call.charge, 3)).late);
    });
}

/// What one person's accounts have does not go with an account to another person.
#[test]
fn another_person_has_to_claim_again() {
    on_every_store(|w| {
        let change = |person: Option<&str>, free| {
            let person = person.map(|name| Some(name.to_owned()));
            let call = AccountChange { person, free, ..AccountChange::of(w.account.clone()) };
            ok(wait(w.store.ledger().change_account(call))).free
        };
        assert_eq!(change(Some("p1"), Some(FreeCredits::Granted)), FreeCredits::Granted);
        assert_eq!(change(Some("p1"), None), FreeCredits::Granted);
        assert_eq!(change(Some("p2"), None), FreeCredits::Unclaimed);
        assert_eq!(change(None, Some(FreeCredits::Refused)), FreeCredits::Refused);
    });
}
