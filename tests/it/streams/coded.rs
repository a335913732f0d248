//! Answers that come compressed though nobody asked for it: read for their usage, passed on as they came.

use std::io::Write;

use serde_json::json;

use super::script::Answer;
use super::{CHAT, JSON, SSE, Stage, streamed};
use crate::wire::Ask;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8], window: u32) -> Vec<u8> {
    let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, window);
    encoder.write_all(bytes).unwrap();
    encoder.into_inner()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).unwrap()
}

/// The same in a window that no decoder of the web need have (RFC 9659).
fn wide_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    // Longer than the window, so that it is kept.
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.flush().unwrap();
    encoder.write_all(b" ").unwrap();
    encoder.finish().unwrap()
}

/// One way to compress.
pub(crate) type Encode = fn(&[u8]) -> Vec<u8>;

pub(crate) const CODINGS: [(&str, Encode); 8] = [
    ("gzip", gzip),
    ("x-gzip", gzip),
    ("GZIP", |bytes| {
        let (a, b) = bytes.split_at(bytes.len() / 2);
        [gzip(a), gzip(b)].concat()
    }),
    ("deflate", zlib),
    ("deflate", deflate),
    ("br", |bytes| brotli(bytes, 22)),
    ("zstd", zstd),
    ("identity, zstd", |bytes| {
        let (a, b) = bytes.split_at(bytes.len() / 2);
        [zstd(a), zstd(b)].concat()
    }),
];

/// Events, each sent on at once by a service that compresses as it goes.
fn flushed(events: &[String]) -> Vec<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut parts = Vec::new();
    for event in events {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        parts.push(std::mem::take(encoder.get_mut()));
    }
    parts.push(encoder.finish().unwrap());
    parts
}

const MISSING: &str = "settled 1500 completed missing_quantity:input";

