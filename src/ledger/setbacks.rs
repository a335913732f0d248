//! Accounts whose ledger has gone back: what this instance had been told of them is not there any more.
//!
//! A failover to a replica that lagged loses writes that were acknowledged, and so does a restored backup. Each
//! account's entries are numbered; a number below one that was seen before gives it away.
//!
//! Invariant: only counts and remembers, a bounded number; nothing is decided by it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::count::Counter;
use crate::credit::AccountId;
use crate::seam::Timestamp;

/// Of how many accounts the last setback is remembered.
const REMEMBERED: usize = 1_024;
/// What several cores see within this time is one setback, in milliseconds; and so long only the first are logged
/// one by one.
const TOGETHER_MS: u64 = 60_000;
/// How many are logged one by one.
const SAID_MAX: u32 = 16;

/// An account that has gone back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// Whose.
    pub account: AccountId,
    /// The highest number of an entry that was seen.
    pub known: u64,
    /// The number that was found then; `None`: the account itself was gone.
    pub found: Option<u64>,
    /// When, by the store's clock.
    pub at: Timestamp,
}

/// See the module. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Setbacks(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: Counter,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first, each account once.
    latest: VecDeque<Setback>,
    /// Since when they are counted that were logged one by one.
    since: Timestamp,
    said: u32,
}

impl Setbacks {
    /// One was seen.
    pub(crate) fn note(&self, seen: Setback) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = state.take(&seen.account)
            && seen.at.ms_since(before.at) < TOGETHER_MS
        {
            let known = before.known.max(seen.known);
            return state.remember(Setback { known, ..before });
        }
        self.0.count.one();
        state.say(&seen);
        state.remember(seen);
    }

    /// How many accounts have gone back since the start of this instance, as far as it has seen them before.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.count.value()
    }

    /// The last setback of an account.
    #[must_use]
    pub fn of(&self, account: &AccountId) -> Option<Setback> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.iter().find(|one| one.account == *account).cloned()
    }
}

impl State {
    fn take(&mut self, account: &AccountId) -> Option<Setback> {
        let place = self.latest.iter().position(|one| one.account == *account)?;
        self.latest.remove(place)
    }

    fn remember(&mut self, one: Setback) {
        if self.latest.len() >= REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(one);
    }

    fn say(&mut self, seen: &Setback) {
        if self.said == 0 || seen.at.ms_since(self.since) >= TOGETHER_MS {
            (self.since, self.said) = (seen.at, 0);
        }
        self.said = self.said.saturating_add(1);
        let Setback { account, known, found, .. } = seen;
        if self.said <= SAID_MAX {
            tracing::error!(
                event = "ledger_went_back",
                %account,
                known,
                found = found.unwrap_or_default(),
                "the ledger has gone back: what it had acknowledged of an account is lost"
            );
        }
        if self.said == SAID_MAX {
            tracing::error!(
                event = "ledger_went_back",
                "more accounts are only counted for a minute: `tollgate audit` names them"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(n: usize, known: u64, at: u64) -> Setback {
        let account = format!("acct_{n}").parse().unwrap_or_else(|_| unreachable!());
        Setback { account, known, found: Some(1), at: Timestamp(at) }
    }

    #[test]
    fn what_several_cores_see_is_one_setback() {
        let all = Setbacks::default();
        all.note(seen(1, 5, 1_000));
        all.note(seen(1, 7, 2_000));
        all.note(seen(1, 6, 3_000));
        all.note(seen(2, 2, 3_000));
        assert_eq!(all.count(), 2);
        assert_eq!(all.of(&seen(1, 0, 0).account), Some(seen(1, 7, 1_000)));
        all.note(seen(1, 9, 1_000 + TOGETHER_MS));
        assert_eq!(all.count(), 3);
    }

    #[test]
    fn the_oldest_are_forgotten_and_all_are_counted() {
        let all = Setbacks::clone(&Setbacks::default());
        for n in 0..REMEMBERED + 10 {
            all.note(seen(n, 5, 1_000));
        }
        assert_eq!(all.count(), 1_034);
        assert_eq!(all.of(&seen(9, 0, 0).account), None);
        assert!(all.of(&seen(10, 0, 0).account).is_some());
    }
}
