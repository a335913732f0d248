//! The ids of overrides, each used once: a call that comes again after its override has ended and left the account's
//! document would make it anew.
//!
//! The mark is an alias in the ledger. It is written after the override, so that a call that broke off in between can be
//! sent again; whoever sends it again while the override is listed writes it too.
//!
//! Invariant: an override that was told to have been made, and has ended, is not made again by its id.

use http::StatusCode;

use super::problem::{Problem, applied};
use super::{Parts, Result};
use crate::credit::{AccountId, AliasId};
use crate::ledger::{Alias, Answer, Refusal};

/// The sort of aliases that these marks are.
const SORT: &str = "override";

/// That an account has no override of this id behind it.
pub(super) async fn unused(parts: &Parts, account: &AccountId, id: &str) -> Result<()> {
    match parts.ledger.alias(mark(account, id).id).await {
        Answer::Refused(Refusal::UnknownAlias) => Ok(()),
        answer => Err(ended(id, &applied(answer)?)),
    }
}

/// Marks an id as used.
pub(super) async fn used(parts: &Parts, account: &AccountId, id: &str) -> Result<()> {
    applied(parts.ledger.create_alias(mark(account, id)).await)
}

fn mark(account: &AccountId, id: &str) -> Alias {
    let name = format!("{account} {id}");
    Alias { id: AliasId::of(SORT, name.as_bytes()), account: account.clone(), key: None }
}

fn ended(id: &str, mark: &Alias) -> Problem {
    let detail = format!(
        "The override {id} of {} was made and has ended. Nothing was done; another one needs another id.",
        mark.account
    );
    Problem::new(StatusCode::CONFLICT, "override_ended", detail).with("id", id)
}
