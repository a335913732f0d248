//! What operators scrape: exact counts of what was done, a fixed set of series, nothing that is secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate::count::BOUNDS_US;
use tollgate::credit::AccountId;
use tollgate::ledger::{Ledger, Measured, Refusal, Said, StoreTally, Verb};
use tollgate::meter::{Cause, Code, Hundred};
use tollgate::seam::{SimulatedClock, SystemClock};

use super::exposition::{Scrape, micro};
use super::panes::NOON;
use super::stubborn::Stubborn;
use super::wire::{Ask, Wire};
use super::world::{CHAT, DUBBING, Dice, IMAGES, Payer, TOKEN, World, seed, until};

const PATH: &str = "/metrics";

fn text(world: &World) -> String {
    world.operator(&Ask::new("GET", PATH).key(TOKEN)).ok().text()
}

#[track_caller]
pub(crate) fn scrape(world: &World) -> Scrape {
    Scrape::read(&text(world))
}

/// Sends something so many times; it must be answered so.
#[track_caller]
fn times(world: &World, count: u64, ask: &Ask, status: u16) {
    for _ in 0..count {
        let reply = world.send(ask);
        assert_eq!(reply.status, status, "{}", reply.text());
    }
}

/// Waits until nothing runs and nothing waits for the ledger.
fn quiet(world: &World) -> Scrape {
    until("all is settled", || {
        let now = scrape(world);
        let none = |name| now.value(name, &[]) == "0";
        none("tollgate_exchanges")
            && none("tollgate_open_charges")
            && none("tollgate_settlements_waiting")
    });
    scrape(world)
}

/// All charges of an account, as operators see them.
fn charges(world: &World, payer: &Payer) -> Vec<Value> {
    let path = format!("/accounts/{}/charges?limit=100", payer.account);
    world.operate("GET", &path, &Value::Null)["data"].as_array().unwrap().clone()
}

/// The sum of one member of charges, in micro-credits.
fn sum(charges: &[Value], member: &str) -> u128 {
    charges.iter().map(|charge| micro(charge[member].as_str().unwrap())).sum()
}

/// Three clients leave in the middle of a stream, two before the head of their answer.
fn leave(world: &World, payer: &Payer) {
    let stream = json!({ "stream": true, "max_tokens": 9, "messages": [] });
    for _ in 0..3 {
        let mut wire = world.wire();
        wire.write(&payer.post(CHAT, &stream).sample("slow=20").bytes());
        wire.until("\r\n\r\n");
        wire.some_of_the_body();
    }
    for number in 1..=2 {
        let before = world.forwarded();
        let mut wire = world.wire();
        wire.write(&payer.images(number, "low").sample("hang=0.3").bytes());
        until("it is forwarded", || world.forwarded() > before);
    }
}

