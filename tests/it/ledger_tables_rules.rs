//! Hand-written tables of what decides beside the amount: for what a bucket is, in which order classes pay, what is
//! frozen, void or owed, restrictions, windows, members and bonuses; in whole credits, on every store.

use tollgate::credit::{Class, Measure, Name, Paid, Ranks, Standing};
use tollgate::ledger::*;
use tollgate::seam::Timestamp;

use crate::ledger_world::{
    DAY, HOUR, MINUTE, World, bucket, columns, credits, key_of, legs, no, ok, on_every_store, wait,
};

fn names(list: &[&str]) -> Vec<Name> {
    list.iter().map(|name| name.parse().unwrap()).collect()
}

/// Gives credits that are only for these routes or features.
fn give(w: &World, id: &str, amount: u64, only: &[&str]) {
    ok(w.grant(&Grant { only: names(only), ..w.granting(id, Class::Purchased, amount) }));
}

fn withdraw(w: &World, id: &str, how: Withdrawal) -> Withdrawn {
    let call =
        Withdraw { account: w.account.clone(), bucket: bucket(id), how, reason: "test".into() };
    ok(wait(w.store.ledger().withdraw(call)))
}

fn freeze(w: &World, id: &str, frozen: bool) {
    let account = w.account.clone();
    let call = Freeze { account, bucket: bucket(id), frozen, expires: None, reason: "test".into() };
    ok(wait(w.store.ledger().freeze(call)));
}

fn refund(w: &World, call: &Reserve, id: &str, amount: u64) -> Refunded {
    let (account, charge) = (w.account.clone(), call.charge);
    let call =
        Refund { account, charge, id: bucket(id), amount: credits(amount), reason: "test".into() };
    ok(wait(w.store.ledger().refund(call)))
}

