//! A WebSocket that is open: messages pass both ways, each side at its own pace, until one of the two or we
//! end it.
//!
//! Invariant: the settlement is queued before either side is told that it is over.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::super::account::Account;
use super::super::body::whole;
use super::super::core::Core;
use super::super::exchange::{Exchange, Head};
use super::super::headers;
use super::super::hops::via;
use super::super::upstream::Upstream;
use super::over::Over;
use super::{Handshake, Wire, inward};
use crate::meter::{End, Flag, Session, SessionRules, Side};

/// How long either connection may take to be handed over once the answer was sent.
const HANDING_OVER: Duration = Duration::from_secs(10);
/// How long a side may take to read that it is over, and to say so itself.
const CLOSING: Duration = Duration::from_secs(2);
/// How often the time is looked at.
const TICK_MS: u64 = 1_000;

type Socket<S> = WebSocketStream<S>;

/// What both directions have in common.
struct Talk<'a> {
    core: &'a Core,
    rules: SessionRules,
    account: Option<&'a Account>,
    session: Option<RefCell<Session>>,
    began_ms: u64,
    /// When something came last.
    heard_ms: Cell<u64>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    /// It is passed.
    On,
    /// It is passed, and is the last.
    Last,
    /// It is not passed.
    Not,
}

impl Exchange {
    /// The upstream has switched protocols.
    pub(in crate::proxy) async fn switched(
        mut self,
        upstream: &Upstream,
        mut response: Response<Incoming>,
        head: Head,
        handshake: Handshake,
    ) {
        if !handshake.is_accepted(response.headers()) {
            return self
                .lost(head, "the upstream switched protocols, but not to the WebSocket asked for");
        }
        let theirs = hyper::upgrade::on(&mut response);
        let (mut parts, _) = response.into_parts();
        let version = std::mem::replace(&mut parts.version, http::Version::HTTP_11);
        let session = self.account.as_mut().map(|own| own.session(&parts));
        headers::inward(&mut parts.headers, upstream.credentials());
        via(&mut parts.headers, version, self.core.settings.via.as_str());
        inward(&mut parts.headers);
        if let (Some(account), Some(session)) = (&self.account, &session) {
            account.sign(&mut parts.headers, session.watch());
        }
        let ours = handshake.switch.ask();
        if head.send(Ok(Response::from_parts(parts, whole(Bytes::new())))).is_err() {
            return self.end(session, End::Cancelled, None);
        }
        let Ok(Ok(theirs)) = tokio::time::timeout(HANDING_OVER, theirs).await else {
            return self.end(session, End::Broken, None);
        };
        let Ok(Ok(ours)) = tokio::time::timeout(HANDING_OVER, ours).await else {
            return self.end(session, End::Cancelled, None);
        };
        self.talk(handshake.rules, session, ours, theirs).await;
    }

    async fn talk(
        self,
        rules: SessionRules,
        session: Option<Session>,
        ours: Box<dyn Wire>,
        theirs: Upgraded,
    ) {
        let limit = Some(rules.message_limit);
        let bounds = WebSocketConfig::default().max_message_size(limit).max_frame_size(limit);
        let client = WebSocketStream::from_raw_socket(ours, Role::Server, Some(bounds)).await;
        let theirs = TokioIo::new(theirs);
        let upstream = WebSocketStream::from_raw_socket(theirs, Role::Client, Some(bounds)).await;
        let (mut to_client, mut from_client) = client.split();
        let (mut to_upstream, mut from_upstream) = upstream.split();
        let core = self.core.clone();
        let now = core.meter.clock.uptime_ms();
        let talk = Talk {
            core: &core,
            rules,
            account: self.account.as_ref(),
            session: session.map(RefCell::new),
            began_ms: now,
            heard_ms: Cell::new(now),
        };
        let over = tokio::select! {
            biased;
            over = talk.time() => over,
            over = talk.pass(Side::Client, &mut from_client, &mut to_upstream) => over,
            over = talk.pass(Side::Upstream, &mut from_upstream, &mut to_client) => over,
        };
        tracing::debug!(?over, "the WebSocket is over");
        let session = talk.finish(&over);
        let flag = matches!(over, Over::UsedUp).then_some(Flag::HoldUsedUp);
        self.end(session, over.end(), flag);
        tokio::join!(
            close(to_client, from_client, over.to_client()),
            close(to_upstream, from_upstream, over.to_upstream()),
        );
    }

