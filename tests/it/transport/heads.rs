//! Heads and trailers: what is refused by both versions alike, what passes, what ends here.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::line::{Line, Sent, WAYS, Way, run, told, whole};
use super::service::{Service, Speaks};
use crate::redis_server::pki::Pki;
use crate::wire::Ask;
use crate::world::{DUBBING, IMAGES, World, until};

/// A frame of HTTP/2.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// How a client of HTTP/2 begins.
pub(super) fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat()
}

/// Headers, each written out in full (RFC 7541 §6.2.2).
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "{text}");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

const BODY: &[u8] = br#"{"n":1,"quality":"low"}"#;

/// A request for an image, with these headers in place of, or beside, its own.
pub(super) fn request(stream: u32, key: &str, other: &[(&str, &str)]) -> Vec<u8> {
    let bearer = format!("Bearer {key}");
    let own = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "gateway"),
        (":path", IMAGES),
        ("authorization", &bearer),
        ("content-type", "application/json"),
    ];
    let gone = |name: &str| other.contains(&(name, "GONE"));
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for (name, value) in own {
        let instead = other.iter().find(|(other, _)| *other == name);
        match instead {
            _ if gone(name) => {}
            Some(pair) => headers.push(*pair),
            None => headers.push((name, value)),
        }
    }
    let known = |name: &str| own.iter().any(|(own, _)| *own == name);
    headers.extend(other.iter().filter(|(name, _)| !known(name)));
    let head = frame(1, 4, stream, &block(&headers));
    [head, frame(0, 1, stream, BODY)].concat()
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// The code of a GOAWAY.
    pub(super) goaway: Option<u32>,
    /// The code of the first reset.
    reset: Option<u32>,
    /// All that came in DATA.
    body: Vec<u8>,
}

/// Sends frames and reads what comes, until a stream has ended or the connection has.
pub(super) async fn talk(mut stream: TcpStream, frames: Vec<u8>) -> Came {
    drop(stream.write_all(&frames).await);
    let mut came = Came::default();
    let reading = async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            if stream.read_exact(&mut payload).await.is_err() {
                return;
            }
            let code = |at: usize| {
                payload.get(at..at + 4).map(|code| u32::from_be_bytes(code.try_into().unwrap()))
            };
            match head[3] {
                0 => {
                    came.body.extend(&payload);
                    if head[4] & 1 == 1 {
                        return;
                    }
                }
                1 if head[4] & 1 == 1 => return,
                3 => {
                    came.reset = came.reset.or(code(0));
                    if frames.len() < 2_000 {
                        return;
                    }
                }
                7 => {
                    came.goaway = code(4);
                    return;
                }
                _ => {}
            }
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(10), reading).await);
    came
}

