//! Charges: the receipts, of one account or by their ids.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::asked::{Bare, Paged, account};
use super::problem::{Problem, applied};
use super::{Result, Shared};
use crate::credit::ChargeId;
use crate::meter::{receipt, statement};

/// `GET /accounts/{id}/charges`: the newest first.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    Paged(page): Paged,
) -> Result<Json<Value>> {
    let (account, before) = (account(&id)?, page.cursor::<ChargeId>()?);
    let limit = page.limit.saturating_add(1);
    let mut found = applied(parts.ledger.charges(account, before, limit).await)?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    Ok(Json(statement::list(&found.iter().map(receipt).collect::<Vec<_>>(), has_more)))
}

/// `GET /charges/{id}`.
pub(super) async fn show(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    let unknown = |_| Problem::unknown("unknown_charge", &format!("charge {id}"));
    let charge: ChargeId = id.parse().map_err(unknown)?;
    Ok(Json(receipt(&applied(parts.ledger.charge(charge).await)?)))
}
