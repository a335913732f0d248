//! Free credits of a person: at most so many of a person's accounts have them.
//!
//! Invariant: an account is given free credits only after the claim was made in the person's own part of the
//! ledger; between the two a crash leaves a claim without credits, which the next look mends, never a further
//! account with them.

use super::Rules;
use crate::credit::Class;
use crate::ledger::{AccountChange, Answer, Document, FreeClaim, FreeCredits, Ledger};

impl Rules {
    /// Whether an account's right to free credits is still to be decided: it has a person and a plan with free
    /// credits, and nobody has asked yet.
    #[must_use]
    pub fn wants_free(&self, document: &Document) -> bool {
        let plan = self.plan(&document.plan);
        let offered = plan.is_some_and(|p| p.allowances.iter().any(|one| one.class == Class::Free));
        offered && document.person.is_some() && document.free == FreeCredits::Unclaimed
    }

    /// Decides it, and says so in the account's document.
    pub async fn claim_free(&self, ledger: &dyn Ledger, document: Document) -> Answer<Document> {
        let Some(person) = document.person.clone().filter(|_| self.wants_free(&document)) else {
            return Answer::Applied(document);
        };
        let account = document.account.clone();
        let limit = self.free_accounts;
        let claim = FreeClaim { person, account: account.clone(), limit };
        let free = match ledger.claim_free(claim).await {
            Answer::Applied(true) => FreeCredits::Granted,
            Answer::Applied(false) => FreeCredits::Refused,
            Answer::Refused(refusal) => return Answer::Refused(refusal),
            Answer::Unknown(why) => return Answer::Unknown(why),
        };
        ledger
            .change_account(AccountChange { free: Some(free), ..AccountChange::of(account) })
            .await
    }
}
