//! Upstreams whose answers can be read in two ways: their connection is not used again, and nobody gets a byte
//! of another one's answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::wire::Reply;
use super::super::world::{DUBBING, Payer, World, until};
use super::corpus::request;

/// Whether the connection may serve another request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Again,
    NoMore,
}

/// What an upstream answers, in parts between which it waits a little, and what the client gets of it.
struct Case {
    name: &'static str,
    method: &'static str,
    parts: Vec<String>,
    /// Its status, and its body if that is whole.
    client: (u16, Option<&'static str>),
    then: Then,
}

/// An answer that somebody else must never see.
const OTHERS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nothers";

fn case(
    name: &'static str,
    parts: &[&str],
    client: (u16, Option<&'static str>),
    then: Then,
) -> Case {
    let parts = parts.iter().map(|part| part.replace("OTHERS", OTHERS)).collect();
    Case { name, method: "GET", parts, client, then }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Then::{Again, NoMore};
    let ok = |headers: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}");
    let one = |name, headers: &str, body: &str, client, then| {
        case(name, &[&ok(headers, body)], client, then)
    };
    let (mine, broken, cut) = ((200, Some("mine")), (502, None), (200, None));
    let chunked = "transfer-encoding: chunked";
    let chunks = "4\r\nmine\r\n0\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(2_000);
    let head = |body: &str| Case {
        method: "HEAD",
        ..case("", &[&ok("content-length: 4", body)], (200, Some("")), NoMore)
    };
    vec![
        one("a length", "content-length: 4", "mine", mine, Again),
        one("chunks", chunked, chunks, mine, Again),
        one("chunks with an extension", chunked, "4;a=b\r\nmine\r\n0\r\n\r\n", mine, Again),
        case("many hints", &[&hints, &ok("content-length: 4", "mine")], mine, Again),
        Case { name: "a HEAD", then: Again, ..head("") },
        Case { name: "a HEAD with a body", ..head("mine") },
        Case { name: "a HEAD with another answer", ..head(OTHERS) },
        one(
            "a length and chunks",
            &format!("content-length: 4\r\n{chunked}"),
            chunks,
            mine,
            NoMore,
        ),
        one(
            "chunks and a length",
            &format!("{chunked}\r\ncontent-length: 4"),
            chunks,
            mine,
            NoMore,
        ),
        one(
            "chunks and a shorter length, with another answer",
            &format!("{chunked}\r\ncontent-length: 2"),
            &format!("{chunks}{OTHERS}"),
            mine,
            NoMore,
        ),
        one("two lengths", "content-length: 4\r\ncontent-length: 4", "mine", mine, NoMore),
        one("a list of lengths", "content-length: 4, 4", "mine", mine, NoMore),
        one(
            "lengths that differ",
            "content-length: 4\r\ncontent-length: 5",
            "mine",
            broken,
            NoMore,
        ),
        one("a length with a sign", "content-length: +4", "mine", broken, NoMore),
        one("a length that is none", "content-length: four", "mine", broken, NoMore),
        one("chunked twice", &format!("{chunked}\r\n{chunked}"), chunks, mine, NoMore),
        one("another coding", "transfer-encoding: gzip, chunked", chunks, mine, NoMore),
        one("a bad chunk", chunked, "4\r\nmine\r\nzz\r\n", cut, NoMore),
        one("a chunk beyond its end", chunked, "4\r\nmineOTHERS\r\n0\r\n\r\n", cut, NoMore),
        one("a chunk with a bare line feed", chunked, "4;\nmine\r\n0\r\n\r\n", cut, NoMore),
        one("a size with a sign", chunked, "+4\r\nmine\r\n0\r\n\r\n", cut, NoMore),
        one("another answer behind", "content-length: 4", &format!("mine{OTHERS}"), mine, NoMore),
        one("another answer behind chunks", chunked, &format!("{chunks}{OTHERS}"), mine, NoMore),
        one("bytes behind", "content-length: 4", "mine!", mine, NoMore),
        case("bytes behind, later", &[&ok("content-length: 4", "mine"), "!"], mine, NoMore),
        case("an answer, later", &[&ok("content-length: 4", "mine"), "OTHERS"], mine, NoMore),
        case(
            "a body where none is",
            &["HTTP/1.1 204 No Content\r\n\r\nOTHERS"],
            (204, Some("")),
            NoMore,
        ),
        case(
            "a body of what has not changed",
            &["HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\nothers"],
            (304, Some("")),
            NoMore,
        ),
        case(
            "chunks in HTTP/1.0",
            &[&format!("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n{chunked}\r\n\r\n{chunks}")],
            broken,
            NoMore,
        ),
        case(
            "another protocol",
            &[
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nOTHERS",
            ],
            broken,
            NoMore,
        ),
        one("a folded header", "x: a\r\n b\r\ncontent-length: 4", "mine", broken, NoMore),
        one("a null in a header", "x: a\0\r\ncontent-length: 4", "mine", broken, NoMore),
        one("a space before a colon", "content-length : 4", "mine", broken, NoMore),
        case("HTTP/0.9", &["mine"], broken, NoMore),
        case("HTTP/2.0", &["HTTP/2.0 200 OK\r\ncontent-length: 4\r\n\r\nmine"], broken, NoMore),
    ]
}

/// A server that answers `/v1/models?case=N` as case N says and everything else with its own number, and
/// writes down which targets came on which connection.
struct Script {
    addr: SocketAddr,
    came: Arc<Mutex<BTreeMap<usize, Vec<String>>>>,
}

impl Script {
    fn start(answers: Vec<Vec<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let came = Arc::<Mutex<BTreeMap<usize, Vec<String>>>>::default();
        let (all, answers) = (came.clone(), Arc::new(answers));
        let serve = move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (came, answers) = (all.clone(), answers.clone());
                let one = move || connection(stream, number, &came, &answers);
                drop(tollgate::seam::thread("one", one).unwrap());
            }
        };
        drop(tollgate::seam::thread("script", serve).unwrap());
        Self { addr, came }
    }

    /// The connection on which a target came, and what came on it later.
    fn after(&self, target: &str) -> Vec<String> {
        let came = self.came.lock().unwrap();
        let own = came.values().find(|targets| targets.iter().any(|one| one == target)).unwrap();
        let at = own.iter().position(|one| one == target).unwrap();
        own[at + 1..].to_vec()
    }
}

