//! Giving credits.
//!
//! Invariant: a grant is given once; its id is looked up by the caller of this file before it comes here.

use super::debt::{owed, repay};
use super::draft::Draft;
use super::draw::full_bucket;
use super::due::wake_all;
use super::state::{Context, Purse};
use super::stop::{Stop, invalid};
use crate::credit::{Amount, Bucket, Class};
use crate::ledger::{AccountStatus, Grant, Granted, Refusal};

/// Buckets with credits left, at most.
const LIVE_MAX: usize = 64;
/// The longest reason, in bytes.
const REASON_MAX: usize = 500;

/// Gives credits that were not given before; what becomes effective at once repays debt first.
pub(crate) fn grant(draft: &mut Draft, call: &Grant, context: &Context) -> Result<Granted, Stop> {
    let now = context.now;
    check(call, context)?;
    check_account(draft, call)?;
    wake_all(draft, now)?;
    let effective = call.effective.unwrap_or(now);
    let bucket = Bucket {
        priority: call.priority,
        effective,
        expires: call.expires,
        ..full_bucket(call.id.clone(), call.kind.clone(), call.class, call.amount, now)
    };
    let fresh = effective > now;
    let money = &mut draft.account.money;
    money.purses.push(Purse::new(bucket, fresh, now));
    let repaid = if fresh { Amount::ZERO } else { repay(money, &call.id, now)? };
    Ok(Granted { bucket: money.purse(&call.id)?.bucket.clone(), repaid })
}

fn check(call: &Grant, context: &Context) -> Result<(), Stop> {
    let start = call.effective.unwrap_or(context.now).max(context.now);
    if call.expires.is_some_and(|end| end <= start) {
        return Err(invalid("the grant would end before it begins: give a later end"));
    }
    Ok(())
}

/// What depends neither on the time nor on the account; checked before anything is looked up.
pub(crate) fn sound(call: &Grant) -> Result<(), Stop> {
    if call.amount.is_zero() {
        return Err(invalid("a grant of nothing: give an amount above zero"));
    }
    if matches!(call.class, Class::Debt | Class::Rollover | Class::Plan) {
        return Err(invalid("a grant is of the class purchased, bonus, goodwill or free"));
    }
    let id = call.id.as_str();
    if id.starts_with("debt:") || id.contains('@') {
        return Err(invalid("ids with @ or beginning with debt: belong to the ledger itself"));
    }
    if call.reason.len() > REASON_MAX {
        return Err(invalid("the reason is at most 500 bytes"));
    }
    Ok(())
}

fn check_account(draft: &Draft, call: &Grant) -> Result<(), Stop> {
    let money = &draft.account.money;
    if draft.account.document.status == AccountStatus::Closed {
        return Err(Refusal::AccountStatus(AccountStatus::Closed).into());
    }
    if money.has(&call.id) {
        return Err(Refusal::Conflict.into());
    }
    let live = |purse: &&Purse| !purse.bucket.available.is_zero() || !purse.bucket.held.is_zero();
    if money.purses.iter().filter(live).count() >= LIVE_MAX {
        let why = "an account has at most 64 buckets with credits left: use some up first";
        return Err(Refusal::TooMany(why.to_owned()).into());
    }
    let of_kind = money.purses.iter().map(|purse| &purse.bucket).filter(|b| b.kind == call.kind);
    let there: Amount = of_kind.map(|b| b.available.saturating_add(b.held)).sum();
    let all = there.saturating_add(owed(money, &call.kind)).checked_add(call.amount);
    all.map(|_| ()).ok_or_else(|| invalid("the account would have more than 2^53 micro-credits"))
}
