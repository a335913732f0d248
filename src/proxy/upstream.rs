//! Upstreams: one pool of connections for each core and service.
//!
//! hyper-util's client pools, re-dials and speaks TLS; it sends a request a second time only if no byte of it
//! was written. Idle connections are dropped after four seconds, before servers that close at five do.
//!
//! Invariant: redirects are not followed, and nothing is sent anywhere but to the configured authority.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::LengthLimitError;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::body::Outgoing;
use super::settings::{Credentials, Timeouts, UpstreamSettings};

/// How long a connection may be idle before it is dropped.
const IDLE: Duration = Duration::from_secs(4);
/// How many idle connections one core keeps to one upstream.
const IDLE_MAX: usize = 256;

/// One core's way to a service.
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    scheme: Scheme,
    authority: Authority,
    /// What stands before every path; without a trailing slash.
    prefix: String,
    settings: Arc<super::settings::ProxySettings>,
    index: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum SendError {
    /// No connection came about: nothing was forwarded. The text is for the log.
    NeverSent(String),
    /// The request may have arrived, and its answer is lost. The text is for the log.
    Lost(String),
    /// The request's body went beyond its limit; a part of it has been sent.
    TooLarge,
}

/// Tells whether a request may have been sent: before there is a connection for it, no byte of it was.
#[derive(Debug)]
pub(super) struct Dialled(CaptureConnection);

impl Dialled {
    /// Watches `request`, which is about to be sent.
    pub(super) fn of(request: &mut Request<Outgoing>) -> Self {
        Self(capture_connection(request))
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
        let tls = client_config(own.ca_file.as_deref())?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(Duration::from_millis(own.timeouts.connect_ms)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        let parts = own.base.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(io::Error::other(format!("{}: no scheme or host", own.name)));
        };
        let prefix = own.base.path().trim_end_matches('/').to_owned();
        Ok(Self { client, scheme, authority, prefix, settings: settings.clone(), index })
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

    /// Where a request of this path goes; the path's bytes stay as they were priced.
    ///
    /// # Errors
    /// When prefix and path make no URI.
    pub fn target(&self, asked: Option<&PathAndQuery>) -> Result<Uri, http::Error> {
        let asked = asked.map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{asked}", self.prefix))
            .build()
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// Whether nothing was sent, or nobody knows.
    pub async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, SendError> {
        self.client.request(request).await.map_err(|error| {
            let told = chain(&error);
            match error {
                error if error.is_connect() => SendError::NeverSent(told),
                error if is_too_large(&error) => SendError::TooLarge,
                _ => SendError::Lost(told),
            }
        })
    }
}

/// Whether a body that is passed on was longer than it may be.
fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
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

/// TLS to upstreams: the public roots, and the operator's beside them.
pub(super) fn client_config(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let named = |error: &dyn fmt::Display| {
            io::Error::other(format!("{}: no usable certificates: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| named(&error))? {
            let certificate = certificate.map_err(|error| named(&error))?;
            roots.add(certificate).map_err(|error| named(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
