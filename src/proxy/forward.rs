//! The innermost service: starts the exchange and waits for its head.

use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use http::{Method, Request, Response, Version};
use tokio::sync::oneshot;
use tower::Service;

use super::account::Account;
use super::bearer::{introduce, strip_all, strip_credentials};
use super::body::{Body, Outgoing, Sending};
use super::core::Core;
use super::exchange::Exchange;
use super::forwarded::forwarded;
use super::headers::outward;
use super::hops::{join_cookies, take_trailers, takes_trailers, via};
use super::rewriting::Rewriting;
use super::stage::{Metered, Onward, Stop, Story};
use super::upstream::Upstream;
use super::websocket;
use crate::credit::ChargeId;
use crate::meter::{Cause, Detail, Rejection};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Forward(pub(super) Rc<Core>);

impl Service<Metered> for Forward {
    type Response = Response<Body>;
    type Error = Stop;
    type Future = LocalBoxFuture<'static, Result<Response<Body>, Stop>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    /// The exchange is started before anything is awaited: from here on it owns the charge.
    fn call(&mut self, metered: Metered) -> Self::Future {
        let charge = metered.admitted.as_ref().map(|(_, admitted)| admitted.ticket.charge());
        let answer = start(&self.0, metered);
        Box::pin(async move {
            match answer?.await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(rejection)) => Err(Stop::Refused(rejection)),
                Err(_) => Err(cut_off(charge).into()),
            }
        })
    }
}

type Answer = oneshot::Receiver<Result<Response<Body>, Box<Rejection>>>;

fn start(core: &Rc<Core>, metered: Metered) -> Result<Answer, Stop> {
    let Metered { head, body, route, onward, captures, admitted, touched, handshake, story } =
        metered;
    let index = route.upstream;
    let upstream = core.upstreams.get(index).ok_or_else(|| broken("the route has no upstream"))?;
    let head_only = head.method == Method::HEAD;
    let Sending { body, faults, limit, take_out } = body;
    let rewriting = Rewriting::of(core, &route, &head, onward.origin);
    let observed = admitted.is_some() || touched.is_some() || rewriting.is_some();
    let opens = handshake.is_some();
    let host = touched.as_ref().and_then(|touched| touched.host());
    let onward = Going { onward, pass: route.pass, story: &story, host, observed, opens };
    let request = outgoing(core, upstream, head, body, &onward)?;
    let account = admitted
        .map(|(due, admitted)| Account::open(core.clone(), due, admitted, (&route, captures)));
    let tally = &core.meter.tally;
    let (counts, running) = (story.counts(tally).clone(), tally.exchange());
    let exchange = Exchange {
        core: core.clone(),
        upstream: index,
        account,
        touched,
        rewriting,
        body_limit: limit.unwrap_or_else(|| route.body_limit()),
        faults,
        head_only,
        take_out,
        counts,
        handshake,
    };
    story.forwarded.set(true);
    let (sender, answer) = oneshot::channel();
    let cut = core.cut.clone();
    core.tasks.spawn(async move {
        // Cut at the end of the drain time: the ticket, dropped, says that the outcome is not known.
        tokio::select! {
            () = exchange.run(request, sender) => {}
            () = cut.cancelled() => {}
        }
        drop(running);
    });
    Ok(answer)
}

/// The exchange was cut off by the end of the drain time, or by a panic, after it may have been forwarded:
/// whoever asks again may pay twice.
fn cut_off(charge: Option<ChargeId>) -> Rejection {
    let rejection =
        Rejection::new(Cause::UpstreamError, Detail::CutOff).because("the exchange ended early");
    match charge {
        Some(charge) => rejection.with("hold", "kept").of(charge),
        None => Rejection { should_retry: true, ..rejection },
    }
}

fn broken(why: &str) -> Rejection {
    Rejection::metering_unavailable(why)
}

/// How a request goes on.
struct Going<'a> {
    onward: Onward,
    /// Whether the client's credential does.
    pass: bool,
    story: &'a Story,
    /// Which host of the upstream it goes to, if not that of its URL.
    host: Option<&'a str>,
    observed: bool,
    /// Whether it opens a WebSocket.
    opens: bool,
}

/// The request as the upstream gets it: the priced bytes, its own host, the operator's credential or the
/// client's.
fn outgoing(
    core: &Core,
    upstream: &Upstream,
    mut head: Parts,
    body: Outgoing,
    going: &Going<'_>,
) -> Result<Request<Outgoing>, Rejection> {
    let asked = going.onward.target.as_ref().or_else(|| head.uri.path_and_query());
    let target = upstream.target(asked, going.host).map_err(|error| {
        Rejection::bad_request(Detail::Unforwardable).because(error.to_string())
    })?;
    let how = upstream.settings().map(|own| own.client_address).unwrap_or_default();
    let forwarded = forwarded(&head.headers, going.onward.origin, how);
    let trailers = takes_trailers(&head.headers);
    strip_credentials(&mut head.headers, &core.meter.rules.identity, going.pass);
    strip_all(&mut head.headers, &core.settings.identity_headers);
    outward(&mut head.headers, upstream.credentials(), going.observed);
    join_cookies(&mut head.headers);
    via(&mut head.headers, head.version, core.settings.via.as_str());
    head.headers.extend(forwarded);
    if let Some(own) = upstream.settings() {
        introduce(&mut head.headers, &own.identity_headers, going.story);
    }
    if going.opens {
        websocket::outward(&mut head.headers);
    } else if trailers {
        take_trailers(&mut head.headers, upstream.speaks_one());
    }
    head.uri = target;
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(Request::from_parts(head, body))
}
