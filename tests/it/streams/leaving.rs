//! Clients that leave a stream: on a route that cancels, what was seen is charged; on one that finishes, what
//! the upstream did.

use super::script::{Answer, Step};
use super::{SSE, Stage, streamed};

const AUDIO: &str = "content-type: audio/mpeg\r\n";

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// Frames of MP3, of 26.12 ms each.
fn song(frames: usize) -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
    frame[414..].copy_from_slice(b"end");
    frame.repeat(frames)
}

/// Asks, reads until `seen` has come, and leaves; the charge.
fn leave(stage: &Stage, path: &str, answer: Answer, seen: &str) -> String {
    stage.script.next(answer);
    let mut wire = stage.world.wire();
    wire.write(&stage.payer.post(path, &streamed()).bytes());
    wire.until("\r\n\r\n");
    wire.until(seen);
    let text = wire.seen();
    let charge = text.split("credits-charge-id: ").nth(1).unwrap();
    charge.split("\r\n").next().unwrap().to_owned()
}

#[test]
fn what_was_seen_is_charged_where_the_work_is_cut_off() {
    let stage = Stage::changed(&[("DISCONNECT", "cancel")]);
    let never = || Step::Wait(std::sync::Arc::default());
    for (path, head, body, seen, expected) in [
        ("/v1/text", SSE, event("abc") + &event("é\u{1f3b5}x"), "x\"}", "settled 6 cancelled"),
        // Its beginning has come and not a character: so far there are none.
        ("/v1/text", SSE, ": hello\n\n".to_owned(), "hello", "settled 0 cancelled"),
        (
            "/v1/text",
            SSE,
            event("abc") + "data: {\"usage\":{\"characters\":40}}\n\n",
            "40",
            "settled 40 cancelled",
        ),
        ("/v1/bytes", AUDIO, "x".repeat(5_000) + "end", "end", "settled 5003 cancelled"),
    ] {
        let answer = Answer::new(head, body).then(never());
        let charge = leave(&stage, path, answer, seen);
        assert_eq!(stage.ended(&charge), expected, "{path} {seen}");
    }
}

#[test]
fn what_was_never_stated_is_charged_as_held() {
    let changes = [
        ("DISCONNECT", "cancel"),
        (
            "    stream: { end_event: message_stop }",
            "    stream: { end_event: message_stop }\n    on_disconnect: cancel",
        ),
    ];
    let stage = Stage::changed(&changes);
    let start = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n";
    let answer = Answer::new(SSE, start).then(Step::Wait(std::sync::Arc::default()));
    let charge = leave(&stage, "/v1/messages", answer, "output_tokens");
    // The last running total that was seen.
    assert_eq!(stage.ended(&charge), "settled 35 cancelled");
    let answer = Answer::new(SSE, ": nothing yet\n\n").then(Step::Wait(std::sync::Arc::default()));
    let charge = leave(&stage, "/v1/messages", answer, "nothing yet");
    let expected = "settled 1500 cancelled missing_quantity:input missing_quantity:output";
    assert_eq!(stage.ended(&charge), expected);
}

/// Of a part of a song nobody knows how much was made. It is passed on before the rest comes, whoever measures it.
#[test]
fn a_song_is_as_long_as_it_came_to_its_end() {
    let gone = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    for (word, expected) in [
        ("cancel", "settled 600 cancelled missing_quantity:output"),
        ("finish", "settled 52.245 completed"),
    ] {
        let stage = Stage::changed(&[("DISCONNECT", word)]);
        gone.store(false, std::sync::atomic::Ordering::SeqCst);
        let rest = [Step::Wait(gone.clone()), Step::Send(song(1_000))];
        let answer = rest.into_iter().fold(Answer::new(AUDIO, song(1_000)), Answer::then);
        let charge = leave(&stage, "/v1/music", answer, "end");
        gone.store(word == "finish", std::sync::atomic::Ordering::SeqCst);
        assert_eq!(stage.ended(&charge), expected);
    }
}

#[test]
fn the_upstream_is_cut_off() {
    let stage = Stage::changed(&[("DISCONNECT", "cancel")]);
    let answer = Answer::new(SSE, event("abc")).then(Step::Forever(event("x").into_bytes()));
    let charge = leave(&stage, "/v1/text", answer, "abc");
    stage.script.until_left();
    let receipt = stage.ended(&charge);
    let (status, rest) = receipt.split_once(' ').unwrap();
    let (charged, outcome) = rest.split_once(' ').unwrap();
    assert_eq!((status, outcome), ("settled", "cancelled"));
    let charged: u64 = charged.parse().unwrap();
    assert!((3..1_000).contains(&charged), "{charged}");
}

#[test]
fn what_the_upstream_did_is_charged_where_it_finishes() {
    let stage = Stage::start();
    let gone = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    for (path, head, body, more, expected) in [
        ("/v1/text", SSE, event("abc"), event("defg") + "data: [DONE]\n\n", "settled 7 completed"),
        ("/v1/bytes", AUDIO, "abc".to_owned(), "x".repeat(5_000), "settled 5003 completed"),
    ] {
        gone.store(false, std::sync::atomic::Ordering::SeqCst);
        let answer =
            Answer::new(head, body).then(Step::Wait(gone.clone())).then(Step::Send(more.into()));
        let charge = leave(&stage, path, answer, "abc");
        gone.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(stage.ended(&charge), expected);
    }
}
