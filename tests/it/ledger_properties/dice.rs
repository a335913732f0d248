//! Chance that is the same for the same seed.

use std::cell::Cell;

use tollgate::credit::Amount;

/// `SplitMix64`.
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// Mostly some credits, sometimes a few micro-credits or none.
    pub(crate) fn amount(&self) -> Amount {
        let micro = match self.below(10) {
            0 => 0,
            1 => self.below(10),
            2 => self.below(100) * Amount::MICRO,
            _ => self.below(20 * Amount::MICRO),
        };
        Amount::from_micro(micro).unwrap()
    }
}