/// A name, headers in place of its own, and the code of its refusal: "" if it passes, "reset" if there is no
/// request to answer.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_request_of_http_2_has_one_reading_too() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "100");
    let refused = "bad_request";
    let cases: Vec<Case<'_>> = vec![
        ("as it should be", &[], ""),
        ("a host that agrees", &[("host", "gateway")], ""),
        ("a host alone", &[(":authority", "GONE"), ("host", "gateway")], ""),
        ("another host", &[("host", "other")], refused),
        ("two hosts", &[("host", "gateway"), ("host", "gateway")], refused),
        ("nobody named", &[(":authority", "GONE")], refused),
        ("a user", &[(":authority", "a@gateway")], refused),
        ("a user and a host", &[(":authority", "a@gateway"), ("host", "gateway")], refused),
        ("no path", &[(":path", "GONE")], "reset"),
        ("an empty path", &[(":path", "")], "reset"),
        ("no method", &[(":method", "GONE")], "reset"),
        ("no scheme", &[(":scheme", "GONE")], "reset"),
        ("a path with dots", &[(":path", "/v1/../v1/images/generations")], refused),
        ("a path that is encoded", &[(":path", "/v1%2fimages/generations")], refused),
        ("a whole target", &[(":path", "http://gateway/v1/images/generations")], "reset"),
        ("CONNECT", &[(":method", "CONNECT"), (":path", "GONE"), (":scheme", "GONE")], refused),
        ("Connection", &[("connection", "close")], "reset"),
        ("Keep-Alive", &[("keep-alive", "timeout=5")], "reset"),
        ("Upgrade", &[("upgrade", "websocket")], "reset"),
        ("Transfer-Encoding", &[("transfer-encoding", "chunked")], "reset"),
        ("TE of a coding", &[("te", "gzip")], "reset"),
        ("TE of trailers", &[("te", "trailers")], ""),
        ("a name in upper case", &[("X-Upper", "y")], "reset"),
        ("a name with a space", &[("x upper", "y")], "reset"),
        ("a line break in a value", &[("x-a", "b\r\nx-evil: c")], "reset"),
        ("a length that is right", &[("content-length", "23")], ""),
        ("a length that is too long", &[("content-length", "24")], "reset"),
        ("a length that is too short", &[("content-length", "22")], "reset"),
        ("two lengths", &[("content-length", "23"), ("content-length", "22")], "reset"),
        ("a length twice", &[("content-length", "23"), ("content-length", "23")], refused),
        ("a length that is none", &[("content-length", "x")], "reset"),
        ("an unknown pseudo-header", &[(":other", "x")], "reset"),
        ("a status", &[(":status", "200")], "reset"),
        ("an expectation that none can meet", &[("expect", "a miracle")], "expectation_failed"),
        ("an expectation of 100", &[("expect", "100-continue")], ""),
        ("a loop", &[("via", "1.1 tollgate")], "loop_detected"),
    ];
    let mut odd = Vec::new();
    for (name, other, expected) in &cases {
        let before = world.forwarded();
        let came = run(async {
            let stream = TcpStream::connect(world.data).await.unwrap();
            talk(stream, [preface(), request(1, &payer.key, other)].concat()).await
        });
        let body: Value = serde_json::from_slice(&came.body).unwrap_or(Value::Null);
        let code = body["code"].as_str().unwrap_or_default();
        let as_expected = match *expected {
            "" => body["data"].is_array(),
            "reset" => came.reset.is_some() || came.goaway.is_some() || code == refused,
            expected => code == expected,
        };
        let forwarded = world.forwarded() - before;
        if !as_expected || forwarded != u64::from(expected.is_empty()) {
            odd.push(format!("{name}: {came:?}, {code}, {forwarded} forwarded"));
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
    until("nothing is held", || world.purse(&payer).held == "0");
    let passed = cases.iter().filter(|(_, _, expected)| expected.is_empty()).count() as u64;
    assert_eq!(world.forwarded(), passed);
    assert_eq!(world.purse(&payer).available, (100 - passed).to_string());
    println!("heads of HTTP/2: {} cases", cases.len());
}

#[test]
fn a_hundred_and_continue_comes_after_admission() {
    let pki = Pki::new();
    for way in [Way::One, Way::OneTls] {
        let world = way.world(&pki, &[]);
        let (rich, poor) = (world.payer("studio", "1000"), world.payer("studio", ""));
        let expects = |ask: Ask| ask.header("Expect", "100-continue");
        let body = json!({ "seconds": 95 });

        // Passed on as it comes: the price does not need it.
        let ask = expects(rich.post(DUBBING, &body));
        let mut wire = world.wire();
        wire.write(&ask.head());
        assert_eq!(wire.reply().unwrap().status, 100, "{way:?}");
        assert_eq!(world.purse(&rich).held, "50", "it is admitted by now");
        wire.write(&ask.body);
        assert_eq!(wire.reply().unwrap().ok().json()["seconds"], 95);
        assert!(!world.last_headers().iter().any(|(name, _)| name == "expect"));

        // Read before it is priced.
        let ask = expects(rich.images(1, "low"));
        let mut wire = world.wire();
        wire.write(&ask.head());
        assert_eq!(wire.reply().unwrap().status, 100);
        wire.write(&ask.body);
        wire.reply().unwrap().ok();

        // What the head tells is refused without it, and nothing of the body is wanted.
        let nobody = Ask::new("POST", IMAGES).json(&body);
        let large = json!({ "prompt": "x".repeat(70_000) });
        let before = world.forwarded();
        for (ask, problem) in [
            (expects(nobody), (401, "invalid_key")),
            (expects(poor.post(DUBBING, &body)), (402, "insufficient_credits")),
            (expects(rich.post("/v1/nowhere", &body)), (404, "unknown_route")),
            (expects(rich.post(IMAGES, &large)), (413, "too_large")),
            (expects(rich.post(DUBBING, &large)), (413, "too_large")),
            (rich.post(DUBBING, &body).header("Expect", "x"), (417, "expectation_failed")),
            (
                rich.post(DUBBING, &body).header("Expect", "100-continue, x"),
                (417, "expectation_failed"),
            ),
        ] {
            let mut wire = world.wire();
            wire.write(&ask.head());
            let reply = wire.reply().unwrap();
            assert_eq!(reply.problem(), (problem.0, problem.1.to_owned()), "{way:?}");
        }
        assert_eq!(world.forwarded(), before);
        until("nothing is held", || world.purse(&rich).held == "0");
    }
}

#[test]
fn http_1_0_has_no_expectations() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "10");
    let ask = payer.images(1, "low").header("Expect", "x");
    let mut wire = world.wire();
    let text = String::from_utf8(ask.bytes()).unwrap().replacen("HTTP/1.1", "HTTP/1.0", 1);
    wire.write(text.as_bytes());
    wire.reply().unwrap().ok();
}

