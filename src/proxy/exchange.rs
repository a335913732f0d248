//! The exchange: talks to the upstream in a task of its own, which belongs to the charge and not to the
//! client's connection. The client leaving never loses the money trail.
//!
//! Frames pass one by one with back-pressure; the watch looks at each on its way. The end is judged and
//! queued for settlement before the last frame is passed on, so a client that asks again on the same
//! connection finds its slot and credits returned.
//!
//! Invariant: every way out of this file ends the ticket, or drops it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body::Frame;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::account::Account;
use super::body::{Body, Outgoing, Pipe, pipe, told};
use super::core::Core;
use super::frames::{Next, next, pass, rest};
use super::gathering::{Last, gather};
use super::headers::{inward, strip_seals};
use super::hops::{trailers_inward, via};
use super::jobs::Touched;
use super::patience::Patience;
use super::rewriting::Rewriting;
use super::taking_out::TakingOut;
use super::upload::{Fault, Faults};
use super::upstream::{Dialled, SendError, Upstream, framed_twice};
use super::websocket::Handshake;
use crate::meter::{
    BodyLimit, Cause, Detail, End, Hundred, OnDisconnect, Rejection, RouteTally, TakeOut, Watch,
};
use crate::observe::{encoded, media_type};

pub(super) type Head = oneshot::Sender<Result<Response<Body>, Box<Rejection>>>;

/// One exchange under way.
pub(super) struct Exchange {
    pub(super) core: Rc<Core>,
    /// The index of the upstream.
    pub(super) upstream: usize,
    /// The money side; `None`: the route is free.
    pub(super) account: Option<Account>,
    /// The job that it is about, on a free route.
    pub(super) touched: Option<Box<Touched>>,
    /// What of its answer is turned to this gateway.
    pub(super) rewriting: Option<Rewriting>,
    /// How large the request's body may be.
    pub(super) body_limit: BodyLimit,
    /// What is wrong with that body.
    pub(super) faults: Faults,
    /// Whether the request asked for a head alone.
    pub(super) head_only: bool,
    /// What is taken out of the answer, if it is a stream.
    pub(super) take_out: Option<TakeOut>,
    /// Its route's counters.
    pub(super) counts: Arc<RouteTally>,
    /// The WebSocket that it asks for.
    pub(super) handshake: Option<Handshake>,
}

impl Exchange {
    /// Forwards `request`, answers through `head`, and sees it to its end.
    pub(super) async fn run(mut self, request: Request<Outgoing>, head: Head) {
        let core = self.core.clone();
        let Some(upstream) = core.upstreams.get(self.upstream) else {
            return self.never_sent(head, "the route names no upstream".to_owned());
        };
        // The mark first: after a crash, whatever has one may have been forwarded.
        if let Some(Err(error)) = self.account.as_mut().map(Account::forwarding) {
            let why = Rejection::metering_unavailable(format!("journal: {error}"));
            return self.refuse(head, "Nothing was forwarded: the journal is full.", why);
        }
        let (answer, head) = self.ask(upstream, request, head).await;
        self.counts.responses(Hundred::of(answer.status())).one();
        match answer {
            Asked::Answered(response) => self.answered(upstream, response, head).await,
            Asked::Failed(SendError::NeverSent(why)) => self.never_sent(head, why),
            Asked::Failed(SendError::Lost(why)) => self.lost(head, &why),
            Asked::Failed(SendError::Faulty(Fault::TooLarge)) => self.too_large(head),
            Asked::Failed(SendError::Faulty(Fault::TooSlow)) => self.too_slow(head),
            Asked::Failed(SendError::Faulty(Fault::Broken)) => self.broken(head),
            Asked::TimedOut(Reach::Sent) => self.timed_out(head),
            Asked::TimedOut(Reach::Never) => self.never_dialled(head),
            Asked::ClientLeft(Reach::Sent) => self.abandoned(),
            Asked::ClientLeft(Reach::Never) => self.spared(),
        }
    }

