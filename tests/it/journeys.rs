//! Journeys of single requests, from the client's bytes to the receipt.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::wire::{Ask, Reply};
use super::world::{CHAT, DUBBING, IMAGES, Payer, Purse, World, until};

/// A chat of three prompt tokens.
fn chat(payer: &Payer, stream: bool, max_tokens: u64) -> Ask {
    let messages = json!([{ "role": "user", "content": "one two three" }]);
    let body = json!({ "stream": stream, "max_tokens": max_tokens, "messages": messages });
    payer.post(CHAT, &body)
}

fn dubbing(payer: &Payer, seconds: u64) -> Ask {
    payer.post(DUBBING, &json!({ "seconds": seconds }))
}

fn purse(available: &str, held: &str, owed: &str) -> Purse {
    Purse { available: available.into(), held: held.into(), owed: owed.into() }
}

fn flags(receipt: &Value) -> Vec<&str> {
    receipt["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

#[test]
fn a_paid_request_has_a_receipt() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    let reply = world.send(&maria.images(2, "high")).ok();
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(reply.header("credits-held"), Some("20"));
    assert_eq!(reply.header("credits-remaining"), Some("80"));
    assert!(reply.header("request-id").is_some_and(|id| id.starts_with("req_")));
    let receipt = world.ended(&maria, &reply.charge(), "settled");
    assert_eq!(receipt["charged"], "20");
    assert_eq!(receipt["request"]["id"], reply.header("request-id").unwrap());
    assert_eq!(receipt["request"]["path"], IMAGES);
    assert_eq!(receipt["key"], maria.key_id.as_str());
    assert_eq!(receipt["upstream"], json!({ "name": "sample", "status": 200 }));
    assert_eq!(receipt["lines"][0]["amount"], json!("20"));
    assert_eq!(world.purse(&maria), purse("80", "0", "0"));
}

#[test]
fn dubbing_is_charged_by_the_seconds_of_the_answer() {
    let world = World::start(&[]);
    let joao = world.payer("studio", "100");
    for (seconds, charged) in [(1, "10"), (60, "10"), (61, "20"), (180, "30"), (300, "50")] {
        let before: f64 = world.purse(&joao).available.parse().unwrap();
        let reply = world.send(&dubbing(&joao, seconds)).ok();
        assert_eq!(reply.header("credits-held"), Some("50"));
        let receipt = world.ended(&joao, &reply.charge(), "settled");
        assert_eq!(receipt["charged"], charged, "{seconds}");
        let after: f64 = world.purse(&joao).available.parse().unwrap();
        assert_eq!(before - after, charged.parse::<f64>().unwrap());
        world.grant(&joao, charged);
    }
}

#[test]
fn a_stream_passes_byte_for_byte_and_is_charged_by_its_usage() {
    let world = World::start(&[]);
    let lea = world.payer("studio", "100");
    let ask = chat(&lea, true, 8).sample("slow=2");
    let (through, direct) = (world.send(&ask).ok(), world.direct(&ask).ok());
    assert_eq!(through.text(), direct.text());
    assert_eq!(through.header("content-type"), Some("text/event-stream"));
    assert!(through.text().ends_with("data: [DONE]\n\n"));
    // 3 × 0.5 and 8 × 2 for a thousand tokens.
    let receipt = world.ended(&lea, &through.charge(), "settled");
    assert_eq!(receipt["charged"], "0.0175");
    assert_eq!(world.purse(&lea), purse("99.9825", "0", "0"));
}

#[test]
fn documents_pass_byte_for_byte() {
    let world = World::start(&[]);
    let lea = world.payer("studio", "100");
    for ask in [chat(&lea, false, 5), chat(&lea, false, 5).sample("slow=3"), lea.get("/v1/models")]
    {
        let (through, direct) = (world.send(&ask).ok(), world.direct(&ask).ok());
        assert_eq!(through.body, direct.body);
        let length = |reply: &Reply| reply.header("content-length").map(str::to_owned);
        assert_eq!(length(&through), length(&direct));
    }
}

#[test]
fn failures_of_the_upstream_cost_nothing() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    for (switch, status, outcome) in
        [("fail", 500, "failed"), ("fail=503", 503, "failed"), ("block", 400, "blocked")]
    {
        let ask = maria.images(3, "low").sample(switch);
        let (reply, direct) = (world.send(&ask), world.direct(&ask));
        assert_eq!((reply.status, &reply.body), (status, &direct.body), "{switch}");
        let receipt = world.ended(&maria, &reply.charge(), "released");
        assert_eq!(receipt["outcome"], outcome);
        assert_eq!(receipt["charged"], "0");
    }
    assert_eq!(world.purse(&maria), purse("100", "0", "0"));
}

