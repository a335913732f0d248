//! Dialects: the error shapes that SDKs read a refusal from, beside the members of RFC 9457.
//!
//! Invariant: `code` and what was charged stand at the top in every dialect, so that one reader of ours reads
//! them all; a member of RFC 9457 whose name the SDKs need for something else stands there as `problem_…`.

mod words;

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
    /// `{"error": {"code", "message", "status", "details"}}`: Gemini and the rest of Google's. Its SDK takes a
    /// `status` at the top for a word of gRPC's, so that number stands in `problem_status`.
    Google,
    /// `{"title", "detail", "status", "type", "instance"}`: Replicate, which reads RFC 9457 itself.
    Replicate,
    /// `{"detail", "message", "error_type"}`: fal.
    Fal,
    /// `{"detail": {"status", "message"}}`: ElevenLabs. What RFC 9457 calls `detail` stands in
    /// `problem_detail`.
    Elevenlabs,
    /// `{"error": "…"}`, a text: Runway and AssemblyAI.
    Runway,
    /// `{"detail": "…", "message", "request_id"}`: those that were made with FastAPI, as Luma and Black
    /// Forest Labs, and those that read `code` and `message`, as DashScope, Kling and MiniMax.
    Detail,
    /// The members of RFC 9457 and nothing else.
    Problem,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Openai,
        Self::Anthropic,
        Self::Google,
        Self::Replicate,
        Self::Fal,
        Self::Elevenlabs,
        Self::Runway,
        Self::Detail,
        Self::Problem,
    ];

    /// The members that this dialect's SDKs read.
    pub(super) fn shape(self, refused: &Rejection, message: &str, id: &str) -> Map<String, Value> {
        let shape = match self {
            Self::Openai => json!({ "error": openai(refused, message) }),
            Self::Anthropic => {
                json!({ "type": "error", "error": anthropic(refused, message), "request_id": id })
            }
            Self::Google => json!({ "error": google(refused, message) }),
            Self::Fal => {
                json!({ "detail": message, "message": message, "error_type": refused.code() })
            }
            Self::Elevenlabs => {
                json!({ "detail": { "status": words::elevenlabs(refused), "message": message,
                                    "request_id": id } })
            }
            Self::Runway => json!({ "error": message }),
            Self::Detail => json!({ "detail": message, "message": message, "request_id": id }),
            Self::Replicate | Self::Problem => Value::Null,
        };
        if let Value::Object(shape) = shape { shape } else { Map::new() }
    }

    /// The name under which a member of RFC 9457 stands beside the dialect's own.
    pub(super) const fn beside(self, member: Member) -> &'static str {
        match (self, member) {
            (Self::Anthropic, Member::Type) => "problem_type",
            (Self::Google, Member::Status) => "problem_status",
            (Self::Elevenlabs, Member::Detail) => "problem_detail",
            (_, member) => member.name(),
        }
    }

    /// The status of a refusal: a cap that is reached for longer than a client may wait is 402 where SDKs
    /// repeat every 429, whatever `x-should-retry` says.
    #[must_use]
    pub fn status(self, refused: &Rejection) -> StatusCode {
        let spent = refused.cause == Cause::CapExceeded && !refused.should_retry;
        if spent && self.repeats_429() {
            StatusCode::PAYMENT_REQUIRED
        } else {
            refused.cause.status()
        }
    }

    /// Whether its SDKs repeat a 429 that says that another try makes no sense: Replicate's for JavaScript six
    /// times, fal's four and ten times, ElevenLabs' three times; and of those that read `detail`, the AI SDK.
    const fn repeats_429(self) -> bool {
        matches!(self, Self::Replicate | Self::Fal | Self::Elevenlabs | Self::Detail)
    }

    /// A header beside `request-id` in which its SDKs look for the request's id. Those of Anthropic and
    /// ElevenLabs look there.
    pub(super) const fn id_header(self) -> Option<HeaderName> {
        match self {
            Self::Openai => Some(HeaderName::from_static("x-request-id")),
            Self::Fal => Some(HeaderName::from_static("x-fal-request-id")),
            _ => None,
        }
    }

    /// A header in which its SDKs look for the code.
    pub(super) const fn code_header(self) -> Option<HeaderName> {
        match self {
            Self::Fal => Some(HeaderName::from_static("x-fal-error-type")),
            _ => None,
        }
    }
}

/// The members of RFC 9457 whose names a dialect may need for something else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    Type,
    Status,
    Detail,
}

impl Member {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Status => "status",
            Self::Detail => "detail",
        }
    }
}

fn openai(refused: &Rejection, message: &str) -> Value {
    let place = refused.members.get("pointer").or_else(|| refused.members.get("param"));
    json!({ "message": message, "type": words::openai(refused), "code": refused.code(),
            "param": place })
}

fn anthropic(refused: &Rejection, message: &str) -> Value {
    let kind = words::anthropic(refused.cause.status());
    json!({ "type": kind, "message": message, "details": { "error_code": refused.code() } })
}

/// `google.rpc.Status` as Google's services write it: the reason stands in an `ErrorInfo`.
fn google(refused: &Rejection, message: &str) -> Value {
    json!({
        "code": Dialect::Google.status(refused).as_u16(),
        "message": message,
        "status": words::google(refused.cause.status()),
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": refused.code().to_ascii_uppercase(),
            "domain": "tollgate",
        }],
    })
}
