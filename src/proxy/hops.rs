//! What a message says to the next hop and not beyond it: `Via`, `TE`, `Expect`, `Upgrade`, and fields that
//! come behind a body.
//!
//! Invariant: a trailer can say nothing that a header could not.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, SET_COOKIE, TE, TRAILER, VIA,
};
use http::{Request, Version};

use super::headers::{self, Taken};
use super::settings::Credentials;
use crate::meter::{Cause, Detail, Rejection};

/// Fields that are read before the body and have no meaning behind it (RFC 9110 §6.5.1).
const ONLY_BEFORE: [HeaderName; 6] =
    [CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE, TRAILER];

/// How a version is written in `Via` (RFC 9110 §7.6.3).
const fn written(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// Notes that the message came by `version` to us, `name`.
pub(super) fn via(headers: &mut HeaderMap, version: Version, name: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("{} {name}", written(version))) {
        headers.append(VIA, value);
    }
}

/// Refuses a message that has been here before (RFC 9110 §7.6.3).
pub(super) fn no_loop(headers: &HeaderMap, name: &str) -> Result<(), Rejection> {
    let named = |member: &str| {
        member.split_ascii_whitespace().nth(1).is_some_and(|by| by.eq_ignore_ascii_case(name))
    };
    let been = headers
        .get_all(VIA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(named));
    if !been {
        return Ok(());
    }
    Err(Rejection::new(Cause::LoopDetected, Detail::Loop { name: name.to_owned() }))
}

/// Refuses an expectation that nobody here can meet (RFC 9110 §10.1.1). That of 100-continue is met when the
/// body is first read: a refusal before that comes without it.
pub(super) fn expectations<B>(request: &Request<B>) -> Result<(), Rejection> {
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let values = || request.headers().get_all(EXPECT).iter();
    if request.version() == Version::HTTP_10 || values().all(known) {
        return Ok(());
    }
    Err(Rejection::new(Cause::ExpectationFailed, Detail::Expectation))
}

/// Refuses WebSocket and whatever else comes by extended CONNECT (RFC 8441).
pub(super) fn no_extended_connect<B>(request: &Request<B>) -> Result<(), Rejection> {
    let extended = request.extensions().get::<hyper::ext::Protocol>().is_some();
    if extended { Err(no_websocket()) } else { Ok(()) }
}

/// Refuses WebSocket where a route declares none. Any other upgrade is passed over, as RFC 9110 §7.8 lets a
/// server do, and never forwarded.
pub(super) fn no_websocket() -> Rejection {
    Rejection::new(Cause::WebsocketUnsupported, Detail::Websocket)
}

/// Whether the sender takes trailers (RFC 9110 §10.1.4).
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("trailers")))
}

/// Says that we take trailers. `marked`: HTTP/1.1 wants `Connection` to name it, HTTP/2 has no `Connection`.
pub(super) fn take_trailers(headers: &mut HeaderMap, marked: bool) {
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if marked {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// HTTP/2 may send a cookie in crumbs, HTTP/1.1 has one line for it (RFC 9113 §8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice()))
    {
        headers.insert(COOKIE, whole);
    }
}

/// Takes off a client's trailers what its headers may not say either.
pub(super) fn trailers_outward(trailers: &mut HeaderMap, taken: &Taken) {
    headers::strip_hops(trailers);
    headers::strip_ours(trailers, taken);
    strip_early(trailers);
}

/// Takes off an upstream's trailers what its headers may not say either.
pub(super) fn trailers_inward(trailers: &mut HeaderMap, credentials: Option<&Credentials>) {
    headers::inward(trailers, credentials);
    strip_early(trailers);
}

fn strip_early(trailers: &mut HeaderMap) {
    for name in &ONLY_BEFORE {
        headers::remove(trailers, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn who_was_here_before_goes_in_a_circle() {
        for (value, good) in [
            ("1.1 other", true),
            ("1.1 tollgate", false),
            ("1.0 fred, HTTP/1.1 Tollgate (x)", false),
            ("2 tollgate-eu", true),
            ("tollgate", true),
        ] {
            assert_eq!(no_loop(&map(&[("via", value)]), "tollgate").is_ok(), good, "{value}");
        }
    }

    #[test]
    fn the_version_that_a_message_came_by_is_noted() {
        let mut headers = map(&[("via", "1.0 fred")]);
        via(&mut headers, Version::HTTP_2, "tollgate");
        let all: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(all, ["1.0 fred", "2 tollgate"]);
    }

    #[test]
    fn crumbs_of_a_cookie_become_one() {
        let mut headers = map(&[("cookie", "a=b"), ("cookie", "c=d"), ("x", "y")]);
        join_cookies(&mut headers);
        assert_eq!(headers, map(&[("cookie", "a=b; c=d"), ("x", "y")]));
    }

    #[test]
    fn a_trailer_says_nothing_that_a_header_could_not() {
        let key = HeaderName::from_static("x-api-key");
        let taken = Taken::new(&[key, HeaderName::from_static("x-service-key")]);
        let mut trailers = map(&[
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("x-service-key", "x"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-http-method", "GET"),
            ("content-length", "5"),
            ("host", "other"),
            ("x_real_ip", "1.2.3.4"),
            ("x-checksum", "abc"),
        ]);
        trailers_outward(&mut trailers, &taken);
        assert_eq!(trailers, map(&[("x-checksum", "abc")]));
    }
}