/// What a request of unknown outcome comes to in the end.
fn unknown(on_unknown: &str, ended: &str, charged: &str) {
    let rule = format!("on_unknown: {on_unknown}");
    let world = World::start(&[
        ("first_byte: 20s", "first_byte: 500ms"),
        ("lease: 3s", "lease: 1s"),
        ("on_unknown: release # images", &rule),
        ("reconcile: 1s # images", "reconcile: 3s"),
    ]);
    let maria = world.payer("single", "100");
    let reply = world.send(&maria.images(2, "medium").sample("hang=5"));
    assert_eq!(reply.problem(), (504, "upstream_timeout".to_owned()), "{}", reply.text());
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    assert_eq!(reply.header("retry-after"), None);
    let body = reply.json();
    assert_eq!((&body["hold"], &body["held"]), (&json!("kept"), &json!("10")));
    assert!(body["held_until"].is_string());
    let receipt = world.ended(&maria, &reply.charge(), "unknown");
    assert!(receipt["unknown_until"].is_string());
    // The credits stay held, the slot is free.
    assert_eq!(world.purse(&maria), purse("90", "10", "0"));
    assert_eq!(world.in_use(&maria), 0);
    let receipt = world.ended(&maria, &reply.charge(), ended);
    assert_eq!(receipt["charged"], charged);
    until("nothing is held", || world.purse(&maria).held == "0");
    let left = if charged == "0" { "100" } else { "90" };
    assert_eq!(world.purse(&maria), purse(left, "0", "0"));
}

#[test]
fn a_hanging_upstream_keeps_the_hold_until_it_is_released() {
    unknown("release", "released", "0");
}

#[test]
fn a_hanging_upstream_keeps_the_hold_until_it_is_charged() {
    unknown("charge", "settled", "10");
}

#[test]
fn a_cut_body_is_cut_for_the_client_and_unknown() {
    let world = World::start(&[("reconcile: 1s", "reconcile: 1h")]);
    let maria = world.payer("studio", "1000");
    for ask in [
        maria.images(2, "low").sample("cut"),
        maria.images(2, "low").sample("lie-length"),
        chat(&maria, true, 8).sample("cut"),
        chat(&maria, false, 8).sample("cut"),
    ] {
        let reply = world.send(&ask);
        assert_eq!(reply.status, 200);
        assert!(!reply.whole, "{reply:?}");
        let receipt = world.ended(&maria, &reply.charge(), "unknown");
        assert_eq!(receipt["charged"], "0");
        assert_eq!(receipt["outcome"], "unknown");
        assert_eq!(flags(&receipt), ["broken_body"]);
    }
}

#[test]
fn an_upstream_that_is_not_there_costs_nothing() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let world = World::start(&[("UPSTREAM", &url)]);
    let maria = world.payer("single", "100");
    let reply = world.send(&maria.images(1, "low"));
    assert_eq!(reply.problem(), (502, "upstream_error".to_owned()));
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert_eq!(reply.json()["hold"], "released");
    world.ended(&maria, &reply.charge(), "released");
    assert_eq!(world.purse(&maria), purse("100", "0", "0"));
    assert_eq!(world.in_use(&maria), 0);
}

