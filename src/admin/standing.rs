//! Accounts: changing, restricting, suspending, resuming, closing.

use axum::extract::{Path, State};
use serde_json::Value;

use super::accounts::{check_plan, check_zone, claimed, shown};
use super::asked::{Asked, account, label, misread, moment, name, needed_reason, reason, to_come};
use super::done::Done;
use super::problem::applied;
use super::references::{self, Claim};
use super::{Parts, Result, Shared};
use crate::credit::AccountId;
use crate::ledger::{AccountChange, AccountStatus, Answer, Document};
use crate::meter::Members;
use crate::seam::Timestamp;

/// `PATCH /accounts/{id}`: what is not said stays; `null` takes a person, reference or restriction
/// away.
pub(super) async fn change(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let account = account(&parts, &id).await?;
    let call = read(&parts, account, &mut asked)?;
    asked.end()?;
    let repeated = once.claim(&parts).await?;
    let call = lifted(&parts, call).await?;
    let document = changed(&parts, call).await?;
    Ok(done(&claimed(&parts, document).await?).repeated(repeated))
}

fn read(parts: &Parts, account: AccountId, asked: &mut Members) -> Result<AccountChange> {
    let plan = asked.optional::<String>("plan")?;
    let zone = asked.optional::<String>("zone")?;
    let anchor = asked.optional::<String>("anchor")?;
    let status = asked.optional::<AccountStatus>("status")?;
    let (label, reason) = (label(asked)?, reason(asked)?);
    let mut named = |member| {
        let said = asked.nullable::<String>(member)?;
        said.map(|it| it.map(|it| name(member, it)).transpose()).transpose()
    };
    let (person, reference) = (named("person")?, named("reference")?);
    let restricted_until = restriction(parts, asked, reason.as_deref())?;
    plan.as_deref().map_or(Ok(()), |plan| check_plan(parts, plan))?;
    zone.as_deref().map_or(Ok(()), check_zone)?;
    let anchor = anchor.map(|text| moment("anchor", &text)).transpose()?;
    let reason = reason.or_else(|| clears(status));
    let none = AccountChange::of(account);
    Ok(AccountChange {
        plan,
        zone,
        status,
        label,
        anchor,
        reason,
        person,
        reference,
        restricted_until,
        ..none
    })
}

/// Until when the account may not spend; a reason belongs to it.
fn restriction(
    parts: &Parts,
    asked: &mut Members,
    reason: Option<&str>,
) -> Result<Option<Option<Timestamp>>> {
    let said = asked.nullable::<String>("restricted_until")?;
    let Some(Some(text)) = said else { return Ok(said.map(|_| None)) };
    let until = to_come(parts, "restricted_until", moment("restricted_until", &text)?)?;
    match reason {
        Some(_) => Ok(Some(Some(until))),
        None => Err(misread("reason", "why the account is restricted must be said")),
    }
}

/// The same; an active account whose restriction is lifted is as it is for no reason, unless one is given.
async fn lifted(parts: &Parts, call: AccountChange) -> Result<AccountChange> {
    if call.restricted_until != Some(None) || call.reason.is_some() {
        return Ok(call);
    }
    let document = applied(parts.ledger.document(call.account.clone()).await)?;
    let clear = document.restricted_until.is_some() && document.status == AccountStatus::Active;
    Ok(AccountChange { reason: clear.then(String::new), ..call })
}

/// An account that is active again is so for no reason, unless one is given.
fn clears(status: Option<AccountStatus>) -> Option<String> {
    (status == Some(AccountStatus::Active)).then(String::new)
}

/// Changes an account; a new reference is claimed first, the old one's claim is taken back at the end.
async fn changed(parts: &Parts, call: AccountChange) -> Result<Document> {
    let ledger = &*parts.ledger;
    let account = call.account.clone();
    let Some(reference) = call.reference.clone() else {
        return applied(ledger.change_account(call).await);
    };
    let before = applied(ledger.document(account.clone()).await)?.reference;
    let claim = match &reference {
        Some(new) => Some(Claim::make(parts, new, &account).await?),
        None => None,
    };
    let answer = ledger.change_account(call).await;
    match (&answer, claim) {
        (Answer::Applied(_), Some(claim)) => claim.renew().await?,
        (Answer::Refused(_), Some(claim)) => claim.withdraw().await,
        _ => {}
    }
    let document = applied(answer)?;
    if let Some(old) = before.filter(|old| Some(old) != reference.as_ref()) {
        references::drop_unused(ledger, &old, &account).await;
    }
    Ok(document)
}

/// `POST /accounts/{id}/suspend`: a reason is needed.
pub(super) async fn suspend(
    state: Shared,
    path: Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let reason = needed_reason(&mut asked)?;
    asked.end()?;
    stands(&state, &path, AccountStatus::Suspended, reason, once.claim(&state).await?).await
}

/// `POST /accounts/{id}/resume`.
pub(super) async fn resume(
    state: Shared,
    path: Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let reason = reason(&mut asked)?.unwrap_or_default();
    asked.end()?;
    stands(&state, &path, AccountStatus::Active, reason, once.claim(&state).await?).await
}

/// `POST /accounts/{id}/close`: for ever; a reason is needed.
pub(super) async fn close(
    state: Shared,
    path: Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let reason = needed_reason(&mut asked)?;
    asked.end()?;
    stands(&state, &path, AccountStatus::Closed, reason, once.claim(&state).await?).await
}

async fn stands(
    State(parts): &Shared,
    Path(id): &Path<String>,
    status: AccountStatus,
    reason: String,
    repeated: bool,
) -> Result<Done> {
    let account = account(parts, id).await?;
    let (status, reason) = (Some(status), Some(reason));
    let call = AccountChange { status, reason, ..AccountChange::of(account) };
    Ok(done(&applied(parts.ledger.change_account(call).await)?).repeated(repeated))
}

fn done(document: &Document) -> Done {
    let body: Value = shown(document);
    Done::changed(document.account.as_str(), body)
}
