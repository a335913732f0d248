//! A service behind the gateway that speaks what it is told to, and remembers what it was asked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tollgate::tls::{ClientCertificates, IdentityFiles, ServerFiles, Version as Oldest, server};

use super::line::spawn;
use crate::redis_server::pki::Pki;

/// What a request was.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) version: Version,
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

/// What it speaks in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    One,
    Two,
    /// HTTP/2, and it refuses every stream without a look at it.
    Refusing,
}

/// See the module.
pub(super) struct Service {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    pub(super) fn in_clear(speaks: Speaks) -> Self {
        Self::start(speaks, None)
    }

    /// Under TLS, with a certificate of `pki`, and both versions on offer; whoever comes must show a
    /// certificate of `clients`.
    pub(super) fn under_tls(pki: &Pki, clients: Option<&Path>) -> Self {
        let (certificate, key) = pki.certify(&["localhost"]);
        let files = ServerFiles {
            identity: IdentityFiles { certificate, key },
            clients: clients.map(|file| (file.to_owned(), ClientCertificates::Required)),
            oldest: Oldest::V12,
        };
        let served = server(&files, &|path| std::fs::read(path)).unwrap();
        Self::start(Speaks::Two, Some(tokio_rustls::TlsAcceptor::from(served.config)))
    }

    fn start(speaks: Speaks, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::default(), Arc::default());
        let own: (Arc<Mutex<Vec<Seen>>>, Arc<Mutex<usize>>) =
            (Arc::clone(&seen), Arc::clone(&connections));
        let (stop, stopped) = oneshot::channel();
        let thread = tollgate::seam::thread("service", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, speaks, tls, own) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { addr, seen, connections, stop: Some(stop), thread: Some(thread.unwrap()) }
    }

    /// What it was asked, in the order in which the requests ended.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections it has taken.
    pub(super) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

async fn accept(
    listener: TcpListener,
    speaks: Speaks,
    tls: Option<tokio_rustls::TlsAcceptor>,
    (seen, connections): (Arc<Mutex<Vec<Seen>>>, Arc<Mutex<usize>>),
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        *connections.lock().unwrap() += 1;
        let (tls, seen) = (tls.clone(), Arc::clone(&seen));
        spawn(async move {
            match tls {
                None if speaks == Speaks::Refusing => refuse(stream).await,
                None => speak(stream, speaks == Speaks::Two, seen).await,
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    speak(stream, two, seen).await;
                }
            }
        });
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    two: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let stream = TokioIo::new(stream);
    let service = service_fn(move |request| {
        let seen = Arc::clone(&seen);
        async move { answer(request, &seen).await }
    });
    if two {
        let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service);
        drop(serving.await);
    } else {
        drop(http1::Builder::new().serve_connection(stream, service).await);
    }
}

/// Answers with one image and a trailer, and with nothing that is asked for by `x-then`.
async fn answer(
    request: Request<Incoming>,
    seen: &Mutex<Vec<Seen>>,
) -> hyper::Result<Response<BoxBody<Bytes, std::io::Error>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    let body = body.to_bytes();
    let (version, uri, headers) = (head.version, head.uri.to_string(), head.headers.clone());
    seen.lock().unwrap().push(Seen { version, uri, headers, body, trailers });
    if head.headers.contains_key("x-slowly") {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut trailers = HeaderMap::new();
    for (name, value) in [("x-checksum", "abc"), ("credits-charged", "0"), ("set-cookie", "a=b")] {
        trailers.insert(name, value.parse().unwrap());
    }
    let body = Frame::data(Bytes::from_static(b"{\"data\":[1]}"));
    let frames = [body, Frame::trailers(trailers)].map(Ok::<_, std::io::Error>);
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)));
    let mut response = Response::new(body);
    for (name, value) in [
        ("content-type", "application/json"),
        ("trailer", "x-checksum, credits-charged, set-cookie"),
        ("server", "a service"),
        ("date", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    Ok(response)
}

/// Resets every stream as one that it has not looked at.
async fn refuse(stream: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    }
}
