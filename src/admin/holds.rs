//! Holds: charges that are open, the oldest first.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::{Path, State};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::asked::{Parameters, account, duration};
use super::money::sight;
use super::problem::applied;
use super::{Parts, Result, Shared};
use crate::credit::ChargeId;
use crate::ledger::{Answer, ChargeRecord, OpenRef, Refusal};
use crate::meter::{Page, request_of, statement};

/// How many charges are looked up at once.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(25).unwrap();
/// Whose the charges are that wait for jobs.
const NOBODY: &str = "";

/// `GET /accounts/{id}/holds`.
pub(super) async fn of_account(
    State(parts): Shared,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>> {
    let older = older_than(&mut parameters)?;
    let page = parameters.page()?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let open = sight(&parts, &document).await?.view.open;
    listed(&parts, open, older, &page).await
}

/// `GET /holds`: those whose exchanges one instance runs or ran, by default the one that is asked and those that
/// wait for jobs, which are no instance's.
pub(super) async fn of_instance(
    State(parts): Shared,
    mut parameters: Parameters,
) -> Result<Json<Value>> {
    let named = parameters.optional("instance")?;
    let instance = named.clone().unwrap_or_else(|| parts.instance.clone());
    let older = older_than(&mut parameters)?;
    let page = parameters.page()?;
    let mut open = applied(parts.ledger.open_of(instance.clone()).await)?;
    if named.is_none() {
        open.extend(applied(parts.ledger.open_of(NOBODY.to_owned()).await)?);
    }
    let Json(mut body) = listed(&parts, open, older, &page).await?;
    body["instance"] = instance.into();
    Ok(Json(body))
}

fn older_than(parameters: &mut Parameters) -> Result<u64> {
    let said = parameters.optional("older_than")?;
    Ok(said.map(|text| duration("older_than", &text)).transpose()?.unwrap_or_default())
}

async fn listed(
    parts: &Parts,
    mut open: Vec<OpenRef>,
    older_ms: u64,
    page: &Page,
) -> Result<Json<Value>> {
    let (now, after) = (parts.clock.now(), page.cursor::<ChargeId>()?);
    open.sort_by_key(|hold| hold.charge);
    open.retain(|hold| {
        after.is_none_or(|after| after < hold.charge)
            && now.ms_since(hold.charge.born()) >= older_ms
    });
    let has_more = open.len() > page.limit;
    open.truncate(page.limit);
    let mut data = Vec::new();
    for some in open.chunks(AT_ONCE.get()) {
        let records = join_all(some.iter().map(|hold| parts.ledger.charge(hold.charge))).await;
        for (hold, record) in some.iter().zip(records) {
            let record = match record {
                // It has ended and been forgotten since the list was made.
                Answer::Refused(Refusal::UnknownCharge) => None,
                answer => Some(applied(answer)?),
            };
            data.push(shown(parts, hold, record.as_ref()));
        }
    }
    let next = open.last().filter(|_| has_more).map(|last| last.charge.to_string());
    Ok(Json(statement::page(&data, next.as_deref())))
}

/// The job that a charge waits for, or `null`.
fn job(record: &ChargeRecord) -> Value {
    let told: Value = serde_json::from_slice(&record.explanation).unwrap_or_default();
    told["job"].clone()
}

fn shown(parts: &Parts, hold: &OpenRef, record: Option<&ChargeRecord>) -> Value {
    let begun = record.map_or(hold.charge.born(), |record| record.begun);
    let deadline = record.and_then(|record| record.deadline);
    json!({
        "object": "hold",
        "id": hold.charge,
        "request": request_of(hold.charge),
        "account": hold.account,
        "state": hold.state,
        "kind": record.and_then(|record| record.kind.clone()),
        "held": hold.held,
        "route": record.map(|record| record.route.clone()),
        "key": record.and_then(|record| record.key),
        "instance": Some(&hold.instance).filter(|instance| *instance != NOBODY),
        "job": record.map(job),
        "created": begun.to_string(),
        "age_s": parts.clock.now().ms_since(begun) / 1_000,
        "unknown_until": deadline.map(|moment| moment.to_string()),
    })
}