#[test]
fn a_bucket_pays_only_for_what_it_is_for() {
    // (route, feature) → legs of a reserve of all that there is for it
    let table = [
        ("image", None, vec![("any", 3), ("image", 5)]),
        ("video", None, vec![("any", 3)]),
        ("video", Some("audio"), vec![("any", 3), ("both", 7), ("sound", 10)]),
        ("image", Some("audio"), vec![("any", 3), ("both", 7), ("image", 5), ("sound", 10)]),
        ("audio", None, vec![("any", 3), ("both", 7), ("sound", 10)]),
        ("text", Some("chat"), vec![("any", 3), ("both", 7)]),
    ];
    for (route, feature, expected) in table {
        on_every_store(|w| {
            give(&w, "sound", 10, &["audio"]);
            give(&w, "image", 5, &["image"]);
            give(&w, "both", 7, &["text", "audio"]);
            give(&w, "any", 3, &[]);
            let all = expected.iter().map(|(_, amount)| amount).sum();
            let like =
                Reserve { route: route.into(), feature: feature.map(Into::into), ..w.call(0) };
            let call = |amount| Reserve { charge: w.id(), amount: credits(amount), ..like.clone() };
            let refused = no(w.reserve(&call(all + 1)));
            let Refusal::Insufficient { available, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(available, credits(all), "{route} {feature:?}");
            let first = call(all - 1);
            let reserved = ok(w.reserve(&first));
            assert_eq!((reserved.available, reserved.held), (credits(1), credits(all - 1)));
            // An over-run draws from nothing else either.
            let settled = ok(w.settle(first.charge, all + 2));
            assert_eq!((settled.charged, settled.debt), (credits(all + 2), credits(2)));
            assert_eq!(settled.available, credits(0));
            let mut legs = legs(&expected);
            legs.push(tollgate::credit::Leg {
                bucket: bucket(&format!("debt:{}", first.charge)),
                amount: credits(2),
            });
            assert_eq!(ok(w.charge(first.charge)).legs, legs, "{route} {feature:?}");
        });
    }
}

#[test]
fn only_holds_that_return_for_the_same_use_are_worth_waiting_for() {
    on_every_store(|w| {
        give(&w, "sound", 10, &["audio"]);
        let timeout_ms = 30_000;
        let audio =
            |amount| Reserve { feature: Some("audio".into()), timeout_ms, ..w.call(amount) };
        let begun = ok(w.reserve(&audio(10))).at;
        let freed = |call: &Reserve| match no(w.reserve(call)) {
            Refusal::Insufficient { freed_at, .. } => freed_at,
            other => panic!("{other:?}"),
        };
        assert_eq!(freed(&audio(1)), Some(begun.plus_ms(timeout_ms)));
        assert_eq!(freed(&w.call(1)), None);
    });
}

#[test]
fn classes_pay_in_the_order_of_the_plans_ranks() {
    // Ranks of rollover, plan, goodwill, bonus, purchased, free → legs of 7, of 3 each; and of an over-run to 10
    type Drawn = &'static [(&'static str, u64)];
    let table: [([u8; 6], [&str; 3], Drawn); 5] = [
        ([0, 1, 2, 3, 4, 5], ["gift", "extra", "bought"], &[("bought", 3), ("soon", 1)]),
        ([0, 1, 5, 4, 3, 2], ["free", "bought", "extra"], &[("extra", 1), ("soon", 3)]),
        ([9, 9, 200, 9, 9, 9], ["free", "bought", "extra"], &[("extra", 1), ("soon", 3)]),
        // One rank: by priority, then by end.
        ([7, 7, 7, 7, 7, 7], ["free", "bought", "extra"], &[("extra", 1), ("soon", 3)]),
        ([7, 7, 0, 7, 7, 8], ["gift", "bought", "extra"], &[("extra", 3), ("soon", 1)]),
    ];
    for (ranks, expected, drawn) in table {
        on_every_store(|w| {
            let give = |id: &str, class, days: u64| {
                let expires = Some(w.now().plus_ms(days * DAY));
                ok(w.grant(&Grant { expires, ..w.granting(id, class, 3) }));
            };
            give("gift", Class::Goodwill, 9);
            give("extra", Class::Bonus, 8);
            give("bought", Class::Purchased, 7);
            give("free", Class::Free, 6);
            let gates = Gates { ranks: Ranks(ranks), ..Gates::default() };
            let call = Reserve { gates: gates.clone(), ..w.call(7) };
            let [a, b, c] = expected;
            let quoted = ok(wait(w.store.ledger().quote(call.clone()))).reserved;
            assert_eq!(quoted.legs, legs(&[(a, 3), (b, 3), (c, 1)]), "{ranks:?}");
            assert_eq!(ok(w.reserve(&call)).legs, quoted.legs, "{ranks:?}");
            let order = w.view(&gates).buckets;
            let order: Vec<_> = order.iter().take(3).map(|b| b.id.as_str()).collect();
            assert_eq!(order, expected, "{ranks:?}");
            // A bucket that comes later finds its place in the same order, and the over-run keeps to it.
            give("soon", Class::Free, 1);
            ok(w.settle(call.charge, 10));
            let all = [&[(a, 3), (b, 3)], drawn].concat();
            assert_eq!(ok(w.charge(call.charge)).legs, legs(&all), "{ranks:?}");
        });
    }
}

#[test]
fn another_order_than_before_is_taken_up_at_once() {
    on_every_store(|w| {
        for (id, class) in [("bought", Class::Purchased), ("free", Class::Free)] {
            ok(w.grant(&w.granting(id, class, 10)));
        }
        let take = |ranks| {
            let gates = Gates { ranks: Ranks(ranks), ..Gates::default() };
            ok(w.reserve(&Reserve { gates, ..w.call(1) })).legs
        };
        let (usual, other) = ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 5, 4]);
        assert_eq!(take(usual), legs(&[("bought", 1)]));
        assert_eq!(take(other), legs(&[("free", 1)]));
        assert_eq!(take(usual), legs(&[("bought", 1)]));
    });
}