/// A listener that lets nobody in: its queue is full, further connections wait.
fn full_house() -> (Socket, Vec<Socket>, SocketAddr) {
    let new = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = new();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut guests = Vec::new();
    loop {
        let guest = new();
        let entered = guest.connect_timeout(&address, Duration::from_millis(200)).is_ok();
        guests.push(guest);
        if !entered {
            return (listener, guests, address.as_socket().unwrap());
        }
    }
}

#[test]
fn leaving_before_anything_was_forwarded_costs_nothing() {
    let (_listener, _guests, address) = full_house();
    let url = format!("http://{address}");
    let world = World::start(&[
        ("UPSTREAM", &url),
        ("on_disconnect: finish # images", "on_disconnect: cancel"),
        ("connect: 1s", "connect: 20s"),
    ]);
    let maria = world.payer("single", "100");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "high").bytes());
    until("the credits are held", || world.purse(&maria).held == "10");
    drop(wire);
    until("the charge ends", || world.purse(&maria).held == "0");
    assert_eq!(world.purse(&maria), purse("100", "0", "0"));
    let charges = world.charges(&maria);
    assert_eq!((charges.len(), &charges[0]["status"]), (1, &json!("released")));
}

#[test]
fn giving_up_before_anything_was_forwarded_costs_nothing() {
    let (_listener, _guests, address) = full_house();
    let url = format!("http://{address}");
    let world = World::start(&[
        ("UPSTREAM", &url),
        ("first_byte: 20s", "first_byte: 1s"),
        ("connect: 1s", "connect: 20s"),
    ]);
    let maria = world.payer("single", "100");
    let reply = world.send(&maria.images(1, "high"));
    assert_eq!(reply.status, 504, "{}", reply.text());
    assert_eq!(reply.json()["hold"], "released");
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    world.ended(&maria, &reply.charge(), "released");
    assert_eq!(world.purse(&maria), purse("100", "0", "0"));
}

#[test]
fn usage_that_is_missing_is_charged_as_held_and_flagged() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    for stream in [false, true] {
        let reply = world.send(&chat(&maria, stream, 500).sample("no-usage")).ok();
        let receipt = world.ended(&maria, &reply.charge(), "settled");
        // 8000 × 0.5 and 500 × 2 for a thousand tokens.
        assert_eq!(receipt["charged"], "5");
        assert!(flags(&receipt).contains(&"missing_quantity:prompt_tokens"), "{receipt:#}");
        assert!(flags(&receipt).contains(&"missing_quantity:completion_tokens"));
    }
    assert_eq!(world.purse(&maria), purse("90", "0", "0"));
}

#[test]
fn what_exceeds_the_hold_is_owed_and_repaid_by_the_next_grant() {
    let world = World::start(&[]);
    let joao = world.payer("studio", "60");
    let reply = world.send(&dubbing(&joao, 60).sample("seconds=480")).ok();
    let receipt = world.ended(&joao, &reply.charge(), "settled");
    // 50 were held, 80 were due, 60 were there.
    assert_eq!(receipt["charged"], "80", "{receipt:#}");
    assert_eq!(receipt["debt"], "20");
    assert_eq!(world.purse(&joao), purse("0", "0", "20"));
    assert_eq!(world.send(&joao.images(1, "low")).problem().0, 402);
    let granted = world.grant(&joao, "50");
    assert_eq!(granted["repaid"], "20", "{granted}");
    assert_eq!(world.purse(&joao), purse("30", "0", "0"));
}

#[test]
fn a_better_plan_binds_at_the_very_next_quote() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    let quote = maria.images(1, "low").header("prefer", "metering=quote");
    let mut wire = world.wire();
    wire.ask(&maria.images(1, "low")).ok();
    for (plan, decision) in [("walled", "block"), ("other", "allow"), ("walled", "block")] {
        world.change(&maria, &json!({ "plan": plan }));
        assert_eq!(wire.ask(&quote).ok().json()["decision"], decision, "{plan}");
    }
}

