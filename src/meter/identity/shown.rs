//! What a request shows of itself: read from its head, without asking anybody.
//!
//! Invariant: a request shows one thing or none. Two keys, even the same one twice, are none: an upstream or a
//! log might believe the other.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::rules::{IdentityRules, KeyRules, Ways};
use super::token;
use crate::credit::KeyId;
use crate::meter::key::{ImportedKey, PresentedKey};
use crate::meter::query;
use crate::meter::rejection::{Detail, Rejection};

/// The longest text that names an account, in bytes.
pub(super) const ACCOUNT_MAX: usize = 200;

/// What a request shows; well-formed, not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// A key of ours.
    Key(PresentedKey),
    /// A text that may be an imported key.
    Imported(ImportedKey),
    /// A token.
    Token(Arc<str>),
    /// The account header, from a trusted network.
    Account(Arc<str>),
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key:?}"),
            Self::Imported(key) => write!(f, "{key:?}"),
            Self::Token(_) => f.write_str("Token(…)"),
            Self::Account(text) => write!(f, "Account({text:?})"),
        }
    }
}

impl Shown {
    /// The one thing that a request shows, by the ways that count. That the account header comes from a
    /// trusted network is the caller's to know: it takes the header off what comes from elsewhere.
    ///
    /// # Errors
    /// `invalid_key` when there is none, or more than one key; `bad_request` when a trusted network names an
    /// account and a key comes along.
    pub fn of(
        rules: &IdentityRules,
        ways: Ways,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Self, Rejection> {
        let header = rules.header.as_ref().filter(|_| ways.header);
        let mut named = header.into_iter().flat_map(|header| headers.get_all(&header.name));
        let keyed = (ways.key || ways.jwt).then(|| texts(&rules.keys, headers, query));
        let mut keyed = keyed.into_iter().flatten();
        match (named.next(), named.next(), keyed.next(), keyed.next()) {
            (Some(name), None, None, _) => account(name).ok_or_else(Rejection::invalid_key),
            (Some(_), _, Some(_), _) => Err(two_identities()),
            (None, _, Some(Some(text)), None) => {
                read(rules, ways, &text).ok_or_else(Rejection::invalid_key)
            }
            _ => Err(Rejection::invalid_key()),
        }
    }

    /// The public half of a key of ours.
    #[must_use]
    pub const fn public(&self) -> Option<KeyId> {
        match self {
            Self::Key(key) => Some(key.id),
            _ => None,
        }
    }
}

fn two_identities() -> Rejection {
    Rejection::bad_request(Detail::TwoIdentities)
}

fn account(value: &HeaderValue) -> Option<Shown> {
    let text = value.to_str().ok()?.trim();
    (1..=ACCOUNT_MAX).contains(&text.len()).then(|| Shown::Account(text.into()))
}

/// A text where keys are carried.
struct Text<'a> {
    text: Cow<'a, str>,
    /// Whether it stands behind `Authorization: Bearer`.
    bearer: bool,
}

/// Everything that stands where keys are carried; `None` for what cannot be one.
fn texts<'a>(
    keys: &'a KeyRules,
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> impl Iterator<Item = Option<Text<'a>>> + 'a {
    let authorized = headers.get_all(AUTHORIZATION).iter().map(|value| behind_scheme(keys, value));
    let declared = keys.headers.iter().flat_map(|name| headers.get_all(name));
    let declared = declared.map(|value| {
        let text = value.to_str().ok()?;
        Some(Text { text: text.into(), bearer: false })
    });
    let asked = keys.query.as_deref().zip(query).and_then(|(name, query)| in_query(query, name));
    authorized.chain(declared).chain(asked)
}

fn behind_scheme<'a>(keys: &KeyRules, value: &'a HeaderValue) -> Option<Text<'a>> {
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    keys.schemes.iter().find(|one| scheme.eq_ignore_ascii_case(one))?;
    let bearer = scheme.eq_ignore_ascii_case("bearer");
    Some(Text { text: text.trim_start().into(), bearer })
}

/// The key in a query; the outer `None`: there is none; the inner: there is something that is not one key.
fn in_query(query: &str, name: &str) -> Option<Option<Text<'static>>> {
    let bearer = false;
    match query::value(query, name) {
        Ok(None) if !query::hides(query, name) => None,
        Ok(Some(text)) if !query::hides(query, name) => {
            Some(Some(Text { text: text.into(), bearer }))
        }
        _ => Some(None),
    }
}

fn read(rules: &IdentityRules, ways: Ways, shown: &Text<'_>) -> Option<Shown> {
    let Text { text, bearer } = shown;
    let shape = rules.keys.shape.as_ref();
    if let Some(key) = PresentedKey::read(text, shape).filter(|_| ways.key) {
        return Some(Shown::Key(key));
    }
    if ways.jwt && *bearer && !rules.issuers.is_empty() && token::is_one(text) {
        return (text.len() <= token::TOKEN_MAX).then(|| Shown::Token(text.as_ref().into()));
    }
    ImportedKey::read(text).filter(|_| ways.key).map(Shown::Imported)
}

