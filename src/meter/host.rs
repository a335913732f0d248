//! Hosts: what a request says it is for, and what routes say they are for.
//!
//! Invariant: a host has one spelling here: lower case, no dot at its end, its port a number.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

/// The longest name of a host, in bytes (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

/// The host that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, or its address; one of IPv6 in brackets.
    name: String,
    port: u16,
}

impl Host {
    /// Reads what `Host` or `:authority` says. `port`: that of the scheme, which holds where none is said.
    /// `None`: it is no name or address, and no route can be for it.
    #[must_use]
    pub fn read(text: &str, port: u16) -> Option<Self> {
        let (name, said) = split(text)?;
        let port = match said {
            None | Some("") => port,
            Some(digits) => number(digits)?,
        };
        Some(Self { name: canonical(name)?, port })
    }

    /// The names under which routes for it stand, the most specific first: its own, then those of what it lies
    /// below, which begin with a dot.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let below = self.name.char_indices().filter(|(_, letter)| *letter == '.');
        let below = below.filter_map(|(at, _)| self.name.get(at..));
        std::iter::once(self.name.as_str()).chain(below.filter(|_| !self.is_address()))
    }

    /// Its port.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    fn is_address(&self) -> bool {
        self.name.starts_with('[') || self.name.parse::<std::net::Ipv4Addr>().is_ok()
    }
}

/// Hosts that a route is for: one, or with `*.` before it all that lie below it, at any depth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// As `Host::names` has it.
    name: String,
    port: Option<u16>,
}

impl HostPattern {
    /// The name under which it stands.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The one port that it is for; `None`: any.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a host is a name or an address, with `*.` before it all names below, with `:` and a port that port alone"
)]
pub struct NoHost;

impl FromStr for HostPattern {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let (name, port) = split(text).ok_or(NoHost)?;
        let port = port.map(|digits| number(digits).ok_or(NoHost)).transpose()?;
        let name = match name.strip_prefix("*.") {
            Some(rest) => {
                let rest = canonical(rest).ok_or(NoHost)?;
                let address = Host { name: rest.clone(), port: 0 }.is_address();
                if address { Err(NoHost) } else { Ok(format!(".{rest}")) }
            }
            None => canonical(name).ok_or(NoHost),
        };
        Ok(Self { name: name?, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.name.starts_with('.') { "*" } else { "" };
        write!(f, "{star}{}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A name, in brackets if it is an address of IPv6, and what stands behind the colon.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let end = if text.starts_with('[') { text.find(']')?.checked_add(1)? } else { 0 };
    let (name, rest) = match text.get(end..)?.find(':') {
        Some(colon) => text.split_at_checked(end.checked_add(colon)?)?,
        None => (text, ""),
    };
    Some((name, rest.strip_prefix(':')))
}

fn number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

/// The one spelling of a name or an address.
fn canonical(name: &str) -> Option<String> {
    if let Some(address) = name.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    // A dot at the end says that the name is whole (RFC 1034 §3.1), as every name here is.
    let name = name.strip_suffix('.').unwrap_or(name);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let labels = || name.split('.');
    let sound = labels().all(|label| !label.is_empty() && label.bytes().all(good));
    (sound && name.len() <= NAME_MAX).then(|| name.to_ascii_lowercase())
}

/// Whether a URL is at this host and port. A port that is not said is the usual one of the URL's scheme.
#[must_use]
pub fn is_at(url: &Uri, host: &Authority) -> bool {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let same = |authority: &Authority| {
        host.host().eq_ignore_ascii_case(authority.host())
            && host.port_u16().unwrap_or(default) == authority.port_u16().unwrap_or(default)
    };
    url.authority().is_some_and(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (text, read) in [
            ("Queue.Example.COM", Some(("queue.example.com", 443))),
            ("queue.example.com.", Some(("queue.example.com", 443))),
            ("queue.example.com:8443", Some(("queue.example.com", 8443))),
            ("queue.example.com.:8443", Some(("queue.example.com", 8443))),
            ("queue.example.com:", Some(("queue.example.com", 443))),
            ("127.0.0.1:80", Some(("127.0.0.1", 80))),
            ("[::1]", Some(("[::1]", 443))),
            ("[0:0::0:1]:8080", Some(("[::1]", 8080))),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a.b..", None),
            ("a b", None),
            ("a/b", None),
            ("a%2Eb", None),
            ("user@a", None),
            ("a:b", None),
            ("a:+80", None),
            ("a:0", None),
            ("a:65536", None),
            ("a:80:80", None),
            ("[::1", None),
            ("[::1]x", None),
            ("::1", None),
            ("é.example.com", None),
        ] {
            let host = read.map(|(name, port)| Host { name: name.to_owned(), port });
            assert_eq!(Host::read(text, 443), host, "{text}");
        }
        assert_eq!(Host::read(&"a.".repeat(127), 80).unwrap().names().count(), 127);
        assert_eq!(Host::read(&format!("{}a", "a.".repeat(127)), 80), None);
    }

    #[test]
    fn names_from_the_most_specific_on() {
        let names = |text: &str| {
            let host = Host::read(text, 80).unwrap();
            host.names().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names("a.b.example"), ["a.b.example", ".b.example", ".example"]);
        assert_eq!(names("localhost"), ["localhost"]);
        assert_eq!(names("127.0.0.1"), ["127.0.0.1"]);
        assert_eq!(names("[::1]"), ["[::1]"]);
    }

    #[test]
    fn patterns() {
        for (text, shown) in [
            ("Queue.example.com", Some("queue.example.com")),
            ("*.Example.com.", Some("*.example.com")),
            ("*.example.com:8443", Some("*.example.com:8443")),
            ("[::1]:80", Some("[::1]:80")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("*", None),
            ("*.", None),
            ("*example.com", None),
            ("a.*.com", None),
            ("**.com", None),
            ("*.10.0.0.1", None),
            (".example.com", None),
            ("example.com:", None),
            ("example.com:x", None),
            ("https://example.com", None),
            ("example.com/v1", None),
            ("", None),
        ] {
            let read = text.parse::<HostPattern>().ok();
            assert_eq!(read.map(|read| read.to_string()).as_deref(), shown, "{text}");
        }
    }
}
