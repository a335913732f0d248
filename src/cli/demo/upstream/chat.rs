//! Chat: one JSON document, or a stream of events whose last one says the usage.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use super::Sample;
use super::answer::{self, Ask, Part};
use super::work::Outcome;

/// What it always says, a token each.
const WORDS: [&str; 8] = ["Every", " credit", " is", " held", " before", " it", " is", " spent."];
/// How many parts of a stream come before an error in it.
const BEFORE_ERROR: usize = 3;

/// `POST /v1/chat/completions`.
pub(super) async fn completions(
    State(sample): State<Sample>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer::either(complete(&sample, &headers, &body).await)
}

async fn complete(
    sample: &Sample,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Box<Response>> {
    let mut ask = Ask::read(sample, "chat", headers, body)?;
    let words = words_of(&ask.json);
    let (prompt, completion) =
        ask.switches.usage.unwrap_or((prompt_tokens(&ask.json), count(words)));
    ask.unit.count("prompt_tokens", prompt);
    let mut ask = ask.endure().await?;
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt.saturating_add(completion),
    });
    if ask.json["stream"] == true {
        return Ok(stream(ask, words, completion, &usage));
    }
    ask.unit.count("completion_tokens", completion);
    let mut answer = envelope("chat.completion");
    let message = json!({ "role": "assistant", "content": words.concat() });
    answer["choices"] = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
    if !ask.switches.no_usage {
        answer["usage"] = usage;
    }
    Ok(ask.hand_over(&answer))
}

fn stream(ask: Ask, words: &[&str], completion: u64, usage: &Value) -> Response {
    let mut parts = vec![part(&delta(&json!({ "role": "assistant", "content": "" })), None)];
    for (index, word) in words.iter().enumerate() {
        let tokens = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        parts.push(part(&delta(&json!({ "content": word })), Some(tokens)));
    }
    let mut outcome = if ask.switches.cut { Outcome::Cut } else { Outcome::Done };
    if ask.switches.error_event {
        parts.truncate(BEFORE_ERROR);
        let error = json!({ "message": "The model has failed.", "type": "server_error", "code": "server_error" });
        parts.push(part(&json!({ "error": error }), None));
        outcome = Outcome::Failed;
    } else {
        let mut last = delta(&json!({}));
        last["choices"][0]["finish_reason"] = "stop".into();
        parts.push(part(&last, None));
        if !ask.switches.no_usage {
            let mut told = envelope("chat.completion.chunk");
            told["choices"] = json!([]);
            told["usage"] = usage.clone();
            parts.push(part(&told, Some(completion)));
        }
        parts.push(Part {
            bytes: Bytes::from_static(b"data: [DONE]\n\n"),
            completion_tokens: Some(completion),
        });
    }
    let body = answer::in_parts(ask.unit, parts, &ask.switches, outcome);
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], body).into_response()
}

fn part(event: &Value, completion_tokens: Option<u64>) -> Part {
    Part { bytes: format!("data: {event}\n\n").into(), completion_tokens }
}

fn envelope(object: &str) -> Value {
    json!({ "id": "chatcmpl-sample", "object": object, "created": 0, "model": "sample-chat" })
}

fn delta(delta: &Value) -> Value {
    let mut event = envelope("chat.completion.chunk");
    event["choices"] = json!([{ "index": 0, "delta": delta, "finish_reason": null }]);
    event
}

/// As many words as `max_tokens` allows.
pub(super) fn words_of(ask: &Value) -> &'static [&'static str] {
    let limit = ask["max_tokens"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    WORDS.get(..limit.unwrap_or(usize::MAX)).unwrap_or(&WORDS)
}

/// How many words there are.
pub(super) fn count(words: &[&str]) -> u64 {
    u64::try_from(words.len()).unwrap_or(u64::MAX)
}

/// The words of all messages, a token each.
pub(super) fn prompt_tokens(ask: &Value) -> u64 {
    let messages = ask["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let texts = messages.iter().filter_map(|message| message["content"].as_str());
    let words = texts.map(|text| text.split_whitespace().count()).sum::<usize>();
    u64::try_from(words).unwrap_or(u64::MAX)
}
