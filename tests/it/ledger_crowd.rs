//! Many at once on one account: exactly one settles a charge, exactly as many reserve as there is money for, and a
//! deadline and a settlement that meet do not both happen. On the embedded store with threads, on Redis with several
//! connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use tollgate::credit::{Amount, ChargeId, Class};
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock};

use crate::ledger_redis::{RedisStore, create, open, settings};
use crate::ledger_world::{
    HOUR, NOON, Store, World, bucket, credits, embedded_in_memory, ok, wait,
};
use crate::redis_server::RedisServer;

const CROWD: usize = 100;

/// A world, and ways to its ledger.
fn crowded(story: impl Fn(&World, &[&dyn Ledger])) {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let world = World::with(Store::Embedded(embedded_in_memory(&clock)), clock);
    story(&world, &[world.store.ledger()]);

    let clock = Arc::new(SimulatedClock::at(NOON));
    let server = RedisServer::start(&[]);
    create(&server, true);
    let others = [(); 4].map(|()| open(&settings(&server), &clock));
    let store = RedisStore::of(open(&settings(&server), &clock), server);
    let world = World::with(Store::Redis(Box::new(store)), clock);
    let mut ways = vec![world.store.ledger()];
    ways.extend(others.iter().map(|ledger| ledger as &dyn Ledger));
    story(&world, &ways);
}

/// Asks so many times at once, each from a thread of its own, and counts the answers.
fn at_once<T: std::fmt::Debug>(
    ways: &[&dyn Ledger],
    ask: impl Fn(usize, &dyn Ledger) -> Answer<T> + Sync,
) -> BTreeMap<String, usize> {
    let barrier = Barrier::new(CROWD);
    let mut said = BTreeMap::new();
    std::thread::scope(|scope| {
        let ask = &ask;
        let barrier = &barrier;
        let threads: Vec<_> = (0..CROWD)
            .map(|n| {
                let way = ways[n % ways.len()];
                scope.spawn(move || {
                    barrier.wait();
                    format!("{:?}", ask(n, way))
                })
            })
            .collect();
        for thread in threads {
            *said.entry(thread.join().unwrap()).or_default() += 1;
        }
    });
    said
}

fn settle(w: &World, charge: ChargeId, actual: u64) -> Settle {
    let account = w.account.clone();
    Settle { account, charge, actual: credits(actual), explanation: Vec::new() }
}

/// How many of the answers begin so.
fn of(said: &BTreeMap<String, usize>, what: &str) -> usize {
    said.iter().filter(|(text, _)| text.starts_with(what)).map(|(_, n)| n).sum()
}

#[test]
fn a_hundred_settle_one_charge_once() {
    crowded(|w, ways| {
        w.buy("p", 100);
        let call = w.call(10);
        ok(w.reserve(&call));
        let charge = call.charge;
        // The same: all get the same answer.
        let said = at_once(ways, |_, ledger| wait(ledger.settle(settle(w, charge, 7))));
        assert_eq!(said.values().copied().collect::<Vec<_>>(), [CROWD], "{said:?}");
        assert_eq!(of(&said, "Applied"), CROWD);
        assert_eq!(w.columns("p"), [93, 0, 7, 0, 0]);
        // Each another amount: one is right, and what it said is what was spent.
        let call = w.call(50);
        ok(w.reserve(&call));
        let charge = call.charge;
        let said =
            at_once(ways, |n, ledger| wait(ledger.settle(settle(w, charge, 1 + n as u64 % 50))));
        let charged = ok(w.charge(charge)).charged;
        // Those two that asked for the same amount are both answered.
        assert_eq!((of(&said, "Applied"), of(&said, "Refused(Conflict")), (2, 98), "{said:?}");
        assert_eq!(w.columns("p")[2], 7 + charged.micro() / Amount::MICRO);
    });
}

