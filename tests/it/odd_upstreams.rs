//! Upstreams that break the rules of HTTP, stall, hang up, or speak TLS: what the client sees and who pays.
//!
//! Each case is the bytes that a scripted server writes when a request has come. The rule behind the table:
//! what surely never arrived is released, what may have been done and cannot be read is unknown, and what
//! was read to its end is charged.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::world::{World, until};

/// What the server does with a connection after its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// Waits for another request.
    Keep,
    /// Closes.
    Close,
    /// Closes so that the peer sees a reset.
    Reset,
    /// Holds the connection and says nothing more.
    Stall,
}

/// A scripted server.
struct Script {
    addr: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Script {
    fn start(answer: &[u8], then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, connections) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (seen, opened, answer) = (requests.clone(), connections.clone(), answer.to_vec());
        // It ends with the test's process: nothing waits for a connection that never comes.
        drop(tollgate::seam::thread("script", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                opened.fetch_add(1, Ordering::SeqCst);
                let (seen, answer) = (seen.clone(), answer.clone());
                drop(tollgate::seam::thread("scripted", move || {
                    play(stream, &answer, then, &seen)
                }));
            }
        }));
        Self { addr, requests, connections }
    }

    fn seen(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn play(mut stream: TcpStream, answer: &[u8], then: Then, seen: &AtomicUsize) {
    while request(&mut stream) {
        seen.fetch_add(1, Ordering::SeqCst);
        drop(stream.write_all(answer));
        match then {
            Then::Keep => {}
            Then::Close => return,
            Then::Reset => {
                let linger = Some(Duration::ZERO);
                socket2::SockRef::from(&stream).set_linger(linger).unwrap();
                return;
            }
            Then::Stall => std::thread::sleep(Duration::from_secs(20)),
        }
    }
}

/// Reads one request with its body; `false`: the peer has closed.
fn request(stream: &mut impl Read) -> bool {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            if bytes.len() >= head + 4 + length {
                return true;
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return false,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    }
}

/// A world whose upstream is elsewhere.
fn world(url: &str) -> World {
    let url = format!("url: {url}");
    let changes =
        [("url: UPSTREAM", url.as_str()), ("idle: 20s", "idle: 1s"), ("total: 40s", "total: 3s")];
    World::start(&changes)
}

/// What one answer comes to.
struct Case {
    name: &'static str,
    answer: Vec<u8>,
    then: Then,
    /// The client's status.
    status: u16,
    /// Whether the client saw a whole body.
    whole: bool,
    /// The receipt's status and charge; an unknown outcome is released here in the end.
    receipt: (&'static str, &'static str),
    /// A flag on the receipt.
    flag: Option<&'static str>,
}

fn case(
    name: &'static str,
    answer: &str,
    then: Then,
    (status, whole): (u16, bool),
    receipt: (&'static str, &'static str),
) -> Case {
    Case { name, answer: answer.as_bytes().to_vec(), then, status, whole, receipt, flag: None }
}

const SETTLED: (&str, &str) = ("settled", "5");
const RELEASED: (&str, &str) = ("released", "0");
const UNKNOWN: (&str, &str) = ("unknown", "0");

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Then::{Close, Keep, Reset, Stall};
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let long = format!("{json}content-length: 500\r\n\r\n{{\"data\":[1]}}");
    let whole = format!("{json}content-length: 12\r\n\r\n{{\"data\":[1]}}");
    let chunked = format!("{json}transfer-encoding: chunked\r\n\r\n");
    let many = format!("{}{whole}", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(50));
    let wide = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let cut = (200, false);
    let mut all = vec![
        case("a plain answer", &whole, Keep, (200, true), SETTLED),
        case("garbage after the end", &format!("{whole}GARBAGE"), Keep, (200, true), SETTLED),
        case("many early hints", &many, Keep, (200, true), SETTLED),
        case(
            "chunks",
            &format!("{chunked}c\r\n{{\"data\":[1]}}\r\n0\r\n\r\n"),
            Keep,
            (200, true),
            SETTLED,
        ),
        case("shorter than it says", &long, Close, cut, UNKNOWN),
        case("shorter than it says, reset", &long, Reset, cut, UNKNOWN),
        case("stalls in its body", &long, Stall, cut, UNKNOWN),
        case("no last chunk", &format!("{chunked}c\r\n{{\"data\":[1]}}\r\n"), Close, cut, UNKNOWN),
        case("a bad chunk", &format!("{chunked}zz\r\n{{\"data\":[1]}}\r\n"), Close, cut, UNKNOWN),
        case(
            "two lengths",
            &format!("{json}content-length: 12\r\ncontent-length: 13\r\n\r\n{{\"data\":[1]}}"),
            Close,
            (502, true),
            UNKNOWN,
        ),
        case("not a word", "", Close, (502, true), UNKNOWN),
        case("not a word, reset", "", Reset, (502, true), UNKNOWN),
        case("no HTTP", "hello there\r\n\r\n", Close, (502, true), UNKNOWN),
        case("half a head", "HTTP/1.1 200 OK\r\ncontent-", Close, (502, true), UNKNOWN),
        case(
            "a folded header",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
            Close,
            (502, true),
            UNKNOWN,
        ),
        case("ten thousand headers", &wide, Close, (502, true), UNKNOWN),
        case(
            "another protocol unasked",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            Close,
            (502, true),
            UNKNOWN,
        ),
        case(
            "a redirection is not followed",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            Keep,
            (302, true),
            RELEASED,
        ),
        case(
            "a refusal",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
            Keep,
            (404, true),
            RELEASED,
        ),
        case("no content", "HTTP/1.1 204 No Content\r\n\r\n", Keep, (204, true), SETTLED),
        case(
            "compressed all the same",
            &format!("{json}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"),
            Keep,
            (200, true),
            SETTLED,
        ),
        case(
            "until it closes",
            &format!("{json}\r\n{{\"data\":[1]}}"),
            Close,
            (200, true),
            SETTLED,
        ),
    ];
    for (name, flag) in
        [("no content", "missing_quantity:n"), ("compressed all the same", "encoded_body")]
    {
        all.iter_mut().find(|case| case.name == name).unwrap().flag = Some(flag);
    }
    all
}

