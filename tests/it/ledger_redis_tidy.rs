//! What a ledger in Redis keeps and for how long: listings stay exact while names are dropped, and nothing
//! grows without a bound.

use std::collections::{BTreeMap, BTreeSet};

use ::redis::Value;
use tollgate::credit::ChargeId;
use tollgate::ledger::redis::Settings;
use tollgate::ledger::*;
use tollgate::seam::Timestamp;

use crate::ledger_redis_faults::{key, redis, world_with};
use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, World, ok, wait};

const KEPT: u64 = 3 * HOUR;

fn names(world: &World) -> u64 {
    redis(world).server().say(&format!("ZCARD {}", key(world, "h:acct_maria")))
}

fn listed(world: &World) -> Vec<ChargeId> {
    let (account, mut before, mut all) = (world.account.clone(), None, Vec::new());
    loop {
        let page = ok(wait(world.store.ledger().charges(account.clone(), before, 100)));
        let Some(last) = page.last() else { return all };
        before = Some(last.charge);
        all.extend(page.iter().map(|record| record.charge));
    }
}

/// What ended within the time for which records are kept, newest first by id, and what is open.
fn expected(
    ends: &BTreeMap<ChargeId, Timestamp>,
    open: &[ChargeId],
    now: Timestamp,
) -> Vec<ChargeId> {
    let kept = ends.iter().filter(|(_, at)| at.plus_ms(KEPT) > now).map(|(id, _)| *id);
    let all: BTreeSet<ChargeId> = kept.chain(open.iter().copied()).collect();
    all.into_iter().rev().collect()
}

#[test]
fn a_list_stays_exact_while_names_are_dropped() {
    let world = world_with(|at| Settings { refundable_for_ms: KEPT, explained_for_ms: KEPT, ..at });
    world.buy("a", 1_000_000);
    let (mut ends, mut waiting, mut most) = (BTreeMap::new(), Vec::new(), 0);
    for round in 0..150_u64 {
        for number in 0..20_u64 {
            let call = world.call(number % 3);
            ends.insert(call.charge, world.now());
            match number {
                // Kept until somebody says how it went, which may be days later.
                0 if round % 10 == 0 => {
                    let call = Reserve { on_unknown: OnUnknown::Hold, ..call };
                    ok(world.reserve(&call));
                    ok(world.doubt(call.charge));
                    ends.remove(&call.charge);
                    waiting.push(call.charge);
                }
                // Closed before it was ever seen.
                1 => drop(ok(world.release(call.charge))),
                _ => {
                    ok(world.reserve(&call));
                    ok(world.settle(call.charge, number % 3));
                }
            }
        }
        if round % 30 == 29 {
            let ended = waiting.remove(0);
            ok(world.release(ended));
            ends.insert(ended, world.now());
        }
        world.clock.advance(HOUR);
        most = most.max(names(&world));
        if round % 7 == 0 || round > 140 {
            assert_eq!(listed(&world), expected(&ends, &waiting, world.now()), "round {round}");
        }
    }
    assert!(ends.len() > 2_900, "{}", ends.len());
    // 20 an hour, kept for three hours and a day behind their birth, and what came since the last look.
    assert!(most <= 20 * (3 + 24 + 1) + 64 + 20, "{most} names");
    println!("{} charges ended, {most} names at most", ends.len());
}

/// Every key with its time to live in ms; -1 is for ever.
fn lives(world: &World) -> BTreeMap<String, i64> {
    let script = b"local all = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            all[#all + 1] = key
            all[#all + 1] = string.format('%.0f', redis.call('PTTL', key))
        end
        return all";
    let Value::Array(all) = redis(world).server().command(&[b"EVAL", script, b"0"]) else {
        panic!()
    };
    let all: Vec<String> = all.into_iter().map(|v| ::redis::from_redis_value(v).unwrap()).collect();
    all.chunks(2).map(|pair| (pair[0].clone(), pair[1].parse().unwrap())).collect()
}

#[test]
fn after_ten_thousand_ends_every_key_ends_by_itself_or_is_bounded() {
    let world = world_with(|at| Settings { refundable_for_ms: KEPT, explained_for_ms: HOUR, ..at });
    world.buy("a", 1_000_000);
    for round in 0..10_000_u64 {
        let call = Reserve { reconcile_ms: MINUTE, ..world.call(1) };
        ok(world.reserve(&call));
        match round % 4 {
            0 => drop(ok(world.settle(call.charge, 1))),
            1 => drop(ok(world.release(call.charge))),
            2 => ok(world.doubt(call.charge)),
            _ if round % 8 == 3 => {
                let watch_at = Some(world.now().plus_ms(round));
                let handing = world.handing(call.charge, &round.to_string(), 2 * MINUTE);
                ok(world.hand_over(&HandOver { watch_at, ..handing }));
            }
            _ => {}
        }
        if round % 16 == 0 {
            world.clock.advance(LEASE + MINUTE);
            while world.tick() > 0 {}
        }
    }
    // The last leases lapse, then their deadlines come.
    for _ in 0..2 {
        world.clock.advance(DAY);
        while world.tick() > 0 {}
    }
    // Those that nobody asked about in time leave the index when somebody comes.
    let jobs = |world: &World| -> u64 {
        redis(world).server().say(&format!("ZCARD {}", key(world, "watches")))
    };
    while jobs(&world) > 0 {
        assert_eq!(ok(wait(world.store.ledger().watch_jobs(100, MINUTE))), []);
    }
    let lives = lives(&world);
    // The account, its document, its history, its key, its grant, and the grant's claim; the partition's
    // epoch, its accounts, its stream; its indexes only while something is to come.
    let for_ever = ["a", "d", "h", "k", "g", "i", "epoch", "accounts", "stream", "wakes", "leases"];
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, ms) in lives.iter().filter(|(key, _)| !key.ends_with(":epoch")) {
        let kind = key.rsplit_once("}:").map_or("", |(_, rest)| rest.split(':').next().unwrap());
        *kinds.entry(kind).or_default() += 1;
        let bound = match kind {
            "x" => HOUR,
            "j" => JOB_KEPT_MS + 3 * MINUTE,
            _ => KEPT + 10 * MINUTE + MINUTE,
        };
        let bounded = *ms > 0 && u64::try_from(*ms).unwrap() <= bound;
        assert!(bounded || (*ms == -1 && for_ever.contains(&kind)), "{key} lives for {ms} ms");
    }
    for kind in ["a", "d", "h", "k", "g", "i", "accounts", "stream"] {
        assert_eq!(kinds.get(kind), Some(&1), "{kind}");
    }
    assert!(!kinds.contains_key("o") && !kinds.contains_key("leases"), "{kinds:?}");
    println!("keys by kind: {kinds:?}; {} names in the history", names(&world));
}
