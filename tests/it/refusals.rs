//! Refusals: what each says, and that nothing was forwarded or charged for it.

use serde_json::{Value, json};

use super::wire::{Ask, Reply};
use super::world::{CHAT, DUBBING, IMAGES, Payer, World, until};

/// What a refusal must be.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    status: u16,
    code: &'static str,
    retry: bool,
    after: After,
}

/// What `Retry-After` must say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    Absent,
    Seconds(u64, u64),
    /// Present if and only if another try makes sense.
    Consistent,
}

const fn wanted(status: u16, code: &'static str, retry: bool, after: After) -> Wanted {
    Wanted { status, code, retry, after }
}

const fn never(status: u16, code: &'static str) -> Wanted {
    wanted(status, code, false, After::Absent)
}

/// Looks at everything that clients go by.
#[track_caller]
fn check(reply: &Reply, wanted: Wanted, kind: &str) {
    let told = || format!("{wanted:?}: {reply:?} {}", reply.text());
    let body = reply.json();
    assert_eq!(reply.problem(), (wanted.status, wanted.code.to_owned()), "{}", told());
    assert_eq!(reply.header("content-type"), Some(kind), "{}", told());
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{}", told());
    let id = reply.header("request-id").unwrap_or_else(|| panic!("{}", told()));
    assert!(id.starts_with("req_"), "{}", told());
    assert_eq!(body["instance"], id, "{}", told());
    assert_eq!(body["status"], wanted.status, "{}", told());
    assert_eq!(body["charged"], "0", "{}", told());
    assert_eq!(body["type"], format!("urn:tollgate:problem:{}", wanted.code), "{}", told());
    for text in [&body["title"], &body["detail"], &body["error"]["message"], &body["error"]["type"]]
    {
        assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{}", told());
    }
    assert_eq!(body["error"]["code"], wanted.code, "{}", told());
    assert!(body["error"].get("param").is_some(), "{}", told());
    let after = reply.header("retry-after").map(|text| text.parse::<u64>().unwrap());
    let retry = reply.header("x-should-retry").unwrap();
    match wanted.after {
        After::Absent => assert_eq!(after, None, "{}", told()),
        After::Seconds(least, most) => {
            assert!(after.is_some_and(|s| (least..=most).contains(&s)), "{}", told());
        }
        After::Consistent => {
            assert!(after.is_none_or(|s| s <= 60), "{}", told());
            assert_eq!(retry, after.is_some().to_string(), "{}", told());
            return;
        }
    }
    assert_eq!(retry, wanted.retry.to_string(), "{}", told());
}

/// Asks as an SDK does and as one who wants problem details; nothing may be forwarded.
#[track_caller]
fn refused(world: &World, ask: &Ask, wanted: Wanted) {
    let before = world.forwarded();
    let problem = "application/problem+json";
    check(&world.send(ask), wanted, "application/json");
    check(&world.send(&ask.clone().header("accept", problem)), wanted, problem);
    check(&world.send(&ask.clone().header("accept", "*/*")), wanted, "application/json");
    assert_eq!(world.forwarded(), before, "{wanted:?}");
}

/// The account has nothing held, no slot in use and no charge.
#[track_caller]
fn untouched(world: &World, payer: &Payer, credits: &str) {
    let purse = world.purse(payer);
    assert_eq!((purse.available.as_str(), purse.held.as_str()), (credits, "0"));
    assert_eq!(world.in_use(payer), 0);
    assert!(world.charges(payer).is_empty(), "{:?}", world.charges(payer));
}

