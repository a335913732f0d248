//! The life of one connection: PROXY header, TLS, what is spoken, requests, end.
//!
//! Invariant: every wait for a client has a bound; a connection that is over frees its place.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http1::Parts;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::lent::Lent;
use super::life::Life;
use super::progress::Answering;
use super::proxy_header;
use super::stream::{Carrier, Spoken, Stream};
use super::tls::Certificates;
use crate::count::Counter;
use crate::proxy::{Bounds, BoxError, Guarded, Limits, Turns, guarded};
use crate::seam::Tasks;

/// How much of a body one stream of HTTP/2 may send before we have taken it, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
/// How much all streams of a connection may send so.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How much of an answer may wait in one stream, in bytes.
const STREAM_BUFFER: usize = 64 << 10;

/// What the connections of one listener have in common.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) limits: Limits,
    /// `None`: in clear.
    pub(super) tls: Option<Arc<Certificates>>,
    /// Who must send a PROXY header.
    pub(super) proxies: Vec<IpNet>,
    /// Whether heads of HTTP/1.1 are judged before hyper reads them.
    pub(super) guards_heads: bool,
    pub(super) counts: Arc<DoorCounts>,
    /// Requests under way on all its connections.
    pub(super) requests: Rc<Cell<usize>>,
    /// Connections end when they are idle.
    pub(super) drain: CancellationToken,
    /// Connections that were to end do so at once.
    pub(super) cut: CancellationToken,
}

/// Connections that came to nothing.
#[derive(Debug, Default)]
pub(super) struct DoorCounts {
    /// There was no room for them.
    pub(super) turned_away: Counter,
    /// Their PROXY header was missing or broken.
    pub(super) proxy_headers: Counter,
    /// Their TLS handshake failed.
    pub(super) handshakes: Counter,
}

/// Serves a connection to its end; `answer` is called for each of its requests, with the turns of a connection
/// whose heads are guarded.
pub(super) async fn serve<A, F, B>(door: Rc<Door>, stream: TcpStream, peer: SocketAddr, answer: A)
where
    A: Fn(Request<Incoming>, SocketAddr, Option<Turns>) -> F + Clone + 'static,
    F: Future<Output = Response<B>> + 'static,
    B: http_body::Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let arriving = tokio::time::timeout(
        Duration::from_millis(door.limits.handshake_ms),
        arrive(&door, stream, peer),
    );
    // Here and below what has come is looked at before the clock: on a machine that was busy for long, both may
    // be due.
    let arrived = tokio::select! {
        biased;
        arrived = arriving => arrived,
        () = door.drain.cancelled() => return,
    };
    let Ok((carrier, peer)) = arrived.unwrap_or(Err(Turned::TooSlow)).inspect_err(|turned| {
        turned.tell(&door.counts, peer);
    }) else {
        return;
    };
    let life = Life::begin(door.requests.clone());
    let opened = tokio::select! {
        biased;
        opened = Stream::open(carrier, life.clone()) => opened,
        _ = life.over(&door.limits, false) => return,
        () = door.drain.cancelled() => return,
    };
    let Ok((stream, spoken)) = opened else { return };
    life.speaks(spoken);
    let guard = (spoken == Spoken::One && door.guards_heads).then(|| bounds(&door.limits));
    let own = life.clone();
    let answering = move |request: Request<Incoming>, turns: Option<Turns>| {
        let has_body = !http_body::Body::is_end_stream(request.body());
        let (busy, progress) = (own.request(has_body), own.last());
        let answered = answer(request, peer, turns);
        async move {
            let answer = answered.await;
            Ok::<_, BoxError>(answer.map(|body| Answering::new(body, progress, busy)))
        }
    };
    match (spoken, guard) {
        (Spoken::One, Some(bounds)) => {
            let (stream, turns) = guarded(stream, bounds);
            let own = turns.clone();
            let service = service_fn(move |request| answering(request, Some(own.clone())));
            let stream = TokioIo::new(stream);
            let mut serving = http1(&door.limits).serve_connection(stream, service);
            to_the_end(Pin::new(&mut serving), &door, &life, Some(&turns)).await;
            switched(serving.into_parts(), &turns, &door).await;
        }
        (Spoken::One, None) => {
            let service = service_fn(move |request| answering(request, None));
            let stream = TokioIo::new(stream);
            let mut serving = http1(&door.limits).serve_connection(stream, service);
            to_the_end(Pin::new(&mut serving), &door, &life, None).await;
        }
        (Spoken::Two, _) => {
            let service = service_fn(move |request| answering(request, None));
            Box::pin(async {
                let http2 = http2(&door.limits, life.clone());
                let serving = http2.serve_connection(TokioIo::new(stream), service);
                to_the_end(pin!(serving), &door, &life, None).await;
            })
            .await;
        }
    }
}

