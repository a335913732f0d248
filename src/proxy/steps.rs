//! The steps of the journey, each one function from a stage to the next.

use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};
use hyper::body::Incoming;

use super::bearer::{believe, take_key};
use super::body::{Sending, whole};
use super::core::Core;
use super::headers::{Taken, credits_max, strip_named, take_quote};
use super::hooks;
use super::hops::{expectations, no_extended_connect, no_loop, no_websocket};
use super::jobs::Touched;
use super::reading::{asking, collect, fitting, room, spool, spool_room};
use super::stage::{Arrived, Identified, Metered, Onward, Priced, Read, Routed, Stop};
use super::upload::Upload;
use super::upstream::Upstream;
use super::websocket::{self, Handshake, Switch};
use crate::meter::{
    Asked, Cause, Detail, Found, Host, Language, NamedBy, Need, Rejection, Route, Shown, Wanted,
    Work, canonical, free_quote,
};

/// Refuses floods and what comes while the instance stops: before any work.
pub(super) fn guard(core: &Core, arrived: Arrived) -> Result<Arrived, Stop> {
    if core.is_draining() {
        return Err(Rejection::draining().into());
    }
    core.guard.request(arrived.address).map_err(Rejection::flood)?;
    if core.requests.get() > core.settings.limits.requests {
        let why = "too many requests at once: limits.requests";
        return Err(Rejection::metering_unavailable(why).into());
    }
    Ok(arrived)
}

/// Refuses what can be read in two ways: one path, one host, no tricks.
pub(super) fn canonicalise(core: &Core, mut arrived: Arrived) -> Result<Arrived, Stop> {
    believe(&core.meter.rules.identity, arrived.origin.peer, arrived.request.headers_mut());
    let request = &arrived.request;
    if request.method() == Method::CONNECT {
        no_extended_connect(request)?;
        return Err(Rejection::bad_request(Detail::Connect).into());
    }
    one_host(request)?;
    one_coding(request)?;
    few_headers(request, core.settings.limits.headers)?;
    expectations(request)?;
    no_loop(request.headers(), core.settings.via.as_str())?;
    canonical(request.uri().path())
        .map_err(|problem| Rejection::bad_request(Detail::Path(problem)))?;
    Ok(arrived)
}

/// HTTP/1.1 has counted them while it read them.
fn few_headers(request: &http::Request<Incoming>, most: usize) -> Result<(), Rejection> {
    if request.headers().len() <= most {
        return Ok(());
    }
    Err(Rejection::new(Cause::HeadTooLarge, Detail::ManyHeaders { limit: most }))
}

/// Exactly one host; an absolute-form target must name the same one (RFC 9112 §3.2), as must `:authority`
/// (RFC 9113 §8.3.1).
fn one_host(request: &http::Request<Incoming>) -> Result<(), Rejection> {
    let named = request.uri().authority();
    if named.is_some_and(|named| named.as_str().contains('@')) {
        return Err(Rejection::bad_request(Detail::UserInTarget));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host),
        (None, _) if request.version() == Version::HTTP_10 => None,
        (None, _) if request.version() == Version::HTTP_2 && named.is_some() => None,
        _ => return Err(Rejection::bad_request(Detail::OneHost)),
    };
    match (named, host) {
        (Some(named), Some(host)) if named.as_str().as_bytes() != host.as_bytes() => {
            Err(Rejection::bad_request(Detail::OtherHost))
        }
        _ => Ok(()),
    }
}

/// No transfer coding but chunked, once (RFC 9112 §6.1): of another one the upstream would not be told. One
/// length: in HTTP/1.1 hyper sees to that.
fn one_coding(request: &http::Request<Incoming>) -> Result<(), Rejection> {
    let lengths = request.headers().get_all(CONTENT_LENGTH).iter().count();
    if request.version() == Version::HTTP_2 && lengths > 1 {
        return Err(Rejection::bad_request(Detail::Unclear { why: "it has several lengths" }));
    }
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let chunked = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if chunked(coding) => Ok(()),
        _ => Err(Rejection::bad_request(Detail::OneCoding)),
    }
}

/// Hands over what belongs to the client plane.
pub(super) async fn client_plane(core: Rc<Core>, arrived: Arrived) -> Result<Arrived, Stop> {
    let path = arrived.request.uri().path();
    if let Some(behind) = hooks::behind(&core, path).map(str::to_owned) {
        let Arrived { request, address, .. } = arrived;
        let called = hooks::called(core.clone(), behind, request).await;
        // A sealed URL may be guessed at. A signature is not, and whose is wrong may come from the upstream's address.
        if let Err(Stop::Refused(rejection)) = &called
            && rejection.status() == StatusCode::NOT_FOUND
        {
            core.guard.failed(address, None);
        }
        return called.and_then(|answer| Err(Stop::Answered(answer)));
    }
    let below = path.strip_prefix(core.settings.client_prefix.as_str());
    if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        let limit = Duration::from_millis(core.settings.limits.body_ms);
        let answered = tokio::time::timeout(limit, (core.client_plane)(arrived.request)).await;
        let response = answered.map_err(|_| Rejection::too_slow())?;
        if response.status() == StatusCode::UNAUTHORIZED {
            core.guard.failed(arrived.address, None);
        }
        return Err(Stop::Answered(response));
    }
    Ok(arrived)
}