fn connection(
    mut stream: TcpStream,
    number: usize,
    came: &Mutex<BTreeMap<usize, Vec<String>>>,
    answers: &[Vec<String>],
) {
    stream.set_nodelay(true).unwrap();
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap().to_owned();
        came.lock().unwrap().entry(number).or_default().push(target.clone());
        let case = target.split("case=").nth(1).map(|case| case.parse::<usize>().unwrap());
        let own = target.split("own=").nth(1).unwrap_or_default().to_owned();
        let own = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{own}", own.len());
        let parts = case.map_or_else(|| vec![own], |case| answers[case].clone());
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                std::thread::sleep(Duration::from_millis(30));
            }
            drop(stream.write_all(part.as_bytes()));
        }
    }
}

fn get(world: &World, payer: &Payer, method: &str, query: &str) -> Option<Reply> {
    let mut wire = world.wire();
    let target = format!("/v1/models?{query}");
    wire.write((request(method, &target, &payer.key) + "Connection: close\r\n\r\n").as_bytes());
    if method == "HEAD" { wire.reply_to_head() } else { wire.reply() }
}

fn world(addr: SocketAddr) -> World {
    let url = format!("url: http://{addr}");
    let peek = "  - { name: peek, match: HEAD /v1/models, upstream: sample, free: true }\n  - { name: models";
    World::start(&[
        ("url: UPSTREAM", &url),
        ("  - { name: models", peek),
        ("first_byte: 20s, idle: 20s", "first_byte: 2s, idle: 2s"),
        ("store:", "cores: 1\nstore:"),
    ])
}

#[test]
fn nobody_gets_a_byte_of_another_ones_answer() {
    let cases = cases();
    assert_eq!(cases.len(), 35);
    let script = Script::start(cases.iter().map(|case| case.parts.clone()).collect());
    let world = world(script.addr);
    let payer = world.payer("studio", "10");
    for (number, case) in cases.iter().enumerate() {
        let name = case.name;
        let reply = get(&world, &payer, case.method, &format!("case={number}"));
        let (status, body) = case.client;
        match (reply, body) {
            (Some(reply), _) if reply.status != status => panic!("{name}: {reply:?}"),
            (Some(reply), Some(body)) => {
                assert!(reply.whole && reply.text() == body, "{name}: {reply:?}");
            }
            (Some(reply), None) => {
                assert!(!reply.text().contains("others"), "{name}: {reply:?}");
                assert!(status != 200 || !reply.whole, "{name}: looks whole: {reply:?}");
            }
            // An answer that breaks off at once may take its head with it.
            (None, None) if status == 200 => {}
            (None, _) => panic!("{name}: no answer"),
        }
        // What comes while nobody waits is nobody's answer. (What comes when the next one has asked is, in
        // HTTP/1.1, that one's: nothing tells them apart.)
        if case.parts.len() > 1 {
            std::thread::sleep(Duration::from_millis(100));
        }
        for turn in 0..4 {
            let own = format!("{number}-{turn}");
            let reply = get(&world, &payer, "GET", &format!("own={own}")).unwrap();
            assert_eq!((reply.status, reply.text()), (200, own), "{name}");
        }
        let after = script.after(&format!("/v1/models?case={number}"));
        match case.then {
            Then::NoMore => assert!(after.is_empty(), "{name}: used again for {after:?}"),
            Then::Again => assert!(!after.is_empty(), "{name}: not used again"),
        }
    }
}