#[test]
fn changes_of_the_directory_bind_at_the_very_next_request() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    let mut wire = world.wire();
    let ask = maria.images(1, "low");
    for _ in 0..5 {
        wire.ask(&ask).ok();
        world.change(&maria, &json!({ "status": "suspended" }));
        assert_eq!(wire.ask(&ask).problem(), (403, "account_suspended".to_owned()));
        world.change(&maria, &json!({ "status": "active" }));
        wire.ask(&ask).ok();
        world.change(&maria, &json!({ "plan": "walled" }));
        assert_eq!(wire.ask(&ask).problem(), (403, "route_not_in_plan".to_owned()));
        world.change(&maria, &json!({ "plan": "studio" }));
        wire.ask(&ask).ok();
    }
    let other = world.another_key(&maria.account);
    wire.ask(&other.images(1, "low")).ok();
    world.operate("POST", &format!("/keys/{}/revoke", other.key_id), &json!({}));
    assert_eq!(wire.ask(&other.images(1, "low")).problem(), (401, "invalid_key".to_owned()));
    wire.ask(&ask).ok();
    assert_eq!(world.forwarded(), 17);
}

#[test]
fn two_keys_of_an_account_share_its_credits() {
    let world = World::start(&[]);
    let one = world.payer("studio", "3");
    let other = world.another_key(&one.account);
    world.send(&one.images(1, "low")).ok();
    let reply = world.send(&other.images(1, "low")).ok();
    assert_eq!(
        world.ended(&one, &reply.charge(), "settled")["key"],
        json!(other.key_id),
        "either key sees the account's charges"
    );
    world.send(&one.images(1, "low")).ok();
    for payer in [&one, &other] {
        assert_eq!(world.send(&payer.images(1, "low")).problem().0, 402);
    }
    // Another account's charge is nobody's business.
    let stranger = world.payer("studio", "1");
    let look = stranger.get(&format!("/_credits/v1/charges/{}", reply.charge()));
    assert_eq!(world.send(&look).problem(), (404, "unknown_charge".to_owned()));
}

#[test]
fn credentials_stay_on_their_side() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "10");
    let body = json!({ "n": 1, "quality": "low" });
    let plain = Ask::new("POST", IMAGES).json(&body);
    for ask in [
        plain.clone().key(&maria.key),
        plain.clone().header("X-Api-Key", &maria.key),
        plain.clone().header("authorization", &format!("bearer {}", maria.key)),
    ] {
        let ask = ask
            .header("connection", "keep-alive, X-Private")
            .header("x-private", "yes")
            .header("te", "trailers")
            .header("keep-alive", "timeout=5")
            .header("proxy-authorization", "Basic x")
            .header("credits-max", "5")
            .header("x-forwarded-for", "10.1.1.1")
            .header("x-kept", "yes")
            .header("accept-encoding", "gzip");
        world.send(&ask).ok();
        let headers = world.last_headers();
        let shown = format!("{headers:?}");
        assert!(!shown.contains(&maria.key[20..]), "{shown}");
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "x-private",
            "keep-alive",
            "proxy-authorization",
            "credits-max",
            "x-forwarded-for",
            "x-api-key",
        ] {
            assert!(!names.contains(&name), "{name}: {shown}");
        }
        let has = |name: &str, value: &str| headers.contains(&(name.to_owned(), value.to_owned()));
        // Ours: that we take trailers, as the client does.
        assert!(has("te", "trailers") && has("connection", "te"), "{shown}");
        assert!(has("x-kept", "yes") && has("via", "1.1 tollgate"), "{shown}");
        assert!(has("authorization", "Bearer sample-upstream-secret"), "{shown}");
        assert!(has("host", &world.upstream.addr.to_string()), "{shown}");
        assert!(has("accept-encoding", "identity"), "{shown}");
        assert_eq!(names.iter().filter(|name| **name == "authorization").count(), 1);
    }
}

