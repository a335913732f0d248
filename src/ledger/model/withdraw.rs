//! Taking buckets back, and freezing them.
//!
//! Invariant: what was spent stays spent; only what nobody used or holds is taken at once. What is held follows
//! when it returns. Saying so again changes nothing more.

use super::debt::owe_spent;
use super::draft::Draft;
use super::grant::{REASON_MAX, bonus_id};
use super::posting::Column;
use super::state::{Context, Money};
use super::stop::{Stop, invalid};
use crate::credit::{Amount, Bucket, BucketId, Class, Paid, Standing};
use crate::ledger::{Freeze, Refusal, Withdraw, Withdrawal, Withdrawn};
use crate::seam::Timestamp;

/// What depends on nothing but the call.
pub(crate) fn sound(reason: &str) -> Result<(), Stop> {
    if reason.len() > REASON_MAX {
        return Err(invalid("the reason is at most 500 bytes"));
    }
    Ok(())
}

/// Takes a bucket back. What has ended already is nobody's to take back, nor is its money: due work comes first.
pub(crate) fn withdraw(
    draft: &mut Draft,
    call: &Withdraw,
    context: &Context,
) -> Result<Withdrawn, Stop> {
    let now = context.now;
    check(&draft.account.money, call)?;
    let money = &mut draft.account.money;
    let bonus = Some(bonus_id(&call.bucket)?).filter(|id| money.has(id));
    let mut owed = Amount::ZERO;
    match call.how {
        Withdrawal::Expire => end(money, &call.bucket, now)?,
        Withdrawal::Refund => {
            void(money, &call.bucket, now)?;
            if let Some(bonus) = &bonus {
                void_in_proportion(money, &call.bucket, bonus, now)?;
            }
        }
        Withdrawal::Void | Withdrawal::Reversal => {
            for id in std::iter::once(&call.bucket).chain(&bonus) {
                void(money, id, now)?;
            }
        }
    }
    if call.how == Withdrawal::Reversal {
        owed = owe_spent(money, &call.bucket, now)?;
    }
    answer(money, call, bonus, owed)
}

fn check(money: &Money, call: &Withdraw) -> Result<(), Stop> {
    let bucket = look(money, &call.bucket)?;
    if bucket.class == Class::Debt {
        return Err(invalid("a debt is repaid by a grant, not taken back"));
    }
    let bought = bucket.class == Class::Purchased;
    if matches!(call.how, Withdrawal::Refund | Withdrawal::Reversal) && !bought {
        return Err(invalid("only a purchase is refunded to its buyer or reversed"));
    }
    Ok(())
}

fn look<'a>(money: &'a Money, id: &BucketId) -> Result<&'a Bucket, Stop> {
    let found = money.purses.iter().find(|purse| purse.bucket.id == *id);
    found.map(|purse| &purse.bucket).ok_or_else(|| Refusal::UnknownBucket.into())
}

fn void(money: &mut Money, id: &BucketId, now: Timestamp) -> Result<(), Stop> {
    let purse = money.purse(id)?;
    if purse.bucket.standing != Standing::Voided {
        // Whether or not something is left: it is known for as long again that it was taken back.
        (purse.bucket.standing, purse.touched) = (Standing::Voided, now);
    }
    purse.carry = None;
    purse.fresh = false;
    let rest = purse.bucket.available;
    money.post(id, (Column::Available, Column::Voided), rest, now)
}

/// Takes as much of the bonus as was taken of the purchase in proportion, rounded down; what of it was used
/// already stays used.
fn void_in_proportion(
    money: &mut Money,
    purchase: &BucketId,
    bonus: &BucketId,
    now: Timestamp,
) -> Result<(), Stop> {
    let bought = look(money, purchase)?.clone();
    let purse = money.purse(bonus)?;
    let target = part(purse.bucket.granted, bought.voided, bought.granted);
    let more = target.saturating_sub(purse.bucket.voided).min(purse.bucket.available);
    if bought.voided == bought.granted {
        purse.bucket.standing = Standing::Voided;
    }
    money.post(bonus, (Column::Available, Column::Voided), more, now)
}

/// `whole` x `share` / `of`, rounded down.
fn part(whole: Amount, share: Amount, of: Amount) -> Amount {
    let product = u128::from(whole.micro()).saturating_mul(u128::from(share.micro()));
    let quotient = product.checked_div(u128::from(of.micro())).unwrap_or_default();
    u64::try_from(quotient).ok().and_then(Amount::from_micro).unwrap_or(Amount::MAX)
}

fn end(money: &mut Money, id: &BucketId, now: Timestamp) -> Result<(), Stop> {
    let purse = money.purse(id)?;
    if purse.bucket.standing == Standing::Voided || purse.bucket.ended_at(now) {
        return Ok(());
    }
    purse.bucket.standing = Standing::Active;
    purse.bucket.expires = Some(now);
    purse.carry = None;
    let rest = purse.bucket.available;
    money.post(id, (Column::Available, Column::Expired), rest, now)
}

fn answer(
    money: &Money,
    call: &Withdraw,
    bonus: Option<BucketId>,
    owed: Amount,
) -> Result<Withdrawn, Stop> {
    let bucket = look(money, &call.bucket)?.clone();
    let refunded = bucket.paid.as_ref().filter(|_| call.how == Withdrawal::Refund);
    let money_back = refunded.map(|paid| Paid {
        amount: part(paid.amount, bucket.voided, bucket.granted),
        currency: paid.currency.clone(),
    });
    let bonus = bonus.map(|id| look(money, &id).cloned()).transpose()?;
    Ok(Withdrawn { bucket, bonus, money: money_back, owed })
}

/// Freezes a bucket or thaws it.
pub(crate) fn freeze(draft: &mut Draft, call: &Freeze, context: &Context) -> Result<Bucket, Stop> {
    let now = context.now;
    let money = &mut draft.account.money;
    let bucket = look(money, &call.bucket)?;
    if bucket.class == Class::Debt || bucket.standing == Standing::Voided || bucket.ended_at(now) {
        return Err(invalid("only a bucket that may still pay is frozen or thawed"));
    }
    if call.expires.flatten().is_some_and(|end| end <= now) {
        return Err(invalid("the bucket would have ended already: give a later end"));
    }
    let purse = money.purse(&call.bucket)?;
    let standing = if call.frozen { Standing::Frozen } else { Standing::Active };
    let expires = call.expires.unwrap_or(purse.bucket.expires);
    if (standing, expires) != (purse.bucket.standing, purse.bucket.expires) {
        (purse.bucket.standing, purse.bucket.expires, purse.touched) = (standing, expires, now);
    }
    Ok(purse.bucket.clone())
}
