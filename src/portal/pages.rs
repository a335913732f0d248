//! Balance, limits and charges of the account whose key is shown.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::Portal;
use super::call::{Call, Refused};
use super::identity::{Identity, applied, identify};
use crate::credit::ChargeId;
use crate::ledger::{Answer, Refusal};
use crate::meter::{Page, Rejection, Sight, look, receipt, statement};

/// `GET /balance`.
pub(super) async fn balance(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(seen(&portal, &call, statement::balance).await)
}

/// `GET /limits`.
pub(super) async fn limits(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(seen(&portal, &call, statement::limits).await)
}

async fn seen(
    portal: &Portal,
    call: &Call,
    say: fn(&Sight<'_>) -> Value,
) -> Result<Value, Refused> {
    let Identity { document, key } = identify(portal, call).await?;
    Page::none(&call.query()?)?;
    if portal.rules.plan(&document.plan).is_none() {
        return Err(Rejection::plan_unknown_here(&document.plan).into());
    }
    let now = portal.clock.now();
    let sight = look(&*portal.ledger, &portal.rules, &document, Some(key), now).await;
    Ok(say(&applied(portal, sight)?))
}

/// `GET /charges`: the newest first.
pub(super) async fn charges(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(listed(&portal, &call).await)
}

async fn listed(portal: &Portal, call: &Call) -> Result<Value, Refused> {
    let account = identify(portal, call).await?.document.account;
    let page = Page::read(&call.query()?)?;
    let before = page.cursor::<ChargeId>()?;
    let limit = page.limit.saturating_add(1);
    let mut found = applied(portal, portal.ledger.charges(account, before, limit).await)?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    Ok(statement::list(&found.iter().map(receipt).collect::<Vec<_>>(), has_more))
}

/// `GET /charges/{id}`: the receipt.
pub(super) async fn charge(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    call: Call,
) -> Response {
    call.answer(one(&portal, &call, &id).await)
}

async fn one(portal: &Portal, call: &Call, id: &str) -> Result<Value, Refused> {
    let account = identify(portal, call).await?.document.account;
    Page::none(&call.query()?)?;
    let unknown = || Rejection::unknown_charge(id);
    let charge: ChargeId = id.parse().map_err(|_| unknown())?;
    let record = match portal.ledger.charge(charge).await {
        Answer::Refused(Refusal::UnknownCharge | Refusal::UnknownAccount) => {
            return Err(unknown().into());
        }
        answer => applied(portal, answer)?,
    };
    if record.account == account { Ok(receipt(&record)) } else { Err(unknown().into()) }
}

/// Any other path.
pub(super) async fn unknown(call: Call) -> Response {
    let rejection = Rejection::unknown_route(call.method.as_str(), call.uri.path());
    call.answer(Err(rejection.into()))
}

/// Any other method.
pub(super) async fn wrong_method(call: Call) -> Response {
    let detail = format!("{} is not possible here.", call.method);
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let title = "Method not allowed";
    call.answer(Err(Rejection::new(status, "method_not_allowed", title, detail).into()))
}
