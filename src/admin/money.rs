//! What an account has, what limits it, and what it has used.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::asked::{Bare, Parameters, account, misread};
use super::problem::applied;
use super::{Parts, Result, Shared};
use crate::credit::Every;
use crate::ledger::Document;
use crate::meter::{Sight, look, statement, usage};

/// `GET /accounts/{id}/balance`.
pub(super) async fn balance(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    seen(&parts, &id, statement::balance).await
}

/// `GET /accounts/{id}/limits`: those of single keys are left out.
pub(super) async fn limits(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    seen(&parts, &id, statement::limits).await
}

async fn seen(parts: &Parts, id: &str, say: fn(&Sight<'_>) -> Value) -> Result<Json<Value>> {
    let document = applied(parts.ledger.document(account(parts, id).await?).await)?;
    Ok(Json(say(&sight(parts, &document).await?)))
}

/// The account's money and counters.
pub(super) async fn sight<'a>(parts: &'a Parts, document: &'a Document) -> Result<Sight<'a>> {
    let now = parts.clock.now();
    applied(look(&*parts.ledger, &parts.rules, document, None, now).await)
}

/// `GET /accounts/{id}/usage?period=today|month`.
pub(super) async fn used(
    State(parts): Shared,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>> {
    let period = parameters.optional("period")?;
    parameters.end()?;
    let every = period.as_deref().map_or(Some(Every::Day), usage::period);
    let every = every.ok_or_else(|| misread("period", "today or month"))?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let (now, kept_ms) = (parts.clock.now(), parts.kept_ms);
    let asked = usage::Asked { document: &document, every, now, kept_ms };
    Ok(Json(applied(usage::usage(&*parts.ledger, &parts.rules, &asked).await)?))
}
