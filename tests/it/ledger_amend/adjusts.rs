//! Adjusted holds.

use tollgate::credit::Measure;
use tollgate::ledger::*;

use super::{adjust, again, charged, on_every_store, refused, withdraw};
use crate::ledger_world::{HOUR, credits, legs, neighbour, new_account, ok, wait};

#[test]
fn less_returns_from_the_tail_and_more_is_drawn_behind() {
    on_every_store(|w| {
        for id in ["a", "b", "c"] {
            w.buy(id, 10);
        }
        let call = w.call(15);
        ok(w.reserve(&call));
        let up = ok(adjust(w, call.charge, "j1", 25));
        assert_eq!((up.held, up.short, up.available), (credits(25), credits(0), credits(5)));
        assert_eq!(up.legs, legs(&[("a", 10), ("b", 10), ("c", 5)]));
        let down = ok(adjust(w, call.charge, "j2", 8));
        assert_eq!(
            (down.held, down.legs, down.available),
            (credits(8), legs(&[("a", 8)]), credits(22))
        );
        let up = ok(adjust(w, call.charge, "j3", 12));
        assert_eq!(up.legs, legs(&[("a", 10), ("b", 2)]));
        let short = ok(adjust(w, call.charge, "j4", 40));
        assert_eq!(
            (short.held, short.short, short.available),
            (credits(30), credits(10), credits(0))
        );
        assert_eq!(again(w, || adjust(w, call.charge, "j4", 40)), short);
        // An earlier one again moves nothing; the hold is as it is now.
        let first = again(w, || adjust(w, call.charge, "j1", 25));
        assert_eq!((first.held, first.short), (credits(30), credits(0)));
        assert_eq!(refused(w, || adjust(w, call.charge, "j1", 24)), Refusal::Conflict);
        let none = ok(adjust(w, call.charge, "j5", 0));
        assert_eq!((none.held, none.legs.len()), (credits(0), 0));
        ok(adjust(w, call.charge, "j6", 12));
        let settled = ok(w.settle(call.charge, 11));
        assert_eq!((settled.charged, settled.returned), (credits(11), credits(1)));
        assert_eq!((w.columns("a"), w.columns("b")), ([0, 0, 10, 0, 0], [9, 0, 1, 0, 0]));
    });
}

#[test]
fn what_was_missing_is_an_over_run() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        assert_eq!(ok(adjust(w, call.charge, "j1", 15)).short, credits(5));
        let settled = ok(w.settle(call.charge, 15));
        assert_eq!((settled.charged, settled.debt), (credits(15), credits(5)));
    });
}

#[test]
fn caps_count_what_is_held_and_are_not_asked() {
    on_every_store(|w| {
        w.buy("a", 100);
        let caps = vec![w.cap("c", Measure::Credits, 12_000_000), w.cap("r", Measure::Requests, 1)];
        let gates = Gates { caps, ..Gates::default() };
        let call = Reserve { gates: gates.clone(), ..w.call(10) };
        ok(w.reserve(&call));
        let used = || w.view(&gates).caps.iter().map(|cap| cap.used).collect::<Vec<_>>();
        ok(adjust(w, call.charge, "j1", 20));
        assert_eq!(used(), [20_000_000, 1]);
        ok(adjust(w, call.charge, "j2", 4));
        assert_eq!(used(), [4_000_000, 1]);
        ok(w.release(call.charge));
        assert_eq!(used(), [0, 0]);
    });
}

#[test]
fn into_buckets_that_have_ended_or_were_taken_back() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(HOUR / 2));
        ok(w.grant(&Grant {
            expires: end,
            ..w.granting("short", tollgate::credit::Class::Purchased, 10)
        }));
        w.buy("taken", 10);
        let call = Reserve { timeout_ms: 2 * HOUR, ..w.call(20) };
        ok(w.reserve(&call));
        ok(withdraw(w, "taken", Withdrawal::Void));
        ok(adjust(w, call.charge, "j1", 12));
        assert_eq!(w.columns("taken"), [0, 2, 0, 0, 8]);
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR / 2);
        ok(adjust(w, call.charge, "j2", 3));
        assert_eq!((w.columns("taken"), w.columns("short")), ([0, 0, 0, 0, 10], [0, 3, 0, 7, 0]));
        assert_eq!(w.columns(&format!("gw:{}", call.charge)), [7, 0, 0, 0, 0]);
        // What returned as good will can be drawn again.
        let up = ok(adjust(w, call.charge, "j3", 5));
        assert_eq!((up.held, up.short), (credits(5), credits(0)));
        ok(w.settle(call.charge, 5));
    });
}

#[test]
fn what_cannot_be_adjusted_leaves_no_trace() {
    on_every_store(|w| {
        w.buy("a", 100);
        let ended = charged(w, 10, 10);
        let why = Refusal::Ended(ChargeState::Settled);
        assert_eq!(refused(w, || adjust(w, ended, "j", 5)), why);
        assert_eq!(refused(w, || adjust(w, w.id(), "j", 5)), Refusal::UnknownCharge);
        let call = w.call(10);
        ok(w.reserve(&call));
        let other = neighbour(&w.account);
        ok(wait(w.store.ledger().create_account(new_account(&other))));
        let id = "j".parse().unwrap();
        let foreign = Adjust { account: other, charge: call.charge, id, held: credits(1) };
        let asked = || wait(w.store.ledger().adjust(foreign.clone()));
        assert_eq!(refused(w, asked), Refusal::UnknownCharge);
        for number in 0..32 {
            ok(adjust(w, call.charge, &format!("j{number}"), 10 + number % 2));
        }
        assert!(matches!(refused(w, || adjust(w, call.charge, "j32", 5)), Refusal::TooMany(_)));
        assert_eq!(again(w, || adjust(w, call.charge, "j3", 11)).held, credits(11));
    });
}