#[test]
fn credits_are_counted_as_receipts_say() {
    let world = World::start(&[(
        "on_disconnect: finish # chat\n    reconcile: 1s\n    over_run: debt",
        "on_disconnect: finish # chat\n    reconcile: 1s\n    over_run: absorb",
    )]);
    let maria = world.payer("studio", "100.000001");
    times(&world, 3, &maria.images(2, "low"), 200);
    times(&world, 2, &maria.images(1, "gift"), 200);
    times(&world, 4, &maria.images(1, "low").sample("fail=503"), 503);
    times(&world, 1, &maria.images(1, "low").sample("block"), 400);
    times(&world, 5, &maria.get("/v1/models"), 200);
    let chat = maria.post(CHAT, &json!({ "max_tokens": 7, "messages": [] }));
    times(&world, 1, &chat.clone().sample("usage=1,3"), 200);
    // 50 are held, 100 are due, 60 are there.
    let owing = world.payer("studio", "60");
    times(&world, 1, &owing.post(DUBBING, &json!({ "seconds": 300 })).sample("seconds=600"), 200);
    // 4.002 are held, 12 are due, 5 are there.
    let lossy = world.payer("studio", "5");
    let all = lossy.post(CHAT, &json!({ "max_tokens": 1, "messages": [] }));
    times(&world, 1, &all.sample("usage=8000,4000"), 200);
    leave(&world, &maria);
    let now = quiet(&world);
    let all: Vec<_> = [&maria, &owing, &lossy].map(|payer| charges(&world, payer)).concat();
    assert_eq!(all.len(), 18);
    let kind = [("kind", "credits")];
    for (member, family) in [
        ("reserved", "tollgate_held_credits_total"),
        ("charged", "tollgate_settled_credits_total"),
        ("returned", "tollgate_returned_credits_total"),
        ("debt", "tollgate_debt_credits_total"),
        ("absorbed", "tollgate_absorbed_credits_total"),
    ] {
        assert_eq!(micro(now.value(family, &kind)), sum(&all, member), "{family}");
    }
    assert_eq!(now.value("tollgate_debt_credits_total", &kind), "40");
    assert_eq!(now.value("tollgate_absorbed_credits_total", &kind), "7");
    let decisions = now.counted("tollgate_decisions_total");
    let expected = [(["chat", "forwarded"], 5), (["dubbing", "forwarded"], 1)];
    let expected =
        expected.into_iter().chain([(["images", "forwarded"], 12), (["models", "forwarded"], 5)]);
    assert_eq!(decisions, expected.map(|(labels, count)| (labels.to_vec(), count)).collect());
    let responses: BTreeMap<_, _> = [
        (["chat", "2xx"], 5),
        (["dubbing", "2xx"], 1),
        (["images", "2xx"], 7),
        (["images", "4xx"], 1),
        (["images", "5xx"], 4),
        (["models", "2xx"], 5),
    ]
    .map(|(labels, count)| (labels.to_vec(), count))
    .into();
    assert_eq!(now.counted("tollgate_upstream_responses_total"), responses);
    assert_eq!(now.value("tollgate_settle_lag_seconds_count", &[]), "18");
    assert_eq!(now.value("tollgate_settlements_refused_total", &[]), "0");
    // The embedded ledger answers each call once: 18 were reserved, and as many came to an end.
    let said = |verb, said| {
        let labels = [("verb", verb), ("answer", said)];
        now.value("tollgate_store_answers_total", &labels).parse::<u64>().unwrap()
    };
    assert_eq!(said("reserve", "applied"), 18);
    assert_eq!(said("settle", "applied") + said("release", "applied"), 18);
    assert_eq!(said("release", "applied"), 5);
    assert_eq!(said("create_account", "applied"), 3);
    assert_eq!(now.value("tollgate_store_seconds_count", &[("verb", "reserve")]), "18");
}

