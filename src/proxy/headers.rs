//! Headers on their way through. Edited in place.
//!
//! Hop-by-hop headers end here (RFC 9110 §7.6.1) and framing is never copied: hyper frames what we pass on.
//! They are taken off before ours are put on, so a client cannot name ours away.
//!
//! Invariant: the client's key never goes upstream, the operator's credential never comes down.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, ETAG, EXPECT, Entry, FORWARDED,
    HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};

use super::settings::Credentials;
use crate::credit::Amount;
use crate::meter::{Detail, Rejection};

pub(super) const CREDITS_MAX: HeaderName = HeaderName::from_static("credits-max");
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(super) const CHARGE_ID: HeaderName = HeaderName::from_static("credits-charge-id");
pub(super) const HELD: HeaderName = HeaderName::from_static("credits-held");
pub(super) const CHARGED: HeaderName = HeaderName::from_static("credits-charged");
pub(super) const REMAINING: HeaderName = HeaderName::from_static("credits-remaining");

/// What a client may say about where a request came from; ours to say.
const ORIGINS: [HeaderName; 8] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-uri"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
];

/// Headers by which some servers take a request for one of another method or path: not the one that was
/// priced.
const OVERRIDES: [HeaderName; 7] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-method"),
    HeaderName::from_static("x-original-uri"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// Headers that vouch for the bytes of a body.
const SEALS: [HeaderName; 5] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    ETAG,
];

/// Headers of one connection (RFC 9110 §7.6.1) and of framing.
const HOPS: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    CONTENT_LENGTH,
];

/// Takes off what belongs to this connection, and all that `Connection` names.
pub(super) fn strip_hops(headers: &mut HeaderMap) {
    strip_named(headers);
    for name in &HOPS {
        remove(headers, name);
    }
}

/// Takes off what `Connection` names. Done before a request is priced: else a header could set the price
/// and end here.
pub(super) fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !HOPS.contains(name))
        .collect();
    for name in &named {
        remove(headers, name);
    }
}

/// Makes a client's headers ready for an upstream; its credentials were taken off before.
pub(super) fn outward(headers: &mut HeaderMap, credentials: Option<&Credentials>, observed: bool) {
    strip_hops(headers);
    strip_said(headers);
    if observed {
        // What is read for its usage must not be compressed.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(credentials) = credentials {
        headers.insert(credentials.header.clone(), credentials.value.clone());
    }
}

/// Names that carry keys and credentials, or say who asks, and that no client may use for anything else.
#[derive(Clone, Debug)]
pub(super) struct Taken(Vec<HeaderName>);

impl Taken {
    /// These names.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a HeaderName>) -> Self {
        Self(names.into_iter().cloned().collect())
    }
}

/// Takes off what is ours to say or was said to us alone.
pub(super) fn strip_ours(headers: &mut HeaderMap, taken: &Taken) {
    remove(headers, &AUTHORIZATION);
    for name in &taken.0 {
        remove(headers, name);
    }
    strip_said(headers);
}

/// Takes off what was said to us alone, and what could be read as something else behind us.
fn strip_said(headers: &mut HeaderMap) {
    for name in [HOST, EXPECT, CREDITS_MAX].iter().chain(&ORIGINS).chain(&OVERRIDES) {
        remove(headers, name);
    }
    strip_twins(headers);
}

/// Makes an upstream's headers ready for the client; whatever shows the operator's secret is dropped.
pub(super) fn inward(headers: &mut HeaderMap, credentials: Option<&Credentials>) {
    strip_hops(headers);
    // What we say of money, nobody else says.
    for name in [CHARGE_ID, HELD, CHARGED, REMAINING] {
        remove(headers, &name);
    }
    let Some(credentials) = credentials else { return };
    let secret = credentials.value.as_bytes();
    let secret = secret
        .iter()
        .rposition(|byte| *byte == b' ')
        .map_or(secret, |space| secret.split_at(space.saturating_add(1)).1);
    let shows = |value: &HeaderValue| {
        !secret.is_empty() && value.as_bytes().windows(secret.len()).any(|part| part == secret)
    };
    let showing: Vec<_> =
        headers.iter().filter(|(_, value)| shows(value)).map(|(name, _)| name.clone()).collect();
    for name in showing {
        remove(headers, &name);
    }
}

/// Takes off what vouches for bytes that are about to be changed (RFC 9530, RFC 1864).
pub(super) fn strip_seals(headers: &mut HeaderMap) {
    for name in &SEALS {
        remove(headers, name);
    }
}

/// Takes off every name with an underscore: servers of the CGI family read `x_real_ip` as `x-real-ip`, and
/// what was taken off, or said by us, must not come back as its twin.
fn strip_twins(headers: &mut HeaderMap) {
    let twins: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
    for name in &twins {
        remove(headers, name);
    }
}