#[test]
fn every_coding_is_read_and_passes_as_it_came() {
    let stage = Stage::start();
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 2 });
    let body = json!({ "choices": [{ "text": "é".repeat(5_000) }], "usage": usage }).to_string();
    let chunks = "data: {\"choices\":[{\"delta\":{}}]}\n\n".repeat(300);
    let stream = format!("{chunks}data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
    let mut cases = 0;
    for (name, encode) in CODINGS {
        for (kind, text) in [(JSON, &body), (SSE, &stream)] {
            let coded = encode(text.as_bytes());
            let head = format!("{kind}content-encoding: {name}\r\n");
            for pieces in [usize::MAX, 1, 3, 100] {
                let reply =
                    stage.ask(CHAT, &streamed(), Answer::new(&head, &coded).in_pieces(pieces)).ok();
                assert!(reply.body == coded, "{name}: other bytes");
                assert_eq!(reply.header("content-encoding"), Some(name));
                assert_eq!(stage.receipt(&reply), "settled 27 completed", "{name} {kind} {pieces}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 64);
}

#[test]
fn an_event_is_read_when_it_comes() {
    let stage = Stage::changed(&[("DISCONNECT", "cancel")]);
    let event = |text: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let parts = flushed(&[event("abc"), event("de")]);
    let flag = std::sync::Arc::default();
    let mut answer = Answer::new(&format!("{SSE}content-encoding: gzip\r\n"), &parts[0]);
    answer = answer.then(super::script::Step::Send(parts[1].clone()));
    answer = answer.then(super::script::Step::Wait(std::sync::Arc::clone(&flag)));
    stage.script.next(answer);
    let mut wire = stage.world.wire();
    wire.write(&stage.payer.post("/v1/text", &streamed()).bytes());
    wire.until("\r\n\r\n");
    wire.some_of_the_body();
    // Both parts have been passed on; what they say has been read although the coding has not ended.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let charge = wire.seen().split("credits-charge-id: ").nth(1).unwrap()[..30].trim().to_owned();
    let charge = charge.split("\r\n").next().unwrap().to_owned();
    drop(wire);
    assert_eq!(stage.ended(&charge), "settled 5 cancelled");
    flag.store(true, std::sync::atomic::Ordering::SeqCst);
}

#[test]
fn bombs_and_what_is_no_such_coding() {
    let stage = Stage::start();
    let usage = "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}";
    let bomb = format!("{{{usage},\"x\":\"{}\"}}", "x".repeat(64 << 20));
    let spaces = format!("{{{usage}{}}}", " ".repeat(64 << 20));
    let events = format!("data: {{{usage}}}\n\ndata: {}", "x".repeat(64 << 20));
    let small = format!("{{{usage}}}");
    let (output, oversized) = ("missing_quantity:output", "oversized_body");
    let unread = format!("{MISSING} {oversized} {output}");
    let encoded = format!("{MISSING} encoded_body {output}");
    let mut cut = gzip(small.as_bytes());
    cut.truncate(cut.len() - 9);
    let mut wrong = gzip(small.as_bytes());
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    for (kind, name, coded, expected) in [
        (JSON, "gzip", gzip(bomb.as_bytes()), &unread),
        (JSON, "deflate", zlib(spaces.as_bytes()), &unread),
        (JSON, "br", brotli(bomb.as_bytes(), 22), &unread),
        (JSON, "zstd", zstd(bomb.as_bytes()), &unread),
        (
            SSE,
            "br",
            brotli(events.as_bytes(), 22),
            &format!("unknown 0 unknown {oversized} broken_body"),
        ),
        (JSON, "gzip", small.clone().into_bytes(), &encoded),
        (JSON, "gzip", cut, &encoded),
        (JSON, "gzip", wrong, &encoded),
        (JSON, "br", vec![0x91, 0xff], &encoded),
        (JSON, "br", vec![0xff; 100], &encoded),
        (JSON, "zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0xff], &encoded),
        // A window of 16 MiB.
        (JSON, "br", brotli(small.repeat(1_000_000).as_bytes(), 24), &encoded),
        // One of 128 MiB.
        (JSON, "zstd", wide_zstd(small.as_bytes()), &encoded),
        (JSON, "gzip, gzip", gzip(&gzip(small.as_bytes())), &encoded),
        (JSON, "compress", small.clone().into_bytes(), &encoded),
    ] {
        let head = format!("{kind}content-encoding: {name}\r\n");
        let reply = stage.ask(CHAT, &json!({}), Answer::new(&head, &coded)).ok();
        assert!(reply.body == coded, "{name}: other bytes");
        let receipt = stage.receipt(&reply);
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&receipt), sorted(expected), "{name} {} {kind}", coded.len());
    }
}

#[test]
fn a_route_may_leave_it_unread() {
    let stage = Stage::changed(&[(
        "match: POST /v1/chat/completions",
        "match: POST /v1/chat/completions\n    decode: false",
    )]);
    let body = gzip(b"{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}");
    let head = format!("{JSON}content-encoding: gzip\r\n");
    let reply = stage.ask(CHAT, &json!({}), Answer::new(&head, &body)).ok();
    assert_eq!(reply.body, body);
    let receipt = stage.receipt(&reply);
    assert!(receipt.starts_with("settled 1500 ") && receipt.contains("encoded_body"), "{receipt}");
}

/// A client's own wish for a coding does not reach the upstream of a priced route, however it is written.
#[test]
fn identity_is_asked_for_where_something_is_read() {
    let stage = Stage::start();
    let ask = |ask: Ask| {
        stage.script.next(Answer::new(JSON, "{}"));
        let ask = ask.key(&stage.payer.key).header("accept-encoding", "gzip, br;q=1.0");
        stage.world.send(&ask.header("Accept-Encoding", "zstd")).ok();
        stage.script.asked().header("accept-encoding")
    };
    assert_eq!(ask(Ask::new("POST", CHAT).json(&json!({}))), ["identity"]);
    assert_eq!(ask(Ask::new("GET", "/v1/models")), ["gzip, br;q=1.0", "zstd"]);
}
