//! Whether a client takes the answer that it asked for.
//!
//! An answer is asked for its next part only when the client has taken the one before. So one that is not
//! asked for long, although it was the client's turn, has a client that reads nothing: it would keep its place
//! for ever.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::life::Busy;

/// Since when it is the client's turn; `None`: it is ours.
#[derive(Debug, Default)]
pub(super) struct Progress(Cell<Option<Instant>>);

impl Progress {
    /// When the client has had `stall` to take what was there; while it is our turn, not before `stall` from
    /// now.
    pub(super) fn deadline(&self, stall: Duration) -> Instant {
        self.0.get().unwrap_or_else(Instant::now) + stall
    }

    /// Waits until the client has had its time.
    pub(super) async fn stalled(&self, stall: Duration) {
        loop {
            let deadline = self.deadline(stall);
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }

    fn clients_turn(&self) {
        self.0.set(Some(Instant::now()));
    }
}

/// An answer's body; its request runs until it is dropped.
#[derive(Debug)]
pub(super) struct Answering<B> {
    body: B,
    progress: Rc<Progress>,
    _busy: Busy,
}

impl<B> Answering<B> {
    /// The answer to the request that `busy` stands for.
    pub(super) fn new(body: B, progress: Rc<Progress>, busy: Busy) -> Self {
        progress.clients_turn();
        Self { body, progress, _busy: busy }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match polled {
            Poll::Ready(_) => self.progress.clients_turn(),
            Poll::Pending => self.progress.0.set(None),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
