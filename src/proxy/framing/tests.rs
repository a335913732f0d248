//! Tables of heads, chunks and trailers; that where bytes are split changes nothing; and that hyper finds
//! behind the guard what it finds without it, or less.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::*;
use crate::seam::{Clock, SystemClock};

const BOUNDS: Bounds = Bounds { head_bytes: 8 << 10, headers: 20, head_ms: 10_000 };

/// Reads `bytes`, given in parts that end at these places: how far it came, how many heads, and the doubt.
fn read(bytes: &[u8], ends: &[usize]) -> (usize, u64, Option<Doubt>) {
    let mut reader = Reader::new(BOUNDS);
    let mut at = 0;
    for end in ends.iter().copied().chain([bytes.len()]) {
        let (passed, verdict) = reader.read(&bytes[at..end]);
        at += passed;
        if let Err(doubt) = verdict {
            return (at, reader.heads(), Some(doubt));
        }
    }
    (at, reader.heads(), None)
}

/// Whether reading ends within a head.
fn in_head(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(BOUNDS);
    let _ = reader.read(bytes);
    reader.in_head()
}

/// What becomes of a whole request: `None`, it is read to its end; otherwise the status.
fn verdict(text: &str) -> Option<u16> {
    let (at, heads, doubt) = read(text.as_bytes(), &[]);
    if doubt.is_none() {
        assert_eq!((at, heads), (text.len(), 1), "{text:?} is not whole");
    }
    doubt.map(|doubt| doubt.rejection().status().as_u16())
}

#[test]
fn heads() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8 << 10));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(20));
    let full = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(19));
    let just = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat((8 << 10) - 27));
    assert_eq!(just.len(), 8 << 10);
    let cases: &[(&str, Option<u16>)] = &[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("GET http://a:80/b?c HTTP/1.1\r\nHost: A:80\r\n\r\n", None),
        ("GET /a?b={c}&d=[e] HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", None),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", None),
        ("POST / HTTP/1.1\r\nHost: a\r\ncontent-length:0\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: caf\u{e9}\r\nY:\r\nZ:\t z \r\n\r\n", None),
        (&full, None),
        (&just, None),
        (&long, Some(431)),
        (&many, Some(431)),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("G\rET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Some(400)),
        ("{\"n\":1}", Some(400)),
        ("\u{16}\u{3}\u{1}", Some(400)),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Some(400)),
        ("GET /\r\n", Some(400)),
        ("GET / HTTP/1.2\r\n", Some(505)),
        ("PRI * HTTP/2.0\r\n", Some(505)),
        ("GET / http/1.1\r\n", Some(400)),
        ("GET / HTTP/1.10\r\n", Some(400)),
        ("G(T / HTTP/1.1\r\n", Some(400)),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Some(400)),
        ("GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Some(400)),
        ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET http://c@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET http://c@a/ HTTP/1.0\r\n\r\n", Some(400)),
        ("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nb\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7f}\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: a\r\nExpect: a\r\n\r\n", Some(400)),
    ];
    for (text, status) in cases {
        assert_eq!(verdict(text), *status, "{text:?}");
    }
}

#[test]
fn lengths_and_codings() {
    let cases: &[(&str, Option<u16>)] = &[
        ("Content-Length: 3\r\n\r\nabc", None),
        ("Content-Length:3 \r\n\r\nabc", None),
        ("Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", None),
        ("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Some(400)),
        ("Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc", Some(400)),
        ("Content-Length: 3, 3\r\n\r\nabc", Some(400)),
        ("Content-Length: +3\r\n\r\nabc", Some(400)),
        ("Content-Length: -3\r\n\r\nabc", Some(400)),
        ("Content-Length: 03\r\n\r\nabc", Some(400)),
        ("Content-Length: 3 0\r\n\r\nabc", Some(400)),
        ("Content-Length: 0x3\r\n\r\nabc", Some(400)),
        ("Content-Length:\r\n\r\nabc", Some(400)),
        ("Content-Length: 9223372036854775808\r\n\r\nabc", Some(400)),
        ("Content-Length: 99999999999999999999\r\n\r\nabc", Some(400)),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Some(400)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", Some(400)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Some(400)),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n", Some(400)),
        ("Transfer-Encoding: chunked, identity\r\n\r\n", Some(400)),
        ("Transfer-Encoding: identity\r\n\r\n", Some(400)),
        ("Transfer-Encoding:\r\n\r\n", Some(400)),
    ];
    for (text, status) in cases {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{text}");
        assert_eq!(verdict(&text), *status, "{text:?}");
    }
    assert_eq!(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(400));
}

