//! Refusals in each dialect: the shape that its SDKs read, and what is the same in all of them.

use serde_json::{Value, json};

use super::wire::{Ask, Reply};
use super::world::{CHAT, DUBBING, IMAGES, Payer, World};

/// The routes of the world in three dialects; what has no route is told in Anthropic's.
fn world() -> World {
    World::start(&[
        ("upstreams:\n", "dialect: anthropic\nupstreams:\n"),
        ("price: images\n", "price: images\n    dialect: openai\n"),
        ("price: chat\n", "price: chat\n    dialect: problem\n"),
    ])
}

/// Each dialect's route: one that says it, one that says it, one that has the file's.
const ROUTES: [(&str, &str); 3] = [("openai", IMAGES), ("problem", CHAT), ("anthropic", DUBBING)];

#[track_caller]
fn shaped(reply: &Reply, dialect: &str, code: &str, kinds: [&str; 2]) -> Value {
    let body = reply.json();
    let told = || format!("{dialect}: {} {body}", reply.status);
    let urn = format!("urn:tollgate:problem:{code}");
    assert_eq!(body["code"], code, "{}", told());
    assert_eq!(body["status"], reply.status, "{}", told());
    assert_eq!(body["charged"], "0", "{}", told());
    let (detail, id) = (&body["detail"], reply.header("request-id").unwrap());
    assert!(detail.as_str().is_some_and(|text| !text.is_empty()), "{}", told());
    assert_eq!(body["instance"], id, "{}", told());
    match dialect {
        "openai" => {
            let error = json!({ "message": detail, "type": kinds[0], "code": code,
                                "param": body.get("pointer") });
            assert_eq!((&body["error"], &body["type"]), (&error, &json!(urn)), "{}", told());
            assert_eq!(reply.header("x-request-id"), Some(id));
        }
        "anthropic" => {
            let error = json!({ "type": kinds[1], "message": detail,
                                "details": { "error_code": code } });
            assert_eq!((&body["error"], &body["type"]), (&error, &json!("error")), "{}", told());
            assert_eq!((&body["request_id"], &body["problem_type"]), (&json!(id), &json!(urn)));
            assert_eq!(reply.header("x-request-id"), None);
        }
        _ => {
            assert_eq!((body.get("error"), &body["type"]), (None, &json!(urn)), "{}", told());
            assert_eq!(reply.header("x-request-id"), None);
        }
    }
    assert_eq!(reply.header("content-type"), Some("application/json"), "{}", told());
    body
}

/// The same refusal on each route.
#[track_caller]
fn everywhere(
    world: &World,
    payer: &Payer,
    body: &Value,
    status: u16,
    code: &str,
    kinds: [&str; 2],
) {
    for (dialect, path) in ROUTES {
        let reply = world.send(&payer.post(path, body));
        assert_eq!(reply.status, status, "{dialect}: {}", reply.text());
        shaped(&reply, dialect, code, kinds);
        let problem =
            world.send(&payer.post(path, body).header("accept", "application/problem+json"));
        assert_eq!(problem.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem.json()["type"], format!("urn:tollgate:problem:{code}"), "{dialect}");
    }
}

#[test]
fn each_route_refuses_in_its_own() {
    let world = world();
    let ask = json!({ "n": 1, "quality": "high", "max_tokens": 10 });
    let nobody = Payer { key: "tk_nobody".into(), account: String::new(), key_id: String::new() };
    let kinds = ["authentication_error", "authentication_error"];
    everywhere(&world, &nobody, &ask, 401, "invalid_key", kinds);
    let poor = world.payer("studio", "0.000001");
    let kinds = ["insufficient_quota", "billing_error"];
    everywhere(&world, &poor, &ask, 402, "insufficient_credits", kinds);
    let kinds = ["permission_error", "permission_error"];
    world.change(&poor, &json!({ "status": "suspended" }));
    everywhere(&world, &poor, &ask, 403, "account_suspended", kinds);
    let rich = world.payer("studio", "1000");
    for (dialect, path) in ROUTES {
        let send = |ask: Ask| world.send(&ask);
        let large = send(rich.post(path, &json!({})).body(&vec![b' '; 2 << 20]));
        shaped(&large, dialect, "too_large", ["invalid_request_error", "request_too_large"]);
        let dear = send(rich.post(path, &ask).header("credits-max", "0"));
        shaped(&dear, dialect, "max_charge_exceeded", ["invalid_request_error"; 2]);
        let socket =
            rich.post(path, &ask).header("connection", "upgrade").header("upgrade", "websocket");
        shaped(&send(socket), dialect, "websocket_unsupported", ["server_error", "api_error"]);
        let bad = send(rich.post(path, &ask).header("prefer", "metering=free"));
        shaped(&bad, dialect, "bad_request", ["invalid_request_error"; 2]);
    }
    assert_eq!(world.forwarded(), 0);
}