#[test]
fn a_quote_writes_and_forwards_nothing() {
    let world = World::start(&[]);
    let maria = world.payer("rationed", "100");
    let all = || {
        let mut seen = [world.look(&maria, "/balance"), world.look(&maria, "/limits")];
        seen.iter_mut().for_each(|one| one["as_of"] = Value::Null);
        seen
    };
    let before = all();
    for (n, quality, decision) in
        [(2, "high", "allow"), (10, "high", "allow"), (3, "gift", "allow")]
    {
        let ask = maria.images(n, quality).header("prefer", "metering=quote");
        let quote = world.send(&ask).ok();
        assert_eq!(quote.json()["decision"], decision, "{}", quote.text());
        assert_eq!(quote.json()["charged"], "0");
        assert_eq!(quote.header("credits-charge-id"), None);
    }
    // What would be refused is answered with the refusal inside.
    let poor = world.payer("studio", "");
    let quote = world.send(&poor.images(1, "low").header("prefer", "metering=quote")).ok();
    assert_eq!(quote.json()["decision"], "block");
    assert_eq!(quote.json()["code"], "insufficient_credits");
    for word in ["metering=explain", "metering", "metering=\"\""] {
        let ask = maria.images(1, "low").header("prefer", word);
        assert_eq!(world.send(&ask).problem(), (400, "bad_request".to_owned()), "{word}");
    }
    assert_eq!(world.forwarded(), 0);
    assert_eq!(all(), before);
    assert!(world.charges(&maria).is_empty() && world.charges(&poor).is_empty());
    // Other preferences pass on.
    world.send(&maria.images(1, "low").header("prefer", "respond-async, wait=5")).ok();
    assert!(world.last_headers().contains(&("prefer".into(), "respond-async, wait=5".into())));
}

#[test]
fn a_quote_says_what_is_then_held() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    for ask in [maria.images(3, "medium"), dubbing(&maria, 5), chat(&maria, true, 7)] {
        let quote = world.send(&ask.clone().header("prefer", "metering=quote")).ok().json();
        let reply = world.send(&ask).ok();
        assert_eq!(reply.header("credits-held"), quote["hold"].as_str(), "{quote}");
        let asked = json!({ "method": ask.method, "path": ask.path,
                            "body": serde_json::from_slice::<Value>(&ask.body).unwrap() });
        let other = world.send(&maria.post("/_credits/v1/quote", &asked)).ok().json();
        assert_eq!(other["hold"], quote["hold"]);
    }
}

#[test]
fn what_costs_nothing_passes_without_credits() {
    let world = World::start(&[]);
    let poor = world.payer("studio", "");
    let reply = world.send(&poor.images(2, "gift")).ok();
    let receipt = world.ended(&poor, &reply.charge(), "settled");
    assert_eq!(receipt["charged"], "0");
    world.send(&poor.get("/v1/models")).ok();
    assert_eq!(world.charges(&poor).len(), 1);
    assert_eq!(world.send(&poor.images(2, "low")).problem().0, 402);
}

#[test]
fn an_account_whose_plan_is_unknown_here_is_refused() {
    let mut world = World::start(&[]);
    let maria = world.payer("other", "10");
    world.restart(&[("  other: {}\n", "")]);
    assert_eq!(world.send(&maria.images(1, "low")).problem(), (403, "plan_unknown_here".into()));
    world.restart(&[]);
    assert_eq!(world.purse(&maria), purse("10", "0", "0"));
    world.send(&maria.images(1, "low")).ok();
    assert_eq!(world.forwarded(), 1);
}

