//! Where a Redis is: URLs, servers, the beginning of its keys' names.
//!
//! Invariant: no sentence quotes what was written: a password may stand in it.

use schemars::Schema;

use super::{Format, text};
use crate::ledger::redis::{Address, Login};

/// The port of a URL that names none.
const PORT: u16 = 6379;
/// The longest prefix, in bytes: it stands in the name of every key.
const PREFIX_MAX: usize = 64;

/// `rediss://user:password@host:port/database`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct RedisUrl {
    /// Whether with TLS.
    pub(in crate::config) tls: bool,
    /// Who logs in.
    pub(in crate::config) login: Login,
    /// Where.
    pub(in crate::config) address: Address,
    /// The number of the database, if it is named.
    pub(in crate::config) database: Option<u32>,
}

/// What the name of every key begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Prefix(pub(in crate::config) String);

impl Format for RedisUrl {
    fn read(text: &str) -> Result<Self, String> {
        let say = "it is written redis://user:password@host:6379/0, with rediss:// for TLS";
        let (scheme, rest) = text.split_once("://").ok_or(say)?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(say.to_owned()),
        };
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.contains(['?', '#']) || path.contains('@') {
            let say = "it ends with the database; in a user or password `/`, `?` and `#` are \
                       written %2F, %3F and %23";
            return Err(say.to_owned());
        }
        let (login, server) = place.rsplit_once('@').unwrap_or(("", place));
        let database = match path {
            "" => None,
            number => Some(number.parse().map_err(|_| "a database is a number".to_owned())?),
        };
        Ok(Self { tls, login: login_of(login)?, address: server_of(server, Some(PORT))?, database })
    }

    fn schema() -> Schema {
        text("redis-url", "^(redis|valkey)s?://[^?#]+$")
    }
}

fn login_of(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let some = |text: &str| Ok::<_, String>(Some(decoded(text)?).filter(|text| !text.is_empty()));
    Ok(Login { user: some(user)?, password: some(password)? })
}

/// With `%41` read as `A`.
fn decoded(text: &str) -> Result<String, String> {
    let say = "in a user or password `%` begins two hexadecimal digits, and is itself written %25";
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(say)?;
        // A sign is a number to the standard library.
        let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal).ok_or(say)?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| say.to_owned())
}

fn server_of(text: &str, port: Option<u16>) -> Result<Address, String> {
    let say = "a server is a name or an IP address and a port: redis-1:6379 or [::1]:6379";
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(say)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| say)?;
            (host, rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    if host.is_empty() || !host.bytes().all(good) {
        return Err(say.to_owned());
    }
    let digits = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    let port = match rest.strip_prefix(':').filter(digits) {
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None if rest.is_empty() => port,
        None => None,
    };
    Ok(Address { host: host.to_owned(), port: port.ok_or(say)? })
}

impl Format for Address {
    fn read(text: &str) -> Result<Self, String> {
        server_of(text, None)
    }

    fn schema() -> Schema {
        text("server", "^[^@/ ]+:[0-9]+$")
    }
}

impl Format for Prefix {
    fn read(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"_-:".contains(&b);
        if text.len() > PREFIX_MAX || !text.bytes().all(good) {
            return Err(format!(
                "a prefix has at most {PREFIX_MAX} letters, digits, `_`, `-` or `:`"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        text("prefix", "^[A-Za-z0-9_:-]{0,64}$")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |tls, user: &str, password: &str, host: &str, port, database| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let login = Login { user: some(user), password: some(password) };
            RedisUrl { tls, login, address: Address { host: host.to_owned(), port }, database }
        };
        for (text, read) in [
            ("redis://127.0.0.1", url(false, "", "", "127.0.0.1", 6379, None)),
            ("redis://redis:7000/", url(false, "", "", "redis", 7000, None)),
            ("valkey://v.internal/3", url(false, "", "", "v.internal", 6379, Some(3))),
            ("rediss://:pw@[::1]:6380/0", url(true, "", "pw", "::1", 6380, Some(0))),
            ("redis://u@h", url(false, "u", "", "h", 6379, None)),
            ("redis://u:a%40b%2f%c3%a9:c@h", url(false, "u", "a@b/é:c", "h", 6379, None)),
            ("redis://u:a@b@h", url(false, "u", "a@b", "h", 6379, None)),
        ] {
            assert_eq!(RedisUrl::read(text), Ok(read), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_not_quoted() {
        for text in [
            "",
            "hunter2",
            "http://hunter2",
            "redis://",
            "redis://:hunter2@",
            "redis://u:hunter2",
            "redis://u:hunter2@h:0",
            "redis://u:hunter2@h:+1",
            "redis://u:hunter2@h:6379x",
            "redis://u:hunter2@h/x",
            "redis://u:hunter/2@h",
            "redis://u:hunter2?@h",
            "redis://u:hunter2#@h",
            "redis://u:hunter2%4@h",
            "redis://u:hunter2%+4@h",
            "redis://u:hunter2%ff@h",
            "redis://u:hunter2@[::g]:1",
            "redis://h/0?password=hunter2",
            "redis://two words",
        ] {
            let say = RedisUrl::read(text).unwrap_err();
            assert!(!say.contains("hunter"), "{text}: {say}");
        }
    }

    #[test]
    fn servers_and_prefixes() {
        for good in ["redis-1:6379", "10.0.0.1:1", "[fd00::1]:6379", "a_b.c:65535"] {
            assert_eq!(Address::read(good).map(|read| read.to_string()), Ok(good.to_owned()));
        }
        for bad in ["redis", ":6379", "h:", "h:65536", "::1:6379", "[::1]", "h:1/0", "u@h:1"] {
            assert!(Address::read(bad).is_err(), "{bad}");
        }
        for good in ["", "tollgate:", "a_b-C:9"] {
            assert!(Prefix::read(good).is_ok(), "{good}");
        }
        for bad in ["{x}", "a b", "é", &"x".repeat(65)] {
            assert!(Prefix::read(bad).is_err(), "{bad}");
        }
    }
}
