//! The first line of a head: method, target and version, with exactly one space between them.

use http::Uri;

use super::Doubt;

/// The longest target that hyper takes, in bytes.
const TARGET_MAX: usize = (u16::MAX - 1) as usize;

/// What the first line says, as far as the rest of the head needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstLine<'a> {
    /// The host that an absolute target names.
    pub(super) authority: Option<&'a [u8]>,
    /// HTTP/1.1, not 1.0.
    pub(super) is_1_1: bool,
}

/// Reads the line (RFC 9112 §3). Its first word is one.
pub(super) fn first_line(line: &[u8]) -> Result<FirstLine<'_>, Doubt> {
    const SHAPE: Doubt = Doubt::Unclear(
        "its first line is not a method, a target and a version with one space between",
    );
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SHAPE);
    };
    if method.is_empty() {
        return Err(SHAPE);
    }
    let is_1_1 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Doubt::Version);
        }
        _ => return Err(SHAPE),
    };
    Ok(FirstLine { authority: authority(method, target)?, is_1_1 })
}

/// The host that a target names, if it has one of the forms of RFC 9112 §3.2.
fn authority<'a>(method: &[u8], target: &'a [u8]) -> Result<Option<&'a [u8]>, Doubt> {
    if method == b"CONNECT" {
        return Err(Doubt::Unclear("CONNECT is not served here"));
    }
    if target.len() > TARGET_MAX {
        return Err(Doubt::LongTarget(TARGET_MAX));
    }
    if target.iter().any(|byte| !matches!(byte, 0x21..=0x7e)) {
        return Err(Doubt::Unclear("its target has a byte that must be percent-encoded"));
    }
    if target.contains(&b'#') {
        return Err(Doubt::Unclear("its target has a fragment"));
    }
    match target.first() {
        Some(b'/') => plain(target).map(|()| None),
        Some(b'*') if target.len() == 1 && method == b"OPTIONS" => Ok(None),
        _ => absolute(target).map(Some),
    }
}

/// Whether hyper reads the target as we do. Asked only where it may not.
fn plain(target: &[u8]) -> Result<(), Doubt> {
    let doubtful = |byte: &u8| {
        matches!(byte, b'"' | b'<' | b'>' | b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if target.iter().any(doubtful) && Uri::try_from(target).is_err() {
        return Err(Doubt::Unclear("its target has a byte that must be percent-encoded"));
    }
    Ok(())
}

/// The host of `http://host:port/path?query`.
fn absolute(target: &[u8]) -> Result<&[u8], Doubt> {
    const FORM: Doubt = Doubt::Unclear("its target is neither a path nor a URL of http or https");
    let colon = target.windows(3).position(|part| part == b"://").ok_or(FORM)?;
    let (scheme, rest) = target.split_at(colon);
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(FORM);
    }
    let rest = rest.get(3..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if Uri::try_from(target).is_err() || rest.get(end) == Some(&b'?') {
        return Err(FORM);
    }
    Ok(rest.split_at(end).0)
}

/// Whether this can be a host with or without a port, and nothing else.
pub(super) fn is_host(value: &[u8]) -> bool {
    let stands = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']')
    };
    !value.is_empty() && value.iter().all(stands)
}
