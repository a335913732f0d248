//! Amounts and limits at the edges of what doubles count exactly, through every verb on every store: each
//! number comes back to the last digit, and what is out of range is refused.

use std::cell::RefCell;
use std::fmt::Debug;

use tollgate::credit::{Amount, ChargeId, Class, Leg, Measure};
use tollgate::ledger::*;

use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, World, bucket, no, ok, on_every_store, wait};

const MAX: u64 = (1 << 53) - 1;
/// What prints, rounds or packs badly somewhere: 10^14 is the first that Lua writes with an exponent.
const NUMBERS: [u64; 12] = [
    1,
    999_999,
    99_999_999_999_999,
    100_000_000_000_000,
    123_456_789_012_345,
    999_999_999_999_999,
    1_000_000_000_000_000,
    1_000_000_000_000_001,
    4_503_599_627_370_497,
    9_007_199_254_740_989,
    MAX - 1,
    MAX,
];

fn micro(micro: u64) -> Amount {
    Amount::from_micro(micro).unwrap()
}

impl World {
    fn give(&self, id: &str, amount: u64) -> Answer<Granted> {
        let call = Grant { amount: micro(amount), ..self.granting(id, Class::Purchased, 1) };
        self.grant(&call)
    }

    fn hold(&self, amount: u64) -> Reserve {
        Reserve { amount: micro(amount), ..self.call(0) }
    }

    fn end_at(&self, charge: ChargeId, actual: u64) -> Answer<Settled> {
        let (account, actual) = (self.account.clone(), micro(actual));
        let call = Settle { account, charge, actual, explanation: b"{}".to_vec() };
        wait(self.store.ledger().settle(call))
    }

    /// Granted, available, held, spent, expired and voided of a bucket, in micro-credits.
    fn exact(&self, id: &str) -> [u64; 6] {
        let view = self.view(&Gates::default());
        let found = view.buckets.iter().find(|b| b.id.as_str() == id).expect("the bucket");
        assert!(found.balances(), "{found:?}");
        [found.granted, found.available, found.held, found.spent, found.expired, found.voided]
            .map(Amount::micro)
    }

    /// What the account and a charge look like from outside, without ids.
    fn told(&self, charge: ChargeId) -> String {
        let (view, record) = (self.view(&Gates::default()), ok(self.charge(charge)));
        format!("{view:?} {record:?}").replace(&charge.to_string(), "chg")
    }
}

/// Runs a story on every store; what it tells must be the same everywhere.
fn same_everywhere(story: impl Fn(&World) -> Vec<String>) {
    let first: RefCell<Option<Vec<String>>> = RefCell::default();
    on_every_store(|world| {
        let told = story(&world);
        assert_eq!(*first.borrow_mut().get_or_insert_with(|| told.clone()), told);
    });
}

fn said(answer: &impl Debug, charge: ChargeId) -> String {
    format!("{answer:?}").replace(&charge.to_string(), "chg")
}

#[test]
fn every_verb_keeps_every_digit() {
    for n in NUMBERS {
        on_every_store(|w| {
            let granted = ok(w.give("a", n));
            assert_eq!((granted.bucket.granted, granted.bucket.available), (micro(n), micro(n)));
            let call = w.hold(n);
            let reserved = ok(w.reserve(&call));
            assert_eq!(reserved.legs, [Leg { bucket: bucket("a"), amount: micro(n) }]);
            assert_eq!((reserved.available, reserved.held), (Amount::ZERO, micro(n)));
            assert_eq!(w.exact("a"), [n, 0, n, 0, 0, 0]);
            assert!(w.readable().contains(&n.to_string()), "{n}");
            let record = ok(w.charge(call.charge));
            assert_eq!((record.held, record.legs), (micro(n), reserved.legs));

            let settled = ok(w.end_at(call.charge, n - 1));
            assert_eq!((settled.charged, settled.returned), (micro(n - 1), micro(1)));
            assert_eq!(settled.available, micro(1));
            assert_eq!(w.exact("a"), [n, 1, 0, n - 1, 0, 0]);
            assert_eq!(ok(w.charge(call.charge)).charged, micro(n - 1));
            assert!(w.readable().contains(&(n - 1).to_string()), "{n}");

            ok(w.end_at(call.charge, n - 1));
            assert_eq!(no(w.end_at(call.charge, n.min(MAX))), Refusal::Conflict);
        });
    }
}

