//! Keys: making, listing, revoking.
//!
//! Invariant: a key's text is in the answer that makes it, and nowhere else.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};

use super::accounts::label;
use super::asked::{Asked, Paged, account};
use super::problem::{Problem, applied};
use super::{Result, Shared};
use crate::credit::{AccountId, KeyId};
use crate::ledger::{Answer, KeyChange, KeyRecord, Ledger, NewKey};
use crate::meter::{NewKeyText, statement};

/// How often a creation whose answer was lost is asked again; its text would be lost with it.
const TRIES: usize = 3;

/// `POST /accounts/{id}/keys`.
pub(super) async fn create(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked): Asked,
) -> Result<(StatusCode, [(http::HeaderName, &'static str); 1], Json<Value>)> {
    let account = account(&id)?;
    let label = label(&mut asked)?.unwrap_or_default();
    asked.end()?;
    let shape = parts.rules.identity.keys.shape.as_ref();
    let made = NewKeyText::make(&account, shape, &*parts.clock, &*parts.entropy);
    let made = made.map_err(|error| {
        tracing::error!(%error, "a key cannot be made");
        let detail = "The machine has no randomness to make a key from.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_entropy", detail)
    })?;
    let call = NewKey { account: account.clone(), id: made.id, hash: made.hash, label, ends: None };
    let record = insist(&*parts.ledger, call).await?;
    let mut body = shown(&account, &record);
    body["secret"] = made.text.into();
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)))
}

/// Makes a key, and asks again while nobody knows: the same id and hash make one key.
async fn insist(ledger: &dyn Ledger, call: NewKey) -> Result<KeyRecord> {
    let id = call.id;
    let mut answer = ledger.create_key(call.clone()).await;
    for _ in 1..TRIES {
        if !matches!(answer, Answer::Unknown(_)) {
            break;
        }
        answer = ledger.create_key(call.clone()).await;
    }
    let document = applied(answer).map_err(|problem| problem.with("id", id.to_string()))?;
    document.key(id).cloned().ok_or_else(|| {
        let detail = "The key was revoked while it was being made.";
        Problem::new(StatusCode::CONFLICT, "conflict", detail)
    })
}

/// `GET /accounts/{id}/keys`: the youngest first.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    Paged(page): Paged,
) -> Result<Json<Value>> {
    let account = account(&id)?;
    let after = page.cursor::<KeyId>()?;
    let document = applied(parts.ledger.document(account.clone()).await)?;
    let mut keys = document.keys;
    keys.sort_by_key(|key| std::cmp::Reverse(key.id));
    keys.retain(|key| after.is_none_or(|after| key.id < after));
    let has_more = keys.len() > page.limit;
    keys.truncate(page.limit);
    let data: Vec<Value> = keys.iter().map(|key| shown(&account, key)).collect();
    Ok(Json(statement::list(&data, has_more)))
}

/// `POST /keys/{id}/revoke`.
pub(super) async fn revoke(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(asked): Asked,
) -> Result<Json<Value>> {
    asked.end()?;
    let unknown = || Problem::unknown("unknown_key", &format!("key {id}"));
    let key: KeyId = id.parse().map_err(|_| unknown())?;
    let call = KeyChange::revoke(key);
    let document = applied(parts.ledger.change_key(call).await)?;
    let record = document.key(key).ok_or_else(unknown)?;
    Ok(Json(shown(&document.account, record)))
}

fn shown(account: &AccountId, key: &KeyRecord) -> Value {
    json!({
        "object": "key",
        "id": key.id,
        "account": account,
        "label": key.label,
        "status": key.status,
        "created": key.created.to_string(),
    })
}
