//! What a service is told of the client's address: nothing, unless it is declared.
//!
//! Invariant: what a client says of addresses goes on only if it comes from a trusted proxy.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};

use super::settings::ClientAddress;
use super::stage::Origin;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST_NAME: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The headers that tell a service where a request comes from; those that came are taken off elsewhere.
pub(super) fn forwarded(
    came: &HeaderMap,
    origin: Origin,
    how: ClientAddress,
) -> Vec<(HeaderName, HeaderValue)> {
    let told = match how {
        ClientAddress::None => Vec::new(),
        ClientAddress::XForwarded => vec![
            (FOR, Some(appended(came, &FOR, origin, &origin.peer.to_string()))),
            (HOST_NAME, said(came, &HOST_NAME, origin).or_else(|| one(came, &HOST))),
            (PROTO, said(came, &PROTO, origin)),
        ],
        ClientAddress::Forwarded => {
            vec![(FORWARDED, Some(appended(came, &FORWARDED, origin, &element(came, origin))))]
        }
    };
    let value = |(name, text): (HeaderName, Option<String>)| {
        Some((name, HeaderValue::try_from(text?).ok()?))
    };
    told.into_iter().filter_map(value).collect()
}

/// What a trusted proxy says, and this behind it.
fn appended(came: &HeaderMap, name: &HeaderName, origin: Origin, last: &str) -> String {
    match said(came, name, origin) {
        Some(before) => format!("{before}, {last}"),
        None => last.to_owned(),
    }
}

/// What a trusted proxy says; several lines are one list (RFC 9110 §5.3).
fn said(came: &HeaderMap, name: &HeaderName, origin: Origin) -> Option<String> {
    let lines = came.get_all(name).iter().filter(|_| origin.trusted);
    let texts: Vec<&str> = lines.filter_map(|value| value.to_str().ok()).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn one(came: &HeaderMap, name: &HeaderName) -> Option<String> {
    came.get(name)?.to_str().ok().map(str::to_owned)
}

/// One element of `Forwarded` (RFC 7239 §4); long addresses stand in brackets and quotes (§6).
fn element(came: &HeaderMap, origin: Origin) -> String {
    let node = match origin.peer {
        IpAddr::V4(short) => short.to_string(),
        IpAddr::V6(long) => format!("\"[{long}]\""),
    };
    let plain =
        |host: &String| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    match one(came, &HOST).filter(plain) {
        Some(host) => format!("for={node};host=\"{host}\""),
        None => format!("for={node}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, trusted: bool, how: ClientAddress) -> Vec<(String, String)> {
        let mut came = HeaderMap::new();
        for (name, value) in [
            (HOST, "api.example"),
            (FOR, "203.0.113.9"),
            (HOST_NAME, "outer.example"),
            (PROTO, "https"),
            (FORWARDED, "for=203.0.113.9"),
        ] {
            came.insert(name, HeaderValue::from_static(value));
        }
        let origin = Origin { peer: peer.parse().unwrap(), trusted };
        let told = forwarded(&came, origin, how);
        told.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn strangers_are_replaced_and_trusted_proxies_appended_to() {
        assert_eq!(told("192.0.2.1", true, ClientAddress::None), []);
        assert_eq!(
            told("192.0.2.1", false, ClientAddress::XForwarded),
            pairs(&[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "api.example")])
        );
        assert_eq!(
            told("10.0.0.1", true, ClientAddress::XForwarded),
            pairs(&[
                ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
                ("x-forwarded-host", "outer.example"),
                ("x-forwarded-proto", "https"),
            ])
        );
        assert_eq!(
            told("2001:db8::1", false, ClientAddress::Forwarded),
            pairs(&[("forwarded", "for=\"[2001:db8::1]\";host=\"api.example\"")])
        );
        assert_eq!(
            told("10.0.0.1", true, ClientAddress::Forwarded),
            pairs(&[("forwarded", "for=203.0.113.9, for=10.0.0.1;host=\"api.example\"")])
        );
    }
}
