//! Upstreams: one pool of connections for each core and service.
//!
//! hyper-util's client pools, re-dials and speaks TLS, and HTTP/2 on one connection for all; it sends a request
//! a second time only if no byte of it was written. Idle connections are dropped after four seconds, before servers that close at five do.
//!
//! Invariant: redirects are not followed, and nothing is sent anywhere but to the configured authority and,
//! for jobs that it says are there, to the other hosts that are declared.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::Outgoing;
use super::settings::{Credentials, HttpVersion, Timeouts, UpstreamSettings};
use super::upload::{Fault, Faults};
use crate::tls;

/// How long a connection may be idle before it is dropped.
const IDLE: Duration = Duration::from_secs(4);
/// How many idle connections one core keeps to one upstream.
const IDLE_MAX: usize = 256;
/// The largest head of an answer by HTTP/2, in bytes.
const HEAD_BYTES: u32 = 64 << 10;
/// How much of one answer by HTTP/2 may come before we have passed it on, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
/// How much of all answers on one connection, in bytes.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// After which silence an upstream of HTTP/2 is asked for a sign of life, while requests run: a connection
/// that is dead would take all requests until the system gives it up.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long it may take to give one.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// One core's way to a service.
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    /// For what switches protocols: HTTP/1.1 alone, and no connection is used again.
    switching: Client<HttpsConnector<HttpConnector>, Outgoing>,
    scheme: Scheme,
    authority: Authority,
    /// What stands before every path; without a trailing slash.
    prefix: String,
    settings: Arc<super::settings::ProxySettings>,
    index: usize,
    /// Whether the last answer came by HTTP/2, or that is all that is spoken.
    two: Cell<bool>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum SendError {
    /// No connection came about: nothing was forwarded. The text is for the log.
    NeverSent(String),
    /// The request may have arrived, and its answer is lost. The text is for the log.
    Lost(String),
    /// The request's body was at fault; a part of it has been sent.
    Faulty(Fault),
}

/// Tells whether a request may have been sent: before there is a connection for it, no byte of it was.
#[derive(Debug)]
pub(super) struct Dialled(CaptureConnection);

impl Dialled {
    /// Watches `request`, which is about to be sent.
    pub(super) fn of(request: &mut Request<Outgoing>) -> Self {
        Self(capture_connection(request))
    }

    /// Its connection is not used for another request: where its answer ends is in doubt.
    pub(super) fn no_more(&self) {
        if let Some(connected) = self.0.connection_metadata().as_ref() {
            connected.poison();
        }
    }

