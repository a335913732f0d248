//! Paths: one spelling for each, so that what is matched is what is priced and what the upstream serves.
//!
//! A path that some server would read as another one (RFC 3986 §6.2.2, and what back ends do beyond it) is
//! refused, never cleaned up: the bytes that were matched are the bytes that are forwarded.
//!
//! Invariant: two paths that are both canonical and differ by a byte are different to every server that
//! follows RFC 3986; case and a trailing slash are the route table's business.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// Empty, `*`, or a whole URL.
    #[error("the path must begin with /")]
    NotAbsolute,
    /// `//`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.`, `..`, or any segment that ends with a dot, which some file systems drop.
    #[error("a segment of the path ends with a dot")]
    DotSegment,
    /// `;`, as such or encoded: some servers cut a segment there.
    #[error("the path has a semicolon")]
    Semicolon,
    /// `/` or `\` encoded, or `\` as such.
    #[error("the path has an encoded slash or a backslash")]
    Slash,
    /// A control character, as such or encoded.
    #[error("the path has a control character")]
    Control,
    /// A byte that RFC 3986 does not let stand in a path, such as a space, `#`, `"` or `é`.
    #[error("the path has a byte that must be percent-encoded")]
    Unencoded,
    /// `%` without two hex digits in upper case.
    #[error("the path has a malformed percent-encoding")]
    Escape,
    /// An encoded letter, digit, `-`, `.`, `_` or `~`, or an encoded `%`.
    #[error("the path encodes a byte that needs no encoding, or encodes twice")]
    NeedlessEscape,
    /// The encoded bytes are not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Checks that `raw`, the path as it was received and without the query, has no other spelling.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn canonical(raw: &str) -> Result<(), PathProblem> {
    let rest = raw.strip_prefix('/').ok_or(PathProblem::NotAbsolute)?;
    let text = decoded(rest)?;
    if text.contains(char::is_control) {
        return Err(PathProblem::Control);
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        // A slash at the very end is part of a path; another path than the one without it.
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathProblem::EmptySegment);
        }
        if segment.ends_with('.') {
            return Err(PathProblem::DotSegment);
        }
    }
    Ok(())
}

/// The text that a part of a path stands for.
fn decoded(raw: &str) -> Result<String, PathProblem> {
    let mut bytes = raw.bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => escaped(bytes.next(), bytes.next())?,
            b';' => return Err(PathProblem::Semicolon),
            b'\\' => return Err(PathProblem::Slash),
            0..=0x1f | 0x7f => return Err(PathProblem::Control),
            _ if byte == b'/' || stands_raw(byte) => byte,
            _ => return Err(PathProblem::Unencoded),
        });
    }
    String::from_utf8(decoded).map_err(|_| PathProblem::NotUtf8)
}

/// The byte that `%` and two digits stand for.
fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, PathProblem> {
    let byte = hex(high).zip(hex(low)).map(|(high, low)| (high << 4) | low);
    match byte.ok_or(PathProblem::Escape)? {
        b'/' | b'\\' => Err(PathProblem::Slash),
        b';' => Err(PathProblem::Semicolon),
        b'%' => Err(PathProblem::NeedlessEscape),
        0..=0x1f | 0x7f => Err(PathProblem::Control),
        byte if unreserved(byte) => Err(PathProblem::NeedlessEscape),
        byte => Ok(byte),
    }
}

/// RFC 3986 §2.1 has upper-case digits as the normal form.
fn hex(digit: Option<u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => digit.checked_sub(b'0'),
        digit @ b'A'..=b'F' => digit.checked_sub(b'A')?.checked_add(10),
        _ => None,
    }
}

/// RFC 3986 §2.3.
const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a segment without encoding: `pchar` of RFC 3986 §3.3 but for `;`.
pub(super) const fn stands_raw(byte: u8) -> bool {
    unreserved(byte) || is_delimiter(byte)
}

