//! The command line's HTTP client: one request, the whole answer.
//!
//! Invariant: an answer is read up to a bound and for a bounded time; no server can fill our memory or
//! hold a command for ever.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// The largest answer that is read.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// The longest that an exchange may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An HTTP client with a pool of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Answer {
    /// Its body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens there: the request was not sent.
    #[error("no server at {0}")]
    NoServer(String),
    /// It went wrong on the way; the server may have acted.
    #[error("the exchange broke off: {0}")]
    Broken(String),
    /// It took too long; the server may have acted.
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    TimedOut,
}

impl Client {
    /// A new client, which trusts the public certificate authorities.
    ///
    /// # Errors
    /// When there is no cryptography to be had.
    pub fn new() -> io::Result<Self> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(io::Error::other)?;
        Ok(Self::over(builder))
    }

    /// A new client, which trusts the certificates of a PEM file and no others.
    ///
    /// # Errors
    /// When the file cannot be read or has no certificate.
    pub fn trusting(file: &Path) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
            let certificate = certificate.map_err(io::Error::other)?;
            roots.add(certificate).map_err(io::Error::other)?;
        }
        if roots.is_empty() {
            return Err(io::Error::other("there is no certificate in it"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::over(HttpsConnectorBuilder::new().with_tls_config(config)))
    }

    fn over(builder: HttpsConnectorBuilder<WantsSchemes>) -> Self {
        Self(
            Pool::builder(TokioExecutor::new())
                .build(builder.https_or_http().enable_http1().build()),
        )
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|error| {
                if error.is_connect() {
                    NoAnswer::NoServer(authority)
                } else {
                    NoAnswer::Broken(causes(&error))
                }
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, BODY_MAX).collect().await;
            let body = body.map_err(|error| NoAnswer::Broken(causes(error.as_ref())))?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let timed = tokio::time::timeout(PATIENCE, exchange).await;
        timed.unwrap_or(Err(NoAnswer::TimedOut))
    }
}

/// An error with what lies behind it, in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
