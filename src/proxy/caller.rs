//! Calls clients at URLs that they have chosen themselves, and operators at theirs.
//!
//! A client's URL must not lead into the operator's own network (server-side request forgery): names are looked up here
//! and only public addresses are connected to, so that a name cannot mean one thing when it is checked and
//! another when it is used. An operator's own URL may lead there, and clients' with `webhooks.private_addresses`.
//!
//! Invariant: redirects are not followed; how long a call takes has a bound; nothing of the answer is read but its
//! status.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;

use super::headers::strip_hops;
use super::upstream::chain;
use crate::tls;

/// How long a client may take for its answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// See the module.
pub struct Caller {
    client: Client<HttpsConnector<HttpConnector<Public>>, Full<Bytes>>,
    private: bool,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller(private: {})", self.private)
    }
}

impl Caller {
    /// A caller that trusts the public roots; `private`: whether it may call private addresses.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn open(private: bool) -> io::Result<Self> {
        let read = |path: &std::path::Path| std::fs::read(path);
        let config = tls::client(None, None, &read).map_err(io::Error::other)?;
        let mut http = HttpConnector::new_with_resolver(Public { private });
        http.enforce_http(false);
        http.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, private })
    }

    /// Passes an upstream's call on; the answer is for the upstream. `whose` is for the log.
    pub(super) async fn pass_on(
        &self,
        url: Option<&Uri>,
        whose: &str,
        head: Parts,
        body: Bytes,
    ) -> StatusCode {
        match tokio::time::timeout(PATIENCE, self.send(url, head, body)).await {
            Ok(Ok(status)) => {
                tracing::info!(whose, %status, "a webhook was passed on");
                status
            }
            Ok(Err(why)) => {
                tracing::warn!(whose, why, "a webhook could not be passed on");
                StatusCode::BAD_GATEWAY
            }
            Err(_) => {
                tracing::warn!(whose, "a webhook was not taken in time");
                StatusCode::GATEWAY_TIMEOUT
            }
        }
    }

    async fn send(
        &self,
        url: Option<&Uri>,
        mut head: Parts,
        body: Bytes,
    ) -> Result<StatusCode, String> {
        let url = url.cloned().ok_or("its URL cannot be read")?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        // Names are looked up by the resolver; an address is not.
        if !self.private && host.parse::<IpAddr>().is_ok_and(|address| !is_public(address)) {
            return Err("it leads to a private address: webhooks.private_addresses".to_owned());
        }
        let authority = url.authority().map(|one| HeaderValue::try_from(one.as_str()));
        strip_hops(&mut head.headers);
        if let Some(Ok(host)) = authority {
            head.headers.insert(HOST, host);
        }
        head.uri = url;
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        let answered = self.client.request(Request::from_parts(head, Full::new(body))).await;
        answered.map(|answer| answer.status()).map_err(|error| chain(&error))
    }
}

/// Looks names up, and forgets private addresses.
#[derive(Clone, Copy, Debug)]
struct Public {
    private: bool,
}

impl tower::Service<Name> for Public {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let open: Vec<_> =
                found.into_iter().filter(|one| private || is_public(one.ip())).collect();
            if open.is_empty() {
                let why = "its name has no public address: webhooks.private_addresses";
                return Err(io::Error::other(why));
            }
            Ok(open.into_iter())
        })
    }
}

/// Whether an address is one of the open internet (the registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let protocol = a == 192 && b == 0 && c == 0;
            let benchmark = a == 198 && (18..20).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || shared
                || protocol
                || benchmark
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            // Global unicast is 2000::/3; within it 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for
            // documents, 2002::/16 and 64:ff9b::/96 carry IPv4 addresses.
            let global = first & 0xe000 == 0x2000;
            let special = first == 0x2001 && (second < 0x200 || second == 0xdb8);
            global && !special && first != 0x2002 && first != 0x3fff && ip != Ipv6Addr::LOCALHOST
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("192.0.0.8", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("64:ff9b::a00:1", false),
            ("2002:a00:1::", false),
            ("2001:db8::1", false),
            ("2001::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
