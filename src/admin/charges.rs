//! Charges: the receipts, of one account or by any of their ids.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::Value;

use super::asked::{Asked, Bare, Parameters, account, needed_reason};
use super::done::Done;
use super::due::worked_off;
use super::problem::{Problem, applied};
use super::{Parts, Result, Shared};
use crate::credit::ChargeId;
use crate::ledger::{Answer, ChargeRecord, ChargeState, Refusal, Release};
use crate::meter::{Event, Explanation, charge_named, receipt, statement};

/// What a receipt is marked with when a person has ended the charge.
const BY_OPERATOR: &str = "released_by_operator";

/// `GET /accounts/{id}/charges`: the newest first.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let before = page.cursor::<ChargeId>()?;
    let account = account(&parts, &id).await?;
    let limit = page.limit.saturating_add(1);
    let mut found = applied(parts.ledger.charges(account, before, limit).await)?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    Ok(Json(statement::list(&found.iter().map(receipt).collect::<Vec<_>>(), has_more)))
}

/// `GET /charges/{id}`: by the charge's own id or the `Request-Id` that the client got.
pub(super) async fn show(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    Ok(Json(receipt(&find(&parts, &id).await?)))
}

/// The record of a charge that a path names.
pub(super) async fn find(parts: &Parts, id: &str) -> Result<ChargeRecord> {
    let charge = charge_named(id).ok_or_else(|| unknown(id))?;
    match parts.ledger.charge(charge).await {
        Answer::Refused(Refusal::UnknownCharge | Refusal::UnknownAccount) => Err(unknown(id)),
        answer => applied(answer),
    }
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "There is no charge {id}. What finds one is its id (chg_…) or the Request-Id (req_…) of a paid \
         request; free and refused requests have no charge, and an upstream's own ids are not known here."
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown_charge", detail)
}

/// `POST /charges/{id}/release`: ends an open charge by giving its hold back. If its exchange runs on after
/// all and settles within the hour, that is a late success: what the work cost is drawn then, at most as much
/// as was held.
pub(super) async fn release(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let reason = needed_reason(&mut asked)?;
    asked.end()?;
    let record = find(&parts, &id).await?;
    if record.state == ChargeState::Settled {
        let detail = "The charge has been settled: there is nothing held that could be released.";
        return Err(Problem::new(StatusCode::CONFLICT, "charge_ended", detail));
    }
    let repeated = once.claim(&parts).await?;
    let explanation = explained(&record, &reason, &parts).bytes();
    let call = Release { account: record.account, charge: record.charge, explanation };
    if record.state != ChargeState::Released {
        let account = call.account.clone();
        let released = worked_off(&*parts.ledger, &account, |ledger| ledger.release(call.clone()));
        applied(released.await)?;
    }
    let record = applied(parts.ledger.charge(record.charge).await)?;
    let told = format!("{}: {} given back, {reason}", record.charge, record.held);
    Ok(Done::changed(told, receipt(&record)).repeated(repeated))
}

/// What was known of the charge, and why it was ended.
fn explained(record: &ChargeRecord, reason: &str, parts: &Parts) -> Explanation {
    let mut known: Explanation = serde_json::from_slice(&record.explanation).unwrap_or_default();
    known.outcome = BY_OPERATOR.to_owned();
    // The customer reads this too: who it was is in the log.
    known.why = format!("Released by an operator: {reason}");
    known.flags.push(BY_OPERATOR.to_owned());
    if known.timeline.is_empty() {
        known.timeline.push(Event { at: record.begun, event: "reserved".to_owned() });
    }
    known.timeline.push(Event { at: parts.clock.now(), event: BY_OPERATOR.to_owned() });
    known
}
