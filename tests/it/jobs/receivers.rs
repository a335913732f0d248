//! Upstreams that call one URL for all their jobs: what is proven there ends the job that it names, once.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tollgate::seam::{Clock, SystemClock};

use super::rig::{Fake, Rig, YAML, prediction};
use super::webhooks::{HOOKS, KEY, changes, on_redis, seed};
use crate::crowd::all_at_once;
use crate::exposition::Scrape;
use crate::ledger_redis::create;
use crate::redis_server::RedisServer;
use crate::wire::{Ask, Reply};
use crate::world::{TOKEN, World, until};

const PATH: &str = "/_credits/v1/webhooks/service";
const SAYS: &str = "webhooks: { receivers: [{ name: service, jobs: [films, predictions], id: { json: /data/id }, at: /data, verify: standard, secret: { file: signing } }] }\n";
/// The same, which only says that there is something new.
const NEWS: &str = "webhooks: { receivers: [{ name: service, jobs: [predictions], id: { json: /data/id }, verify: standard, secret: { file: signing } }] }\n";

fn start(more: &str) -> Rig {
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let world = World::seeded_of(YAML, &changes(&addr, more), seed);
    Rig { fake, world }
}

/// An event about a prediction.
fn event(id: &str, status: &str, seconds: Option<f64>) -> String {
    json!({ "type": "prediction.news", "id": "evt_1", "data": prediction(id, status, seconds) })
        .to_string()
}

/// A call as the upstream signs it, at a moment in seconds.
fn signed_at(seconds: u64, key: &[u8], body: &str) -> Ask {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("msg_1.{seconds}.{body}").as_bytes());
    let mac = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
    Ask::new("POST", PATH)
        .body(body.as_bytes())
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", &seconds.to_string())
        .header("webhook-signature", &format!("v1,{mac}"))
}

fn now() -> u64 {
    SystemClock.now().0 / 1_000
}

fn signed(body: &str) -> Ask {
    signed_at(now(), KEY, body)
}

#[test]
fn a_call_ends_the_job_that_it_names_once() {
    let rig = start(SAYS);
    let (maria, joao) = (rig.world.payer("studio", "100"), rig.world.payer("studio", "100"));
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let other = rig.predict(&joao, "p2", "starting").charge();
    let going = event("p1", "processing", None);
    assert_eq!(rig.world.send(&signed(&going)).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    let done = event("p1", "succeeded", Some(2.0));
    for _ in 0..3 {
        let reply = rig.world.send(&signed(&done));
        assert_eq!((reply.status, reply.text().as_str()), (200, ""));
        let receipt = rig.world.receipt(&maria, &charge);
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("4")));
        assert_eq!(receipt["job"]["told_by"], "webhook");
    }
    // What comes late and contradicts the end is recorded and moves nothing.
    assert_eq!(rig.world.send(&signed(&event("p1", "failed", None))).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
    assert_eq!(rig.counts("tollgate_job_contradictions_total", "predictions"), "1");
    assert_eq!(rig.counts("tollgate_jobs_ended_total", "predictions"), "1");
    assert_eq!(rig.world.receipt(&joao, &other)["status"], "held");
    // It said all that there is to know.
    assert!(rig.fake.calls("GET /v1/predictions/p1").is_empty());
}

