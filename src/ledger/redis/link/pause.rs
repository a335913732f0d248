//! How long to wait before the next attempt.
//!
//! Invariant: between half and all of 50 ms, doubled with each attempt up to 2 s, so that instances do not
//! come back all at once.

use std::time::Duration;

use crate::seam::{Entropy, SystemEntropy};

const FIRST_MS: u64 = 50;
const LAST_MS: u64 = 2_000;

/// Attempts in vain so far.
#[derive(Debug, Default)]
pub(super) struct Pause {
    attempts: u32,
}

impl Pause {
    /// The pause before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let whole = FIRST_MS.saturating_mul(1 << self.attempts.min(10)).min(LAST_MS);
        self.attempts = self.attempts.saturating_add(1);
        let mut bytes = [0; 8];
        // Without randomness the pause is merely the same for everybody.
        drop(SystemEntropy.fill(&mut bytes));
        Duration::from_millis(whole / 2 + u64::from_le_bytes(bytes) % (whole / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_in_bounds() {
        let mut pause = Pause::default();
        for whole in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            let ms = u64::try_from(pause.next().as_millis()).unwrap();
            assert!((whole / 2..=whole).contains(&ms), "{ms} of {whole}");
        }
    }
}