#[test]
fn every_odd_answer_has_one_meaning() {
    let cases = cases();
    assert_eq!(cases.len(), 22);
    // Side by side: each waits for a grace and a deadline of its own.
    let running: Vec<_> = cases
        .into_iter()
        .map(|case| tollgate::seam::thread(case.name, move || judge(&case)).unwrap())
        .collect();
    for case in running {
        case.join().unwrap();
    }
}

/// Sends one request to a server that plays `case`, and reads what became of it.
fn judge(case: &Case) {
    let name = case.name;
    let script = Script::start(&case.answer, case.then);
    let world = world(&format!("http://{}", script.addr));
    let payer = world.payer("studio", "5");
    let mut wire = world.wire();
    wire.write(&payer.images(1, "medium").bytes());
    match wire.reply() {
        Some(reply) => {
            let seen = (reply.status, reply.whole);
            assert_eq!(seen, (case.status, case.whole), "{name}: {}", reply.text());
        }
        // An answer that breaks off at once may take its head with it: a cut all the same.
        None => assert!(!case.whole, "{name}: no answer"),
    }
    assert_eq!(script.seen(), 1, "{name}: sent once");
    let charge = world.charges(&payer)[0]["id"].as_str().unwrap().to_owned();
    let (status, charged) = case.receipt;
    // An unknown outcome is released when its time is over, which a slow machine may not let us see.
    let seen = |status: &str| world.receipt(&payer, &charge)["status"] == status;
    until(name, || seen(status) || (status == "unknown" && seen("released")));
    let receipt = world.receipt(&payer, &charge);
    assert_eq!(receipt["charged"], charged, "{name}: {receipt}");
    if let Some(flag) = case.flag {
        let flags = receipt["flags"].as_array().unwrap();
        assert!(flags.iter().any(|one| one == flag), "{name}: {receipt}");
    }
    if status == "unknown" {
        world.ended(&payer, &charge, "released");
        assert_eq!(world.purse(&payer).available, "5", "{name}");
    }
}