#[test]
fn a_frozen_bucket_neither_pays_nor_ends() {
    on_every_store(|w| {
        let expires = Some(w.now().plus_ms(HOUR));
        ok(w.grant(&Grant { expires, ..w.granting("a", Class::Bonus, 10) }));
        w.buy("b", 3);
        let held = Reserve { timeout_ms: 30_000, ..w.call(4) };
        ok(w.reserve(&held));
        freeze(&w, "a", true);
        assert_eq!(ok(wait(w.store.ledger().quote(w.call(3)))).reserved.legs, legs(&[("b", 3)]));
        let refused = no(w.reserve(&w.call(4)));
        assert!(matches!(refused, Refusal::Insufficient { freed_at: None, .. }), "{refused:?}");
        // Nothing becomes due while it waits. What returns stays, though its end is over.
        w.clock.advance(2 * HOUR);
        assert!(ok(wait(w.store.ledger().due(9))).contains(&w.account), "the lapsed lease");
        while w.tick() > 0 {}
        assert!(!ok(wait(w.store.ledger().due(9))).contains(&w.account));
        ok(w.settle(held.charge, 1));
        assert_eq!(w.columns("a"), [9, 0, 1, 0, 0]);
        let (account, bucket) = (w.account.clone(), bucket("a"));
        let end = w.now().plus_ms(HOUR);
        let call = Freeze {
            account,
            bucket,
            frozen: false,
            expires: Some(Some(end)),
            reason: "test".into(),
        };
        ok(wait(w.store.ledger().freeze(call)));
        assert_eq!(ok(w.reserve(&w.call(2))).legs, legs(&[("a", 2)]));
        w.clock.advance(HOUR);
        assert_eq!(w.columns("a"), [0, 2, 1, 7, 0]);
    });
}

#[test]
fn what_returns_to_a_bucket_that_was_taken_back_is_void() {
    type End = fn(&World, &Reserve);
    // How the charge of 6 ends → held, spent, voided of 10
    let table: [(&str, End, [u64; 5]); 4] = [
        (
            "release",
            |w, call| assert!(!ok(w.release(call.charge)).returned.is_zero()),
            [0, 0, 0, 0, 10],
        ),
        ("settle", |w, call| assert!(!ok(w.settle(call.charge, 2)).late), [0, 0, 2, 0, 8]),
        ("all", |w, call| assert!(!ok(w.settle(call.charge, 6)).late), [0, 0, 6, 0, 4]),
        (
            "deadline",
            |w, call| {
                ok(w.doubt(call.charge));
                w.clock.advance(HOUR);
                assert_eq!(w.tick(), 1);
            },
            [0, 0, 0, 0, 10],
        ),
    ];
    for (name, end, expected) in table {
        on_every_store(|w| {
            w.buy("a", 10);
            let call = w.call(6);
            ok(w.reserve(&call));
            withdraw(&w, "a", Withdrawal::Void);
            assert_eq!(w.columns("a"), [0, 6, 0, 0, 4], "{name}");
            end(&w, &call);
            assert_eq!(w.columns("a"), expected, "{name}");
            assert!(!w.has("debt:a"), "{name}");
            assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Insufficient { .. }), "{name}");
        });
    }
}

#[test]
fn what_is_spent_of_a_purchase_whose_payment_failed_is_owed() {
    on_every_store(|w| {
        w.buy("a", 10);
        let (spent, held) = (w.call(3), w.call(4));
        ok(w.reserve(&spent));
        ok(w.settle(spent.charge, 3));
        let on_unknown = OnUnknown::Charge;
        let held = Reserve { on_unknown, reconcile_ms: MINUTE, ..held };
        ok(w.reserve(&held));
        assert_eq!(withdraw(&w, "a", Withdrawal::Reversal).owed, credits(3));
        assert_eq!(w.columns("debt:a"), [0, 0, 3, 0, 0]);
        // What is spent later is owed too; what comes back of that is not.
        ok(w.doubt(held.charge));
        w.clock.advance(MINUTE);
        assert_eq!(w.tick(), 1);
        assert_eq!(w.columns("a"), [0, 0, 7, 0, 3]);
        assert_eq!(w.columns("debt:a"), [0, 0, 7, 0, 0]);
        assert!(ok(w.settle(held.charge, 1)).late);
        assert_eq!(w.columns("a"), [0, 0, 4, 0, 6]);
        assert_eq!(w.columns("debt:a"), [0, 0, 4, 0, 3]);
        // The next grant repays what is still owed.
        assert_eq!(w.buy("b", 10).repaid, credits(4));
        assert_eq!(w.columns("b"), [6, 0, 4, 0, 0]);
    });
}