#[test]
fn head_has_no_body() {
    let world = World::start(&[("match: GET /v1/models", "match: HEAD /v1/models")]);
    let maria = world.payer("studio", "");
    let mut wire = world.wire();
    for _ in 0..3 {
        let reply = wire.ask(&Ask::new("HEAD", "/v1/models").key(&maria.key));
        assert_eq!(reply.status, 200);
        assert_eq!(wire.seen(), "");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_each_charged_once() {
    let world = World::start(&[]);
    let maria = world.payer("single", "100");
    let mut wire = world.wire();
    let asks: Vec<Ask> = (1..=10).map(|n| maria.images(n, "low")).collect();
    wire.write(&asks.iter().flat_map(Ask::bytes).collect::<Vec<u8>>());
    for n in 1..=10 {
        let reply = wire.reply().unwrap().ok();
        assert_eq!(reply.json()["data"].as_array().unwrap().len(), n);
    }
    until("all is settled", || world.purse(&maria) == purse("45", "0", "0"));
    assert_eq!((world.forwarded(), world.charges(&maria).len()), (10, 10));
}

/// One slot and credits for one at a time: whoever has read an answer may ask again at once.
fn again_and_again(ask: impl Fn(&Payer) -> Ask, credits: &str) {
    let world = World::start(&[]);
    let maria = world.payer("single", credits);
    let mut wire = world.wire();
    for round in 0..200 {
        let reply = wire.ask(&ask(&maria));
        assert_eq!(reply.status, 200, "round {round}: {}", reply.text());
    }
    until("all is settled", || world.in_use(&maria) == 0);
    assert_eq!(world.forwarded(), 200);
}

#[test]
fn slot_and_credits_are_back_when_a_document_has_been_read() {
    // 50 are held each time, 10 are due.
    again_and_again(|payer| dubbing(payer, 30), "2040");
}

#[test]
fn slot_and_credits_are_back_when_a_stream_has_been_read() {
    again_and_again(|payer| chat(payer, true, 2), "10");
}

#[test]
fn slot_and_credits_are_back_when_a_failure_has_been_read() {
    let world = World::start(&[]);
    let maria = world.payer("single", "10");
    let mut wire = world.wire();
    for _ in 0..50 {
        assert_eq!(wire.ask(&maria.images(1, "high").sample("fail")).status, 500);
    }
    assert_eq!(wire.ask(&maria.images(1, "high")).status, 200);
}

#[test]
fn the_operators_secret_never_comes_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = World::start(&[("UPSTREAM", &url)]);
    let maria = world.payer("studio", "10");
    let echo = tollgate::seam::thread("echo", move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0; 4096];
        let count = stream.read(&mut seen).unwrap();
        assert!(String::from_utf8_lossy(&seen[..count]).contains("sample-upstream-secret"));
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-Echo: Bearer sample-upstream-secret\r\n\
            Set-Cookie: token=sample-upstream-secret; Path=/\r\nSet-Cookie: a=b\r\nConnection: X-Hop\r\n\
            X-Hop: 1\r\nX-Kept: 1\r\n\r\n{\"data\":[]}";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let reply = world.send(&maria.images(1, "low")).ok();
    echo.unwrap().join().unwrap();
    let shown = format!("{reply:?}");
    assert!(!shown.contains("sample-upstream-secret"), "{shown}");
    assert!(reply.header("x-hop").is_none() && reply.header("x-kept") == Some("1"), "{shown}");
}

/// An upstream of one request, which sends `parts` times 64 KiB as fast as they are taken.
fn torrent(parts: usize) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let pour = move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(stream.read(&mut [0; 4096]));
        let length = parts * 64 * 1024;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..parts {
            if stream.write_all(&[b'x'; 64 * 1024]).is_err() {
                return;
            }
            counter.fetch_add(64 * 1024, Ordering::SeqCst);
        }
    };
    drop(tollgate::seam::thread("torrent", pour).unwrap());
    (url, sent)
}

/// Waits until a number does not change any more.
fn settled(number: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    until("it stops", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = number.load(Ordering::SeqCst);
        let same = now == before && now > 0;
        before = now;
        same
    });
    before
}

