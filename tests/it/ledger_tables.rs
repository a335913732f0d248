//! Hand-written tables: what each rule of money does, in whole credits, on every store.

use tollgate::credit::{Amount, Class, Measure};
use tollgate::ledger::*;
use tollgate::seam::Timestamp;

use crate::ledger_world::{
    DAY, HOUR, LEASE, MINUTE, World, columns, credits, kind, legs, neighbour, new_account, no, ok,
    on_every_store, wait,
};

#[test]
fn buckets_pay_in_the_total_order() {
    on_every_store(|w| {
        let end = |days: u64| Some(w.now().plus_ms(days * DAY));
        // (id, class, priority, expires), each with 10 credits, granted in a mixed order.
        let table = [
            ("free", Class::Free, 0, end(1)),
            ("bought-never", Class::Purchased, 0, None),
            ("bought-late", Class::Purchased, 0, end(9)),
            ("bought-soon", Class::Purchased, 0, end(2)),
            ("bought-first", Class::Purchased, 0, None),
            ("bonus-b", Class::Bonus, 1, end(1)),
            ("bonus-a", Class::Bonus, 0, None),
            ("goodwill", Class::Goodwill, 9, None),
        ];
        for (id, class, priority, expires) in table {
            let call = Grant { priority, expires, ..w.granting(id, class, 10) };
            ok(w.grant(&call));
        }
        let call = Reserve {
            gates: Gates { allowances: vec![w.allowance("daily", 10)], ..Gates::default() },
            ..w.call(85)
        };
        let reserved = ok(w.reserve(&call));
        let order = [
            ("daily@2026-11-22", 10),
            ("goodwill", 10),
            ("bonus-a", 10),
            ("bonus-b", 10),
            ("bought-soon", 10),
            ("bought-late", 10),
            // The same in everything else: the id decides.
            ("bought-first", 10),
            ("bought-never", 10),
            ("free", 5),
        ];
        assert_eq!(reserved.legs, legs(&order));
        assert_eq!((reserved.available, reserved.held), (credits(5), credits(85)));
    });
}

#[test]
fn settling_less_looks_as_if_less_had_been_drawn() {
    for actual in [0, 1, 10, 11, 15, 20, 25, 30] {
        on_every_store(|w| {
            for id in ["a", "b", "c"] {
                w.buy(id, 10);
            }
            let call = w.call(30);
            ok(w.reserve(&call));
            let settled = ok(w.settle(call.charge, actual));
            assert_eq!(settled.charged, credits(actual));
            assert_eq!(settled.returned, credits(30 - actual));
            for (place, id) in ["a", "b", "c"].iter().enumerate() {
                let spent = actual.saturating_sub(place as u64 * 10).min(10);
                assert_eq!(w.columns(id), [10 - spent, 0, spent, 0, 0], "{id} after {actual}");
            }
        });
    }
}

#[test]
fn an_over_run_is_drawn_then_advanced_then_absorbed() {
    // (policy, max debt, actual) → (charged, debt, absorbed); 10 held of 12 there.
    let table = [
        (OverRun::Debt, None, 11, (11, 0, 0)),
        (OverRun::Debt, None, 12, (12, 0, 0)),
        (OverRun::Debt, None, 15, (15, 3, 0)),
        (OverRun::Debt, None, 22, (22, 10, 0)),
        (OverRun::Debt, None, 25, (22, 10, 3)),
        (OverRun::Debt, Some(4), 25, (16, 4, 9)),
        (OverRun::Debt, Some(99), 25, (22, 10, 3)),
        (OverRun::Debt, Some(0), 13, (12, 0, 1)),
        (OverRun::Absorb, None, 13, (12, 0, 1)),
    ];
    for (over_run, max_debt, actual, (charged, debt, absorbed)) in table {
        on_every_store(|w| {
            w.buy("a", 12);
            let call = Reserve { over_run, max_debt: max_debt.map(credits), ..w.call(10) };
            ok(w.reserve(&call));
            let settled = ok(w.settle(call.charge, actual));
            let found = (settled.charged, settled.debt, settled.absorbed);
            assert_eq!(found, (credits(charged), credits(debt), credits(absorbed)), "{actual}");
            let name = format!("debt:{}", call.charge);
            assert_eq!(w.has(&name), debt > 0);
            if debt > 0 {
                assert_eq!(w.columns(&name), [0, 0, debt, 0, 0]);
            }
            let record = ok(w.charge(call.charge));
            let sum: Amount = record.legs.iter().map(|leg| leg.amount).sum();
            assert_eq!(sum, record.charged);
        });
    }
}

#[test]
fn debts_share_one_bound() {
    on_every_store(|w| {
        w.buy("a", 10);
        let (first, second) = (w.call(4), w.call(6));
        ok(w.reserve(&first));
        ok(w.reserve(&second));
        assert_eq!(ok(w.settle(first.charge, 8)).debt, credits(4));
        // The largest hold is 6 now, 4 are owed already.
        let settled = ok(w.settle(second.charge, 12));
        assert_eq!((settled.debt, settled.absorbed), (credits(2), credits(4)));
    });
}

#[test]
fn the_next_grant_repays_debt_and_returns_never_do() {
    on_every_store(|w| {
        w.buy("a", 20);
        let (owing, other) = (w.call(10), w.call(10));
        ok(w.reserve(&owing));
        ok(w.reserve(&other));
        assert_eq!(ok(w.settle(owing.charge, 17)).debt, credits(7));
        ok(w.release(other.charge));
        let debt = format!("debt:{}", owing.charge);
        assert_eq!(w.columns("a"), [10, 0, 10, 0, 0]);
        assert_eq!(w.columns(&debt), [0, 0, 7, 0, 0]);

        let granted = w.buy("b", 5);
        assert_eq!(granted.repaid, credits(5));
        assert_eq!(columns(&granted.bucket), [0, 0, 5, 0, 0]);
        assert_eq!(w.columns(&debt), [0, 0, 2, 0, 5]);

        // An allowance's first touch repays the rest, once.
        let gates = Gates { allowances: vec![w.allowance("daily", 10)], ..Gates::default() };
        ok(w.reserve(&Reserve { gates: gates.clone(), ..w.call(1) }));
        assert_eq!(w.columns(&debt), [0, 0, 0, 0, 7]);
        assert_eq!(w.columns("daily@2026-11-22"), [7, 1, 2, 0, 0]);
        ok(w.reserve(&Reserve { gates, ..w.call(1) }));
        assert_eq!(w.columns("daily@2026-11-22"), [6, 2, 2, 0, 0]);
    });
}