#[test]
fn a_debt_that_comes_back_is_forgiven_and_what_repaid_it_returns() {
    // What two grants had repaid of a debt of 6 when the charge is corrected → their columns, last repayer first
    let table = [
        (0, 0, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        (2, 0, [2, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        (2, 3, [2, 0, 0, 0, 0], [3, 0, 0, 0, 0]),
        (2, 4, [2, 0, 0, 0, 0], [4, 0, 0, 0, 0]),
    ];
    for (first, second, of_first, of_second) in table {
        on_every_store(|w| {
            w.buy("a", 10);
            let call = w.call(10);
            ok(w.reserve(&call));
            assert_eq!(ok(w.settle(call.charge, 16)).debt, credits(6));
            let debt = format!("debt:{}", call.charge);
            for (id, amount) in [("one", first), ("two", second)] {
                if amount > 0 {
                    assert_eq!(w.buy(id, amount).repaid, credits(amount));
                }
            }
            let owed = 6 - first - second;
            assert_eq!(w.columns(&debt), [0, 0, owed, 0, first + second]);
            refund(&w, &call, "r1", 6);
            assert_eq!(w.columns(&debt), [0, 0, 0, 0, 6]);
            for (id, amount, expected) in [("one", first, of_first), ("two", second, of_second)] {
                assert!(amount == 0 || w.columns(id) == expected, "{first} {second}");
            }
            assert_eq!(w.columns("a"), [0, 0, 10, 0, 0]);
        });
    }
    // What was advanced late, for a charge that a deadline had released: the scripts' own way back.
    on_every_store(|w| {
        w.buy("a", 10);
        let on_unknown = OnUnknown::Charge;
        let call = Reserve { on_unknown, reconcile_ms: MINUTE, ..w.call(10) };
        ok(w.reserve(&call));
        withdraw(&w, "a", Withdrawal::Reversal);
        ok(w.doubt(call.charge));
        w.clock.advance(MINUTE);
        assert_eq!(w.tick(), 1);
        assert_eq!(w.buy("one", 4).repaid, credits(4));
        assert_eq!(w.columns("debt:a"), [0, 0, 6, 0, 4]);
        // Ten come back; six of them were still owed, four had been repaid and return to whence they came.
        ok(w.release(call.charge));
        assert_eq!(w.columns("a"), [0, 0, 0, 0, 10]);
        assert_eq!(w.columns("debt:a"), [0, 0, 0, 0, 10]);
        assert_eq!(w.columns("one"), [4, 0, 0, 0, 0]);
    });
}

#[test]
fn a_charge_that_was_refunded_is_not_corrected_any_more() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = Reserve { on_unknown: OnUnknown::Charge, ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        assert_eq!(w.tick(), 1);
        assert_eq!(refund(&w, &call, "r1", 3).charged, credits(7));
        let ended = Refusal::Ended(ChargeState::Settled);
        assert_eq!(no(w.settle(call.charge, 5)), ended);
        assert_eq!(no(w.release(call.charge)), ended);
        assert_eq!(w.columns("a"), [3, 0, 7, 0, 0]);
    });
}

#[test]
fn a_restricted_account_waits_until_then() {
    on_every_store(|w| {
        w.buy("a", 10);
        let known = w.call(5);
        let first = ok(w.reserve(&known));
        let until = w.now().plus_ms(HOUR);
        let change = |restricted_until, status| {
            let account = w.account.clone();
            let call = AccountChange { restricted_until, status, ..AccountChange::of(account) };
            ok(wait(w.store.ledger().change_account(call))).version
        };
        let version = change(Some(Some(until)), None);
        let call = || Reserve { document_version: version, ..w.call(1) };
        let restricted = Refusal::AccountRestricted { until };
        assert_eq!(no(w.reserve(&call())), restricted);
        assert_eq!(no(wait(w.store.ledger().quote(call()))), restricted);
        // Before its key is looked at, but after its status.
        let key = key_of(&w.account, 99);
        assert_eq!(no(w.reserve(&Reserve { key, ..call() })), restricted);
        // What is known is answered, what runs ends, what is given is given.
        assert_eq!(ok(w.reserve(&known)), first);
        ok(w.settle(known.charge, 5));
        w.buy("b", 1);
        w.clock.advance(HOUR - 1);
        assert_eq!(no(w.reserve(&call())), restricted);
        w.clock.advance(1);
        ok(w.reserve(&call()));
        let version = change(Some(Some(w.now().plus_ms(HOUR))), Some(AccountStatus::Suspended));
        let suspended = Refusal::AccountStatus(AccountStatus::Suspended);
        assert_eq!(no(w.reserve(&Reserve { document_version: version, ..w.call(1) })), suspended);
        let version = change(Some(None), Some(AccountStatus::Active));
        ok(w.reserve(&Reserve { document_version: version, ..w.call(1) }));
    });
}

#[test]
fn values_hold_in_their_window_only() {
    // (from, until) around now in minutes → whether they hold
    let table = [(0, 1, true), (-1, 1, true), (1, 2, false), (-2, 0, false), (-2, -1, false)];
    for (from, until, holds) in table {
        on_every_store(|w| {
            w.buy("a", 10);
            let at = |minutes: i64| {
                Timestamp(w.now().0.saturating_add_signed(minutes * i64::try_from(MINUTE).unwrap()))
            };
            let window = Window { from: at(from), until: at(until) };
            let call = Reserve { gates: Gates { window, ..Gates::default() }, ..w.call(1) };
            let answer = w.reserve(&call);
            let stale = matches!(answer, Answer::Refused(Refusal::Stale { .. }));
            assert_eq!(
                (stale, matches!(answer, Answer::Applied(_))),
                (!holds, holds),
                "{from} {until}"
            );
        });
    }
}

#[test]
fn members_have_their_own_slots_and_caps() {
    on_every_store(|w| {
        w.buy("a", 100);
        let of = |member: &str| Scope::Member(member.into());
        let gates = |member: &str| Gates {
            slots: vec![SlotCheck { name: "each".into(), scope: of(member), limit: 1 }],
            caps: vec![CapCheck { scope: of(member), ..w.cap("each", Measure::Requests, 2) }],
            ..Gates::default()
        };
        let call = |member: Option<&str>, gates: Gates| Reserve {
            member: member.map(Into::into),
            gates,
            ..w.call(1)
        };
        let anas = call(Some("ana"), gates("ana"));
        let reserved = ok(w.reserve(&anas));
        assert_eq!((reserved.slots[0].used, reserved.caps[0].used), (1, 1));
        let full = no(w.reserve(&call(Some("ana"), gates("ana"))));
        assert!(matches!(full, Refusal::SlotsFull { scope: Scope::Member(_), .. }), "{full:?}");
        // Nobody else waits for ana, nor those without a name.
        ok(w.reserve(&call(Some("bob"), gates("bob"))));
        ok(w.reserve(&call(None, gates("zoe"))));
        ok(w.settle(anas.charge, 1));
        assert_eq!(ok(w.charge(anas.charge)).member.as_deref(), Some("ana"));
        let second = call(Some("ana"), gates("ana"));
        ok(w.reserve(&second));
        // A lapsed lease frees a member's slot as any other.
        ok(w.doubt(second.charge));
        let capped = no(w.reserve(&call(Some("ana"), gates("ana"))));
        assert!(matches!(capped, Refusal::CapExceeded { required: 1, .. }), "{capped:?}");
        let used = |member: &str| w.view(&gates(member)).caps[0].used;
        assert_eq!((used("ana"), used("bob"), used("zoe")), (2, 1, 1));
    });
}

#[test]
fn a_purchase_comes_with_its_bonus_in_one_step() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(10);
        ok(w.reserve(&call));
        assert_eq!(ok(w.settle(call.charge, 17)).debt, credits(7));
        let paid = Paid { amount: credits(5), currency: "USD".into() };
        let bonus = Bonus { amount: credits(4), expires: Some(w.now().plus_ms(DAY)) };
        let only = names(&["image"]);
        let pack = Grant {
            bonus: Some(bonus.clone()),
            paid: Some(paid.clone()),
            only: only.clone(),
            priority: 3,
            ..w.granting("pay_1", Class::Purchased, 5)
        };
        let granted = ok(w.grant(&pack));
        // Both repay: the purchase first.
        assert_eq!(granted.repaid, credits(7));
        let child = granted.bonus.clone().expect("the bonus");
        assert_eq!((columns(&granted.bucket), columns(&child)), ([0, 0, 5, 0, 0], [2, 0, 2, 0, 0]));
        let said = (child.id.as_str(), child.class, child.parent.clone(), child.expires);
        assert_eq!(said, ("pay_1@bonus", Class::Bonus, Some(bucket("pay_1")), bonus.expires));
        assert_eq!((&child.only, child.priority, &child.paid), (&only, 3, &None));
        let said = (&granted.bucket.only, &granted.bucket.paid, granted.bucket.standing);
        assert_eq!(said, (&only, &Some(paid), Standing::Active));
        // As it is kept, and as it is answered again.
        let view = w.view(&Gates::default());
        assert!(view.buckets.contains(&child) && view.buckets.contains(&granted.bucket));
        ok(w.reserve(&w.call(1)));
        assert_eq!(ok(w.grant(&pack)), granted);
        let more = Bonus { amount: credits(5), ..bonus };
        let other = Grant { bonus: Some(more), ..pack.clone() };
        assert_eq!(no(w.grant(&other)), Refusal::Conflict);
        assert_eq!(no(w.grant(&Grant { only: Vec::new(), ..pack })), Refusal::Conflict);
        assert_eq!(w.columns("pay_1@bonus"), [1, 1, 2, 0, 0]);
    });
}

