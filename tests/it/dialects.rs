//! Refusals in each dialect: the shape that its SDKs read, and what is the same in all of them.

use serde_json::{Value, json};

use super::wire::{Ask, Reply};
use super::world::{CHAT, DUBBING, IMAGES, Payer, World, until};

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

/// Where each dialect has what its SDKs read, and how a member of RFC 9457 is called whose name is taken.
struct Shape {
    dialect: &'static str,
    /// The members that its SDKs read, of a refusal for want of credits; `<MESSAGE>`, `<TITLE>` and `<ID>` stand for those.
    poor: &'static str,
    /// Where its word for the sort of error is, and where the text.
    word: &'static str,
    message: &'static str,
    /// The headers with the request's id, beside `request-id`.
    ids: &'static [&'static str],
    renamed: Option<&'static str>,
    /// The status where a day's cap is reached.
    cap: u16,
    /// Its words for a wrong key, a full slot and a cap.
    words: [&'static str; 3],
}

const SHAPES: [Shape; 9] = [
    Shape {
        dialect: "openai",
        poor: r#"{"error": {"message": "<MESSAGE>", "type": "insufficient_quota",
                  "code": "insufficient_credits", "param": null}}"#,
        word: "/error/type",
        message: "/error/message",
        ids: &["x-request-id"],
        renamed: None,
        cap: 429,
        words: ["authentication_error", "rate_limit_error", "insufficient_quota"],
    },
    Shape {
        dialect: "anthropic",
        poor: r#"{"type": "error", "request_id": "<ID>", "error": {"type": "billing_error",
                  "message": "<MESSAGE>", "details": {"error_code": "insufficient_credits"}}}"#,
        word: "/error/type",
        message: "/error/message",
        ids: &[],
        renamed: Some("type"),
        cap: 429,
        words: ["authentication_error", "rate_limit_error", "rate_limit_error"],
    },
    Shape {
        dialect: "google",
        poor: r#"{"error": {"code": 402, "message": "<MESSAGE>", "status": "FAILED_PRECONDITION",
                  "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                               "reason": "INSUFFICIENT_CREDITS", "domain": "tollgate"}]}}"#,
        word: "/error/status",
        message: "/error/message",
        ids: &[],
        renamed: Some("status"),
        cap: 429,
        words: ["UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"],
    },
    Shape {
        dialect: "replicate",
        poor: r#"{"title": "<TITLE>", "detail": "<MESSAGE>", "status": 402, "instance": "<ID>",
                  "type": "urn:tollgate:problem:insufficient_credits"}"#,
        word: "/code",
        message: "/detail",
        ids: &[],
        renamed: None,
        cap: 402,
        words: ["invalid_key", "concurrency_exceeded", "cap_exceeded"],
    },
    Shape {
        dialect: "fal",
        poor: r#"{"detail": "<MESSAGE>", "message": "<MESSAGE>", "error_type": "insufficient_credits"}"#,
        word: "/error_type",
        message: "/detail",
        ids: &["x-fal-request-id"],
        renamed: None,
        cap: 402,
        words: ["invalid_key", "concurrency_exceeded", "cap_exceeded"],
    },
    Shape {
        dialect: "elevenlabs",
        poor: r#"{"detail": {"status": "quota_exceeded", "message": "<MESSAGE>", "request_id": "<ID>"}}"#,
        word: "/detail/status",
        message: "/detail/message",
        ids: &[],
        renamed: Some("detail"),
        cap: 402,
        words: ["invalid_api_key", "too_many_concurrent_requests", "quota_exceeded"],
    },
    Shape {
        dialect: "runway",
        poor: r#"{"error": "<MESSAGE>"}"#,
        word: "/code",
        message: "/error",
        ids: &[],
        renamed: None,
        cap: 429,
        words: ["invalid_key", "concurrency_exceeded", "cap_exceeded"],
    },
    Shape {
        dialect: "detail",
        poor: r#"{"detail": "<MESSAGE>", "message": "<MESSAGE>", "request_id": "<ID>"}"#,
        word: "/code",
        message: "/detail",
        ids: &[],
        renamed: None,
        cap: 402,
        words: ["invalid_key", "concurrency_exceeded", "cap_exceeded"],
    },
    Shape {
        dialect: "problem",
        poor: r#"{"title": "<TITLE>", "detail": "<MESSAGE>", "status": 402,
                  "type": "urn:tollgate:problem:insufficient_credits"}"#,
        word: "/code",
        message: "/detail",
        ids: &[],
        renamed: None,
        cap: 429,
        words: ["invalid_key", "concurrency_exceeded", "cap_exceeded"],
    },
];

impl Shape {
    /// A world whose file speaks it, where a full slot is easily had and days are long.
    fn world(&self) -> World {
        let file = format!("dialect: {}\nupstreams:\n", self.dialect);
        World::start(&[("upstreams:\n", &file), ("limit: 2, every: day", "limit: 2, every: month")])
    }