#[test]
fn no_connection_is_used_again_after_doubt() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\ncontent-type: application/json\r\n\r\n{\"data\":[1]}HTTP/1.1 200 OK\r\n\r\n";
    let script = Script::start(answer, Then::Keep);
    let world = world(&format!("http://{}", script.addr));
    let payer = world.payer("studio", "100");
    for _ in 0..5 {
        assert_eq!(world.send(&payer.images(1, "medium")).ok().body, b"{\"data\":[1]}");
    }
    assert_eq!(script.seen(), 5);
    assert_eq!(script.connections.load(Ordering::SeqCst), 5);
}

#[test]
fn a_drip_ends_with_the_whole_exchange() {
    // Each part comes in time, but all of them together would take for ever.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(tollgate::seam::thread("drip", move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(b"1\r\nx\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }));
    let world = world(&format!("http://{addr}"));
    let payer = world.payer("studio", "5");
    let reply = world.send(&payer.images(1, "medium"));
    assert_eq!((reply.status, reply.whole), (200, false));
    world.ended(&payer, &reply.charge(), "released");
}

#[test]
fn a_client_that_lets_its_answer_break_pays_for_it() {
    // More than the kernel holds on its way (32 MiB a hop on some machines).
    const LENGTH: usize = 128 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(tollgate::seam::thread("impatient", move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        // It gives up on whoever takes nothing for two seconds, or four: a part taken begins them anew.
        stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length:";
        stream.write_all(format!("{head} {LENGTH}\r\n\r\n").as_bytes()).unwrap();
        let part = vec![7; 1 << 16];
        while stream.write_all(&part).is_ok() {}
    }));
    let url = format!("url: http://{addr}");
    let world = World::start(&[("url: UPSTREAM", url.as_str())]);
    let payer = world.payer("studio", "5");
    let mut wire = world.wire();
    wire.write(&payer.images(1, "medium").bytes());
    wire.until("content-length");
    let charges = || world.charges(&payer);
    until("the charge is known", || charges().len() == 1);
    std::thread::sleep(Duration::from_secs(7));
    let reply = wire.reply().unwrap();
    assert!(!reply.whole, "a part of {LENGTH} bytes is not the whole");
    let charge = charges()[0]["id"].as_str().unwrap().to_owned();
    let receipt = world.ended(&payer, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["outcome"]), (&"5".into(), &"cancelled".into()));
}

/// A server with a certificate of its own maker: the address, and the maker's certificate as PEM.
fn tls_server() -> (SocketAddr, String) {
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(tollgate::seam::thread("tls", move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            while request(&mut stream) {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n";
                drop(stream.write_all(format!("{head}{{\"data\":[1,2]}}").as_bytes()));
            }
        }
    }));
    (addr, made.cert.pem())
}

#[test]
fn an_upstream_behind_tls_with_the_operators_roots() {
    let (addr, pem) = tls_server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let port = addr.port();
    let world = world(&format!("https://localhost:{port}\n    ca_file: {}", file.display()));
    let payer = world.payer("studio", "100");
    let reply = world.send(&payer.images(3, "medium")).ok();
    assert_eq!(reply.body, b"{\"data\":[1,2]}");
    assert_eq!(world.ended(&payer, &reply.charge(), "settled")["charged"], "10");
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_nothing() {
    let (addr, _) = tls_server();
    let world = world(&format!("https://localhost:{}", addr.port()));
    let payer = world.payer("studio", "5");
    let reply = world.send(&payer.images(1, "medium"));
    assert_eq!(reply.problem(), (502, "upstream_error".to_owned()));
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert_eq!(world.ended(&payer, &reply.charge(), "released")["charged"], "0");
    assert_eq!(world.purse(&payer).available, "5");
}
