//! The query of a priced request, read so that every upstream must read the same.
//!
//! Invariant: a declared name that could be there twice, under any spelling, is refused.

/// Why a query has no single reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryProblem {
    /// `;`, which some servers take for `&`.
    #[error("the query has a semicolon")]
    Semicolon,
    /// Not percent-encoded UTF-8.
    #[error("is not percent-encoded UTF-8")]
    Escape,
    /// More than once, or beside another spelling (`N`, `n[]`).
    #[error("stands in the query more than once")]
    Twice,
}

/// The value of `name` in `query`, without its encoding; `None`: it is not there.
pub(super) fn value(query: &str, name: &str) -> Result<Option<String>, QueryProblem> {
    let mut found = None;
    let mut others = false;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key, true).ok_or(QueryProblem::Escape)?;
        if key == name {
            let value = decoded(value, true).ok_or(QueryProblem::Escape)?;
            others |= found.replace(value).is_some();
        } else {
            others |= is_spelling(&key, name);
        }
    }
    if others { Err(QueryProblem::Twice) } else { Ok(found) }
}

/// Whether `query` can be cut into pairs in one way only.
pub(super) fn check(query: &str) -> Result<(), QueryProblem> {
    if query.contains(';') { Err(QueryProblem::Semicolon) } else { Ok(()) }
}

/// Whether `query` could also say `name`, under any spelling: some servers take it for the body's.
pub(super) fn mentions(query: &str, name: &str) -> bool {
    !matches!(value(query, name), Ok(None))
}

/// Whether `;`, which some servers take for `&`, or a malformed escape would let `name` be there unseen.
pub(super) fn hides(query: &str, name: &str) -> bool {
    query.split('&').filter(|pair| pair.contains(';')).flat_map(|pair| pair.split(';')).any(
        |part| {
            let key = part.split('=').next().unwrap_or(part);
            decoded(key, true).is_none_or(|key| is_spelling(&key, name))
        },
    )
}

/// `query` without `name`, under any spelling; the rest stays byte by byte. `None`: it is not there.
pub(super) fn without(query: &str, name: &str) -> Option<String> {
    let says = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or(pair);
        decoded(key, true).is_some_and(|key| is_spelling(&key, name))
    };
    query
        .split('&')
        .any(|pair| says(&pair))
        .then(|| query.split('&').filter(|pair| !says(pair)).collect::<Vec<_>>().join("&"))
}

/// Some servers ignore case, PHP and Rails read `n[]` as `n`.
fn is_spelling(key: &str, name: &str) -> bool {
    key.split('[').next().unwrap_or(key).trim().eq_ignore_ascii_case(name)
}

/// The name or the value of a pair of a query, without its encoding; `None`: it has none that can be read.
#[must_use]
pub fn parameter(text: &str) -> Option<String> {
    decoded(text, true)
}

/// Percent-decoded text; `None`: a malformed escape or not UTF-8.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => (hex(bytes.next()?)? << 4) | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_or_none() {
        use QueryProblem::{Escape, Twice};
        let some = |text: &str| Ok(Some(text.to_owned()));
        for (query, expected) in [
            ("", Ok(None)),
            ("m=1", Ok(None)),
            ("n=4", some("4")),
            ("n", some("")),
            ("n=", some("")),
            ("a=1&n=4&b=2", some("4")),
            ("n=a=b", some("a=b")),
            ("n=a%20b", some("a b")),
            ("n=a+b", some("a b")),
            ("n=%2b", some("+")),
            ("%6E=4", some("4")),
            ("nn=1&n=4", some("4")),
            ("x=%C3%A9&n=4", some("4")),
            ("n=1&n=9", Err(Twice)),
            ("n=1&n=1", Err(Twice)),
            ("n=1&%6e=9", Err(Twice)),
            ("n=1&N=9", Err(Twice)),
            ("N=9", Err(Twice)),
            ("n[]=9", Err(Twice)),
            ("n=1&n[]=9", Err(Twice)),
            ("n=1&n%5B0%5D=9", Err(Twice)),
            ("n=1&+n=9", Err(Twice)),
            ("n=%", Err(Escape)),
            ("n=%4", Err(Escape)),
            ("n=%zz", Err(Escape)),
            ("n=%ff", Err(Escape)),
            ("%ff=1&n=4", Err(Escape)),
        ] {
            assert_eq!(value(query, "n"), expected, "{query}");
        }
        assert_eq!(check("a=1;n=9"), Err(QueryProblem::Semicolon));
        assert_eq!(check("a=1%3Bn=9"), Ok(()));
    }

    #[test]
    fn a_name_is_taken_out_and_nothing_else() {
        let some = |text: &str| Some(text.to_owned());
        for (query, rest) in [
            ("key=1", some("")),
            ("a=%20&key=1&b", some("a=%20&b")),
            ("KEY=1&key[]=2&%6bey=3&a=1", some("a=1")),
            ("", None),
            ("a=key&keys=1", None),
        ] {
            assert_eq!(without(query, "key"), rest, "{query}");
        }
        assert!(hides("a=1;key=2", "key") && hides("a=1;%zz=2", "key"));
        assert!(!hides("a=1;b=2&key=3", "key") && !hides("key=2", "key"));
    }
}
