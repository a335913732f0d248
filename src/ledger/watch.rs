//! A store's own clock: when the wall may be believed, and how long after opening nothing is ended.
//!
//! Invariant: time never runs back behind what was written with (the mark), and a wall clock that ran
//! more than five minutes ahead of the time that has really passed decides nothing.

use std::sync::Arc;

use super::model::Context;
use crate::seam::{Clock, Timestamp};

/// How far the wall may run ahead of the time since start.
const JUMP_MS: u64 = 5 * 60 * 1_000;

/// Watches the clocks for one store.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    clock: Arc<dyn Clock>,
    lease_ms: u64,
    wall_at_start: Timestamp,
    uptime_at_start: u64,
    uptime_at_opening: u64,
    /// The mark as it was when the watch began.
    mark_at_start: Option<Timestamp>,
}

impl Watch {
    /// Starts to watch; the store has just been opened.
    pub(crate) fn start(clock: Arc<dyn Clock>, lease_ms: u64) -> Self {
        let (wall_at_start, uptime) = (clock.now(), clock.uptime_ms());
        Self {
            clock,
            lease_ms,
            wall_at_start,
            uptime_at_start: uptime,
            uptime_at_opening: uptime,
            mark_at_start: None,
        }
    }

    /// The store was opened again after an outage: leases could not be renewed meanwhile.
    pub(crate) fn opened_again(&mut self) {
        self.uptime_at_opening = self.clock.uptime_ms();
    }

    /// Milliseconds of a clock that only runs forward.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.clock.uptime_ms()
    }

    /// What to decide with now; `None` while the wall has jumped ahead.
    ///
    /// A wall that was behind the mark when the watch began was wrong then; that it is set right is no jump.
    pub(crate) fn context(&mut self, mark: Timestamp) -> Option<Context> {
        let (wall, uptime) = (self.clock.now(), self.clock.uptime_ms());
        let first = *self.mark_at_start.get_or_insert(mark);
        if self.wall_at_start < first && wall >= first {
            (self.wall_at_start, self.uptime_at_start) = (wall, uptime);
        }
        let passed = uptime.saturating_sub(self.uptime_at_start);
        if wall.ms_since(self.wall_at_start.plus_ms(passed)) > JUMP_MS {
            return None;
        }
        Some(Context {
            now: wall.max(mark),
            grace: uptime.saturating_sub(self.uptime_at_opening) < self.lease_ms,
            lease_ms: self.lease_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::SimulatedClock;

    const HOUR: u64 = 3_600_000;

    fn started(wall: u64) -> (Watch, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::at(Timestamp(wall)));
        (Watch::start(clock.clone(), 60_000), clock)
    }

    #[test]
    fn a_jump_decides_nothing_until_the_wall_is_back() {
        let (mut watch, clock) = started(100 * HOUR);
        let mark = Timestamp(99 * HOUR);
        assert!(watch.context(mark).is_some());
        clock.set_wall(Timestamp(101 * HOUR));
        assert!(watch.context(mark).is_none());
        clock.set_wall(Timestamp(100 * HOUR));
        assert!(watch.context(mark).is_some());
    }

    #[test]
    fn a_wall_that_was_behind_the_mark_may_be_set_right_once() {
        let (mut watch, clock) = started(10 * HOUR);
        let mark = Timestamp(99 * HOUR);
        assert_eq!(watch.context(mark).map(|context| context.now), Some(mark));
        clock.set_wall(Timestamp(120 * HOUR));
        assert_eq!(watch.context(mark).map(|context| context.now), Some(Timestamp(120 * HOUR)));
        clock.set_wall(Timestamp(121 * HOUR));
        assert!(watch.context(Timestamp(120 * HOUR)).is_none(), "the second time is a jump");
    }

    #[test]
    fn marks_that_are_made_later_excuse_no_jump() {
        let (mut watch, clock) = started(100 * HOUR);
        assert!(watch.context(Timestamp(0)).is_some());
        clock.advance(60_000);
        let mark = clock.now();
        clock.set_wall(Timestamp(200 * HOUR));
        assert!(watch.context(mark).is_none());
    }
}