#[test]
fn keys() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let plain = Ask::new("POST", IMAGES).json(&json!({ "n": 1 }));
    let wrong = format!("{}{}", &maria.key[..maria.key.len() - 4], "aaaa");
    for ask in [
        plain.clone(),
        plain.clone().key("tk_unknown"),
        plain.clone().key(&wrong),
        plain.clone().key(&maria.key).key(&maria.key),
        plain.clone().key(&maria.key).header("x-api-key", &maria.key),
        plain.clone().header("authorization", &format!("Basic {}", maria.key)),
        Ask::new("GET", "/v1/models"),
        Ask::new("GET", "/_credits/v1/balance"),
    ] {
        refused(&world, &ask, never(401, "invalid_key"));
    }
    untouched(&world, &maria, "10");
}

#[test]
fn routes_and_paths() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    for (method, path) in [
        ("GET", IMAGES),
        ("PUT", IMAGES),
        ("POST", "/v1/models"),
        ("POST", "/"),
        ("POST", "/v1/images/generations/"),
        ("POST", "/V1/images/generations"),
        ("POST", "/v1/images/Generations"),
        ("GET", "/_creditsx"),
        ("GET", "/_credits/v1/nothing"),
        ("GET", "/_credits"),
    ] {
        let ask = Ask::new(method, path).key(&maria.key);
        refused(&world, &ask, never(404, "unknown_route"));
    }
    let ask = maria.get("/_credits/v1/charges/chg_nothing");
    refused(&world, &ask, never(404, "unknown_charge"));
    // Of a head with two readings nothing is read, nor what the client would accept.
    let two = maria.images(1, "low").header("host", "two");
    check(&world.send(&two), never(400, "bad_request"), "application/json");
    let ask = Ask { path: "/v1//models".to_owned(), ..maria.get("") };
    refused(&world, &ask, never(400, "bad_request"));
    let socket =
        maria.images(1, "low").header("connection", "upgrade").header("upgrade", "websocket");
    refused(&world, &socket, never(501, "websocket_unsupported"));
    untouched(&world, &maria, "10");
}

#[test]
fn accounts_and_plans() {
    let world = World::start(&[]);
    let walled = world.payer("walled", "10");
    refused(&world, &walled.images(1, "low"), never(403, "route_not_in_plan"));
    let maria = world.payer("studio", "10");
    for status in ["suspended", "closed"] {
        world.change(&maria, &json!({ "status": status }));
        refused(&world, &maria.images(1, "low"), never(403, "account_suspended"));
        refused(&world, &maria.images(0, "low"), never(422, "unpriceable_request"));
    }
    // Who may not spend may still read.
    untouched(&world, &maria, "10");
    untouched(&world, &walled, "10");
}