#[test]
fn releases_deadlines_and_late_calls_keep_every_digit() {
    for n in NUMBERS {
        on_every_store(|w| {
            ok(w.give("a", n));
            let released = w.hold(n);
            ok(w.reserve(&released));
            let answer = ok(w.release(released.charge));
            assert_eq!((answer.returned, answer.available), (micro(n), micro(n)));

            let charged = Reserve { on_unknown: OnUnknown::Charge, ..w.hold(n) };
            ok(w.reserve(&charged));
            ok(w.doubt(charged.charge));
            w.clock.advance(HOUR);
            assert_eq!(w.tick(), 1);
            assert_eq!(w.exact("a"), [n, 0, 0, n, 0, 0]);
            let settled = ok(w.end_at(charged.charge, n / 2));
            assert!(settled.late);
            assert_eq!((settled.charged, settled.returned), (micro(n / 2), micro(n - n / 2)));
            assert_eq!(w.exact("a"), [n, n - n / 2, 0, n / 2, 0, 0]);
        });
    }
}

#[test]
fn over_runs_debts_and_their_repayment_keep_every_digit() {
    for n in NUMBERS {
        same_everywhere(|w| {
            ok(w.give("a", n));
            let call = w.hold(n);
            ok(w.reserve(&call));
            let settled = ok(w.end_at(call.charge, MAX));
            let over = MAX - n;
            let debt = over.min(n);
            assert_eq!((settled.debt, settled.absorbed), (micro(debt), micro(over - debt)), "{n}");
            let mut told = vec![said(&settled, call.charge), w.told(call.charge)];
            if debt > 0 {
                let name = format!("debt:{}", call.charge);
                assert_eq!(w.exact(&name), [debt, 0, 0, debt, 0, 0]);
                // What is owed counts against the bound.
                assert!(matches!(no(w.give("b", MAX - debt + 1)), Refusal::Invalid(_)));
                let granted = ok(w.give("b", MAX - debt));
                assert_eq!(granted.repaid, micro(debt.min(MAX - debt)));
                told.push(said(&granted, call.charge));
                told.push(w.told(call.charge));
            }
            told
        });
    }
}

#[test]
fn amounts_out_of_range_are_refused_and_none_comes_near() {
    for out in [MAX + 1, MAX + 2, 1 << 62, u64::MAX] {
        assert_eq!(Amount::from_micro(out), None);
        let text = format!("{}.{:06}", out / Amount::MICRO, out % Amount::MICRO);
        assert!(text.parse::<Amount>().is_err(), "{text}");
    }
    on_every_store(|w| {
        assert!(matches!(no(w.give("a", 0)), Refusal::Invalid(_)));
        ok(w.give("a", MAX));
        assert!(matches!(no(w.give("b", 1)), Refusal::Invalid(_)));
        assert!(matches!(no(w.give("b", MAX)), Refusal::Invalid(_)));
        let call = w.hold(MAX);
        ok(w.reserve(&call));
        // Held, they are still there.
        assert!(matches!(no(w.give("b", 1)), Refusal::Invalid(_)));
        let short = no(w.reserve(&w.hold(1)));
        assert!(matches!(short, Refusal::Insufficient { held, .. } if held == micro(MAX)));
        ok(w.end_at(call.charge, MAX - 1));
        ok(w.give("b", MAX - 1));
        assert!(matches!(no(w.give("c", 1)), Refusal::Invalid(_)));
        assert_eq!(ok(w.reserve(&w.hold(MAX))).held, micro(MAX));
    });
}

