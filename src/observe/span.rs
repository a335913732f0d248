//! Where a member stands in the text of a JSON object, so that it can be put in or taken out without writing
//! the rest anew.
//!
//! Invariant: looks only; linear time. The text has been read as JSON before: of anything else the answer is
//! none, or a place that means nothing.

use std::borrow::Cow;
use std::ops::Range;

use super::{Pointer, Step};

/// A part of a text, in bytes.
pub type Span = Range<usize>;

/// What was found where a member was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The member.
    There {
        /// Its value.
        value: Span,
        /// What must go so that the rest is JSON without it: the member with one comma.
        whole: Span,
    },
    /// The objects on the way to it, as far as there are any.
    Absent {
        /// How many steps of the pointer lead to the innermost of them.
        depth: usize,
        /// Where its first member begins, or would.
        inside: usize,
        /// Whether it has no members.
        empty: bool,
    },
    /// Something on the way that is no object.
    Other {
        /// How many steps of the pointer lead to it.
        depth: usize,
        /// Where it stands.
        value: Span,
    },
}

/// Looks for the member at `pointer`, whose steps are names. `None`: the text is no JSON.
#[must_use]
pub fn spot(json: &[u8], pointer: &Pointer) -> Option<Spot> {
    let mut at = blank(json, 0);
    for (depth, step) in pointer.steps().iter().enumerate() {
        let Step::Name(step) = step else { return None };
        if json.get(at) != Some(&b'{') {
            return Some(Spot::Other { depth, value: at..value_end(json, at)? });
        }
        match member(json, at, step)? {
            Member::None { empty } => {
                return Some(Spot::Absent { depth, inside: at.checked_add(1)?, empty });
            }
            Member::Found { value, whole } => {
                if depth.checked_add(1)? == pointer.steps().len() {
                    return Some(Spot::There { value, whole });
                }
                at = value.start;
            }
        }
    }
    None
}

enum Member {
    None { empty: bool },
    Found { value: Span, whole: Span },
}

/// The member of this name in the object that begins at `open`.
fn member(json: &[u8], open: usize, name: &str) -> Option<Member> {
    let mut at = blank(json, open.checked_add(1)?);
    if json.get(at) == Some(&b'}') {
        return Some(Member::None { empty: true });
    }
    let mut comma = None;
    loop {
        let (begin, end) = (at, text_end(json, at)?);
        let found: Cow<'_, str> = serde_json::from_slice(json.get(begin..end)?).ok()?;
        let colon = blank(json, end);
        let start =
            (json.get(colon) == Some(&b':')).then(|| blank(json, colon.saturating_add(1)))?;
        let value = start..value_end(json, start)?;
        let next = blank(json, value.end);
        let more = json.get(next) == Some(&b',');
        if found == name {
            let whole = match (comma, more) {
                (Some(comma), _) => comma..value.end,
                (None, true) => begin..blank(json, next.checked_add(1)?),
                (None, false) => begin..value.end,
            };
            return Some(Member::Found { value, whole });
        }
        if !more {
            return Some(Member::None { empty: false });
        }
        comma = Some(next);
        at = blank(json, next.checked_add(1)?);
    }
}

/// The next byte that is no white space (RFC 8259 §2).
fn blank(json: &[u8], from: usize) -> usize {
    let rest = json.get(from..).unwrap_or_default();
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    rest.iter().position(|byte| !space(byte)).map_or(json.len(), |at| from.saturating_add(at))
}

/// The end of the text that begins at `from`, with its mark.
fn text_end(json: &[u8], from: usize) -> Option<usize> {
    let mut at = (json.get(from) == Some(&b'"')).then(|| from.saturating_add(1))?;
    loop {
        let mark = at.checked_add(memchr::memchr2(b'"', b'\\', json.get(at..)?)?)?;
        at = mark.checked_add(1)?;
        if json.get(mark) == Some(&b'"') {
            return Some(at);
        }
        at = at.checked_add(1)?;
    }
}

/// The end of the value that begins at `from`.
fn value_end(json: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        at = match json.get(at)? {
            b'"' => text_end(json, at)?,
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                at.checked_add(1)?
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at.checked_add(1)?
            }
            b',' | b':' if depth > 0 => at.checked_add(1)?,
            _ if depth > 0 => blank(json, at.checked_add(1)?),
            _ => return word_end(json, at),
        };
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of a number or a word.
fn word_end(json: &[u8], from: usize) -> Option<usize> {
    let rest = json.get(from..)?;
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    (length > 0).then(|| from.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, pointer: &str) -> Option<Spot> {
        spot(json.as_bytes(), &pointer.parse().unwrap())
    }

    /// What is left without the member.
    fn without(json: &str, pointer: &str) -> Option<String> {
        let Some(Spot::There { whole, .. }) = found(json, pointer) else { return None };
        Some(format!("{}{}", &json[..whole.start], &json[whole.end..]))
    }

    #[test]
    fn what_is_left_without_a_member() {
        for (json, left) in [
            (r#"{"a":1,"usage":null}"#, r#"{"a":1}"#),
            (r#"{"a":1,"usage":null,"b":[{"usage":2}]}"#, r#"{"a":1,"b":[{"usage":2}]}"#),
            (r#"{"usage":{"n":[1,"}"]},"b":2}"#, r#"{"b":2}"#),
            (r#"{"usage":null}"#, "{}"),
            (r#"{"a": 1, "usage": null, "b": 2}"#, r#"{"a": 1, "b": 2}"#),
            (r#"{"usage": null, "b": 2}"#, r#"{"b": 2}"#),
            (r#"{"a": "\"usage\"", "u\u0073age": 1.5e3 }"#, r#"{"a": "\"usage\"" }"#),
        ] {
            assert_eq!(without(json, "/usage").as_deref(), Some(left), "{json}");
        }
        assert_eq!(
            without(r#"{"a":{"b":1,"c":2},"d":3}"#, "/a/b").unwrap(),
            r#"{"a":{"c":2},"d":3}"#
        );
        for json in [r#"{"a":{"usage":1}}"#, "{}", "[1]", "", "{", r#"{"usage""#, r#"{"usage":"#] {
            assert_eq!(without(json, "/usage"), None, "{json}");
        }
    }

    #[test]
    fn where_a_member_would_be() {
        let absent = |depth, inside, empty| Some(Spot::Absent { depth, inside, empty });
        assert_eq!(found("{}", "/a/b"), absent(0, 1, true));
        assert_eq!(found(r#" {"c":1}"#, "/a/b"), absent(0, 2, false));
        assert_eq!(found(r#"{"a":{}}"#, "/a/b"), absent(1, 6, true));
        assert_eq!(found(r#"{"a":null}"#, "/a/b"), Some(Spot::Other { depth: 1, value: 5..9 }));
        assert_eq!(found(r#"{"a":[{}]}"#, "/a/b"), Some(Spot::Other { depth: 1, value: 5..9 }));
        assert_eq!(found("[]", "/a"), Some(Spot::Other { depth: 0, value: 0..2 }));
    }
}
