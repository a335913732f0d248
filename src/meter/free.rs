//! Free credits of a person: at most so many of a person's accounts have them.
//!
//! Invariant: an account is given free credits only after the claim was made in the person's own part of the
//! ledger; between the two a crash leaves a claim without credits, which the next look mends, never a further
//! account with them.

use super::Rules;
use super::admit::Meter;
use super::identity::Identity;
use super::rejection::Rejection;
use crate::credit::{Class, Plan};
use crate::ledger::{
    AccountChange, AccountStatus, Answer, Document, FreeClaim, FreeCredits, Ledger,
};

impl Rules {
    /// Whether an account's right to free credits is still to be decided: it has a person and a plan with free
    /// credits, and nobody has asked yet.
    #[must_use]
    pub fn wants_free(&self, document: &Document) -> bool {
        self.plan(&document.plan).is_some_and(|plan| is_open(plan, document))
    }

    /// Decides it, and says so in the account's document.
    pub async fn claim_free(&self, ledger: &dyn Ledger, document: Document) -> Answer<Document> {
        if self.wants_free(&document) {
            self.decide_free(ledger, document).await
        } else {
            Answer::Applied(document)
        }
    }

    /// Decides it for an account whose right is open under the plan that it has or that a token names.
    async fn decide_free(&self, ledger: &dyn Ledger, document: Document) -> Answer<Document> {
        let Some(person) = document.person.clone() else { return Answer::Applied(document) };
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

impl Meter {
    /// The account with its right to free credits decided; `None`: there was nothing to decide. Asked of the
    /// ledger's own document: a remembered one may name another person.
    pub(super) async fn decide_free(
        &self,
        identity: &Identity,
    ) -> Result<Option<Identity>, Rejection> {
        let Some(plan) = identity.plan.as_ref().filter(|plan| is_open(plan, &identity.document))
        else {
            return Ok(None);
        };
        let mut answer = self.ledger.document(identity.document.account.clone()).await;
        if let Answer::Applied(document) = answer {
            let open = is_open(plan, &document) && document.status == AccountStatus::Active;
            if !open && document.version <= identity.document.version {
                return Ok(None);
            }
            answer = match open {
                true => self.rules.decide_free(&*self.ledger, document).await,
                false => Answer::Applied(document),
            };
        }
        match answer {
            Answer::Applied(document) => self.directory.renew(identity, document).map(Some),
            Answer::Refused(refusal) => Err(self.rejection(refusal, identity)),
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }
}

/// Whether an account's right to the free credits of `plan` is still to be decided. Answered from the document
/// alone: who has no such right is asked for nothing.
fn is_open(plan: &Plan, document: &Document) -> bool {
    document.free == FreeCredits::Unclaimed
        && document.person.is_some()
        && plan.allowances.iter().any(|given| given.class == Class::Free)
}
