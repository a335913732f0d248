//! Refusals in three languages: other words, and nothing else that differs.

use serde_json::{Value, json};

use super::panes::Panes;
use super::wire::{Ask, Reply, Wire};
use super::world::{CHAT, DUBBING, IMAGES, Payer, World, until};

/// What a client says, and the language that it gets.
const ASKED: [(&str, &str); 5] = [
    ("", "en"),
    ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
    ("pt-PT", "pt-BR"),
    ("fr-CA, en;q=0.5", "fr"),
    ("de;q=0.9, fr;q=0.1, *;q=0.2", "fr"),
];

/// Takes the words out of a refusal: title and detail.
#[track_caller]
fn words(reply: &Reply, tag: &str) -> ([String; 2], Value) {
    assert_eq!(reply.header("content-language"), Some(tag), "{}", reply.text());
    assert_eq!(reply.header("vary"), Some("accept, accept-language"));
    let mut body = reply.json();
    // What the dialect's SDKs show is the same text.
    assert_eq!(body["error"]["message"], body["detail"], "{body}");
    let members = body.as_object_mut().unwrap();
    members.remove("instance");
    let mut take = |name: &str| members.remove(name).unwrap().as_str().unwrap().to_owned();
    let words = [take("title"), take("detail")];
    body["error"].as_object_mut().unwrap().remove("message");
    (words, body)
}

/// A refusal, in all languages.
#[track_caller]
fn everywhere(world: &World, code: &str, ask: &Ask) {
    let told: Vec<_> = ASKED
        .iter()
        .map(|(asked, tag)| {
            let reply = world.send(&ask.clone().header("accept-language", asked));
            assert_eq!(reply.problem().1, code, "{}", reply.text());
            words(&reply, tag)
        })
        .collect();
    let [english, portuguese, same, french, too] = told.try_into().unwrap();
    assert_eq!((&portuguese, &french), (&same, &too));
    for (text, other) in [(&english, &portuguese), (&english, &french), (&portuguese, &french)] {
        // Numbers, codes and places are the same.
        assert_eq!(text.1, other.1, "{code}");
        assert!(text.0[0] != other.0[0] && text.0[1] != other.0[1], "{code}: {text:?} {other:?}");
    }
}

#[test]
fn every_refusal_of_the_data_plane() {
    let world = World::start(&[("failures: 1000000", "failures: 200")]);
    let maria = world.payer("studio", "1000");
    let poor = world.payer("studio", "0.000001");
    everywhere(&world, "invalid_key", &maria.images(1, "low").key("again"));
    everywhere(&world, "unknown_route", &maria.get("/v1/nothing"));
    everywhere(&world, "bad_request", &maria.get("/v1//models"));
    everywhere(&world, "bad_request", &maria.images(1, "low").header("credits-max", "many"));
    everywhere(&world, "bad_request", &maria.images(1, "low").header("prefer", "metering=free"));
    let large = maria.images(1, "low").body(&vec![b' '; 70_000]);
    everywhere(&world, "too_large", &large);
    let socket = maria.images(1, "low").header("upgrade", "websocket");
    everywhere(&world, "websocket_unsupported", &socket);
    everywhere(&world, "insufficient_credits", &poor.images(1, "low"));
    everywhere(&world, "max_charge_exceeded", &maria.images(1, "low").header("credits-max", "0"));
    everywhere(&world, "route_not_in_plan", &world.payer("walled", "10").images(1, "low"));
    for status in ["suspended", "closed"] {
        world.change(&poor, &json!({ "status": status }));
        everywhere(&world, "account_suspended", &poor.images(1, "low"));
    }
    for (plan, code) in [("slow", "rate_limited"), ("rationed", "cap_exceeded")] {
        let payer = world.payer(plan, "1000");
        for _ in 0..2 {
            world.send(&payer.images(1, "low")).ok();
        }
        everywhere_but_when(&world, code, &payer.images(1, "low"));
    }
    // Last: after it, nothing else is heard from this address.
    for _ in 0..201 {
        world.send(&maria.images(1, "low").key("again"));
    }
    everywhere_but_when(&world, "rate_limited", &maria.images(1, "low"));
}

/// The same where another second may have another number in it.
#[track_caller]
fn everywhere_but_when(world: &World, code: &str, ask: &Ask) {
    for (asked, tag) in ASKED {
        let reply = world.send(&ask.clone().header("accept-language", asked));
        assert_eq!(reply.problem().1, code, "{}", reply.text());
        let (words, body) = words(&reply, tag);
        let plain = world.send(ask).json();
        assert_eq!(plain["code"], body["code"]);
        assert_eq!(plain["detail"] == words[1], tag == "en", "{words:?}");
    }
}

#[test]
fn what_has_no_price() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "1000");
    for body in [
        r#"{"n":0}"#,
        r#"{"n":1.5}"#,
        r#"{"n":"2"}"#,
        r#"{"n":1e99}"#,
        r#"{"n":[1]}"#,
        r#"{"quality":"best"}"#,
        r#"{"N":1}"#,
        r#"{"n":1,"n":2}"#,
        "{",
        "[]",
    ] {
        let ask = maria.post(IMAGES, &Value::Null).body(body.as_bytes());
        everywhere(&world, "unpriceable_request", &ask);
    }
    let path = format!("{IMAGES}?n=9");
    everywhere(&world, "unpriceable_request", &maria.post(&path, &json!({ "n": 1 })));
    let plain = maria.images(1, "low").header("content-encoding", "gzip");
    everywhere(&world, "unpriceable_request", &plain);
    everywhere(&world, "unpriceable_request", &maria.post(CHAT, &json!({ "max_tokens": 4001 })));
    assert!(world.forwarded() == 0 && world.charges(&maria).is_empty());
}

