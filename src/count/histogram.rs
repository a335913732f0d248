//! How long things took, in ranges with fixed bounds: a look-up and two additions for each.
//!
//! Invariant: times are whole microseconds; bounds never change while the program runs.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the ranges in microseconds; beyond the last there is one range more.
pub const BOUNDS_US: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];
const RANGES: usize = BOUNDS_US.len() + 1;

/// Times as one core has seen them.
#[derive(Debug, Default)]
pub struct Histogram {
    ranges: [AtomicU64; RANGES],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Something took this long.
    pub fn took(&self, us: u64) {
        let range = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(range) = self.ranges.get(range) {
            range.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// Times as all cores have seen them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    ranges: [u64; RANGES],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Spread {
    /// Adds what one core has seen.
    pub fn add(&mut self, seen: &Histogram) {
        for (all, own) in self.ranges.iter_mut().zip(&seen.ranges) {
            *all = all.wrapping_add(own.load(Ordering::Relaxed));
        }
        self.sum_us = self.sum_us.wrapping_add(seen.sum_us.load(Ordering::Relaxed));
    }

    /// For each bound, in microseconds, how many took at most that; the last has none and counts all.
    pub fn up_to(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = BOUNDS_US.into_iter().map(Some).chain([None]);
        let mut so_far = 0_u64;
        bounds.zip(self.ranges).map(move |(bound, count)| {
            so_far = so_far.wrapping_add(count);
            (bound, so_far)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_at_its_bound_and_above() {
        let (one, two) = (Histogram::default(), Histogram::default());
        for us in [0, 100, 101, 60_000_000] {
            one.took(us);
        }
        two.took(60_000_001);
        let mut all = Spread::default();
        all.add(&one);
        all.add(&two);
        let counts: Vec<_> = all.up_to().collect();
        assert_eq!(counts[0], (Some(100), 2));
        assert_eq!(counts[1], (Some(250), 3));
        assert_eq!(counts[16], (Some(60_000_000), 4));
        assert_eq!(counts[17], (None, 5));
        assert_eq!(all.sum_us, 120_000_202);
    }
}
