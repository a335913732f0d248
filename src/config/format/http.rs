//! Addresses, URLs, headers, statuses and what a route matches.

use std::net::SocketAddr;

use http::{HeaderName, Method, Uri};
use ipnet::IpNet;
use schemars::{Schema, json_schema};

use super::{Format, text};
use crate::meter::StatusSet;

/// The base URL of an upstream.
#[derive(Clone, Debug)]
pub(in crate::config) struct Upstream(pub(in crate::config) Uri);

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

impl Format for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            "an address is an IP address and a port: 127.0.0.1:8080 or [::1]:8080".to_owned()
        })
    }

    fn schema() -> Schema {
        text("address", "^.+:[0-9]+$")
    }
}

impl Format for IpNet {
    fn read(text: &str) -> Result<Self, String> {
        let alone = || text.parse::<std::net::IpAddr>().ok().map(Self::from);
        text.parse()
            .ok()
            .or_else(alone)
            .ok_or_else(|| "a network is written like 10.0.0.0/8 or fd00::/8".to_owned())
    }

    fn schema() -> Schema {
        text("network", "^[0-9a-fA-F.:]+(/[0-9]+)?$")
    }
}

impl Format for HeaderName {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("`{text}` is not the name of a header, such as x-api-key"))
    }

    fn schema() -> Schema {
        text("header", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    }
}

impl Format for StatusSet {
    fn read(text: &str) -> Result<Self, String> {
        let say = || "a status is written 404, 4xx or 500-599".to_owned();
        let (first, last) = match (text.split_once('-'), text.strip_suffix("xx")) {
            (Some((first, last)), _) => (status(first), status(last)),
            (None, Some(hundreds)) => {
                (status(&format!("{hundreds}00")), status(&format!("{hundreds}99")))
            }
            (None, None) => (status(text), status(text)),
        };
        let (first, last) = (first.ok_or_else(say)?, last.ok_or_else(say)?);
        if first > last {
            return Err(format!("no status is both at least {first} and at most {last}"));
        }
        Ok(Self { first, last })
    }

    fn schema() -> Schema {
        json_schema!({
            "type": ["string", "integer"], "format": "status", "pattern": "^[1-5](xx|[0-9]{2}(-[1-5][0-9]{2})?)$",
        })
    }
}

fn status(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|status| digits && (100..600).contains(status))
}

impl Format for Upstream {
    fn read(text: &str) -> Result<Self, String> {
        let uri: Uri = text
            .parse()
            .map_err(|_| "a URL is written like https://api.example.com/v1".to_owned())?;
        let authority =
            uri.authority().ok_or("a URL begins with http:// or https:// and a host")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("a URL begins with http:// or https://".to_owned());
        }
        if authority.as_str().contains('@') {
            return Err("a URL carries no user and password here: use `credentials`".to_owned());
        }
        if authority.host().is_empty() {
            return Err("a URL has a host".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("the URL of an upstream ends with its path: no `?` and no `#`".to_owned());
        }
        canonical(uri.path().trim_end_matches('/'))?;
        Ok(Self(uri))
    }

    fn schema() -> Schema {
        text("url", "^https?://[^@?#]+$")
    }
}

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