#[test]
fn a_bonus_begins_with_its_purchase_and_ends_after_it() {
    on_every_store(|w| {
        let call = w.call(0);
        let bonus = |expires| Some(Bonus { amount: credits(4), expires });
        let effective = Some(w.now().plus_ms(HOUR));
        let pack = Grant { effective, ..w.granting("pay_1", Class::Purchased, 5) };
        let early = Grant { bonus: bonus(effective), ..pack.clone() };
        assert!(matches!(no(w.grant(&early)), Refusal::Invalid(_)));
        ok(w.grant(&Grant { bonus: bonus(Some(w.now().plus_ms(2 * HOUR))), ..pack }));
        let quoted = ok(wait(w.store.ledger().quote(call))).reserved;
        assert_eq!(quoted.available, credits(0));
        w.clock.advance(HOUR);
        // Both wake.
        assert_eq!(w.tick(), 2);
        assert_eq!(ok(w.reserve(&w.call(1))).legs, legs(&[("pay_1@bonus", 1)]));
        w.clock.advance(HOUR);
        assert_eq!(w.columns("pay_1@bonus"), [0, 1, 0, 3, 0]);
        assert_eq!(w.columns("pay_1"), [5, 0, 0, 0, 0]);
    });
}

#[test]
fn a_purchase_with_its_bonus_stays_below_two_to_the_53() {
    on_every_store(|w| {
        let bonus = Some(Bonus { amount: credits(1), expires: None });
        let most = tollgate::credit::Amount::MAX;
        let pack = Grant { bonus, amount: most, ..w.granting("pay_1", Class::Purchased, 1) };
        assert!(matches!(no(w.grant(&pack)), Refusal::Invalid(_)));
    });
}
