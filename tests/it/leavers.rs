//! Clients that leave at random points. What was charged is what the upstream's own log says was done.
//!
//! The rule where the client's leaving cuts the work off (`on_disconnect: cancel`): what the answer had
//! already said is charged as it said; what it had not said is charged as it was held, also where the request
//! was written and perhaps never read; what was not written is charged nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::cli::demo::upstream::{Outcome, Work};
use tollgate::credit::Amount;

use super::wire::{Ask, Wire};
use super::world::{CHAT, DUBBING, Dice, IMAGES, Payer, World, seed, until};

const LEAVERS: usize = 200;

/// Where a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    InHead,
    InBody,
    AfterRequest,
    AfterHead,
    InAnswer,
    BeforeLastByte,
    Never,
}

const POINTS: [Point; 7] = [
    Point::InHead,
    Point::InBody,
    Point::AfterRequest,
    Point::AfterHead,
    Point::InAnswer,
    Point::BeforeLastByte,
    Point::Never,
];

/// One client: it has an account of its own, so that its charge is known by it.
struct Leaver {
    payer: Payer,
    nonce: String,
    point: Point,
}

/// What one client asks for; the upstream takes its time over it.
fn ask(leaver: &Leaver, dice: &mut Dice) -> Ask {
    let nonce = &leaver.nonce;
    let slow = format!("slow={}", 1 + dice.below(20));
    let hang = format!("{slow};hang=0.0{}", dice.below(9));
    let switches = if dice.below(2) == 0 { &slow } else { &hang };
    let (path, body) = match dice.below(4) {
        0 => (IMAGES, json!({ "n": 1 + dice.below(10), "quality": "high", "nonce": nonce })),
        1 => (DUBBING, json!({ "seconds": 1 + dice.below(299), "nonce": nonce })),
        kind => {
            let message = json!({ "role": "user", "content": "one two three" });
            let tokens = 1 + dice.below(8);
            let body = json!({ "stream": kind == 2, "max_tokens": tokens, "messages": [message],
                               "nonce": nonce });
            (CHAT, body)
        }
    };
    leaver.payer.post(path, &body).sample(switches)
}

/// Asks and leaves at the leaver's point, or stays to the end.
fn leave(wire: &mut Wire, ask: &Ask, point: Point, dice: &mut Dice) {
    let (head, all) = (ask.head(), ask.bytes());
    let part = |dice: &mut Dice, from: usize, to: usize| from + dice.pick(to - from);
    match point {
        Point::InHead => wire.write(&all[..part(dice, 0, head.len())]),
        Point::InBody => wire.write(&all[..part(dice, head.len(), all.len())]),
        _ => wire.write(&all),
    }
    match point {
        Point::InHead | Point::InBody => (),
        // Sometimes before it is forwarded, sometimes while the upstream is at work.
        Point::AfterRequest => std::thread::sleep(Duration::from_millis(dice.below(100))),
        Point::AfterHead => wire.until("\r\n\r\n"),
        Point::InAnswer => {
            wire.until("\r\n\r\n");
            wire.some_of_the_body();
        }
        Point::BeforeLastByte => wire.all_but_the_end(),
        Point::Never => assert!(wire.reply().unwrap().ok().whole),
    }
}

/// What the work of a unit costs, computed from the log alone: in micro-credits.
fn price(work: &Work) -> u64 {
    let number = |name: &str| work.quantity.get(name).map_or(0, |number| number.as_u64().unwrap());
    match work.route.as_str() {
        "images" => number("images") * 10_000_000,
        "dubbing" => (number("seconds").div_ceil(60) * 10_000_000).max(10_000_000),
        "chat" => number("prompt_tokens") * 500 + number("completion_tokens") * 2_000,
        other => panic!("{other}"),
    }
}

fn micro(value: &Value) -> u64 {
    value.as_str().unwrap().parse::<Amount>().unwrap().micro()
}

/// Lets all of them come and go; the gateway is then drained and started again on the same ledger.
fn come_and_go(world: &mut World, dice: &mut Dice, changes: &[(&str, &str)]) -> Vec<Leaver> {
    let leavers: Vec<Leaver> = (0..LEAVERS)
        .map(|number| Leaver {
            payer: world.payer("crowded", "1000"),
            nonce: format!("leaver-{number}"),
            point: POINTS[dice.pick(POINTS.len())],
        })
        .collect();
    for crew in leavers.chunks(20) {
        let own: Vec<(&Leaver, Ask, Dice)> =
            crew.iter().map(|one| (one, ask(one, dice), Dice(dice.below(u64::MAX)))).collect();
        std::thread::scope(|scope| {
            for (leaver, ask, mut dice) in own {
                let mut wire = world.wire();
                scope.spawn(move || leave(&mut wire, &ask, leaver.point, &mut dice));
            }
        });
    }
    world.restart(changes);
    until("the upstream rests", || world.upstream.work.running() == 0);
    leavers
}

