//! Credentials on their way: who is believed, what is taken off, what goes on, and what services are told of
//! who asks.
//!
//! Invariant: a key of ours never goes upstream, in no header and no query.
//! Invariant: no client says to a service who asks.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};

use super::headers::remove;
use super::settings::IdentityHeaders;
use super::stage::Story;
use crate::meter::IdentityRules;

/// Takes the account header off what does not come from a trusted network.
pub(super) fn believe(rules: &IdentityRules, peer: IpAddr, headers: &mut HeaderMap) {
    if let Some(header) = &rules.header
        && !header.from.iter().any(|net| net.contains(&peer))
    {
        remove(headers, &header.name);
    }
}

/// Takes the key out of a target's query. The answer is the target as it came, if its credential may go on.
pub(super) fn take_key(uri: &mut Uri, rules: &IdentityRules, pass: bool) -> Option<PathAndQuery> {
    let query = uri.query()?;
    let rest = rules.keys.without(query)?;
    let passes = pass && !rules.keys.query_is_ours(query);
    let came = uri.path_and_query().filter(|_| passes).cloned();
    let path = uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = target.parse().ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
    came
}

/// Takes off the client's credentials; where they pass, only keys of ours.
pub(super) fn strip_credentials(headers: &mut HeaderMap, rules: &IdentityRules, pass: bool) {
    let account = rules.header.as_ref().map(|header| &header.name);
    for name in [AUTHORIZATION].iter().chain(&rules.keys.headers).chain(account) {
        let ours = || headers.get_all(name).iter().any(|value| rules.keys.is_ours(value));
        if !pass || ours() {
            remove(headers, name);
        }
    }
}

/// Takes off all of these.
pub(super) fn strip_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        remove(headers, name);
    }
}

/// Tells a service who asks, by the headers that it has declared.
pub(super) fn introduce(headers: &mut HeaderMap, names: &IdentityHeaders, story: &Story) {
    let told = [
        (&names.account, story.account.get().map(ToString::to_string)),
        (&names.key, story.key.get().map(|key| key.to_string())),
        (&names.charge, story.charge.get().map(|charge| charge.to_string())),
    ];
    for (name, text) in told {
        let value = text.and_then(|text| HeaderValue::try_from(text).ok());
        if let Some((name, value)) = name.as_ref().zip(value) {
            headers.insert(name.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{AccountHeader, NewKeyText};
    use crate::seam::{SeededEntropy, SimulatedClock, Timestamp};

    const ACCOUNT: HeaderName = HeaderName::from_static("x-account-id");

    fn rules() -> IdentityRules {
        let from = vec!["10.0.0.0/8".parse().unwrap()];
        let header = Some(AccountHeader { name: ACCOUNT, from });
        let mut rules = IdentityRules { header, ..IdentityRules::default() };
        rules.keys.query = Some("key".to_owned());
        rules
    }

    fn ours() -> String {
        let clock = SimulatedClock::at(Timestamp(1_790_000_000_000));
        let entropy = SeededEntropy::new(7);
        NewKeyText::make(&"acct_maria".parse().unwrap(), None, &clock, &entropy).unwrap().text
    }

    #[test]
    fn only_trusted_networks_name_accounts() {
        for (peer, left) in [("10.1.2.3", 1), ("192.0.2.1", 0)] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCOUNT, HeaderValue::from_static("acct_maria"));
            believe(&rules(), peer.parse().unwrap(), &mut headers);
            assert_eq!(headers.len(), left, "{peer}");
        }
    }

    #[test]
    fn a_key_leaves_the_query_and_the_rest_stays() {
        let key = ours();
        for (target, pass, priced, came) in [
            ("/v1/x?a=%20&key=sk-1&b", false, "/v1/x?a=%20&b", None),
            ("/v1/x?key=sk-1", true, "/v1/x", Some("/v1/x?key=sk-1")),
            (&format!("/v1/x?key={key}&a=1"), true, "/v1/x?a=1", None),
            ("/v1/x?a=1", true, "/v1/x?a=1", None),
        ] {
            let mut uri: Uri = target.parse().unwrap();
            let sent = take_key(&mut uri, &rules(), pass);
            assert_eq!(uri.to_string(), priced, "{target}");
            assert_eq!(sent.as_ref().map(PathAndQuery::as_str), came, "{target}");
        }
    }

    #[test]
    fn what_passes_and_what_never_does() {
        let (rules, key) = (rules(), ours());
        let names = |value: &str, pass: bool| {
            let mut headers = HeaderMap::new();
            for name in [AUTHORIZATION, HeaderName::from_static("x-api-key"), ACCOUNT] {
                headers.insert(name, value.parse().unwrap());
            }
            strip_credentials(&mut headers, &rules, pass);
            headers.len()
        };
        assert_eq!(names("Bearer sk-1", false), 0);
        assert_eq!(names("Bearer sk-1", true), 3);
        assert_eq!(names(&format!("Bearer {key}"), true), 0);
    }
}
