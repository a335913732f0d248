//! What the APIs send, as their documents show it: what it costs, and that not a byte of it changes.

use serde_json::{Value, json};

use super::script::Answer;
use super::{CHAT, JSON, SSE, Stage, streamed};

const NDJSON: &str = "content-type: application/x-ndjson\r\n";

/// An event with a name, as Anthropic and OpenAI's newer endpoints send it.
fn named(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Anthropic's stream: usage in two events, of which the later is the running total.
fn messages(output: &[u64]) -> String {
    let usage = json!({ "input_tokens": 25, "cache_read_input_tokens": 0, "output_tokens": 1 });
    let mut all = named(
        "message_start",
        &json!({ "type": "message_start", "message": { "id": "msg_1", "usage": usage, "content": [] } }),
    );
    all += &named("ping", &json!({ "type": "ping" }));
    all += &named(
        "content_block_delta",
        &json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": "Hi" } }),
    );
    for tokens in output {
        all += &named(
            "message_delta",
            &json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" },
                     "usage": { "output_tokens": tokens } }),
        );
    }
    all
}

fn stop() -> String {
    named("message_stop", &json!({ "type": "message_stop" }))
}

/// Gemini's chunks, each with the usage so far.
fn gemini(last: bool) -> Vec<Value> {
    let chunk = |text: &str, tokens: u64, finish: Value| {
        json!({ "candidates": [{ "content": { "parts": [{ "text": text }] }, "finishReason": finish }],
                "usageMetadata": { "promptTokenCount": 8, "candidatesTokenCount": tokens },
                "modelVersion": "gemini" })
    };
    let mut chunks = vec![chunk("a [\"", 2, Value::Null), chunk("}, b", 5, Value::Null)];
    for one in &mut chunks {
        one["candidates"][0].as_object_mut().unwrap().remove("finishReason");
    }
    if last {
        chunks.push(chunk("c", 7, json!("STOP")));
    }
    chunks
}

