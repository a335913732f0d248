//! Work that cost more than was held: drawn from what is there, advanced as debt, or let go; and how debt
//! is repaid.
//!
//! Invariant: a debt is a bucket with granted = spent + voided: spent is what is still owed, voided what
//! was repaid. Only grants and first-touch allowances repay; what merely returns never does.

use super::draw::{bucket_id, draw, full_bucket, join, total};
use super::state::{Column, Money, Open, Purse};
use super::stop::{Stop, minus, plus};
use crate::credit::{Amount, BucketId, Class, Kind, Leg};
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
    let mut legs = draw(money, &open.kind, extra, Column::Spent, now)?;
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
    let mut purse = Purse { hold: open.held, ..Purse::new(bucket, false, now) };
    purse.post(Column::Available, Column::Spent, amount, now)?;
    money.purses.push(purse);
    Ok(Leg { bucket: id, amount })
}

/// Repays open debts of the bucket's kind from it, oldest first. The answer is how much went there.
pub(super) fn repay(money: &mut Money, from: &BucketId, now: Timestamp) -> Result<Amount, Stop> {
    let purse = money.purse(from)?;
    purse.fresh = false;
    let (kind, mut left) = (purse.bucket.kind.clone(), purse.bucket.available);
    let mut repaid = Amount::ZERO;
    for debt in money.purses.iter_mut().filter(|purse| purse.owes(&kind)) {
        let part = left.min(debt.bucket.spent);
        if part.is_zero() {
            break;
        }
        debt.post(Column::Spent, Column::Voided, part, now)?;
        debt.repaid_by.push(Leg { bucket: from.clone(), amount: part });
        left = minus(left, part)?;
        repaid = plus(repaid, part)?;
    }
    money.purse(from)?.post(Column::Available, Column::Spent, repaid, now)?;
    Ok(repaid)
}

/// What is still owed of a kind.
#[must_use]
pub(super) fn owed(money: &Money, kind: &Kind) -> Amount {
    money.purses.iter().filter(|purse| purse.owes(kind)).map(|purse| purse.bucket.spent).sum()
}