/// Takes off every value of a name.
pub(super) fn remove(headers: &mut HeaderMap, name: &HeaderName) {
    if let Entry::Occupied(entry) = headers.entry(name) {
        entry.remove_entry_mult();
    }
}

/// What the caller is willing to have held: `Credits-Max`.
///
/// # Errors
/// `bad_request` when it is not one amount.
pub(super) fn credits_max(headers: &HeaderMap) -> Result<Option<Amount>, Rejection> {
    let mut values = headers.get_all(&CREDITS_MAX).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .map(Some)
            .ok_or_else(|| Rejection::bad_request(Detail::CreditsMax)),
        _ => Err(Rejection::bad_request(Detail::CreditsMaxTwice)),
    }
}

/// Whether only the price is asked for (`Prefer: metering=quote`, RFC 7240). That word is taken off; other
/// preferences pass on.
///
/// # Errors
/// `bad_request` for another word behind `metering=`: it must never become a charge.
pub(super) fn take_quote(headers: &mut HeaderMap) -> Result<bool, Rejection> {
    if !headers.contains_key(&PREFER) {
        return Ok(false);
    }
    let mut quote = false;
    let mut kept = Vec::new();
    for value in headers.get_all(&PREFER) {
        let text = value.to_str().map_err(|_| Rejection::bad_request(Detail::Prefer))?;
        for preference in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match metering(preference) {
                None => kept.push(preference.to_owned()),
                Some(word) if word.eq_ignore_ascii_case("quote") => quote = true,
                Some(word) => {
                    let word = word.to_owned();
                    return Err(Rejection::bad_request(Detail::Metering { word }));
                }
            }
        }
    }
    remove(headers, &PREFER);
    if let Ok(value) = HeaderValue::from_str(&kept.join(", "))
        && !kept.is_empty()
    {
        headers.insert(PREFER, value);
    }
    Ok(quote)
}

/// What stands behind `metering=`, if that is what the preference is about.
fn metering(preference: &str) -> Option<&str> {
    let token = preference.split(';').next().unwrap_or(preference);
    let (name, word) = token.split_once('=').unwrap_or((token, ""));
    name.trim().eq_ignore_ascii_case("metering").then(|| word.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn hops_and_what_connection_names_end_here() {
        let mut headers = map(&[
            ("connection", "close, X-Account-Id"),
            ("keep-alive", "timeout=5"),
            ("x-account-id", "acct_other"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("x-kept", "yes"),
        ]);
        strip_hops(&mut headers);
        assert_eq!(headers, map(&[("x-kept", "yes")]));
    }

    #[test]
    fn a_client_cannot_name_our_headers_away() {
        let credentials = Credentials {
            header: AUTHORIZATION,
            value: HeaderValue::from_static("Bearer upstream-secret"),
        };
        let mut headers = map(&[
            ("connection", "authorization, via"),
            ("authorization", "Bearer tk_client"),
            ("x-forwarded-for", "1.2.3.4"),
        ]);
        outward(&mut headers, Some(&credentials), false);
        assert_eq!(headers, map(&[("authorization", "Bearer upstream-secret")]));
    }

    #[test]
    fn the_operators_secret_never_comes_down() {
        let credentials = Credentials {
            header: AUTHORIZATION,
            value: HeaderValue::from_static("Bearer upstream-secret"),
        };
        let mut headers = map(&[
            ("x-echo", "you sent upstream-secret to us"),
            ("credits-charged", "0"),
            ("x-other", "fine"),
        ]);
        inward(&mut headers, Some(&credentials));
        assert_eq!(headers, map(&[("x-other", "fine")]));
    }

    #[test]
    fn preferences() {
        for (value, quote, left) in [
            ("metering=quote", true, None),
            ("Metering=\"quote\"", true, None),
            ("wait=30, metering=quote", true, Some("wait=30")),
            ("respond-async", false, Some("respond-async")),
        ] {
            let mut headers = map(&[("prefer", value)]);
            assert_eq!(take_quote(&mut headers).unwrap(), quote, "{value}");
            assert_eq!(headers.get(PREFER).map(|v| v.to_str().unwrap()), left, "{value}");
        }
        for value in ["metering=explain", "metering", "metering=", "wait, METERING=x"] {
            assert!(take_quote(&mut map(&[("prefer", value)])).is_err(), "{value}");
        }
    }

    #[test]
    fn what_a_caller_is_willing_to_pay() {
        assert_eq!(credits_max(&map(&[])).unwrap(), None);
        let limit = credits_max(&map(&[("credits-max", "2.5")])).unwrap();
        assert_eq!(limit, Amount::from_micro(2_500_000));
        for value in ["", "-1", "many", "1e3"] {
            assert!(credits_max(&map(&[("credits-max", value)])).is_err(), "{value}");
        }
        let mut twice = map(&[("credits-max", "5")]);
        twice.append(CREDITS_MAX, HeaderValue::from_static("5"));
        assert!(credits_max(&twice).is_err());
    }
}