    /// What is the same in all: code, status, charge, the request's id, the members of RFC 9457, and the
    /// same as problem details for who asks for them.
    #[track_caller]
    fn holds(
        &self,
        world: &World,
        ask: &Ask,
        status: u16,
        code: &str,
        word: Option<&str>,
    ) -> Reply {
        let reply = world.send(ask);
        let body = reply.json();
        let told = || format!("{} {code}: {} {body}", self.dialect, reply.status);
        assert_eq!((reply.status, &body["code"]), (status, &json!(code)), "{}", told());
        assert_eq!(body["charged"], "0", "{}", told());
        let urn = json!(format!("urn:tollgate:problem:{code}"));
        for (member, value) in [("type", &urn), ("status", &json!(status))] {
            let name = self.renamed.filter(|renamed| *renamed == member);
            let name = name.map_or(member.to_owned(), |name| format!("problem_{name}"));
            assert_eq!(&body[name], value, "{}", told());
        }
        let detail = if self.renamed == Some("detail") { "problem_detail" } else { "detail" };
        assert_eq!(body.pointer(self.message), Some(&body[detail]), "{}", told());
        assert!(body[detail].as_str().is_some_and(|text| !text.is_empty()), "{}", told());
        if let Some(word) = word {
            assert_eq!(body.pointer(self.word), Some(&json!(word)), "{}", told());
        }
        let id = reply.header("request-id").unwrap();
        assert_eq!(body["instance"], id, "{}", told());
        for name in ["x-request-id", "x-fal-request-id"] {
            let there = self.ids.contains(&name).then_some(id);
            assert_eq!(reply.header(name), there, "{}", told());
        }
        let header = (self.dialect == "fal").then_some(code);
        assert_eq!(reply.header("x-fal-error-type"), header, "{}", told());
        assert_eq!(reply.header("content-type"), Some("application/json"), "{}", told());
        let problem = world.send(&ask.clone().header("accept", "application/problem+json"));
        let told = problem.json();
        assert_eq!(problem.header("content-type"), Some("application/problem+json"));
        assert_eq!((&told["type"], &told["status"]), (&urn, &json!(status)), "{told}");
        assert!(told["detail"].is_string() && told["title"].is_string(), "{told}");
        reply
    }
}

#[test]
fn each_has_the_shape_that_its_sdks_read() {
    for shape in &SHAPES {
        let world = shape.world();
        let poor = world.payer("studio", "0.000001");
        let ask = poor.images(1, "high");
        let reply = shape.holds(&world, &ask, 402, "insufficient_credits", None);
        let body = reply.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let message = text(body.pointer(shape.message).unwrap());
        let wanted = shape.poor.replace("<MESSAGE>", &message);
        let wanted = wanted.replace("<TITLE>", &text(&body["title"]));
        let wanted = wanted.replace("<ID>", &text(&body["instance"]));
        let wanted: Value = serde_json::from_str(&wanted).unwrap();
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&body[name], value, "{}: {body}", shape.dialect);
        }
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        let nobody = Ask::new("GET", "/v1/models").key("tk_nobody");
        shape.holds(&world, &nobody, 401, "invalid_key", Some(shape.words[0]));
        shape.holds(&world, &poor.get("/v1/nothing"), 404, "unknown_route", None);
        shape.holds(&world, &poor.images(0, "low"), 422, "unpriceable_request", None);
        assert_eq!(world.forwarded(), 0, "{}", shape.dialect);
    }
}

#[test]
fn caps_are_402_where_every_429_is_repeated_and_full_slots_are_429() {
    for shape in &SHAPES {
        let world = shape.world();
        let capped = world.payer("rationed", "1000");
        for _ in 0..2 {
            world.send(&capped.images(1, "low")).ok();
        }
        let third = capped.images(1, "low");
        let word = Some(shape.words[2]);
        let reply = shape.holds(&world, &third, shape.cap, "cap_exceeded", word);
        assert_eq!(reply.header("retry-after"), None, "a month is nothing to wait for");
        assert_eq!(reply.header("x-should-retry"), Some("false"), "{}", shape.dialect);
        let quote = world.send(&third.clone().header("prefer", "metering=quote")).json();
        assert_eq!((&quote["code"], &quote["status"]), (&json!("cap_exceeded"), &json!(shape.cap)));
        let single = world.payer("single", "1000");
        let mut busy = world.wire();
        let before = world.forwarded();
        busy.write(&single.images(1, "low").sample("hang=2").bytes());
        until("it is forwarded", || world.forwarded() > before);
        let (full, word) = ("concurrency_exceeded", Some(shape.words[1]));
        let reply = shape.holds(&world, &single.images(1, "low"), 429, full, word);
        assert_eq!(reply.header("x-should-retry"), Some("true"), "{}", shape.dialect);
        busy.reply().unwrap().ok();
    }
}