#[test]
fn a_later_grant_repays_when_it_begins() {
    on_every_store(|w| {
        w.buy("a", 10);
        let begins = Some(w.now().plus_ms(HOUR));
        ok(w.grant(&Grant { effective: begins, ..w.granting("later", Class::Bonus, 9) }));
        let call = w.call(10);
        ok(w.reserve(&call));
        assert_eq!(ok(w.settle(call.charge, 14)).debt, credits(4));
        assert_eq!(w.columns("later"), [9, 0, 0, 0, 0]);
        w.clock.advance(HOUR);
        assert_eq!(w.tick(), 1);
        assert_eq!(w.columns("later"), [5, 0, 4, 0, 0]);
        assert_eq!(w.tick(), 0);
    });
}

#[test]
fn what_returns_after_the_end() {
    // (class, what the bucket shows, whether good will came)
    let table = [
        (Class::Free, false),
        (Class::Goodwill, false),
        (Class::Purchased, true),
        (Class::Bonus, true),
    ];
    for (class, lives_on) in table {
        on_every_store(|w| {
            let expires = Some(w.now().plus_ms(MINUTE));
            ok(w.grant(&Grant { expires, ..w.granting("a", class, 10) }));
            let call = w.call(10);
            ok(w.reserve(&call));
            w.clock.advance(MINUTE - 1);
            w.extend(call.charge);
            w.clock.advance(1);
            ok(w.settle(call.charge, 4));
            assert_eq!(w.columns("a"), [0, 0, 4, 6, 0], "{class:?}");
            let gift = format!("gw:{}", call.charge);
            assert_eq!(w.has(&gift), lives_on, "{class:?}");
            if lives_on {
                assert_eq!(w.columns(&gift), [6, 0, 0, 0, 0]);
                w.clock.advance(3 * DAY);
                assert_eq!(w.columns(&gift), [0, 0, 0, 6, 0]);
            }
        });
    }
}

#[test]
fn a_late_success_is_billed_once() {
    on_every_store(|w| {
        w.buy("a", 15);
        let call = w.call(10);
        ok(w.reserve(&call));
        assert_eq!(ok(w.release(call.charge)).returned, credits(10));
        let settled = ok(w.settle(call.charge, 8));
        assert!(settled.late);
        assert_eq!(settled.charged, credits(8));
        assert_eq!(ok(w.settle(call.charge, 8)), settled);
        assert_eq!(no(w.settle(call.charge, 9)), Refusal::Conflict);
        assert_eq!(no(w.release(call.charge)), Refusal::Ended(ChargeState::Settled));
        assert_eq!(w.columns("a"), [7, 0, 8, 0, 0]);
    });
}

#[test]
fn a_late_success_owes_at_most_the_hold_it_had() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(10);
        ok(w.reserve(&call));
        ok(w.release(call.charge));
        let other = w.call(10);
        ok(w.reserve(&other));
        let settled = ok(w.settle(call.charge, 12));
        assert_eq!((settled.charged, settled.debt), (credits(10), credits(10)));
        assert_eq!(settled.absorbed, credits(2));
    });
}

#[test]
fn what_comes_an_hour_late_moves_nothing() {
    for (wait_ms, in_time) in [(HOUR, true), (HOUR + 1, false)] {
        on_every_store(|w| {
            w.buy("a", 10);
            let call = w.call(10);
            ok(w.reserve(&call));
            ok(w.release(call.charge));
            w.clock.advance(wait_ms);
            if in_time {
                assert!(ok(w.settle(call.charge, 5)).late);
            } else {
                let refused = no(w.settle(call.charge, 5));
                assert_eq!(refused, Refusal::Ended(ChargeState::Released));
                assert_eq!(w.columns("a"), [10, 0, 0, 0, 0]);
            }
        });
    }
}

#[test]
fn an_unknown_outcome_is_decided_by_its_deadline() {
    // (on_unknown) → state and columns after the deadline
    let table = [
        (OnUnknown::Release, ChargeState::Released, [10, 0, 0, 0, 0]),
        (OnUnknown::Charge, ChargeState::Settled, [0, 0, 10, 0, 0]),
        (OnUnknown::Hold, ChargeState::Unknown, [0, 10, 0, 0, 0]),
    ];
    for (on_unknown, state, after) in table {
        on_every_store(|w| {
            w.buy("a", 10);
            let call = Reserve { on_unknown, ..w.call(10) };
            ok(w.reserve(&call));
            ok(w.doubt(call.charge));
            ok(w.doubt(call.charge));
            assert_eq!(ok(w.charge(call.charge)).state, ChargeState::Unknown);
            w.clock.advance(HOUR - 1);
            assert_eq!(w.tick(), 0);
            assert_eq!(w.columns("a"), [0, 10, 0, 0, 0]);
            w.clock.advance(1);
            // A reader sees it before anybody has written it.
            assert_eq!(w.columns("a"), after);
            assert_eq!(w.tick(), u32::from(state != ChargeState::Unknown));
            let record = ok(w.charge(call.charge));
            assert_eq!(record.state, state);
            assert_eq!(record.by_deadline, state != ChargeState::Unknown);
            assert_eq!(w.columns("a"), after);
        });
    }
}

