//! An event stream says the same however its bytes are split.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tollgate::observe::{EVENT_MAX, EventReader};

/// The events that a stream of these pieces reports, and how many were skipped.
fn events(pieces: &[&[u8]], complete: bool) -> (Vec<(String, String)>, u64) {
    let mut reader = EventReader::default();
    let mut seen = Vec::new();
    let mut report = |event: tollgate::observe::Event<'_>| {
        seen.push((event.name.to_owned(), event.data.to_owned()));
    };
    for piece in pieces {
        reader.feed(piece, &mut report);
    }
    reader.finish(complete, &mut report);
    (seen, reader.skipped())
}

fn whole(text: &[u8]) -> Vec<(String, String)> {
    events(&[text], true).0
}

#[test]
fn events_as_the_standard_says() {
    let message = |data: &str| (String::new(), data.to_owned());
    for (text, expected) in [
        (&b""[..], vec![]),
        (b"data: a\n\n", vec![message("a")]),
        (b"data:a\n\n", vec![message("a")]),
        (b"data:  a\n\n", vec![message(" a")]),
        (b"data: a\r\n\r\n", vec![message("a")]),
        (b"data: a\r\r", vec![message("a")]),
        (b"data: a\r\n\n", vec![message("a")]),
        (b"data: a\r\ndata: b\rdata: c\n\n", vec![message("a\nb\nc")]),
        (b"data\n\n", vec![message("")]),
        (b"data:\ndata:\n\n", vec![message("\n")]),
        (b"\n\n\n", vec![]),
        (b": comment\n\n", vec![]),
        (b":\ndata: a\n: b\ndata: c\n\n", vec![message("a\nc")]),
        (b"event: x\n\n", vec![]),
        (b"event: x\ndata: a\n\ndata: b\n\n", vec![("x".into(), "a".into()), message("b")]),
        (b"id: 1\nretry: 5\ndata: a\nfoo: b\n\n", vec![message("a")]),
        (b"datax: a\n\n", vec![]),
        (b" data: a\n\n", vec![]),
        (b"Data: a\n\n", vec![]),
        (b"\xef\xbb\xbfdata: a\n\n", vec![message("a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", vec![]),
        (b"data: \xff\n\n", vec![message("\u{fffd}")]),
        (b"data: [DONE]\n\n", vec![message("[DONE]")]),
        // The end of a body that ended as promised is as good as a blank line.
        (b"data: a\n", vec![message("a")]),
        (b"data: a", vec![message("a")]),
        (b"data: a\n\ndata: b", vec![message("a"), message("b")]),
    ] {
        assert_eq!(whole(text), expected, "{}", text.escape_ascii());
    }
    assert_eq!(events(&[b"data: a\n\ndata: b\n"], false).0, [message("a")]);
}

#[test]
fn what_is_too_large_is_skipped_and_counted() {
    let line = |size: usize| format!("data: {}\n", "x".repeat(size));
    for (text, kept, skipped) in [
        (line(EVENT_MAX) + "\ndata: a\n\n", 2, 0),
        (line(EVENT_MAX + 1) + "\ndata: a\n\n", 1, 1),
        (line(EVENT_MAX * 3) + "\ndata: a\n\n", 1, 1),
        (line(EVENT_MAX / 2).repeat(2) + "\ndata: a\n\n", 1, 1),
        (line(EVENT_MAX + 1) + "data: b\n\ndata: a\n\n", 1, 1),
        (format!(":{}\ndata: a\n\n", "x".repeat(EVENT_MAX * 2)), 1, 0),
        (format!("foo: {}\ndata: a\n\n", "x".repeat(EVENT_MAX * 2)), 1, 0),
    ] {
        for size in [text.len(), 1000, 65_536] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let (events, count) = events(&pieces, true);
            assert_eq!((events.len(), count), (kept, skipped), "{}", &text[..20]);
            assert_eq!(events.last().unwrap().1, "a");
        }
    }
}

const DOCUMENTS: &[&[u8]] = &[
    b"data: {\"usage\":null}\n\ndata: {\"usage\":{\"n\":7}}\n\ndata: [DONE]\n\n",
    b"\xef\xbb\xbfevent: a\r\ndata: {\"usage\":\r\ndata: {\"n\":8}}\r\n\r\n: ping\r\n\r\n",
    b"data: {\"t\":\"\xc3\xa9\xf0\x9f\x8e\xb5\xe2\x82\xac\",\"usage\":{\"n\":9}}\r\rdata: x\r\n\n",
    b"data: {\"type\":\"message_delta\",\"usage\":{\"n\":10}}\r\n\r\nevent: \xc3\xa9\rdata: {\"usage\":{\"n\":11}}\n\r\n:\r\r",
    b"data: a\rdata: b\ndata: c\r\n\r\nevent:e\rid:1\r\rdata:d",
    b"\n\r\n\rdata\n\ndata:\r\n\r\n:c\rdata: \xff\xfe\n\n\n",
];

#[test]
fn every_split_in_three_says_the_same() {
    let mut cases = 0_u32;
    for document in DOCUMENTS {
        let expected = events(&[document], true);
        for first in 0..=document.len() {
            for second in first..=document.len() {
                let (a, rest) = document.split_at(first);
                let (b, c) = rest.split_at(second - first);
                assert_eq!(events(&[a, b, c], true), expected, "split at {first} and {second}");
                cases += 1;
            }
        }
        let single: Vec<&[u8]> = document.chunks(1).collect();
        assert_eq!(events(&single, true), expected);
    }
    println!("{cases} splits");
    assert!(cases >= 9_000, "{cases}");
}

/// Pieces that streams are made of.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"data: ".to_vec()),
        Just(b"data:".to_vec()),
        Just(b"event: ".to_vec()),
        Just(b":".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"{\"usage\":{\"n\":12}}".to_vec()),
        Just("é🎵".as_bytes().to_vec()),
        Just(vec![b'x'; EVENT_MAX / 3]),
        prop::collection::vec(any::<u8>(), 0..8),
    ]
}

#[test]
fn any_stream_in_any_pieces_says_the_same() {
    const CASES: u32 = 400;
    let seed = std::env::var("TOLLGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_122);
    println!("TOLLGATE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let strategy =
        (prop::collection::vec(piece(), 0..40), prop::collection::vec(1_usize..5000, 1..20));
    let mut cases = 0_u32;
    let ran = std::cell::Cell::new(0_u32);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |(pieces, sizes)| {
            let stream = pieces.concat();
            let mut rest = stream.as_slice();
            let mut split = Vec::new();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*size).min(rest.len()));
                split.push(head);
                rest = tail;
            }
            for complete in [true, false] {
                prop_assert_eq!(events(&split, complete), events(&[&stream], complete));
            }
            ran.set(ran.get() + 1);
            Ok(())
        })
        .unwrap();
    cases += ran.get();
    println!("{cases} streams");
    assert!(cases >= CASES);
}
