//! An audit of a ledger that is well finds nothing, on every store; what is compared can differ.

use std::sync::Arc;

use tollgate::credit::Measure;
use tollgate::ledger::*;
use tollgate::seam::SimulatedClock;

use crate::ledger_redis::RedisStore;
use crate::ledger_world::{NOON, Store, World, credits, ok, on_every_store, wait};

fn audited(w: &World) -> AccountAudit {
    ok(wait(audit(w.store.ledger(), w.account.clone())))
}

fn story(w: &World) {
    w.buy("a", 10);
    w.buy("b", 10);
    let gates =
        || Gates { caps: vec![w.cap("daily", Measure::Credits, 100_000_000)], ..Gates::default() };
    let calls: Vec<_> = (0..4).map(|_| Reserve { gates: gates(), ..w.call(4) }).collect();
    calls.iter().for_each(|call| drop(ok(w.reserve(call))));
    ok(w.settle(calls[0].charge, 3));
    ok(w.release(calls[1].charge));
    ok(w.settle(calls[2].charge, 6));
}

#[test]
fn what_is_well_holds() {
    on_every_store(|w| {
        story(&w);
        let found = audited(&w);
        assert_eq!(found.books.breaches, []);
        assert_eq!((found.charges, found.books.open, found.caps_compared), (4, 1, true));
        assert_eq!(found.books.buckets.len(), 2);
        let used: u64 = found.books.counters.iter().map(|counter| counter.used).sum();
        assert_eq!(used, credits(3 + 6 + 4).micro());
    });
}

/// What is compared would be found: the same books with a cap that counts too little.
#[test]
fn a_look_is_repeated_while_the_account_changes() {
    on_every_store(|w| {
        story(&w);
        let before = audited(&w).books.stamp;
        assert_eq!(audited(&w).books.stamp, before, "looking changes nothing");
        ok(w.reserve(&w.call(1)));
        assert_ne!(audited(&w).books.stamp, before);
    });
}

/// What the scripts keep beside the rules' own is compared as well: a server that has lost the open charges of an
/// account, and nothing else, is found out.
#[test]
fn what_a_server_has_lost_is_found() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let w = World::with(Store::Redis(Box::new(RedisStore::start(&clock))), clock);
    story(&w);
    assert_eq!(audited(&w).books.breaches, []);
    let Store::Redis(store) = &w.store else { unreachable!() };
    let keys: Vec<String> = store.server().say(&format!("KEYS *o:{}", w.account));
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let gone: u64 = store.server().say(&format!("DEL {key}"));
    assert_eq!(gone, 1);
    let found = audited(&w).books.breaches;
    let names: Vec<_> = found.iter().map(|breach| breach.invariant).collect();
    assert_eq!(names, ["I4", "I8", "I8"], "{found:?}");
}
