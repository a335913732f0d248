//! Grants: what an account was given, and what became of it.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Bare, Parameters, account};
use super::money::sight;
use super::problem::{Problem, applied};
use super::{Result, Shared};
use crate::credit::{Amount, Bucket, BucketId, Kind};
use crate::meter::statement;

/// `GET /accounts/{id}/grants`: those that pay first first, ended ones last, allowances and debts among them.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let after = page.cursor::<BucketId>()?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let view = sight(&parts, &document).await?.view;
    let at = |after: &BucketId| view.buckets.iter().position(|bucket| bucket.id == *after);
    let skip = match &after {
        None => 0,
        Some(after) => at(after).map_or(view.buckets.len(), |at| at.saturating_add(1)),
    };
    let rest = view.buckets.get(skip..).unwrap_or_default();
    let data: Vec<Value> = rest.iter().take(page.limit).map(shown).collect();
    let mut body = statement::list(&data, rest.len() > page.limit);
    // With these, the columns of all pages come to all that the account was ever given.
    body["archived"] = view.archived.iter().map(archived).collect();
    Ok(Json(body))
}

/// `GET /accounts/{id}/grants/{grant}`.
pub(super) async fn show(
    State(parts): Shared,
    Path((id, grant)): Path<(String, String)>,
    _: Bare,
) -> Result<Json<Value>> {
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let view = sight(&parts, &document).await?.view;
    let found = view.buckets.iter().find(|bucket| bucket.id.as_str() == grant);
    found.map(|bucket| Json(shown(bucket))).ok_or_else(|| {
        let detail = format!(
            "This account lists no grant {grant}. One of which nothing is left is summed up after 30 days, a purchase after 540."
        );
        Problem::new(StatusCode::NOT_FOUND, "unknown_grant", detail)
    })
}

fn shown(bucket: &Bucket) -> Value {
    statement::grant(bucket)
}

/// What grants of a kind that are not listed any more had come to.
fn archived((kind, [granted, spent, expired, voided]): &(Kind, [Amount; 4])) -> Value {
    json!({
        "kind": kind, "granted": granted, "spent": spent, "expired": expired, "voided": voided,
    })
}
