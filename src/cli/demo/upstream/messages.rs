//! Messages as Anthropic has them: one JSON document, or named events whose last but one says the usage.
//!
//! Invariant: usage in a stream is the sum so far, so the last one counts.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Sample;
use super::answer::{self, Ask, Part};
use super::chat::{count, prompt_tokens, words_of};
use super::work::Outcome;

/// How many parts of a stream come before an error in it.
const BEFORE_ERROR: usize = 4;

/// `POST /v1/messages`.
pub(super) async fn messages(
    State(sample): State<Sample>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer::either(answer_to(&sample, &headers, &body).await)
}

async fn answer_to(
    sample: &Sample,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Box<Response>> {
    let mut ask = Ask::read(sample, "messages", headers, body)?.in_shape(error);
    let words = words_of(&ask.json);
    let (input, output) = ask.switches.usage.unwrap_or((prompt_tokens(&ask.json), count(words)));
    ask.unit.count("input_tokens", input);
    let mut ask = ask.endure().await?;
    if ask.json["stream"] == true {
        return Ok(stream(ask, words, input, output));
    }
    ask.unit.count("output_tokens", output);
    let mut answer = message(input, output);
    answer["content"] = json!([{ "type": "text", "text": words.concat() }]);
    answer["stop_reason"] = "end_turn".into();
    if ask.switches.no_usage {
        _ = answer.as_object_mut().and_then(|members| members.remove("usage"));
    }
    Ok(ask.hand_over(&answer))
}

fn stream(ask: Ask, words: &[&str], input: u64, output: u64) -> Response {
    let mut parts = vec![
        part(&json!({ "type": "message_start", "message": message(input, 1) }), None),
        part(
            &json!({ "type": "content_block_start", "index": 0,
                      "content_block": { "type": "text", "text": "" } }),
            None,
        ),
        part(&json!({ "type": "ping" }), None),
    ];
    for (index, word) in words.iter().enumerate() {
        let tokens = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let delta = json!({ "type": "text_delta", "text": word });
        let event = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
        parts.push(part(&event, Some(tokens)));
    }
    let mut outcome = if ask.switches.cut { Outcome::Cut } else { Outcome::Done };
    if ask.switches.error_event {
        parts.truncate(BEFORE_ERROR);
        let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
        parts.push(part(&json!({ "type": "error", "error": error }), None));
        outcome = Outcome::Failed;
    } else {
        parts.push(part(&json!({ "type": "content_block_stop", "index": 0 }), None));
        let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
        let mut last = json!({ "type": "message_delta", "delta": delta });
        if !ask.switches.no_usage {
            last["usage"] = json!({ "output_tokens": output });
        }
        parts.push(part(&last, Some(output)));
        parts.push(part(&json!({ "type": "message_stop" }), Some(output)));
    }
    let body = answer::in_parts(ask.unit, parts, &ask.switches, outcome);
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], body).into_response()
}

/// An event, named by its type, with spaces at the end of its data as the real ones may have.
fn part(event: &Value, completion_tokens: Option<u64>) -> Part {
    let name = event["type"].as_str().unwrap_or_default();
    Part { bytes: format!("event: {name}\ndata: {event}   \n\n").into(), completion_tokens }
}

fn message(input: u64, output: u64) -> Value {
    json!({
        "id": "msg_sample", "type": "message", "role": "assistant", "model": "sample-chat",
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": input, "cache_creation_input_tokens": 0,
                   "cache_read_input_tokens": 0, "output_tokens": output },
    })
}

/// An error in Anthropic's shape.
fn error(status: StatusCode, _: &str, message: &str) -> Box<Response> {
    let kind = if status.is_server_error() { "api_error" } else { "invalid_request_error" };
    let error = json!({ "type": kind, "message": message });
    let body = json!({ "type": "error", "error": error, "request_id": "req_sample" });
    Box::new((status, [("request-id", "req_sample")], axum::Json(body)).into_response())
}