#[test]
fn a_charge_by_deadline_is_corrected_once() {
    // What the caller says afterwards → what is spent in the end.
    for actual in [0_u64, 4, 10, 13] {
        on_every_store(|w| {
            w.buy("a", 20);
            let call = Reserve { on_unknown: OnUnknown::Charge, ..w.call(10) };
            ok(w.reserve(&call));
            ok(w.doubt(call.charge));
            w.clock.advance(HOUR);
            w.tick();
            let settled = ok(w.settle(call.charge, actual));
            assert!(settled.late);
            assert_eq!(settled.charged, credits(actual));
            assert_eq!(w.columns("a"), [20 - actual, 0, actual, 0, 0]);
            assert_eq!(ok(w.settle(call.charge, actual)), settled);
            assert_eq!(no(w.settle(call.charge, actual + 1)), Refusal::Conflict);
        });
    }
    on_every_store(|w| {
        w.buy("a", 20);
        let call = Reserve { on_unknown: OnUnknown::Charge, ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        w.tick();
        ok(w.release(call.charge));
        assert_eq!(w.columns("a"), [20, 0, 0, 0, 0]);
        let refused = no(w.settle(call.charge, 3));
        assert_eq!(refused, Refusal::Ended(ChargeState::Released));
    });
}

#[test]
fn a_lapsed_lease_frees_the_slot_and_keeps_the_credits() {
    on_every_store(|w| {
        w.buy("a", 10);
        let slot = SlotCheck { name: "two".into(), scope: Scope::Account, limit: 1 };
        let gates = Gates { slots: vec![slot], ..Gates::default() };
        let call = Reserve { gates: gates.clone(), ..w.call(6) };
        ok(w.reserve(&call));
        let second = Reserve { gates, ..w.call(1) };
        assert!(matches!(no(w.reserve(&second)), Refusal::SlotsFull { limit: 1, .. }));
        w.clock.advance(LEASE - 1);
        assert_eq!(w.extend(call.charge), Extended::Until(w.now().plus_ms(LEASE)));
        w.clock.advance(LEASE);
        assert_eq!(w.extend(call.charge), Extended::Ended);
        ok(w.reserve(&Reserve { charge: w.id(), ..second }));
        assert_eq!(w.columns("a"), [3, 7, 0, 0, 0]);
        let record = ok(w.charge(call.charge));
        assert_eq!(record.state, ChargeState::Unknown);
        assert_eq!(record.deadline, Some(w.now().plus_ms(HOUR)));
        // The exchange ran on all the same.
        assert_eq!(ok(w.settle(call.charge, 6)).charged, credits(6));
    });
}

#[test]
fn slots_count_their_scope() {
    on_every_store(|w| {
        w.buy("a", 10);
        let other = crate::ledger_world::key_of(&w.account, 8);
        let key = NewKey {
            member: None,
            routes: Vec::new(),
            account: w.account.clone(),
            id: other,
            hash: [2; 32],
            label: "".into(),
            ends: None,
        };
        let version = ok(wait(w.store.ledger().create_key(key))).version;
        let first =
            Reserve { feature: Some("audio".into()), document_version: version, ..w.call(1) };
        ok(w.reserve(&first));
        // (scope, whether a limit of one is full)
        let table = [
            (Scope::Account, true),
            (Scope::Key(w.key), true),
            (Scope::Key(other), false),
            (Scope::Route("image".into()), true),
            (Scope::Route("video".into()), false),
            (Scope::Feature("audio".into()), true),
            (Scope::Feature("text".into()), false),
        ];
        for (scope, full) in table {
            let slots = vec![SlotCheck { name: "s".into(), scope: scope.clone(), limit: 1 }];
            let gates = Gates { slots, ..Gates::default() };
            let call = Reserve { gates, document_version: version, ..w.call(1) };
            let quoted = wait(w.store.ledger().quote(call));
            assert_eq!(matches!(quoted, Answer::Refused(_)), full, "{scope}");
        }
    });
}

#[test]
fn caps_count_correct_and_give_back_in_their_period() {
    on_every_store(|w| {
        w.buy("a", 1_000);
        let gates = |w: &World| Gates {
            caps: vec![
                w.cap("requests", Measure::Requests, 3),
                w.cap("spend", Measure::Credits, credits(100).micro()),
                CapCheck { refundable: false, ..w.cap("attempts", Measure::Requests, 9) },
                CapCheck {
                    kind: Some("scans".parse().unwrap()),
                    ..w.cap("scans", Measure::Requests, 0)
                },
            ],
            ..Gates::default()
        };
        let today = gates(&w);
        let used = |w: &World, gates: &Gates| -> Vec<u64> {
            w.view(gates).caps.iter().map(|cap| cap.used).collect()
        };
        let micro = |whole: u64| credits(whole).micro();
        let (a, b) = (w.call(40), w.call(50));
        let (a, b) = (Reserve { gates: today.clone(), ..a }, Reserve { gates: today.clone(), ..b });
        ok(w.reserve(&a));
        ok(w.reserve(&b));
        assert_eq!(used(&w, &today), [2, micro(90), 2, 0]);
        let refused = no(w.reserve(&Reserve { gates: today.clone(), ..w.call(11) }));
        let Refusal::CapExceeded { cap, required } = refused else { panic!("{refused:?}") };
        assert_eq!((cap.name.as_str(), cap.used, required), ("spend", micro(90), micro(11)));

        ok(w.release(a.charge));
        assert_eq!(used(&w, &today), [1, micro(50), 2, 0]);
        ok(w.settle(b.charge, 60));
        assert_eq!(used(&w, &today), [1, micro(60), 2, 0]);

        // A charge of today that ends tomorrow corrects today.
        let c = Reserve { gates: today.clone(), ..w.call(30) };
        ok(w.reserve(&c));
        w.clock.advance(DAY);
        let tomorrow = gates(&w);
        let d = Reserve { gates: tomorrow.clone(), ..w.call(5) };
        ok(w.reserve(&d));
        ok(w.settle(c.charge, 10));
        assert_eq!(used(&w, &tomorrow), [1, micro(5), 1, 0]);
    });
}

#[test]
fn a_late_success_counts_again() {
    on_every_store(|w| {
        w.buy("a", 100);
        let caps = vec![
            w.cap("requests", Measure::Requests, 9),
            w.cap("spend", Measure::Credits, credits(99).micro()),
        ];
        let gates = Gates { caps, ..Gates::default() };
        let used = || w.view(&gates).caps.iter().map(|cap| cap.used).collect::<Vec<_>>();
        let call = Reserve { gates: gates.clone(), ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.release(call.charge));
        assert_eq!(used(), [0, 0]);
        ok(w.settle(call.charge, 7));
        assert_eq!(used(), [1, credits(7).micro()]);
    });
}

#[test]
fn a_cap_lets_exactly_its_limit_pass() {
    on_every_store(|w| {
        w.buy("a", 100);
        let caps = vec![w.cap("requests", Measure::Requests, 3)];
        let gates = Gates { caps, ..Gates::default() };
        let passed = (0..5).filter(|_| {
            matches!(w.reserve(&Reserve { gates: gates.clone(), ..w.call(1) }), Answer::Applied(_))
        });
        assert_eq!(passed.count(), 3);
    });
}

#[test]
fn a_rate_lets_its_burst_pass_and_then_its_pace() {
    on_every_store(|w| {
        w.buy("a", 100);
        let rate = RateCheck {
            name: "pace".into(),
            scope: Scope::Account,
            interval_us: 2_000_000,
            burst: 2,
        };
        let gates = Gates { rates: vec![rate], ..Gates::default() };
        // (milliseconds to wait first, whether it passes, else how long to wait)
        let table =
            [(0, None), (0, None), (0, Some(2_000)), (1_999, Some(1)), (1, None), (0, Some(2_000))];
        for (pause, refused_for) in table {
            w.clock.advance(pause);
            let answer = w.reserve(&Reserve { gates: gates.clone(), ..w.call(1) });
            match (answer, refused_for) {
                (Answer::Applied(_), None) => {}
                (Answer::Refused(Refusal::RateLimited { retry_at, .. }), Some(ms)) => {
                    assert_eq!(retry_at, w.now().plus_ms(ms));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn an_old_view_is_stale_and_a_known_id_never_is() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        let first = ok(w.reserve(&call));
        let change = AccountChange {
            plan: Some("other".into()),
            status: Some(AccountStatus::Suspended),
            ..AccountChange::of(w.account.clone())
        };
        let document = ok(wait(w.store.ledger().change_account(change)));
        // The same request: the same answer.
        assert_eq!(ok(w.reserve(&call)), first);
        assert_eq!(no(w.reserve(&Reserve { fingerprint: [0; 32], ..call })), Refusal::Conflict);
        let refused = no(w.reserve(&w.call(1)));
        assert_eq!(refused, Refusal::Stale { document: Box::new(document.clone()), now: w.now() });
        let call = Reserve { document_version: document.version, ..w.call(1) };
        let suspended = Refusal::AccountStatus(AccountStatus::Suspended);
        assert_eq!(no(w.reserve(&call)), suspended);
    });
}

#[test]
fn periods_that_do_not_fit_are_stale() {
    on_every_store(|w| {
        w.buy("a", 10);
        let caps = vec![w.cap("requests", Measure::Requests, 3)];
        let call = Reserve { gates: Gates { caps, ..Gates::default() }, ..w.call(1) };
        w.clock.advance(5 * MINUTE);
        ok(w.reserve(&call));
        // The next period was sent along; the one after it was not.
        w.clock.advance(DAY);
        ok(w.reserve(&Reserve { charge: w.id(), ..call.clone() }));
        w.clock.advance(DAY);
        let refused = no(w.reserve(&Reserve { charge: w.id(), ..call }));
        assert!(matches!(refused, Refusal::Stale { .. }));
    });
}

#[test]
fn a_revoked_key_binds_at_once() {
    on_every_store(|w| {
        w.buy("a", 10);
        let change = KeyChange::revoke(w.key);
        let document = ok(wait(w.store.ledger().change_key(change.clone())));
        assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Stale { .. }));
        let call = Reserve { document_version: document.version, ..w.call(1) };
        assert_eq!(no(w.reserve(&call)), Refusal::InvalidKey);
        // Revoking again changes nothing; reviving is refused.
        assert_eq!(ok(wait(w.store.ledger().change_key(change))).version, document.version);
        let revive = KeyChange { status: Some(KeyStatus::Active), ..KeyChange::of(w.key) };
        assert!(matches!(no(wait(w.store.ledger().change_key(revive))), Refusal::Invalid(_)));
    });
}

#[test]
fn ids_have_an_age() {
    on_every_store(|w| {
        w.buy("a", 10);
        let (old, fresh) = (w.call(1), w.call(1));
        w.clock.advance(10 * MINUTE);
        ok(w.reserve(&fresh));
        w.clock.advance(1);
        assert_eq!(no(w.reserve(&old)), Refusal::TooOld { now: w.now() });
        // Known ids are answered at any age.
        ok(w.reserve(&fresh));
        let future = Timestamp(w.now().0 + 10 * MINUTE + 1);
        let entropy = tollgate::seam::SeededEntropy::new(5);
        let id = tollgate::credit::ChargeId::make(future, &w.account, &entropy).unwrap();
        assert!(matches!(no(w.reserve(&w.call_for(id, 1))), Refusal::Invalid(_)));
    });
}

#[test]
fn an_id_that_was_closed_unseen_is_never_reserved() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        assert_eq!(ok(w.release(call.charge)).returned, Amount::ZERO);
        let released = Refusal::Ended(ChargeState::Released);
        assert_eq!(no(w.reserve(&call)), released);
        assert_eq!(no(w.settle(call.charge, 5)), released);
        assert_eq!(w.columns("a"), [10, 0, 0, 0, 0]);
        let record = ok(w.charge(call.charge));
        assert_eq!((record.kind, record.key), (None, None));
    });
}