#[test]
fn caps_count_exactly_up_to_their_limit() {
    for n in NUMBERS {
        on_every_store(|w| {
            ok(w.give("a", n));
            let gates = |limit| Gates {
                caps: vec![w.cap("day", Measure::Credits, limit)],
                ..Gates::default()
            };
            let over = no(w.reserve(&Reserve { gates: gates(n - 1), ..w.hold(n) }));
            assert!(matches!(over, Refusal::CapExceeded { required, .. } if required == n));
            let call = Reserve { gates: gates(n), ..w.hold(n) };
            assert_eq!(ok(w.reserve(&call)).caps[0].used, n);
            ok(w.end_at(call.charge, n - 1));
            assert_eq!(w.view(&gates(n)).caps[0].used, n - 1);
            let last = Reserve { gates: gates(n), ..w.hold(1) };
            assert_eq!(ok(w.reserve(&last)).caps[0].used, n);
            // Nothing more fits, and nothing is not more.
            ok(w.reserve(&Reserve { gates: gates(n), ..w.hold(0) }));
        });
    }
}

#[test]
fn a_cap_without_a_bound_never_refuses_however_much_was_counted() {
    same_everywhere(|w| {
        let mut told = Vec::new();
        for limit in [MAX, u64::MAX] {
            let gates = Gates {
                caps: vec![w.cap(&format!("day{limit}"), Measure::Credits, limit)],
                ..Gates::default()
            };
            for round in 0..3 {
                ok(w.give(&format!("{limit}-{round}"), MAX));
                let call = Reserve { gates: gates.clone(), ..w.hold(MAX) };
                let reserved = ok(w.reserve(&call));
                told.push(format!("{:?}", reserved.caps));
                ok(w.end_at(call.charge, MAX));
                told.push(format!("{:?}", w.view(&gates).caps));
            }
            let call = Reserve { gates: gates.clone(), ..w.hold(0) };
            told.push(format!("{:?}", ok(w.reserve(&call)).caps));
            ok(w.release(call.charge));
        }
        told
    });
}

#[test]
fn the_longest_waits_and_the_widest_rates_are_the_same_everywhere() {
    for (interval_us, burst) in
        [(1, 1), (1, u32::MAX), (1_000_000, 3), (u64::MAX, 1), (u64::MAX, u32::MAX), (MAX, 2)]
    {
        same_everywhere(|w| {
            ok(w.give("a", 100));
            let scope = Scope::Account;
            let rate = RateCheck { name: "r".into(), scope, interval_us, burst };
            let gates = Gates { rates: vec![rate], ..Gates::default() };
            let mut told = Vec::new();
            for _ in 0..5 {
                let call = Reserve { gates: gates.clone(), ..w.hold(1) };
                told.push(said(&w.reserve(&call), call.charge));
                w.clock.advance(1);
            }
            assert!(w.readable().contains("tat_us"));
            told
        });
    }
}

#[test]
fn time_that_is_as_long_as_it_gets_does_no_harm() {
    on_every_store(|w| {
        ok(w.give("a", 10));
        let call = Reserve {
            timeout_ms: u64::MAX,
            reconcile_ms: u64::MAX,
            max_debt: Some(Amount::MAX),
            ..w.hold(4)
        };
        ok(w.reserve(&call));
        w.clock.advance(LEASE + MINUTE);
        assert_eq!(w.tick(), 1);
        let record = ok(w.charge(call.charge));
        assert!(record.deadline.is_some_and(|deadline| deadline.0 >= MAX));
        w.clock.advance(DAY);
        assert_eq!(w.tick(), 0);
        assert_eq!(w.exact("a"), [10, 6, 4, 0, 0, 0]);
        ok(w.release(call.charge));
        assert_eq!(w.exact("a"), [10, 10, 0, 0, 0, 0]);
    });
}

#[test]
fn archives_add_up_to_the_last_digit_or_keep_what_they_cannot_add() {
    same_everywhere(|w| {
        let mut told = Vec::new();
        for (round, n) in [MAX - 7, 5, 2, 1, 9].into_iter().enumerate() {
            ok(w.give(&format!("b{round}"), n));
            let call = w.hold(n);
            ok(w.reserve(&call));
            ok(w.end_at(call.charge, n));
            w.clock.advance(541 * DAY);
            ok(w.give(&format!("wake{round}"), 1));
            let last = w.hold(1);
            ok(w.reserve(&last));
            ok(w.release(last.charge));
            told.push(format!("{:?}", w.view(&Gates::default())));
        }
        told
    });
}
