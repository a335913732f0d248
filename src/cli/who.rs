//! Which account a command is about, and how ids stand in a path.

use std::str::FromStr;

use crate::credit::{AccountId, IdError};
use crate::meter::charge_named;

/// An account by its id or its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who(String);

impl Who {
    /// Its path in the admin API, with what comes behind it.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/accounts/{}{rest}", escaped(&self.0))
    }
}

impl FromStr for Who {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.strip_prefix("ref:").is_some_and(|reference| !reference.is_empty()) {
            return Ok(Self(text.to_owned()));
        }
        let wrong = |_| IdError(format!("{text:?} is neither an account's id, acct_…, nor ref:…"));
        text.parse::<AccountId>().map(|id| Self(id.as_str().to_owned())).map_err(wrong)
    }
}

/// A path with parameters, of which those that are absent are left out.
#[derive(Debug)]
pub(super) struct Query(String, char);

impl Query {
    /// A path without parameters.
    pub(super) const fn of(path: String) -> Self {
        Self(path, '?')
    }

    /// The same with another parameter.
    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.push(self.1);
            self.0.push_str(&format!("{name}={}", escaped(&value.to_string())));
            self.1 = '&';
        }
        self
    }

    /// The page of a list.
    pub(super) fn page(self, limit: u16, after: Option<impl ToString>) -> Self {
        self.with("limit", Some(limit)).with("starting_after", after)
    }

    /// The path.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// A text as a part of a URL (RFC 3986, 2.3: unreserved characters stand for themselves).
pub(super) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::new(), |all, byte| match byte {
        byte if plain(byte) => all + &char::from(byte).to_string(),
        byte => all + &format!("%{byte:02X}"),
    })
}

/// A charge by its own id or its request's.
#[derive(Clone, Debug)]
pub(super) struct AnyId(String);

impl AnyId {
    /// Its path in the admin API, with what comes behind it.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/charges/{}{rest}", self.0)
    }
}

impl FromStr for AnyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError(format!("{text:?} is neither chg_… nor a Request-Id, req_…"));
        charge_named(text).map(|_| Self(text.to_owned())).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_a_path_as_one_part() {
        let path = |text: &str| text.parse::<Who>().map(|who| who.path("/keys"));
        assert_eq!(path("acct_a").unwrap(), "/accounts/acct_a/keys");
        assert_eq!(path("ref:a/b?é").unwrap(), "/accounts/ref%3Aa%2Fb%3F%C3%A9/keys");
        for wrong in ["", "ref:", "maria", "acct_/x"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
        let query = Query::of("/x".to_owned()).with("a", None::<&str>).with("b", Some("1&2"));
        assert_eq!(query.page(5, Some("c")).text(), "/x?b=1%262&limit=5&starting_after=c");
    }
}