#[test]
fn each_charge_ends_once() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        let settled = ok(w.settle(call.charge, 3));
        assert_eq!(ok(w.settle(call.charge, 3)), settled);
        assert_eq!(no(w.settle(call.charge, 4)), Refusal::Conflict);
        assert_eq!(no(w.release(call.charge)), Refusal::Ended(ChargeState::Settled));
        assert_eq!(no(w.doubt(call.charge)), Refusal::Ended(ChargeState::Settled));
        assert_eq!(no(w.reserve(&call)), Refusal::Ended(ChargeState::Settled));
        assert_eq!(w.extend(call.charge), Extended::Ended);
        assert_eq!(w.columns("a"), [7, 0, 3, 0, 0]);
    });
}

#[test]
fn a_refusal_leaves_no_trace() {
    on_every_store(|w| {
        w.buy("a", 10);
        ok(w.grant(&Grant {
            expires: Some(w.now().plus_ms(MINUTE)),
            ..w.granting("short", Class::Free, 3)
        }));
        let held = w.call(4);
        ok(w.reserve(&held));
        // Due work waits: an expiry, and a lapsed lease.
        w.clock.advance(LEASE);
        let before = w.everything();
        let gates = Gates { allowances: vec![w.allowance("daily", 1)], ..Gates::default() };
        let rate = |us| RateCheck {
            name: "pace".into(),
            scope: Scope::Account,
            interval_us: us,
            burst: 1,
        };
        let slot = SlotCheck { name: "none".into(), scope: Scope::Account, limit: 0 };
        let cap = w.cap("none", Measure::Requests, 0);
        let refused = [
            Reserve { gates: gates.clone(), ..w.call(99) },
            Reserve { gates: Gates { slots: vec![slot], ..gates.clone() }, ..w.call(1) },
            Reserve { gates: Gates { caps: vec![cap], ..gates.clone() }, ..w.call(1) },
            Reserve {
                gates: Gates { rates: vec![rate(1), rate(1_000_000)], ..gates.clone() },
                ..w.call(99)
            },
            Reserve { document_version: 0, ..w.call(1) },
            Reserve { key: crate::ledger_world::key_of(&w.account, 0), ..w.call(1) },
            Reserve { fingerprint: [0; 32], ..held.clone() },
            Reserve { note: vec![b'x'; NOTE_MAX + 1], ..w.call(1) },
        ];
        for call in refused {
            no(w.reserve(&call));
            assert_eq!(w.everything(), before);
        }
        ok(wait(w.store.ledger().quote(Reserve { gates: gates.clone(), ..w.call(1) })));
        w.view(&gates);
        no(w.settle(w.id(), 1));
        no(w.doubt(w.id()));
        no(w.grant(&w.granting("zero", Class::Bonus, 0)));
        no(w.grant(&w.granting("a", Class::Purchased, 11)));
        no(w.grant(&w.granting("x", Class::Debt, 1)));
        no(w.grant(&w.granting("daily@2026-11-22", Class::Bonus, 1)));
        assert_eq!(w.everything(), before);
    });
}

