//! WebSocket on routes that declare it: what is counted, what is charged, who is told what at the end.
//!
//! The upstream speaks: it answers each text with sound, ten bytes for a character, and remembers what it read.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{
    Error, HandshakeError, WebSocket, accept_hdr_with_config, client,
};
use tollgate::credit::Amount;

use super::world::{Payer, World, until};

/// What one text has in characters when it says nothing else.
const HELLO: &str = "hello, world";

/// A service that speaks.
#[derive(Clone)]
struct Speaker {
    addr: SocketAddr,
    /// The texts that it has read.
    read: Arc<Mutex<Vec<String>>>,
    /// The headers of the last handshake.
    asked: Arc<Mutex<Option<http::HeaderMap>>>,
}

impl Speaker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let speaker = Self {
            addr: listener.local_addr().unwrap(),
            read: Arc::default(),
            asked: Arc::default(),
        };
        let own = speaker.clone();
        // It ends with the test's process.
        drop(tollgate::seam::thread("speaker", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                drop(tollgate::seam::thread("speaking", move || own.serve(stream)));
            }
        }));
        speaker
    }

    fn serve(&self, stream: TcpStream) {
        let asked = self.asked.clone();
        let look = move |request: &Request, response: Response| {
            *asked.lock().unwrap() = Some(request.headers().clone());
            match request.uri().path() {
                "/v1/refused/speak" => {
                    let refused = http::Response::builder().status(403);
                    Err::<_, ErrorResponse>(refused.body(Some("no".to_owned())).unwrap())
                }
                _ => Ok(response),
            }
        };
        let lax = WebSocketConfig::default();
        if let Ok(mut socket) = accept_hdr_with_config(stream, look, Some(lax)) {
            while self.answer(&mut socket) {}
        }
    }

    /// Answers one message; `false`: it is over.
    fn answer(&self, socket: &mut WebSocket<TcpStream>) -> bool {
        let message = match socket.read() {
            Ok(message) => message,
            Err(_) => return false,
        };
        let Message::Text(text) = message else { return !message.is_close() };
        self.read.lock().unwrap().push(text.to_string());
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(code) = said["close"].as_u64() {
            let code = CloseCode::from(u16::try_from(code).unwrap());
            socket.close(Some(CloseFrame { code, reason: "as you wish".into() })).unwrap();
            while socket.read().is_ok() {}
            return false;
        }
        if said["vanish"] == true {
            return false;
        }
        if let Some(seconds) = said["state"].as_u64() {
            let usage = json!({ "usage": { "seconds": seconds } });
            return socket.send(Message::text(usage.to_string())).is_ok();
        }
        let length = said["text"].as_str().unwrap_or_default().chars().count() * 10;
        socket.send(Message::binary(vec![7; length])).is_ok()
    }

    fn texts(&self) -> Vec<String> {
        self.read.lock().unwrap().clone()
    }
}

/// A world with a route to the speaker: 1 credit for a character of 20 that are held, if `more` says no more.
fn world(speaker: &Speaker, more: &str) -> World {
    priced(
        speaker,
        "{ type: integer, hold: 20, maximum: 100, response: [{ sent_characters: /text }] }",
        more,
    )
}

/// The same with another quantity.
fn priced(speaker: &Speaker, quantity: &str, more: &str) -> World {
    let upstream = format!(
        "  speaker:\n    url: http://{}\n    credentials: {{ bearer: {{ env: SECRET }} }}\nplans:\n",
        speaker.addr
    );
    let route = format!(
        "routes:\n  - name: speech\n    match: GET /v1/{{voice}}/speak\n    upstream: speaker\n    \
         price: speech\n    on_unknown: release\n    reconcile: 1s\n    quantities:\n      \
         amount: {quantity}\n{more}"
    );
    let price =
        "prices:\n  speech: { lines: [{ label: Amount, quantities: [amount], rate: 1 }] }\n";
    World::start(&[("plans:\n", &upstream), ("prices:\n", price), ("routes:\n", &route)])
}

const DECLARED: &str = "    websocket: { cut_off: true, idle: 20s }\n";