fn sse(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

/// As Google sends it without `alt=sse`: an array whose items come one by one, printed over several lines.
fn array(chunks: &[Value], closed: bool) -> String {
    let all: Vec<String> =
        chunks.iter().map(|chunk| serde_json::to_string_pretty(chunk).unwrap()).collect();
    format!("[{}{}", all.join("\n,\r\n"), if closed { "\n]\n" } else { "" })
}

/// Ollama's lines.
fn ollama(done: bool) -> String {
    let line = |text: &str| json!({ "model": "m", "message": { "content": text }, "done": false });
    let mut all = format!("{}\n{}\n", line("a"), line("b"));
    if done {
        let last = json!({ "model": "m", "done": true, "done_reason": "stop",
                           "prompt_eval_count": 26, "eval_count": 9, "total_duration": 1 });
        all += &format!("{last}\n");
    }
    all
}

fn responses(ending: &str, usage: &Value) -> String {
    let mut all = named(
        "response.created",
        &json!({ "type": "response.created", "response": { "usage": null } }),
    );
    all += &named(
        "response.output_text.delta",
        &json!({ "type": "response.output_text.delta", "delta": "Hi" }),
    );
    all + &named(ending, &json!({ "type": ending, "response": { "id": "resp_1", "usage": usage } }))
}

/// One image in parts and whole, and what it took.
fn image(kind: &str, tokens: Option<u64>) -> String {
    let picture = "iVBORw0KGgo".repeat(60_000);
    let mut data = json!({ "type": kind, "b64_json": picture, "size": "1024x1024" });
    if let Some(tokens) = tokens {
        data["usage"] = json!({ "total_tokens": tokens + 10, "output_tokens": tokens });
    }
    named(kind, &data)
}

fn chunk(data: &Value) -> String {
    format!("data: {data}\n\n")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn streams_of_the_apis() {
    let stage = Stage::start();
    let gemini_path = "/v1beta/models/gemini-pro:streamGenerateContent";
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } });
    let unknown = "unknown 0 unknown broken_body";
    let choice = json!({ "choices": [{ "delta": { "content": "Hi" } }] });
    let counted = |tokens: u64| {
        json!({ "choices": [{ "delta": { "content": "Hi" } }],
                "usage": { "prompt_tokens": 5, "completion_tokens": tokens } })
    };
    let usage = json!({ "input_tokens": 12, "output_tokens": 3 });
    let done = "data: [DONE]\n\n";
    let transcript = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"I\"}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"I\",\"usage\":{\"type\":\"tokens\",\"total_tokens\":45}}\n\n";
    let images = image("image_generation.partial_image", None)
        + &image("image_generation.completed", Some(100))
        + &image("image_generation.partial_image", None)
        + &image("image_generation.completed", Some(250));
    for (name, path, head, body, expected) in [
        // Anthropic: the last running total, never their sum; what goes in is said once, at the start.
        ("messages", "/v1/messages", SSE, messages(&[7]) + &stop(), "settled 95 completed"),
        ("running totals", "/v1/messages", SSE, messages(&[3, 7]) + &stop(), "settled 95 completed"),
        (
            "a total that falls",
            "/v1/messages",
            SSE,
            messages(&[7, 3]) + &stop(),
            "settled 95 completed decreasing_quantity:output",
        ),
        ("no end", "/v1/messages", SSE, messages(&[7]), unknown),
        (
            "an error in the middle",
            "/v1/messages",
            SSE,
            messages(&[])
                + &named("error", &json!({ "type": "error", "error": { "type": "overloaded_error" } })),
            "released 0 failed broken_body",
        ),
        // Gemini, by events and as an array.
        ("gemini", gemini_path, SSE, sse(&gemini(true)), "settled 78 completed"),
        ("gemini without its last", gemini_path, SSE, sse(&gemini(false)), unknown),
        ("gemini as an array", gemini_path, JSON, array(&gemini(true), true), "settled 78 completed"),
        ("an array without its last", gemini_path, JSON, array(&gemini(false), true), unknown),
        (
            "an array with an error",
            gemini_path,
            JSON,
            array(&[gemini(false), vec![json!({ "error": { "code": 503 } })]].concat(), true),
            "released 0 failed broken_body",
        ),
        (
            "a blocked prompt",
            gemini_path,
            SSE,
            sse(&[json!({ "promptFeedback": { "blockReason": "SAFETY" },
                          "usageMetadata": { "promptTokenCount": 8 } })]),
            "released 0 blocked broken_body",
        ),
        // Ollama, with lines, and one object where no stream was asked for.
        ("ollama", "/api/chat", NDJSON, ollama(true), "settled 116 completed"),
        ("ollama without its last", "/api/chat", NDJSON, ollama(false), unknown),
        (
            "ollama with an error",
            "/api/chat",
            NDJSON,
            ollama(false) + "{\"error\":\"an error was encountered\"}\n",
            "released 0 failed broken_body",
        ),
        (
            "ollama in one",
            "/api/chat",
            JSON,
            "{\n \"done\": true, \"prompt_eval_count\": 26, \"eval_count\": 9 }".to_owned(),
            "settled 116 completed",
        ),
        // OpenAI's responses: the event that ends it carries the usage.
        ("responses", "/v1/responses", SSE, responses("response.completed", &usage), "settled 42 completed"),
        ("incomplete", "/v1/responses", SSE, responses("response.incomplete", &usage), "settled 42 partial"),
        ("failed", "/v1/responses", SSE, responses("response.failed", &Value::Null), "released 0 failed"),
        ("not ended", "/v1/responses", SSE, responses("response.in_progress", &usage), unknown),
        ("whole", "/v1/responses", JSON, json!({ "usage": usage }).to_string(), "settled 42 completed"),
        // OpenAI's images: each completed one states its own usage, behind a picture larger than is kept.
        ("images", "/v1/images/generations", SSE, images, "settled 350 completed"),
        (
            "an image, whole",
            "/v1/images/generations",
            JSON,
            json!({ "data": [{ "b64_json": "x".repeat(3_000_000) }], "usage": { "output_tokens": 90 } })
                .to_string(),
            "settled 90 completed",
        ),
        // OpenAI's transcripts: no `event` field, the name stands in the data.
        ("transcript", "/v1/audio/transcriptions", SSE, transcript.to_owned(), "settled 45 completed"),
        // vLLM with continuous usage; errors in the stream of a chat.
        (
            "continuous usage",
            CHAT,
            SSE,
            chunk(&counted(1)) + &chunk(&counted(2)) + done,
            "settled 25 completed",
        ),
        ("no usage", CHAT, SSE, chunk(&choice) + done, "settled 1500 completed missing_quantity:input missing_quantity:output"),
        ("an error, then its end", CHAT, SSE, chunk(&choice) + &chunk(&error) + done, "released 0 failed"),
        ("an error, and no end", CHAT, SSE, chunk(&choice) + &chunk(&error), "released 0 failed broken_body"),
        ("no end", CHAT, SSE, chunk(&counted(1)), unknown),
        ("zero is zero", CHAT, SSE, chunk(&counted(0)) + done, "settled 5 completed"),
    ] {
        for pieces in [usize::MAX, 1_000_003, 777] {
            // The client asks for usage itself: nothing is asked for it, and nothing is taken out.
            let ask = json!({ "stream": true, "stream_options": { "include_usage": true } });
            let answer = Answer::new(head, &body).in_pieces(pieces);
            let reply = stage.ask(path, &ask, answer).ok();
            assert!(reply.body == body.as_bytes(), "{name}: other bytes");
            assert_eq!(stage.receipt(&reply), expected, "{name} in pieces of {pieces}");
        }
    }
}

