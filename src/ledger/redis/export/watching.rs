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
pub(super) struct Alarm {
    limit: u64,
    raised: bool,
}

impl Alarm {
    pub(super) const fn at(limit: u64) -> Self {
        Self { limit, raised: false }
    }

    /// So many wait.
    pub(super) fn look(&mut self, waiting: u64) {
        let limit = self.limit;
        if !self.raised && waiting > limit {
            self.raised = true;
            tracing::error!(
                waiting,
                limit,
                "entries of the ledger stream wait: they fill Redis' memory"
            );
        } else if self.raised && waiting <= limit / 2 {
            self.raised = false;
            tracing::info!(waiting, limit, "the ledger stream has been exported again");
        }
    }
}

/// The last number of each account that was seen lately, and the name of its entry.
#[derive(Debug)]
pub(super) struct Sequences(LruCache<AccountId, (u64, StreamId)>);

/// When an entry was made, by the server's clock, and which it was of that moment: later ones are greater.
pub(super) type StreamId = (u64, u64);

/// Reads a stream's `1795348800123-0`.
pub(super) fn stream_id(text: &str) -> StreamId {
    let (ms, which) = text.split_once('-').unwrap_or((text, "0"));
    (ms.parse().unwrap_or(0), which.parse().unwrap_or(0))
}

impl Sequences {
    pub(super) fn new() -> Self {
        Self(LruCache::new(NonZeroUsize::new(ACCOUNTS).unwrap_or(NonZeroUsize::MIN)))
    }

    /// Numbers may have been written that nobody has seen here.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// This one has been exported. The answer is the last number before it, if that was of entries that the
    /// ledger has lost: it has given a number again to something else.
    pub(super) fn look(&mut self, account: AccountId, sequence: u64, id: StreamId) -> Option<u64> {
        let before = self.0.put(account.clone(), (sequence, id));
        let (last, last_id) = before.filter(|(last, _)| last.checked_add(1) != Some(sequence))?;
        let back = sequence <= last && id > last_id;
        let told = match () {
            () if sequence > last => "skips numbers",
            () if back => "repeats numbers",
            () => "repeats entries",
        };
        tracing::error!(%account, last, sequence, "the ledger stream of an account {told}");
        back.then_some(last)
    }
}

/// What hinders the export.
#[derive(Debug, Default)]
pub(super) struct Hindrance(Option<String>);

impl Hindrance {
    /// Says `why` if it is of another sort than before.
    pub(super) fn is(&mut self, sort: &str, why: &str) {
        if self.0.as_deref() != Some(sort) {
            tracing::error!(why, "the ledger stream is not exported");
            self.0 = Some(sort.to_owned());
        }
    }

    /// Nothing does any more.
    pub(super) fn over(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the ledger stream is exported again");
        }
    }
}
