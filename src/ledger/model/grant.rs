//! Giving credits.
//!
//! Invariant: a grant is given once; its id is looked up by the caller of this file before it comes here.

use super::debt::{owed, repay};
use super::draft::Draft;
use super::draw::full_bucket;
use super::state::{Context, Money, Purse};
use super::stop::{Stop, invalid, plus};
use crate::credit::{Amount, Bucket, BucketId, Class};
use crate::ledger::{AccountStatus, Grant, Granted, Refusal};
use crate::seam::Timestamp;

/// Buckets with credits left, at most.
const LIVE_MAX: usize = 64;
/// The longest reason, in bytes.
pub(super) const REASON_MAX: usize = 500;
/// The longest id, in bytes: the ledger's own ids around it have 128.
const ID_MAX: usize = 112;
/// Routes and features that a grant is for, at most.
const ONLY_MAX: usize = 16;

/// Gives credits that were not given before; what becomes effective at once repays debt first.
pub(crate) fn grant(draft: &mut Draft, call: &Grant, context: &Context) -> Result<Granted, Stop> {
    let now = context.now;
    check(call, context)?;
    check_account(draft, call)?;
    let effective = call.effective.unwrap_or(now);
    let bucket = Bucket {
        priority: call.priority,
        effective,
        expires: call.expires,
        only: call.only.clone(),
        paid: call.paid.clone(),
        ..full_bucket(call.id.clone(), call.kind.clone(), call.class, call.amount, now)
    };
    let fresh = effective > now;
    let money = &mut draft.account.money;
    money.add(Purse::new(bucket, fresh, now));
    let bonus = add_bonus(money, call, effective, now)?;
    let mut repaid = Amount::ZERO;
    if !fresh {
        for id in std::iter::once(&call.id).chain(&bonus) {
            repaid = plus(repaid, repay(money, id, now)?)?;
        }
    }
    let bonus = bonus.map(|id| money.purse(&id).map(|purse| purse.bucket.clone())).transpose()?;
    Ok(Granted { bucket: money.purse(&call.id)?.bucket.clone(), repaid, bonus })
}

/// The id of the bonus that came with a purchase.
pub(super) fn bonus_id(purchase: &BucketId) -> Result<BucketId, Stop> {
    super::draw::bucket_id(&format!("{purchase}@bonus"))
}

fn add_bonus(
    money: &mut Money,
    call: &Grant,
    effective: Timestamp,
    now: Timestamp,
) -> Result<Option<BucketId>, Stop> {
    let Some(bonus) = &call.bonus else { return Ok(None) };
    let id = bonus_id(&call.id)?;
    let bucket = Bucket {
        priority: call.priority,
        effective,
        expires: bonus.expires,
        only: call.only.clone(),
        parent: Some(call.id.clone()),
        ..full_bucket(id.clone(), call.kind.clone(), Class::Bonus, bonus.amount, now)
    };
    money.add(Purse::new(bucket, effective > now, now));
    Ok(Some(id))
}

fn check(call: &Grant, context: &Context) -> Result<(), Stop> {
    let start = call.effective.unwrap_or(context.now).max(context.now);
    let ends = [call.expires, call.bonus.as_ref().and_then(|bonus| bonus.expires)];
    if ends.into_iter().flatten().any(|end| end <= start) {
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
    if id.len() > ID_MAX {
        return Err(invalid("a grant's id is at most 112 characters"));
    }
    check_purchase(call)?;
    if call.only.len() > ONLY_MAX {
        return Err(invalid("a grant is for at most 16 routes or features, or for all"));
    }
    if call.reason.len() > REASON_MAX {
        return Err(invalid("the reason is at most 500 bytes"));
    }
    Ok(())
}

/// What only a purchase has.
fn check_purchase(call: &Grant) -> Result<(), Stop> {
    if call.class != Class::Purchased && (call.paid.is_some() || call.bonus.is_some()) {
        return Err(invalid("only a purchase was paid for and comes with a bonus"));
    }
    if call.bonus.as_ref().is_some_and(|bonus| bonus.amount.is_zero()) {
        return Err(invalid("a bonus of nothing: give an amount above zero, or none"));
    }
    let sound = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if call.paid.as_ref().is_some_and(|paid| !sound(&paid.currency)) {
        return Err(invalid("a currency is three capital letters such as USD"));
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
    let bonus = call.bonus.as_ref().map_or(Amount::ZERO, |bonus| bonus.amount);
    let owed = owed(money, &call.kind);
    let all =
        call.amount.checked_add(bonus).and_then(|all| all.checked_add(there.saturating_add(owed)));
    all.map(|_| ()).ok_or_else(|| invalid("the account would have more than 2^53 micro-credits"))
}
