//! Buckets that are taken back.

use tollgate::credit::{Amount, Class, Paid, Standing};
use tollgate::ledger::*;

use super::{again, charged, freeze, on_every_store, refund, refused, withdraw};
use crate::ledger_world::{DAY, HOUR, World, columns, credits, no, ok, wait};

/// A pack of 100 for $10 with a bonus of 20.
fn buy_pack(w: &World) {
    let paid = Paid { amount: credits(10), currency: "USD".into() };
    let bonus = Bonus { amount: credits(20), expires: Some(w.now().plus_ms(30 * DAY)) };
    let call = w.granting("pay", Class::Purchased, 100);
    ok(w.grant(&Grant { paid: Some(paid), bonus: Some(bonus), ..call }));
}

/// Spends this much of the pack itself, as if its bonus were not there.
fn spend_pack(w: &World, amount: u64) -> tollgate::credit::ChargeId {
    ok(freeze(w, "pay@bonus", true, None));
    let charge = charged(w, amount, amount);
    ok(freeze(w, "pay@bonus", false, None));
    charge
}

#[test]
fn what_should_not_have_been_given_is_void_with_its_bonus() {
    on_every_store(|w| {
        buy_pack(w);
        spend_pack(w, 30);
        let held = w.call(25);
        ok(w.reserve(&held));
        // The bonus pays first.
        assert_eq!(
            (w.columns("pay"), w.columns("pay@bonus")),
            ([65, 5, 30, 0, 0], [0, 20, 0, 0, 0])
        );
        let done = ok(withdraw(w, "pay", Withdrawal::Void));
        assert_eq!(
            (columns(&done.bucket), done.money, done.owed),
            ([0, 5, 30, 0, 65], None, credits(0))
        );
        assert_eq!(
            (done.bucket.standing, columns(&done.bonus.unwrap())),
            (Standing::Voided, [0, 20, 0, 0, 0])
        );
        again(w, || withdraw(w, "pay", Withdrawal::Void));
        // What is spent of the hold stays spent, what returns is void.
        ok(w.settle(held.charge, 22));
        assert_eq!(
            (w.columns("pay"), w.columns("pay@bonus")),
            ([0, 0, 32, 0, 68], [0, 0, 20, 0, 0])
        );
        assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Insufficient { .. }));
    });
}

#[test]
fn the_buyer_gets_the_money_for_the_unused_part() {
    on_every_store(|w| {
        buy_pack(w);
        let charge = spend_pack(w, 40);
        let done = ok(withdraw(w, "pay", Withdrawal::Refund));
        assert_eq!(columns(&done.bucket), [0, 0, 40, 0, 60]);
        // Of the bonus as much in proportion: 20 x 60 / 100.
        assert_eq!(columns(&done.bonus.unwrap()), [8, 0, 0, 0, 12]);
        assert_eq!(done.money, Some(Paid { amount: credits(6), currency: "USD".into() }));
        let same = again(w, || withdraw(w, "pay", Withdrawal::Refund));
        assert_eq!(same.money.unwrap().amount, credits(6));
        // What a refunded charge gives back is void too: saying so again tells the money for it.
        ok(refund(w, charge, "r1", 10));
        assert_eq!(w.columns("pay"), [0, 0, 30, 0, 70]);
        let more = ok(withdraw(w, "pay", Withdrawal::Refund));
        assert_eq!(more.money.unwrap().amount, credits(7));
        assert_eq!(columns(&more.bonus.unwrap()), [6, 0, 0, 0, 14]);
    });
}

#[test]
fn money_and_bonus_are_rounded_down() {
    on_every_store(|w| {
        let paid = Paid { amount: Amount::from_micro(10).unwrap(), currency: "EUR".into() };
        let bonus = Bonus { amount: Amount::from_micro(5).unwrap(), expires: None };
        let call = w.granting("pay", Class::Purchased, 3);
        ok(w.grant(&Grant { paid: Some(paid), bonus: Some(bonus), ..call }));
        spend_pack(w, 1);
        let done = ok(withdraw(w, "pay", Withdrawal::Refund));
        // 10 x 2 / 3 and 5 x 2 / 3.
        assert_eq!(done.money.unwrap().amount.micro(), 6);
        assert_eq!(done.bonus.unwrap().voided.micro(), 3);
    });
}