/// The bounds of a head.
const fn bounds(limits: &Limits) -> Bounds {
    Bounds { head_bytes: limits.head_bytes, headers: limits.headers, head_ms: limits.head_ms }
}

/// Reads what comes before HTTP: who the client is, and TLS.
async fn arrive(
    door: &Door,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<(Carrier, SocketAddr), Turned> {
    let address = peer.ip().to_canonical();
    let peer = if door.proxies.iter().any(|network| network.contains(&address)) {
        proxy_header::read(&mut stream).await.map_err(Turned::NoHeader)?.unwrap_or(peer)
    } else {
        peer
    };
    let Some(certificates) = &door.tls else { return Ok((Carrier::Plain(stream), peer)) };
    let acceptor = tokio_rustls::TlsAcceptor::from(certificates.config());
    // Boxed, as HTTP/2 is below: the usual connection must not be as large as the largest.
    let stream = Box::pin(acceptor.accept(stream)).await.map_err(Turned::NoTls)?;
    Ok((Carrier::Tls(Box::new(stream)), peer))
}

/// Why a connection came to nothing before HTTP.
#[derive(Debug)]
enum Turned {
    NoHeader(String),
    NoTls(std::io::Error),
    TooSlow,
}

impl Turned {
    fn tell(&self, counts: &DoorCounts, peer: SocketAddr) {
        match self {
            Self::NoHeader(why) => {
                counts.proxy_headers.one();
                tracing::warn!(%peer, why, "closed: no PROXY header, which `proxy_protocol` wants from there");
            }
            Self::NoTls(error) => {
                counts.handshakes.one();
                tracing::info!(%peer, %error, "closed: the TLS handshake failed");
            }
            Self::TooSlow => {
                counts.handshakes.one();
                tracing::info!(%peer, "closed: no handshake within `limits.handshake`");
            }
        }
    }
}

/// What can be served, and told to end.
trait Serving: Future {
    fn end(self: Pin<&mut Self>);
}

impl<T, S, B> Serving for http1::Connection<TokioIo<T>, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Serving for http2::Connection<TokioIo<Stream>, S, Local>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    S::Future: 'static,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Hands the bytes of a connection over to the exchange that has opened a WebSocket on it, and waits until it
/// needs them no more: the connection keeps its place for as long.
async fn switched<S>(parts: Parts<TokioIo<Guarded<Stream>>, S>, turns: &Turns, door: &Door) {
    let clean = turns.is_switched() && parts.read_buf.is_empty();
    let stream = Some(parts.io.into_inner()).filter(|_| clean).and_then(Guarded::into_inner);
    let Some(stream) = stream else { return turns.switch().refuse() };
    let (lent, returned) = Lent::of(stream);
    turns.switch().hand_over(Box::new(lent));
    tokio::select! {
        _ = returned => {}
        () = door.cut.cancelled() => {}
    }
}

async fn to_the_end(
    mut serving: Pin<&mut impl Serving>,
    door: &Door,
    life: &Life,
    turns: Option<&Turns>,
) {
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            // A connection that breaks off is the client's affair; the exchange goes on without it.
            _ = serving.as_mut() => return,
            () = drained(door, turns), if !ending => {}
            at_once = life.over(&door.limits, ending) => if at_once { return },
            () = door.cut.cancelled(), if ending => return,
        }
        serving.as_mut().end();
        ending = true;
    }
}

/// Waits until the drain begins, and until a head that is on its way then has come.
async fn drained(door: &Door, turns: Option<&Turns>) {
    door.drain.cancelled().await;
    if let Some(turns) = turns {
        turns.no_head_begun().await;
    }
}

/// The head's time is kept by `Life`, which also knows the time between two requests.
fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes);
    builder
}

fn http2(limits: &Limits, life: Rc<Life>) -> http2::Builder<Local> {
    let ping = Duration::from_millis(limits.ping_ms);
    let stall = Duration::from_millis(limits.stall_ms);
    let mut builder = http2::Builder::new(Local { tasks: Tasks::default(), life, stall });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.stream_errors)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_BUFFER)
        .keep_alive_interval(ping)
        .keep_alive_timeout(ping)
        // Announced, so that WebSocket over HTTP/2 gets its answer (501) and not a broken stream.
        .enable_connect_protocol();
    builder
}

/// Runs the streams of one connection on its core. They end with the connection, which is waited for; one
/// whose client takes nothing of the answer is reset.
#[derive(Clone, Debug)]
struct Local {
    tasks: Tasks,
    life: Rc<Life>,
    stall: Duration,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    /// hyper calls the service for a request and hands its stream over right after.
    fn execute(&self, stream: F) {
        let (progress, stall) = (self.life.last(), self.stall);
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = progress.stalled(stall) => {}
            }
        });
    }
}