#[test]
fn an_upstream_that_answers_before_it_is_asked_to_the_end_is_asked_no_more() {
    let script = Script::start(Vec::new());
    let world = world(script.addr);
    let payer = world.payer("studio", "1000");
    // Half of a body whose second half would be a request, had the upstream not waited for it.
    let hidden = "GET /v1/models?own=hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = request("POST", &format!("{DUBBING}?own=early"), &payer.key);
    let mut wire = world.wire();
    wire.write(format!("{head}Content-Length: {}\r\n\r\n{{}}  ", hidden.len() + 4).as_bytes());
    let reply = wire.reply().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "early"));
    assert_eq!(reply.header("connection"), Some("close"));
    wire.write(hidden.as_bytes());
    assert!(wire.reply().is_none());
    for turn in 0..4 {
        let reply = get(&world, &payer, "GET", &format!("own={turn}")).unwrap().ok();
        assert_eq!(reply.text(), turn.to_string());
    }
    let after = script.after(&format!("{DUBBING}?own=early"));
    // It may have read the rest of the body as another request, but of ours it has seen none.
    let ours = |target: &&String| (0..4).any(|turn| target.ends_with(&format!("own={turn}")));
    assert_eq!(after.iter().find(ours), None, "used again");
    until("it is settled", || world.purse(&payer).held == "0");
    assert_eq!(world.charges(&payer).len(), 1);
}

#[test]
fn hints_without_end_hold_up_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let flood = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            drop(tollgate::seam::thread("hints", move || hints(stream)).unwrap());
        }
    };
    drop(tollgate::seam::thread("flood", flood).unwrap());
    let world = world(addr);
    let payer = world.payer("studio", "10");
    let mut wire = world.wire();
    wire.write((request("GET", "/v1/models?flood", &payer.key) + "\r\n").as_bytes());
    for turn in 0..20 {
        let reply = get(&world, &payer, "GET", &format!("own={turn}")).unwrap().ok();
        assert_eq!(reply.text(), "plain");
    }
    assert_eq!(wire.reply().unwrap().problem(), (504, "upstream_timeout".to_owned()));
}

/// Answers a plain request, and floods with hints whoever asks for it.
fn hints(mut stream: TcpStream) {
    let mut part = [0; 4096];
    while let Ok(1..) = stream.read(&mut part) {
        let text = String::from_utf8_lossy(&part).into_owned();
        if !text.contains("?flood") {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain"));
            continue;
        }
        // As fast as it can, it would slow down the core that reads it.
        let many = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1_000);
        while stream.write_all(many.as_bytes()).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
        return;
    }
}

#[test]
fn a_client_that_is_refused_while_it_sends_reads_why() {
    let script = Script::start(Vec::new());
    let world = world(script.addr);
    let payer = world.payer("studio", "10");
    for (head, status) in [
        (request("POST", DUBBING, "tk_wrong") + "Content-Length: 8000000\r\n\r\n", 401),
        (request("POST", DUBBING, &payer.key) + "Content-Length: 8000000\r\n\r\n", 413),
        (request("POST", DUBBING, &payer.key) + "Content-Length: 8, 8\r\n\r\n", 400),
    ] {
        // All of it, before it looks for an answer, as many a client does; to most, a reset is no answer.
        let mut client = TcpStream::connect(world.data).unwrap();
        client.write_all(head.as_bytes()).unwrap();
        for _ in 0..80 {
            client.write_all(&[b'x'; 100_000]).unwrap();
        }
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        let (reply, used) = Reply::read(&bytes, false, true).unwrap();
        assert_eq!((reply.status, used), (status, bytes.len()));
        assert_eq!(reply.header("connection"), Some("close"));
    }
}
