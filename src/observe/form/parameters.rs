//! `; name=value` behind a media type or a disposition (RFC 2045 §5.1, RFC 2183), read strictly.
//!
//! Invariant: no parameter is read that another reader might cut elsewhere.

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
        let (value, more) = value(more.strip_prefix(b"=")?)?;
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

fn take(text: &[u8], good: impl Fn(u8) -> bool) -> Option<(String, &[u8])> {
    let end = text.iter().position(|b| !good(*b)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let word = std::str::from_utf8(word).ok().filter(|word| !word.is_empty())?;
    Some((word.to_owned(), rest))
}

/// What a token consists of (RFC 9110 §5.6.2).
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
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
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