/// A refusal is no stream, whatever the route says of streams: it is read as the JSON that it is.
#[test]
fn refusals_are_read_whole() {
    let stage = Stage::start();
    let path = "/v1beta/models/gemini-pro:streamGenerateContent";
    let refusal =
        "{\n  \"error\": {\n    \"code\": 400,\n    \"status\": \"INVALID_ARGUMENT\"\n  }\n}\n";
    for (path, body, status, expected) in [
        (path, refusal, 400, "released 0 rejected"),
        (path, refusal, 503, "released 0 failed"),
        (
            "/v1/messages",
            "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
            529,
            "released 0 failed",
        ),
        ("/api/chat", "{\"error\":\"model not found\"}", 404, "released 0 rejected"),
    ] {
        let reply = stage.ask(path, &streamed(), Answer::new(JSON, body).status(status));
        assert_eq!((reply.status, reply.text().as_str()), (status, body));
        assert_eq!(stage.receipt(&reply), expected, "{path} {status}");
    }
}

/// Two of four came, some were filtered, none came: what came is charged.
#[test]
fn what_came_is_charged() {
    let stage = Stage::start();
    for (body, expected) in [
        (
            json!({ "data": [{ "url": "a" }, { "url": "b" }, { "url": "c" }, { "url": "d" }] }),
            "settled 4 completed",
        ),
        (
            json!({ "data": [{ "url": "a" }, { "error": "filtered" }, { "url": "b" }, { "url": null }] }),
            "settled 2 completed",
        ),
        (
            json!({ "data": [{ "b64_json": "a".repeat(100_000) }, { "b64_json": null }] }),
            "settled 1 completed",
        ),
        // Imagen names the reason in the place of the image.
        (
            json!({ "predictions": [{ "bytesBase64Encoded": "a" }, { "raiFilteredReason": "x" }] }),
            "settled 1 completed",
        ),
        // A list without any is zero; no list is not.
        (
            json!({ "data": [{ "error": "filtered" }, { "error": "filtered" }] }),
            "settled 0 completed",
        ),
        (json!({ "data": [] }), "settled 0 completed"),
        (json!({ "data": null }), "settled 4 completed missing_quantity:output"),
        (json!({}), "settled 4 completed missing_quantity:output"),
    ] {
        let answer = Answer::new(JSON, body.to_string());
        let reply = stage.ask("/v1/pictures", &json!({ "n": 4 }), answer).ok();
        assert_eq!(stage.receipt(&reply), expected, "{body}");
    }
}

/// The stream goes on while it is read: an event reaches the client before the next one is sent.
#[test]
fn nothing_waits_for_what_comes_later() {
    use super::script::Step;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let stage = Stage::start();
    let first = chunk(&json!({ "choices": [{ "delta": { "content": "first" } }], "usage": null }));
    let seen = Arc::<AtomicBool>::default();
    let answer = Answer::new(SSE, &first)
        .then(Step::Wait(seen.clone()))
        .then(Step::Send(b"data: [DONE]\n\n".to_vec()));
    stage.script.next(answer);
    let mut wire = stage.world.wire();
    wire.write(&stage.payer.post(CHAT, &streamed()).bytes());
    wire.until("\"first\"}}]}\n\n");
    assert!(!wire.seen().contains("usage"), "{}", wire.seen());
    seen.store(true, Ordering::SeqCst);
    wire.until("[DONE]");
    assert!(wire.reply().unwrap().whole);
}
