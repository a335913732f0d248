//! Fetches one small document for ourselves, such as a key set. Not the way of a request.
//!
//! Invariant: redirects are not followed; what is read and how long it takes have bounds; no credential is sent.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::upstream::chain;
use crate::tls;

/// The longest that a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client for one document.
pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

impl Fetcher {
    /// A client that trusts the public roots and those of a file.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn open(ca_file: Option<&Path>) -> io::Result<Self> {
        let read = |path: &Path| std::fs::read(path);
        let config = tls::client(ca_file, None, &read).map_err(io::Error::other)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)))
    }

    /// The body behind `url`, of at most so many bytes.
    ///
    /// # Errors
    /// In words for the log: no answer in time, another status than 200, a longer body.
    pub async fn get(&self, url: &Uri, most: usize) -> Result<Bytes, String> {
        let got = tokio::time::timeout(PATIENCE, self.answer(url, most)).await;
        got.unwrap_or_else(|_| Err(format!("{url}: no answer in {} s", PATIENCE.as_secs())))
    }

    async fn answer(&self, url: &Uri, most: usize) -> Result<Bytes, String> {
        let request = Request::get(url)
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .header(USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answered = self.0.request(request).await;
        let answer = answered.map_err(|error| format!("{url}: {}", chain(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{url}: {}", answer.status()));
        }
        let whole = Limited::new(answer.into_body(), most).collect().await;
        whole.map(http_body_util::Collected::to_bytes).map_err(|error| format!("{url}: {error}"))
    }
}