#[test]
fn what_waits_and_what_becomes_of_a_hold() {
    let world = World::start(&[("first_byte: 20s", "first_byte: 3s")]);
    let maria = world.payer("single", "1");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=2").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    everywhere(&world, "concurrency_exceeded", &maria.images(1, "gift"));
    world.change(&maria, &json!({ "plan": "studio" }));
    everywhere_but_when(&world, "credits_on_hold", &maria.images(1, "low"));
    wire.reply().unwrap().ok();
    // Held until an instant, in the client's own words.
    let rich = world.payer("studio", "10000");
    for (asked, tag) in ASKED {
        let ask = rich.images(1, "low").sample("hang=9").header("accept-language", asked);
        let mut wire = world.wire();
        wire.write(&ask.bytes());
        let reply = wire.reply().unwrap();
        assert_eq!(reply.problem(), (504, "upstream_timeout".to_owned()));
        let body = reply.json();
        let ([_, detail], _) = words(&reply, tag);
        let (held, until) = (body["held"].as_str().unwrap(), body["held_until"].as_str().unwrap());
        assert!(detail.contains(held) && detail.contains(until), "{detail}");
        if tag == "en" {
            assert!(detail.starts_with("The service did not answer in time. Whether"), "{detail}");
        }
    }
}

#[test]
fn the_upstream_that_is_not_there() {
    let world = World::start(&[("url: UPSTREAM", "url: http://127.0.0.1:1")]);
    let maria = world.payer("studio", "1000");
    for (asked, tag) in ASKED {
        let ask = maria.post(DUBBING, &json!({})).header("accept-language", asked);
        let ([title, _], body) = words(&world.send(&ask), tag);
        assert_eq!((&body["code"], &body["hold"]), (&json!("upstream_error"), &json!("released")));
        assert_eq!(title == "Upstream error", tag == "en");
    }
}

#[test]
fn the_client_plane() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let lost = Payer { key: "tk_x".into(), ..maria.clone() };
    let quote = |body: &str| maria.post("/_credits/v1/quote", &Value::Null).body(body.as_bytes());
    everywhere(&world, "invalid_key", &lost.get("/_credits/v1/balance"));
    everywhere(&world, "unknown_charge", &maria.get("/_credits/v1/charges/chg_x"));
    everywhere(&world, "unknown_route", &maria.get("/_credits/v1/nothing"));
    everywhere(&world, "bad_request", &maria.get("/_credits/v1/balance?a=b"));
    everywhere(&world, "bad_request", &maria.get("/_credits/v1/charges?limit=0"));
    everywhere(&world, "bad_request", &maria.get("/_credits/v1/charges?limit=1&limit=2"));
    everywhere(&world, "bad_request", &maria.get("/_credits/v1/charges?starting_after=x"));
    everywhere(&world, "method_not_allowed", &maria.post("/_credits/v1/balance", &json!({})));
    let allowed = world.send(&maria.post("/_credits/v1/balance", &json!({})));
    assert_eq!(allowed.header("allow"), Some("GET,HEAD"), "RFC 9110 §15.5.6");
    for body in ["{", r#"{"path":"/"}"#, r#"{"method":"POST","path":"x"}"#, r#"{"method":1}"#] {
        everywhere(&world, "bad_request", &quote(body));
    }
    everywhere(&world, "unknown_route", &quote(r#"{"method":"POST","path":"/v1/x"}"#));
}

/// A quote that says no says why in the asker's language, on both ways to ask.
#[test]
fn quotes() {
    let world = World::start(&[]);
    let poor = world.payer("studio", "0.000001");
    let ask = json!({ "method": "POST", "path": IMAGES, "body": { "n": 1 } });
    let asks = [
        poor.post("/_credits/v1/quote", &ask),
        poor.post(IMAGES, &json!({ "n": 1 })).header("prefer", "metering=quote"),
    ];
    for ask in asks {
        let said = |language| {
            let reply = world.send(&ask.clone().header("accept-language", language)).ok().json();
            assert_eq!((&reply["decision"], &reply["status"]), (&json!("block"), &json!(402)));
            reply["detail"].as_str().unwrap().to_owned()
        };
        assert!(said("en").starts_with("This request needs"), "{}", said("en"));
        assert!(said("pt").starts_with("Esta requisição precisa"), "{}", said("pt"));
        assert!(said("fr").starts_with("Cette requête nécessite"), "{}", said("fr"));
    }
}

#[test]
fn operators_are_told_in_english() {
    let world = World::start(&[]);
    let ask = Ask::new("GET", "/admin/v1/accounts/acct_none").key(super::world::TOKEN);
    let told = |language| world.operator(&ask.clone().header("accept-language", language)).json();
    assert_eq!(told("fr"), told("en"));
    // What both planes read is told to operators in English, too.
    let panes = Panes::new();
    panes.account("acct_lea", "studio");
    let odd = panes.operator("GET", "/accounts/acct_lea/charges?limit=0", None);
    assert_eq!(odd.body["detail"], "limit: a number from 1 to 100");
}

/// A slow client is told in its own language, too: its head has come.
#[test]
fn a_slow_body() {
    let world = World::start(&[("body: 2s", "body: 1s")]);
    let maria = world.payer("studio", "10");
    for (asked, tag) in [("pt", "pt-BR"), ("fr", "fr")] {
        let ask = maria.images(1, "low").header("accept-language", asked);
        let mut wire = Wire::open(world.data);
        wire.write(&ask.head());
        wire.write(&ask.body[..3]);
        let (_, body) = words(&wire.reply().unwrap(), tag);
        assert_eq!(body["code"], "too_slow");
    }
}
