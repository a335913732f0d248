//! What is asked of the upstream on the client's behalf, and taken out of the answer again.

use serde_json::{Value, json};

use super::script::{Answer, Step};
use super::{CHAT, JSON, SSE, Stage, streamed};
use crate::wire::Ask;

/// A chat as the service streams it if usage is asked for, and as it does otherwise.
fn chat() -> (String, String) {
    let (mut asked, mut plain) = (String::new(), String::new());
    for text in ["He", "llo"] {
        let head =
            format!("data: {{\"id\":\"c\",\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]");
        asked += &format!("{head},\"usage\":null}}\n\n: ping\n\n");
        plain += &format!("{head}}}\n\n: ping\n\n");
    }
    asked += "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n";
    let end = "data: [DONE]\n\n";
    (asked + end, plain + end)
}

#[test]
fn the_client_sees_what_it_would_have_seen() {
    let stage = Stage::start();
    let (asked, plain) = chat();
    let body = r#" {"model": "m", "n": 1.0, "stream": true, "messages": [{"content":"\u00e9 é"}]}"#;
    let ask = stage.payer.post(CHAT, &Value::Null).body(body.as_bytes());
    for pieces in [usize::MAX, 1, 13] {
        stage.script.next(Answer::new(SSE, &asked).in_pieces(pieces));
        let reply = stage.world.send(&ask).ok();
        assert_eq!(reply.text(), plain);
        assert_eq!(reply.header("content-length"), None);
        assert_eq!(stage.receipt(&reply), "settled 27 completed");
        let sent = stage.script.asked();
        let put = r#"{"stream_options":{"include_usage":true},"#;
        assert_eq!(sent.text(), body.replacen('{', put, 1));
        assert_eq!(sent.header("content-length"), [sent.body.len().to_string()]);
        assert!(sent.header("transfer-encoding").is_empty(), "{}", sent.head);
    }
}

/// Its own words hold, whichever they are; what was not asked for it is not taken out.
#[test]
fn what_the_client_says_itself_holds() {
    let stage = Stage::start();
    let (asked, plain) = chat();
    let usage =
        |said: Value| json!({ "stream": true, "stream_options": { "include_usage": said } });
    let missing = "settled 1500 completed missing_quantity:input missing_quantity:output";
    for (body, answer, seen, expected) in [
        (usage(json!(true)), &asked, &asked, "settled 27 completed"),
        // Whoever forbids it is charged what was held: nothing is put in against its words.
        (usage(json!(false)), &plain, &plain, missing),
        (usage(Value::Null), &plain, &plain, missing),
        // An upstream that sends it unasked sends it to the client.
        (usage(json!(false)), &asked, &asked, "settled 27 completed"),
        (json!({ "stream": true, "stream_options": [] }), &plain, &plain, missing),
    ] {
        let reply = stage.ask(CHAT, &body, Answer::new(SSE, answer)).ok();
        assert_eq!(&reply.text(), seen, "{body}");
        assert_eq!(stage.script.asked().text(), body.to_string());
        assert_eq!(stage.receipt(&reply), expected, "{body}");
    }
    // What wants no stream is left as it is.
    for body in [json!({}), json!({ "stream": false }), json!({ "stream": null })] {
        let answer = r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
        let reply = stage.ask(CHAT, &body, Answer::new(JSON, answer)).ok();
        assert_eq!(
            (reply.text().as_str(), stage.script.asked().text()),
            (answer, body.to_string())
        );
        assert_eq!(stage.receipt(&reply), "settled 27 completed");
    }
}

/// Bodies that could be read in two ways, or that somebody vouches for, pass as they came.
#[test]
fn what_cannot_be_put_in_is_not() {
    let stage = Stage::start();
    let (_, plain) = chat();
    let post =
        |kind: &str| Ask::new("POST", CHAT).key(&stage.payer.key).header("content-type", kind);
    for (ask, body) in [
        (post("application/json"), r#"{"stream":true,"stream":true}"#),
        (post("application/json"), r#"{"stream":true"#),
        (post("text/plain"), r#"{"stream":true}"#),
        (post("application/json").header("content-encoding", "gzip"), r#"{"stream":true}"#),
        (post("application/json").header("content-digest", "sha-256=:x:"), r#"{"stream":true}"#),
        (post("application/json"), ""),
    ] {
        stage.script.next(Answer::new(SSE, &plain));
        let reply = stage.world.send(&ask.clone().body(body.as_bytes())).ok();
        assert_eq!(reply.text(), plain);
        assert_eq!(stage.script.asked().text(), body, "{ask:?}");
    }
}

/// Only streams of a success are changed: a refusal passes as it came, whatever it says.
#[test]
fn other_answers_pass_as_they_came() {
    let stage = Stage::start();
    let (asked, _) = chat();
    let refusal = r#"{"error":{"code":"x"},"choices":[],"usage":null}"#;
    for (answer, seen, expected) in [
        (Answer::new(JSON, refusal).status(400), refusal, "released 0 rejected"),
        (Answer::new(SSE, &asked).status(503), asked.as_str(), "released 0 failed"),
        (Answer::new(JSON, refusal), refusal, "released 0 failed"),
    ] {
        let reply = stage.ask(CHAT, &streamed(), answer);
        assert_eq!(reply.text(), seen);
        assert_eq!(stage.receipt(&reply), expected);
    }
}

/// A stream that breaks off has passed up to there, and its client sees that it broke off.
#[test]
fn a_stream_that_breaks_off() {
    let stage = Stage::start();
    let (asked, plain) = chat();
    let at = asked.find(": ping").unwrap() + 10;
    let stream = Answer::new(SSE, &asked[..at + 20]).cut();
    let reply = stage.ask(CHAT, &streamed(), stream);
    let whole = plain.find(": ping").unwrap() + 8;
    assert!(!reply.whole && reply.text().contains(&plain[..whole]), "{}", reply.text());
    assert_eq!(stage.receipt(&reply), "unknown 0 unknown broken_body");
}

/// A seal on the answer's bytes would be broken.
#[test]
fn what_is_changed_is_not_sealed() {
    let stage = Stage::start();
    let (asked, plain) = chat();
    let head = format!("{SSE}etag: \"a\"\r\ncontent-digest: sha-256=:x:\r\nx-kept: yes\r\n");
    let reply = stage.ask(CHAT, &streamed(), Answer::new(&head, asked)).ok();
    assert_eq!(reply.text(), plain);
    assert_eq!((reply.header("etag"), reply.header("content-digest")), (None, None));
    assert_eq!(reply.header("x-kept"), Some("yes"));
}

/// A client that leaves a stream that goes on without an end holds nothing up.
#[test]
fn a_stream_without_a_pause_passes_in_bounded_memory() {
    let stage = Stage::start();
    let event =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\n".repeat(100);
    let size = 1_000;
    let mut answer = Answer::new(SSE, &event);
    for _ in 0..size {
        answer = answer.then(Step::Send(event.clone()));
    }
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    let reply = stage.ask(CHAT, &streamed(), answer.then(Step::Send(usage.into()))).ok();
    assert_eq!(reply.text().matches("\"x\"}}]}\n\n").count(), 100 * (size + 1));
    assert!(reply.text().ends_with("\"x\"}}]}\n\ndata: [DONE]\n\n"));
    assert_eq!(stage.receipt(&reply), "settled 27 completed");
}
