//! Whose turn it is: hyper hands requests over in the order of their heads, so counting tells which of them
//! stands in for one that was refused.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use tokio::sync::Notify;
use tower::Service;

use super::super::answer::{FromPeer, refuse_unread};
use super::super::body::Body;
use super::super::core::Core;
use super::super::websocket::Switch;
use super::Doubt;

/// What a connection's guard and its service know of each other.
#[derive(Clone, Debug, Default)]
pub struct Turns(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The number of the head that was passed last.
    passed: Cell<u64>,
    /// Whether that message is still on its way, or will never be whole.
    unfinished: Cell<bool>,
    /// Why the head behind it is refused.
    refused: Cell<Option<Doubt>>,
    /// The number of the request that the service was asked last.
    asked: Cell<u64>,
    /// Whether a part of a head is held, of which hyper knows nothing.
    begun: Cell<bool>,
    ended: Notify,
    /// How the connection is handed over to a WebSocket.
    switch: Switch,
    /// Whether that was promised to the client.
    switched: Cell<bool>,
}

impl Turns {
    /// The guard has passed so many heads; `unfinished`: the last one's body is not whole.
    pub(super) fn passed(&self, heads: u64, unfinished: bool) {
        self.0.passed.set(heads);
        self.0.unfinished.set(unfinished);
    }

    /// The guard holds a part of a head, or does so no more.
    pub(super) fn head_begun(&self, begun: bool) {
        if self.0.begun.replace(begun) && !begun {
            self.0.ended.notify_waiters();
        }
    }

    /// Waits while a head is on its way: a drain must not take its connection for idle.
    pub async fn no_head_begun(&self) {
        while self.0.begun.get() {
            self.0.ended.notified().await;
        }
    }

    /// The guard refuses the head behind those that it has passed.
    pub(super) fn refuse(&self, doubt: Doubt) {
        self.0.refused.set(Some(doubt));
    }

    /// Whether the client was told that the connection speaks something else from now on.
    #[must_use]
    pub fn is_switched(&self) -> bool {
        self.0.switched.get()
    }

    /// How the connection is handed over then.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.0.switch
    }

    /// Answers the next request: by `service`, or with a refusal if it stands in for a refused head.
    ///
    /// An answer that is made before its request is whole ends the connection: whatever comes next on it
    /// could be the rest of a body, or not.
    pub async fn answer<S>(
        &self,
        core: &Core,
        service: &mut S,
        request: FromPeer,
    ) -> Result<Response<Body>, Infallible>
    where
        S: Service<FromPeer, Response = Response<Body>, Error = Infallible>,
    {
        let turn = self.0.asked.get().saturating_add(1);
        self.0.asked.set(turn);
        let refused = self.0.refused.get().filter(|_| turn > self.0.passed.get());
        let mut response = match refused {
            Some(doubt) => refuse_unread(core, &doubt.rejection(), request.1.ip().to_canonical()),
            None => service.call((request.0, request.1, Some(self.0.switch.clone()))).await?,
        };
        self.0.switched.set(response.status() == StatusCode::SWITCHING_PROTOCOLS);
        let unfinished = turn == self.0.passed.get() && self.0.unfinished.get();
        if refused.is_some() || unfinished {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
