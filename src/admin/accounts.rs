//! Accounts: making, listing, showing, changing.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Bare, Paged, account};
use super::problem::{Problem, applied};
use super::{Parts, Result, Shared};
use crate::credit::{AccountId, Zone, encode};
use crate::ledger::{AccountChange, AccountStatus, Document, NewAccount};
use crate::meter::{Members, statement};
use crate::seam::Timestamp;

/// How many random bytes a generated id has.
const ID_BYTES: usize = 10;
/// The longest label in bytes.
const LABEL_MAX: usize = 200;

/// `POST /accounts`.
pub(super) async fn create(
    State(parts): Shared,
    Asked(mut asked): Asked,
) -> Result<(StatusCode, Json<Value>)> {
    let id = asked.optional::<AccountId>("id")?;
    let plan: String = asked.required("plan")?;
    let zone = asked.optional::<String>("zone")?.unwrap_or_else(|| Zone::UTC.name().to_owned());
    let anchor = asked.optional::<String>("anchor")?.map(|text| moment("anchor", &text));
    let label = label(&mut asked)?.unwrap_or_default();
    asked.end()?;
    check_plan(&parts, &plan)?;
    check_zone(&zone)?;
    let account = id.map_or_else(|| fresh(&parts), Ok)?;
    let anchor = anchor.transpose()?;
    let (person, reference) = (None, None);
    let call =
        NewAccount { account: account.clone(), plan, zone, anchor, label, person, reference };
    let document = applied(parts.ledger.create_account(call).await)
        // Whoever asks again must know the id, which may have been made here.
        .map_err(|problem| problem.with("id", account.as_str()))?;
    Ok((StatusCode::CREATED, Json(shown(&document))))
}

/// `GET /accounts`.
pub(super) async fn list(State(parts): Shared, Paged(page): Paged) -> Result<Json<Value>> {
    let after = page.cursor::<AccountId>()?;
    let mut found = applied(parts.ledger.accounts(after, page.limit.saturating_add(1)).await)?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    Ok(Json(statement::list(&found.iter().map(shown).collect::<Vec<_>>(), has_more)))
}

/// `GET /accounts/{id}`.
pub(super) async fn show(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    Ok(Json(shown(&applied(parts.ledger.document(account(&id)?).await)?)))
}

/// `PATCH /accounts/{id}`.
pub(super) async fn change(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked): Asked,
) -> Result<Json<Value>> {
    let account = account(&id)?;
    let plan = asked.optional::<String>("plan")?;
    let zone = asked.optional::<String>("zone")?;
    let status = asked.optional::<AccountStatus>("status")?;
    let label = label(&mut asked)?;
    asked.end()?;
    plan.as_deref().map_or(Ok(()), |plan| check_plan(&parts, plan))?;
    zone.as_deref().map_or(Ok(()), check_zone)?;
    let call = AccountChange { plan, zone, status, label, ..AccountChange::of(account) };
    Ok(Json(shown(&applied(parts.ledger.change_account(call).await)?)))
}

/// An account for operators.
fn shown(document: &Document) -> Value {
    json!({
        "object": "account",
        "id": document.account,
        "label": document.label,
        "status": document.status,
        "plan": document.plan,
        "zone": document.zone,
        "anchor": document.anchor.to_string(),
        "created": document.created.to_string(),
        "keys": document.keys.len(),
        "version": document.version,
    })
}

fn fresh(parts: &Parts) -> Result<AccountId> {
    let mut random = [0; ID_BYTES];
    let made = parts.entropy.fill(&mut random).map_err(|error| error.to_string());
    let id = made.and_then(|()| {
        format!("acct_{}", encode(&random)).parse::<AccountId>().map_err(|error| error.to_string())
    });
    id.map_err(|why| {
        tracing::error!(%why, "an account id cannot be made");
        let detail = "No id could be made for the account. Choose one yourself: member id.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_entropy", detail)
    })
}

fn check_plan(parts: &Parts, plan: &str) -> Result<()> {
    if parts.rules.plan(plan).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = parts.rules.plans.iter().map(|plan| plan.name.as_str()).collect();
    let detail = format!("There is no plan {plan:?}. There are: {}.", known.join(", "));
    Err(Problem::invalid("plan", detail))
}

fn check_zone(zone: &str) -> Result<()> {
    let read = zone.parse::<Zone>();
    read.map(drop).map_err(|error| Problem::invalid("zone", error.to_string()))
}

/// A moment that a member says.
pub(super) fn moment(name: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error| {
        Problem::invalid(
            name,
            format!("{name} must be a time such as 2026-11-22T06:00:00Z: {error}"),
        )
    })
}

/// The label that a call gives.
pub(super) fn label(asked: &mut Members) -> Result<Option<String>> {
    let label = asked.optional::<String>("label")?;
    if label.as_ref().is_some_and(|label| label.len() > LABEL_MAX) {
        return Err(Problem::invalid("label", format!("label has at most {LABEL_MAX} bytes")));
    }
    Ok(label)
}