#[test]
fn an_unused_pack_goes_back_whole() {
    on_every_store(|w| {
        buy_pack(w);
        let done = ok(withdraw(w, "pay", Withdrawal::Refund));
        let bonus = done.bonus.unwrap();
        assert_eq!((columns(&bonus), bonus.standing), ([0, 0, 0, 0, 20], Standing::Voided));
        assert_eq!(done.money.unwrap().amount, credits(10));
    });
}

#[test]
fn a_payment_that_failed_is_owed_for_what_was_spent() {
    on_every_store(|w| {
        buy_pack(w);
        let charge = spend_pack(w, 30);
        let held = w.call(30);
        ok(w.reserve(&held));
        let done = ok(withdraw(w, "pay", Withdrawal::Reversal));
        assert_eq!((columns(&done.bucket), done.owed), ([0, 10, 30, 0, 60], credits(30)));
        assert_eq!(w.columns("debt:pay"), [0, 0, 30, 0, 0]);
        assert_eq!(again(w, || withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(30));
        // More is spent of it: more is owed. 20 of these 24 were the bonus's.
        ok(w.settle(held.charge, 24));
        assert_eq!(
            (w.columns("pay"), w.columns("debt:pay")),
            ([0, 0, 34, 0, 66], [0, 0, 34, 0, 0])
        );
        // Less stays spent: less is owed.
        ok(refund(w, charge, "r1", 5));
        assert_eq!(
            (w.columns("pay"), w.columns("debt:pay")),
            ([0, 0, 29, 0, 71], [0, 0, 29, 0, 5])
        );
        // The next purchase repays.
        assert_eq!(w.buy("next", 50).repaid, credits(29));
        assert_eq!(
            (w.columns("next"), w.columns("debt:pay")),
            ([21, 0, 29, 0, 0], [0, 0, 0, 0, 34])
        );
        assert_eq!(ok(withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(0));
    });
}

#[test]
fn a_payment_that_failed_before_anything_was_spent() {
    on_every_store(|w| {
        buy_pack(w);
        assert_eq!(ok(withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(0));
        assert_eq!(
            (w.columns("pay"), w.columns("pay@bonus")),
            ([0, 0, 0, 0, 100], [0, 0, 0, 0, 20])
        );
    });
}

#[test]
fn a_bucket_that_ends_now_keeps_its_history() {
    on_every_store(|w| {
        w.buy("a", 30);
        charged(w, 10, 10);
        let held = w.call(5);
        ok(w.reserve(&held));
        let done = ok(withdraw(w, "a", Withdrawal::Expire));
        assert_eq!(
            (columns(&done.bucket), done.bucket.expires),
            ([0, 5, 10, 15, 0], Some(w.now()))
        );
        again(w, || withdraw(w, "a", Withdrawal::Expire));
        ok(w.release(held.charge));
        // As if its end had come by itself: what was bought lives on as good will.
        assert_eq!(w.columns("a"), [0, 0, 10, 20, 0]);
        assert_eq!(w.columns(&format!("gw:{}", held.charge)), [5, 0, 0, 0, 0]);
    });
}

#[test]
fn a_purchase_that_begins_later_never_begins_once_it_was_taken_back() {
    on_every_store(|w| {
        let call = w.granting("later", Class::Purchased, 10);
        ok(w.grant(&Grant { effective: Some(w.now().plus_ms(HOUR)), ..call }));
        ok(withdraw(w, "later", Withdrawal::Void));
        w.clock.advance(2 * HOUR);
        assert_eq!(w.tick(), 0);
        assert_eq!(w.columns("later"), [0, 0, 0, 0, 10]);
    });
}

#[test]
fn what_cannot_be_taken_back_leaves_no_trace() {
    on_every_store(|w| {
        ok(w.grant(&w.granting("gift", Class::Free, 10)));
        let owed = charged(w, 10, 15);
        let debt = format!("debt:{owed}");
        for how in [Withdrawal::Void, Withdrawal::Expire, Withdrawal::Refund] {
            assert!(matches!(refused(w, || withdraw(w, &debt, how)), Refusal::Invalid(_)));
            assert_eq!(refused(w, || withdraw(w, "nothing", how)), Refusal::UnknownBucket);
        }
        for how in [Withdrawal::Refund, Withdrawal::Reversal] {
            assert!(matches!(refused(w, || withdraw(w, "gift", how)), Refusal::Invalid(_)));
        }
        let call = |account: &str, reason: &str| Withdraw {
            account: account.parse().unwrap(),
            bucket: "gift".parse().unwrap(),
            how: Withdrawal::Void,
            reason: reason.to_owned(),
        };
        let ask = |call: Withdraw| move || wait(w.store.ledger().withdraw(call.clone()));
        let nobody = call("acct_nobody", "r");
        assert_eq!(refused(w, ask(nobody)), Refusal::UnknownAccount);
        let long = call(w.account.as_str(), &"x".repeat(501));
        assert!(matches!(refused(w, ask(long)), Refusal::Invalid(_)));
    });
}

/// Anything, so that what has been used up for long leaves the record.
fn touch(w: &World) {
    ok(w.release(w.id()));
}

/// A payment is reversed long after what was bought has been used up: what was spent of it is owed, once, however
/// often and however late that is said again.
#[test]
fn a_payment_is_reversed_months_later_and_owed_once() {
    on_every_store(|w| {
        w.buy("pay", 10);
        charged(w, 7, 7);
        charged(w, 3, 3);
        w.clock.advance(500 * DAY);
        touch(w);
        assert_eq!(ok(withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(10));
        again(w, || withdraw(w, "pay", Withdrawal::Reversal));
        assert_eq!(w.buy("next", 10).repaid, credits(10));
        // What was owed never leaves the record before the purchase.
        let mut told = 0;
        for days in [39, 2, 400, 98, 1, 1, 300] {
            w.clock.advance(days * DAY);
            touch(w);
            let known = w.has("pay");
            assert!(w.has("debt:pay") || !known, "after {days} more days");
            match withdraw(w, "pay", Withdrawal::Reversal) {
                Answer::Applied(done) => {
                    assert_eq!((known, done.owed), (true, credits(0)));
                    assert_eq!(w.columns("debt:pay"), [0, 0, 0, 0, 10]);
                    told += 1;
                }
                other => assert_eq!((known, no(other)), (false, Refusal::UnknownBucket)),
            }
        }
        assert!(!w.has("pay") && !w.has("debt:pay") && told == 4, "{told}");
    });
}

/// What comes back to a reversed purchase much later keeps it listed longer than its debt was touched.
#[test]
fn what_was_owed_is_listed_as_long_as_its_purchase() {
    on_every_store(|w| {
        w.buy("pay", 10);
        charged(w, 7, 7);
        let call = Reserve { on_unknown: OnUnknown::Hold, ..w.call(3) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        assert_eq!(ok(withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(7));
        assert_eq!(w.buy("next", 7).repaid, credits(7));
        w.clock.advance(530 * DAY);
        ok(w.release(call.charge));
        w.clock.advance(20 * DAY);
        touch(w);
        assert_eq!(w.columns("pay"), [0, 0, 7, 0, 3]);
        assert_eq!(w.columns("debt:pay"), [0, 0, 0, 0, 7]);
        assert_eq!(ok(withdraw(w, "pay", Withdrawal::Reversal)).owed, credits(0));
        assert_eq!(w.columns("debt:pay"), [0, 0, 0, 0, 7]);
    });
}
