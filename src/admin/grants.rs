//! Grants: giving credits. The grant's id is the idempotency key: a payment's id gives once.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::Value;

use super::accounts::moment;
use super::asked::{Asked, account};
use super::problem::{Problem, applied};
use super::{Result, Shared};
use crate::credit::{AccountId, Amount, BucketId, Class, Kind};
use crate::ledger::{Answer, Grant, Granted, Ledger, Refusal};
use crate::meter::{Members, statement};
use crate::seam::Timestamp;

/// What sort of credit is given if nobody says.
const KIND: &str = "credits";
/// The longest reason in bytes.
const REASON_MAX: usize = 500;
/// How often an account with due work is worked off before the grant is given up.
const TRIES: usize = 64;

/// `POST /accounts/{id}/grants`.
pub(super) async fn create(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked): Asked,
) -> Result<(StatusCode, Json<Value>)> {
    let call = read(account(&id)?, &mut asked)?;
    asked.end()?;
    let id = call.id.clone();
    let granted = applied(give(&*parts.ledger, call).await)
        .map_err(|problem| problem.with("id", id.as_str()))?;
    let mut body = statement::grant(&granted.bucket);
    body["repaid"] = granted.repaid.to_string().into();
    Ok((StatusCode::CREATED, Json(body)))
}

fn read(account: AccountId, asked: &mut Members) -> Result<Grant> {
    let reason: String = asked.required("reason")?;
    if reason.is_empty() || reason.len() > REASON_MAX {
        return Err(Problem::invalid("reason", format!("reason has 1 to {REASON_MAX} bytes")));
    }
    let class = asked.optional("class")?.unwrap_or(Class::Purchased);
    if matches!(class, Class::Debt | Class::Rollover | Class::Plan) {
        let detail = "class is one of goodwill, bonus, purchased, free";
        return Err(Problem::invalid("class", detail));
    }
    let kind = match asked.optional::<Kind>("kind")? {
        Some(kind) => kind,
        None => KIND.parse().map_err(|_| Problem::invalid("kind", "kind is needed"))?,
    };
    Ok(Grant {
        account,
        id: asked.required::<BucketId>("id")?,
        kind,
        class,
        amount: asked.required::<Amount>("amount")?,
        priority: asked.optional("priority")?.unwrap_or_default(),
        effective: time(asked, "effective_at")?,
        expires: time(asked, "expires_at")?,
        reason,
    })
}

fn time(asked: &mut Members, name: &str) -> Result<Option<Timestamp>> {
    asked.optional::<String>(name)?.map(|text| moment(name, &text)).transpose()
}

/// Gives, after the account's due work if there is much of it.
async fn give(ledger: &dyn Ledger, call: Grant) -> Answer<Granted> {
    for _ in 0..TRIES {
        match ledger.grant(call.clone()).await {
            Answer::Refused(Refusal::Tick) => match ledger.tick(call.account.clone()).await {
                Answer::Applied(_) => (),
                Answer::Refused(refusal) => return Answer::Refused(refusal),
                Answer::Unknown(why) => return Answer::Unknown(why),
            },
            answer => return answer,
        }
    }
    Answer::Refused(Refusal::Tick)
}