#[test]
fn websocket_is_refused_by_its_name() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "10");
    let upgrade = payer
        .images(1, "low")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(world.send(&upgrade).problem(), (501, "websocket_unsupported".to_owned()));
    let reply = run(async {
        let mut line = Line::open(Way::Two, world.data, &world.ca_file()).await;
        // What the gateway announces must have come first.
        line.ask(&payer.get("/v1/models")).await.ok();
        let mut request = Request::connect(format!("http://gateway{IMAGES}"))
            .header("authorization", format!("Bearer {}", payer.key))
            .header("sec-websocket-version", "13")
            .body(whole(""))
            .unwrap();
        request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        told(line.send(request).await.unwrap()).await.unwrap()
    });
    assert_eq!(reply.problem(), (501, "websocket_unsupported".to_owned()));
    assert_eq!(world.forwarded(), 1);
    assert_eq!(world.charges(&payer).len(), 0);
    // Another upgrade is passed over.
    let other = payer.images(1, "low").header("Connection", "Upgrade").header("Upgrade", "h2c");
    world.send(&other).ok();
    let headers = world.last_headers();
    assert!(!headers.iter().any(|(name, _)| name == "upgrade" || name == "connection"));
}

/// A body with trailers behind it.
fn trailed(body: &Value) -> Sent {
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("x-checksum", "abc"),
        ("authorization", "Bearer tk_smuggled"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x_real_ip", "1.2.3.4"),
    ] {
        trailers.insert(name, value.parse().unwrap());
    }
    let frames = [Frame::data(Bytes::from(body.to_string())), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, std::io::Error>);
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

#[test]
fn trailers_pass_in_both_directions() {
    let pki = Pki::new();
    for speaks in [Speaks::One, Speaks::Two] {
        let service = Service::in_clear(speaks);
        let http = if speaks == Speaks::Two { 2 } else { 1 };
        let url = format!("url: http://{}\n    http: {http}", service.addr);
        for way in WAYS {
            let world = way.world(&pki, &[("url: UPSTREAM", &url)]);
            let payer = world.payer("studio", "1000");
            run(async {
                for (path, body) in
                    [(IMAGES, json!({ "n": 1, "quality": "low" })), (DUBBING, json!({}))]
                {
                    let told_of = format!("{speaks:?} {way:?} {path}");
                    let mut line = Line::open(way, world.data, &pki.ca_file()).await;
                    let ask = payer
                        .post(path, &body)
                        .header("te", "trailers")
                        .header("trailer", "x-checksum, authorization, x-forwarded-for, x_real_ip");
                    let request = line.request_with(&ask, trailed(&body));
                    let reply = told(line.send(request).await.unwrap()).await.unwrap().ok();
                    let names: Vec<_> = reply.trailers.keys().map(ToString::to_string).collect();
                    assert_eq!(names, ["x-checksum"], "{told_of}");
                    let seen = service.seen().last().unwrap().clone();
                    let sent = seen.trailers.unwrap_or_default();
                    let names: Vec<_> = sent.keys().map(ToString::to_string).collect();
                    assert_eq!(names, ["x-checksum"], "{told_of}");
                    assert_eq!(seen.body, body.to_string(), "{told_of}");
                    assert_eq!(seen.headers["te"], "trailers", "{told_of}");

                    // Who does not say that it takes them gets none, but by HTTP/2 all the way, where
                    // there is nothing to say.
                    let reply = line.ask(&payer.post(path, &body)).await.ok();
                    let takes = way.is_two() && speaks == Speaks::Two;
                    assert_eq!(reply.trailers.len(), usize::from(takes), "{told_of}");
                    assert!(!service.seen().last().unwrap().headers.contains_key("te"));
                }
            });
        }
    }
}

#[test]
fn answers_keep_what_is_the_upstreams() {
    for (speaks, http, via) in [(Speaks::One, 1, "1.1 edge"), (Speaks::Two, 2, "2 edge")] {
        let service = Service::in_clear(speaks);
        let world = World::start(&[
            ("url: UPSTREAM", &format!("url: http://{}\n    http: {http}", service.addr)),
            ("store:", "via: edge\nstore:"),
        ]);
        let payer = world.payer("studio", "10");
        // Another gateway on the way is none of ours.
        let ask = payer.images(1, "low").header("via", "1.0 fred, 1.1 tollgate");
        let reply = world.send(&ask).ok();
        assert_eq!(reply.header("via"), Some(via));
        assert_eq!(reply.header("server"), Some("a service"));
        assert_eq!(reply.header("date"), Some("Sun, 22 Nov 2026 12:00:00 GMT"));
        let seen = service.seen().last().unwrap().clone();
        let all: Vec<_> = seen.headers.get_all("via").iter().collect();
        assert_eq!(all, ["1.0 fred, 1.1 tollgate", "1.1 edge"]);
        let ask = payer.images(1, "low").header("via", "1.1 fred, 2 Edge (here)");
        assert_eq!(world.send(&ask).problem(), (508, "loop_detected".to_owned()));
    }
}

#[test]
fn a_gateway_before_itself_is_found_out() {
    // Its upstream is its own listener, which has a port before it begins.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let (listen, url) = (format!("listen: {addr}\nstore"), format!("url: http://{addr}"));
    let world = World::start(&[
        ("listen: 127.0.0.1:0\nstore", &listen),
        ("url: UPSTREAM", &url),
        ("credentials: { bearer: { env: SECRET } }", ""),
    ]);
    let payer = world.payer("studio", "10");
    let reply = world.send(&payer.images(1, "low"));
    assert_eq!(reply.problem(), (508, "loop_detected".to_owned()), "{}", reply.text());
    assert_eq!(world.ended(&payer, &reply.charge(), "released")["charged"], "0");
}

#[test]
fn crumbs_of_cookies_become_one() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "10");
    run(async {
        let mut line = Line::open(Way::Two, world.data, &world.ca_file()).await;
        let ask = payer.images(1, "low").header("cookie", "a=b").header("cookie", "c=d");
        line.ask(&ask).await.ok();
    });
    let cookies: Vec<_> =
        world.last_headers().into_iter().filter(|(name, _)| name == "cookie").collect();
    assert_eq!(cookies, [("cookie".to_owned(), "a=b; c=d".to_owned())]);
}
