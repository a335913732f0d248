//! One connection of a client that speaks HTTP/1.1 or HTTP/2, in clear or under TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::redis_server::pki::Pki;
use crate::wire::{Ask, trusting};
use crate::world::World;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    One,
    Two,
    OneTls,
    TwoTls,
}

pub(super) const WAYS: [Way; 4] = [Way::One, Way::Two, Way::OneTls, Way::TwoTls];

impl Way {
    pub(super) const fn is_two(self) -> bool {
        matches!(self, Self::Two | Self::TwoTls)
    }

    /// A world whose clients' listener speaks so.
    #[track_caller]
    pub(super) fn world(self, pki: &Pki, changes: &[(&str, &str)]) -> World {
        match self {
            Self::One | Self::Two => World::start(changes),
            Self::OneTls | Self::TwoTls => World::start_tls(pki, "", changes),
        }
    }
}

/// A body of a request.
pub(super) type Sent = BoxBody<Bytes, std::io::Error>;

pub(super) fn whole(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A connection.
pub(super) enum Line {
    One(http1::SendRequest<Sent>),
    Two(http2::SendRequest<Sent>),
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Told {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(super) fn problem(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn charge(&self) -> String {
        self.header("credits-charge-id").to_owned()
    }

    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self
    }
}

/// Runs `work` on a runtime of its own.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE * 2, work).await.expect("it took too long")
    })
}

impl Line {
    /// A connection to the gateway.
    pub(super) async fn open(way: Way, to: SocketAddr, ca: &Path) -> Self {
        Self::open_as(way, to, ca, None).await.unwrap()
    }

    /// The same; a client that shows its own certificate.
    pub(super) async fn open_as(
        way: Way,
        to: SocketAddr,
        ca: &Path,
        own: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        match way {
            Way::One | Way::Two => Self::speak(way, stream).await,
            Way::OneTls | Way::TwoTls => {
                let inside: &[u8] = if way.is_two() { b"h2" } else { b"http/1.1" };
                let config = trusting(ca, &[inside], own);
                let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
                let name = ServerName::try_from("localhost").unwrap();
                let stream = connector.connect(name, stream).await?;
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(inside));
                Self::speak(way, stream).await
            }
        }
    }

    /// Speaks over what is connected.
    pub(super) async fn speak(
        way: Way,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TokioIo::new(stream);
        Ok(if way.is_two() {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            spawn(async move { drop(connection.await) });
            Self::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            spawn(async move { drop(connection.await) });
            Self::One(sender)
        })
    }

    /// Sends a request; its answer's head.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// A request for this connection.
    pub(super) fn request(&self, ask: &Ask) -> Request<Sent> {
        self.request_with(ask, whole(ask.body.clone()))
    }

    /// The same with another body.
    pub(super) fn request_with(&self, ask: &Ask, body: Sent) -> Request<Sent> {
        let (uri, host) = match self {
            Self::One(_) => (ask.path.clone(), Some("gateway")),
            Self::Two(_) => (format!("http://gateway{}", ask.path), None),
        };
        let mut request = Request::builder().method(ask.method.as_str()).uri(uri);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.body(body).unwrap()
    }

    /// Asks and reads the whole answer.
    pub(super) async fn ask(&mut self, ask: &Ask) -> Told {
        let request = self.request(ask);
        let answered = self.send(request).await;
        told(answered.unwrap_or_else(|error| panic!("{} {}: {error:?}", ask.method, ask.path)))
            .await
            .unwrap()
    }
}

/// Reads an answer to its end.
pub(super) async fn told(response: Response<Incoming>) -> hyper::Result<Told> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = StatusCode::as_u16(&head.status);
    Ok(Told { status, headers: head.headers, body: body.to_bytes(), trailers })
}

/// Starts a task of a test.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tollgate::seam::Tasks::default().spawn_free(task);
}