    /// Waits for the head of the answer, for as long as the upstream may take and, on a route that cancels,
    /// the client waits.
    async fn ask(
        &self,
        upstream: &Upstream,
        mut request: Request<Outgoing>,
        mut head: Head,
    ) -> (Asked, Head) {
        let dialled = Dialled::of(&mut request);
        let (head_of_it, body) = request.into_parts();
        let (body, whole) = told(body);
        let request = Request::from_parts(head_of_it, body);
        let reach = || if dialled.at_all() { Reach::Sent } else { Reach::Never };
        let limit = Duration::from_millis(upstream.timeouts().first_byte_ms);
        let sent = tokio::time::timeout(limit, upstream.send(request, &self.faults));
        let answer = tokio::select! {
            // Looked at first: whoever has left before anything was sent need not pay.
            biased;
            () = head.closed(), if self.cancels() => Asked::ClientLeft(reach()),
            sent = sent => match sent {
                Ok(Ok(response)) => Asked::Answered(response),
                Ok(Err(error)) => Asked::Failed(error),
                Err(_) => Asked::TimedOut(reach()),
            },
        };
        if let Asked::Answered(response) = &answer
            && (framed_twice(response.headers()) || !whole.load(Ordering::Relaxed))
        {
            // Of an upstream that answers early nobody knows what it will take the rest of the body for.
            dialled.no_more();
        }
        (answer, head)
    }

    fn cancels(&self) -> bool {
        self.account.as_ref().is_some_and(|own| own.on_disconnect() == OnDisconnect::Cancel)
    }

