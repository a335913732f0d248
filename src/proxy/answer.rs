//! The outermost layer: every request gets an id, every refusal becomes a response, every request becomes
//! one log line. Above it nothing can fail.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use tower::{Layer, Service};

use super::body::{Body, whole};
use super::core::Core;
use super::decision::Decision;
use super::guard::client_address;
use super::headers::REQUEST_ID;
use super::stage::{Arrived, Origin, Stop, Story};
use super::websocket::Switch;
use crate::meter::{Code, Manner, Rejection, request_id};

/// How much of a path the log line has, in characters.
const PATH_MAX: usize = 256;
/// What the log line says instead of a method and a path that nobody could read.
const UNREAD: &str = "-";

/// A request from a peer, and how its connection could be handed over.
pub type FromPeer = (Request<Incoming>, SocketAddr, Option<Switch>);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Answer(pub(super) Rc<Core>);

impl<S> Layer<S> for Answer {
    type Service = Answering<S>;

    fn layer(&self, inner: S) -> Answering<S> {
        Answering { core: self.0.clone(), inner }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Answering<S> {
    core: Rc<Core>,
    inner: S,
}

impl<S> Service<FromPeer> for Answering<S>
where
    S: Service<Arrived, Response = Response<Body>, Error = Stop> + Clone + 'static,
    S::Future: 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (request, peer, switch): FromPeer) -> Self::Future {
        let (core, mut inner) = (self.core.clone(), self.inner.clone());
        Box::pin(async move {
            let started = core.meter.clock.uptime_ms();
            let story = Rc::new(story(&core, &request));
            let decision = Decision::awaited(core.meter.tally.clone(), story.clone());
            let trusted = &core.settings.trusted_proxies;
            let peer = peer.ip().to_canonical();
            let address = client_address(peer, request.headers(), trusted);
            let origin = Origin { peer, trusted: trusted.iter().any(|net| net.contains(&peer)) };
            let manner = Manner::of(request.headers(), core.meter.rules.dialect);
            let version = request.version();
            let arrived = Arrived { request, switch, address, origin, story: story.clone() };
            // A bug ends one request. Its ticket, if there is one, speaks for itself as it is dropped.
            let answered =
                AssertUnwindSafe(async { inner.call(arrived).await }).catch_unwind().await;
            decision.is(decided(&answered));
            let (response, code) = match answered {
                Ok(Ok(response)) => (response, ""),
                Ok(Err(Stop::Answered(response))) => (response, ""),
                Ok(Err(Stop::Refused(rejection))) => refuse(&story, &rejection, manner),
                Err(_) => {
                    let rejection = Rejection::metering_unavailable("panic");
                    refuse(&story, &rejection, manner)
                }
            };
            let took_ms = core.meter.clock.uptime_ms().saturating_sub(started);
            tell(&story, &response, code, took_ms, (address, version));
            Ok(with_request_id(response, &story))
        })
    }
}

fn decided<E>(answered: &Result<Result<Response<Body>, Stop>, E>) -> Code {
    match answered {
        Ok(Ok(_)) => Code::Forwarded,
        Ok(Err(Stop::Answered(_))) => Code::Answered,
        Ok(Err(Stop::Refused(rejection))) => Code::of(rejection.code()),
        // What a panic is told as.
        Err(_) => Code::MeteringUnavailable,
    }
}

fn story(core: &Core, request: &Request<Incoming>) -> Story {
    let id = request_id(&*core.meter.clock, &*core.meter.entropy);
    let path: String = request.uri().path().chars().take(PATH_MAX).collect();
    Story::of(id, request.method().clone(), path, core.meter.rules.dialect)
}

/// Refuses a head that nobody could read: with an id, a decision and a log line like any other, but without
/// a method and a path, since there may be two.
pub(super) fn refuse_unread(core: &Core, rejection: &Rejection, address: IpAddr) -> Response<Body> {
    let id = request_id(&*core.meter.clock, &*core.meter.entropy);
    let method = Method::from_bytes(UNREAD.as_bytes()).unwrap_or_default();
    let story = Story::of(id, method, UNREAD, core.meter.rules.dialect);
    let story = Rc::new(story);
    Decision::awaited(core.meter.tally.clone(), story.clone()).is(Code::of(rejection.code()));
    let (response, code) = refuse(&story, rejection, Manner::default());
    tell(&story, &response, code, 0, (address, Version::HTTP_11));
    response
}

fn refuse(story: &Story, rejection: &Rejection, manner: Manner) -> (Response<Body>, &'static str) {
    if !rejection.inner.is_empty() {
        let (id, code, why) = (story.request(), rejection.code(), &rejection.inner);
        tracing::warn!(request = %id, code, why, "refused");
    }
    let manner = Manner { dialect: story.dialect.get(), ..manner };
    (rejection.response(&story.request(), manner).map(whole), rejection.code())
}

fn tell(
    story: &Story,
    response: &Response<Body>,
    code: &str,
    took_ms: u64,
    (address, version): (IpAddr, Version),
) {
    let shown = |text: Option<String>| text.unwrap_or_default();
    tracing::info!(
        request = %story.request(),
        client = %address,
        http = ?version,
        method = %story.method,
        path = %story.path,
        status = response.status().as_u16(),
        code,
        route = story.route.get().map_or("", |name| name.as_str()),
        account = story.account.get().map_or("", |account| account.as_str()),
        key = shown(story.key.get().map(|key| key.to_string())),
        charge = shown(story.charge.get().map(|charge| charge.to_string())),
        held = shown(story.held.get().map(|held| held.to_string())),
        took_ms,
        "request"
    );
}

/// An upstream that names its own request ids keeps them; the charge's id finds everything else.
fn with_request_id(mut response: Response<Body>, story: &Story) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(&story.request()) {
        response.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
    response
}
