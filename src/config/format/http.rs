//! Addresses, URLs, headers and statuses.

use std::net::SocketAddr;

use http::uri::Authority;
use http::{HeaderName, Uri};
use ipnet::IpNet;
use schemars::{Schema, json_schema};

use super::path::canonical;
use super::{Format, text};
use crate::meter::{HostPattern, NoHost, StatusSet};
use crate::proxy::HttpVersion;
use crate::tls::Version;

/// The base URL of an upstream.
#[derive(Clone, Debug)]
pub(in crate::config) struct Upstream(pub(in crate::config) Uri);

/// Another host of an upstream: a name or an address, with a port unless it is the scheme's own.
#[derive(Clone, Debug)]
pub(in crate::config) struct Host(pub(in crate::config) Authority);

/// Scheme and host of this gateway.
#[derive(Clone, Debug)]
pub(in crate::config) struct Origin(pub(in crate::config) String);

impl Format for Host {
    fn read(text: &str) -> Result<Self, String> {
        let say = "a host is a name or an address, and perhaps a port: queue.example.com";
        let authority: Authority = text.to_ascii_lowercase().parse().map_err(|_| say)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(say.to_owned());
        }
        Ok(Self(authority))
    }

    fn schema() -> Schema {
        text("authority", "^[^@/?# ]+$")
    }
}

impl Format for HostPattern {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: NoHost| error.to_string())
    }

    fn schema() -> Schema {
        text("asked-host", "^([*][.])?[^*@/?# ]+$")
    }
}

impl Format for Origin {
    fn read(text: &str) -> Result<Self, String> {
        let Upstream(uri) = Upstream::read(text)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("a URL begins with http:// or https:// and a host".to_owned());
        };
        if uri.path() != "/" {
            return Err("this URL has no path: https://ai.example.com".to_owned());
        }
        Ok(Self(format!("{scheme}://{authority}")))
    }

    fn schema() -> Schema {
        text("origin", "^https?://[^@/?#]+/?$")
    }
}

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

impl Format for HttpVersion {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            _ => Err("a version of HTTP is 1, 2 or auto".to_owned()),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": ["string", "integer"], "format": "http-version", "pattern": "^(auto|1|2)$",
        })
    }
}

impl Format for Version {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(Self::V12),
            "1.3" => Ok(Self::V13),
            _ => Err("a version of TLS is 1.2 or 1.3".to_owned()),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": ["string", "number"], "format": "tls-version", "pattern": "^1[.][23]$",
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
            .trim_end_matches('/')
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