#[test]
fn each_refusal_is_counted_by_its_code() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let poor = world.payer("studio", "0.5");
    let [walled, daily, slower] =
        ["walled", "rationed", "slower"].map(|plan| world.payer(plan, "100"));
    let shut = world.payer("studio", "100");
    world.change(&shut, &json!({ "status": "suspended" }));
    let single = world.payer("single", "1");
    times(&world, 2, &daily.images(1, "low"), 200);
    times(&world, 1, &slower.images(1, "low"), 200);
    let mut wire = world.wire();
    let stream = json!({ "stream": true, "max_tokens": 9, "messages": [] });
    let before = world.forwarded();
    wire.write(&single.images(1, "low").sample("hang=2").bytes());
    until("it is forwarded", || world.forwarded() > before);
    let large = maria.post(IMAGES, &Value::Null).body(&vec![b' '; 64 * 1024 + 1]);
    let socket =
        maria.images(1, "low").header("connection", "upgrade").header("upgrade", "websocket");
    let cases = [
        ("images", "too_large", large, 1),
        ("images", "invalid_key", Ask::new("POST", IMAGES), 2),
        ("chat", "invalid_key", Ask::new("POST", CHAT).key("tk_no"), 3),
        ("-", "bad_request", Ask::new("GET", "/v1//models"), 4),
        ("-", "unknown_route", maria.get("/v1/nothing"), 5),
        ("images", "websocket_unsupported", socket, 6),
        ("images", "route_not_in_plan", walled.images(1, "low"), 7),
        ("images", "account_suspended", shut.images(1, "low"), 8),
        ("images", "insufficient_credits", poor.images(1, "low"), 9),
        ("images", "unpriceable_request", maria.images(11, "low"), 10),
        ("images", "max_charge_exceeded", maria.images(1, "low").header("credits-max", "0"), 11),
        ("images", "bad_request", maria.images(1, "low").header("credits-max", "x"), 12),
        ("images", "cap_exceeded", daily.images(1, "low"), 13),
        ("images", "rate_limited", slower.images(1, "low"), 14),
        ("images", "concurrency_exceeded", single.images(1, "gift"), 15),
    ];
    let mut expected: BTreeMap<Vec<&str>, u64> = BTreeMap::new();
    for (route, code, ask, count) in &cases {
        for _ in 0..*count {
            assert_eq!(world.send(ask).problem().1, *code);
        }
        expected.insert(vec![*route, *code], *count);
    }
    world.change(&single, &json!({ "plan": "studio" }));
    assert_eq!(world.send(&single.images(1, "low")).problem().1, "credits_on_hold");
    expected.insert(vec!["images", "credits_on_hold"], 1);
    // What is answered here is no refusal, whatever it says.
    world.send(&maria.get("/_credits/v1/balance")).ok();
    world.send(&Ask::new("GET", "/_credits/v1/balance"));
    world.send(&maria.post(CHAT, &stream).header("prefer", "metering=quote")).ok();
    expected.insert(vec!["-", "answered"], 2);
    expected.insert(vec!["chat", "answered"], 1);
    wire.reply().unwrap().ok();
    expected.insert(vec!["images", "forwarded"], 4);
    let now = quiet(&world);
    assert_eq!(now.counted("tollgate_decisions_total"), expected);
    assert_eq!(now.value("tollgate_held_credits_total", &[("kind", "credits")]), "4");
    assert_eq!(now.value("tollgate_settled_credits_total", &[("kind", "credits")]), "4");
    assert_eq!(now.value("tollgate_returned_credits_total", &[("kind", "credits")]), "0");
}

#[test]
fn upstreams_that_do_not_answer_are_counted_without_a_class() {
    let world = World::start(&[("first_byte: 20s", "first_byte: 300ms")]);
    let maria = world.payer("studio", "10");
    times(&world, 2, &maria.images(1, "low").sample("hang=5"), 504);
    let now = quiet(&world);
    let routed = |code| BTreeMap::from([(vec!["images", code], 2)]);
    assert_eq!(now.counted("tollgate_decisions_total"), routed("upstream_timeout"));
    assert_eq!(now.counted("tollgate_upstream_responses_total"), routed("none"));

    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::start(&[("UPSTREAM", &format!("http://{free}"))]);
    let maria = world.payer("studio", "10");
    times(&world, 2, &maria.images(1, "low"), 502);
    let now = quiet(&world);
    assert_eq!(now.counted("tollgate_decisions_total"), routed("upstream_error"));
    assert_eq!(now.counted("tollgate_upstream_responses_total"), routed("none"));
    let kind = [("kind", "credits")];
    assert_eq!(now.value("tollgate_held_credits_total", &kind), "2");
    assert_eq!(now.value("tollgate_returned_credits_total", &kind), "2");
}

#[test]
fn what_runs_is_shown_while_it_runs() {
    let world =
        World::start(&[("drain: 10s", "drain: 10s, exchanges: 1"), ("store:", "cores: 1\nstore:")]);
    let maria = world.payer("studio", "10");
    let idle = scrape(&world);
    assert_eq!(idle.value("tollgate_ready", &[]), "1");
    assert_eq!(idle.value("tollgate_oldest_open_charge_seconds", &[]), "0");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=1").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    assert_eq!(world.send(&maria.images(1, "low")).problem().1, "metering_unavailable");
    let busy = scrape(&world);
    assert_eq!(busy.value("tollgate_exchanges", &[]), "1");
    assert_eq!(busy.value("tollgate_exchanges_limit", &[]), "1");
    assert_eq!(busy.value("tollgate_open_charges", &[]), "1");
    assert!(micro(busy.value("tollgate_connections", &[])) >= 1_000_000);
    let age = || micro(scrape(&world).value("tollgate_oldest_open_charge_seconds", &[]));
    until("it grows old", || (100_000..30_000_000).contains(&age()));
    wire.reply().unwrap().ok();
    drop(wire);
    let after = quiet(&world);
    assert_eq!(after.value("tollgate_oldest_open_charge_seconds", &[]), "0");
    until("nobody is connected", || scrape(&world).value("tollgate_connections", &[]) == "0");
    let labels = [("route", "images"), ("code", "metering_unavailable")];
    assert_eq!(after.value("tollgate_decisions_total", &labels), "1");
}