/// Finds the one route; no match is never forwarded.
pub(super) fn route(core: &Core, arrived: Arrived) -> Result<Routed, Stop> {
    let Arrived { request, switch, address, origin, story } = arrived;
    let (mut head, body) = request.into_parts();
    let host = core.meter.routes.has_hosts().then(|| host(core, &head)).flatten();
    let path = head.uri.path();
    let found = core.meter.routes.find(host.as_ref(), &head.method, path);
    let Found::Route(route, captures) = found else {
        return Err(Rejection::unknown_route(head.method.as_str(), path).into());
    };
    _ = story.route.set(route.name.clone());
    story.dialect.set(route.dialect);
    _ = story.counts.set(core.meter.tally.routes.row(route.name.as_str()));
    let handshake = opens(&head, route, switch)?;
    let route = route.clone();
    // From here on the path is the upstream's: what is priced, written down and forwarded.
    head.uri = below(head.uri, &route.prefix)?;
    Ok(Routed { head, body, route, captures, handshake, address, origin, story })
}

/// The host that a request is for: `:authority`, or what its target or `Host` says, of which there is one.
pub(super) fn host(core: &Core, head: &Parts) -> Option<Host> {
    let said = || head.headers.get(HOST)?.to_str().ok();
    let text = head.uri.authority().map(Authority::as_str).or_else(said)?;
    Host::read(text, core.settings.port())
}

/// A target without the prefix that its route has matched.
fn below(uri: Uri, prefix: &str) -> Result<Uri, Rejection> {
    if prefix.is_empty() {
        return Ok(uri);
    }
    let mut parts = uri.into_parts();
    let target = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
    let rest = target.strip_prefix(prefix).and_then(|rest| rest.parse().ok());
    let broken = || Rejection::bad_request(Detail::Unforwardable);
    parts.path_and_query = Some(rest.ok_or_else(broken)?);
    Uri::from_parts(parts).map_err(|_| broken())
}

/// The WebSocket that a request asks for, where its route and its connection can have one.
fn opens(
    head: &Parts,
    route: &Route,
    switch: Option<Switch>,
) -> Result<Option<Handshake>, Rejection> {
    if !websocket::asks(&head.headers) {
        return Ok(None);
    }
    match (route.websocket, switch) {
        (Some(rules), Some(switch)) if head.version == Version::HTTP_11 => {
            websocket::handshake(&head.headers, rules, switch).map(Some)
        }
        _ => Err(no_websocket()),
    }
}

/// Finds the account: before the body is read.
pub(super) async fn identify(core: Rc<Core>, mut routed: Routed) -> Result<Identified, Stop> {
    let (rules, route, head) = (&core.meter.rules.identity, &routed.route, &mut routed.head);
    let shown = Shown::of(rules, route.identity, &head.headers, head.uri.query())
        .inspect_err(|_| core.guard.failed(routed.address, None))?;
    // Before anything reads the query: a key in it is neither priced nor logged.
    let target = take_key(&mut head.uri, rules, route.pass);
    let onward = Onward { origin: routed.origin, target };
    let found = match routed.route.work {
        Work::Paid(_) => core.meter.directory.payer(&shown).await,
        Work::Free => core.meter.directory.guest(&shown).await,
    };
    let identity = found.or_else(|rejection| match rejection.status() {
        // Only wrong keys rest: whoever knows no more than the public half must not lock the owner out.
        StatusCode::UNAUTHORIZED => {
            if let Some(key) = shown.public() {
                core.guard.key(key).map_err(Rejection::flood)?;
            }
            core.guard.failed(routed.address, shown.public());
            Err(rejection)
        }
        _ => Err(rejection),
    })?;
    _ = routed.story.account.set(identity.document.account.clone());
    routed.story.key.set(Some(identity.key));
    Ok(Identified { routed, identity, onward })
}

