//! The stages of a request, as types: `Arrived → Routed → Identified → Priced → Metered`.
//!
//! Each layer turns one stage into the next; a layer mounted in the wrong order does not compile. There are
//! no facts in request extensions, so none can be missing.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Layer, Service};

use super::body::{Body, Sending};
use super::jobs::Touched;
use super::websocket::{Handshake, Switch};
use crate::credit::{AccountId, Amount, ChargeId, KeyId, Name};
use crate::meter::{
    Admitted, Content, Dialect, Due, Identity, Passed, Rejection, Route, RouteTally, Tally,
    request_of,
};

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Whether that is a proxy whose word about the client counts.
    pub trusted: bool,
}

/// What goes on to the upstream beside the priced bytes.
#[derive(Debug)]
pub(super) struct Onward {
    /// Where the request came from.
    pub origin: Origin,
    /// The target with the client's credential in its query, where that passes; else the priced one goes on.
    pub target: Option<PathAndQuery>,
}

/// A request as it came in.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Head and body.
    pub request: Request<Incoming>,
    /// How its connection could be handed over; `None`: it cannot.
    pub switch: Option<Switch>,
    /// Who sent it, as far as `trusted_proxies` lets us see.
    pub address: IpAddr,
    /// Where it came from.
    pub origin: Origin,
    /// What the log line will say.
    pub story: Rc<Story>,
}

/// A request whose route is known.
#[derive(Debug)]
pub(super) struct Routed {
    /// The head.
    pub head: Parts,
    /// The body, not yet read.
    pub body: Incoming,
    /// The route.
    pub route: Arc<Route>,
    /// What its captures matched.
    pub captures: Vec<(String, String)>,
    /// The WebSocket that it asks for.
    pub handshake: Option<Handshake>,
    /// Who sent it.
    pub address: IpAddr,
    /// Where it came from.
    pub origin: Origin,
    /// What the log line will say.
    pub story: Rc<Story>,
}

/// A request whose account is known.
#[derive(Debug)]
pub(super) struct Identified {
    /// All that was known before.
    pub routed: Routed,
    /// Who pays.
    pub identity: Identity,
    /// What goes on beside the priced bytes.
    pub onward: Onward,
}

/// A request whose body is as far read as its price needs, and whose price can be computed.
#[derive(Debug)]
pub(super) struct Priced {
    /// The head.
    pub head: Parts,
    /// What goes upstream: the very bytes that are priced.
    pub body: Sending,
    /// What was read of them, where the price needs it.
    pub read: Option<Read>,
    /// The route.
    pub route: Arc<Route>,
    /// What its captures matched.
    pub captures: Vec<(String, String)>,
    /// The WebSocket that it asks for.
    pub handshake: Option<Handshake>,
    /// Who pays.
    pub identity: Identity,
    /// What goes on beside the priced bytes.
    pub onward: Onward,
    /// The most that the caller is willing to have held.
    pub credits_max: Option<Amount>,
    /// Whether only the price is asked for.
    pub quote: bool,
    /// What the log line will say.
    pub story: Rc<Story>,
}

/// A body that was read.
#[derive(Debug)]
pub(super) enum Read {
    /// The whole of it.
    Whole(bytes::Bytes),
    /// What was seen while it passed into a spool.
    Passed(Box<Passed>),
}

impl Read {
    /// All of it, if it was kept.
    pub(super) const fn whole(&self) -> Option<&bytes::Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Passed(_) => None,
        }
    }

    /// As its price sees it.
    pub(super) fn content(&self) -> Content<'_> {
        match self {
            Self::Whole(bytes) => Content::Whole(bytes),
            Self::Passed(passed) => Content::Passed(passed),
        }
    }
}