#[test]
fn a_shortage_says_when_waiting_helps() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = Reserve { timeout_ms: 30_000, ..w.call(10) };
        let begun = ok(w.reserve(&call)).at;
        let gates = Gates { allowances: vec![w.allowance("daily", 1)], ..Gates::default() };
        let refill = gates.allowances[0].periods[0].end;
        let refused = no(w.reserve(&Reserve { gates, ..w.call(8) }));
        assert_eq!(
            refused,
            Refusal::Insufficient {
                required: credits(8),
                available: credits(1),
                held: credits(10),
                freed_at: Some(begun.plus_ms(30_000)),
                refill_at: Some(refill),
            }
        );
        let refused = no(w.reserve(&w.call(11)));
        assert!(matches!(refused, Refusal::Insufficient { freed_at: None, refill_at: None, .. }));
    });
}

#[test]
fn a_price_of_zero_passes_the_gates() {
    on_every_store(|w| {
        let caps = vec![w.cap("requests", Measure::Requests, 1)];
        let gates = Gates { caps, ..Gates::default() };
        let call = Reserve { gates: gates.clone(), ..w.call(0) };
        assert!(ok(w.reserve(&call)).legs.is_empty());
        let second = Reserve { gates, ..w.call(0) };
        assert!(matches!(no(w.reserve(&second)), Refusal::CapExceeded { .. }));
        assert_eq!(ok(w.settle(call.charge, 0)).charged, Amount::ZERO);
    });
}

#[test]
fn an_allowance_comes_once_a_period() {
    on_every_store(|w| {
        let gates =
            |w: &World| Gates { allowances: vec![w.allowance("daily", 10)], ..Gates::default() };
        let call = Reserve { gates: gates(&w), ..w.call(4) };
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 4));
        // A larger one of the same name does not come again: the bucket grows by the difference, once.
        let mut more = gates(&w);
        more.allowances[0].amount = credits(50);
        let view = w.view(&more);
        assert_eq!(columns(&view.buckets[0]), [46, 0, 4, 0, 0]);
        assert_eq!(columns(&w.view(&more).buckets[0]), [46, 0, 4, 0, 0]);
        w.clock.advance(DAY);
        let view = w.view(&gates(&w));
        let shown: Vec<_> = view.buckets.iter().map(|b| (b.id.to_string(), columns(b))).collect();
        assert_eq!(
            shown,
            [
                ("daily@2026-11-23".to_owned(), [10, 0, 0, 0, 0]),
                ("daily@2026-11-22".to_owned(), [0, 0, 4, 6, 0]),
            ]
        );
    });
}

#[test]
fn too_much_due_work_asks_for_a_tick() {
    on_every_store(|w| {
        w.buy("a", 100);
        let calls: Vec<_> = (0..20).map(|_| w.call(1)).collect();
        calls.iter().for_each(|call| drop(ok(w.reserve(call))));
        w.clock.advance(LEASE);
        assert_eq!(no(w.reserve(&w.call(1))), Refusal::Tick);
        assert_eq!(ok(wait(w.store.ledger().due(9))), vec![w.account.clone()]);
        assert_eq!(w.tick(), 20);
        assert_eq!(ok(wait(w.store.ledger().due(9))), vec![]);
        ok(w.reserve(&w.call(1)));
    });
}

#[test]
fn dead_buckets_are_archived_and_nothing_is_lost() {
    on_every_store(|w| {
        let spent = w.granting("spent", Class::Bonus, 10);
        let first = ok(w.grant(&spent));
        let call = w.call(10);
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 10));
        w.buy("rest", 10);
        w.clock.advance(30 * DAY);
        let call = w.call(1);
        ok(w.reserve(&call));
        assert!(!w.has("spent"));
        let sums = [credits(10), credits(10), Amount::ZERO, Amount::ZERO];
        assert_eq!(w.view(&Gates::default()).archived, vec![(kind(), sums)]);
        // Its grant is known for ever.
        assert_eq!(ok(w.grant(&spent)), first);
        assert!(!w.has("spent"));
    });
}

#[test]
fn the_65th_live_bucket_is_refused() {
    on_every_store(|w| {
        (0..64).for_each(|n| drop(w.buy(&format!("b{n}"), 1)));
        let refused = no(w.grant(&w.granting("one-more", Class::Bonus, 1)));
        assert!(matches!(refused, Refusal::TooMany(_)));
    });
}

#[test]
fn amounts_stay_below_two_to_the_53() {
    on_every_store(|w| {
        let all = Grant { amount: Amount::MAX, ..w.granting("all", Class::Purchased, 1) };
        ok(w.grant(&all));
        assert!(matches!(
            no(w.grant(&w.granting("more", Class::Purchased, 1))),
            Refusal::Invalid(_)
        ));
        let call = Reserve { amount: Amount::MAX, ..w.call(1) };
        ok(w.reserve(&call));
        let settle = Settle {
            account: w.account.clone(),
            charge: call.charge,
            actual: Amount::MAX,
            explanation: Vec::new(),
        };
        assert_eq!(ok(wait(w.store.ledger().settle(settle))).charged, Amount::MAX);
    });
}

