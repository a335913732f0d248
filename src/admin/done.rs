//! The answer of a call that wrote something, with what the log is told of it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

/// Says that the answer is that of an earlier call with the same `Idempotency-Key`.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What was done, and to what.
#[derive(Debug)]
pub(super) struct Done {
    status: StatusCode,
    object: String,
    body: Value,
    repeated: bool,
}

/// What the log says of a call that wrote.
#[derive(Clone, Debug)]
pub(super) struct Object(pub(super) String);

impl Done {
    /// Something is there that was not: `object` for the log.
    pub(super) fn created(object: impl Into<String>, body: Value) -> Self {
        Self { status: StatusCode::CREATED, object: object.into(), body, repeated: false }
    }

    /// Something is otherwise than it was.
    pub(super) fn changed(object: impl Into<String>, body: Value) -> Self {
        Self { status: StatusCode::OK, ..Self::created(object, body) }
    }

    /// The same; `repeated`: an earlier call with the same `Idempotency-Key` may have done it.
    pub(super) fn repeated(self, repeated: bool) -> Self {
        Self { repeated, ..self }
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        // Some of them carry a new key's secret; none of them is worth keeping.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.repeated {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response.extensions_mut().insert(Object(self.object));
        response
    }
}