#[test]
fn what_waits_or_fails_says_so_in_each() {
    let world = world();
    let ask = json!({ "n": 1, "quality": "low", "max_tokens": 10 });
    for (dialect, path) in ROUTES {
        let slow = world.payer("slow", "1000");
        for _ in 0..2 {
            world.send(&slow.post(path, &ask)).ok();
        }
        let reply = world.send(&slow.post(path, &ask));
        shaped(&reply, dialect, "rate_limited", ["rate_limit_error"; 2]);
        assert_eq!(reply.header("x-should-retry"), Some("true"));
        let capped = world.payer("rationed", "1000");
        for _ in 0..2 {
            world.send(&capped.post(path, &ask)).ok();
        }
        let reply = world.send(&capped.post(path, &ask));
        assert_eq!(reply.status, 429, "in a dialect whose SDKs obey x-should-retry");
        // A day that ends within a minute is worth waiting for.
        let soon = reply.header("x-should-retry") == Some("true");
        let kind = if soon { "rate_limit_error" } else { "insufficient_quota" };
        shaped(&reply, dialect, "cap_exceeded", [kind, "rate_limit_error"]);
        // The upstream's own errors pass as they came.
        let failed = world.send(&world.payer("studio", "1000").post(path, &ask).sample("fail=503"));
        assert_eq!((failed.status, &failed.json()["error"]["code"]), (503, &json!("server_error")));
    }
}

#[test]
fn the_upstream_that_is_gone_is_told_in_each() {
    let world = World::start(&[
        ("upstreams:\n", "dialect: anthropic\nupstreams:\n"),
        ("price: images\n", "price: images\n    dialect: openai\n"),
        ("price: chat\n", "price: chat\n    dialect: problem\n"),
        ("url: UPSTREAM", "url: http://127.0.0.1:1"),
    ]);
    let maria = world.payer("studio", "1000");
    let ask = json!({ "n": 1, "quality": "low", "max_tokens": 10 });
    for (dialect, path) in ROUTES {
        let reply = world.send(&maria.post(path, &ask));
        let body = shaped(&reply, dialect, "upstream_error", ["server_error", "api_error"]);
        assert_eq!((&body["hold"], reply.status), (&json!("released"), 502));
        assert_eq!(reply.header("x-should-retry"), Some("true"));
    }
}

#[test]
fn what_has_no_route_is_told_in_the_files() {
    let world = world();
    let maria = world.payer("studio", "10");
    for (path, code, kind) in [
        ("/v1/nothing", "unknown_route", "not_found_error"),
        ("/v1//models", "bad_request", "invalid_request_error"),
        ("/_credits/v1/nothing", "unknown_route", "not_found_error"),
        ("/_credits/v1/charges/chg_x", "unknown_charge", "not_found_error"),
        ("/_credits/v1/balance?a=b", "bad_request", "invalid_request_error"),
    ] {
        shaped(&world.send(&maria.get(path)), "anthropic", code, ["", kind]);
    }
    let reply = world.send(&Ask::new("GET", "/_credits/v1/balance"));
    shaped(&reply, "anthropic", "invalid_key", ["", "authentication_error"]);
    // Without a word about it, the file's dialect is OpenAI's.
    let world = World::start(&[]);
    let reply = world.send(&Ask::new("GET", "/v1/nothing"));
    shaped(&reply, "openai", "unknown_route", ["invalid_request_error", ""]);
}
