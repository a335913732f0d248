//! How the sample upstream answers: whole, in parts, cut, or with an error.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Sample;
use super::switches::Switches;
use super::work::{Outcome, Unit};

/// Into how many parts a slow or cut JSON answer falls.
const JSON_PARTS: usize = 4;
/// Time for the parts before a cut to leave: an error at once would take them along.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// A request for work, read.
#[derive(Debug)]
pub(super) struct Ask {
    /// Its body.
    pub(super) json: Value,
    /// What to do wrong.
    pub(super) switches: Switches,
    /// The work that it asks for.
    pub(super) unit: Unit,
    shape: Shape,
}

/// An error: status, code, message.
type Shape = fn(StatusCode, &str, &str) -> Box<Response>;

/// A part of an answer.
#[derive(Debug)]
pub(super) struct Part {
    /// What is sent.
    pub(super) bytes: Bytes,
    /// How many tokens have been generated with it.
    pub(super) completion_tokens: Option<u64>,
}

impl Ask {
    /// Reads a request; what is wrong with it is answered at once and is no work.
    pub(super) fn read(
        sample: &Sample,
        route: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, Box<Response>> {
        let bad =
            |message: String| error(StatusCode::BAD_REQUEST, "invalid_request_error", &message);
        let switches = Switches::read(headers).map_err(bad)?;
        let json: Value = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
        let header = headers.get("x-nonce").and_then(|value| value.to_str().ok());
        let nonce = json["nonce"].as_str().or(header).map(str::to_owned);
        let unit = Unit::begin(&sample.work, route, nonce);
        Ok(Self { json, switches, unit, shape: error })
    }

    /// The same, with its errors in another shape than OpenAI's.
    pub(super) fn in_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Waits if told to, and fails or blocks if told to.
    pub(super) async fn endure(self) -> Result<Self, Box<Response>> {
        tokio::time::sleep(self.switches.hang).await;
        if let Some(status) = self.switches.fail {
            self.unit.end(Outcome::Failed);
            let message = "The sample upstream was told to fail.";
            return Err((self.shape)(status, "server_error", message));
        }
        if self.switches.block {
            self.unit.end(Outcome::Blocked);
            let message = "Your request was rejected by the safety system.";
            let code = "content_policy_violation";
            return Err((self.shape)(StatusCode::BAD_REQUEST, code, message));
        }
        Ok(self)
    }

    /// Hands over a JSON answer, whole or as it was told to.
    pub(super) fn hand_over(self, answer: &Value) -> Response {
        let text = answer.to_string();
        let announced = if self.switches.lie_length { text.len() + 100 } else { text.len() };
        let calm = self.switches.slow.is_none() && !self.switches.cut && !self.switches.lie_length;
        let body = if calm {
            self.unit.end(Outcome::Done);
            Body::from(text)
        } else {
            let size = text.len().div_ceil(JSON_PARTS).max(1);
            let parts = text.as_bytes().chunks(size).map(|chunk| Part {
                bytes: Bytes::copy_from_slice(chunk),
                completion_tokens: None,
            });
            let outcome = if self.switches.cut || self.switches.lie_length {
                Outcome::Cut
            } else {
                Outcome::Done
            };
            in_parts(self.unit, parts.collect(), &self.switches, outcome)
        };
        let head = [
            (CONTENT_TYPE, "application/json".to_owned()),
            (CONTENT_LENGTH, announced.to_string()),
        ];
        (head, body).into_response()
    }
}

/// A body that comes in parts. Where it is cut, half of them come.
pub(super) fn in_parts(
    unit: Unit,
    mut parts: Vec<Part>,
    switches: &Switches,
    outcome: Outcome,
) -> Body {
    let cut = outcome == Outcome::Cut;
    if switches.cut {
        parts.truncate(parts.len().div_ceil(2));
    }
    let left = parts.into_iter().collect::<std::collections::VecDeque<_>>();
    let delay = switches.slow.unwrap_or_default();
    Body::from_stream(stream::unfold((left, Some(unit)), move |(mut left, mut unit)| async move {
        let Some(part) = left.pop_front() else {
            return if cut { Some((broken(unit).await, (left, None))) } else { None };
        };
        tokio::time::sleep(delay).await;
        if let (Some(unit), Some(tokens)) = (&mut unit, part.completion_tokens) {
            unit.count("completion_tokens", tokens);
        }
        // With the last part, not after it: a reader that has all the bytes it was promised asks no more.
        if left.is_empty()
            && !cut
            && let Some(unit) = unit.take()
        {
            unit.end(outcome);
        }
        Some((Ok(part.bytes), (left, unit)))
    }))
}

async fn broken(unit: Option<Unit>) -> io::Result<Bytes> {
    tokio::time::sleep(BEFORE_CUT).await;
    if let Some(unit) = unit {
        unit.end(Outcome::Cut);
    }
    Err(io::Error::other("the sample upstream was told to cut"))
}

/// An error as generation APIs send it.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Box<Response> {
    let error = json!({ "message": message, "type": code, "code": code, "param": null });
    Box::new((status, axum::Json(json!({ "error": error }))).into_response())
}

/// Either the answer or the error that took its place.
pub(super) fn either(result: Result<Response, Box<Response>>) -> Response {
    result.unwrap_or_else(|error| *error)
}
