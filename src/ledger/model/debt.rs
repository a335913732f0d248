//! Work that cost more than was held: drawn from what is there, advanced as debt, or let go; and how debt
//! is repaid.
//!
//! Invariant: a debt is a bucket with granted = spent + voided: spent is what is still owed, voided what
//! was repaid. Only grants and first-touch allowances repay; what merely returns never does.

use super::draw::{bucket_id, draw, full_bucket, give_leg_back, join, total};
use super::posting::Column;
use super::state::{Money, Open, Purse};
use super::stop::{Stop, minus, plus};
use crate::credit::{Amount, BucketId, ChargeId, Class, Kind, Leg};
use crate::ledger::OverRun;
use crate::seam::Timestamp;

/// The most debts of an account that are open at a time; what exceeds is absorbed.
const DEBTS_MAX: usize = 64;

/// How work beyond the hold was covered.
pub(super) struct Covered {
    /// Buckets that carry it, the debt included.
    pub(super) legs: Vec<Leg>,
    pub(super) debt: Amount,
    pub(super) absorbed: Amount,
}

/// Covers `extra` for a charge that has held `open.held` at most.
pub(super) fn cover(
    money: &mut Money,
    open: &Open,
    extra: Amount,
    now: Timestamp,
) -> Result<Covered, Stop> {
    let mut legs = draw(money, (&open.kind, &open.for_what()), extra, Column::Spent, now)?;
    let rest = minus(extra, total(&legs)?)?;
    let debt = match open.over_run {
        OverRun::Absorb => Amount::ZERO,
        OverRun::Debt => rest.min(room(money, open)),
    };
    if !debt.is_zero() {
        let leg = advance(money, open, debt, now)?;
        join(&mut legs, vec![leg])?;
    }
    Ok(Covered { legs, debt, absorbed: minus(rest, debt)? })
}

/// How much more may be owed for this charge: up to its own hold, and with what is owed already up to the
/// plan's bound, by default the largest hold among the open debts, this one included.
fn room(money: &Money, open: &Open) -> Amount {
    let debts = || money.purses.iter().filter(|purse| purse.owes(&open.kind));
    if debts().count() >= DEBTS_MAX {
        return Amount::ZERO;
    }
    let owed: Amount = debts().map(|purse| purse.bucket.spent).sum();
    let largest = debts().map(|purse| purse.hold).fold(open.held, Amount::max);
    let bound = open.max_debt.unwrap_or(largest);
    open.held.min(bound.saturating_sub(owed))
}

fn advance(money: &mut Money, open: &Open, amount: Amount, now: Timestamp) -> Result<Leg, Stop> {
    let id = bucket_id(&format!("debt:{}", open.charge))?;
    if money.has(&id) {
        return Err(Stop::Broken(format!("there is a bucket {id} already")));
    }
    let bucket = full_bucket(id.clone(), open.kind.clone(), Class::Debt, amount, now);
    let purse = Purse { hold: open.held, ..Purse::new(bucket, false, now) };
    money.add(purse);
    money.post(&id, (Column::Available, Column::Spent), amount, now)?;
    Ok(Leg { bucket: id, amount })
}

/// The id of what is owed for a purchase whose payment failed.
fn reversal(bucket: &BucketId) -> Result<BucketId, Stop> {
    bucket_id(&format!("debt:{bucket}"))
}

/// A purchase's payment has failed: what was spent of it is owed. Once.
pub(super) fn owe_spent(
    money: &mut Money,
    bucket: &BucketId,
    now: Timestamp,
) -> Result<Amount, Stop> {
    let id = reversal(bucket)?;
    if let Ok(purse) = money.purse(&id) {
        return Ok(purse.bucket.spent);
    }
    let purse = money.purse(bucket)?;
    let (kind, amount) = (purse.bucket.kind.clone(), purse.bucket.spent);
    let debt = full_bucket(id.clone(), kind, Class::Debt, amount, now);
    money.add(Purse::new(debt, false, now));
    money.post(&id, (Column::Available, Column::Spent), amount, now)?;
    Ok(amount)
}