#[test]
fn the_directory_is_idempotent_and_lists_in_order() {
    on_every_store(|w| {
        let ledger = w.store.ledger();
        let call = new_account(&"acct_bob".parse().unwrap());
        let made = ok(wait(ledger.create_account(call.clone())));
        assert_eq!(ok(wait(ledger.create_account(call.clone()))), made);
        let other = NewAccount { plan: "free".into(), ..call.clone() };
        assert_eq!(no(wait(ledger.create_account(other))), Refusal::Conflict);
        let lost = NewAccount { account: "acct_x".parse().unwrap(), zone: "Mars/X".into(), ..call };
        assert!(matches!(no(wait(ledger.create_account(lost))), Refusal::Invalid(_)));
        let ids = |after: Option<&str>, limit| -> Vec<String> {
            let after = after.map(|id| id.parse().unwrap());
            let page = ok(wait(ledger.accounts(after, limit)));
            page.iter().map(|document| document.account.to_string()).collect()
        };
        assert_eq!(ids(None, 9), ["acct_bob", "acct_maria"]);
        assert_eq!(ids(None, 1), ["acct_bob"]);
        assert_eq!(ids(Some("acct_bob"), 9), ["acct_maria"]);
        assert_eq!(ok(wait(ledger.document_of_key(w.key))).account, w.account);
        let bob = neighbour(&w.account);
        ok(wait(ledger.create_account(new_account(&bob))));
        let stolen = NewKey {
            member: None,
            routes: Vec::new(),
            account: bob,
            id: w.key,
            hash: [1; 32],
            label: "".into(),
            ends: None,
        };
        assert_eq!(no(wait(ledger.create_key(stolen))), Refusal::Conflict);
    });
}

#[test]
fn charges_are_listed_newest_first_and_by_instance() {
    on_every_store(|w| {
        w.buy("a", 100);
        let ids: Vec<_> = (0..5)
            .map(|n| {
                w.clock.advance(1);
                let call = Reserve { instance: format!("i{}", n % 2), ..w.call(1) };
                ok(w.reserve(&call));
                call.charge
            })
            .collect();
        ok(w.settle(ids[0], 1));
        let list = |before, limit| -> Vec<_> {
            let page = ok(wait(w.store.ledger().charges(w.account.clone(), before, limit)));
            page.iter().map(|record| record.charge).collect()
        };
        assert_eq!(list(None, 2), [ids[4], ids[3]]);
        assert_eq!(list(Some(ids[3]), 9), [ids[2], ids[1], ids[0]]);
        let open = ok(wait(w.store.ledger().open_of("i0".into())));
        assert_eq!(open.iter().map(|o| o.charge).collect::<Vec<_>>(), [ids[2], ids[4]]);
    });
}

#[test]
fn another_account_cannot_touch_a_charge() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        let bob = neighbour(&w.account);
        ok(wait(w.store.ledger().create_account(new_account(&bob))));
        let settle = Settle {
            account: bob.clone(),
            charge: call.charge,
            actual: credits(1),
            explanation: vec![],
        };
        assert_eq!(no(wait(w.store.ledger().settle(settle))), Refusal::UnknownCharge);
        let release = Release { account: bob.clone(), charge: call.charge, explanation: vec![] };
        assert_eq!(no(wait(w.store.ledger().release(release))), Refusal::UnknownCharge);
        let before = w.everything();
        let of_bob = Reserve { account: bob, ..call };
        assert!(
            matches!(no(w.reserve(&of_bob)), Refusal::Invalid(why) if why.contains("another account"))
        );
        assert_eq!(w.everything(), before);
    });
}

#[test]
fn an_id_lies_where_its_account_lies() {
    on_every_store(|w| {
        let call = w.call(5);
        ok(w.reserve(&Reserve { amount: Amount::ZERO, ..call.clone() }));
        let ada: tollgate::credit::AccountId = "acct_ada".parse().unwrap();
        ok(wait(w.store.ledger().create_account(new_account(&ada))));
        let before = w.everything();
        let elsewhere = Reserve { account: ada.clone(), ..w.call(0) };
        assert!(matches!(no(w.reserve(&elsewhere)), Refusal::Invalid(_)));
        let (account, charge) = (ada.clone(), call.charge);
        let release = Release { account, charge, explanation: vec![] };
        assert_eq!(no(wait(w.store.ledger().release(release))), Refusal::UnknownCharge);
        let key = NewKey {
            member: None,
            routes: Vec::new(),
            account: ada,
            id: w.key,
            hash: [1; 32],
            label: "".into(),
            ends: None,
        };
        assert!(matches!(no(wait(w.store.ledger().create_key(key))), Refusal::Invalid(_)));
        assert_eq!(w.everything(), before);
    });
}

#[test]
fn while_the_wall_has_jumped_nothing_is_decided() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        let (before, now) = (w.everything(), w.now());
        w.clock.set_wall(now.plus_ms(5 * MINUTE + 1));
        assert_eq!(no(w.reserve(&w.call(1))), Refusal::ClockJump);
        assert_eq!(no(w.settle(call.charge, 5)), Refusal::ClockJump);
        w.clock.set_wall(now);
        assert_eq!(w.everything(), before);
        // A step back changes nothing: time stands at the mark.
        w.clock.set_wall(Timestamp(now.0 - 5 * MINUTE));
        assert_eq!(ok(w.reserve(&w.call_for(w.call(1).charge, 1))).at, now);
    });
}

