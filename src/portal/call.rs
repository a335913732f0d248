//! One call of a client: what it says, and the answer in the proxy's own manner.

use axum::body::Body;
use axum::extract::{FromRequest, Query, Request};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::Portal;
use crate::meter::{
    BodyLimit, Detail, IdentityRules, Language, Manner, Misread, Rejection, Shown, Ways, request_id,
};

/// The largest body that is read, in bytes: a quote carries the request that it is about.
const BODY_MAX: usize = 1024 * 1024;

/// A call, read whole.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// The host that it is for.
    pub(super) host: Option<HeaderValue>,
    shown: Result<Shown, Rejection>,
    body: Result<bytes::Bytes, Rejection>,
    request_id: String,
    /// How a refusal is told.
    manner: Manner,
}

impl FromRequest<Portal> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Self::Rejection> {
        let (head, body) = request.into_parts();
        let rules = &portal.rules.identity;
        // Every way counts here, whatever a route says: it is the same account.
        let shown = Shown::of(rules, Ways::ALL, &head.headers, head.uri.query());
        let named = head.uri.authority().and_then(|named| named.as_str().parse().ok());
        let host = named.or_else(|| head.headers.get(HOST).cloned());
        let uri = without_key(rules, head.uri);
        let body = read(body).await;
        let request_id = request_id(&*portal.clock, &*portal.entropy);
        let manner = Manner::of(&head.headers, portal.rules.dialect);
        Ok(Self { method: head.method, uri, host, shown, body, request_id, manner })
    }
}

/// The target without a key in its query, which is no parameter of any call.
fn without_key(rules: &IdentityRules, uri: Uri) -> Uri {
    let Some(rest) = uri.query().and_then(|query| rules.keys.without(query)) else { return uri };
    let path = uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    target.parse().unwrap_or_default()
}

async fn read(body: Body) -> Result<bytes::Bytes, Rejection> {
    let bytes = u64::try_from(BODY_MAX).unwrap_or(u64::MAX);
    let limit = BodyLimit { bytes, plan: None };
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Rejection::too_large(&limit)),
        Err(_) => Err(Rejection::bad_request(Detail::BrokenBody)),
    }
}

impl Call {
    /// What it shows of itself.
    pub(super) fn shown(&self) -> Result<&Shown, Refused> {
        self.shown.as_ref().map_err(|rejection| rejection.clone().into())
    }

    /// The body.
    pub(super) fn body(&self) -> Result<&[u8], Refused> {
        self.body.as_deref().map_err(|rejection| rejection.clone().into())
    }

    /// The parameters of the query.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>, Refused> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&self.uri);
        let bad = |_| Rejection::bad_request(Detail::Query).into();
        read.map(|Query(pairs)| pairs).map_err(bad)
    }

    /// The language that the caller likes best.
    pub(super) const fn language(&self) -> Language {
        self.manner.language
    }

    /// The answer to it.
    pub(super) fn answer(&self, result: Result<Value, Refused>) -> Response {
        let value = match result {
            Ok(value) => value,
            Err(Refused(rejection)) => {
                if !rejection.inner.is_empty() {
                    tracing::warn!(code = rejection.code(), why = %rejection.inner, "refused");
                }
                return rejection.response(&self.request_id, self.manner).map(Body::from);
            }
        };
        let mut response = Response::new(Body::from(value.to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        response
    }
}

/// A refusal, behind a pointer: it is large and rare.
#[derive(Debug)]
pub(super) struct Refused(Box<Rejection>);

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self(Box::new(rejection))
    }
}

impl From<Misread> for Refused {
    fn from(misread: Misread) -> Self {
        let name = misread.name.clone();
        let rejection = Rejection::bad_request(Detail::Misread(misread));
        match name {
            Some(name) => rejection.with("param", name).into(),
            None => rejection.into(),
        }
    }
}