/// The delimiters that may stand raw in a segment, and that RFC 3986 keeps apart from their encoded form.
pub(super) const fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_paths() {
        for path in [
            "/",
            "/v1",
            "/v1/images/generations",
            "/v1/images/",
            "/v1beta/models/gemini-2.5:generateContent",
            "/v1/models/ft:gpt@2024/a!b$c&d'e(f)g*h+i,j=k",
            "/v1/voices/caf%C3%A9",
            "/v1/voices/a%20b",
            "/v1/voices/%E2%82%AC",
            "/v1/voices/%F0%9F%8E%B5",
            "/v1/x%3Ay",
            "/v1/%23",
            "/v1/...x",
            "/.well-known/x",
            "/~user/a_b-c.d",
            "/V1/Images",
        ] {
            assert_eq!(canonical(path), Ok(()), "{path}");
        }
    }

    /// Paths that some server reads as another one.
    const REFUSED: &[(&str, PathProblem)] = &[
        ("", PathProblem::NotAbsolute),
        ("*", PathProblem::NotAbsolute),
        ("v1/images", PathProblem::NotAbsolute),
        ("http://u/v1/images", PathProblem::NotAbsolute),
        (" /v1/images", PathProblem::NotAbsolute),
        ("//v1/images", PathProblem::EmptySegment),
        ("/v1//images", PathProblem::EmptySegment),
        ("/v1///images", PathProblem::EmptySegment),
        ("/v1/images//", PathProblem::EmptySegment),
        ("//", PathProblem::EmptySegment),
        ("/./v1/images", PathProblem::DotSegment),
        ("/v1/./images", PathProblem::DotSegment),
        ("/v1/images/.", PathProblem::DotSegment),
        ("/v1/../v1/images", PathProblem::DotSegment),
        ("/v1/images/..", PathProblem::DotSegment),
        ("/..", PathProblem::DotSegment),
        ("/v1/images.", PathProblem::DotSegment),
        ("/v1./images", PathProblem::DotSegment),
        ("/v1/.../images", PathProblem::DotSegment),
        ("/v1/%2e/images", PathProblem::Escape),
        ("/v1/%2E/images", PathProblem::NeedlessEscape),
        ("/v1/%2E%2E/images", PathProblem::NeedlessEscape),
        ("/v1/.%2E/images", PathProblem::NeedlessEscape),
        ("/v1/%2e%2e/images", PathProblem::Escape),
        ("/v1%2Fimages", PathProblem::Slash),
        ("/v1%2fimages", PathProblem::Escape),
        ("/v1%5Cimages", PathProblem::Slash),
        ("/v1%5cimages", PathProblem::Escape),
        ("/v1\\images", PathProblem::Slash),
        ("/v1/..\\images", PathProblem::Slash),
        ("/v1/images;x=y", PathProblem::Semicolon),
        ("/v1;x=y/images", PathProblem::Semicolon),
        ("/v1/..;/images", PathProblem::Semicolon),
        ("/v1/images%3Bx=y", PathProblem::Semicolon),
        ("/v1/images%3bx=y", PathProblem::Escape),
        ("/v1/images%00", PathProblem::Control),
        ("/v1/images%00.png", PathProblem::Control),
        ("/v1/images\0", PathProblem::Control),
        ("/v1/images%0A", PathProblem::Control),
        ("/v1/images%0D%0Ax: y", PathProblem::Control),
        ("/v1/images\n", PathProblem::Control),
        ("/v1/images\t", PathProblem::Control),
        ("/v1/images\x7f", PathProblem::Control),
        ("/v1/images%7F", PathProblem::Control),
        ("/v1/images%C2%80", PathProblem::Control),
        ("/v1/images%C2%85", PathProblem::Control),
        ("/v1/%252e%252e/images", PathProblem::NeedlessEscape),
        ("/v1/%2525", PathProblem::NeedlessEscape),
        ("/v1/%252Fimages", PathProblem::NeedlessEscape),
        ("/v1/im%61ges", PathProblem::NeedlessEscape),
        ("/v1/%69mages", PathProblem::NeedlessEscape),
        ("/v%31/images", PathProblem::NeedlessEscape),
        ("/v1/images%2Dx", PathProblem::NeedlessEscape),
        ("/v1/images%5Fx", PathProblem::NeedlessEscape),
        ("/%7Euser", PathProblem::NeedlessEscape),
        ("/v1/caf%c3%a9", PathProblem::Escape),
        ("/v1/caf%C3%a9", PathProblem::Escape),
        ("/v1/images%", PathProblem::Escape),
        ("/v1/images%2", PathProblem::Escape),
        ("/v1/images%GG", PathProblem::Escape),
        ("/v1/images%u002F", PathProblem::Escape),
        ("/v1/images%+2F", PathProblem::Escape),
        ("/v1/% 2F", PathProblem::Escape),
        ("/v1/%C0%AE%C0%AE/images", PathProblem::NotUtf8),
        ("/v1%C0%AFimages", PathProblem::NotUtf8),
        ("/v1%E0%80%AFimages", PathProblem::NotUtf8),
        ("/v1/%FF", PathProblem::NotUtf8),
        ("/v1/%C3", PathProblem::NotUtf8),
        ("/v1/%ED%A0%80", PathProblem::NotUtf8),
        ("/v1/%F5%80%80%80", PathProblem::NotUtf8),
        ("/v1/café", PathProblem::Unencoded),
        ("/v1/images#x", PathProblem::Unencoded),
        ("/v1/images?x", PathProblem::Unencoded),
        ("/v1/a b", PathProblem::Unencoded),
        ("/v1/a\"b", PathProblem::Unencoded),
        ("/v1/<a>", PathProblem::Unencoded),
        ("/v1/{id}", PathProblem::Unencoded),
        ("/v1/a|b", PathProblem::Unencoded),
        ("/v1/a^b", PathProblem::Unencoded),
        ("/v1/a`b", PathProblem::Unencoded),
        ("/v1/[a]", PathProblem::Unencoded),
    ];

    #[test]
    fn what_has_another_spelling() {
        assert!(REFUSED.len() >= 60);
        for (path, problem) in REFUSED {
            assert_eq!(canonical(path), Err(*problem), "{path:?}");
        }
    }
}