#[test]
fn a_drain_is_shown_and_what_it_refuses_is_counted() {
    let mut world = World::start(&[("store:", "cores: 1\nstore:")]);
    let maria = world.payer("studio", "10");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=1").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    // Its head is begun, so that the drain does not take it for idle.
    let mut late = world.wire();
    let ask = maria.images(1, "low").bytes();
    late.write(&ask[..20]);
    until("it is accepted", || {
        micro(scrape(&world).value("tollgate_connections", &[])) == 2_000_000
    });
    let draining = world.drain();
    until("it drains", || scrape(&world).value("tollgate_ready", &[]) == "0");
    late.write(&ask[20..]);
    assert_eq!(late.reply().unwrap().problem().1, "draining");
    let now = scrape(&world);
    assert_eq!(now.value("tollgate_decisions_total", &[("route", "-"), ("code", "draining")]), "1");
    wire.reply().unwrap().ok();
    draining.join().unwrap();
}

#[test]
fn who_leaves_in_the_middle_of_a_request_is_counted_once() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    for _ in 0..20 {
        let mut wire = world.wire();
        let ask = maria.images(1, "low").bytes();
        wire.write(&ask[..ask.len() - 3]);
    }
    // Whether we saw the body break off or the client leave is chance; that it was one of them is not.
    let seen = || {
        let now = scrape(&world);
        let all = now.counted("tollgate_decisions_total");
        let count = |code| all.get(&vec!["images", code]).copied().unwrap_or_default();
        assert_eq!(all.values().sum::<u64>(), count("left") + count("bad_request"));
        count("left") + count("bad_request")
    };
    until("all have left", || seen() == 20);
    assert_eq!(quiet(&world).value("tollgate_held_credits_total", &[("kind", "credits")]), "0");
}

/// Families that are there only with Redis, and with TLS.
const OPTIONAL: [&str; 2] = ["tollgate_ledger_setbacks_", "tollgate_certificate_"];

/// README's table and what is scraped name the same families.
#[test]
fn readme_names_every_family() {
    let readme = include_str!("../../README.md");
    let section = readme.split("## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut named: Vec<&str> = rows.map(|row| row.split(['`', '{']).next().unwrap()).collect();
    named.retain(|name| !OPTIONAL.iter().any(|family| name.starts_with(family)));
    named.sort_unstable();
    let world = World::start(&[]);
    let now = scrape(&world);
    assert_eq!(named, now.families.keys().collect::<Vec<_>>());
    // The alerts name nothing else.
    let words = section.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("tollgate_")) {
        let known = |family: &String| word.starts_with(family.as_str());
        let optional = OPTIONAL.iter().any(|family| word.starts_with(family));
        assert!(optional || now.families.keys().any(known), "{word}");
    }
}

#[test]
fn connections_that_there_is_no_room_for_are_counted() {
    let world = World::start(&[
        ("drain: 10s", "drain: 10s, connections: 1"),
        ("store:", "cores: 1\nstore:"),
    ]);
    let maria = world.payer("studio", "10");
    let mut wire = world.wire();
    wire.ask(&maria.images(1, "low")).ok();
    for _ in 0..3 {
        assert_eq!(world.wire().reply(), None);
    }
    let now = scrape(&world);
    assert_eq!(now.value("tollgate_connections_refused_total", &[]), "3");
    assert_eq!(now.value("tollgate_connections_limit", &[]), "1");
    assert_eq!(now.value("tollgate_connections", &[]), "1");
    wire.ask(&maria.images(1, "low")).ok();
}

