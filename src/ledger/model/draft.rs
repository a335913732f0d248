//! One verb's work on one account: loaded, changed, checked, and only then written.
//!
//! Invariant: nothing is written of a draft whose verb refused or whose account does not pass the
//! invariants afterwards.

use super::archive::archive;
use super::invariants::{ended_invariants, invariants};
use super::state::{Account, Ended, Open};
use super::stop::Stop;
use crate::credit::{Amount, ChargeId, Leg};
use crate::ledger::{ChargeState, NOTE_MAX};
use crate::seam::Timestamp;

/// An account as a verb leaves it, and what has ended on the way.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) account: Account,
    /// Tombstones that are new or have changed.
    pub(crate) ended: Vec<Ended>,
    /// What was said at reserve, to be kept beside a charge.
    pub(crate) notes: Vec<(ChargeId, Vec<u8>)>,
    /// What was said at the end, to be kept beside a charge.
    pub(crate) explanations: Vec<(ChargeId, Vec<u8>)>,
}

/// How a charge ended.
pub(super) struct Ending {
    pub(super) state: ChargeState,
    pub(super) actual: Amount,
    pub(super) legs: Vec<Leg>,
    pub(super) returned: Amount,
    pub(super) debt: Amount,
    pub(super) absorbed: Amount,
}

impl Draft {
    /// An account as it was loaded.
    pub(crate) const fn of(account: Account) -> Self {
        Self { account, ended: Vec::new(), notes: Vec::new(), explanations: Vec::new() }
    }

    /// Keeps a tombstone, in place of what due work has made of the same charge before.
    pub(super) fn end(&mut self, ended: Ended) {
        self.ended.retain(|known| known.charge != ended.charge);
        self.ended.push(ended);
    }

    /// Keeps what was said at the end, if anything was.
    pub(crate) fn explain(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop> {
        bounded(text)?;
        if !text.is_empty() {
            self.explanations.push((charge, text.to_vec()));
        }
        Ok(())
    }

    /// Tidies up and checks what the verb has left.
    pub(crate) fn finish(&mut self, now: Timestamp) -> Result<(), Stop> {
        archive(&mut self.account.money, now);
        let checked = self.ended.iter().try_for_each(ended_invariants);
        checked.and_then(|()| invariants(&self.account)).map_err(|broken| {
            Stop::Broken(format!("account {}: {broken}", self.account.document.account))
        })
    }
}

/// Refuses a note or explanation that is too long.
pub(crate) fn bounded(text: &[u8]) -> Result<(), Stop> {
    if text.len() > NOTE_MAX {
        return Err(super::stop::invalid("a note or explanation is at most 16 KiB"));
    }
    Ok(())
}

impl Ending {
    /// The tombstone of `open`.
    pub(super) fn of(self, open: Open, at: Timestamp) -> Result<Ended, Stop> {
        Ok(Ended {
            account: open.account.clone(),
            charge: open.charge,
            state: self.state,
            actual: self.actual,
            charged: super::draw::total(&self.legs)?,
            returned: self.returned,
            debt: self.debt,
            absorbed: self.absorbed,
            legs: self.legs,
            refunds: Vec::new(),
            at,
            by_deadline: false,
            late: false,
            open: Some(open),
        })
    }
}
