//! Hand-written tables of what comes by itself: how allowances begin, grow, run on, wait and carry over, in whole
//! credits, on every store.

use std::cell::RefCell;

use tollgate::credit::{Amount, Bucket, Class, Every, Period, When, Zone};
use tollgate::ledger::*;

use crate::ledger_world::{
    DAY, HOUR, LEASE, World, columns, credits, legs, no, ok, on_every_store, wait,
};

/// The day's allowance, from midnight to midnight in UTC.
const TODAY: &str = "daily@2026-11-22";
/// So much is left of the day when a story begins.
const REST_OF_DAY: u64 = 12 * HOUR - LEASE;

fn gates(allowances: Vec<AllowanceCheck>) -> Gates {
    Gates { allowances, ..Gates::default() }
}

fn micro(amount: u64) -> Amount {
    Amount::from_micro(amount).unwrap()
}

/// The bucket of this id, as a reader without gates sees it.
fn shown(w: &World, id: &str) -> Option<Bucket> {
    w.view(&Gates::default()).buckets.into_iter().find(|bucket| bucket.id.as_str() == id)
}

/// The same for a new charge.
fn again(w: &World, call: &Reserve) -> Reserve {
    Reserve { charge: w.id(), ..call.clone() }
}

#[test]
fn a_larger_allowance_grows_a_running_one_by_the_difference_once() {
    on_every_store(|w| {
        let call =
            |amount, of| Reserve { gates: gates(vec![w.allowance("daily", of)]), ..w.call(amount) };
        // Five held and returned, five settled at nine: four are owed, and what returned repays nothing.
        let (kept, owing) = (call(5, 10), call(5, 10));
        ok(w.reserve(&kept));
        ok(w.reserve(&owing));
        assert_eq!(ok(w.settle(owing.charge, 9)).debt, credits(4));
        ok(w.release(kept.charge));
        assert_eq!(w.columns(TODAY), [5, 0, 5, 0, 0]);
        // The upgrade's two credits repay debt, what was there before does not.
        ok(w.reserve(&call(0, 12)));
        assert_eq!(w.columns(TODAY), [5, 0, 7, 0, 0]);
        assert_eq!(w.columns(&format!("debt:{}", owing.charge)), [0, 0, 2, 0, 2]);
        // Saying so again gives nothing, and neither does a smaller one, or the first one after it.
        for of in [12, 3, 12] {
            ok(w.reserve(&call(0, of)));
            assert_eq!(w.columns(TODAY), [5, 0, 7, 0, 0], "{of}");
        }
        // Used up, it grows all the same.
        let rest = call(5, 12);
        ok(w.reserve(&rest));
        ok(w.settle(rest.charge, 5));
        assert_eq!(ok(w.reserve(&call(0, 20))).available, credits(6));
        assert_eq!(w.columns(TODAY), [6, 0, 14, 0, 0]);
        // The next period begins with what the plan says then.
        w.clock.advance(DAY);
        ok(w.reserve(&call(0, 3)));
        assert_eq!(w.columns("daily@2026-11-23"), [3, 0, 0, 0, 0]);
    });
}

#[test]
fn a_change_of_zone_neither_doubles_nor_ends_a_running_allowance() {
    on_every_store(|w| {
        let tokyo: Zone = "Asia/Tokyo".parse().unwrap();
        let touch = |zone: &Zone| {
            let periods = Every::Day.periods(zone, w.now()).unwrap();
            let allowance = AllowanceCheck { periods, ..w.allowance("daily", 10) };
            ok(w.reserve(&Reserve { gates: gates(vec![allowance]), ..w.call(0) }));
            let view = w.view(&Gates::default());
            let live = view.buckets.iter().filter(|bucket| !bucket.available.is_zero());
            live.map(|bucket| bucket.id.to_string()).collect::<Vec<_>>()
        };
        let utc = Zone::UTC;
        assert_eq!(touch(&utc), [TODAY]);
        // 16:00 is the 23rd in Tokyo: the day that runs, runs to its end.
        w.clock.advance(4 * HOUR);
        assert_eq!(touch(&tokyo), [TODAY]);
        w.clock.advance(8 * HOUR);
        assert_eq!(touch(&tokyo), ["daily@2026-11-23"]);
        // Tokyo's 23rd ends at 15:00; back in UTC the 23rd goes on, but its allowance was given.
        w.clock.advance(14 * HOUR);
        assert_eq!(touch(&utc), ["daily@2026-11-23"]);
        w.clock.advance(2 * HOUR);
        assert!(touch(&utc).is_empty());
        w.clock.advance(8 * HOUR);
        assert_eq!(touch(&utc), ["daily@2026-11-24"]);
    });
}

