//! Taking from buckets and giving back to them.
//!
//! Invariant: the walk is total: two stores with the same buckets draw the same legs. After a smaller
//! amount was settled the buckets look as if it had been drawn at first: heads are spent, tails return.

use super::posting::Column;
use super::state::{Money, Purse, Use};
use super::stop::{Stop, minus, plus};
use crate::credit::{Amount, Bucket, BucketId, ChargeId, Class, Kind, Leg, Standing};
use crate::ledger::Refusal;
use crate::seam::Timestamp;

/// How long credits live on that came back after their bucket had ended.
const GOODWILL_MS: u64 = 3 * 24 * 60 * 60 * 1_000;

/// Draws up to `amount` from what may pay for a use, into `to`. Less comes back where there is less.
pub(super) fn draw(
    money: &mut Money,
    (kind, use_): (&Kind, &Use<'_>),
    amount: Amount,
    to: Column,
    now: Timestamp,
) -> Result<Vec<Leg>, Stop> {
    let (ranks, told) = (money.ranks, &mut money.postings);
    let mut paying: Vec<&mut Purse> = money
        .purses
        .iter_mut()
        .filter(|purse| use_.is_paid_by(&purse.bucket, kind, now))
        .filter(|purse| !purse.bucket.available.is_zero())
        .collect();
    paying.sort_by(|a, b| a.bucket.order(&ranks).cmp(&b.bucket.order(&ranks)));
    let mut need = amount;
    let mut legs = Vec::new();
    for purse in paying {
        if need.is_zero() {
            break;
        }
        let take = need.min(purse.bucket.available);
        purse.post((Column::Available, to), take, now, told)?;
        need = minus(need, take)?;
        legs.push(Leg { bucket: purse.bucket.id.clone(), amount: take });
    }
    Ok(legs)
}

/// What the legs carry together.
pub(super) fn total(legs: &[Leg]) -> Result<Amount, Stop> {
    legs.iter().try_fold(Amount::ZERO, |sum, leg| plus(sum, leg.amount))
}

/// Splits legs after the first `keep`: what stays with the charge, and what goes back.
pub(super) fn split(legs: &[Leg], keep: Amount) -> Result<(Vec<Leg>, Vec<Leg>), Stop> {
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let mut left = keep;
    for leg in legs {
        let stays = left.min(leg.amount);
        left = minus(left, stays)?;
        push(&mut head, &leg.bucket, stays);
        push(&mut tail, &leg.bucket, minus(leg.amount, stays)?);
    }
    Ok((head, tail))
}

fn push(legs: &mut Vec<Leg>, bucket: &BucketId, amount: Amount) {
    if !amount.is_zero() {
        legs.push(Leg { bucket: bucket.clone(), amount });
    }
}

/// Adds legs behind others; more of a bucket that is there already joins its leg.
pub(super) fn join(legs: &mut Vec<Leg>, more: Vec<Leg>) -> Result<(), Stop> {
    for leg in more {
        match legs.iter_mut().find(|there| there.bucket == leg.bucket) {
            Some(there) => there.amount = plus(there.amount, leg.amount)?,
            None => legs.push(leg),
        }
    }
    Ok(())
}

/// Moves legs from what is held to what is spent. What is spent of a purchase whose payment had failed by then
/// is owed.
pub(super) fn spend(money: &mut Money, legs: &[Leg], now: Timestamp) -> Result<(), Stop> {
    for leg in legs {
        money.post(&leg.bucket, (Column::Held, Column::Spent), leg.amount, now)?;
        if money.purse(&leg.bucket)?.bucket.standing == Standing::Voided {
            super::debt::owe_more(money, &leg.bucket, leg.amount, now)?;
        }
    }
    Ok(())
}

/// Gives legs back from `from`. What returns to a bucket that has ended expires; if it was bought or came
/// with a purchase, it lives on as good will. What returns to a bucket that was taken back is void. What was
/// advanced is not owed any more.
pub(super) fn give_back(
    money: &mut Money,
    charge: ChargeId,
    legs: &[Leg],
    from: Column,
    now: Timestamp,
) -> Result<(), Stop> {
    for leg in legs {
        give_leg_back(money, charge, leg, from, now)?;
    }
    Ok(())
}

/// Gives one leg back. That its bucket has left the list happens to refunds alone, long after the charge.
pub(super) fn give_leg_back(
    money: &mut Money,
    charge: ChargeId,
    leg: &Leg,
    from: Column,
    now: Timestamp,
) -> Result<(), Stop> {
    let Ok(purse) = money.purse(&leg.bucket) else {
        return Err(Refusal::ChargeArchived.into());
    };
    let bucket = &purse.bucket;
    if bucket.class == Class::Debt {
        return super::debt::forgive(money, charge, leg, now);
    }
    if bucket.standing == Standing::Voided {
        money.post(&leg.bucket, (from, Column::Voided), leg.amount, now)?;
        return match from {
            Column::Spent => super::debt::owe_less(money, charge, &leg.bucket, leg.amount, now),
            _ => Ok(()),
        };
    }
    if !bucket.ended_at(now) {
        return money.post(&leg.bucket, (from, Column::Available), leg.amount, now);
    }
    let (lives_on, kind) = (bucket.class.outlives_its_end(), bucket.kind.clone());
    money.post(&leg.bucket, (from, Column::Expired), leg.amount, now)?;
    if lives_on {
        add_goodwill(money, charge, kind, leg.amount, now)?;
    }
    Ok(())
}

fn add_goodwill(
    money: &mut Money,
    charge: ChargeId,
    kind: Kind,
    amount: Amount,
    now: Timestamp,
) -> Result<(), Stop> {
    let (mut id, mut taken) = (bucket_id(&format!("gw:{charge}"))?, 0_u32);
    let like =
        |there: &Bucket| there.kind == kind && there.class == Class::Goodwill && there.pays_at(now);
    while money.purses.iter().any(|purse| purse.bucket.id == id && !like(&purse.bucket)) {
        // It has ended meanwhile, or an operator has used the id for something else. Ids with @ belong to the
        // ledger itself.
        let number = if taken == 0 { String::new() } else { taken.to_string() };
        id = bucket_id(&format!("gw:{charge}@returned{number}"))?;
        taken = taken.saturating_add(1);
    }
    if let Some(purse) = money.purses.iter_mut().find(|purse| purse.bucket.id == id) {
        return purse.grow(Column::Available, amount, now, &mut money.postings);
    }
    let bucket = Bucket {
        expires: Some(now.plus_ms(GOODWILL_MS)),
        ..full_bucket(id, kind, Class::Goodwill, amount, now)
    };
    money.add(Purse::new(bucket, false, now));
    Ok(())
}

/// A bucket of which nothing was used yet, that never ends.
pub(super) const fn full_bucket(
    id: BucketId,
    kind: Kind,
    class: Class,
    amount: Amount,
    now: Timestamp,
) -> Bucket {
    Bucket {
        id,
        kind,
        class,
        priority: 0,
        effective: now,
        expires: None,
        granted: amount,
        available: amount,
        held: Amount::ZERO,
        spent: Amount::ZERO,
        expired: Amount::ZERO,
        voided: Amount::ZERO,
        only: Vec::new(),
        standing: Standing::Active,
        parent: None,
        paid: None,
    }
}

/// An id that this ledger makes itself.
pub(super) fn bucket_id(text: &str) -> Result<BucketId, Stop> {
    text.parse().map_err(|error| Stop::Broken(format!("{error}")))
}
