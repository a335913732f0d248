//! `; name=value` behind a media type or a disposition (RFC 2045 §5.1, RFC 2183), read strictly.
//!
//! Invariant: no parameter is read that another reader might cut elsewhere, or that makes it give up the rest.

use super::names::escape;

use crate::observe::token::is_token;

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its name, as it is written.
    pub(super) name: String,
    /// Its value, without quotes.
    pub(super) value: Vec<u8>,
}

/// The first word, in lower case, and the parameters behind it; `None`: it can be read in two ways or none.
///
/// A quoted value has no quote within it: whether `\"` ends it is what servers differ in.
pub(super) fn read(text: &[u8]) -> Option<(String, Vec<Parameter>)> {
    if text.iter().any(u8::is_ascii_control) {
        return None;
    }
    let (word, mut rest) = take(text, |b| is_token(b) || b == b'/')?;
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let [first, more @ ..] = rest else { break };
        if *first != b';' {
            return None;
        }
        let (name, more) = take(more.trim_ascii_start(), is_token)?;
        let text = more.strip_prefix(b"=")?;
        let (value, more) = if name.contains('*') { extended(&name, text)? } else { value(text)? };
        parameters.push(Parameter { name, value: value.to_vec() });
        rest = more;
    }
    Some((word.to_ascii_lowercase(), parameters))
}

fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|b| !is_token(*b)).unwrap_or(text.len());
        return text.split_at_checked(end).filter(|(value, _)| !value.is_empty());
    };
    let end = quoted.iter().position(|b| *b == b'"')?;
    let (value, rest) = quoted.split_at_checked(end)?;
    if value.ends_with(b"\\") {
        return None;
    }
    Some((value, rest.strip_prefix(b"\"")?))
}

/// The value of a name with a `*` (RFC 8187 §3.2.1), which some readers skip and for which others skip the whole
/// part if it is malformed: only the one that clients write, and only as it should be.
fn extended<'a>(name: &str, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (value, rest) = value(text)?;
    let plain = name == "filename*" && !text.starts_with(b"\"");
    (plain && is_extended(value)).then_some((value, rest))
}

fn is_extended(value: &[u8]) -> bool {
    let mut pieces = value.splitn(3, |b| *b == b'\'');
    let (Some(charset), Some(language), Some(mut rest)) =
        (pieces.next(), pieces.next(), pieces.next())
    else {
        return false;
    };
    while let [first, more @ ..] = rest {
        let escaped = rest.get(..3).and_then(escape).is_some();
        if matches!(first, b'*' | b'\'') || (*first == b'%' && !escaped) {
            return false;
        }
        rest = more;
    }
    let is_language = language.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    is_language && charset.eq_ignore_ascii_case(b"utf-8")
}

fn take(text: &[u8], good: impl Fn(u8) -> bool) -> Option<(String, &[u8])> {
    let end = text.iter().position(|b| !good(*b)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let word = std::str::from_utf8(word).ok().filter(|word| !word.is_empty())?;
    Some((word.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let (word, parameters) = read(text.as_bytes())?;
        let value = |one: &Parameter| String::from_utf8_lossy(&one.value).into_owned();
        let pairs = parameters.iter().map(|one| format!("|{}={}", one.name, value(one)));
        Some(word + &pairs.collect::<String>())
    }

    #[test]
    fn one_reading_or_none() {
        for (text, expected) in [
            ("form-data", "form-data"),
            ("Form-Data; name=n", "form-data|name=n"),
            ("form-data;name=\"a b\" ; x=y", "form-data|name=a b|x=y"),
            ("form-data; name=\"\"", "form-data|name="),
            ("form-data; filename=\"C:\\a;b.wav\"", "form-data|filename=C:\\a;b.wav"),
            ("form-data; filename*=UTF-8''a%20b", "form-data|filename*=UTF-8''a%20b"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            ";",
            "form-data;",
            "form-data; name",
            "form-data; name=",
            "form-data; =n",
            "form-data; name=\"n",
            "form-data; name=\"n\"x",
            "form-data; name=\"n\\\"; x=\"y\"",
            "form-data; name = n",
            "form-data name=n",
            "form-data, name=n",
            "form-data; name=a b",
            "form-data; name=n\u{0}",
            // To busboy there is no such part then; others skip the parameter.
            "form-data; name=n; file*ame=x",
            "form-data; name=n; title*=UTF-8''x",
            "form-data; name=n; filename*=x",
            "form-data; name=n; filename*=UTF-8'x",
            "form-data; name=n; filename*=utf-16''x",
            "form-data; name=n; filename*=UTF-8'?'x",
            "form-data; name=n; filename*=UTF-8''a%2",
            "form-data; name=n; filename*=UTF-8''a*b",
            "form-data; name=n; filename*=UTF-8''a'b",
            "form-data; name=n; filename*=\"UTF-8''x\"",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
