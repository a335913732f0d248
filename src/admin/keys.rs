//! Keys: listing, showing, changing, disabling, revoking.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::asked::{Asked, Bare, Parameters, account, label, moment, name};
use super::done::Done;
use super::problem::{Problem, applied};
use super::{Parts, Result, Shared};
use crate::credit::{AccountId, KeyId};
use crate::ledger::{Document, KeyChange, KeyRecord, KeyStatus};
use crate::meter::statement;
use crate::seam::Timestamp;

/// `GET /accounts/{id}/keys`: the youngest first.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let after = page.cursor::<KeyId>()?;
    let account = account(&parts, &id).await?;
    let document = applied(parts.ledger.document(account.clone()).await)?;
    let mut keys = document.keys;
    keys.sort_by_key(|key| std::cmp::Reverse(key.id));
    keys.retain(|key| after.is_none_or(|after| key.id < after));
    let has_more = keys.len() > page.limit;
    keys.truncate(page.limit);
    let now = parts.clock.now();
    let data: Vec<Value> = keys.iter().map(|key| shown(&account, key, now)).collect();
    Ok(Json(statement::list(&data, has_more)))
}

/// `GET /keys/{id}`.
pub(super) async fn show(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    let (document, key) = find(&parts, &id).await?;
    Ok(Json(shown(&document.account, &key, parts.clock.now())))
}

/// `PATCH /keys/{id}`: its label, end, member and routes; `null` as its end: it does not end by itself.
pub(super) async fn change(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let label = label(&mut asked)?;
    let ends = asked.nullable::<String>("ends_at")?;
    let ends = ends.map(|it| it.map(|text| moment("ends_at", &text)).transpose()).transpose()?;
    let member = asked.nullable::<String>("member")?;
    let member = member.map(|it| it.map(|it| name("member", it)).transpose()).transpose()?;
    let said = asked.nullable::<Vec<String>>("routes")?;
    let routes = said.map(|it| known_routes(&parts, it.unwrap_or_default())).transpose()?;
    asked.end()?;
    let key = known(&id)?;
    let repeated = once.claim(&parts).await?;
    let call = KeyChange { label, ends, member, routes, ..KeyChange::of(key) };
    Ok(changed(&parts, call).await?.repeated(repeated))
}

/// Routes that a key may use: each must be one of the configuration's, since a slip of the pen would shut the key
/// out.
pub(super) fn known_routes(parts: &Parts, routes: Vec<String>) -> Result<Vec<String>> {
    let known = |name: &String| parts.rules.routes.iter().any(|it| it.name.as_str() == name);
    match routes.iter().find(|name| !known(name)) {
        None => Ok(routes),
        Some(odd) => {
            let detail = format!("There is no route {odd:?} in the configuration.");
            Err(Problem::invalid("routes", detail))
        }
    }
}

/// `POST /keys/{id}/disable`.
pub(super) async fn disable(state: Shared, path: Path<String>, asked: Asked) -> Result<Done> {
    set(state, path, asked, KeyStatus::Disabled).await
}

/// `POST /keys/{id}/enable`.
pub(super) async fn enable(state: Shared, path: Path<String>, asked: Asked) -> Result<Done> {
    set(state, path, asked, KeyStatus::Active).await
}

/// `POST /keys/{id}/revoke`: for ever.
pub(super) async fn revoke(state: Shared, path: Path<String>, asked: Asked) -> Result<Done> {
    set(state, path, asked, KeyStatus::Revoked).await
}

async fn set(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(asked, once): Asked,
    status: KeyStatus,
) -> Result<Done> {
    asked.end()?;
    let key = known(&id)?;
    let repeated = once.claim(&parts).await?;
    let call = KeyChange { status: Some(status), ..KeyChange::of(key) };
    Ok(changed(&parts, call).await?.repeated(repeated))
}

async fn changed(parts: &Parts, call: KeyChange) -> Result<Done> {
    let id = call.id;
    let document = applied(parts.ledger.change_key(call).await)?;
    let record = document.key(id).ok_or_else(|| unknown(&id.to_string()))?;
    Ok(Done::changed(id.to_string(), shown(&document.account, record, parts.clock.now())))
}

/// The key that a path names, with its account.
pub(super) async fn find(parts: &Parts, id: &str) -> Result<(Document, KeyRecord)> {
    let key = known(id)?;
    let document = applied(parts.ledger.document_of_key(key).await)?;
    let record = document.key(key).cloned().ok_or_else(|| unknown(id))?;
    Ok((document, record))
}

fn known(id: &str) -> Result<KeyId> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Problem {
    Problem::unknown("unknown_key", &format!("key {id}"))
}

/// A key for operators. One whose end has come is `ended`.
pub(super) fn shown(account: &AccountId, key: &KeyRecord, now: Timestamp) -> Value {
    let ended = key.status == KeyStatus::Active && !key.speaks(now);
    let status = if ended { json!("ended") } else { json!(key.status) };
    json!({
        "object": "key",
        "id": key.id,
        "account": account,
        "label": key.label,
        "status": status,
        "created": key.created.to_string(),
        "ends_at": key.ends.map(|end| end.to_string()),
        "member": key.member,
        "routes": key.routes,
    })
}
