//! The ticket: one for each charge, made before the reserve is sent, used up by its end.
//!
//! Whoever holds it owes the ledger a word. Dropped with nothing said (a panic, a client that left while the
//! reserve was under way), it speaks for itself: never forwarded releases, forwarded is in doubt.
//!
//! Invariant: a charge has exactly one ticket, and a ticket says exactly one thing.

use tokio::sync::oneshot;

use super::receipt::Explanation;
use super::settler::{Ending, Permit, Settler};
use super::tally::Stake;
use crate::credit::{AccountId, Amount, ChargeId};
use crate::ledger::{Adjust, Doubt, HandOver, Release, Settle};

/// The duty to end a charge.
#[must_use = "a ticket dropped unused is ended as if its exchange had crashed"]
#[derive(Debug)]
pub struct Ticket {
    settler: Settler,
    account: AccountId,
    charge: ChargeId,
    permit: Option<Permit>,
    stake: Stake,
    forwarded: bool,
}

impl Ticket {
    /// A ticket for a charge that is about to be reserved.
    pub(super) fn new(
        settler: Settler,
        account: AccountId,
        charge: ChargeId,
        permit: Permit,
        stake: Stake,
    ) -> Self {
        Self { settler, account, charge, permit: Some(permit), stake, forwarded: false }
    }

    /// Which charge.
    #[must_use]
    pub const fn charge(&self) -> ChargeId {
        self.charge
    }

    /// The charge is reserved and holds `amount`: its lease is renewed from now on. Not sooner: a charge that the ledger does not
    /// know looks as if it had ended, and nobody would renew it again.
    pub(super) fn reserved(&mut self, amount: Amount) {
        self.stake.held(amount);
        self.settler.begin(self.charge, self.account.clone());
    }

    /// Marks that the first byte is about to go upstream.
    ///
    /// # Errors
    /// When the journal cannot be written: nothing may be forwarded then.
    pub fn forwarding(&mut self) -> std::io::Result<()> {
        self.settler.forwarding(self.charge)?;
        self.forwarded = true;
        Ok(())
    }

    /// Takes what was due and gives back the rest.
    pub fn settle(self, actual: Amount, explanation: &Explanation) {
        let (account, charge) = (self.account.clone(), self.charge);
        let explanation = explanation.bytes();
        self.end(Ending::Settle(Settle { account, charge, actual, explanation }));
    }

    /// Gives everything back.
    pub fn release(self, explanation: &Explanation) {
        let (account, charge) = (self.account.clone(), self.charge);
        self.end(Ending::Release(Release { account, charge, explanation: explanation.bytes() }));
    }

    /// Keeps the credits held until the route's `reconcile` time is over; frees the slot.
    pub fn doubt(self, explanation: &Explanation) {
        let (account, charge) = (self.account.clone(), self.charge);
        self.end(Ending::Doubt(Doubt { account, charge, explanation: explanation.bytes() }));
    }

    /// The exchange is over and its job goes on: from now on whoever reports on the job ends the charge. The answer
    /// comes when the ledger has it.
    #[must_use]
    pub fn hand_over(
        mut self,
        adjust: Option<Adjust>,
        call: HandOver,
    ) -> Option<oneshot::Receiver<u64>> {
        let permit = self.permit.take()?;
        Some(self.settler.hand_over(adjust, call, permit, self.stake.clone()))
    }

    /// The reserve was surely refused: there is nothing to end.
    pub(super) fn void(mut self) {
        self.permit = None;
    }

    fn end(mut self, end: Ending) {
        if let Some(permit) = self.permit.take() {
            self.settler.end(self.charge, end, permit, self.stake.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let (account, charge) = (self.account.clone(), self.charge);
        let (outcome, why) = if self.forwarded {
            ("unknown", "The exchange was cut off while the upstream was at work.")
        } else {
            ("failed", "The request was given up before anything was forwarded.")
        };
        let (outcome, why) = (outcome.to_owned(), why.to_owned());
        let explanation = Explanation { outcome, why, ..Explanation::default() }.bytes();
        let end = if self.forwarded {
            Ending::Doubt(Doubt { account, charge, explanation })
        } else {
            Ending::Release(Release { account, charge, explanation })
        };
        self.settler.end(charge, end, permit, self.stake.clone());
    }
}
