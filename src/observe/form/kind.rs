//! Which form a body is, by the `Content-Type` of its head.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::parameters::{self, Parameter};
use super::problem::FormProblem;
use crate::observe::token::is_token;

/// The longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_MAX: usize = 70;

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `multipart/form-data`, and its boundary.
    Multipart(Vec<u8>),
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
}

/// Which form the body is; `None`: its head does not say once that it is one.
pub(super) fn of(head: &HeaderMap) -> Option<Result<Kind, FormProblem>> {
    let mut values = head.get_all(CONTENT_TYPE).iter();
    let (first, second) = (values.next()?, values.next());
    let text = first.as_bytes();
    let word = text.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &str| second.is_none() && word.eq_ignore_ascii_case(name.as_bytes());
    if is("multipart/form-data") {
        return Some(multipart(text));
    }
    is("application/x-www-form-urlencoded").then(|| urlencoded(text))
}

fn multipart(text: &[u8]) -> Result<Kind, FormProblem> {
    let (_, parameters) = parameters::read(text).ok_or(FormProblem::Boundary)?;
    let mut found = None;
    for one in parameters {
        // `boundary*` and `boundary*0` (RFC 2231) are boundaries too, of a form that is never accepted.
        match one.name.to_ascii_lowercase().as_str() {
            "boundary" if found.is_none() && is_plain(&one.value) => found = Some(one.value),
            name if name.starts_with("boundary") => return Err(FormProblem::Boundary),
            _ => utf8(&one)?,
        }
    }
    found.map(Kind::Multipart).ok_or(FormProblem::Boundary)
}

fn urlencoded(text: &[u8]) -> Result<Kind, FormProblem> {
    let (_, parameters) = parameters::read(text).ok_or(FormProblem::Charset)?;
    parameters.iter().try_for_each(utf8)?;
    Ok(Kind::Urlencoded)
}

/// That a parameter is no encoding but UTF-8. `charset*` (RFC 8187) is one that is never accepted.
fn utf8(one: &Parameter) -> Result<(), FormProblem> {
    let name = one.name.to_ascii_lowercase();
    if !name.starts_with("charset") || (name == "charset" && is_utf8(&one.value)) {
        Ok(())
    } else {
        Err(FormProblem::Charset)
    }
}

/// Whether a text names UTF-8.
pub(super) fn is_utf8(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"utf8")
}

/// What a boundary consists of (RFC 2046 §5.1.1), without the space that only some servers cut off.
fn is_plain(boundary: &[u8]) -> bool {
    let good = |b: &u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'\'' | b'(' | b')' | b'+' | b'_' | b',' | b'-' | b'.' | b'/' | b':')
            || matches!(b, b'=' | b'?')
            || is_token(*b)
    };
    (1..=BOUNDARY_MAX).contains(&boundary.len()) && boundary.iter().all(good)
}