    /// Passes the answer on and judges it.
    async fn answered(mut self, upstream: &Upstream, response: Response<Incoming>, head: Head) {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return match self.handshake.take() {
                Some(handshake) => self.switched(upstream, response, head, handshake).await,
                None => self.lost(head, "the upstream switched protocols unasked"),
            };
        }
        let (mut parts, body) = response.into_parts();
        // What the upstream speaks is its own affair: an old one's body gets a frame that shows its end.
        let version = std::mem::replace(&mut parts.version, Version::HTTP_11);
        let length = http_body::Body::size_hint(&body).exact();
        if self.head_only {
            // A head's length is of the body that GET would have had (RFC 9110 §9.3.2).
            parts.headers.remove(http::header::CONTENT_LENGTH);
        }
        let mut watch = match (&mut self.account, &mut self.touched) {
            (Some(own), _) => Some(own.watch(&parts)),
            (None, Some(touched)) => Some(touched.watch(&parts)),
            (None, None) => None,
        };
        inward(&mut parts.headers, upstream.credentials());
        via(&mut parts.headers, version, self.core.settings.via.as_str());
        if let (Some(account), Some(watch)) = (&self.account, &watch) {
            account.sign(&mut parts.headers, watch);
        }
        if let Some(rewriting) = &self.rewriting {
            if let Some(account) = &mut self.account {
                account.is_at(rewriting.host_in_headers(&parts.headers));
            }
            rewriting.headers(&mut parts.headers);
        }
        if http_body::Body::is_end_stream(&body) {
            self.conclude(&mut watch, End::Complete).await;
        } else if !self.head_only
            && let Some(rewriting) = self.rewriting.take_if(|own| own.reads(&parts.headers))
        {
            let whole = (parts, length);
            let work = self.rewritten(upstream, whole, body, head, watch, &rewriting);
            return Box::pin(work).await;
        }
        let taking_out = self.taking_out(&mut parts);
        let (sender, relayed) = pipe(length.filter(|_| taking_out.is_none()));
        let client = match head.send(Ok(Response::from_parts(parts, relayed))) {
            Ok(()) => Some(sender),
            Err(_) => None,
        };
        self.relay(upstream, body, client, (watch, taking_out)).await;
    }

    /// What was asked for on the client's behalf is taken out of a stream again, unless that came compressed.
    fn taking_out(&mut self, head: &mut http::response::Parts) -> Option<TakingOut> {
        let rule = self.take_out.take()?;
        let stream = media_type(&head.headers).is_some_and(|name| name == "text/event-stream");
        if !stream || encoded(&head.headers) || !head.status.is_success() {
            return None;
        }
        strip_seals(&mut head.headers);
        Some(TakingOut::new(rule))
    }

    /// Reads a small answer whole, turns the URLs in it and passes it on; a large one passes as it came.
    async fn rewritten(
        mut self,
        upstream: &Upstream,
        (parts, length): (Parts, Option<u64>),
        mut body: Incoming,
        head: Head,
        mut watch: Option<Watch>,
        rewriting: &Rewriting,
    ) {
        let gathered = gather(&self.core, upstream, &mut body, &mut watch).await;
        let whole = matches!(gathered.last, Last::End);
        if let Some(account) = self.account.as_mut().filter(|_| whole) {
            account.is_at(rewriting.host_in_body(&gathered.bytes));
        }
        match &gathered.last {
            Last::End => self.conclude(&mut watch, End::Complete).await,
            Last::Broken => self.conclude(&mut watch, End::Broken).await,
            Last::More => {}
        }
        let new = if whole { rewriting.body(&gathered.bytes) } else { None };
        let bytes = Bytes::from(new.unwrap_or(gathered.bytes));
        let ended = gathered.trailers.is_none() && whole;
        let length = if ended { u64::try_from(bytes.len()).ok() } else { length };
        let (sender, relayed) = pipe(length.filter(|_| gathered.trailers.is_none()));
        if head.send(Ok(Response::from_parts(parts, relayed))).is_err() {
            if matches!(gathered.last, Last::More) {
                self.relay(upstream, body, None, (watch, None)).await;
            }
            return;
        }
        let stall_ms = self.core.settings.limits.stall_ms;
        let clock = self.core.meter.clock.clone();
        let mut patience = Patience::begin(clock, upstream.timeouts(), stall_ms);
        let mut client = pass(Some(sender), Frame::data(bytes), &mut patience).await;
        if let Some(mut trailers) = gathered.trailers {
            trailers_inward(&mut trailers, upstream.credentials());
            client = pass(client, Frame::trailers(trailers), &mut patience).await;
        }
        match gathered.last {
            Last::End => client.map_or((), Pipe::end),
            Last::Broken => {}
            Last::More => self.relay(upstream, body, client, (watch, None)).await,
        }
    }

    /// Passes frames until the body ends, breaks off or, on a route that cancels, the client leaves.
    async fn relay(
        mut self,
        upstream: &Upstream,
        mut body: Incoming,
        mut client: Option<Pipe>,
        (mut watch, mut taking_out): (Option<Watch>, Option<TakingOut>),
    ) {
        let stall_ms = self.core.settings.limits.stall_ms;
        let mut patience =
            Patience::begin(self.core.meter.clock.clone(), upstream.timeouts(), stall_ms);
        loop {
            if client.is_none() && self.cancels() {
                return self.conclude(&mut watch, End::Cancelled).await;
            }
            let next = next(&mut body, &patience, client.as_ref()).await;
            let mut frame = match next {
                Next::Frame(frame) => frame,
                Next::ClientLeft => {
                    client = None;
                    continue;
                }
                Next::End => {
                    self.conclude(&mut watch, End::Complete).await;
                    let client = rest(client, &mut taking_out, true, &mut patience).await;
                    return client.map_or((), Pipe::end);
                }
                Next::Broken(why) => {
                    let slow = patience.client_was_slow();
                    tracing::warn!(upstream = upstream.name(), why, slow, "the answer broke off");
                    let end = if slow { End::Cancelled } else { End::Broken };
                    self.conclude(&mut watch, end).await;
                    drop(rest(client, &mut taking_out, false, &mut patience).await);
                    return;
                }
            };
            match (&mut watch, frame.data_ref(), frame.trailers_ref()) {
                (Some(watch), Some(data), _) => watch.feed(data),
                (Some(watch), _, Some(trailers)) => watch.trailers(trailers),
                _ => {}
            }
            if let Some(trailers) = frame.trailers_mut() {
                trailers_inward(trailers, upstream.credentials());
            }
            if http_body::Body::is_end_stream(&body) {
                self.conclude(&mut watch, End::Complete).await;
            }
            if frame.is_trailers() {
                client = rest(client, &mut taking_out, true, &mut patience).await;
            } else if let (Some(taking_out), Some(data)) = (&mut taking_out, frame.data_ref()) {
                frame = Frame::data(taking_out.feed(data));
            }
            client = pass(client, frame, &mut patience).await;
        }
    }

    /// Judges and queues the settlement, once; for a job, waits until the ledger has it.
    async fn conclude(&mut self, watch: &mut Option<Watch>, end: End) {
        let Some(watch) = watch.take() else { return };
        // Boxed: most exchanges have no job, and each would be as large as those that have one.
        match self.account.take() {
            Some(account) if account.begins_job() => {
                Box::pin(account.conclude_job(watch, end)).await;
            }
            Some(account) => account.conclude(watch, end),
            None => {
                if let Some(touched) = self.touched.take() {
                    Box::pin(touched.conclude(watch, end)).await;
                }
            }
        }
    }

    fn never_sent(self, head: Head, why: String) {
        let rejection = Rejection::new(Cause::UpstreamError, Detail::Unreached)
            .with("hold", "released")
            .because(why);
        let rejection = Rejection { should_retry: true, ..rejection };
        self.refuse(head, "The upstream could not be reached.", rejection);
    }

    fn never_dialled(self, head: Head) {
        let rejection = Rejection::new(Cause::UpstreamTimeout, Detail::Undialled);
        let rejection = Rejection { should_retry: true, ..rejection.with("hold", "released") };
        self.refuse(head, "The upstream did not take a connection in time.", rejection);
    }

    fn refuse(mut self, head: Head, why: &str, rejection: Rejection) {
        let rejection = match self.account.take() {
            Some(account) => {
                let rejection = rejection.of(account.charge());
                account.never_forwarded(why);
                rejection
            }
            None => rejection,
        };
        drop(head.send(Err(Box::new(rejection))));
    }

    pub(super) fn lost(self, head: Head, why: &str) {
        let rejection = Rejection::new(Cause::UpstreamError, Detail::BrokeOff);
        let rejection = Rejection { should_retry: self.account.is_none(), ..rejection };
        self.doubt(head, why, rejection.because(why));
    }

    /// A body of no stated length went beyond the limit, and was cut off on its way upstream.
    fn too_large(self, head: Head) {
        let rejection = Rejection::too_large(&self.body_limit);
        self.doubt(head, "The request was cut off: its body is too large.", rejection);
    }

    /// The body came too slowly; a part of it has been sent.
    fn too_slow(self, head: Head) {
        let why = "The request was cut off: its body came too slowly.";
        self.doubt(head, why, Rejection::too_slow());
    }

    /// The client's body ended too early, or its framing failed, and a part of it is upstream.
    fn broken(self, head: Head) {
        let rejection = Rejection::bad_request(Detail::BrokenBody);
        self.doubt(head, "The request was cut off: its body broke off.", rejection);
    }

    fn timed_out(self, head: Head) {
        let rejection = Rejection::new(Cause::UpstreamTimeout, Detail::TimedOut);
        let rejection = Rejection { should_retry: self.account.is_none(), ..rejection };
        self.doubt(head, "The upstream did not answer in time.", rejection);
    }

    fn doubt(mut self, head: Head, why: &str, rejection: Rejection) {
        let rejection = match self.account.take() {
            Some(account) => account.doubt(why, rejection),
            None => rejection,
        };
        drop(head.send(Err(Box::new(rejection))));
    }

    /// The client left before there was a connection for its request, on a route that cancels.
    fn spared(mut self) {
        if let Some(account) = self.account.take() {
            account.never_forwarded("The client left before anything was forwarded.");
        }
    }

    /// The client left before the head, on a route that cancels: the request was cut off.
    fn abandoned(mut self) {
        if let Some(account) = self.account.take() {
            account.abandoned();
        }
    }
}

/// What came of asking.
enum Asked {
    Answered(Response<Incoming>),
    Failed(SendError),
    TimedOut(Reach),
    ClientLeft(Reach),
}

impl Asked {
    /// What the upstream answered; `None`: nothing.
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(response) => Some(response.status().as_u16()),
            Self::Failed(_) | Self::TimedOut(_) | Self::ClientLeft(_) => None,
        }
    }
}

/// How far a request got that nobody waits for any more.
enum Reach {
    /// No connection was found for it: nothing was forwarded.
    Never,
    /// It may have arrived.
    Sent,
}