#[test]
fn a_correction_goes_to_the_period_before() {
    on_every_store(|w| {
        w.buy("a", 100);
        let gates = |w: &World| Gates {
            caps: vec![w.cap("spend", Measure::Credits, credits(99).micro())],
            ..Gates::default()
        };
        let counted = |w: &World, day: &str| -> Option<u64> {
            let text = w.readable();
            let spans = text.split("spans: ").nth(1)?;
            let used = spans.split(day).nth(1)?.split("used: ").nth(1)?;
            used.split(',').next()?.parse().ok()
        };
        let old = Reserve { gates: gates(&w), ..w.call(30) };
        ok(w.reserve(&old));
        w.clock.advance(DAY);
        ok(w.reserve(&Reserve { gates: gates(&w), ..w.call(5) }));
        ok(w.settle(old.charge, 10));
        assert_eq!(counted(&w, "2026-11-22"), Some(credits(10).micro()));
        assert_eq!(counted(&w, "2026-11-23"), Some(credits(5).micro()));
        w.clock.advance(DAY);
        ok(w.reserve(&Reserve { gates: gates(&w), ..w.call(1) }));
        assert_eq!(counted(&w, "2026-11-22"), None);
    });
}

#[test]
fn what_a_deadline_charged_is_given_back_to_caps_too() {
    on_every_store(|w| {
        w.buy("a", 100);
        let caps = vec![
            w.cap("requests", Measure::Requests, 9),
            CapCheck { refundable: false, ..w.cap("spend", Measure::Credits, u64::MAX) },
        ];
        let gates = Gates { caps, ..Gates::default() };
        let used = || w.view(&gates).caps.iter().map(|cap| cap.used).collect::<Vec<_>>();
        let on_unknown = OnUnknown::Charge;
        let call = Reserve { on_unknown, gates: gates.clone(), ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        w.tick();
        assert_eq!(used(), [1, credits(10).micro()]);
        ok(w.release(call.charge));
        assert_eq!(used(), [0, credits(10).micro()]);
    });
}

#[test]
fn doubting_twice_does_not_move_the_deadline() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(10);
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        let deadline = ok(w.charge(call.charge)).deadline;
        w.clock.advance(MINUTE);
        ok(w.doubt(call.charge));
        assert_eq!(ok(w.charge(call.charge)).deadline, deadline);
    });
}

#[test]
fn only_holds_that_end_soon_and_return_are_worth_waiting_for() {
    // (timeout, whether the bucket outlives it) → whether waiting helps
    let table = [(MINUTE, true, true), (MINUTE + 1, true, false), (MINUTE, false, false)];
    for (timeout_ms, outlives, helps) in table {
        on_every_store(|w| {
            let expires = (!outlives).then(|| w.now().plus_ms(MINUTE / 2));
            ok(w.grant(&Grant { expires, ..w.granting("a", Class::Bonus, 10) }));
            ok(w.reserve(&Reserve { timeout_ms, ..w.call(10) }));
            let refused = no(w.reserve(&w.call(1)));
            let Refusal::Insufficient { freed_at, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(freed_at.is_some(), helps, "{timeout_ms} {outlives}");
        });
    }
    // An unknown outcome helps by its deadline, and only if that releases.
    for (on_unknown, helps) in
        [(OnUnknown::Release, true), (OnUnknown::Charge, false), (OnUnknown::Hold, false)]
    {
        on_every_store(|w| {
            w.buy("a", 10);
            let call = Reserve { on_unknown, reconcile_ms: 9_000, ..w.call(10) };
            ok(w.reserve(&call));
            ok(w.doubt(call.charge));
            let refused = no(w.reserve(&w.call(1)));
            let Refusal::Insufficient { freed_at, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(freed_at, helps.then(|| w.now().plus_ms(9_000)));
        });
    }
}

#[test]
fn due_names_accounts_that_wait() {
    on_every_store(|w| {
        let due = || ok(wait(w.store.ledger().due(9)));
        let expires = Some(w.now().plus_ms(MINUTE));
        ok(w.grant(&Grant { expires, ..w.granting("a", Class::Free, 3) }));
        assert!(due().is_empty());
        w.clock.advance(MINUTE);
        assert_eq!(due(), vec![w.account.clone()]);
        assert_eq!(w.tick(), 1);
        assert!(due().is_empty());
        assert_eq!(w.columns("a"), [0, 0, 0, 3, 0]);
    });
}

#[test]
fn kinds_never_mix() {
    on_every_store(|w| {
        w.buy("a", 10);
        let scans = Grant { kind: "scans".parse().unwrap(), ..w.granting("s", Class::Bonus, 5) };
        ok(w.grant(&scans));
        let call = Reserve { kind: "scans".parse().unwrap(), ..w.call(6) };
        assert!(matches!(no(w.reserve(&call)), Refusal::Insufficient { .. }));
        let call = Reserve { kind: "scans".parse().unwrap(), ..w.call(5) };
        ok(w.reserve(&call));
        let settled = ok(w.settle(call.charge, 9));
        assert_eq!((settled.charged, settled.debt), (credits(9), credits(4)));
        assert_eq!(w.buy("b", 10).repaid, Amount::ZERO);
        assert_eq!(w.columns("a"), [10, 0, 0, 0, 0]);
        let scans = Grant { kind: "scans".parse().unwrap(), ..w.granting("t", Class::Bonus, 5) };
        assert_eq!(ok(w.grant(&scans)).repaid, credits(4));
    });
}

#[test]
fn a_grant_is_given_once() {
    on_every_store(|w| {
        let call = w.granting("a", Class::Purchased, 10);
        let first = ok(w.grant(&call));
        let spent = w.call(10);
        ok(w.reserve(&spent));
        assert_eq!(ok(w.grant(&call)), first);
        let other = Grant { amount: credits(11), ..call };
        assert_eq!(no(w.grant(&other)), Refusal::Conflict);
        assert_eq!(w.columns("a"), [0, 10, 0, 0, 0]);
    });
}

#[test]
fn a_closed_account_stays_closed_and_its_charges_still_end() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        let change = |status| {
            let account = w.account.clone();
            let status = Some(status);
            wait(
                w.store
                    .ledger()
                    .change_account(AccountChange { status, ..AccountChange::of(account) }),
            )
        };
        let closed = Refusal::AccountStatus(AccountStatus::Closed);
        let version = ok(change(AccountStatus::Closed)).version;
        assert_eq!(ok(change(AccountStatus::Closed)).version, version);
        assert_eq!(no(change(AccountStatus::Active)), closed);
        assert_eq!(no(w.grant(&w.granting("b", Class::Bonus, 1))), closed);
        assert_eq!(no(w.reserve(&Reserve { document_version: version, ..w.call(1) })), closed);
        assert_eq!(ok(w.settle(call.charge, 5)).charged, credits(5));
    });
}

