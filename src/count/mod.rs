//! Floor 0: what is counted: numbers that one core writes and whoever asks reads.
//!
//! Each core owns its counters, so a count is one relaxed addition that nobody else waits for; the cores are
//! summed when somebody looks.
//!
//! Invariant: a counter only grows; past 2^64 it begins again at zero, as after a restart.
//! Invariant: rows come from words of this program and names of the configuration, never from a request.

mod histogram;
mod rows;

use std::sync::atomic::{AtomicU64, Ordering};

pub use histogram::{BOUNDS_US, Histogram, Spread};
pub use rows::Rows;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that comes and goes.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// It is this now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less; every `up` has one `down`.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A closed set of words, and a place for each in an array: `words! { /// Doc. Name { One => "one" } }`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl $name {
            /// All of them, in the order of their places.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// How it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}
pub(crate) use words;