#[test]
fn chunks_and_trailers() {
    let (long, wide) = ("x".repeat(257), "x: y\r\n".repeat(33));
    let cases: &[(&str, bool)] = &[
        ("3\r\nabc\r\n00000003\r\nabc\r\n0\r\n\r\n", true),
        ("A;b=c;d=\"e\"\r\n0123456789\r\n000\r\nX-Seconds: 5\r\n\r\n", true),
        ("\r\n", false),
        (" 3\r\nabc\r\n0\r\n\r\n", false),
        ("3 \r\nabc\r\n0\r\n\r\n", false),
        ("+3\r\nabc\r\n0\r\n\r\n", false),
        ("-3\r\nabc\r\n0\r\n\r\n", false),
        ("0x3\r\nabc\r\n0\r\n\r\n", false),
        ("3\nabc\r\n0\r\n\r\n", false),
        ("3\rabc\r\n0\r\n\r\n", false),
        ("3;\nabc\r\n0\r\n\r\n", false),
        ("3;\rx\r\nabc\r\n0\r\n\r\n", false),
        ("3;\0\r\nabc\r\n0\r\n\r\n", false),
        (&format!("3;{long}\r\nabc\r\n0\r\n\r\n"), false),
        ("3\r\nabcd\r\n0\r\n\r\n", false),
        ("3\r\nabc\n0\r\n\r\n", false),
        ("00000000000000003\r\nabc\r\n0\r\n\r\n", false),
        ("ffffffffffffffffff\r\nabc\r\n0\r\n\r\n", false),
        ("0\n\r\n", false),
        ("0\r\n\n", false),
        ("0\r\nx\r\n\r\n", false),
        ("0\r\nx : y\r\n\r\n", false),
        ("0\r\n x: y\r\n\r\n", false),
        ("0\r\nx: y\n\r\n", false),
        ("0\r\nContent-Length: 5\r\n\r\n", false),
        ("0\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ("0\r\nhost: b\r\n\r\n", false),
        ("0\r\nauthorization: Bearer b\r\n\r\n", false),
        (&format!("0\r\n{wide}\r\n"), false),
        (&format!("0\r\nx: {}\r\n\r\n", "y".repeat(8 << 10)), false),
    ];
    for (body, good) in cases {
        let text =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(verdict(&text), (!good).then_some(400), "{body:?}");
    }
}

#[test]
fn hyper_takes_what_just_fits() {
    let just = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat((8 << 10) - 27));
    let full = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(19));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for text in [&just, &full, &(just.clone() + &just), &(full.clone() + &just)] {
        for ends in [vec![], vec![100], (0..text.len()).collect()] {
            let (seen, _) = runtime.block_on(seen(text.as_bytes(), &ends, true));
            let heads = text.matches("HTTP/1.1").count();
            assert_eq!(seen.len(), heads, "{} bytes in {} parts", text.len(), ends.len());
        }
    }
}