#[test]
fn what_cannot_be_priced() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "1000");
    let pointed = [
        (r#"{"n":0}"#, "/n"),
        (r#"{"n":11}"#, "/n"),
        (r#"{"n":-1}"#, "/n"),
        (r#"{"n":1.5}"#, "/n"),
        (r#"{"n":1e99}"#, "/n"),
        (r#"{"n":"2"}"#, "/n"),
        (r#"{"n":true}"#, "/n"),
        (r#"{"n":[1]}"#, "/n"),
        (r#"{"quality":"best"}"#, "/quality"),
        (r#"{"quality":3}"#, "/quality"),
    ];
    for (body, pointer) in pointed {
        let ask = maria.post(IMAGES, &Value::Null).body(body.as_bytes());
        refused(&world, &ask, never(422, "unpriceable_request"));
        let said = world.send(&ask).json();
        assert_eq!(said["pointer"], pointer, "{body}");
        assert_eq!(said["error"]["param"], pointer, "{body}");
    }
    let unread: [&[u8]; 12] = [
        b"{",
        b"[]",
        b" [{\"n\":9},{\"n\":9}]",
        b"\"n\"",
        b"null",
        b"3",
        b"{\"n\":1,\"n\":2}",
        b"{\"n\":1}{}",
        b"{\"n\":1,}",
        b"\xff\xfe",
        b"{\"n\":01}",
        b"{\"quality\":\"low\",\"quality\":\"high\"}",
    ];
    for body in unread {
        let ask = maria.post(IMAGES, &Value::Null).body(body);
        refused(&world, &ask, never(422, "unpriceable_request"));
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
    {
        let mut ask = maria.images(1, "low");
        ask.headers.retain(|(name, _)| name != "content-type");
        refused(&world, &ask.header("content-type", kind), never(422, "unpriceable_request"));
    }
    let chat = maria.post(CHAT, &json!({ "max_tokens": 4001 }));
    refused(&world, &chat, never(422, "unpriceable_request"));
    assert!(world.forwarded() == 0 && world.charges(&maria).is_empty());
}

#[test]
fn what_the_caller_will_pay() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    for limit in ["9.999999", "0", "0.5"] {
        let ask = maria.images(1, "high").header("credits-max", limit);
        refused(&world, &ask, never(412, "max_charge_exceeded"));
    }
    for limit in
        ["", "-1", "ten", "1e3", "1,5", "0x10", "1.0000001", "+5", "99999999999999999999", "NaN"]
    {
        let ask = maria.images(1, "high").header("credits-max", limit);
        refused(&world, &ask, never(400, "bad_request"));
    }
    let twice = maria.images(1, "high").header("credits-max", "50").header("credits-max", "50");
    refused(&world, &twice, never(400, "bad_request"));
    untouched(&world, &maria, "100");
    world.send(&maria.images(1, "high").header("credits-max", "10")).ok();
    world.send(&maria.images(1, "high").header("credits-max", "10.000000")).ok();
}

#[test]
fn money_and_limits() {
    let world = World::start(&[]);
    let poor = world.payer("studio", "0.999999");
    refused(&world, &poor.images(1, "low"), never(402, "insufficient_credits"));
    let said = world.send(&poor.images(1, "low")).json();
    assert_eq!(said["error"]["type"], "insufficient_quota");
    assert_eq!((&said["required"], &said["available"]), (&json!("1"), &json!("0.999999")));
    assert_eq!(said["shortfall"], "0.000001");
    untouched(&world, &poor, "0.999999");

    // The next refill is named where one is promised.
    let starter = world.payer("starter", "");
    refused(&world, &starter.images(1, "high"), never(402, "insufficient_credits"));
    let said = world.send(&starter.images(1, "high")).json();
    assert!(said["next_refill_at"].is_string(), "{said}");
    // By the allowance that runs: this month began in UTC, and ends there.
    world.send(&starter.images(1, "low")).ok();
    world.change(&starter, &json!({ "zone": "Pacific/Kiritimati" }));
    let said = world.send(&starter.images(1, "high")).json();
    let balance = world.look(&starter, "/balance");
    assert_eq!(said["next_refill_at"], balance["balances"][0]["next_refill"]["at"]);
    let at = said["next_refill_at"].as_str().unwrap();
    assert!(at.ends_with("-01T14:00:00+14:00"), "{at}");
    assert_eq!(said["time_zone"], "Pacific/Kiritimati");

    let daily = world.payer("rationed", "100");
    for _ in 0..2 {
        world.send(&daily.images(1, "low")).ok();
    }
    let capped = wanted(429, "cap_exceeded", false, After::Consistent);
    refused(&world, &daily.images(1, "low"), capped);
    let said = world.send(&daily.images(1, "low")).json();
    assert!(said["resets_at"].is_string() && said["time_zone"] == "UTC", "{said}");
    assert_eq!(
        (&said["limit"], &said["used"], &said["scope"]),
        (&json!("2"), &json!("2"), &json!("account"))
    );

    let thrifty = world.payer("thrifty", "100");
    world.send(&thrifty.images(1, "medium")).ok();
    refused(&world, &thrifty.images(1, "high"), capped);
    world.send(&thrifty.images(1, "medium")).ok();
    refused(&world, &thrifty.images(1, "low"), capped);
    world.send(&thrifty.images(1, "gift")).ok();
}

#[test]
fn rates() {
    let world = World::start(&[]);
    let slow = world.payer("slow", "100");
    for _ in 0..2 {
        world.send(&slow.images(1, "low")).ok();
    }
    refused(
        &world,
        &slow.images(1, "low"),
        wanted(429, "rate_limited", true, After::Seconds(1, 30)),
    );
    // An hour is longer than an SDK should sleep.
    let slower = world.payer("slower", "100");
    world.send(&slower.images(1, "low")).ok();
    refused(&world, &slower.images(1, "low"), never(429, "rate_limited"));
    assert_eq!(world.forwarded(), 3);
}

#[test]
fn floods() {
    let world = World::start(&[("failures: 1000000", "failures: 5")]);
    let maria = world.payer("studio", "100");
    world.send(&maria.images(1, "low")).ok();
    for _ in 0..6 {
        world.send(&maria.images(1, "low").key("again"));
    }
    let wanted = wanted(429, "rate_limited", true, After::Seconds(1, 10));
    refused(&world, &maria.images(1, "low"), wanted);
    assert_eq!(world.send(&maria.images(1, "low")).json()["scope"], "address");
}

#[test]
fn one_at_a_time() {
    let world = World::start(&[]);
    let maria = world.payer("single", "1");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=2").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    assert_eq!(world.in_use(&maria), 1);
    refused(
        &world,
        &maria.images(1, "gift"),
        wanted(429, "concurrency_exceeded", true, After::Seconds(1, 5)),
    );
    world.change(&maria, &json!({ "plan": "studio" }));
    refused(
        &world,
        &maria.images(1, "low"),
        wanted(429, "credits_on_hold", true, After::Seconds(1, 60)),
    );
    let said = world.send(&maria.images(1, "low")).json();
    assert_eq!((&said["required"], &said["held"]), (&json!("1"), &json!("1")));
    // Waiting does not help who asks for more than there will be.
    refused(&world, &maria.images(2, "low"), never(402, "insufficient_credits"));
    wire.reply().unwrap().ok();
    assert_eq!(world.charges(&maria).len(), 1);
}

#[test]
fn holds_that_end_late_are_not_worth_waiting_for() {
    let world = World::start(&[("total: 40s", "total: 90s")]);
    let maria = world.payer("studio", "1");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=1").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    refused(&world, &maria.images(1, "low"), never(402, "insufficient_credits"));
    wire.reply().unwrap().ok();
}

#[test]
fn no_room_for_another_exchange() {
    let world =
        World::start(&[("drain: 10s", "drain: 10s, exchanges: 1"), ("store:", "cores: 1\nstore:")]);
    let maria = world.payer("studio", "10");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").sample("hang=1").bytes());
    until("it is forwarded", || world.forwarded() == 1);
    refused(
        &world,
        &maria.images(1, "low"),
        wanted(503, "metering_unavailable", true, After::Seconds(1, 60)),
    );
    wire.reply().unwrap().ok();
    until("there is room again", || world.send(&maria.images(1, "low")).status == 200);
}

#[test]
fn bodies_that_are_too_large_or_too_slow() {
    let world = World::start(&[]);
    let maria = world.payer("single", "100");
    let large = vec![b' '; 64 * 1024 + 1];
    let ask = maria.post(IMAGES, &Value::Null).body(&large);
    refused(&world, &ask, never(413, "too_large"));
    // Without a length, it shows as it comes.
    let mut wire = world.wire();
    let head = format!(
        "POST {IMAGES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        maria.key
    );
    wire.write(head.as_bytes());
    for _ in 0..5 {
        wire.write(format!("4000\r\n{}\r\n", "x".repeat(0x4000)).as_bytes());
    }
    check(&wire.reply().unwrap(), never(413, "too_large"), "application/json");
    // A declared length counts even where the price does not need the body.
    let ask = maria.post(DUBBING, &Value::Null).body(&large);
    refused(&world, &ask, never(413, "too_large"));
    let mut wire = world.wire();
    let ask = maria.images(1, "low");
    wire.write(&ask.head());
    wire.write(&ask.body[..5]);
    check(&wire.reply().unwrap(), never(408, "too_slow"), "application/json");
    assert_eq!(world.forwarded(), 0);
    untouched(&world, &maria, "100");
}

#[test]
fn heads_that_are_too_large_or_too_slow() {
    let world = World::start(&[("head: 5s", "head: 1s, head_bytes: 16KiB, headers: 20")]);
    let maria = world.payer("single", "100");
    let told = |bytes: &[u8]| {
        let mut wire = world.wire();
        wire.write(bytes);
        let replies = wire.until_closed();
        assert_eq!(replies.len(), 1, "{replies:?}");
        assert_eq!(replies[0].header("connection"), Some("close"));
        check(&replies[0], never(431, "too_large"), "application/json");
    };
    let mut many = maria.images(1, "low").body(b"");
    many.headers.extend((0..30).map(|number| (format!("x-{number}"), "y".to_owned())));
    told(&many.bytes());
    told(&maria.images(1, "low").body(b"").header("x-long", &"y".repeat(20_000)).bytes());
    // It goes on sending: the answer must not be lost with the connection.
    told(&maria.images(1, "low").body(b"").header("x-long", &"y".repeat(2_000_000)).bytes());
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").head()[..30]);
    let replies = wire.until_closed();
    assert_eq!(replies.len(), 1, "{replies:?}");
    check(&replies[0], never(408, "too_slow"), "application/json");
    assert_eq!(world.forwarded(), 0);
    untouched(&world, &maria, "100");
}

/// Other spellings of a priced path, and paths that some server would take for it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn spellings() -> Vec<String> {
    let mut all: Vec<String> = [
        "//v1/images/generations",
        "/v1//images/generations",
        "/v1/images//generations",
        "/v1/images/generations/",
        "/v1/images/generations//",
        "///v1/images/generations",
        "/./v1/images/generations",
        "/v1/./images/generations",
        "/v1/images/./generations",
        "/v1/images/generations/.",
        "/v1/images/generations/..",
        "/v1/x/../images/generations",
        "/../v1/images/generations",
        "/v1/images/generations/../generations",
        "/..",
        "/v1/models/../images/generations",
        "/v1/images/generations.",
        "/v1/images./generations",
        "/v1/images/generations;",
        "/v1/images/generations;a=b",
        "/v1;a/images/generations",
        "/;/v1/images/generations",
        "/v1/images/..;/images/generations",
        "/v1%2Fimages/generations",
        "/v1/images%2Fgenerations",
        "/v1/images%2fgenerations",
        "/v1/images%5Cgenerations",
        "/v1\\images\\generations",
        "/v1/images\\generations",
        "/%2Fv1/images/generations",
        "/%2e/v1/images/generations",
        "/%2E%2E/v1/images/generations",
        "/v1/%2e%2e/v1/images/generations",
        "/v1/.%2e/v1/images/generations",
        "/v1/images/%67enerations",
        "/v1/images/%47enerations",
        "/%76%31/images/generations",
        "/v1/images/generation%73",
        "/v1/images/generations%20",
        "/v1/images/generations%09",
        "/v1/images/generations%00",
        "/v1/images/generations%0a",
        "/v1/images/generations%0d%0a",
        "/v1/images/generations%23",
        "/v1/images/generations%3f",
        "/v1/images/generations%3Fx",
        "/v1/images/generations%",
        "/v1/images/generations%2",
        "/v1/images/generations%zz",
        "/v1/images/generations%25",
        "/v1/images/%2567enerations",
        "/v1/images/generations%c0%af",
        "/v1/images/generations%ff",
        "/V1/images/generations",
        "/v1/Images/generations",
        "/v1/images/GENERATIONS",
        "/v1/images/generations\"",
        "/v1/images/generations<",
        "/v1/images/generations|",
        "/v1/images/generations^",
        "/v1/images/generations`",
        "/v1/images/{generations}",
        "v1/images/generations",
        "\\v1\\images\\generations",
        "*",
        "",
        "/v1/images/generations\u{7f}",
        "/v1/images/g\u{e9}n\u{e9}rations",
        "/v1/images/generations\u{2028}",
        "http://other/v1/images/generations",
        "gateway/v1/images/generations",
        "http:/v1/images/generations",
        "http:///v1/images/generations",
        "//gateway/v1/images/generations",
    ]
    .map(str::to_owned)
    .into();
    // Each letter in turn, encoded without need.
    for (at, letter) in IMAGES.char_indices().filter(|(_, letter)| letter.is_ascii_alphabetic()) {
        all.push(format!("{}%{:02X}{}", &IMAGES[..at], letter as u32, &IMAGES[at + 1..]));
    }
    all
}

#[test]
fn a_fragment_is_no_part_of_a_target() {
    // RFC 9112 §3.2 has none: some servers drop it, for others it is a part of the path.
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let ask = Ask { path: format!("{IMAGES}#/../x"), ..maria.images(1, "low") };
    check(&world.send(&ask), never(400, "bad_request"), "application/json");
    assert_eq!(world.forwarded(), 0);
    untouched(&world, &maria, "10");
}

#[test]
fn another_spelling_of_a_path_never_reaches_the_upstream() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "1000");
    let spellings = spellings();
    assert!(spellings.len() >= 60);
    for path in &spellings {
        // Without a body: one that is left unread would take the answer along.
        let ask = Ask { path: path.clone(), body: Vec::new(), ..maria.images(1, "low") };
        let mut wire = world.wire();
        wire.write(&ask.bytes());
        let status = wire.reply().map(|reply| reply.status);
        assert!(matches!(status, Some(400 | 404)), "{path:?}: {status:?}");
    }
    assert_eq!(world.forwarded(), 0);
    untouched(&world, &maria, "1000");
    println!("refusals: {} spellings of a path", spellings.len());
}

/// Many frameworks read query and body as one set of parameters: what the body prices, only the body may say.
#[test]
fn a_query_cannot_overrule_the_body() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "100");
    let body = serde_json::json!({ "n": 1 });
    for query in ["n=9", "N=9", "n[]=9", "%6e=9", "a=b&n=9", "quality=high"] {
        let reply = world.send(&payer.post(&format!("/v1/images/generations?{query}"), &body));
        assert_eq!(reply.problem(), (422, "unpriceable_request".to_owned()), "{query}");
    }
    assert_eq!(world.forwarded(), 0);
    world.send(&payer.post("/v1/images/generations?nn=9&trace=1", &body)).ok();
}

/// Bodies that wait for their price take memory: there is so much of it and no more.
#[test]
fn bodies_have_so_much_room() {
    let world = World::start(&[
        ("body: 2s, drain: 10s", "body: 30s, drain: 10s, bodies: 1MiB"),
        ("store:", "cores: 1\nstore:"),
    ]);
    let payer = world.payer("studio", "100");
    // Each announces the whole limit of its route and sends nothing of it yet.
    let ask = payer.post("/v1/images/generations", &serde_json::json!({ "quality": "gift" }));
    let announced = String::from_utf8(ask.head()).unwrap();
    let length = announced.split("Content-Length: ").nth(1).unwrap().split('\r').next().unwrap();
    let announced =
        announced.replace(&format!("Content-Length: {length}"), "Content-Length: 65536");
    let mut waiting = Vec::new();
    super::world::until("there is no room", || {
        // One more each time: the request below may take the place of one that comes beside it.
        let mut wire = world.wire();
        wire.write(announced.as_bytes());
        waiting.push(wire);
        let reply = world.send(&ask);
        reply.problem() == (503, "metering_unavailable".to_owned())
    });
    drop(waiting);
    super::world::until("there is room again", || world.send(&ask).status == 200);
}
