//! References: what the operator's own systems call an account, each account by its own.
//!
//! An alias claims the name before the document says it; the old name's alias is taken back afterwards. So a
//! crash leaves at worst an alias whose account does not say that name, or is not there: it finds nothing, and
//! whoever wants the name next takes it over. An account whose name was taken over while it was being written
//! loses it again, by the look after the write.
//!
//! Invariant: a name finds an account only if alias and document agree, so it finds one account at most.

use http::StatusCode;

use super::Result;
use super::problem::{Problem, applied};
use crate::credit::{AccountId, AliasId};
use crate::ledger::{AccountChange, Alias, Answer, Document, Ledger, Refusal};

/// The sort of aliases that references are.
const SORT: &str = "reference";
/// How often a claim is tried again because somebody else was faster.
const TRIES: usize = 8;

fn own(reference: &str, account: &AccountId) -> Alias {
    let id = AliasId::of(SORT, reference.as_bytes());
    Alias { id, account: account.clone(), key: None }
}

/// The account that is called so.
pub(super) async fn find(ledger: &dyn Ledger, reference: &str) -> Result<Option<Document>> {
    match ledger.alias(AliasId::of(SORT, reference.as_bytes())).await {
        Answer::Refused(Refusal::UnknownAlias) => Ok(None),
        answer => named(ledger, applied(answer)?.account, reference).await,
    }
}

/// The account's document, if there is one that says this reference.
async fn named(
    ledger: &dyn Ledger,
    account: AccountId,
    reference: &str,
) -> Result<Option<Document>> {
    match ledger.document(account).await {
        Answer::Refused(Refusal::UnknownAccount) => Ok(None),
        answer => {
            Ok(Some(applied(answer)?).filter(|it| it.reference.as_deref() == Some(reference)))
        }
    }
}

/// Claims the name for `account`, unless another account is called so.
pub(super) async fn claim(ledger: &dyn Ledger, reference: &str, account: &AccountId) -> Result<()> {
    for _ in 0..TRIES {
        match ledger.create_alias(own(reference, account)).await {
            Answer::Refused(Refusal::Exists) => {}
            answer => return applied(answer),
        }
        let there = match ledger.alias(AliasId::of(SORT, reference.as_bytes())).await {
            Answer::Refused(Refusal::UnknownAlias) => continue,
            answer => applied(answer)?,
        };
        if let Some(holder) = named(ledger, there.account.clone(), reference).await? {
            return Err(taken(reference).with("account", holder.account.as_str()));
        }
        match ledger.remove_alias(there).await {
            Answer::Refused(Refusal::Exists) => {}
            answer => applied(answer)?,
        }
    }
    Err(taken(reference))
}

/// After the account's document says the name: whether it is still the account's. If somebody took it over in
/// between, the document loses it.
pub(super) async fn confirm(
    ledger: &dyn Ledger,
    reference: &str,
    account: &AccountId,
) -> Result<()> {
    match ledger.create_alias(own(reference, account)).await {
        Answer::Refused(Refusal::Exists) => {}
        answer => return applied(answer),
    }
    let undo = AccountChange { reference: Some(None), ..AccountChange::of(account.clone()) };
    applied(ledger.change_account(undo).await)?;
    Err(taken(reference))
}

/// Takes back a claim that the account's document does not need. What goes wrong here is harmless.
pub(super) async fn drop_unused(ledger: &dyn Ledger, reference: &str, account: &AccountId) {
    let needed = || named(ledger, account.clone(), reference);
    if !matches!(needed().await, Ok(None)) {
        return;
    }
    match ledger.remove_alias(own(reference, account)).await {
        // Another call may have given the account this name again in between.
        Answer::Applied(()) => {
            if matches!(needed().await, Ok(Some(_)))
                && !matches!(
                    ledger.create_alias(own(reference, account)).await,
                    Answer::Applied(())
                )
            {
                tracing::warn!(%account, reference, "the account cannot be found by its reference");
            }
        }
        Answer::Refused(Refusal::Exists) => {}
        answer => tracing::warn!(%account, reference, ?answer, "an unused reference stays claimed"),
    }
}

fn taken(reference: &str) -> Problem {
    let detail = format!("Another account has the reference {reference:?}.");
    Problem::new(StatusCode::CONFLICT, "reference_taken", detail).with("param", "reference")
}
