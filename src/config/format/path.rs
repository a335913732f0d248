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

/// What stands before the paths of routes: `/fal`.
#[derive(Clone, Debug)]
pub(in crate::config) struct BasePath(pub(in crate::config) String);

/// Where a preset lies: a path beside the file, or of one that is built in.
#[derive(Clone, Debug)]
pub(in crate::config) struct PresetPath;

/// Where we ask an upstream ourselves: a path and perhaps a query, with `{name}` and `{*name}` anywhere.
#[derive(Clone, Debug)]
pub(in crate::config) struct Asked(pub(in crate::config) String);

impl Asked {
    /// The names of its captures.
    pub(in crate::config) fn captures(&self) -> impl Iterator<Item = &str> {
        let parts = self.0.split('{').skip(1).filter_map(|part| part.split_once('}'));
        parts.map(|(name, _)| name.strip_prefix('*').unwrap_or(name))
    }
}

impl Format for Asked {
    fn read(text: &str) -> Result<Self, String> {
        let say =
            "a path begins with /, and perhaps has a query: /v1/jobs/{id} or /v1/query?task={id}";
        let good = |c: char| c.is_ascii_graphic() && !"#\"<>\\^`|".contains(c);
        let pairs = text.split('{').skip(1).all(|part| {
            part.split_once('}').is_some_and(|(name, after)| {
                let name = name.strip_prefix('*').unwrap_or(name);
                !name.is_empty() && !name.contains(['{', '/']) && !after.contains('}')
            })
        });
        let first = text.split('{').next().unwrap_or_default();
        if !text.starts_with('/') || !text.chars().all(good) || !pairs || first.contains('}') {
            return Err(say.to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        text("asked", "^/[^ #]*$")
    }
}

impl Format for Method {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "GET" => Ok(Self::GET),
            "POST" => Ok(Self::POST),
            _ => Err("a job is asked for by GET or POST".to_owned()),
        }
    }

    fn schema() -> Schema {
        text("method", "^(GET|POST)$")
    }
}

impl Format for BasePath {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.ends_with('/') {
            return Err("a path is written here without a slash at its end: /fal".to_owned());
        }
        canonical(text).map(|()| Self(text.to_owned()))
    }

    fn schema() -> Schema {
        text("base-path", "^/.*[^/]$")
    }
}

impl Format for PresetPath {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a preset is named by its path: apis/replicate.yaml".to_owned());
        }
        Ok(Self)
    }

    fn schema() -> Schema {
        text("preset", "^.+$")
    }
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
    /// `{name}`, with text before and after it.
    One(&'a str, &'a str, &'a str),
    /// `{*name}`
    Rest(&'a str),
}

impl<'a> Segment<'a> {
    fn of(text: &'a str) -> Self {
        let parts = text.split_once('{').and_then(|(before, rest)| {
            let (name, after) = rest.split_once('}')?;
            Some((before, name, after))
        });
        match parts {
            None => Self::Text(text),
            Some((before, name, after)) => match name.strip_prefix('*') {
                Some(rest) if before.is_empty() && after.is_empty() => Self::Rest(rest),
                _ => Self::One(before, name, after),
            },
        }
    }

    /// The name of its capture.
    pub(in crate::config) const fn capture(self) -> Option<&'a str> {
        match self {
            Self::Text(_) => None,
            Self::One(_, name, _) | Self::Rest(name) => Some(name),
        }
    }
}

/// The segments of a path template.
pub(in crate::config) fn segments(path: &str) -> impl Iterator<Item = Segment<'_>> {
    path.split('/').skip(1).map(Segment::of)
}

fn template(path: &str) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut plain = String::new();
    for (index, segment) in segments(path).enumerate() {
        match segment {
            Segment::Text(text) => plain.extend(["/", text]),
            Segment::One(before, _, after) => plain.extend(["/", before, "x", after]),
            Segment::Rest(_) => plain.push_str("/x"),
        }
        if matches!(segment, Segment::Rest(_)) && segments(path).count() > index.saturating_add(1) {
            let say = "`{*name}` stands for the rest of a path: nothing comes after it";
            return Err(say.to_owned());
        }
        if let Some(name) = segment.capture() {
            capture(name, &seen)?;
            seen.push(name);
        }
    }
    if !path.starts_with('/') {
        return Err("a path begins with /".to_owned());
    }
    // A slash at the very end makes another path, which some services want.
    canonical(plain.strip_suffix('/').unwrap_or(&plain))
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
            return Err("a path has no empty segment: no `//`".to_owned());
        }
        if segment.ends_with('.') {
            return Err("no segment of a path is `.` or `..` or ends with a dot".to_owned());
        }
        let good = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,=:@".contains(c);
        if let Some(c) = segment.chars().find(|c| !good(*c)) {
            let say = "a segment has letters, digits, -._~!$&'()*+,=:@ and at most one {capture}";
            return Err(format!("{c:?} does not belong into a path: {say}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_may_match() {
        for good in [
            "GET /",
            "POST /v1/images",
            "POST /v1/voices/",
            "POST /v1/images/{id}",
            "POST /v1beta/models/{model}:generateContent",
            "POST /v1/{kind}/{*rest}",
        ] {
            assert!(Match::read(good).is_ok(), "{good}");
        }
        for bad in [
            "GET",
            "GET v1",
            "GET  /v1",
            "get /v1",
            "GET /v1//x",
            "GET /v1/x//",
            "GET //",
            "GET /v1/./x",
            "GET /v1/..",
            "GET /v1/x.",
            "GET /v1/%41",
            "GET /v1/x;y",
            "GET /v1/x?y=1",
            "GET /v1/{}",
            "GET /v1/{Id}",
            "GET /v1/{a}{b}",
            "GET /v1/{a",
            "GET /v1/a}",
            "GET /v1/x{*rest}",
            "GET /v1/{*rest}/x",
            "GET /v1/{a}/{a}",
            "GET /v1/é",
        ] {
            assert!(Match::read(bad).is_err(), "{bad}");
        }
    }
}