#[test]
fn a_client_that_stops_reading_holds_the_upstream_back() {
    let (url, sent) = torrent(2_048);
    let world = World::start(&[("UPSTREAM", &url)]);
    let maria = world.payer("studio", "10");
    let mut wire = world.wire();
    wire.write(&maria.images(1, "low").bytes());
    // What the kernel and a few frames hold, of 128 MiB.
    let stopped = settled(&sent);
    assert!(stopped < 48 * 1024 * 1024, "{stopped} bytes were taken from the upstream");
    let reply = wire.reply().unwrap().ok();
    assert_eq!(reply.body.len(), 2_048 * 64 * 1024);
    world.ended(&maria, &reply.charge(), "settled");
}

#[test]
fn half_a_request_behind_another_holds_nothing_up() {
    let world = World::start(&[]);
    let maria = world.payer("single", "10");
    let mut wire = world.wire();
    let next = maria.images(3, "low").bytes();
    let (half, rest) = next.split_at(40);
    wire.write(&[&chat(&maria, true, 8).sample("slow=5").bytes()[..], half].concat());
    let reply = wire.reply().unwrap().ok();
    assert!(reply.text().ends_with("[DONE]\n\n"));
    wire.write(rest);
    assert_eq!(wire.reply().unwrap().ok().json()["data"].as_array().unwrap().len(), 3);
}

#[test]
fn a_running_request_survives_the_drain() {
    let mut world = World::start(&[]);
    let maria = world.payer("single", "10");
    let mut wire = world.wire();
    let mut idle = world.wire();
    idle.ask(&maria.get("/v1/models")).ok();
    wire.write(&maria.images(1, "low").sample("hang=1;slow=20").bytes());
    until("it is forwarded", || world.forwarded() == 2);
    let drained = world.drain();
    assert!(wire.reply().unwrap().ok().whole);
    drained.join().unwrap();
    assert!(wire.until_closed().is_empty() && idle.until_closed().is_empty());
    world.start_again(&[]);
    assert_eq!(world.purse(&maria), purse("9", "0", "0"));
}

#[test]
fn a_wire_reads_what_it_should() {
    // The tests' own reader: a body that breaks off is never taken for a whole one.
    let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let read = |bytes: &[u8], over| Reply::read(bytes, false, over);
    assert_eq!(read(whole, false).unwrap().0.body, b"abc");
    let head = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for cut in head..whole.len() {
        assert!(read(&whole[..cut], false).is_none(), "{cut}");
        assert!(!read(&whole[..cut], true).unwrap().0.whole, "{cut}");
    }
}

/// Where the head of the answer already tells the price, the client reads it there.
#[test]
fn what_is_charged_is_said_as_soon_as_it_is_known() {
    let free = "- { name: models, match: GET /v1/models, upstream: sample, free: true }";
    let paid = "- { name: models, match: GET /v1/models, upstream: sample, price: call, on_unknown: release }";
    let price = "prices:\n  call: { lines: [{ label: Call, rate: 2.5 }] }";
    let world = World::start(&[(free, paid), ("prices:", price)]);
    let maria = world.payer("studio", "10");
    let reply = world.send(&maria.get("/v1/models")).ok();
    let said = |name: &str| reply.header(name).unwrap().to_owned();
    assert_eq!(
        [said("credits-held"), said("credits-charged"), said("credits-remaining")],
        ["2.5", "2.5", "7.5"]
    );
    assert_eq!(world.ended(&maria, &reply.charge(), "settled")["charged"], "2.5");
    // A failure costs nothing, and its head says so too.
    let failed = world.send(&maria.images(1, "low").sample("fail"));
    assert_eq!((failed.status, failed.header("credits-charged")), (500, Some("0")));
    // What only the body tells is not guessed.
    assert_eq!(world.send(&maria.images(1, "low")).ok().header("credits-charged"), None);
}