    /// Whether there was a connection for it.
    pub(super) fn at_all(&self) -> bool {
        self.0.connection_metadata().is_some()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({}://{}{})", self.scheme, self.authority, self.prefix)
    }
}

impl Upstream {
    /// A pool for the upstream of this index.
    ///
    /// # Errors
    /// When its certificates cannot be read or its URL lacks a scheme or host.
    pub fn open(settings: &Arc<super::settings::ProxySettings>, index: usize) -> io::Result<Self> {
        let own = settings.upstreams.get(index).ok_or_else(|| io::Error::other("no upstream"))?;
        let read = |path: &Path| std::fs::read(path);
        let tls = tls::client(own.ca_file.as_deref(), own.identity.as_ref(), &read)
            .map_err(io::Error::other)?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(Duration::from_millis(own.timeouts.connect_ms)));
        let one = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let one = one.enable_http1().wrap_connector(http.clone());
        let switching = builder(HttpVersion::One).pool_max_idle_per_host(0).build(one);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = match own.http {
            HttpVersion::Auto => connector.enable_http1().enable_http2().wrap_connector(http),
            HttpVersion::One => connector.enable_http1().wrap_connector(http),
            HttpVersion::Two => connector.enable_http2().wrap_connector(http),
        };
        let client = builder(own.http).build(connector);
        let parts = own.base.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(io::Error::other(format!("{}: no scheme or host", own.name)));
        };
        let prefix = own.base.path().trim_end_matches('/').to_owned();
        let (settings, two) = (settings.clone(), Cell::new(own.http == HttpVersion::Two));
        Ok(Self { client, switching, scheme, authority, prefix, settings, index, two })
    }

    fn own(&self) -> Option<&UpstreamSettings> {
        self.settings.upstreams.get(self.index)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.own().map_or("", |own| own.name.as_str())
    }

    /// The operator's credential for it.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.own().and_then(|own| own.credentials.as_ref())
    }

    /// What it learns of who asks.
    pub(super) fn settings(&self) -> Option<&UpstreamSettings> {
        self.own()
    }

    /// How long to wait for what.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        const NONE: Timeouts =
            Timeouts { connect_ms: 0, first_byte_ms: 0, idle_ms: 0, total_ms: 0 };
        self.own().map_or(NONE, |own| own.timeouts)
    }

    /// One of its other hosts, as it is declared now: `None`: it is none of them. Nothing is sent anywhere else.
    pub(super) fn other(&self, host: &str) -> Option<&Authority> {
        let asked: Authority = host.parse().ok()?;
        let default = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = |one: &Authority| one.port_u16().unwrap_or(default);
        let same = |one: &&Authority| {
            one.host().eq_ignore_ascii_case(asked.host()) && port(one) == port(&asked)
        };
        let others = &self.own()?.hosts;
        others.iter().find(same).filter(|_| !same(&&self.authority))
    }

    /// Where a request of this path goes; the path's bytes stay as they were priced. `host`: which host of it the
    /// request is for; one that is not declared counts as none.
    ///
    /// # Errors
    /// When prefix and path make no URI.
    pub fn target(
        &self,
        asked: Option<&PathAndQuery>,
        host: Option<&str>,
    ) -> Result<Uri, http::Error> {
        let asked = asked.map_or("/", PathAndQuery::as_str);
        let authority = host.and_then(|host| self.other(host)).unwrap_or(&self.authority);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(authority.clone())
            .path_and_query(format!("{}{asked}", self.prefix))
            .build()
    }

    /// Whether it is spoken to by HTTP/1.1, as far as is known.
    #[must_use]
    pub(super) fn speaks_one(&self) -> bool {
        !self.two.get()
    }

    /// Sends a request and waits for the head of its answer. `faults` are those of its body.
    ///
    /// # Errors
    /// Whether nothing was sent, or nobody knows.
    pub(super) async fn send(
        &self,
        request: Request<Outgoing>,
        faults: &Faults,
    ) -> Result<Response<Incoming>, SendError> {
        let switches = request.headers().contains_key(UPGRADE);
        let client = if switches { &self.switching } else { &self.client };
        let answered = client.request(request).await;
        let answer = answered.map_err(|error| {
            let told = chain(&error);
            match (error, faults.found()) {
                (_, Some(fault)) => SendError::Faulty(fault),
                (error, _) if error.is_connect() || is_untouched(&error) => {
                    SendError::NeverSent(told)
                }
                (error, _) if is_clients(&error) => SendError::Faulty(Fault::Broken),
                _ => SendError::Lost(told),
            }
        })?;
        if !switches {
            self.two.set(answer.version() == Version::HTTP_2);
        }
        Ok(answer)
    }
}

fn builder(http: HttpVersion) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MAX)
        .http2_only(http == HttpVersion::Two)
        .http2_max_header_list_size(HEAD_BYTES)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Whether an answer's framing can be read in two ways (RFC 9112 §6.3). hyper has one reading; the upstream
/// may have meant the other, and what it sends next would be taken for the answer to somebody else.
pub(super) fn framed_twice(headers: &http::HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let plain = |value: &http::HeaderValue| !value.as_bytes().contains(&b',');
    let chunked = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), lengths.next()) {
        (None, None) => false,
        (Some(coding), None) => !chunked(coding) || codings.next().is_some(),
        (None, Some(length)) => !plain(length) || lengths.next().is_some(),
        (Some(_), Some(_)) => true,
    }
}

/// Whether an upstream of HTTP/2 says that it has not looked at the request (RFC 9113 §8.7).
fn is_untouched(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return refused && error.is_reset() && error.is_remote();
        }
        cause = error.source();
    }
    false
}

/// Whether it was the body that we were given, not the upstream.
fn is_clients(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An error with its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        told = format!("{told}: {inner}");
        cause = inner.source();
    }
    told
}