type Client = WebSocket<TcpStream>;

fn open_at(
    world: &World,
    payer: &Payer,
    path: &str,
) -> Result<(Client, String), http::Response<Option<Vec<u8>>>> {
    let mut request = format!("ws://{}{path}", world.data).into_client_request().unwrap();
    let key = format!("Bearer {}", payer.key).parse().unwrap();
    request.headers_mut().insert("authorization", key);
    let offer = "permessage-deflate".parse().unwrap();
    request.headers_mut().insert("sec-websocket-extensions", offer);
    let stream = TcpStream::connect(world.data).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    match client(request, stream) {
        Ok((socket, response)) => {
            let charge = response.headers().get("credits-charge-id");
            Ok((socket, charge.map_or("", |id| id.to_str().unwrap()).to_owned()))
        }
        Err(HandshakeError::Failure(Error::Http(response))) => Err(*response),
        Err(error) => panic!("{error}"),
    }
}

fn open(world: &World, payer: &Payer) -> (Client, String) {
    open_at(world, payer, "/v1/anna/speak").unwrap()
}

fn say(socket: &mut Client, text: &str) {
    socket.send(Message::text(json!({ "text": text }).to_string())).unwrap();
}

/// The next message with content.
fn hear(socket: &mut Client) -> Message {
    loop {
        let message = socket.read().unwrap();
        if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
            return message;
        }
    }
}

fn closed(socket: &mut Client) -> (u16, String) {
    match hear(socket) {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_client_says_is_counted_and_charged_when_it_closes() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("single", "100");
    let (mut socket, charge) = open(&world, &payer);
    assert_eq!(world.purse(&payer).held, "20");
    assert_eq!(world.in_use(&payer), 1);
    say(&mut socket, HELLO);
    assert_eq!(hear(&mut socket).into_data().len(), HELLO.len() * 10);
    socket.send(Message::Ping("are you there?".into())).unwrap();
    say(&mut socket, "añb😀");
    assert_eq!(hear(&mut socket).into_data().len(), 40);
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "enough".into() })).unwrap();
    while socket.read().is_ok() {}
    let receipt = world.ended(&payer, &charge, "settled");
    assert_eq!(
        (&receipt["charged"], &receipt["outcome"]),
        (&json!("16"), &json!("completed")),
        "{receipt}"
    );
    assert_eq!(world.purse(&payer).available, "84");
    assert_eq!(world.in_use(&payer), 0);
    let asked = speaker.asked.lock().unwrap().clone().unwrap();
    assert!(!asked.contains_key("sec-websocket-extensions"));
    let secret = asked["authorization"].to_str().unwrap();
    assert!(secret.starts_with("Bearer ") && !secret.contains(&payer.key));
}

#[test]
fn what_would_use_up_more_than_is_held_is_not_passed() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let (mut socket, charge) = open(&world, &payer);
    say(&mut socket, HELLO);
    assert!(hear(&mut socket).is_binary());
    say(&mut socket, "eight ch");
    assert!(hear(&mut socket).is_binary());
    say(&mut socket, "!");
    let (code, reason) = closed(&mut socket);
    assert!(code == 1008 && reason.starts_with("insufficient_credits"), "{code} {reason}");
    let receipt = world.ended(&payer, &charge, "settled");
    assert_eq!(receipt["charged"], "20");
    assert_eq!(receipt["flags"], json!(["hold_used_up"]));
    assert_eq!(speaker.texts().len(), 2);
}

#[test]
fn a_route_that_does_not_cut_off_charges_what_was_said() {
    let speaker = Speaker::start();
    let world = world(&speaker, "    websocket: {}\n");
    let payer = world.payer("studio", "100");
    let (mut socket, charge) = open(&world, &payer);
    for _ in 0..3 {
        say(&mut socket, HELLO);
        assert!(hear(&mut socket).is_binary());
    }
    socket.close(None).unwrap();
    assert_eq!(world.ended(&payer, &charge, "settled")["charged"], "36");
}