impl KeyRules {
    /// Whether a header's value is a key of ours, which no upstream may see.
    #[must_use]
    pub fn is_ours(&self, value: &HeaderValue) -> bool {
        let Ok(text) = value.to_str() else { return false };
        let between = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ';' | '=' | '"' | ':');
        text.split(between).any(|part| PresentedKey::read(part, self.shape.as_ref()).is_some())
    }

    /// Whether a query carries a key of ours, under any spelling of the parameter.
    #[must_use]
    pub fn query_is_ours(&self, query: &str) -> bool {
        let values = query.split(['&', ';']).filter_map(|pair| pair.split_once('='));
        let mut plain = values.filter_map(|(_, value)| query::decoded(value, true));
        plain.any(|text| PresentedKey::read(text.trim(), self.shape.as_ref()).is_some())
    }

    /// The query without the parameter that is a key, under any spelling; `None`: it has none.
    #[must_use]
    pub fn without(&self, query: &str) -> Option<String> {
        query::without(query, self.query.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::NewKeyText;
    use crate::meter::identity::rules::AccountHeader;
    use crate::seam::{SeededEntropy, SimulatedClock, Timestamp};
    use http::HeaderName;

    fn text() -> String {
        let clock = SimulatedClock::at(Timestamp(1_790_000_000_000));
        let entropy = SeededEntropy::new(7);
        let account = "acct_maria".parse().unwrap();
        NewKeyText::make(&account, None, &clock, &entropy).unwrap().text
    }

    fn rules() -> IdentityRules {
        let from = vec!["10.0.0.0/8".parse().unwrap()];
        let header = AccountHeader { name: HeaderName::from_static("x-account-id"), from };
        let mut rules = IdentityRules { header: Some(header), ..IdentityRules::default() };
        rules.keys.query = Some("key".to_owned());
        rules
    }

    fn shown(pairs: &[(&'static str, &str)], query: &str) -> Result<Shown, u16> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        let found = Shown::of(&rules(), Ways::ALL, &headers, Some(query));
        found.map_err(|rejection| rejection.status().as_u16())
    }

    #[test]
    fn one_key_in_one_place() {
        let key = text();
        let ours = |found: Result<Shown, u16>| matches!(found, Ok(Shown::Key(_)));
        for scheme in ["Bearer", "bearer ", "KEY", "Token"] {
            assert!(ours(shown(&[("authorization", &format!("{scheme} {key}"))], "")), "{scheme}");
        }
        for name in ["x-api-key", "xi-api-key", "api-key", "x-goog-api-key"] {
            assert!(ours(shown(&[(name, &key)], "")), "{name}");
        }
        assert!(ours(shown(&[], &format!("a=1&key={key}&b=2"))));
        assert!(ours(shown(&[], &format!("%6bey={key}"))));
        let bearer = format!("Bearer {key}");
        for (headers, query) in [
            (vec![("authorization", bearer.as_str()), ("x-api-key", &key)], String::new()),
            (vec![("authorization", &bearer), ("authorization", &bearer)], String::new()),
            (vec![("x-api-key", &key), ("api-key", &key)], String::new()),
            (vec![("authorization", &bearer)], format!("key={key}")),
            (vec![("authorization", &bearer)], format!("a=1;key={key}")),
            (vec![("authorization", "Basic eDp5")], String::new()),
            (vec![("authorization", &key)], String::new()),
            (vec![("x-other", &key)], String::new()),
            (vec![], format!("key={key}&key={key}")),
            (vec![], format!("KEY={key}")),
            (vec![], format!("key[]={key}")),
            (vec![], String::new()),
        ] {
            assert_eq!(shown(&headers, &query).err(), Some(401), "{headers:?} {query}");
        }
    }

    #[test]
    fn what_is_not_ours_may_be_imported() {
        let found = shown(&[("x-api-key", "sk-old-0123456789")], "");
        assert!(matches!(found, Ok(Shown::Imported(_))));
        assert_eq!(shown(&[("x-api-key", "two words")], "").err(), Some(401));
        assert_eq!(shown(&[("x-api-key", &"x".repeat(600))], "").err(), Some(401));
    }

    #[test]
    fn a_trusted_header_stands_alone() {
        let found = shown(&[("x-account-id", "acct_maria")], "");
        assert_eq!(found, Ok(Shown::Account("acct_maria".into())));
        let both = shown(&[("x-account-id", "acct_maria"), ("x-api-key", "sk-1")], "");
        assert_eq!(both.err(), Some(400));
        let twice = shown(&[("x-account-id", "acct_a"), ("x-account-id", "acct_b")], "");
        assert_eq!(twice.err(), Some(401));
    }

    #[test]
    fn keys_of_ours_are_seen_anywhere() {
        let (rules, key) = (rules(), text());
        let ours = |text: &str| rules.keys.is_ours(&text.parse().unwrap());
        assert!(ours(&key) && ours(&format!("Bearer {key}")) && ours(&format!("a, {key}")));
        assert!(ours(&format!("Bearer\t{key}")) && ours(&format!("Signature key=\"{key}\"")));
        assert!(!ours("Bearer sk-1"));
        assert!(rules.keys.query_is_ours(&format!("a=1&KEY={key}")));
        assert!(!rules.keys.query_is_ours("a=1&key=sk-1"));
    }
}