/// What there is at most: `routes` and `kinds` of the configuration, and the words of the program.
fn bound(routes: usize, kinds: usize) -> usize {
    let times = BOUNDS_US.len() + 3;
    let by_route = (routes + 1) * (Code::ALL.len() + Hundred::ALL.len());
    let by_verb = Verb::ALL.len() * (times + Said::ALL.len());
    let plain = 3 + 4 + 5 + 2;
    let stream = 3;
    // One row for jobs that the configuration has no more.
    let jobs = 4;
    by_route + kinds * 5 + by_verb + times + plain + stream + jobs
}

#[test]
fn the_series_are_fixed_whatever_clients_send() {
    let world = World::start(&[]);
    let before = scrape(&world);
    assert!(before.samples.len() <= bound(4, 1), "{} series", before.samples.len());
    let mut dice = Dice(seed("metrics"));
    let mut wire = world.wire();
    for round in 0..400 {
        let odd = format!("x{}\"}}{round}", dice.below(u64::MAX));
        let plain: String = odd.chars().filter(char::is_ascii_alphanumeric).collect();
        let ask = match dice.below(6) {
            0 => Ask::new("GET", &format!("/{plain}")),
            1 => Ask::new(&plain.to_uppercase(), IMAGES),
            2 => Ask::new("POST", IMAGES).key(&odd),
            3 => Ask::new("GET", "/v1/models").header("x-forwarded-for", &odd),
            4 => Ask::new("GET", &format!("/_credits/v1/{plain}")).key(&format!("tk_{plain}")),
            _ => Ask::new("POST", CHAT).key("tk_a").json(&json!({ "model": odd, "route": odd })),
        };
        if wire.ask(&ask.header("host-name", &odd)).header("connection") == Some("close") {
            wire = world.wire();
        }
    }
    // Accounts, keys and paid requests make none either.
    for number in 0..20 {
        let payer = world.payer(["studio", "other"][number % 2], "5");
        let body = json!({ "n": 1, "quality": "low", "model": format!("model-{number}") });
        world.send(&payer.post(&format!("{IMAGES}?q={number}"), &body));
    }
    let after = quiet(&world);
    assert_eq!(before.series(), after.series());
    assert_eq!(before.families, after.families);
    let odd: u64 = after
        .counted("tollgate_decisions_total")
        .iter()
        .filter(|(labels, _)| labels.contains(&"other"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(odd, 0, "every refusal has a code of its own");
}

#[test]
fn counters_never_go_down() {
    let world = World::start(&[]);
    let payers: Vec<Payer> = (0..4).map(|_| world.payer("studio", "1000")).collect();
    std::thread::scope(|scope| {
        let (world, done) = (&world, Arc::new(()));
        for payer in &payers {
            let done = done.clone();
            scope.spawn(move || {
                let mut wire = world.wire();
                for round in 0..60 {
                    let ask = payer.images(round % 12, "low");
                    assert!([200, 422].contains(&wire.ask(&ask).status));
                }
                drop(done);
            });
        }
        let mut last: BTreeMap<_, u128> = BTreeMap::new();
        while Arc::strong_count(&done) > 1 {
            let now = scrape(world);
            for (series, value) in now.monotone() {
                let before = last.insert(series.clone(), value).unwrap_or_default();
                assert!(value >= before, "{series:?} {before} {value}");
            }
        }
        assert!(last.len() > 100);
    });
    let now = quiet(&world);
    // 60 rounds of each: n of 0 and 11 are refused, 1 to 10 cost as much.
    assert_eq!(now.value("tollgate_settled_credits_total", &[("kind", "credits")]), "1100");
    let labels = [("route", "images"), ("code", "unpriceable_request")];
    assert_eq!(now.value("tollgate_decisions_total", &labels), "40");
}

#[test]
fn no_secret_and_no_account_is_shown() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let reply = world.send(&maria.images(1, "low"));
    let charge = reply.ok().charge();
    world.send(&maria.get("/v1/canary-path?token=canary-query"));
    quiet(&world);
    let text = text(&world);
    let half = maria.key.rsplit('_').next().unwrap();
    for canary in [&maria.account, &maria.key, &maria.key_id, half, TOKEN, &charge, "canary"] {
        assert!(!text.contains(canary), "{canary}");
    }
    assert!(!text.contains("acct_") && !text.contains("tk_") && !text.contains("127.0.0.1"));
}

#[test]
fn only_who_shows_the_token_reads_them() {
    let world = World::start(&[]);
    let ask = Ask::new("GET", PATH);
    for ask in
        [ask.clone(), ask.clone().key("wrong"), ask.clone().header("authorization", "Basic x")]
    {
        let reply = world.operator(&ask);
        assert_eq!(reply.problem(), (401, "unauthorized".to_owned()));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(!reply.text().contains("tollgate_"));
    }
    let posted = world.operator(&Ask::new("POST", PATH).key(TOKEN));
    assert_eq!(posted.problem(), (405, "method_not_allowed".to_owned()));
    // A scraper that would rather have another format gets this one, and is told so.
    let open = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let reply = world.operator(&ask.key(TOKEN).header("accept", open)).ok();
    let kind = reply.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let now = Scrape::read(&reply.text());
    // Clients' listener has no such thing.
    assert_eq!(Wire::open(world.data).ask(&Ask::new("GET", PATH).key(TOKEN)).status, 404);
    let info: Vec<_> =
        now.samples.iter().filter(|((name, _), _)| name == "tollgate_build_info").collect();
    let ((_, labels), value) = info[0];
    assert_eq!((info.len(), value.as_str()), (1, "1"));
    assert_eq!(labels[0], ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    assert!(labels[1].0 == "revision" && labels[1].1.len() > 5, "{labels:?}");
    let started = micro(now.value("tollgate_start_time_seconds", &[]));
    let wall = u128::from(tollgate::seam::Clock::now(&SystemClock).0) * 1_000;
    assert!(started <= wall && wall - started < 600_000_000, "{started} {wall}");
}

/// What one call to a ledger is counted as.
fn counted(refusal: Option<Refusal>) -> Vec<(&'static str, u64)> {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let tally = Arc::new(StoreTally::new(clock));
    let ledger = Measured::new(Stubborn::saying(refusal), tally.clone());
    let account: AccountId = "acct_maria".parse().unwrap();
    drop(futures_util::FutureExt::now_or_never(ledger.tick(account.clone())));
    let own = tally.verb(Verb::Tick);
    let said = Said::ALL.map(|said| (said.word(), own.said(said).value()));
    said.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn each_word_of_a_store_is_counted() {
    let why = || "gone".to_owned();
    for (refusal, word) in [
        (None, "unknown"),
        (Some(Refusal::Unavailable(why())), "unavailable"),
        (Some(Refusal::Broken(why())), "broken"),
        (Some(Refusal::ClockJump), "clock_jump"),
        (Some(Refusal::Tick), "tick"),
        (Some(Refusal::UnknownAccount), "refused"),
    ] {
        assert_eq!(counted(refusal), [(word, 1)]);
    }
    // An answer that nobody waits for is counted, and not timed.
    let tally = Arc::new(StoreTally::new(Arc::new(SimulatedClock::at(NOON))));
    let ledger = Measured::new(Stubborn::saying(None), tally.clone());
    drop(ledger.due(1));
    assert_eq!(tally.verb(Verb::Due).said(Said::Unheard).value(), 1);
    let mut took = tollgate::count::Spread::default();
    took.add(&tally.verb(Verb::Due).took);
    assert_eq!(took.up_to().last(), Some((None, 0)));
}

/// Every cause of a refusal has a place among the decisions.
#[test]
fn every_cause_has_a_place() {
    // Told by the client plane alone, whose answers are no decisions.
    let elsewhere = [Cause::UnknownCharge, Cause::MethodNotAllowed];
    for cause in Cause::ALL.iter().filter(|cause| !elsewhere.contains(cause)) {
        assert_eq!(Code::of(cause.code()).word(), cause.code());
    }
}
