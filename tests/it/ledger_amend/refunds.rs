//! Refunds: from the tail of what carried a charge, never more than it took, each id once.

use tollgate::credit::{Class, Measure};
use tollgate::ledger::*;

use super::{again, charged, freeze, on_every_store, refund, refunding, refused, whole, withdraw};
use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, World, credits, legs, neighbour, ok, wait};

#[test]
fn the_tail_goes_back_first_and_each_id_once() {
    on_every_store(|w| {
        for id in ["a", "b", "c"] {
            w.buy(id, 10);
        }
        let charge = charged(w, 30, 25);
        let first = ok(refund(w, charge, "r1", 7));
        assert_eq!([first.amount, first.refunded, first.charged].map(whole), [7, 7, 18]);
        assert_eq!(first.available, credits(12));
        assert_eq!((w.columns("b"), w.columns("c")), ([2, 0, 8, 0, 0], [10, 0, 0, 0, 0]));
        let record = ok(w.charge(charge));
        assert_eq!((record.charged, record.legs), (credits(18), legs(&[("a", 10), ("b", 8)])));
        assert_eq!((record.refunds.len(), record.refunds[0].reason.as_str()), (1, "late"));
        assert_eq!(again(w, || refund(w, charge, "r1", 7)), first);
        assert_eq!(refused(w, || refund(w, charge, "r1", 6)), Refusal::Conflict);
        let left = Refusal::RefundTooLarge { left: credits(18) };
        assert_eq!(refused(w, || refund(w, charge, "r2", 19)), left);
        w.clock.advance(MINUTE);
        let last = ok(refund(w, charge, "r2", 18));
        assert_eq!([last.amount, last.refunded, last.charged].map(whole), [18, 25, 0]);
        assert_eq!(again(w, || refund(w, charge, "r1", 7)).refunded, credits(25));
        let left = Refusal::RefundTooLarge { left: credits(0) };
        assert_eq!(refused(w, || refund(w, charge, "r3", 1)), left);
        for id in ["a", "b", "c"] {
            assert_eq!(w.columns(id), [10, 0, 0, 0, 0], "{id}");
        }
        let record = ok(w.charge(charge));
        assert_eq!((record.state, record.charged), (ChargeState::Settled, credits(0)));
        let told: Vec<_> = record.refunds.iter().map(|part| (part.id.as_str(), part.at)).collect();
        let now = w.now();
        assert_eq!(told, [("r1", tollgate::seam::Timestamp(now.0 - MINUTE)), ("r2", now)]);
        // The end's own answer is as it was.
        assert_eq!(ok(w.settle(charge, 25)).charged, credits(25));
    });
}

#[test]
fn caps_count_what_is_left() {
    on_every_store(|w| {
        w.buy("a", 100);
        let kept = CapCheck { refundable: false, ..w.cap("kept", Measure::Credits, 1_000_000_000) };
        let caps = vec![
            w.cap("c", Measure::Credits, 1_000_000_000),
            w.cap("r", Measure::Requests, 100),
            kept,
        ];
        let gates = Gates { caps, ..Gates::default() };
        let call = Reserve { gates: gates.clone(), ..w.call(30) };
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 25));
        let used = || w.view(&gates).caps.iter().map(|cap| cap.used).collect::<Vec<_>>();
        assert_eq!(used(), [25_000_000, 1, 25_000_000]);
        ok(refund(w, call.charge, "r1", 5));
        assert_eq!(used(), [20_000_000, 1, 20_000_000]);
        // The next day's counter is not the one that it was counted in.
        w.clock.advance(DAY);
        let caps = vec![w.cap("c", Measure::Credits, 1_000_000_000)];
        let today = Gates { caps, ..Gates::default() };
        ok(w.reserve(&Reserve { gates: today.clone(), ..w.call(3) }));
        ok(refund(w, call.charge, "r2", 20));
        assert_eq!(w.view(&today).caps[0].used, 3_000_000);
    });
}

#[test]
fn into_buckets_that_have_ended_were_taken_back_or_are_frozen() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(HOUR));
        for (id, class) in [("free", Class::Free), ("bought", Class::Purchased)] {
            ok(w.grant(&Grant { expires: end, ..w.granting(id, class, 10) }));
        }
        for id in ["taken", "cold"] {
            ok(w.grant(&Grant { priority: 1, ..w.granting(id, Class::Purchased, 10) }));
        }
        let charge = charged(w, 40, 40);
        ok(withdraw(w, "taken", Withdrawal::Void));
        ok(freeze(w, "cold", true, None));
        w.clock.advance(2 * HOUR);
        let answer = ok(refund(w, charge, "r1", 40));
        // What had been bought lives on as good will.
        assert_eq!(answer.available, credits(10));
        assert_eq!(w.columns("free"), [0, 0, 0, 10, 0]);
        assert_eq!(w.columns("bought"), [0, 0, 0, 10, 0]);
        assert_eq!(w.columns("taken"), [0, 0, 0, 0, 10]);
        assert_eq!(w.columns("cold"), [10, 0, 0, 0, 0]);
        assert_eq!(w.columns(&format!("gw:{charge}")), [10, 0, 0, 0, 0]);
    });
}

/// A charge that owes 5, 10 of its 15 drawn.
fn owing(w: &World) -> tollgate::credit::ChargeId {
    w.buy("a", 10);
    charged(w, 10, 15)
}