#[test]
fn what_waits_for_the_rest_to_be_used_up_covers_with_it() {
    on_every_store(|w| {
        w.buy("a", 6);
        let last = |w: &World| {
            let check = w.allowance("last", 10);
            AllowanceCheck { when: When::PaidExhausted, class: Class::Free, ..check }
        };
        let call = |amount| Reserve { gates: gates(vec![last(&w)]), ..w.call(amount) };
        ok(w.reserve(&call(5)));
        assert!(!w.has("last@2026-11-22"));
        // Too much for both: nothing is given.
        let refused = no(w.reserve(&call(12)));
        let Refusal::Insufficient { available, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(available, credits(11));
        assert!(!w.has("last@2026-11-22"));
        // Another kind's shortage does not open it.
        let scans = Reserve { kind: "scans".parse().unwrap(), ..call(1) };
        assert!(matches!(no(w.reserve(&scans)), Refusal::Insufficient { .. }));
        let kind = scans.kind.clone();
        let other = AllowanceCheck { name: "other".into(), kind, ..last(&w) };
        let both = gates(vec![last(&w), other]);
        let covered = Reserve { gates: both, charge: w.id(), ..scans };
        assert_eq!(ok(w.reserve(&covered)).legs, legs(&[("other@2026-11-22", 1)]));
        assert!(!w.has("last@2026-11-22"));
        let quoted = ok(wait(w.store.ledger().quote(call(4)))).reserved;
        let reserved = ok(w.reserve(&call(4)));
        assert_eq!(reserved.legs, legs(&[("a", 1), ("last@2026-11-22", 3)]));
        assert_eq!((quoted.legs, quoted.available), (reserved.legs, reserved.available));
        assert_eq!(w.columns("last@2026-11-22"), [7, 3, 0, 0, 0]);
        // Once it runs, it grows like any other, and a reader sees it.
        let more = AllowanceCheck { amount: credits(12), ..last(&w) };
        assert!(w.view(&gates(vec![more])).buckets.iter().any(|b| b.available == credits(9)));
        w.clock.advance(DAY);
        w.buy("b", 2);
        ok(w.reserve(&call(2)));
        assert!(!w.has("last@2026-11-23"));
    });
}

/// What of `left` micro-credits lives on, by the bucket that a tick makes or that a reader sees.
fn carried(carry: (u64, u64, u8), left: u64, swept: bool) -> Option<u64> {
    let answers = RefCell::new(Vec::new());
    on_every_store(|w| {
        let (min, max, percent) = carry;
        let mut check = w.allowance("daily", 0);
        let ends: [&Period; 2] = [&check.periods[0], &check.periods[1]];
        let until = ends.map(|period| period.end.plus_ms(DAY));
        let carry = Carry { min: micro(min), max: micro(max), percent, until };
        (check.amount, check.carry) = (micro(left), Some(carry));
        check.only = vec!["image".parse().unwrap()];
        let call = Reserve { gates: gates(vec![check]), ..w.call(0) };
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 0));
        let end = w.now().plus_ms(REST_OF_DAY);
        w.clock.advance(REST_OF_DAY);
        if swept {
            assert_eq!(w.tick(), 1);
        } else {
            w.clock.advance(HOUR);
        }
        let ended = shown(&w, TODAY).expect("the bucket that has ended");
        assert_eq!((ended.available, ended.expired), (Amount::ZERO, micro(left)));
        let rest = shown(&w, &format!("{TODAY}@rollover"));
        if let Some(bucket) = &rest {
            let said = (bucket.class, bucket.effective, bucket.expires, bucket.available);
            assert_eq!(said, (Class::Rollover, end, Some(end.plus_ms(DAY)), bucket.granted));
            assert_eq!(bucket.only, ended.only);
            // It ends in its turn, and nothing lives on of that.
            w.clock.advance(2 * DAY);
            while w.tick() > 0 {}
            let gone = shown(&w, &format!("{TODAY}@rollover")).unwrap();
            assert_eq!((gone.available, gone.expired), (Amount::ZERO, bucket.granted));
            assert!(!w.has(&format!("{TODAY}@rollover@rollover")));
        }
        answers.borrow_mut().push(rest.map(|bucket| bucket.granted.micro()));
    });
    let answers = answers.into_inner();
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{carry:?} of {left}: {answers:?}");
    answers.first().copied().flatten()
}

#[test]
fn what_is_left_carries_over_as_the_plan_says() {
    const MOST: u64 = (1 << 53) - 1;
    // (min, max, percent), left → what lives on
    let table = [
        ((0, 100, 50), 9, Some(4)),
        ((0, 3, 100), 8, Some(3)),
        ((5, 100, 0), 8, Some(5)),
        ((9, 100, 50), 8, Some(8)),
        ((7, 5, 50), 8, Some(5)),
        ((0, 100, 0), 8, None),
        ((0, 100, 10), 9, None),
        // A product that is too large for a double: it is exact all the same.
        ((0, MOST, 99), MOST, Some(8_917_127_262_193_581)),
        ((0, MOST, 33), MOST - 2, Some(2_972_375_754_064_526)),
    ];
    for (carry, left, expected) in table {
        for swept in [true, false] {
            assert_eq!(carried(carry, left, swept), expected, "{carry:?} of {left}, {swept}");
        }
    }
}

