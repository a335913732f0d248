//! Charges changed by a person: refunds of what was taken, adjustments of what is held.
//!
//! Invariant: all refunds of a charge give back at most what it took, and each of their ids gives back once.

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::json;

use super::asked::{Asked, needed_reason};
use super::charges::find;
use super::done::Done;
use super::due::worked_off;
use super::problem::{Problem, applied, archived};
use super::{Parts, Result, Shared};
use crate::credit::{Amount, BucketId, ChargeId};
use crate::ledger::{Adjust, ChargeRecord, Refund};
use crate::meter::charge_named;

/// `POST /charges/{charge}/refund`: all that is left, unless an amount is said.
pub(super) async fn refund(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let own = asked.required::<BucketId>("id")?;
    let amount = asked.optional::<Amount>("amount")?;
    let reason = needed_reason(&mut asked)?;
    asked.end()?;
    let record = remembered(&parts, &id).await?;
    let amount = amount.map_or_else(|| left(&record, &own), Ok)?;
    let repeated = once.claim(&parts).await?;
    let (account, charge) = (record.account.clone(), record.charge);
    let call = Refund { account: account.clone(), charge, id: own, amount, reason };
    let answer = worked_off(&*parts.ledger, &account, |ledger| ledger.refund(call.clone())).await;
    let done = applied(answer).map_err(|problem| problem.of_charge(charge))?;
    let told = format!("{charge}: {} given back, {}", done.amount, call.reason);
    let body = json!({
        "object": "refund",
        "id": call.id,
        "charge": charge,
        "account": account,
        "kind": record.kind,
        "amount": done.amount,
        "refunded": done.refunded,
        "charged": done.charged,
        "available": done.available,
        "reason": call.reason,
    });
    Ok(Done::created(told, body).repeated(repeated))
}

/// The charge's record. One of which nothing is known and whose id is old may have been: that is said.
async fn remembered(parts: &Parts, id: &str) -> Result<ChargeRecord> {
    let record = find(parts, id).await;
    let old = |charge: &ChargeId| parts.clock.now().ms_since(charge.born()) >= parts.kept_ms;
    match (record, charge_named(id).filter(old)) {
        (Err(problem), Some(charge)) if problem.is("unknown_charge") => {
            Err(archived().of_charge(charge))
        }
        (record, _) => record,
    }
}

/// What the refund of this id gives back if nobody says: as much as it has, or all that is left.
fn left(record: &ChargeRecord, own: &BucketId) -> Result<Amount> {
    if let Some(part) = record.refunds.iter().find(|part| part.id == *own) {
        return Ok(part.amount);
    }
    if record.ended.is_none() {
        let detail = "The charge is still open: release it, and all that it holds is given back.";
        return Err(Problem::new(StatusCode::CONFLICT, "charge_open", detail));
    }
    if record.charged.is_zero() {
        let detail = "Nothing of this charge is left to be refunded.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refund_too_large", detail)
            .with("left", "0"));
    }
    Ok(record.charged)
}

/// `POST /charges/{charge}/adjust`: what an open charge holds, from now on.
pub(super) async fn adjust(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let own = asked.required::<BucketId>("id")?;
    let held = asked.required::<Amount>("held")?;
    asked.end()?;
    let record = find(&parts, &id).await?;
    let repeated = once.claim(&parts).await?;
    let (account, charge) = (record.account.clone(), record.charge);
    let call = Adjust { account: account.clone(), charge, id: own, held };
    let answer = worked_off(&*parts.ledger, &account, |ledger| ledger.adjust(call.clone())).await;
    let done = applied(answer)?;
    let told = format!("{charge}: {} held, {} missing", done.held, done.short);
    let body = json!({
        "object": "adjustment",
        "id": call.id,
        "charge": charge,
        "account": account,
        "kind": record.kind,
        "held": done.held,
        "short": done.short,
        "legs": done.legs,
        "available": done.available,
    });
    Ok(Done::changed(told, body).repeated(repeated))
}