#[test]
fn characters_of_what_cannot_be_read_are_not_nothing() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    for (text, charged) in [
        ("hello", "5"),
        (r#"{"text":"a","text":"bb"}"#, "24"),
        (r#"{"text":5}"#, "10"),
        (r#"{"other":5}"#, "0"),
        (r#"{"text":null}"#, "0"),
    ] {
        let payer = world.payer("studio", "100");
        let (mut socket, charge) = open(&world, &payer);
        socket.send(Message::text(text)).unwrap();
        if charged == "24" {
            assert_eq!(closed(&mut socket).0, 1008, "24 are more than are held");
            assert_eq!(world.ended(&payer, &charge, "settled")["charged"], "0");
            continue;
        }
        hear(&mut socket);
        socket.close(None).unwrap();
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["charged"], charged, "{text}: {receipt}");
    }
}

#[test]
fn how_the_upstream_ends_decides_who_pays() {
    let speaker = Speaker::start();
    let rules = "    outcomes:\n      - { body: { at: /close/code, equals: 1008 }, class: blocked, charge: none }\n";
    let world = world(&speaker, &format!("{DECLARED}{rules}"));
    for (end, status, outcome, code) in [
        (json!({ "close": 1000 }), "settled", "completed", 1000),
        (json!({ "close": 1008 }), "released", "blocked", 1008),
        (json!({ "close": 1011 }), "unknown", "unknown", 1011),
        (json!({ "vanish": true }), "unknown", "unknown", 1011),
    ] {
        let payer = world.payer("studio", "100");
        let (mut socket, charge) = open(&world, &payer);
        say(&mut socket, HELLO);
        hear(&mut socket);
        socket.send(Message::text(end.to_string())).unwrap();
        assert_eq!(closed(&mut socket).0, code, "{end}");
        until("it has ended", || world.receipt(&payer, &charge)["status"] != "held");
        let receipt = world.receipt(&payer, &charge);
        assert_eq!(receipt["outcome"], outcome, "{end}: {receipt}");
        if status != "unknown" {
            assert_eq!(receipt["status"], status, "{end}: {receipt}");
        }
        let charged = if status == "settled" { "12" } else { "0" };
        until("the route's policy was applied", || world.purse(&payer).held == "0");
        assert_eq!(world.receipt(&payer, &charge)["charged"], charged, "{end}");
    }
}

#[test]
fn a_client_that_vanishes_pays_for_what_it_said() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let (mut socket, charge) = open(&world, &payer);
    say(&mut socket, HELLO);
    hear(&mut socket);
    drop(socket);
    let receipt = world.ended(&payer, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["outcome"]), (&json!("12"), &json!("cancelled")));
}

#[test]
fn nobody_is_asked_where_there_are_no_credits() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "19");
    let refused = open_at(&world, &payer, "/v1/anna/speak").unwrap_err();
    assert_eq!(refused.status(), 402);
    assert!(speaker.asked.lock().unwrap().is_none());
    assert_eq!(world.purse(&payer).available, "19");
}

#[test]
fn a_refused_handshake_costs_nothing() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let refused = open_at(&world, &payer, "/v1/refused/speak").unwrap_err();
    assert_eq!(refused.status(), 403);
    let charge = refused.headers()["credits-charge-id"].to_str().unwrap().to_owned();
    assert_eq!(world.ended(&payer, &charge, "released")["outcome"], "rejected");
}

#[test]
fn a_route_that_declares_none_refuses_it() {
    let speaker = Speaker::start();
    let world =
        priced(&speaker, "{ type: integer, hold: 1, maximum: 1, response: [{ header: x-n }] }", "");
    let payer = world.payer("studio", "100");
    let refused = open_at(&world, &payer, "/v1/anna/speak").unwrap_err();
    assert_eq!(refused.status(), 501);
    assert!(speaker.asked.lock().unwrap().is_none());
}

