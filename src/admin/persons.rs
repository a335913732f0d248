//! Persons: the humans behind accounts, and which of their accounts have free credits.
//!
//! A person is a name that accounts carry, and the claims that were made in it: there is no record to make or to
//! change. A claim is for ever: closing an account does not free it, nor does giving the account to somebody else.
//!
//! Invariant: only reads.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::accounts::of_person;
use super::asked::{Parameters, name};
use super::problem::applied;
use super::{Parts, Result, Shared};
use crate::credit::AccountId;
use crate::ledger::{Document, FreeCredits};

/// `GET /persons/{person}`: a page of the person's accounts, and all claims. A name that nobody has used is a person
/// without accounts.
pub(super) async fn show(
    State(parts): Shared,
    Path(person): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let person = name("person", person)?;
    let claimed = applied(parts.ledger.claims(person.clone()).await)?;
    let accounts =
        of_person(&parts, &person, &page, |document| account(document, &claimed)).await?;
    Ok(Json(json!({
        "object": "person",
        "id": person,
        "free_credits": free_credits(&parts, &claimed),
        "accounts": accounts,
    })))
}

/// The rule, and how much of it is used up.
fn free_credits(parts: &Parts, claimed: &[AccountId]) -> Value {
    let limit = parts.rules.free_accounts;
    let used = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
    json!({ "limit": limit, "claimed": claimed, "left": limit.saturating_sub(used) })
}

fn account(document: &Document, claimed: &[AccountId]) -> Value {
    json!({
        "id": document.account,
        "label": document.label,
        "status": document.status,
        "plan": document.plan,
        "created": document.created.to_string(),
        "free_credits": document.free,
        "claimed": claimed.contains(&document.account),
        "flagged": document.free == FreeCredits::Refused,
    })
}
