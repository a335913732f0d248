//! What a person has to hear of: too much waits, a number is missing, something has failed.
//!
//! Invariant: each thing is said when it changes, not each time it is seen.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::credit::AccountId;

/// Of how many accounts the last number is remembered.
const ACCOUNTS: usize = 65_536;

/// Whether too much waits.
#[derive(Debug)]
pub(in crate::ledger) struct Alarm {
    limit: u64,
    /// What they do there.
    harm: &'static str,
    raised: bool,
}

impl Alarm {
    pub(in crate::ledger) const fn at(limit: u64, harm: &'static str) -> Self {
        Self { limit, harm, raised: false }
    }

    /// So many wait.
    pub(in crate::ledger) fn look(&mut self, waiting: u64) {
        let limit = self.limit;
        if !self.raised && waiting > limit {
            self.raised = true;
            tracing::error!(waiting, limit, "entries of the ledger stream wait: {}", self.harm);
        } else if self.raised && waiting <= limit / 2 {
            self.raised = false;
            tracing::info!(waiting, limit, "the ledger stream has been exported again");
        }
    }
}

/// Entries that were dropped unexported.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Losses {
    seen: u64,
    going_on: bool,
}

impl Losses {
    /// So many in all.
    pub(in crate::ledger) fn look(&mut self, dropped: u64) {
        let more = dropped > self.seen;
        if more && !self.going_on {
            tracing::error!(
                dropped,
                "entries of the ledger stream were dropped: too many waited to be exported"
            );
        }
        (self.seen, self.going_on) = (dropped, more);
    }
}

/// The last number of each account that was seen lately.
#[derive(Debug)]
pub(in crate::ledger) struct Sequences(LruCache<AccountId, u64>);

impl Sequences {
    pub(in crate::ledger) fn new() -> Self {
        Self(LruCache::new(NonZeroUsize::new(ACCOUNTS).unwrap_or(NonZeroUsize::MIN)))
    }

    /// Numbers may have been written that nobody has seen here.
    pub(in crate::ledger) fn forget(&mut self) {
        self.0.clear();
    }

    /// This one has been exported.
    pub(in crate::ledger) fn look(&mut self, account: AccountId, sequence: u64) {
        let before = self.0.get(&account).copied();
        if let Some(last) = before.filter(|last| last.checked_add(1) != Some(sequence)) {
            let told = if sequence > last { "skips numbers" } else { "repeats numbers" };
            tracing::error!(%account, last, sequence, "the ledger stream of an account {told}");
        }
        self.0.put(account, sequence);
    }
}

/// What hinders the export.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Hindrance(Option<String>);

impl Hindrance {
    /// Says `why` if it is of another sort than before.
    pub(in crate::ledger) fn is(&mut self, sort: &str, why: &str) {
        if self.0.as_deref() != Some(sort) {
            tracing::error!(why, "the ledger stream is not exported");
            self.0 = Some(sort.to_owned());
        }
    }

    /// Nothing does any more.
    pub(in crate::ledger) fn over(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the ledger stream is exported again");
        }
    }
}
