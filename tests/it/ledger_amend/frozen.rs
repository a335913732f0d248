//! Frozen buckets: they neither pay nor end.

use tollgate::credit::{Class, Standing};
use tollgate::ledger::*;

use super::{again, charged, freeze, on_every_store, refused, withdraw};
use crate::ledger_world::{DAY, HOUR, credits, no, ok};

#[test]
fn a_frozen_bucket_neither_pays_nor_ends() {
    on_every_store(|w| {
        let end = w.now().plus_ms(HOUR);
        ok(w.grant(&Grant { expires: Some(end), ..w.granting("a", Class::Purchased, 10) }));
        let held = w.call(3);
        ok(w.reserve(&held));
        let frozen = ok(freeze(w, "a", true, None));
        assert_eq!((frozen.standing, frozen.expires), (Standing::Frozen, Some(end)));
        again(w, || freeze(w, "a", true, None));
        assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Insufficient { .. }));
        // What runs already goes on.
        ok(w.settle(held.charge, 2));
        w.clock.advance(2 * HOUR);
        assert_eq!(w.tick(), 0);
        assert_eq!(w.columns("a"), [8, 0, 2, 0, 0]);
        assert!(ok(wait_due(w)).is_empty());
        // Thawed with another end it pays again.
        let later = w.now().plus_ms(DAY);
        let thawed = ok(freeze(w, "a", false, Some(Some(later))));
        assert_eq!((thawed.standing, thawed.expires), (Standing::Active, Some(later)));
        charged(w, 5, 5);
        w.clock.advance(DAY);
        assert_eq!(w.tick(), 1);
        assert_eq!(w.columns("a"), [0, 0, 7, 3, 0]);
    });
}

fn wait_due(w: &crate::ledger_world::World) -> Answer<Vec<tollgate::credit::AccountId>> {
    crate::ledger_world::wait(w.store.ledger().due(10))
}

#[test]
fn thawed_after_its_end_it_ends() {
    on_every_store(|w| {
        let end = w.now().plus_ms(HOUR);
        ok(w.grant(&Grant { expires: Some(end), ..w.granting("a", Class::Purchased, 10) }));
        ok(freeze(w, "a", true, None));
        w.clock.advance(2 * HOUR);
        ok(freeze(w, "a", false, None));
        assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Insufficient { .. }));
        assert_eq!(w.tick(), 1);
        assert_eq!(w.columns("a"), [0, 0, 0, 10, 0]);
    });
}

#[test]
fn an_end_can_be_taken_away_and_draw_order_follows() {
    on_every_store(|w| {
        let end = Some(w.now().plus_ms(DAY));
        for id in ["a", "b"] {
            ok(w.grant(&Grant { expires: end, ..w.granting(id, Class::Purchased, 10) }));
        }
        ok(freeze(w, "a", false, Some(None)));
        // The one that ends pays first now.
        charged(w, 4, 4);
        assert_eq!((w.columns("a"), w.columns("b")), ([10, 0, 0, 0, 0], [6, 0, 4, 0, 0]));
        w.clock.advance(2 * DAY);
        assert_eq!(w.tick(), 1);
        assert_eq!((w.columns("a"), w.columns("b")), ([10, 0, 0, 0, 0], [0, 0, 4, 6, 0]));
    });
}

#[test]
fn a_frozen_bucket_can_be_taken_back() {
    on_every_store(|w| {
        w.buy("a", 10);
        ok(freeze(w, "a", true, None));
        ok(withdraw(w, "a", Withdrawal::Void));
        assert_eq!(w.columns("a"), [0, 0, 0, 0, 10]);
        assert!(matches!(refused(w, || freeze(w, "a", false, None)), Refusal::Invalid(_)));
    });
}

#[test]
fn what_cannot_be_frozen_leaves_no_trace() {
    on_every_store(|w| {
        let end = w.now().plus_ms(HOUR);
        ok(w.grant(&Grant { expires: Some(end), ..w.granting("short", Class::Free, 10) }));
        let owing = charged(w, 10, 12);
        let debt = format!("debt:{owing}");
        assert!(matches!(refused(w, || freeze(w, &debt, true, None)), Refusal::Invalid(_)));
        assert_eq!(refused(w, || freeze(w, "nothing", true, None)), Refusal::UnknownBucket);
        let past = Some(Some(w.now()));
        assert!(matches!(refused(w, || freeze(w, "short", true, past)), Refusal::Invalid(_)));
        w.clock.advance(HOUR);
        assert!(matches!(refused(w, || freeze(w, "short", true, None)), Refusal::Invalid(_)));
        assert_eq!(w.view(&Gates::default()).buckets.len(), 2);
        assert_eq!(w.buy("next", 5).repaid, credits(2));
    });
}
