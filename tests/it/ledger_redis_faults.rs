//! A ledger in Redis whose keys are damaged, whose limits are odd, or whose calls cross each other: a verb
//! that fails has written nothing of money.

use std::sync::Arc;

use ::redis::Value;
use tollgate::credit::{AccountId, ChargeId, Class, Partition};
use tollgate::ledger::redis::Settings;
use tollgate::ledger::*;
use tollgate::seam::SimulatedClock;

use crate::ledger_redis::{RedisStore, create, open, settings};
use crate::ledger_world::{
    DAY, HOUR, LEASE, MINUTE, NOON, Store, World, key_of, new_account, no, ok, wait,
};
use crate::redis_server::RedisServer;

pub(crate) fn world_with(change: impl FnOnce(Settings) -> Settings) -> World {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let server = RedisServer::start(&[]);
    create(&server, true);
    let ledger = open(&change(settings(&server)), &clock);
    World::with(Store::Redis(Box::new(RedisStore::of(ledger, server))), clock)
}

fn world() -> World {
    world_with(|settings| settings)
}

pub(crate) fn redis(world: &World) -> &RedisStore {
    match &world.store {
        Store::Redis(store) => store,
        _ => panic!("not in Redis"),
    }
}

fn sound(world: &World) {
    ok(wait(redis(world).ledger.audit(world.account.clone())));
}

/// The name of a key of the world's account, or of its partition.
pub(crate) fn key(world: &World, rest: &str) -> String {
    format!("tollgate:{{{:04}}}:{rest}", Partition::of(&world.account).number())
}