/// What became of one client: its charge, if there is one, and the unit of work, if there is one.
fn traces(world: &World, leaver: &Leaver) -> (Option<Value>, Option<Work>) {
    until("nothing is held", || world.purse(&leaver.payer).held == "0");
    assert_eq!(world.in_use(&leaver.payer), 0);
    let mut charges = world.charges(&leaver.payer);
    let mut units = world.upstream.work.of(&leaver.nonce);
    assert!(charges.len() <= 1 && units.len() <= 1, "{charges:?} {units:?}");
    let charge = charges.pop();
    let charged = charge.as_ref().map_or(0, |charge| micro(&charge["charged"]));
    let available: Amount = world.purse(&leaver.payer).available.parse().unwrap();
    assert_eq!(available.micro() + charged, 1_000_000_000);
    (charge, units.pop())
}

#[test]
fn finished_work_is_charged_as_the_upstream_logged_it() {
    let mut dice = Dice(seed("leavers, finish"));
    let mut world = World::start(&[]);
    let leavers = come_and_go(&mut world, &mut dice, &[]);
    let (mut charged, mut logged) = (0, 0);
    let mut seen = BTreeMap::new();
    for leaver in &leavers {
        let (charge, work) = traces(&world, leaver);
        let one = charge.as_ref().map_or(0, |charge| micro(&charge["charged"]));
        let other = work.as_ref().map_or(0, price);
        assert_eq!(one, other, "{:?} {charge:#?} {work:?}", leaver.point);
        assert!(work.as_ref().is_none_or(|work| work.outcome == Outcome::Done), "{work:?}");
        (charged, logged) = (charged + one, logged + other);
        *seen.entry((leaver.point, work.is_some())).or_insert(0) += 1;
    }
    assert_eq!(charged, logged);
    assert_eq!(leavers.len(), LEAVERS);
    println!("leavers, finish: {charged} micro-credits charged and logged; {seen:?}");
}

#[test]
fn work_that_was_cut_off_is_charged_by_what_was_seen() {
    let mut dice = Dice(seed("leavers, cancel"));
    let changes: Vec<(String, String)> = ["images", "dubbing", "chat"]
        .map(|route| {
            (format!("on_disconnect: finish # {route}"), "on_disconnect: cancel".to_owned())
        })
        .into();
    let changes: Vec<(&str, &str)> =
        changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut world = World::start(&changes);
    let leavers = come_and_go(&mut world, &mut dice, &changes);
    let mut seen = BTreeMap::new();
    for leaver in &leavers {
        let (charge, work) = traces(&world, leaver);
        let point = leaver.point;
        let outcome = charge.as_ref().map(|c| c["outcome"].as_str().unwrap_or("?").to_owned());
        *seen
            .entry((point, outcome.clone(), work.as_ref().map(|w| w.outcome as u8)))
            .or_insert(0) += 1;
        let told = || format!("{point:?} {charge:#?} {work:?}");
        let Some(charge) = &charge else {
            assert!(work.is_none(), "{}", told());
            continue;
        };
        let (charged, reserved) = (micro(&charge["charged"]), micro(&charge["reserved"]));
        match (outcome.as_deref(), &work) {
            // It was on its way when the client left: it may have arrived, so it is charged as held.
            (Some("cancelled"), None) if point == Point::AfterRequest => {
                assert_eq!(charged, reserved, "{}", told());
            }
            // Nothing arrived there: nothing is charged.
            (_, None) => assert_eq!(charged, 0, "{}", told()),
            // It had said everything: charged as it said.
            (Some("completed"), Some(work)) => assert_eq!(charged, price(work), "{}", told()),
            // Cut off: what it said counts as it said, what it did not say as it was held.
            (Some("cancelled"), Some(work)) => {
                assert!(charged == price(work) || charged == reserved, "{}", told());
            }
            _ => panic!("{}", told()),
        }
    }
    println!("leavers, cancel: {seen:?}");
}