    /// Judges and queues the settlement.
    fn end(mut self, session: Option<Session>, end: End, flag: Option<Flag>) {
        if let (Some(mut account), Some(session)) = (self.account.take(), session) {
            account.flags(flag);
            account.conclude(session.over(), end);
        }
    }
}

impl Talk<'_> {
    /// Passes the messages of one side to the other.
    async fn pass<F: Wire, T: Wire>(
        &self,
        side: Side,
        from: &mut SplitStream<Socket<F>>,
        to: &mut SplitSink<Socket<T>, Message>,
    ) -> Over {
        let stall = Duration::from_millis(self.core.settings.limits.stall_ms);
        let other = if side == Side::Client { Side::Upstream } else { Side::Client };
        loop {
            let message = match from.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Over::of(side, &error),
                None => return Over::Gone(side),
            };
            self.heard_ms.set(self.core.meter.clock.uptime_ms());
            let text = match &message {
                Message::Close(frame) => return Over::Closed(side, frame.clone()),
                // Each side is answered by its own connection.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Text(text) => Some(text.as_str()),
                Message::Binary(_) => None,
            };
            let go = self.counts(side, text, message.len());
            if go == Go::Not {
                return Over::UsedUp;
            }
            match tokio::time::timeout(stall, to.send(message)).await {
                Ok(Ok(())) if go == Go::Last => return Over::UsedUp,
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Over::Gone(other),
                Err(_) => return Over::Stalled(other),
            }
        }
    }

    /// Counts a message before it is passed.
    fn counts(&self, side: Side, text: Option<&str>, bytes: usize) -> Go {
        let (Some(session), Some(account)) = (&self.session, self.account) else { return Go::On };
        let mut session = session.borrow_mut();
        let before = session.counts();
        session.message(side, text, bytes);
        if !self.rules.cut_off || !account.is_above(&mut session) {
            return Go::On;
        }
        match side {
            Side::Client => {
                session.back_to(before);
                Go::Not
            }
            // The upstream has done it already.
            Side::Upstream => Go::Last,
        }
    }

    /// Ends what lasts too long, has been silent for too long, or has no credits for another second.
    async fn time(&self) -> Over {
        loop {
            tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
            let now = self.core.meter.clock.uptime_ms();
            let lasted = now.saturating_sub(self.began_ms);
            if self.core.is_draining() {
                return Over::Draining;
            }
            if lasted >= self.rules.longest_ms {
                return Over::Longest;
            }
            if now.saturating_sub(self.heard_ms.get()) >= self.rules.idle_ms {
                return Over::Idle;
            }
            if self.is_used_up_at(lasted.saturating_add(TICK_MS)) {
                return Over::UsedUp;
            }
        }
    }

    /// Whether what is held does not last until then.
    fn is_used_up_at(&self, ms: u64) -> bool {
        let (Some(session), Some(account)) = (&self.session, self.account) else { return false };
        let mut session = session.borrow_mut();
        session.lasted(ms);
        self.rules.cut_off && account.is_above(&mut session)
    }

    /// What was counted in the end.
    fn finish(self, over: &Over) -> Option<Session> {
        let lasted = self.core.meter.clock.uptime_ms().saturating_sub(self.began_ms);
        let mut session = self.session?.into_inner();
        session.lasted(lasted);
        if let Over::Closed(Side::Upstream, Some(frame)) = over {
            session.closed(frame.code.into(), frame.reason.as_str());
        }
        Some(session)
    }
}

/// Tells a side that it is over, and waits a moment for it to say so itself: a connection that is closed
/// while bytes wait in it is reset, and the reason may be lost.
async fn close<S: Wire>(
    mut to: SplitSink<Socket<S>, Message>,
    mut from: SplitStream<Socket<S>>,
    frame: Option<CloseFrame>,
) {
    let told = async {
        // One that has closed already has its answer.
        drop(to.send(Message::Close(frame)).await);
        while let Some(Ok(_)) = from.next().await {}
        if let Ok(socket) = to.reunite(from) {
            drop(socket.into_inner().shutdown().await);
        }
    };
    drop(tokio::time::timeout(CLOSING, told).await);
}
