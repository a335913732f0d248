//! Balance, limits and charges of the account whose key is shown.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::Portal;
use super::call::{Call, Refused};
use super::identity::{Identity, applied, identify};
use crate::credit::{ChargeId, Every, Zone};
use crate::ledger::{Answer, Refusal};
use crate::meter::{
    Cause, Detail, Fault, Misread, Page, Rejection, Sight, charge_named, look, receipt, statement,
    usage,
};

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

/// `GET /me`: the key that is shown, and whose it is.
pub(super) async fn me(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(own(&portal, &call).await)
}

async fn own(portal: &Portal, call: &Call) -> Result<Value, Refused> {
    let Identity { document, key } = identify(portal, call).await?;
    Page::none(&call.query()?)?;
    let record = document.key(key).ok_or_else(Rejection::invalid_key)?;
    let zone = document.zone.parse::<Zone>().unwrap_or(Zone::UTC);
    let plan = portal.rules.plan(&document.plan);
    Ok(json!({
        "object": "key",
        "id": record.id,
        "label": record.label,
        "created": record.created.to_string(),
        "ends_at": record.ends.map(|end| end.to_string()),
        "member": record.member,
        "routes": record.routes,
        "account": {
            "id": document.account,
            "label": document.label,
            "status": document.status,
            "plan": document.plan,
            "time_zone": document.zone,
            "restriction": statement::restriction(&document, &zone, portal.clock.now()),
            "free_credits": statement::free_credits(&document, plan),
        },
    }))
}

/// `GET /usage?period=today|month`: of the whole account.
pub(super) async fn used(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(counted(&portal, &call).await)
}

async fn counted(portal: &Portal, call: &Call) -> Result<Value, Refused> {
    let Identity { document, .. } = identify(portal, call).await?;
    let every = match call.query()?.as_slice() {
        [] => Some(Every::Day),
        [(name, word)] if name == "period" => usage::period(word),
        others => {
            Page::none(
                &others.iter().filter(|(it, _)| it != "period").cloned().collect::<Vec<_>>(),
            )?;
            None
        }
    };
    let every = every.ok_or_else(|| Misread::of("period", Fault::Period))?;
    let (now, kept_ms) = (portal.clock.now(), portal.kept_ms);
    let asked = usage::Asked { document: &document, every, now, kept_ms };
    applied(portal, usage::usage(&*portal.ledger, &portal.rules, &asked).await)
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

/// `GET /charges/{id}`: the receipt, by the charge's own id or the `Request-Id` of its request.
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
    let charge = charge_named(id).ok_or_else(unknown)?;
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
    let detail = Detail::Method { method: call.method.to_string() };
    call.answer(Err(Rejection::new(Cause::MethodNotAllowed, detail).into()))
}