/// More was spent of a purchase whose payment had failed.
pub(super) fn owe_more(
    money: &mut Money,
    bucket: &BucketId,
    amount: Amount,
    now: Timestamp,
) -> Result<(), Stop> {
    let Ok(id) = reversal(bucket) else { return Ok(()) };
    let found = money.purses.iter_mut().find(|purse| purse.bucket.id == id);
    found.map_or(Ok(()), |debt| debt.grow(Column::Spent, amount, now, &mut money.postings))
}

/// What was spent of a purchase whose payment had failed comes back: so much less is owed, and what was repaid of
/// it already returns to where it came from.
pub(super) fn owe_less(
    money: &mut Money,
    charge: ChargeId,
    bucket: &BucketId,
    amount: Amount,
    now: Timestamp,
) -> Result<(), Stop> {
    let Ok(id) = reversal(bucket) else { return Ok(()) };
    if !money.has(&id) {
        return Ok(());
    }
    forgive(money, charge, &Leg { bucket: id, amount }, now)
}

/// A leg that was advanced comes back: what is still owed of it is not owed any more; what was repaid returns
/// to the buckets that repaid it, the last one first.
pub(super) fn forgive(
    money: &mut Money,
    charge: ChargeId,
    leg: &Leg,
    now: Timestamp,
) -> Result<(), Stop> {
    let mut left = minus(leg.amount, forgive_unpaid(money, leg, now)?)?;
    while !left.is_zero() {
        let own = &leg.bucket;
        let repaid = &mut money.purse(own)?.repaid_by;
        let last = repaid.iter().rposition(|there| there.bucket != *own);
        let at = last.ok_or_else(|| Stop::Broken(format!("{own} was not repaid so much")))?;
        let back = Leg { amount: left.min(repaid[at].amount), bucket: repaid[at].bucket.clone() };
        repaid[at].amount = minus(repaid[at].amount, back.amount)?;
        repaid.retain(|there| !there.amount.is_zero());
        join(repaid, vec![Leg { bucket: own.clone(), amount: back.amount }])?;
        give_leg_back(money, charge, &back, Column::Spent, now)?;
        left = minus(left, back.amount)?;
    }
    Ok(())
}

/// Forgives what is still owed of a leg; the answer is how much.
fn forgive_unpaid(money: &mut Money, leg: &Leg, now: Timestamp) -> Result<Amount, Stop> {
    let owed = money.purse(&leg.bucket)?.bucket.spent.min(leg.amount);
    money.post(&leg.bucket, (Column::Spent, Column::Voided), owed, now)?;
    if !owed.is_zero() {
        let forgiven = vec![Leg { bucket: leg.bucket.clone(), amount: owed }];
        join(&mut money.purse(&leg.bucket)?.repaid_by, forgiven)?;
    }
    Ok(owed)
}

/// Repays open debts of the bucket's kind from it, oldest first. The answer is how much went there.
pub(super) fn repay(money: &mut Money, from: &BucketId, now: Timestamp) -> Result<Amount, Stop> {
    let all = money.purse(from)?.bucket.available;
    repay_up_to(money, from, all, now)
}

/// Repays open debts with at most so much of a bucket.
pub(super) fn repay_up_to(
    money: &mut Money,
    from: &BucketId,
    most: Amount,
    now: Timestamp,
) -> Result<Amount, Stop> {
    let purse = money.purse(from)?;
    purse.fresh = false;
    let (kind, mut left) = (purse.bucket.kind.clone(), purse.bucket.available.min(most));
    let mut repaid = Amount::ZERO;
    let told = &mut money.postings;
    for debt in money.purses.iter_mut().filter(|purse| purse.owes(&kind)) {
        let part = left.min(debt.bucket.spent);
        if part.is_zero() {
            break;
        }
        debt.post((Column::Spent, Column::Voided), part, now, told)?;
        debt.repaid_by.push(Leg { bucket: from.clone(), amount: part });
        left = minus(left, part)?;
        repaid = plus(repaid, part)?;
    }
    money.post(from, (Column::Available, Column::Spent), repaid, now)?;
    Ok(repaid)
}

/// What is still owed of a kind.
#[must_use]
pub(super) fn owed(money: &Money, kind: &Kind) -> Amount {
    money.purses.iter().filter(|purse| purse.owes(kind)).map(|purse| purse.bucket.spent).sum()
}
