//! A client's body on its way: not more than the route allows, and not slower than it may be.
//!
//! Only waiting for the client counts: an upstream that takes its time makes no client slow.
//!
//! Invariant: not a byte beyond the limit is passed on; the wait for a byte has an end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::body::BoxError;
use crate::meter::BodyLimit;
use crate::seam::Clock;

/// By how much a body may be late, in milliseconds: what it brings too much in one second helps in no other.
const LATE_MS: u64 = 10_000;
/// How long a wait counts that nobody looked at meanwhile.
const TICK_MS: u64 = 1_000;

/// What was wrong with a body. The side that sends it on may not be told by the error itself: HTTP/2 only
/// says that a stream was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is longer than it may be.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// It ended too early, or nobody can tell where it ends.
    Broken,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::TooSlow => "the body came too slowly",
            Self::Broken => "the body broke off",
        })
    }
}

impl Error for Fault {}

/// Where the fault of a body is looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<AtomicU8>);

impl Faults {
    fn note(&self, fault: Fault) -> BoxError {
        let number = match fault {
            Fault::TooLarge => 1,
            Fault::TooSlow => 2,
            Fault::Broken => 3,
        };
        self.0.store(number, Ordering::Relaxed);
        fault.into()
    }

    /// What was wrong, if something was.
    pub(super) fn found(&self) -> Option<Fault> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Fault::TooLarge),
            2 => Some(Fault::TooSlow),
            3 => Some(Fault::Broken),
            _ => None,
        }
    }
}

/// See the module.
pub(super) struct Upload {
    body: Incoming,
    limit: BodyLimit,
    /// How many bytes may still come.
    left: u64,
    pace: Pace,
    faults: Faults,
}

impl Upload {
    /// `body`, of at most `limit` and at least `rate` bytes a second; 0: as slow as it likes.
    pub(super) fn new(body: Incoming, limit: BodyLimit, rate: u64, clock: Arc<dyn Clock>) -> Self {
        let left = limit.bytes;
        Self { body, limit, left, pace: Pace::new(rate, clock), faults: Faults::default() }
    }

    /// How large it may be.
    pub(super) const fn limit(&self) -> &BodyLimit {
        &self.limit
    }

    /// Where its fault will be.
    pub(super) fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                tracing::info!(%error, "a client's body broke off");
                this.faults.note(Fault::Broken);
                return Poll::Ready(Some(Err(error.into())));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending if this.pace.too_slow(context) => {
                return Poll::Ready(Some(Err(this.faults.note(Fault::TooSlow))));
            }
            Poll::Pending => return Poll::Pending,
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let Some(left) = this.left.checked_sub(length) else {
            return Poll::Ready(Some(Err(this.faults.note(Fault::TooLarge))));
        };
        this.left = left;
        this.pace.brought(length);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How fast a body comes.
struct Pace {
    rate: u64,
    clock: Arc<dyn Clock>,
    /// By how much it is late.
    late_ms: u64,
    /// When it was last waited for.
    waiting_ms: Option<u64>,
    /// Looks again.
    tick: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    fn new(rate: u64, clock: Arc<dyn Clock>) -> Self {
        Self { rate, clock, late_ms: 0, waiting_ms: None, tick: None }
    }

    fn waited(&mut self, now_ms: u64) {
        if let Some(since) = self.waiting_ms {
            // Nobody asked for longer than a tick: that was not the client's doing.
            let waited = now_ms.saturating_sub(since).min(TICK_MS);
            self.late_ms = self.late_ms.saturating_add(waited);
        }
    }

    fn brought(&mut self, bytes: u64) {
        if self.waiting_ms.is_some() {
            self.waited(self.clock.uptime_ms());
            self.waiting_ms = None;
        }
        let worth_ms = bytes.saturating_mul(1_000).checked_div(self.rate).unwrap_or(u64::MAX);
        self.late_ms = self.late_ms.saturating_sub(worth_ms);
    }

    /// Waits on; `true`: it has waited enough.
    fn too_slow(&mut self, context: &mut Context<'_>) -> bool {
        if self.rate == 0 {
            return false;
        }
        let now_ms = self.clock.uptime_ms();
        self.waited(now_ms);
        self.waiting_ms = Some(now_ms);
        if self.late_ms >= LATE_MS {
            return true;
        }
        let next = tokio::time::sleep(Duration::from_millis(TICK_MS));
        match &mut self.tick {
            Some(tick) => tick.set(next),
            None => self.tick = Some(Box::pin(next)),
        }
        if let Some(tick) = &mut self.tick {
            // It has just been set: this only says whom to wake.
            let _ = tick.as_mut().poll(context);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{SimulatedClock, Timestamp};

    /// Lets `pace` wait for `ms`, looked at every `every` milliseconds; whether that was too slow.
    fn wait(pace: &mut Pace, clock: &SimulatedClock, ms: u64, every: u64) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut slow = pace.too_slow(&mut context);
        for _ in 0..ms / every {
            clock.advance(every);
            slow |= pace.too_slow(&mut context);
        }
        slow
    }

    fn pace(rate: u64) -> (Pace, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::at(Timestamp(0)));
        (Pace::new(rate, clock.clone()), clock)
    }

    #[tokio::test]
    async fn silence_has_an_end() {
        let (mut pace, clock) = pace(100);
        assert!(!wait(&mut pace, &clock, LATE_MS - 1_000, 1_000));
        assert!(wait(&mut pace, &clock, 1_000, 1_000));
    }

    #[tokio::test]
    async fn what_was_fast_before_helps_nobody_later() {
        let (mut pace, clock) = pace(100);
        pace.brought(1 << 30);
        assert!(wait(&mut pace, &clock, LATE_MS, 1_000));
    }

    #[tokio::test]
    async fn a_slow_body_that_keeps_its_rate_passes() {
        let (mut pace, clock) = pace(100);
        for _ in 0..600 {
            assert!(!wait(&mut pace, &clock, 1_000, 500));
            pace.brought(100);
        }
        let slow = (0..600).any(|_| {
            let slow = wait(&mut pace, &clock, 1_000, 500);
            pace.brought(90);
            slow
        });
        assert!(slow);
    }

    #[tokio::test]
    async fn time_in_which_nobody_asked_does_not_count() {
        let (mut pace, clock) = pace(100);
        assert!(!wait(&mut pace, &clock, 3_600_000, 3_600_000));
        assert_eq!(pace.late_ms, TICK_MS);
    }

    #[tokio::test]
    async fn without_a_rate_nobody_is_slow() {
        let (mut pace, clock) = pace(0);
        assert!(!wait(&mut pace, &clock, 3_600_000, 1_000));
    }
}
