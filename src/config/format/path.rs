//! What a route matches: a method and a path template.

use http::Method;
use schemars::Schema;

use super::{Format, text};

/// What a route matches: `POST /v1/images/{id}`.
#[derive(Clone, Debug)]
pub(in crate::config) struct Match {
    /// The method.
    pub(in crate::config) method: Method,
    /// The path, with `{name}` for a segment and `{*name}` for the rest.
    pub(in crate::config) path: String,
}

/// The methods that a route may match.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Format for Match {
    fn read(text: &str) -> Result<Self, String> {
        let say = "a match is a method and a path: POST /v1/images/{id}";
        let (method, path) = text.split_once(' ').ok_or(say)?;
        if !METHODS.contains(&method) {
            return Err(format!("`{method}` is not one of {}", METHODS.join(", ")));
        }
        if path != "/" {
            template(path)?;
        }
        let method = method.parse().map_err(|_| say.to_owned())?;
        Ok(Self { method, path: path.to_owned() })
    }

    fn schema() -> Schema {
        text("match", "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^ ]*$")
    }
}

/// One segment of a path template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Segment<'a> {
    /// As it stands.
    Text(&'a str),
    /// `{name}`
    One(&'a str),
    /// `{*name}`
    Rest(&'a str),
}

/// The segments of a path template.
pub(in crate::config) fn segments(path: &str) -> impl Iterator<Item = Segment<'_>> {
    path.split('/').skip(1).map(|segment| {
        let inner = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        match inner.map(|inner| (inner, inner.strip_prefix('*'))) {
            Some((_, Some(rest))) => Segment::Rest(rest),
            Some((one, None)) => Segment::One(one),
            None => Segment::Text(segment),
        }
    })
}

fn template(path: &str) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut ended = false;
    let mut plain = String::new();
    for segment in segments(path) {
        if ended {
            return Err(
                "`{*name}` stands for the rest of a path: nothing comes after it".to_owned()
            );
        }
        match segment {
            Segment::Text(text) => plain.extend(["/", text]),
            Segment::One(name) | Segment::Rest(name) => {
                plain.push_str("/x");
                capture(name, &seen)?;
                seen.push(name);
                ended = matches!(segment, Segment::Rest(_));
            }
        }
    }
    if !path.starts_with('/') {
        return Err("a path begins with /".to_owned());
    }
    canonical(&plain)
}

fn capture(name: &str, seen: &[&str]) -> Result<(), String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || !name.bytes().all(good) {
        return Err(format!(
            "`{{{name}}}` is not a capture: its name has lower-case letters, digits or `_`"
        ));
    }
    if seen.contains(&name) {
        return Err(format!("`{{{name}}}` is in this path twice"));
    }
    Ok(())
}

/// Whether a path (`""` or `/a/b`) has one spelling only, so that what is matched is what is forwarded.
pub(in crate::config) fn canonical(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Ok(());
    }
    let rest = path.strip_prefix('/').ok_or("a path begins with /")?;
    for segment in rest.split('/') {
        if segment.is_empty() {
            return Err("a path has no empty segment: no `//`, no `/` at its end".to_owned());
        }
        if matches!(segment, "." | "..") {
            return Err("a path has no `.` and no `..`".to_owned());
        }
        let good = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,=:@".contains(c);
        if let Some(c) = segment.chars().find(|c| !good(*c)) {
            return Err(format!(
                "{c:?} does not belong into a path; a capture is a whole segment, as in /v1/{{id}}"
            ));
        }
    }
    Ok(())
}
