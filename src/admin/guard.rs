//! Who may call: whoever shows the token, and no web page on the way.
//!
//! A page in an operator's browser can reach a loopback listener by a name of its own that resolves to
//! 127.0.0.1 (DNS rebinding). So the `Host` must be an address, `localhost` or a name that the configuration
//! lists, and an `Origin`, which browsers send, must be this very listener.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::Parts;
use super::problem::Problem;
use super::token::Token;
use crate::meter::request_id;

/// Lets a call in, or says why not; every answer gets a `Request-Id`. Who calls is told to the endpoint.
pub(super) async fn admit(
    State(parts): State<Arc<Parts>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(&*parts.clock, &*parts.entropy);
    let mut response = match check(&parts, request.uri(), request.headers()) {
        Ok(token) => {
            request.extensions_mut().insert(token.operator(&id));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), value);
    }
    response
}

fn check<'a>(parts: &'a Parts, uri: &Uri, headers: &HeaderMap) -> Result<&'a Token, Problem> {
    let forbidden = |code, detail| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
    let served = |host: &Authority| is_served(host.host(), &parts.hosts);
    let Some(host) = host(uri, headers).filter(served) else {
        let detail = "The Host must be an IP address, localhost, or one of the configuration's \
                      admin.hosts.";
        return forbidden("forbidden_host", detail);
    };
    if headers.get_all(ORIGIN).iter().any(|origin| !same_origin(origin, &host)) {
        return forbidden("forbidden_origin", "Calls from web pages elsewhere are not accepted.");
    }
    shown(headers).and_then(|text| Token::find(&parts.tokens, text)).ok_or_else(|| {
        let detail = "The admin token is needed: send it as \"Authorization: Bearer …\".";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    })
}

/// Whom the request thinks that it is talking to. Two answers are none.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut named = headers.get_all(HOST).iter();
    match (uri.authority(), named.next(), named.next()) {
        (Some(authority), None, None) => Some(authority.clone()),
        (None, Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        (Some(authority), Some(host), None) => {
            (authority.as_str().as_bytes() == host.as_bytes()).then(|| authority.clone())
        }
        _ => None,
    }
}

/// Whether a page elsewhere could not have this name: an address, `localhost`, or what is configured.
fn is_served(host: &str, hosts: &[String]) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|own| host.eq_ignore_ascii_case(own))
}

fn same_origin(origin: &HeaderValue, host: &Authority) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_str()))
}

/// The one bearer token that is shown.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, more) = (values.next()?, values.next());
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (more.is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim_start())
}
