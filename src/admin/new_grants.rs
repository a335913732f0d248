//! Giving credits. The grant's id is the idempotency key: a payment's id gives once.
//!
//! A pack's credits end so long after the purchase, which is the moment at which its id was first seen: an alias
//! keeps that moment, so the same call a week later says the same end and gives nothing more.

use axum::Extension;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, account, misread, moment, needed_reason, time};
use super::done::Done;
use super::due::worked_off;
use super::once;
use super::packs;
use super::problem::{Problem, applied};
use super::role::Role;
use super::token::Operator;
use super::{Parts, Result, Shared};
use crate::credit::{
    AccountId, AliasId, Amount, BucketId, Class, Kind, Name, Pack, Paid, Partition,
};
use crate::ledger::{Alias, Answer, Bonus, Grant, Granted, Refusal};
use crate::meter::{Members, statement};
use crate::seam::Timestamp;

/// What sort of credit is given if nobody says.
const KIND: &str = "credits";
/// The sort of aliases that keep the moment of a purchase.
const SORT: &str = "purchase";

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
    let account = account(&parts, &id).await?;
    let pack = asked.optional::<String>("pack")?;
    let (call, pack) = match pack {
        Some(name) => {
            let pack = packs::named(&parts, &name)?;
            (bought(account, cause, pack, &mut asked)?, Some(pack))
        }
        None => (given(account, cause, &mut asked)?, None),
    };
    asked.end()?;
    let repeated = once.claim(&parts).await?;
    let id = call.id.clone();
    let named = |problem: Problem| problem.with("id", id.as_str());
    let call = match pack {
        Some(pack) => lasting(&parts, call, pack).await.map_err(named)?,
        None => call,
    };
    let account = call.account.clone();
    let answer = worked_off(&*parts.ledger, &account, |ledger| ledger.grant(call.clone())).await;
    Ok(told(cause, &applied(answer).map_err(named)?).repeated(repeated))
}

fn told(cause: Cause, granted: &Granted) -> Done {
    let bucket = &granted.bucket;
    let cause = format!("{cause:?}").to_lowercase();
    let told = format!("{}: {} {}, {cause}", bucket.id, bucket.granted, bucket.kind);
    let mut body = statement::grant(bucket);
    body["repaid"] = granted.repaid.to_string().into();
    body["bonus"] = granted.bonus.as_ref().map_or(Value::Null, statement::grant);
    Done::created(told, body)
}

/// What is given as the call itself says it.
fn given(account: AccountId, cause: Cause, asked: &mut Members) -> Result<Grant> {
    let reason = needed_reason(asked)?;
    let kind = match asked.optional::<Kind>("kind")? {
        Some(kind) => kind,
        None => KIND.parse().map_err(|_| Problem::invalid("kind", "kind is needed"))?,
    };
    let paid = asked
        .optional::<Price>("paid")?
        .map(|it| Paid { amount: it.amount, currency: it.currency });
    let bonus = asked.optional::<Extra>("bonus")?.map(Extra::read).transpose()?;
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
        only: asked.optional::<Vec<Name>>("only")?.unwrap_or_default(),
        paid,
        bonus,
    })
}

/// What a pack says; the call only says whose payment it was.
fn bought(account: AccountId, cause: Cause, pack: &Pack, asked: &mut Members) -> Result<Grant> {
    if cause != Cause::Purchased {
        return Err(Problem::invalid("class", "a pack is purchased: leave class out"));
    }
    for member in ["amount", "kind", "paid", "bonus", "only", "expires_at"] {
        if asked.raw(member).is_some() {
            let detail = format!("the pack says {member}: leave it out, or leave pack out");
            return Err(Problem::invalid(member, detail));
        }
    }
    Ok(Grant {
        account,
        id: asked.required::<BucketId>("id")?,
        kind: pack.kind.clone(),
        class: Class::Purchased,
        amount: pack.amount,
        priority: asked.optional("priority")?.unwrap_or_default(),
        effective: time(asked, "effective_at")?,
        expires: None,
        reason: needed_reason(asked)?,
        only: pack.only.clone(),
        paid: Some(pack.paid.clone()),
        bonus: pack.bonus.map(|(amount, _)| Bonus { amount, expires: None }),
    })
}

/// The same with the ends of its credits, counted from its beginning.
async fn lasting(parts: &Parts, call: Grant, pack: &Pack) -> Result<Grant> {
    let bonus_ms = pack.bonus.and_then(|(_, ms)| ms);
    if pack.lasts_ms.is_none() && bonus_ms.is_none() {
        return Ok(call);
    }
    let bought = first_seen(parts, &call).await?;
    let begins = call.effective.map_or(bought, |moment| moment.max(bought));
    let expires = pack.lasts_ms.map(|ms| begins.plus_ms(ms));
    let ends = bonus_ms.map(|ms| begins.plus_ms(ms));
    let bonus = call.bonus.clone().map(|bonus| Bonus { expires: ends, ..bonus });
    Ok(Grant { expires, bonus, ..call })
}

/// The moment at which this account's payment was first told.
async fn first_seen(parts: &Parts, call: &Grant) -> Result<Timestamp> {
    let id = AliasId::of(SORT, format!("{}/{}", call.account, call.id).as_bytes());
    let made = once::made(parts, Partition::default())?;
    let own = Alias { id, account: call.account.clone(), key: Some(made) };
    match parts.ledger.create_alias(own).await {
        Answer::Refused(Refusal::Exists) => {
            let earlier = applied(parts.ledger.alias(id).await)?;
            Ok(earlier.key.unwrap_or(made).born())
        }
        answer => applied(answer).map(|()| made.born()),
    }
}

/// What the buyer paid, as the call says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    amount: Amount,
    currency: String,
}

/// What comes with a purchase, as the call says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    amount: Amount,
    expires_at: Option<String>,
}

impl Extra {
    fn read(self) -> Result<Bonus> {
        let expires = self.expires_at.map(|text| moment("bonus", &text)).transpose()?;
        Ok(Bonus { amount: self.amount, expires })
    }
}

fn amount(asked: &mut Members) -> Result<Amount> {
    let text: Value = asked.required("amount")?;
    if text.as_str().is_some_and(|text| text.starts_with('-')) {
        let detail = "A grant only gives. To take a grant back use its void, refund or reverse, or let it \
                      end with expire: POST /admin/v1/accounts/{account}/grants/{grant}/void.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "negative_amount", detail)
            .with("param", "amount"));
    }
    serde_json::from_value(text).map_err(|error| misread("amount", &error.to_string()))
}
