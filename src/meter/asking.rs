//! Asking the upstream for something on the client's behalf: one member that is put into the request's body.
//!
//! Invariant: all other bytes stay as they came. What the client says of it itself holds.
//! Invariant: what could be read in two ways is left as it is.

use std::ops::Range;

use http::{HeaderMap, HeaderName};

use super::stream::Ask;
use crate::observe::{Fact, Pointer, Spot, Step, encoded, is_json, media_type, spot, strict};

/// Headers that vouch for the bytes of a body: it is not changed then (RFC 9530 §2, RFC 1864).
const SEALS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// What is put into a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutIn {
    /// The bytes in whose place it is put: none, or a `null`.
    pub place: Range<usize>,
    /// What is put there.
    pub text: String,
}

impl Ask {
    /// What is put into this body; `None`: it wants no stream, says something of it itself, or is not plain JSON.
    #[must_use]
    pub fn put_in(&self, headers: &HeaderMap, body: &[u8]) -> Option<PutIn> {
        let json = media_type(headers).is_some_and(|name| is_json(&name)) && !encoded(headers);
        if !json || SEALS.iter().any(|seal| headers.contains_key(seal)) {
            return None;
        }
        let picked = strict(body, &[&self.when, &self.at]).ok()?;
        if picked.at(0) != [Fact::Flag(true)] {
            return None;
        }
        match spot(body, &self.at)? {
            Spot::There { .. } => None,
            Spot::Absent { depth, inside, empty } => {
                let comma = if empty { "" } else { "," };
                let text = format!("{}{comma}", member(&self.at, depth, &self.value)?);
                Some(PutIn { place: inside..inside, text })
            }
            // A `null` on the way to it says nothing.
            Spot::Other { depth, value } => {
                let null = depth > 0 && body.get(value.clone()) == Some(b"null");
                let text = format!("{{{}}}", member(&self.at, depth, &self.value)?);
                null.then_some(PutIn { place: value, text })
            }
        }
    }
}

/// The member of the object that `depth` steps lead to, with all that lies within it.
fn member(at: &Pointer, depth: usize, value: &str) -> Option<String> {
    let mut text = String::new();
    let names = at.steps().get(depth..)?;
    for (number, step) in names.iter().enumerate() {
        let Step::Name(name) = step else { return None };
        let open = if number == 0 { "" } else { "{" };
        text.push_str(&format!("{open}{}:", serde_json::Value::from(name.as_str())));
    }
    text.push_str(value);
    text.extend(names.iter().skip(1).map(|_| '}'));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Option<String> {
        let ask = Ask {
            when: "/stream".parse().unwrap(),
            at: "/stream_options/include_usage".parse().unwrap(),
            value: "true".to_owned(),
            take_out: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let PutIn { place, text } = ask.put_in(&headers, body.as_bytes())?;
        headers.insert("content-md5", "x".parse().unwrap());
        assert_eq!(ask.put_in(&headers, body.as_bytes()), None, "sealed");
        Some(format!("{}{text}{}", &body[..place.start], &body[place.end..]))
    }

    #[test]
    fn one_member_and_nothing_else() {
        for (body, sent) in [
            (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
            (
                r#" { "stream" : true, "x": 1.0 } "#,
                r#" {"stream_options":{"include_usage":true}, "stream" : true, "x": 1.0 } "#,
            ),
            (
                r#"{"stream":true,"stream_options":{}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream_options": {"a":1},"stream":true}"#,
                r#"{"stream_options": {"include_usage":true,"a":1},"stream":true}"#,
            ),
            (
                r#"{"stream":true,"stream_options":null}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            assert_eq!(asked(body).as_deref(), Some(sent), "{body}");
        }
    }

    #[test]
    fn what_the_client_says_holds() {
        for body in [
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":null}}"#,
            r#"{"stream":true,"stream_options":"x"}"#,
            r#"{"stream":true,"stream_options":[]}"#,
            r#"{"stream":false}"#,
            r#"{"stream":"true"}"#,
            r#"{"stream":null}"#,
            "{}",
            "[true]",
            "",
            // Two readings.
            r#"{"stream":true,"stream":true}"#,
            r#"{"stream":true,"Stream_options":{}}"#,
            "{\"stream\":true",
        ] {
            assert_eq!(asked(body), None, "{body}");
        }
    }
}
