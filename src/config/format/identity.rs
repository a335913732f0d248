//! Schemes of `Authorization`, parameters, alphabets, and URLs of documents.

use http::Uri;
use schemars::Schema;

use super::{Format, text};
use crate::meter::Alphabet;

/// A scheme of `Authorization` (RFC 9110 §11.1).
#[derive(Clone, Debug)]
pub(in crate::config) struct Scheme(pub(in crate::config) String);

/// The name of a parameter in a query.
#[derive(Clone, Debug)]
pub(in crate::config) struct Parameter(pub(in crate::config) String);

/// Where a document lies.
#[derive(Clone, Debug)]
pub(in crate::config) struct DocumentUrl(pub(in crate::config) Uri);

fn word(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(good)
}

impl Format for Scheme {
    fn read(text: &str) -> Result<Self, String> {
        if word(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a scheme is a word, such as Bearer".to_owned())
        }
    }

    fn schema() -> Schema {
        text("scheme", "^[A-Za-z0-9._-]+$")
    }
}

impl Format for Parameter {
    fn read(text: &str) -> Result<Self, String> {
        if word(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a parameter is a word, such as api_key".to_owned())
        }
    }

    fn schema() -> Schema {
        text("parameter", "^[A-Za-z0-9._-]+$")
    }
}

impl Format for Alphabet {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::meter::ShapeError| error.to_string())
    }

    fn schema() -> Schema {
        text("alphabet", "^[A-Za-z0-9._~-]+$")
    }
}

impl Format for DocumentUrl {
    fn read(text: &str) -> Result<Self, String> {
        let say = || "a URL is written like https://login.example.com/keys".to_owned();
        let uri: Uri = text.parse().map_err(|_| say())?;
        let authority = uri.authority().ok_or_else(say)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
            return Err(say());
        }
        if authority.as_str().contains('@') || text.contains('#') {
            return Err("this URL carries no user, no password and no `#`".to_owned());
        }
        Ok(Self(uri))
    }

    fn schema() -> Schema {
        text("document-url", "^https?://[^@#]+$")
    }
}
