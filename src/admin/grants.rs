//! Grants: giving credits. The grant's id is the idempotency key: a payment's id gives once.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, Bare, Parameters, account, needed_reason, time};
use super::done::Done;
use super::money::sight;
use super::problem::{Problem, applied};
use super::role::Role;
use super::token::Operator;
use super::{Result, Shared};
use crate::credit::{AccountId, Amount, Bucket, BucketId, Class, Kind};
use crate::ledger::{Answer, Grant, Granted, Ledger, Refusal};
use crate::meter::{Members, statement};

/// What sort of credit is given if nobody says.
const KIND: &str = "credits";
/// How often an account with due work is worked off before the grant is given up.
const TRIES: usize = 64;

/// Why credits are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cause {
    Purchased,
    Bonus,
    Goodwill,
    Adjustment,
    Free,
}

impl Cause {
    /// The class of the bucket. A correction in the customer's favour is drawn like goodwill.
    const fn class(self) -> Class {
        match self {
            Self::Purchased => Class::Purchased,
            Self::Bonus => Class::Bonus,
            Self::Goodwill | Self::Adjustment => Class::Goodwill,
            Self::Free => Class::Free,
        }
    }

    /// Who may give it.
    const fn may(self, role: Role) -> bool {
        match self {
            Self::Bonus | Self::Goodwill => {
                matches!(role, Role::Owner | Role::Finance | Role::Support)
            }
            Self::Purchased | Self::Adjustment | Self::Free => {
                matches!(role, Role::Owner | Role::Finance)
            }
        }
    }
}

/// `POST /accounts/{id}/grants`.
pub(super) async fn create(
    State(parts): Shared,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let cause = asked.optional("class")?.unwrap_or(Cause::Purchased);
    if !cause.may(operator.role) {
        return Err(Problem::forbidden(operator.role, &[Role::Owner, Role::Finance]));
    }
    let call = read(account(&parts, &id).await?, cause, &mut asked)?;
    asked.end()?;
    let repeated = once.claim(&parts).await?;
    let id = call.id.clone();
    let granted = applied(give(&*parts.ledger, call).await)
        .map_err(|problem| problem.with("id", id.as_str()))?;
    let bucket = &granted.bucket;
    let cause = format!("{cause:?}").to_lowercase();
    let told = format!("{}: {} {}, {cause}", bucket.id, bucket.granted, bucket.kind);
    let mut body = statement::grant(bucket);
    body["repaid"] = granted.repaid.to_string().into();
    Ok(Done::created(told, body).repeated(repeated))
}

fn read(account: AccountId, cause: Cause, asked: &mut Members) -> Result<Grant> {
    let reason = needed_reason(asked)?;
    let kind = match asked.optional::<Kind>("kind")? {
        Some(kind) => kind,
        None => KIND.parse().map_err(|_| Problem::invalid("kind", "kind is needed"))?,
    };
    Ok(Grant {
        account,
        id: asked.required::<BucketId>("id")?,
        kind,
        class: cause.class(),
        amount: amount(asked)?,
        priority: asked.optional("priority")?.unwrap_or_default(),
        effective: time(asked, "effective_at")?,
        expires: time(asked, "expires_at")?,
        reason,
        only: Vec::new(),
        paid: None,
        bonus: None,
    })
}

fn amount(asked: &mut Members) -> Result<Amount> {
    let text: Value = asked.required("amount")?;
    if text.as_str().is_some_and(|text| text.starts_with('-')) {
        let detail = "A grant only gives: credits cannot be taken back yet. Close the account or let \
                      the grant end instead.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "negative_amount", detail)
            .with("param", "amount"));
    }
    serde_json::from_value(text)
        .map_err(|error| super::asked::misread("amount", &error.to_string()))
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

/// `GET /accounts/{id}/grants`: those that pay first first, ended ones last, allowances and debts among them.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let after = page.cursor::<BucketId>()?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let view = sight(&parts, &document).await?.view;
    let at = |after: &BucketId| view.buckets.iter().position(|bucket| bucket.id == *after);
    let skip = match &after {
        None => 0,
        Some(after) => at(after).map_or(view.buckets.len(), |at| at.saturating_add(1)),
    };
    let rest = view.buckets.get(skip..).unwrap_or_default();
    let data: Vec<Value> = rest.iter().take(page.limit).map(shown).collect();
    let mut body = statement::list(&data, rest.len() > page.limit);
    // With these, the columns of all pages come to all that the account was ever given.
    body["archived"] = view.archived.iter().map(archived).collect();
    Ok(Json(body))
}

/// `GET /accounts/{id}/grants/{grant}`.
pub(super) async fn show(
    State(parts): Shared,
    Path((id, grant)): Path<(String, String)>,
    _: Bare,
) -> Result<Json<Value>> {
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let view = sight(&parts, &document).await?.view;
    let found = view.buckets.iter().find(|bucket| bucket.id.as_str() == grant);
    found.map(|bucket| Json(shown(bucket))).ok_or_else(|| {
        let detail = format!(
            "This account lists no grant {grant}. One of which nothing is left is summed up after 30 days."
        );
        Problem::new(StatusCode::NOT_FOUND, "unknown_grant", detail)
    })
}

fn shown(bucket: &Bucket) -> Value {
    statement::grant(bucket)
}

/// What grants of a kind that are not listed any more had come to.
fn archived((kind, [granted, spent, expired, voided]): &(Kind, [Amount; 4])) -> Value {
    json!({
        "kind": kind, "granted": granted, "spent": spent, "expired": expired, "voided": voided,
    })
}
