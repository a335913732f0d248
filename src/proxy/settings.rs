//! What a configuration says about upstreams and limits, once it has been resolved.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Uri};
use ipnet::IpNet;

use crate::credit::Name;
use crate::meter::{HookSecret, Receiver};
use crate::tls::IdentityFiles;

/// Everything that the path of a request goes by, beside the meter's rules.
#[derive(Debug)]
pub struct ProxySettings {
    /// The upstreams; routes refer to them by index.
    pub upstreams: Vec<UpstreamSettings>,
    /// Bounds on what a client may send.
    pub limits: Limits,
    /// The folder for bodies that are read before they are priced; `None`: the instance's own.
    pub spool_folder: Option<PathBuf>,
    /// The local flood guard.
    pub flood: FloodSettings,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Our name in `Via`.
    pub via: Name,
    /// The path prefix of the client plane, without a trailing slash: `/_credits`.
    pub client_prefix: String,
    /// Every header by which some service learns who asks: no client says them to any.
    pub identity_headers: Vec<HeaderName>,
    /// Whether our own listener speaks TLS.
    pub tls: bool,
    /// Scheme and host by which the world reaches us; `None`: what each request says of it.
    pub public_url: Option<String>,
    /// What our webhook URLs are sealed with, and whom they may lead to; `None`: there are none.
    pub webhooks: Option<WebhookSettings>,
    /// The URLs that upstreams call for all their jobs.
    pub receivers: Vec<Arc<Receiver>>,
}

impl ProxySettings {
    /// The port of the scheme that clients speak to our own listener.
    #[must_use]
    pub const fn port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }
}

/// What all webhooks have in common.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// What our URLs are sealed with.
    pub secret: HookSecret,
    /// Whether clients may be called at private addresses.
    pub private_addresses: bool,
}

/// A service that does the work.
#[derive(Debug)]
pub struct UpstreamSettings {
    /// Its name.
    pub name: Name,
    /// Scheme, authority and an optional path prefix.
    pub base: Uri,
    /// Its other hosts, in lower case.
    pub hosts: Vec<Authority>,
    /// The operator's credential that is put on every request.
    pub credentials: Option<Credentials>,
    /// A file of PEM certificates to trust beside the public roots.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate for it.
    pub identity: Option<IdentityFiles>,
    /// Which HTTP it is spoken to with.
    pub http: HttpVersion,
    /// By which headers it learns who asks; for services that know accounts.
    pub identity_headers: IdentityHeaders,
    /// Whether and how it learns the client's address.
    pub client_address: ClientAddress,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// Which HTTP an upstream is spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// What both sides prefer under TLS (ALPN), 1.1 in clear.
    Auto,
    /// HTTP/1.1.
    One,
    /// HTTP/2; in clear by prior knowledge (RFC 9113 §3.3).
    Two,
}

/// By which headers a service learns who asks; `None`: it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The account's id.
    pub account: Option<HeaderName>,
    /// The key's id.
    pub key: Option<HeaderName>,
    /// The charge's id; not sent where nothing is charged.
    pub charge: Option<HeaderName>,
}

impl IdentityHeaders {
    /// Those that are declared.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.account, &self.key, &self.charge].into_iter().flatten()
    }
}

/// Whether and how a service learns the client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// Not at all.
    #[default]
    None,
    /// By `X-Forwarded-For`, `-Host` and `-Proto`.
    XForwarded,
    /// By `Forwarded` (RFC 7239).
    Forwarded,
}

/// A header with the operator's secret. Never printed.
pub struct Credentials {
    /// Which header.
    pub header: HeaderName,
    /// Its whole value, marked sensitive.
    pub value: HeaderValue,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}: …)", self.header)
    }
}

/// How long to wait for an upstream, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect_ms: u64,
    /// From the request to the head of the answer.
    pub first_byte_ms: u64,
    /// Between two parts of a body.
    pub idle_ms: u64,
    /// For the whole exchange.
    pub total_ms: u64,
}

/// Bounds on what a client may send and on what runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the PROXY header and the TLS handshake of a new connection, in milliseconds.
    pub handshake_ms: u64,
    /// For the head of a request, in milliseconds.
    pub head_ms: u64,
    /// Between two requests of a connection, in milliseconds.
    pub idle_ms: u64,
    /// For a client to take the next part of an answer, in milliseconds.
    pub stall_ms: u64,
    /// How many bytes a second a body must bring at least; 0: as slow as it likes.
    pub body_rate: u64,
    /// For a body that must be read before it can be priced, in milliseconds.
    pub body_ms: u64,
    /// For a body that is read before it is priced and may lie on the disk, in milliseconds.
    pub upload_ms: u64,
    /// The largest head in bytes.
    pub head_bytes: usize,
    /// The most headers.
    pub headers: usize,
    /// The most requests of one core at once, over all its connections.
    pub requests: usize,
    /// The most requests of one HTTP/2 connection at once.
    pub streams: u32,
    /// The most streams of an HTTP/2 connection that may be reset before they were looked at.
    pub resets: usize,
    /// The most malformed streams of an HTTP/2 connection.
    pub stream_errors: usize,
    /// After which silence an HTTP/2 client is asked for a sign of life, in milliseconds.
    pub ping_ms: u64,
    /// The most exchanges of one core at once; the settler's queue is as long.
    pub exchanges: usize,
    /// The most client connections of one core at once.
    pub connections: usize,
    /// The most bytes of bodies that are read before they are priced, of one core at once.
    pub bodies: u64,
    /// The most bytes of bodies on the disk that are not yet sent, of one core at once.
    pub spool: u64,
    /// For running exchanges at shutdown, in milliseconds.
    pub drain_ms: u64,
}

/// The flood guard: a rate per address and one per failing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodSettings {
    /// Requests per second from one address; the same at once.
    pub per_address: u32,
    /// Failed keys per minute from one address before its requests are refused unread; the same at once.
    pub failures: u32,
    /// How many addresses are remembered at most, in each table.
    pub entries: usize,
}
