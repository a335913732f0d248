//! How long a connection may live with nothing to do.
//!
//! A connection that waits for a first request, or is in the middle of a head, has the time of a head; one
//! that has served and is silent has the time between two requests. One with a request under way goes on for as
//! long as the client takes the answer; the exchange has bounds of its own. The part of a head that came together with the request before it is not
//! seen as one: it has the time between two requests.
//!
//! Invariant: a connection has a deadline, whatever it does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::progress::Progress;
use super::stream::Spoken;
use crate::proxy::Limits;

/// How long a connection that is to end may go on with no request.
const LINGER: Duration = Duration::from_secs(1);

/// What happens on one connection.
#[derive(Debug)]
pub(super) struct Life {
    /// Requests under way, bodies of answers included.
    running: Cell<usize>,
    /// Since when there is none, or since when a head is being read.
    since: Cell<Instant>,
    phase: Cell<Phase>,
    /// Whether the last request had a body.
    body: Cell<bool>,
    /// How far the client has taken the answer to it.
    last: RefCell<Rc<Progress>>,
    changed: Notify,
    /// Requests under way on all connections of this core and listener.
    all: Rc<Cell<usize>>,
}

/// What is waited for while no request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first request, or the rest of a head.
    Head,
    /// The next request.
    Next,
    /// The next request of HTTP/2: its bytes are not heads alone.
    NextStream,
}

impl Life {
    /// A connection begins.
    pub(super) fn begin(all: Rc<Cell<usize>>) -> Rc<Self> {
        Rc::new(Self {
            running: Cell::new(0),
            since: Cell::new(Instant::now()),
            phase: Cell::new(Phase::Head),
            body: Cell::new(false),
            last: RefCell::default(),
            changed: Notify::new(),
            all,
        })
    }

    /// It is known what is spoken.
    pub(super) fn speaks(&self, spoken: Spoken) {
        if spoken == Spoken::Two {
            self.phase.set(Phase::NextStream);
            self.since.set(Instant::now());
        }
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        if self.running.get() == 0 && self.phase.get() == Phase::Next {
            self.phase.set(Phase::Head);
            self.since.set(Instant::now());
            self.changed.notify_one();
        }
    }

    /// A request begins; it runs until what is returned is dropped.
    pub(super) fn request(self: &Rc<Self>, has_body: bool) -> Busy {
        self.body.set(has_body);
        self.running.set(self.running.get().saturating_add(1));
        self.all.set(self.all.get().saturating_add(1));
        if self.phase.get() == Phase::Head {
            self.phase.set(Phase::Next);
        }
        *self.last.borrow_mut() = Rc::default();
        Busy(self.clone())
    }

    /// How far the client has taken the answer to the last request that began.
    pub(super) fn last(&self) -> Rc<Progress> {
        self.last.borrow().clone()
    }

    /// Whether the client may still be sending what nobody will read: the rest of a head that was refused, or
    /// of the body of a request that has just been answered.
    pub(super) fn may_be_sending(&self) -> bool {
        match self.phase.get() {
            Phase::Head => true,
            Phase::Next | Phase::NextStream => {
                self.body.get() && self.since.get().elapsed() < LINGER
            }
        }
    }

    /// When it is over, and whether at once. `None`: not as long as requests run.
    fn deadline(&self, limits: &Limits, ending: bool) -> Option<(Instant, bool)> {
        let phase = self.phase.get();
        if self.running.get() > 0 {
            // The streams of HTTP/2 are looked after one by one.
            let stall = Duration::from_millis(limits.stall_ms);
            return (phase != Phase::NextStream).then(|| (self.last().deadline(stall), true));
        }
        let wait = match phase {
            // Whoever guards heads answers a slow one first.
            Phase::Head => Duration::from_millis(limits.head_ms) + LINGER,
            Phase::Next | Phase::NextStream if ending => LINGER,
            Phase::Next | Phase::NextStream => Duration::from_millis(limits.idle_ms),
        };
        Some((self.since.get() + wait, ending || phase == Phase::Head))
    }

    /// Waits until the deadline has passed; `true`: there is nothing to wait for any more.
    pub(super) async fn over(&self, limits: &Limits, ending: bool) -> bool {
        if ending {
            // The end begins now, however long there was nothing to do.
            self.since.set(self.since.get().max(Instant::now()));
        }
        loop {
            let changed = self.changed.notified();
            match self.deadline(limits, ending) {
                None => changed.await,
                Some((deadline, at_once)) if deadline <= Instant::now() => return at_once,
                // A request may have begun meanwhile: the deadline is looked at again.
                Some((deadline, _)) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(deadline) => {}
                },
            }
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Rc<Life>);

impl Drop for Busy {
    fn drop(&mut self) {
        let Life { running, since, changed, all, .. } = &*self.0;
        running.set(running.get().saturating_sub(1));
        all.set(all.get().saturating_sub(1));
        if running.get() == 0 {
            since.set(Instant::now());
            changed.notify_one();
        }
    }
}