/// Reads what the price needs, and no more.
pub(super) async fn read(core: Rc<Core>, identified: Identified) -> Result<Priced, Stop> {
    let Identified { routed, identity, onward } = identified;
    let Routed { mut head, body, route, captures, handshake, story, .. } = routed;
    let credits_max = credits_max(&head.headers)?;
    let quote = take_quote(&mut head.headers)?;
    let (length, nothing) =
        (http_body::Body::size_hint(&body).exact(), http_body::Body::is_end_stream(&body));
    let (identity, limit) = fitting(&core, identity, &route, &head.headers, nothing).await?;
    // What is priced is what is forwarded.
    strip_named(&mut head.headers);
    let taken = taken(&core, route.upstream);
    let limits = &core.settings.limits;
    let most = limit.bytes;
    let upload = Upload::new(body, limit, limits.body_rate, core.meter.clock.clone());
    let need = match &route.work {
        Work::Paid(due) => match due.need(&head.headers) {
            // A URL of the client's that ours stands for is found in the whole body.
            // So is the place for what is asked for on the client's behalf.
            Need::Nothing if hooks::reads_body(&core, due) || due.stream.ask.is_some() => {
                Need::Whole
            }
            need => need,
        },
        Work::Free if names_in_body(&route) => Need::Whole,
        Work::Free => Need::Nothing,
    };
    let (body, read) = match need {
        Need::Whole => {
            let room = room(&core, length, most)?;
            let (bytes, trailers) = collect(upload, limits.body_ms, &taken).await?;
            let ask = match &route.work {
                Work::Paid(due) => asking(due, &head.headers, &bytes),
                Work::Free => None,
            };
            (Sending::read(&bytes, trailers, room, ask), Some(Read::Whole(bytes)))
        }
        Need::Passing(passing) => {
            let room = spool_room(&core, length, most)?;
            let (body, passed) = spool(&core, upload, *passing, room, &taken).await?;
            (body, Some(Read::Passed(Box::new(passed))))
        }
        Need::Nothing if nothing => (Sending::nothing(), None),
        Need::Nothing => (Sending::passing(upload, taken), None),
    };
    Ok(Priced {
        head,
        body,
        read,
        route,
        captures,
        handshake,
        identity,
        onward,
        credits_max,
        quote,
        story,
    })
}

/// Whether a request says in its body which job it is about.
fn names_in_body(route: &Route) -> bool {
    route.touch.as_ref().is_some_and(|touch| matches!(touch.named, NamedBy::Json(_)))
}

/// What a trailer may not say to the upstream of this index either.
fn taken(core: &Core, upstream: usize) -> Taken {
    let credentials = core.upstreams.get(upstream).and_then(Upstream::credentials);
    let rules = &core.meter.rules.identity;
    let names = rules.keys.headers.iter().chain(&core.settings.identity_headers);
    let account = rules.header.as_ref().map(|header| &header.name);
    Taken::new(names.chain(account).chain(credentials.map(|own| &own.header)))
}

/// Prices and reserves: the last step that can refuse, and the first that holds anything.
pub(super) async fn reserve(core: Rc<Core>, priced: Priced) -> Result<Metered, Stop> {
    match priced.route.work {
        Work::Paid(_) => paid(core, priced).await,
        Work::Free => free(core, priced).await,
    }
}

/// What costs nothing holds nothing; of a job its owner alone may ask.
async fn free(core: Rc<Core>, priced: Priced) -> Result<Metered, Stop> {
    let Priced { head, body, read, route, captures, handshake, .. } = priced;
    let Priced { identity, onward, quote, story, .. } = priced;
    let account = identity.document.account.clone();
    let allowed = core.meter.free_route(identity, &route).await;
    if quote {
        let language = Language::of(&head.headers);
        return Err(Stop::Answered(json(&free_quote(&route, allowed.err(), language))));
    }
    allowed?;
    let query = head.uri.query().unwrap_or_default();
    let touched = match &route.touch {
        Some(touch) => {
            let bytes = read.as_ref().and_then(Read::whole).map(AsRef::as_ref);
            let id = touch.named.id(&captures, query, (&head.headers, bytes));
            Touched::find(&core, &account, touch, id).await?.map(Box::new)
        }
        None => None,
    };
    let admitted = None;
    Ok(Metered { head, body, route, onward, captures, admitted, touched, handshake, story })
}

async fn paid(core: Rc<Core>, priced: Priced) -> Result<Metered, Stop> {
    let Priced {
        head,
        body,
        read,
        route,
        captures,
        handshake,
        identity,
        onward,
        credits_max,
        quote,
        story,
    } = priced;
    let Work::Paid(due) = &route.work else {
        return Err(Rejection::metering_unavailable("the route has no price").into());
    };
    let total = core.upstreams.get(route.upstream).map_or(0, |up| up.timeouts().total_ms);
    let longest = route.websocket.map_or(total, |rules| rules.longest_ms.max(total));
    let wanted = Wanted {
        route: &route,
        due,
        asked: Asked {
            method: &head.method,
            captures: &captures,
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body: read.as_ref().map(Read::content),
            plan: &route.name,
        },
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        credits_max,
        timeout_ms: longest,
    };
    if quote {
        let language = Language::of(&head.headers);
        return Err(Stop::Answered(json(&core.meter.quoted(identity, &wanted, language).await)));
    }
    let admitted = core.meter.admit(identity, &wanted).await?;
    story.charge.set(Some(admitted.ticket.charge()));
    story.held.set(Some(admitted.held.priced.total));
    let whose = (&admitted.identity.document.account, admitted.ticket.charge());
    let (mut head, mut onward) = (head, onward);
    let going = (&mut head, &mut onward);
    let bytes = read.as_ref().and_then(Read::whole);
    let body = hooks::wrap(&core, due, whose, going, (body, bytes));
    let admitted = Some((due.clone(), admitted));
    Ok(Metered { head, body, admitted, touched: None, handshake, route, onward, captures, story })
}

fn json(body: &serde_json::Value) -> http::Response<super::body::Body> {
    let mut response = http::Response::new(whole(body.to_string()));
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    let fresh = http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(http::header::CACHE_CONTROL, fresh);
    response
}