/// A digest of all keys but hints: the indexes, the history, claims, and what the test has damaged.
fn money(world: &World, damaged: &str) -> Value {
    let script = b"local keys, all = redis.call('KEYS', '*'), {}
        table.sort(keys)
        for _, key in ipairs(keys) do
            local hint = string.find(key, ':epoch') or string.find(key, ':leases')
                or string.find(key, ':wakes') or string.find(key, ':watches') or string.find(key, ':[hi]:') or key == 'kept'
                or string.find(key, ARGV[1], 1, true)
            local kind = redis.call('TYPE', key).ok
            if not hint and kind == 'hash' then
                local fields = redis.call('HKEYS', key)
                table.sort(fields)
                for _, field in ipairs(fields) do
                    all[#all + 1] = key .. redis.sha1hex(field .. redis.call('HGET', key, field))
                end
            elseif not hint then
                all[#all + 1] = key .. redis.sha1hex(redis.call('DUMP', key))
            end
        end
        return table.concat(all, ' ')";
    redis(world).server().command(&[b"EVAL", script, b"0", damaged.as_bytes()])
}

/// When the index of leases will look at the account: nothing may move that out of sight.
fn looked_at(world: &World) -> f64 {
    let line = format!("ZSCORE {} {}", key(world, "leases"), world.account);
    let score: Option<String> = redis(world).server().say(&line);
    score.map_or(f64::INFINITY, |score| score.parse().unwrap())
}

/// An account with a charge that a deadline has ended, one whose deadline has come, one that runs.
struct Scene {
    world: World,
    decided: ChargeId,
    waiting: ChargeId,
    running: ChargeId,
    /// Settled, so that it can be refunded.
    taken: ChargeId,
    /// Charged by its deadline.
    charged: ChargeId,
}

impl Scene {
    fn new() -> Self {
        let world = world();
        world.buy("a", 100);
        let [decided, waiting, running, charged] =
            [(); 4].map(|()| world.call(10)).map(|call| Reserve { reconcile_ms: MINUTE, ..call });
        let taken = world.call(5);
        ok(world.reserve(&taken));
        ok(world.settle(taken.charge, 5));
        let charged = Reserve { on_unknown: OnUnknown::Charge, ..charged };
        for call in [&decided, &charged] {
            ok(world.reserve(call));
            ok(world.doubt(call.charge));
        }
        world.clock.advance(MINUTE);
        assert_eq!(world.tick(), 2);
        let waiting = Reserve { charge: world.id(), ..waiting };
        ok(world.reserve(&waiting));
        ok(world.doubt(waiting.charge));
        world.clock.advance(MINUTE / 2);
        let running = Reserve { charge: world.id(), ..running };
        ok(world.reserve(&running));
        world.clock.advance(MINUTE / 2);
        let [decided, waiting, running] = [decided, waiting, running].map(|call| call.charge);
        let (taken, charged) = (taken.charge, charged.charge);
        Self { decided, waiting, running, taken, charged, world }
    }
}

type Act = fn(&Scene) -> bool;

fn applied<T: std::fmt::Debug>(answer: Answer<T>) -> bool {
    match answer {
        Answer::Applied(_) => true,
        Answer::Refused(Refusal::Broken(_)) => false,
        other => panic!("neither done nor broken: {other:?}"),
    }
}

fn refund(s: &Scene, charge: ChargeId) -> bool {
    let (account, reason) = (s.world.account.clone(), "r".to_owned());
    let amount = tollgate::credit::Amount::from_credits(2).unwrap();
    let call = Refund { account, charge, id: "r".parse().unwrap(), amount, reason };
    applied(wait(s.world.store.ledger().refund(call)))
}

/// Everything that writes.
const ACTS: [(&str, Act); 14] = [
    ("reserve", |s| applied(s.world.reserve(&s.world.call(1)))),
    ("reserve with an allowance", |s| {
        let gates = Gates { allowances: vec![s.world.allowance("daily", 10)], ..Gates::default() };
        applied(s.world.reserve(&Reserve { gates, ..s.world.call(1) }))
    }),
    ("settle", |s| applied(s.world.settle(s.running, 1))),
    ("settle late", |s| applied(s.world.settle(s.decided, 1))),
    ("release", |s| applied(s.world.release(s.running))),
    ("doubt", |s| applied(s.world.doubt(s.running))),
    ("tick", |s| applied(wait(s.world.store.ledger().tick(s.world.account.clone())))),
    ("grant", |s| applied(s.world.grant(&s.world.granting("b", Class::Bonus, 1)))),
    ("refund", |s| refund(s, s.taken)),
    ("refund of what a deadline charged", |s| refund(s, s.charged)),
    ("adjust", |s| {
        let (account, id) = (s.world.account.clone(), "j".parse().unwrap());
        let held = tollgate::credit::Amount::from_credits(12).unwrap();
        let call = Adjust { account, charge: s.running, id, held };
        applied(wait(s.world.store.ledger().adjust(call)))
    }),
    ("withdraw", |s| {
        let (account, reason) = (s.world.account.clone(), "r".to_owned());
        let call =
            Withdraw { account, bucket: "a".parse().unwrap(), how: Withdrawal::Void, reason };
        applied(wait(s.world.store.ledger().withdraw(call)))
    }),
    ("freeze", |s| {
        let (account, reason) = (s.world.account.clone(), "r".to_owned());
        let call =
            Freeze { account, bucket: "a".parse().unwrap(), frozen: true, expires: None, reason };
        applied(wait(s.world.store.ledger().freeze(call)))
    }),
    ("key", |s| {
        let id = key_of(&s.world.account, 9);
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: s.world.account.clone(),
            id,
            hash: [2; 32],
            label: "".into(),
            ends: None,
        };
        applied(wait(s.world.store.ledger().create_key(call)))
    }),
];

/// Puts a text where something else belongs, and takes it away again.
fn damage(world: &World, key: &str) {
    let script =
        b"if redis.call('EXISTS', ARGV[1]) == 1 then redis.call('RENAME', ARGV[1], 'kept') end
        redis.call('SET', ARGV[1], 'damaged')";
    redis(world).server().command(&[b"EVAL", script, b"0", key.as_bytes()]);
}

fn repair(world: &World, key: &str) {
    let script = b"redis.call('DEL', ARGV[1])
        if redis.call('EXISTS', 'kept') == 1 then redis.call('RENAME', 'kept', ARGV[1]) end";
    redis(world).server().command(&[b"EVAL", script, b"0", key.as_bytes()]);
}

#[test]
fn a_key_of_another_type_stops_a_verb_before_it_moves_money() {
    let keys = ["o:acct_maria", "lapsed", "h:acct_maria", "leases", "wakes", "stream", "accounts"];
    let mut broken = 0;
    for (name, act) in ACTS {
        let mut scene = Scene::new();
        for rest in keys {
            let key = key(&scene.world, rest);
            let (before, seen) = (money(&scene.world, &key), looked_at(&scene.world));
            damage(&scene.world, &key);
            let done = act(&scene);
            let after = money(&scene.world, &key);
            repair(&scene.world, &key);
            if done {
                scene = Scene::new();
                continue;
            }
            broken += 1;
            assert_eq!(before, after, "{name} with a damaged {rest} has left a trace");
            assert!(looked_at(&scene.world) <= seen, "{name} with a damaged {rest} lost sight");
            sound(&scene.world);
        }
        assert!(act(&scene), "{name} after all repairs");
        sound(&scene.world);
    }
    assert!(broken >= 25, "only {broken} cases were broken");
}

#[test]
fn nothing_is_lost_where_texts_and_records_are_kept_for_no_time() {
    for (refundable_for_ms, explained_for_ms) in [(HOUR * 2, 0), (0, 0)] {
        let world = world_with(|at| Settings { refundable_for_ms, explained_for_ms, ..at });
        world.buy("a", 10);
        let (first, second) = (world.call(4), world.call(3));
        let odd = Reserve { timeout_ms: 0, reconcile_ms: 0, ..world.call(1) };
        for call in [&first, &second, &odd] {
            ok(world.reserve(call));
        }
        ok(world.settle(first.charge, 1));
        ok(world.release(second.charge));
        ok(world.release(odd.charge));
        assert_eq!(world.columns("a"), [9, 0, 1, 0, 0]);
        sound(&world);
    }
}

/// Raises the version byte of a text, or of a field of a hash.
fn make_newer(world: &World, key: &str, field: Option<&str>) {
    let script = b"local get, set = 'GET', 'SET'
        local function newer(bytes) return '\\9' .. string.sub(bytes, 2) end
        if ARGV[2] == '' then
            redis.call('SET', ARGV[1], newer(redis.call('GET', ARGV[1])), 'KEEPTTL')
        else
            redis.call('HSET', ARGV[1], ARGV[2], newer(redis.call('HGET', ARGV[1], ARGV[2])))
        end";
    let field = field.unwrap_or_default();
    redis(world).server().command(&[b"EVAL", script, b"0", key.as_bytes(), field.as_bytes()]);
}

/// Whether the answer says that a newer program has written the record.
fn is_newer<T: std::fmt::Debug>(answer: Answer<T>) -> bool {
    matches!(no(answer), Refusal::Unavailable(why) if why.contains("newer tollgate"))
}

/// The key of a record, and its field if that is a hash.
type Place = fn(&Scene) -> (String, Option<String>);

#[test]
fn a_newer_record_is_refused_and_nothing_is_written() {
    let table: [(&str, Place); 4] = [
        ("account", |s| (key(&s.world, "a:acct_maria"), None)),
        ("charge", |s| (key(&s.world, "o:acct_maria"), Some(s.running.to_string()))),
        ("waiting", |s| (key(&s.world, "o:acct_maria"), Some(s.waiting.to_string()))),
        ("decided", |s| (key(&s.world, "lapsed"), Some(s.decided.to_string()))),
    ];
    for (what, place) in table {
        let scene = Scene::new();
        let world = &scene.world;
        let (name, field) = place(&scene);
        make_newer(world, &name, field.as_deref());
        let before = redis(world).digest();
        let (account, ledger) = (world.account.clone(), world.store.ledger());
        if what == "account" || what == "charge" {
            assert!(is_newer(world.settle(scene.running, 1)), "{what}: settle");
            assert!(is_newer(world.release(scene.running)), "{what}: release");
            assert!(is_newer(world.doubt(scene.running)), "{what}: doubt");
        }
        if what == "decided" {
            assert!(is_newer(world.settle(scene.decided, 1)), "{what}: settle late");
            assert!(is_newer(world.charge(scene.decided)), "{what}: charge");
        } else {
            assert!(is_newer(world.reserve(&world.call(1))), "{what}: reserve");
            assert!(is_newer(wait(ledger.tick(account.clone()))), "{what}: tick");
            assert!(is_newer(wait(ledger.view(account, Gates::default()))), "{what}: view");
        }
        assert_eq!(redis(world).digest(), before, "{what} left a trace");
        // It does not stand before the others in the sweep.
        let due = ok(wait(ledger.due(9)));
        assert_eq!(due.len(), usize::from(what == "decided"), "{what}");
    }
}

#[test]
fn one_unreadable_charge_does_not_end_the_leases_of_others() {
    let scene = Scene::new();
    let world = &scene.world;
    let other = world.call(1);
    ok(world.reserve(&other));
    for newer in [scene.running, other.charge] {
        make_newer(world, &key(world, "o:acct_maria"), Some(&newer.to_string()));
        world.clock.advance(1_000);
        let ids = [scene.running, other.charge].map(|id| (world.account.clone(), id));
        let answers = ok(wait(world.store.ledger().extend(Extend { charges: ids.to_vec() })));
        let until = Extended::Until(world.now().plus_ms(LEASE));
        let expected = ids.map(|(_, id)| if id == newer { Extended::Ended } else { until });
        assert_eq!(answers, expected);
        // As it was.
        let script = b"local b = redis.call('HGET', ARGV[1], ARGV[2])
            redis.call('HSET', ARGV[1], ARGV[2], '\\4' .. string.sub(b, 2))";
        let (name, field) = (key(world, "o:acct_maria"), newer.to_string());
        redis(world).server().command(&[b"EVAL", script, b"0", name.as_bytes(), field.as_bytes()]);
    }
    sound(world);
}

#[test]
fn forgetting_old_charges_never_stops_a_deadline_halfway() {
    let world = world();
    world.buy("a", 1_000);
    let mut calls: Vec<Reserve> =
        (0..256).map(|_| Reserve { reconcile_ms: MINUTE, ..world.call(1) }).collect();
    for call in &calls {
        ok(world.reserve(call));
        ok(world.doubt(call.charge));
    }
    world.clock.advance(MINUTE);
    for _ in 0..3 {
        assert_eq!(world.tick(), 64);
    }
    calls.sort_by_key(|call| call.charge);
    // One of those that lie there is a newer program's; the next tick looks through them.
    make_newer(&world, &key(&world, "lapsed"), Some(&calls[0].charge.to_string()));
    assert_eq!(world.tick(), 64);
    sound(&world);
    assert_eq!(world.columns("a"), [1_000, 0, 0, 0, 0]);
}

#[test]
fn an_id_that_was_given_stays_taken_when_calls_for_it_cross() {
    let world = world();
    // Another partition's: what was given lies elsewhere.
    let bob: AccountId = "acct_bob".parse().unwrap();
    assert_ne!(Partition::of(&bob), Partition::of(&world.account));
    ok(wait(world.store.ledger().create_account(new_account(&bob))));
    for round in 0..50_u64 {
        let id = format!("order-{round}");
        let good = world.granting(&id, Class::Purchased, 1);
        // It would end before it begins.
        let bad = Grant { expires: Some(NOON), ..good.clone() };
        let ledger = world.store.ledger();
        let calls = if round % 2 == 0 { [bad, good] } else { [good, bad] };
        let [first, second] = calls.map(|call| ledger.grant(call));
        let (_, _) = wait(async { tokio::join!(first, second) });
        assert!(world.has(&id));
        let other = Grant { account: bob.clone(), ..world.granting(&id, Class::Purchased, 1) };
        assert_eq!(no(world.grant(&other)), Refusal::Conflict, "{id} was given twice");
    }
    // Nobody else asked for it meanwhile: what was refused binds nothing.
    let bad = Grant { expires: Some(NOON), ..world.granting("free", Class::Bonus, 1) };
    no(world.grant(&bad));
    let other = Grant { account: bob, ..world.granting("free", Class::Bonus, 1) };
    ok(world.grant(&other));
}

#[test]
fn an_account_without_open_charges_leaves_the_index_of_leases() {
    let world = world();
    world.buy("a", 10);
    let call = Reserve { on_unknown: OnUnknown::Hold, ..world.call(4) };
    ok(world.reserve(&call));
    ok(world.doubt(call.charge));
    world.clock.advance(HOUR);
    assert_eq!(wait(world.store.ledger().due(9)), Answer::Applied(Vec::new()));
    assert!(looked_at(&world).is_finite(), "recovery looks there");
    ok(world.release(call.charge));
    world.clock.advance(DAY);
    assert_eq!(wait(world.store.ledger().due(9)), Answer::Applied(Vec::new()));
    assert!(looked_at(&world).is_infinite());
}