#[test]
fn as_many_reserve_as_there_is_money_for() {
    crowded(|w, ways| {
        w.buy("p", 37 * 3 + 2);
        let calls: Vec<_> = (0..CROWD).map(|_| w.call(3)).collect();
        let said = at_once(ways, |n, ledger| match wait(ledger.reserve(calls[n].clone())) {
            Answer::Applied(_) => Answer::Applied("held"),
            Answer::Refused(refusal) => Answer::Refused(refusal),
            Answer::Unknown(why) => Answer::Unknown(why),
        });
        let insufficient = of(&said, "Refused(Insufficient");
        assert_eq!((of(&said, "Applied"), insufficient), (37, 63), "{said:?}");
        assert_eq!(w.columns("p"), [2, 111, 0, 0, 0]);
    });
}

#[test]
fn a_hundred_refunds_and_grants_and_claims_of_one_id_are_one() {
    crowded(|w, ways| {
        w.buy("p", 20);
        let call = w.call(10);
        ok(w.reserve(&call));
        ok(w.settle(call.charge, 10));
        let refund = |n: usize| Refund {
            account: w.account.clone(),
            charge: call.charge,
            id: bucket(&format!("r{}", n % 4)),
            amount: credits(1),
            reason: String::new(),
        };
        let said = at_once(ways, |n, ledger| wait(ledger.refund(refund(n))).map(|_| ()));
        assert_eq!(of(&said, "Applied"), CROWD, "{said:?}");
        assert_eq!(w.columns("p"), [14, 0, 6, 0, 0]);
        let grant = w.granting("bonus", Class::Bonus, 5);
        let said = at_once(ways, |_, ledger| wait(ledger.grant(grant.clone())));
        assert_eq!(said.values().copied().collect::<Vec<_>>(), [CROWD], "{said:?}");
        assert_eq!(w.columns("bonus"), [5, 0, 0, 0, 0]);
        // A thousand claims of one person's accounts: two have free credits.
        let mut has = 0;
        for round in 0..10 {
            let claim = |n: usize| FreeClaim {
                person: "p1".into(),
                account: format!("acct_c{}", round * CROWD + n).parse().unwrap(),
                limit: 2,
            };
            has +=
                of(&at_once(ways, |n, ledger| wait(ledger.claim_free(claim(n)))), "Applied(true");
        }
        assert_eq!(has, 2);
    });
}

/// A settlement and a tick that meet at the deadline, a moment before it and a moment after.
#[test]
fn a_deadline_and_a_settlement_do_not_both_happen() {
    crowded(|w, ways| {
        w.buy("p", 1_000);
        let mut seen = BTreeMap::<bool, u64>::new();
        let mut spent = 0;
        for round in 0..30_u64 {
            let call = Reserve { reconcile_ms: HOUR, ..w.call(4) };
            ok(w.reserve(&call));
            ok(w.doubt(call.charge));
            // A millisecond before it, at it, a millisecond after it.
            w.clock.advance(HOUR - 1 + round % 3);
            let at = w.clock.now();
            let said = at_once(ways, |n, ledger| {
                if n % 2 == 0 {
                    wait(ledger.settle(settle(w, call.charge, 3))).map(|settled| settled.late)
                } else {
                    wait(ledger.tick(w.account.clone())).map(|_| false)
                }
            });
            assert_eq!(of(&said, "Applied"), CROWD, "round {round}: {said:?}");
            let record = ok(w.charge(call.charge));
            assert_eq!((record.state, record.charged), (ChargeState::Settled, credits(3)));
            assert_eq!((record.ended, record.by_deadline), (Some(at), false));
            let late = said.contains_key("Applied(true)");
            assert!(!late || round % 3 > 0, "late before the deadline: {said:?}");
            *seen.entry(late).or_default() += 1;
            spent += 3;
            assert_eq!(w.columns("p"), [1_000 - spent, 0, spent, 0, 0], "round {round}");
        }
        println!("late or not: {seen:?}");
        assert_eq!(w.view(&Gates::default()).open.len(), 0);
    });
}