#[test]
fn an_ended_charge_is_forgotten_after_thirty_days() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(5);
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 5));
        w.clock.advance(30 * DAY - 1);
        assert_eq!(ok(w.charge(call.charge)).explanation, b"{}");
        w.clock.advance(1);
        assert_eq!(no(w.charge(call.charge)), Refusal::UnknownCharge);
        assert_eq!(no(w.settle(call.charge, 5)), Refusal::UnknownCharge);
        assert!(matches!(no(w.reserve(&call)), Refusal::TooOld { .. }));
        ok(w.reserve(&w.call(1)));
        assert!(!w.readable().contains(&call.charge.to_string()));
    });
}

#[test]
fn an_id_that_is_closed_again_after_it_was_forgotten_is_remembered_anew() {
    on_every_store(|w| {
        let charge = w.id();
        ok(w.release(charge));
        w.clock.advance(30 * DAY);
        ok(w.release(charge));
        w.buy("a", 10);
        ok(w.reserve(&w.call(1)));
        assert_eq!(no(w.settle(charge, 1)), Refusal::Ended(ChargeState::Released));
    });
}

#[test]
fn a_renewed_lease_is_kept() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(1);
        ok(w.reserve(&call));
        w.clock.advance(LEASE - 1);
        w.extend(call.charge);
        w.clock.advance(LEASE - 1);
        assert_eq!(w.tick(), 0);
        assert_eq!(ok(w.charge(call.charge)).state, ChargeState::Held);
        w.clock.advance(1);
        assert_eq!(w.tick(), 1);
    });
}

#[test]
fn due_names_grants_that_begin() {
    on_every_store(|w| {
        let effective = Some(w.now().plus_ms(MINUTE));
        ok(w.grant(&Grant { effective, ..w.granting("a", Class::Bonus, 3) }));
        w.clock.advance(MINUTE - 1);
        assert!(ok(wait(w.store.ledger().due(9))).is_empty());
        w.clock.advance(1);
        assert_eq!(ok(wait(w.store.ledger().due(9))), vec![w.account.clone()]);
        assert_eq!(w.tick(), 1);
        assert!(ok(wait(w.store.ledger().due(9))).is_empty());
    });
}

#[test]
fn what_a_deadline_took_rightly_stays_where_it_was_taken() {
    on_every_store(|w| {
        let expires = Some(w.now().plus_ms(HOUR + MINUTE));
        ok(w.grant(&Grant { expires, ..w.granting("soon", Class::Bonus, 6) }));
        w.buy("other", 10);
        let call = Reserve { on_unknown: OnUnknown::Charge, ..w.call(10) };
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        w.tick();
        w.clock.advance(MINUTE);
        // The first bucket has ended since; what it paid rightly does not come back and expire.
        ok(w.settle(call.charge, 8));
        assert_eq!(w.columns("soon"), [0, 0, 6, 0, 0]);
        assert_eq!(w.columns("other"), [8, 0, 2, 0, 0]);
    });
}

#[test]
fn a_release_confirms_what_a_deadline_released() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = w.call(10);
        ok(w.reserve(&call));
        ok(w.doubt(call.charge));
        w.clock.advance(HOUR);
        w.tick();
        assert!(ok(w.charge(call.charge)).by_deadline);
        assert_eq!(ok(w.release(call.charge)).returned, credits(10));
        assert!(!ok(w.charge(call.charge)).by_deadline);
        assert_eq!(w.columns("a"), [10, 0, 0, 0, 0]);
    });
}

#[test]
fn a_faster_rate_forgets_the_slower_ones_debt() {
    on_every_store(|w| {
        w.buy("a", 10);
        let pass = |interval_us| {
            let scope = Scope::Account;
            let rate = RateCheck { name: "pace".into(), scope, interval_us, burst: 1 };
            w.reserve(&Reserve {
                gates: Gates { rates: vec![rate], ..Gates::default() },
                ..w.call(1)
            })
        };
        ok(pass(DAY * 1_000));
        // An operator has made the limit faster: nobody waits for the old one.
        let Refusal::RateLimited { retry_at, .. } = no(pass(1_000_000)) else { panic!() };
        assert_eq!(retry_at, w.now().plus_ms(1_000));
    });
}

#[test]
fn good_will_never_joins_a_bucket_that_is_not_its_like() {
    let before = |w: &World, days: u64| Some(w.now().plus_ms(days * DAY));
    // What an operator has given under the id that good will for the charge would have.
    type Given = fn(&World, Grant) -> Grant;
    let table: [Given; 3] = [
        |_, gift| Grant { kind: "scans".parse().unwrap(), ..gift },
        |w, gift| Grant { expires: Some(w.now().plus_ms(MINUTE)), ..gift },
        |_, gift| Grant { class: Class::Free, ..gift },
    ];
    for given in table {
        on_every_store(|w| {
            let expires = Some(w.now().plus_ms(MINUTE));
            ok(w.grant(&Grant { expires, ..w.granting("a", Class::Purchased, 10) }));
            let call = w.call(10);
            ok(w.reserve(&call));
            let id = format!("gw:{}", call.charge);
            ok(w.grant(&given(&w, w.granting(&id, Class::Goodwill, 5))));
            w.clock.advance(MINUTE);
            ok(w.settle(call.charge, 4));
            assert_eq!(w.columns("a"), [0, 0, 4, 6, 0]);
            // The six credits that came back are credits, and live for three days.
            let view = w.view(&Gates::default());
            let back: Vec<_> = view.buckets.iter().filter(|b| b.granted == credits(6)).collect();
            let [bucket] = back[..] else { panic!("{:?}", view.buckets) };
            let found = (bucket.kind.clone(), bucket.class, bucket.expires);
            assert_eq!(found, (kind(), Class::Goodwill, before(&w, 3)));
        });
    }
}

#[test]
fn a_long_list_of_open_charges_is_whole() {
    on_every_store(|w| {
        w.buy("a", 10);
        let calls: Vec<_> = (0..5).map(|_| w.call(1)).collect();
        calls.iter().for_each(|call| drop(ok(w.reserve(call))));
        ok(w.release(calls[0].charge));
        let page = ok(wait(w.store.ledger().charges(w.account.clone(), None, 9)));
        let open = page.iter().filter(|record| record.state == ChargeState::Held).count();
        assert_eq!((page.len(), open), (5, 4));
    });
}