/// A request that may be forwarded.
#[derive(Debug)]
pub(super) struct Metered {
    /// The head.
    pub head: Parts,
    /// What goes upstream.
    pub body: Sending,
    /// The route.
    pub route: Arc<Route>,
    /// What goes on beside the priced bytes.
    pub onward: Onward,
    /// What the route's captures matched.
    pub captures: Vec<(String, String)>,
    /// How it is priced, its hold and the duty to end it; `None`: the route is free.
    pub admitted: Option<(Arc<Due>, Admitted)>,
    /// The WebSocket that it asks for.
    pub handshake: Option<Handshake>,
    /// The job that it is about, on a free route.
    pub touched: Option<Box<Touched>>,
    /// What the log line will say.
    pub story: Rc<Story>,
}

/// Why a request goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is refused.
    Refused(Box<Rejection>),
    /// It is answered without an upstream.
    Answered(Response<Body>),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(Box::new(rejection))
    }
}

/// What is told of a request in one log line at its end. Never a key, a body or a query.
#[derive(Debug)]
pub(super) struct Story {
    /// The id of a request without a charge.
    pub id: String,
    /// The method.
    pub method: http::Method,
    /// The path.
    pub path: String,
    /// The route.
    pub route: OnceCell<Name>,
    /// In whose error shape a refusal is told: the file's, and from the route on the route's.
    pub dialect: Cell<Dialect>,
    /// The route's counters.
    pub counts: OnceCell<Arc<RouteTally>>,
    /// Whether its exchange with an upstream has begun.
    pub forwarded: Cell<bool>,
    /// The account.
    pub account: OnceCell<AccountId>,
    /// The key.
    pub key: Cell<Option<KeyId>>,
    /// The charge.
    pub charge: Cell<Option<ChargeId>>,
    /// What was held.
    pub held: Cell<Option<Amount>>,
}

impl Story {
    /// The story of a request of which no more is known yet.
    pub(super) fn of(
        id: String,
        method: http::Method,
        path: impl Into<String>,
        dialect: Dialect,
    ) -> Self {
        Self {
            id,
            method,
            path: path.into(),
            route: Default::default(),
            dialect: dialect.into(),
            counts: Default::default(),
            forwarded: Default::default(),
            account: Default::default(),
            key: Default::default(),
            charge: Default::default(),
            held: Default::default(),
        }
    }

    /// The id that the client gets as `Request-Id`: a paid request's is its charge's under another prefix.
    pub(super) fn request(&self) -> String {
        self.charge.get().map_or_else(|| self.id.clone(), request_of)
    }

    /// The counters of its route, or of what has none.
    pub(super) fn counts<'a>(&'a self, tally: &'a Tally) -> &'a Arc<RouteTally> {
        self.counts.get().unwrap_or_else(|| tally.routes.nameless())
    }
}

/// A layer made of one async function from a stage to the next.
pub(super) fn stage<F>(step: F) -> Stage<F> {
    Stage(step)
}

/// See [`stage`].
#[derive(Clone, Debug)]
pub(super) struct Stage<F>(F);

impl<F: Clone, S> Layer<S> for Stage<F> {
    type Service = Staged<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Staged { step: self.0.clone(), inner }
    }
}

/// A step before an inner service.
#[derive(Clone, Debug)]
pub(super) struct Staged<F, S> {
    step: F,
    inner: S,
}

impl<F, S, In, Out, Step> Service<In> for Staged<F, S>
where
    F: Fn(In) -> Step,
    Step: Future<Output = Result<Out, Stop>> + 'static,
    S: Service<Out, Response = Response<Body>, Error = Stop> + Clone + 'static,
    S::Future: 'static,
    Out: 'static,
{
    type Response = Response<Body>;
    type Error = Stop;
    type Future = LocalBoxFuture<'static, Result<Response<Body>, Stop>>;

    /// Always ready: what must wait waits in its step, where it can refuse.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: In) -> Self::Future {
        let step = (self.step)(input);
        let mut inner = self.inner.clone();
        Box::pin(async move { inner.call(step.await?).await })
    }
}
