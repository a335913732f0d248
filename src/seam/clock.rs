//! Time as a trait. Two clocks are read: the wall, which people live by and which may be set wrong, and the
//! time since this program started, which only ever runs forward and tells when the wall has jumped.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `ms` milliseconds later; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    /// Reads RFC 3339: `2026-11-22T06:12:34Z`, with any offset; what is finer than a millisecond is cut.
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let ms = text.parse::<jiff::Timestamp>()?.as_millisecond();
        u64::try_from(ms).map(Self).map_err(|_| jiff::Error::from_args(format_args!("before 1970")))
    }
}

/// Reads the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock. It may jump in either direction.
    fn now(&self) -> Timestamp;

    /// Milliseconds on a clock that never goes back and counts the time a machine was suspended.
    /// Only differences mean something.
    fn uptime_ms(&self) -> u64;

    /// The same clock in microseconds, as finely as it goes.
    fn uptime_us(&self) -> u64 {
        self.uptime_ms().saturating_mul(1_000)
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime_us() / 1_000
    }

    fn uptime_us(&self) -> u64 {
        // Boot time counts suspension: a laptop that slept must not look like a clock that was set.
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
    }
}

/// The machine's clocks, set forward by hand: for trying out what time brings. Both go on by as much, so that it
/// looks like time that has passed.
#[derive(Debug, Default)]
pub struct TestClock {
    ahead_ms: AtomicU64,
}

impl TestClock {
    /// A clock so far ahead of the machine's.
    #[must_use]
    pub const fn ahead(ms: u64) -> Self {
        Self { ahead_ms: AtomicU64::new(ms) }
    }

    /// How far it is ahead, in milliseconds.
    #[must_use]
    pub fn ahead_ms(&self) -> u64 {
        self.ahead_ms.load(Ordering::SeqCst)
    }

    /// Lets time pass; it never goes back.
    pub fn advance(&self, ms: u64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.ahead_ms())
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime_us() / 1_000
    }

    fn uptime_us(&self) -> u64 {
        SystemClock.uptime_us().saturating_add(self.ahead_ms().saturating_mul(1_000))
    }
}

/// A clock that moves only when told to. Clones of an `Arc` of it see the same time.
#[derive(Debug)]
pub struct SimulatedClock {
    wall_ms: AtomicU64,
    uptime_ms: AtomicU64,
}

impl SimulatedClock {
    /// A clock standing at `start`.
    #[must_use]
    pub const fn at(start: Timestamp) -> Self {
        Self { wall_ms: AtomicU64::new(start.0), uptime_ms: AtomicU64::new(0) }
    }

    /// Time passes: both clocks move on by `ms`.
    pub fn advance(&self, ms: u64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.uptime_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock to `moment`; no time passes.
    pub fn set_wall(&self, moment: Timestamp) {
        self.wall_ms.store(moment.0, Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall_ms.load(Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime_ms.load(Ordering::SeqCst)
    }
}
