//! A refusal as an answer: in a dialect, a language and a media type.

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, RETRY_AFTER, VARY,
};
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Map, Value};

use super::dialect::Member;
use super::{Dialect, Language, Rejection, texts};

/// How a refusal is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// In whose error shape: the route's, or the file's where there is no route.
    pub dialect: Dialect,
    /// In which language.
    pub language: Language,
    /// As which media type.
    pub media: Media,
}

/// The media type of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// `application/json`: two official SDKs lose the message of anything else.
    #[default]
    Json,
    /// `application/problem+json` (RFC 9457), for who asks for it.
    Problem,
}

impl Manner {
    /// How the sender of these headers is told.
    #[must_use]
    pub fn of(request: &HeaderMap, dialect: Dialect) -> Self {
        Self { dialect, language: Language::of(request), media: Media::of(request) }
    }
}

impl Media {
    /// What `Accept` asks for, by name; `*/*` asks for nothing.
    fn of(request: &HeaderMap) -> Self {
        let asked = request.get_all(ACCEPT).iter().any(|value| {
            let ranges = value.to_str().unwrap_or_default().split(',');
            let mut names = ranges.filter_map(|range| range.split(';').next());
            names.any(|name| name.trim().eq_ignore_ascii_case(Self::Problem.name()))
        });
        if asked { Self::Problem } else { Self::Json }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Problem => "application/problem+json",
        }
    }
}

impl Rejection {
    /// What happened and what to do next, in a language.
    #[must_use]
    pub fn told(&self, language: Language) -> String {
        texts::detail(language, &self.detail)
    }

    /// The body: the shape of the dialect and the problem members (RFC 9457) beside each other.
    #[must_use]
    pub fn body(&self, request_id: &str, manner: Manner) -> Value {
        let detail = self.told(manner.language);
        let mut body = manner.dialect.shape(self, &detail, request_id);
        // As problem+json, each member is what the media type says it is.
        let named = |member: Member| match manner.media {
            Media::Json => manner.dialect.beside(member),
            Media::Problem => member.name(),
        };
        let mut put = |name: &str, value: Value| _ = body.insert(name.to_owned(), value);
        put(named(Member::Type), format!("urn:tollgate:problem:{}", self.code()).into());
        put("title", texts::title(manner.language, self.cause).into());
        put(named(Member::Status), manner.dialect.status(self).as_u16().into());
        put(named(Member::Detail), detail.into());
        put("code", self.code().into());
        put("instance", request_id.into());
        put("charged", "0".into());
        if let Some(charge) = self.charge {
            put("charge", charge.to_string().into());
        }
        body.extend(Map::clone(&self.members));
        Value::Object(body)
    }

    /// The whole answer.
    #[must_use]
    pub fn response(&self, request_id: &str, manner: Manner) -> Response<Vec<u8>> {
        let mut response = Response::new(self.body(request_id, manner).to_string().into_bytes());
        *response.status_mut() = manner.dialect.status(self);
        self.sign(response.headers_mut(), request_id, manner);
        response
    }

    fn sign(&self, headers: &mut HeaderMap, request_id: &str, manner: Manner) {
        const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
        const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
        const CHARGE_ID: HeaderName = HeaderName::from_static("credits-charge-id");
        const DEPENDS: HeaderValue = HeaderValue::from_static("accept, accept-language");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(manner.media.name()));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(manner.language.tag()));
        headers.insert(VARY, DEPENDS);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry = if self.should_retry { "true" } else { "false" };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            if let Some(name) = manner.dialect.id_header() {
                headers.insert(name, id.clone());
            }
            headers.insert(REQUEST_ID, id);
        }
        if let Some(name) = manner.dialect.code_header() {
            headers.insert(name, HeaderValue::from_static(self.code()));
        }
        let charge = self.charge.map(|charge| HeaderValue::from_str(&charge.to_string()));
        if let Some(Ok(value)) = charge {
            headers.insert(CHARGE_ID, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::ChargeId;
    use crate::meter::why::{Flaw, Why};

    #[test]
    fn answers_carry_what_clients_go_by() {
        let mut request = HeaderMap::new();
        let refusal = Rejection::metering_unavailable("store at 10.0.0.7");
        let answer = refusal.response("req_1", Manner::of(&request, Dialect::Openai));
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["content-language"], "en");
        assert_eq!(answer.headers()["vary"], "accept, accept-language");
        assert_eq!(answer.headers()["x-should-retry"], "true");
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["request-id"], "req_1");
        assert_eq!(answer.headers()["x-request-id"], "req_1");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(!String::from_utf8_lossy(answer.body()).contains("10.0.0.7"));

        request
            .insert(ACCEPT, HeaderValue::from_static("text/html, application/problem+json;q=0.9"));
        let charge = ChargeId::from_bytes([0; 16]);
        let manner = Manner::of(&request, Dialect::Anthropic);
        let answer = Rejection::invalid_key().of(charge).response("req_2", manner);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-should-retry"], "false");
        assert!(!answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.headers()["credits-charge-id"], charge.to_string().as_str());
    }

    #[test]
    fn each_dialect_has_its_shape() {
        let why = Why::Quantity { name: "n".parse().unwrap(), flaw: Flaw::Required };
        let refusal = Rejection::unpriceable("/n".to_owned(), why);
        let body = |dialect, media| {
            let manner = Manner { dialect, media, ..Manner::default() };
            refusal.body("req_1", manner)
        };
        let urn = "urn:tollgate:problem:unpriceable_request";
        let openai = body(Dialect::Openai, Media::Json);
        assert_eq!(openai["error"]["param"], "/n");
        assert_eq!(openai["error"]["type"], "invalid_request_error");
        assert_eq!((&openai["type"], openai.get("problem_type")), (&urn.into(), None));
        let anthropic = body(Dialect::Anthropic, Media::Json);
        assert_eq!(
            (&anthropic["type"], &anthropic["problem_type"]),
            (&"error".into(), &urn.into())
        );
        assert_eq!(anthropic["error"]["type"], "invalid_request_error");
        assert_eq!(anthropic["error"]["details"]["error_code"], "unpriceable_request");
        assert_eq!(anthropic["request_id"], "req_1");
        // Who asks for problem details gets them as RFC 9457 has them.
        assert_eq!(body(Dialect::Anthropic, Media::Problem)["type"], urn);
        let problem = body(Dialect::Problem, Media::Json);
        assert_eq!((problem.get("error"), &problem["type"]), (None, &urn.into()));
        for body in [openai, anthropic, problem] {
            assert_eq!(body["detail"], "The request cannot be priced at /n: n is required.");
            assert_eq!((&body["pointer"], &body["charged"]), (&"/n".into(), &"0".into()));
        }
    }
}
