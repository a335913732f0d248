//! What an account has and what limits it.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::asked::{Bare, account};
use super::problem::applied;
use super::{Parts, Result, Shared};
use crate::meter::{Sight, look, statement};

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
    let document = applied(parts.ledger.document(account(id)?).await)?;
    let now = parts.clock.now();
    let sight = applied(look(&*parts.ledger, &parts.rules, &document, None, now).await)?;
    Ok(Json(say(&sight)))
}