#[test]
fn what_is_not_proven_does_nothing() {
    let rig = start(SAYS);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let done = event("p1", "succeeded", Some(2.0));
    let status = |ask: &Ask| rig.world.send(ask).status;
    let mut changed = signed(&done);
    changed.body = event("p1", "failed", None).into_bytes();
    let plain = || Ask::new("POST", PATH).body(done.as_bytes());
    for (what, ask) in [
        ("another body", changed),
        ("another key", signed_at(now(), b"a-key-of-a-stranger!!", &done)),
        ("an old time", signed_at(now() - 301, KEY, &done)),
        ("a time to come", signed_at(now() + 330, KEY, &done)),
        ("two signatures of which one is good", signed(&done).header("webhook-signature", "v1,AA")),
        ("no signature", plain()),
        ("a client's key", plain().key(&maria.key)),
    ] {
        assert_eq!(status(&ask), 401, "{what}");
    }
    let big = format!("{}{}", done, " ".repeat(5 << 20));
    assert_eq!(status(&signed(&big)), 413);
    let reply = rig.world.send(&Ask::new("GET", PATH));
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    for path in ["/_credits/v1/webhooks/servic", "/_credits/v1/webhooks/service/"] {
        let ask = Ask { path: path.to_owned(), ..signed(&done) };
        assert_eq!(status(&ask), 404, "{path}");
    }
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    // One that is proven has changed nothing of that.
    assert_eq!(status(&signed(&done)), 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
}

#[test]
fn strangers_jobs_and_other_news_are_told_apart() {
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let flood = [("failures: 1000000", "failures: 3")];
    let changes = [changes(&addr, SAYS), flood.to_vec()].concat();
    let world = World::seeded_of(YAML, &changes, seed);
    let rig = Rig { fake, world };
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    for (status, body) in [
        (404, event("p2", "succeeded", Some(2.0))),
        (404, event("", "succeeded", Some(2.0))),
        (404, event(&"x".repeat(2_000), "succeeded", Some(2.0))),
        (200, json!({ "type": "batch.completed", "data": { "batch": "p1" } }).to_string()),
        (200, json!({ "data": { "id": ["p1"] } }).to_string()),
        (200, "no json".to_owned()),
        (200, String::new()),
        // Read in two ways: about nothing.
        (200, r#"{"data":{"id":"p2","id":"p1","status":"succeeded"}}"#.to_owned()),
    ] {
        let reply = rig.world.send(&signed(&body));
        assert_eq!((reply.status, reply.text().as_str()), (status, ""), "{body}");
    }
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    // Calls about strangers' jobs are no attack: the upstream is not shut out.
    for _ in 0..40 {
        assert_eq!(rig.world.send(&signed(&event("p2", "failed", None))).status, 404);
    }
    // Nor are wrong signatures: nobody guesses one, and somebody else's may come from the upstream's own address.
    for _ in 0..40 {
        assert_eq!(
            rig.world.send(&signed_at(now(), b"x", &event("p1", "failed", None))).status,
            401
        );
    }
    assert_eq!(rig.world.send(&signed(&event("p1", "failed", None))).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "released");
}

/// Anybody can begin to call; who does not go on takes no room from those who pay.
#[test]
fn strangers_take_the_room_of_calls_and_no_other() {
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let receivers = SAYS.split_once("{ ").unwrap().1;
    let more = HOOKS.replace(
        "webhooks: { ",
        &format!("webhooks: {{ {}, ", receivers.trim_end().trim_end_matches(" }")),
    );
    let all = [
        changes(&addr, &more),
        vec![("body: 2s, drain: 10s", "body: 30s, drain: 10s"), ("store:", "cores: 1\nstore:")],
    ];
    let world = World::seeded_of(YAML, &all.concat(), seed);
    let rig = Rig { fake, world };
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let done = signed(&event("p1", "succeeded", Some(2.0)));
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut waiting = Vec::new();
    // As many as the room of all bodies had for calls that do not say how long they are.
    for _ in 0..72 {
        let mut wire = rig.world.wire();
        wire.write(head.as_bytes());
        waiting.push(wire);
    }
    until("there is no room for calls", || {
        let reply = rig.world.send(&done);
        reply.status == 503 && reply.header("retry-after").is_some()
    });
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    // It is read before it is forwarded.
    rig.predict(&maria, "p2", "starting");
    drop(waiting);
    until("there is room again", || rig.world.send(&done).status == 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
}

/// The upstream has begun two jobs of one id, it says; the first is still found by it.
#[test]
fn a_second_job_of_the_same_id_takes_nothing_from_the_first() {
    let rig = start(SAYS);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    rig.predict(&maria, "p1", "starting");
    let done = event("p1", "succeeded", Some(2.0));
    assert_eq!(rig.world.send(&signed(&done)).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
}

/// The upstream must call again when the ledger has not taken what it said.
#[test]
fn what_the_ledger_does_not_take_comes_again() {
    let redis = RedisServer::start(&[]);
    create(&redis, false);
    let fake = Fake::start();
    let rig = Rig { world: on_redis(&redis, &fake, SAYS), fake };
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let done = event("p1", "succeeded", Some(2.0));
    let _: String = redis.say("CLIENT PAUSE 60000 WRITE");
    let reply = rig.world.send(&signed(&done));
    let _: String = redis.say("CLIENT UNPAUSE");
    assert_eq!(reply.problem(), (503, "metering_unavailable".to_owned()));
    assert!(reply.header("retry-after").is_some());
    until("it is taken", || rig.world.send(&signed(&done)).status == 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
    assert_eq!(rig.counts("tollgate_jobs_ended_total", "predictions"), "1");
}

#[test]
fn what_a_call_does_not_say_the_upstream_is_asked() {
    for (more, body) in [
        (NEWS, json!({ "type": "done", "data": { "id": "p1" } }).to_string()),
        // It does not say where the job stands.
        (SAYS, json!({ "data": { "id": "p1" } }).to_string()),
        (SAYS, json!({ "data": { "id": "p1", "state": "x".repeat(3 << 20) } }).to_string()),
    ] {
        let rig = start(more);
        let maria = rig.world.payer("studio", "100");
        let charge = rig.predict(&maria, "p1", "starting").charge();
        let line = "GET /v1/predictions/p1";
        rig.fake.says(line, 500, &[], "");
        let reply = rig.world.send(&signed(&body));
        assert_eq!(reply.status, 503, "{}", &body[..100.min(body.len())]);
        assert!(reply.header("retry-after").is_some());
        assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
        rig.prediction("p1", "succeeded", Some(3.0));
        for _ in 0..2 {
            assert_eq!(rig.world.send(&signed(&body)).status, 200);
            let receipt = rig.world.receipt(&maria, &charge);
            assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("6")));
            assert_eq!(
                (&receipt["job"]["told_by"], &receipt["flags"]),
                (&json!("watcher"), &json!([]))
            );
        }
        let calls = rig.fake.calls(line);
        assert_eq!(calls.len(), 2, "an ended job is not asked about");
        let secret = Some("Bearer sample-upstream-secret");
        assert_eq!(calls[1].header("authorization"), secret);
    }
}

/// An end that is proven stands, whatever the upstream answers; what it used is heard from a poll for as long as `grace` is.
#[test]
fn an_end_without_its_use_waits_for_a_poll() {
    for (grace, pending) in [("1h", false), ("1h", true), ("1s", true)] {
        let fake = Fake::start();
        let addr = fake.addr.to_string();
        let grace_of = format!("ttl: 1h\n    grace: {grace}");
        let changes = [changes(&addr, SAYS), vec![("ttl: 1h # ttl", grace_of.as_str())]].concat();
        let rig = Rig { fake, world: World::seeded_of(YAML, &changes, seed) };
        let maria = rig.world.payer("studio", "100");
        let charge = rig.predict(&maria, "p1", "starting").charge();
        match pending {
            true => rig.prediction("p1", "processing", None),
            false => rig.fake.says("GET /v1/predictions/p1", 500, &[], ""),
        }
        let done = signed(&event("p1", "succeeded", None));
        assert_eq!(rig.world.send(&done).status, 200);
        assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
        let (charged, flags) = match grace {
            "1h" => ("6", json!([])),
            _ => ("20", json!(["missing_quantity:seconds"])),
        };
        if grace == "1h" {
            rig.prediction("p1", "succeeded", Some(3.0));
        }
        let receipt = rig.world.ended(&maria, &charge, "settled");
        assert_eq!((&receipt["charged"], &receipt["flags"]), (&json!(charged), &flags));
        assert_eq!(rig.world.send(&done).status, 200, "and what comes again changes nothing");
        assert_eq!(rig.world.receipt(&maria, &charge)["charged"], charged);
    }
}

#[test]
fn proven_calls_are_passed_on_to_the_operators_url() {
    let events = Fake::start();
    let more = SAYS.replace(
        "{ file: signing } }",
        &format!("{{ file: signing }}, forward_to: 'http://{}/events' }}", events.addr),
    );
    let rig = start(&more);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let done = event("p1", "succeeded", Some(2.0));
    // Not what is not proven, nor what nobody here has begun.
    assert_eq!(rig.world.send(&signed_at(now(), b"x", &done)).status, 401);
    assert_eq!(rig.world.send(&signed(&event("p2", "failed", None))).status, 404);
    assert_eq!(events.count(), 0);
    for status in [500, 204] {
        events.says("POST /events", status, &[], "");
        assert_eq!(rig.world.send(&signed(&done)).status, status);
        assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
    }
    let other = json!({ "type": "batch.completed" }).to_string();
    assert_eq!(rig.world.send(&signed(&other)).status, 204);
    let calls = events.calls("POST /events");
    assert_eq!(calls.len(), 3);
    assert_eq!(
        (calls[1].body.as_slice(), calls[2].body.as_slice()),
        (done.as_bytes(), other.as_bytes())
    );
    assert_eq!(calls[1].header("webhook-id"), Some("msg_1"));
}

fn counts(worlds: &[World], name: &str) -> u64 {
    let of = |world: &World| -> u64 {
        let text = world.operator(&Ask::new("GET", "/metrics").key(TOKEN)).ok().text();
        Scrape::read(&text).value(name, &[("job", "predictions")]).parse().unwrap()
    };
    worlds.iter().map(of).sum()
}

#[test]
fn fifty_calls_at_once_on_two_instances_settle_once() {
    let redis = RedisServer::start(&[]);
    create(&redis, false);
    let fake = Fake::start();
    let worlds = [0, 1].map(|_| on_redis(&redis, &fake, SAYS));
    let maria = worlds[0].payer("studio", "1000");
    for round in 0..3 {
        let id = format!("p{round}");
        fake.json("POST /v1/predictions", 201, &prediction(&id, "starting", None));
        let begun = worlds[0].send(&maria.post("/v1/predictions", &json!({}))).ok();
        let done = event(&id, "succeeded", Some(2.5));
        let failed = event(&id, "failed", None);
        let asks = (0..50).map(|number| {
            let contradicts = round == 2 && number % 5 == 0;
            (worlds[number % 2].data, signed(if contradicts { &failed } else { &done }))
        });
        for reply in all_at_once(asks.collect()) {
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        assert_eq!(counts(&worlds, "tollgate_jobs_ended_total"), round + 1);
        let receipt = worlds[1].receipt(&maria, &begun.charge());
        match receipt["status"].as_str().unwrap() {
            "settled" => assert_eq!(receipt["charged"], "5"),
            "released" => assert_eq!(round, 2),
            other => panic!("{other}: {receipt}"),
        }
        assert_eq!(worlds[0].purse(&maria).held, "0");
    }
    assert!(counts(&worlds, "tollgate_job_contradictions_total") > 0);
}

/// Advances the ledger's clock.
fn advance(world: &World, hours: u64) -> Value {
    world.operate("POST", "/test_clock/advance", &json!({ "by": format!("{hours}h") }))
}

#[test]
fn a_name_is_forgotten_before_the_job_is() {
    let old = "store: { embedded: { path: ledger, lease: 3s } } # store";
    let new = "store: { embedded: { path: ledger, lease: 3s, test_clock: true } } # store";
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let changes = [("FAKE", addr.as_str()), ("# more\n", SAYS), (old, new)];
    let world = World::seeded_of(YAML, &changes, seed);
    let rig = Rig { fake, world };
    let maria = rig.world.payer("studio", "100");
    let done = event("p1", "succeeded", Some(2.0));
    let charge = rig.predict(&maria, "p1", "starting").charge();
    rig.predict(&maria, "p2", "starting");
    let at =
        |hours: u64| -> Reply { rig.world.send(&signed_at(now() + hours * 3_600, KEY, &done)) };
    assert_eq!(at(0).status, 200);
    advance(&rig.world, 12);
    assert_eq!(at(12).status, 200, "a repeat is known as one");
    // An hour of life, and half a day.
    advance(&rig.world, 2);
    until("its name is forgotten", || at(14).status == 404);
    rig.prediction("p1", "succeeded", Some(2.0));
    rig.prediction("p2", "succeeded", Some(2.0));
    for id in ["p1", "p2"] {
        assert_eq!(rig.poll(&maria, id).status, 200, "its owner still finds it");
    }
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "4");
}