#[test]
fn what_carries_over_pays_first_and_for_as_long_as_its_own_period_says() {
    on_every_store(|w| {
        let carrying = |w: &World, lasts: [u64; 2]| {
            let check = w.allowance("daily", 10);
            let until = [0, 1].map(|n| check.periods[n].end.plus_ms(lasts[n] * DAY));
            let carry = Carry { min: Amount::ZERO, max: credits(100), percent: 50, until };
            AllowanceCheck { carry: Some(carry), ..check }
        };
        let first = carrying(&w, [2, 1]);
        let call = Reserve { gates: gates(vec![first.clone()]), ..w.call(4) };
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 4));
        // The call that was made yesterday brings the second period, with that period's own end of the rest.
        w.clock.advance(DAY);
        let call = Reserve { charge: w.id(), amount: credits(5), ..call };
        let reserved = ok(w.reserve(&call));
        let rolled = format!("{TODAY}@rollover");
        assert_eq!(reserved.legs, legs(&[(&rolled, 3), ("daily@2026-11-23", 2)]));
        ok(w.release(call.charge));
        w.clock.advance(DAY);
        let ends = |id: &str| shown(&w, id).and_then(|bucket| bucket.expires);
        assert_eq!(ends(&rolled), Some(first.periods[0].end.plus_ms(2 * DAY)));
        let second = "daily@2026-11-23@rollover";
        assert_eq!(ends(second), Some(first.periods[1].end.plus_ms(DAY)));
        // Two cycles: the first rest lives through the second period and the third.
        let bucket = |id: &str| shown(&w, id).map(|bucket| columns(&bucket));
        assert_eq!(bucket(&rolled), Some([3, 0, 0, 0, 0]));
        assert_eq!(bucket(second), Some([5, 0, 0, 0, 0]));
        w.clock.advance(REST_OF_DAY - 1);
        assert_eq!(bucket(&rolled), Some([3, 0, 0, 0, 0]));
        w.clock.advance(1);
        assert_eq!(bucket(&rolled), Some([0, 0, 0, 3, 0]));
    });
}

#[test]
fn missed_periods_bring_nothing() {
    on_every_store(|w| {
        let touch = |w: &World| {
            ok(w.reserve(&Reserve { gates: gates(vec![w.allowance("daily", 10)]), ..w.call(0) }))
        };
        assert_eq!(touch(&w).available, credits(10));
        w.clock.advance(5 * DAY);
        assert_eq!(touch(&w).available, credits(10));
        let view = w.view(&Gates::default());
        let ids: Vec<_> = view.buckets.iter().map(|bucket| bucket.id.as_str()).collect();
        assert_eq!(ids, ["daily@2026-11-27", TODAY]);
        let [state] = &view.allowances[..] else { panic!("{:?}", view.allowances) };
        let said = (state.name.as_str(), state.period.as_str(), state.amount);
        assert_eq!(said, ("daily", "2026-11-27", credits(10)));
    });
}

#[test]
fn an_allowance_for_some_routes_leaves_the_others_alone() {
    on_every_store(|w| {
        let only = vec!["audio".parse().unwrap()];
        let check = AllowanceCheck { only, ..w.allowance("daily", 10) };
        let call = Reserve { gates: gates(vec![check]), ..w.call(1) };
        assert!(matches!(no(w.reserve(&call)), Refusal::Insufficient { .. }));
        let audio = Reserve { feature: Some("audio".into()), ..again(&w, &call) };
        assert_eq!(ok(w.reserve(&audio)).available, credits(9));
        assert!(matches!(no(w.reserve(&again(&w, &call))), Refusal::Insufficient { .. }));
    });
}

#[test]
fn what_waits_for_the_rest_is_not_made_for_a_route_that_it_cannot_pay_for() {
    on_every_store(|w| {
        let free = |w: &World, name: &str, only: &[&str]| AllowanceCheck {
            when: When::PaidExhausted,
            class: Class::Free,
            only: only.iter().map(|name| name.parse().unwrap()).collect(),
            ..w.allowance(name, 10)
        };
        let both = gates(vec![free(&w, "sounds", &["audio"]), free(&w, "all", &[])]);
        let call = Reserve { gates: both, ..w.call(3) };
        assert_eq!(ok(w.reserve(&call)).legs, legs(&[("all@2026-11-22", 3)]));
        assert!(!w.has("sounds@2026-11-22"));
        let audio =
            Reserve { feature: Some("audio".into()), amount: credits(9), ..again(&w, &call) };
        let drawn = ok(w.reserve(&audio)).legs;
        assert_eq!(drawn, legs(&[("all@2026-11-22", 7), ("sounds@2026-11-22", 2)]));
    });
}
