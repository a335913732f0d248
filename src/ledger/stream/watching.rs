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
pub(in crate::ledger) struct Sequences {
    last: LruCache<AccountId, Last>,
    /// How often somebody else may have exported meanwhile.
    breaks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    id: StreamId,
    breaks: u64,
}

/// When an entry was made, by the server's clock, and which it was of that moment: later ones are greater.
pub(in crate::ledger) type StreamId = (u64, u64);

/// Reads a stream's `1795348800123-0`.
pub(in crate::ledger) fn place_of(text: &str) -> StreamId {
    let (ms, which) = text.split_once('-').unwrap_or((text, "0"));
    (ms.parse().unwrap_or(0), which.parse().unwrap_or(0))
}

impl Sequences {
    pub(in crate::ledger) fn new() -> Self {
        let last = LruCache::new(NonZeroUsize::new(ACCOUNTS).unwrap_or(NonZeroUsize::MIN));
        Self { last, breaks: 0 }
    }

    /// Numbers may have been written that nobody has seen here: then some may be missing, and none may come again.
    pub(in crate::ledger) fn others_may_have_written(&mut self) {
        self.breaks = self.breaks.wrapping_add(1);
    }

    /// This one has been exported. The answer is the last number before it, if that was of entries that the
    /// ledger has lost: it has given a number again to something else.
    pub(in crate::ledger) fn look(
        &mut self,
        account: AccountId,
        sequence: u64,
        id: StreamId,
    ) -> Option<u64> {
        let now = Last { number: sequence, id, breaks: self.breaks };
        let Some(before) = self.last.get(&account).copied() else {
            self.last.put(account, now);
            return None;
        };
        let last = before.number;
        if sequence <= last && id <= before.id {
            // It was to leave the stream, and the server has forgotten that. What comes next is still compared with
            // the highest.
            tracing::error!(%account, last, sequence, "the ledger stream of an account repeats entries");
            return None;
        }
        self.last.put(account.clone(), now);
        let (follows, others) =
            (last.checked_add(1) == Some(sequence), before.breaks != now.breaks);
        if follows || (sequence > last && others) {
            return None;
        }
        let back = sequence <= last;
        let told = if back { "repeats numbers" } else { "skips numbers" };
        tracing::error!(%account, last, sequence, "the ledger stream of an account {told}");
        back.then_some(last)
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
