//! Dialects: the error shapes that SDKs read a refusal from, beside the members of RFC 9457.
//!
//! Invariant: `code`, `detail` and what was charged stand at the top in every dialect, so that one reader
//! of ours reads them all.

use http::{HeaderName, StatusCode};
use serde_json::{Map, Value, json};

use super::{Cause, Rejection};

/// In whose error shape a refusal is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error": {"message", "type", "code", "param"}}`: OpenAI and those that follow it.
    #[default]
    Openai,
    /// `{"type": "error", "error": {"type", "message", "details"}, "request_id"}`: Anthropic. What RFC 9457
    /// calls `type` stands in `problem_type`, since the name is taken.
    Anthropic,
    /// The members of RFC 9457 and nothing else.
    Problem,
}

impl Dialect {
    /// The members that this dialect's SDKs read.
    pub(super) fn shape(self, refused: &Rejection, message: &str, id: &str) -> Map<String, Value> {
        let mut shape = Map::new();
        match self {
            Self::Openai => {
                shape.insert("error".to_owned(), openai(refused, message));
            }
            Self::Anthropic => {
                shape.insert("type".to_owned(), "error".into());
                shape.insert("error".to_owned(), anthropic(refused, message));
                shape.insert("request_id".to_owned(), id.into());
            }
            Self::Problem => {}
        }
        shape
    }

    /// A header beside `request-id` in which its SDKs look for the request's id. Anthropic's look there.
    pub(super) const fn id_header(self) -> Option<HeaderName> {
        match self {
            Self::Openai => Some(HeaderName::from_static("x-request-id")),
            Self::Anthropic | Self::Problem => None,
        }
    }
}

fn openai(refused: &Rejection, message: &str) -> Value {
    let place = refused.members.get("pointer").or_else(|| refused.members.get("param"));
    json!({ "message": message, "type": openai_type(refused), "code": refused.code(),
            "param": place })
}

/// OpenAI's words for sorts of errors; `insufficient_quota` is what its clients know not to try again.
fn openai_type(refused: &Rejection) -> &'static str {
    match (refused.cause, refused.status()) {
        (Cause::InsufficientCredits, _) => "insufficient_quota",
        (Cause::CapExceeded, _) if !refused.should_retry => "insufficient_quota",
        (_, StatusCode::UNAUTHORIZED) => "authentication_error",
        (_, StatusCode::FORBIDDEN) => "permission_error",
        (_, StatusCode::TOO_MANY_REQUESTS) => "rate_limit_error",
        (_, status) if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic(refused: &Rejection, message: &str) -> Value {
    let kind = anthropic_type(refused.status());
    json!({ "type": kind, "message": message, "details": { "error_code": refused.code() } })
}

/// The `type` that Anthropic documents for each status; 503 is its 529, which no other server sends.
fn anthropic_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::CONFLICT => "conflict_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}
