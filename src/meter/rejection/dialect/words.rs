//! The words that each API has for sorts of errors.

use http::StatusCode;

use super::super::{Cause, Rejection};

/// OpenAI's words for sorts of errors; `insufficient_quota` is what its clients know not to try again.
pub(super) fn openai(refused: &Rejection) -> &'static str {
    match (refused.cause, refused.cause.status()) {
        (Cause::InsufficientCredits, _) => "insufficient_quota",
        (Cause::CapExceeded, _) if !refused.should_retry => "insufficient_quota",
        (_, StatusCode::UNAUTHORIZED) => "authentication_error",
        (_, StatusCode::FORBIDDEN) => "permission_error",
        (_, StatusCode::TOO_MANY_REQUESTS) => "rate_limit_error",
        (_, status) if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

/// The `type` that Anthropic documents for each status; 503 is its 529, which no other server sends.
pub(super) const fn anthropic(status: StatusCode) -> &'static str {
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
        status if status.as_u16() >= 500 => "api_error",
        _ => "invalid_request_error",
    }
}

/// The words of `google.rpc.Code` for each status (AIP-193); 402, which has none, is a precondition.
pub(super) const fn google(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::CONFLICT => "ABORTED",
        StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::PAYMENT_REQUIRED | StatusCode::PRECONDITION_FAILED => "FAILED_PRECONDITION",
        StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => "UNIMPLEMENTED",
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => "DEADLINE_EXCEEDED",
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        status if status.as_u16() >= 500 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

/// The words that ElevenLabs' clients know; for the rest, our code.
pub(super) fn elevenlabs(refused: &Rejection) -> &'static str {
    match refused.cause {
        Cause::InsufficientCredits => "quota_exceeded",
        Cause::CapExceeded if !refused.should_retry => "quota_exceeded",
        Cause::ConcurrencyExceeded => "too_many_concurrent_requests",
        Cause::InvalidKey => "invalid_api_key",
        Cause::MeteringUnavailable | Cause::Draining => "system_busy",
        _ => refused.code(),
    }
}