/// Random numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    #[expect(clippy::print_stdout, reason = "a seed that nobody sees cannot be tried again")]
    fn of(name: &str) -> Self {
        let given = std::env::var("TOLLGATE_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| SystemClock.now().0);
        println!("{name}: TOLLGATE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % sides
    }
}

/// A request as hyper shows it: method, target, body.
type Seen = (String, String, Vec<u8>);

/// A pipeline of well-formed requests, and what is to be seen of each.
fn pipeline(dice: &mut Dice) -> (Vec<u8>, Vec<Seen>) {
    let mut bytes = Vec::new();
    let mut seen = Vec::new();
    for number in 0..=dice.below(4) {
        let method = ["GET", "POST", "PUT", "DELETE"][dice.below(4)];
        let target = format!("/{number}?q={}", "x".repeat(dice.below(40)));
        let body: Vec<u8> = (0..dice.below(60)).map(|_| ODD[dice.below(ODD.len())]).collect();
        if dice.below(8) == 0 {
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n").bytes());
        for name in 0..dice.below(4) {
            bytes.extend(format!("X-{name}:{}\r\n", " y".repeat(dice.below(9))).bytes());
        }
        if dice.below(2) == 0 {
            bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
            bytes.extend(&body);
        } else {
            bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(1 + dice.below(20)) {
                bytes.extend(
                    format!("{:x}{}\r\n", chunk.len(), ["", ";a=b"][dice.below(2)]).bytes(),
                );
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend([b"0\r\n\r\n".as_slice(), b"0\r\nX-Last: 1\r\n\r\n"][dice.below(2)]);
        }
        seen.push((method.to_owned(), target, body));
    }
    (bytes, seen)
}

/// Places to split at, in order.
fn splits(dice: &mut Dice, length: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = (0..dice.below(12)).map(|_| dice.below(length + 1)).collect();
    ends.sort_unstable();
    ends
}

/// Bytes that confuse.
const ODD: &[u8] = b"\r\n\0 \t:;,0159axX#\x0b\x80/-\"<>[]{}|^`\\%@?*";

/// Changes some bytes.
fn spoil(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(2) {
        let at = dice.below(bytes.len());
        let odd = ODD[dice.below(ODD.len())];
        match dice.below(3) {
            0 => bytes[at] = odd,
            1 => bytes.insert(at, odd),
            _ => drop(bytes.remove(at)),
        }
    }
}

#[test]
fn where_bytes_are_split_changes_nothing() {
    let mut dice = Dice::of("splits");
    let (mut cases, mut doubts) = (0, 0);
    for _ in 0..6_000 {
        let (mut bytes, _) = pipeline(&mut dice);
        if dice.below(4) > 0 {
            spoil(&mut dice, &mut bytes);
        }
        let whole = read(&bytes, &[]);
        doubts += usize::from(whole.2.is_some());
        for _ in 0..4 {
            let ends = splits(&mut dice, bytes.len());
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(read(&bytes, &ends), whole, "split at {ends:?}: {text:?}");
            cases += 1;
        }
        let single: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(read(&bytes, &single), whole, "{:?}", String::from_utf8_lossy(&bytes));
    }
    assert!(cases == 24_000 && doubts > 1_500, "{doubts} doubts in {cases} cases");
}

/// What a server of hyper's sees on a stream, without what stands in for a refused head; and how often it
/// was asked, that and broken bodies included.
async fn served(stream: impl AsyncRead + AsyncWrite + Unpin) -> (Vec<Seen>, u64) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let asked = Rc::new(Cell::new(0));
    let (note, count) = (seen.clone(), asked.clone());
    let answer = service_fn(move |request: Request<Incoming>| {
        let note = note.clone();
        count.set(count.get() + 1);
        async move {
            let (head, body) = request.into_parts();
            if head.headers.get("host").is_some_and(|host| host == "refused") {
                return Ok(Response::new(Empty::<Bytes>::new()));
            }
            if let Ok(body) = body.collect().await {
                let target = head.uri.to_string();
                note.borrow_mut().push((head.method.to_string(), target, body.to_bytes().to_vec()));
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    // The end of what is sent must not cut off what is answered.
    let mut server = hyper::server::conn::http1::Builder::new();
    server.max_buf_size(BOUNDS.head_bytes).max_headers(BOUNDS.headers);
    drop(server.half_close(true).serve_connection(TokioIo::new(stream), answer).await);
    (seen.take(), asked.get())
}

/// Gives `bytes` in parts to a server behind the guard, or without it: what it sees.
async fn seen(bytes: &[u8], ends: &[usize], guard: bool) -> (Vec<Seen>, u64) {
    let (client, server) = tokio::io::duplex(1 << 16);
    let (mut answers, mut requests) = tokio::io::split(client);
    let send = async {
        let mut at = 0;
        for end in ends.iter().copied().chain([bytes.len()]) {
            drop(requests.write_all(&bytes[at..end]).await);
            tokio::task::yield_now().await;
            at = end;
        }
        drop(requests.shutdown().await);
    };
    let read = async { drop(answers.read_to_end(&mut Vec::new()).await) };
    let serve = async {
        if guard { served(guarded(server, BOUNDS).0).await } else { served(server).await }
    };
    tokio::join!(send, read, serve).2
}

#[test]
fn hyper_finds_the_same_behind_the_guard_or_less() {
    let mut dice = Dice::of("pipelines");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (mut same, mut less) = (0, 0);
    for round in 0..3_000 {
        let (mut bytes, meant) = pipeline(&mut dice);
        if round % 2 == 1 {
            spoil(&mut dice, &mut bytes);
        }
        let ends = splits(&mut dice, bytes.len());
        let ((with, asked), (without, _)) = runtime
            .block_on(async { (seen(&bytes, &ends, true).await, seen(&bytes, &[], false).await) });
        let (_, heads, doubt) = read(&bytes, &[]);
        let text = String::from_utf8_lossy(&bytes);
        if round % 2 == 0 {
            assert_eq!(with, meant, "{text:?}");
            assert_eq!(read(&bytes, &ends), (bytes.len(), meant.len() as u64, None), "{text:?}");
        }
        // hyper has nothing left to refuse: every head that passes comes to the service, and the stand-in.
        let refused = u64::from(doubt.is_some_and(|_| in_head(&bytes)));
        let kept = !text.contains("HTTP/1.0");
        assert!(!kept || asked == heads + refused, "{asked} of {heads} and {refused}: {text:?}");
        assert!(without.starts_with(&with), "{with:?} and {without:?} of {text:?}");
        *(if with.len() == without.len() { &mut same } else { &mut less }) += 1;
    }
    assert!(same > 1_500 && less > 30, "{same} the same, {less} less");
}