#[test]
fn what_is_still_owed_is_forgiven() {
    on_every_store(|w| {
        let charge = owing(w);
        let debt = format!("debt:{charge}");
        assert_eq!(w.columns(&debt), [0, 0, 5, 0, 0]);
        ok(refund(w, charge, "r1", 2));
        assert_eq!((w.columns(&debt), w.columns("a")), ([0, 0, 3, 0, 2], [0, 0, 10, 0, 0]));
        ok(refund(w, charge, "r2", 7));
        assert_eq!((w.columns(&debt), w.columns("a")), ([0, 0, 0, 0, 5], [4, 0, 6, 0, 0]));
        // Nothing is left to repay.
        assert_eq!(w.buy("b", 10).repaid, credits(0));
    });
}

#[test]
fn what_was_repaid_returns_to_the_buckets_that_repaid_it() {
    on_every_store(|w| {
        let charge = owing(w);
        let debt = format!("debt:{charge}");
        assert_eq!(w.buy("b", 2).repaid, credits(2));
        ok(refund(w, charge, "r1", 1));
        assert_eq!(w.columns(&debt), [0, 0, 2, 0, 3]);
        assert_eq!(w.buy("c", 10).repaid, credits(2));
        ok(refund(w, charge, "r2", 3));
        // The last one to repay gets its part back first.
        assert_eq!((w.columns("b"), w.columns("c")), ([1, 0, 1, 0, 0], [10, 0, 0, 0, 0]));
        ok(refund(w, charge, "r3", 2));
        assert_eq!((w.columns("b"), w.columns("a")), ([2, 0, 0, 0, 0], [1, 0, 9, 0, 0]));
        assert_eq!(w.columns(&debt), [0, 0, 0, 0, 5]);
    });
}

#[test]
fn what_a_deadline_charged_is_refunded_and_not_corrected_any_more() {
    on_every_store(|w| {
        w.buy("a", 20);
        let call = Reserve { on_unknown: OnUnknown::Charge, ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        assert_eq!(w.tick(), 1);
        ok(refund(w, call.charge, "r1", 4));
        assert_eq!(w.columns("a"), [14, 0, 6, 0, 0]);
        assert!(ok(w.charge(call.charge)).by_deadline);
        let ended = Refusal::Ended(ChargeState::Settled);
        assert_eq!(refused(w, || w.settle(call.charge, 3)), ended);
        assert_eq!(refused(w, || w.release(call.charge)), ended);
        ok(refund(w, call.charge, "r2", 6));
        assert_eq!(w.columns("a"), [20, 0, 0, 0, 0]);
        let record = ok(w.charge(call.charge));
        assert_eq!((record.refunds.len(), record.note.as_slice()), (2, b"{}".as_slice()));
    });
}

#[test]
fn what_cannot_be_refunded_leaves_no_trace() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = charged(w, 10, 10);
        assert!(matches!(refused(w, || refund(w, charge, "r", 0)), Refusal::Invalid(_)));
        let long = Refund { reason: "x".repeat(501), ..refunding(w, charge, "r", 1) };
        let asked = || wait(w.store.ledger().refund(long.clone()));
        assert!(matches!(refused(w, asked), Refusal::Invalid(_)));
        assert_eq!(refused(w, || refund(w, w.id(), "r", 1)), Refusal::UnknownCharge);
        let open = w.call(10);
        ok(w.reserve(&open));
        assert!(matches!(refused(w, || refund(w, open.charge, "r", 1)), Refusal::Invalid(_)));
        ok(w.release(open.charge));
        let nothing = Refusal::RefundTooLarge { left: credits(0) };
        assert_eq!(refused(w, || refund(w, open.charge, "r", 1)), nothing);
        // Another account, of the same partition and of another one.
        for account in [neighbour(&w.account), "acct_eve".parse().unwrap()] {
            ok(wait(w.store.ledger().create_account(crate::ledger_world::new_account(&account))));
            let call = Refund { account, ..refunding(w, charge, "r", 1) };
            let asked = || wait(w.store.ledger().refund(call.clone()));
            assert_eq!(refused(w, asked), Refusal::UnknownCharge);
        }
        let nobody =
            Refund { account: "acct_nobody".parse().unwrap(), ..refunding(w, charge, "r", 1) };
        let asked = || wait(w.store.ledger().refund(nobody.clone()));
        assert!(matches!(refused(w, asked), Refusal::UnknownAccount | Refusal::UnknownCharge));
    });
}

#[test]
fn a_charge_has_at_most_32_refunds() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = charged(w, 100, 100);
        for number in 0..32 {
            ok(refund(w, charge, &format!("r{number}"), 1));
        }
        assert!(matches!(refused(w, || refund(w, charge, "r32", 1)), Refusal::TooMany(_)));
        assert_eq!(again(w, || refund(w, charge, "r31", 1)).charged, credits(68));
    });
}

#[test]
fn what_was_archived_is_not_refunded() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = charged(w, 10, 10);
        w.clock.advance(29 * DAY);
        ok(refund(w, charge, "r1", 1));
        // A refund does not make the record live longer.
        w.clock.advance(DAY);
        assert_eq!(refused(w, || refund(w, charge, "r2", 1)), Refusal::ChargeArchived);
        assert_eq!(w.columns("a"), [91, 0, 9, 0, 0]);
        w.clock.advance(LEASE);
    });
}

/// An account that uses up many buckets: the oldest leave early, and what they carried cannot return to them.
#[test]
fn what_an_archived_bucket_carried_is_not_refunded() {
    on_every_store(|w| {
        w.buy("a", 10);
        let charge = charged(w, 10, 10);
        w.clock.advance(3 * HOUR);
        for number in 0..140 {
            w.buy(&format!("b{number}"), 1);
            charged(w, 1, 1);
        }
        assert!(!w.has("a"), "it was to be archived");
        assert_eq!(refused(w, || refund(w, charge, "r1", 1)), Refusal::ChargeArchived);
    });
}
