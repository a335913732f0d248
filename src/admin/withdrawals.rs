//! Grants taken back: void, refund, reverse, expire; and kept from paying for a while: freeze, thaw.
//!
//! Invariant: what was spent stays spent; saying so again takes nothing more.

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::asked::{Asked, account, moment, needed_reason, to_come};
use super::done::Done;
use super::due::worked_off;
use super::problem::{Problem, applied};
use super::{Result, Shared};
use crate::credit::{Amount, BucketId};
use crate::ledger::{Freeze, Withdraw, Withdrawal, Withdrawn};
use crate::meter::statement;

type Named = Path<(String, String)>;

/// `POST /accounts/{id}/grants/{grant}/void`: it should not have been given.
pub(super) async fn void(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    withdraw(state, path, asked, Withdrawal::Void).await
}

/// `POST /accounts/{id}/grants/{grant}/refund`: the buyer gets the money for the unused part back.
pub(super) async fn refund(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    withdraw(state, path, asked, Withdrawal::Refund).await
}

/// `POST /accounts/{id}/grants/{grant}/reverse`: the payment failed after all.
pub(super) async fn reverse(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    withdraw(state, path, asked, Withdrawal::Reversal).await
}

/// `POST /accounts/{id}/grants/{grant}/expire`: it ends now.
pub(super) async fn expire(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    withdraw(state, path, asked, Withdrawal::Expire).await
}

async fn withdraw(
    State(parts): Shared,
    Path((id, grant)): Named,
    Asked(mut asked, once): Asked,
    how: Withdrawal,
) -> Result<Done> {
    let reason = needed_reason(&mut asked)?;
    asked.end()?;
    let account = account(&parts, &id).await?;
    let bucket = named(&grant)?;
    let repeated = once.claim(&parts).await?;
    let call = Withdraw { account: account.clone(), bucket, how, reason };
    let answer = worked_off(&*parts.ledger, &account, |ledger| ledger.withdraw(call.clone())).await;
    let taken = applied(answer)?;
    let told = format!("{}: {}, {}", call.bucket, word(how), call.reason);
    Ok(Done::changed(told, shown(how, &taken)).repeated(repeated))
}

const fn word(how: Withdrawal) -> &'static str {
    match how {
        Withdrawal::Void => "void",
        Withdrawal::Refund => "refund",
        Withdrawal::Reversal => "reversal",
        Withdrawal::Expire => "expire",
    }
}

fn shown(how: Withdrawal, taken: &Withdrawn) -> Value {
    let all = std::iter::once(&taken.bucket).chain(&taken.bonus);
    json!({
        "object": "withdrawal",
        "how": how,
        "grant": statement::grant(&taken.bucket),
        "bonus": taken.bonus.as_ref().map(statement::grant),
        "money": taken.money,
        "held": all.map(|bucket| bucket.held).sum::<Amount>(),
        "owed": taken.owed,
    })
}

/// `POST /accounts/{id}/grants/{grant}/freeze`: it neither pays nor ends until it is thawed.
pub(super) async fn freeze(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    set(state, path, asked, true).await
}

/// `POST /accounts/{id}/grants/{grant}/thaw`.
pub(super) async fn thaw(state: Shared, path: Named, asked: Asked) -> Result<Done> {
    set(state, path, asked, false).await
}

async fn set(
    State(parts): Shared,
    Path((id, grant)): Named,
    Asked(mut asked, once): Asked,
    frozen: bool,
) -> Result<Done> {
    let reason = needed_reason(&mut asked)?;
    let expires = asked.nullable::<String>("expires_at")?;
    let expires = expires.map(|it| it.map(|text| moment("expires_at", &text)).transpose());
    asked.end()?;
    let expires = expires.transpose()?;
    if let Some(Some(end)) = expires {
        to_come(&parts, "expires_at", end)?;
    }
    let account = account(&parts, &id).await?;
    let bucket = named(&grant)?;
    let repeated = once.claim(&parts).await?;
    let call = Freeze { account: account.clone(), bucket, frozen, expires, reason };
    let answer = worked_off(&*parts.ledger, &account, |ledger| ledger.freeze(call.clone())).await;
    let bucket = applied(answer)?;
    let told = format!("{}: {}", bucket.id, if frozen { "frozen" } else { "thawed" });
    Ok(Done::changed(told, statement::grant(&bucket)).repeated(repeated))
}

fn named(grant: &str) -> Result<BucketId> {
    grant.parse().map_err(|_| Problem::unknown("unknown_grant", &format!("grant {grant}")))
}