#[test]
fn one_key_and_no_more_opens_it() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let ask = |keys: &[&str]| {
        let ask = payer.get("/v1/anna/speak").header("connection", "upgrade");
        let ask = ask.header("upgrade", "websocket").header("sec-websocket-version", "13");
        keys.iter().fold(ask, |ask, key| ask.header("sec-websocket-key", key))
    };
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for keys in [&[][..], &[key, key]] {
        assert_eq!(world.send(&ask(keys)).problem(), (400, "bad_request".to_owned()));
    }
    assert!(speaker.asked.lock().unwrap().is_none());
}

#[test]
fn what_comes_before_the_answer_is_no_message() {
    let speaker = Speaker::start();
    let world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let ask = payer.get("/v1/anna/speak").header("connection", "upgrade");
    let ask = ask.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let ask = ask.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut wire = world.wire();
    // A masked text frame: "hi".
    wire.write(&[&ask.bytes()[..], &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']].concat());
    drop(wire.until_closed());
    until("its charge has ended", || world.purse(&payer).held == "0");
    assert_eq!(speaker.texts(), Vec::<String>::new());
    assert_eq!(world.purse(&payer).available, "100");
}

#[test]
fn silence_length_and_time_have_bounds() {
    let speaker = Speaker::start();
    for (rules, code) in [("idle: 1s", 1001), ("longest: 1s", 1001), ("message_limit: 64B", 1009)] {
        let world = world(&speaker, &format!("    websocket: {{ {rules} }}\n"));
        let payer = world.payer("studio", "100");
        let (mut socket, charge) = open(&world, &payer);
        say(&mut socket, "hi");
        hear(&mut socket);
        if code == 1009 {
            say(&mut socket, &"x".repeat(100));
        }
        assert_eq!(closed(&mut socket).0, code, "{rules}");
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["charged"], "2", "{rules}: {receipt}");
    }
}

#[test]
fn what_is_counted() {
    let speaker = Speaker::start();
    for (source, charged) in [
        ("sent_messages", "3"),
        ("sent_bytes", "45"),
        ("received_messages", "3"),
        ("received_bytes", "143"),
        ("json: /usage/seconds", "7"),
    ] {
        let source =
            if source.contains(':') { format!("{{ {source} }}") } else { source.to_owned() };
        let quantity =
            format!("{{ type: integer, hold: 1000, maximum: 1000, response: [{source}] }}");
        let world = priced(&speaker, &quantity, DECLARED);
        let payer = world.payer("studio", "1000");
        let (mut socket, charge) = open(&world, &payer);
        for message in
            [json!({ "text": "hi" }), json!({ "state": 7 }), json!({ "text": "hello, you" })]
        {
            socket.send(Message::text(message.to_string())).unwrap();
            hear(&mut socket);
        }
        socket.close(None).unwrap();
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["charged"], charged, "{source}: {receipt}");
    }
}

#[test]
fn time_is_counted_and_ends_with_what_is_held() {
    let speaker = Speaker::start();
    let seconds = "{ type: seconds, hold: 3, maximum: 60, response: [connected_seconds] }";
    let world = priced(&speaker, seconds, "    websocket: { cut_off: true }\n");
    let payer = world.payer("studio", "100");
    let (mut socket, charge) = open(&world, &payer);
    let (code, reason) = closed(&mut socket);
    assert!(code == 1008 && reason.starts_with("insufficient_credits"));
    let receipt = world.ended(&payer, &charge, "settled");
    let charged: Amount = receipt["charged"].as_str().unwrap().parse().unwrap();
    assert!(charged.micro() > 1_500_000, "{receipt}");
    assert_eq!(receipt["flags"], json!(["hold_used_up"]));
}

#[test]
fn a_drain_closes_it_and_settles() {
    let speaker = Speaker::start();
    let mut world = world(&speaker, DECLARED);
    let payer = world.payer("studio", "100");
    let (mut socket, charge) = open(&world, &payer);
    say(&mut socket, HELLO);
    hear(&mut socket);
    let drained = world.drain();
    assert_eq!(closed(&mut socket).0, 1012);
    while !matches!(
        socket.read(),
        Err(Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
    ) {}
    drained.join().unwrap();
    world.start_again(&[]);
    assert_eq!(world.receipt(&payer, &charge)["charged"], "12");
}
