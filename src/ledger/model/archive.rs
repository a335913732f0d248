//! Buckets that nothing can touch any more are summed up and leave the record, so that it stays small.
//!
//! Invariant: no credit is lost: the four sums of a kind grow by exactly what the bucket showed. A bucket
//! that a late success could still give back to, or that says that a period's allowance was made, stays.
//! Invariant: what is owed for a purchase whose payment failed is listed as long as the purchase: a reversal that is
//! said again owes nothing more.

use super::state::{Money, Purse};
use crate::credit::{Amount, BucketId, Class, Standing};
use crate::seam::Timestamp;

const HOUR_MS: u64 = 60 * 60 * 1_000;
/// How long a dead bucket is listed.
const LISTED_MS: u64 = 30 * 24 * HOUR_MS;
/// And a purchase with its bonus and what is owed for it: a payment may be reversed long after it was made. Card
/// schemes allow 120 days and, for what was to be delivered later, up to 540 from the payment.
const REVERSIBLE_MS: u64 = 540 * 24 * HOUR_MS;
/// How many dead buckets are listed; beyond that the oldest leave early.
const DEAD_MAX: usize = 128;
/// How long even then after the last change: longer than a late success is accepted.
const TOUCHED_MS: u64 = 2 * HOUR_MS;
/// And after its end: no change of time zone brings its period back.
const ENDED_MS: u64 = 48 * HOUR_MS;

/// Archives what has been dead for long, and the oldest of too many.
pub(super) fn archive(money: &mut Money, now: Timestamp) {
    let mut ages: Vec<Timestamp> = money.purses.iter().filter(|p| dead(p)).map(age).collect();
    ages.sort_unstable();
    let spare = ages.len().saturating_sub(DEAD_MAX);
    // Those up to this age leave early if they may.
    let early = spare.checked_sub(1).and_then(|last| ages.get(last).copied());
    let voided = money.purses.iter().filter(|p| p.bucket.standing == Standing::Voided);
    let listed: Vec<BucketId> = voided.map(|purse| purse.bucket.id.clone()).collect();
    let reversed = |purse: &Purse| {
        let id = purse.bucket.id.as_str().strip_prefix("debt:");
        is_reversal(purse) && id.is_some_and(|id| listed.iter().any(|it| it.as_str() == id))
    };
    let archived = &mut money.archived;
    money.purses.retain(|purse| {
        let old = age(purse).plus_ms(listed_ms(purse)) <= now;
        let spare = early.is_some_and(|early| age(purse) <= early) && may_leave(purse, now);
        if !dead(purse) || !(old || spare) || reversed(purse) {
            return true;
        }
        let kept = archived.get(&purse.bucket.kind).copied().unwrap_or_default();
        match sum(kept, purse) {
            Some(sum) => {
                archived.insert(purse.bucket.kind.clone(), sum);
                false
            }
            None => true,
        }
    });
}

/// Whether nothing is left of it: no credit that may be used, held or is owed, and nothing to be done with it.
fn dead(purse: &Purse) -> bool {
    let bucket = &purse.bucket;
    let owed = bucket.class == Class::Debt && !bucket.spent.is_zero();
    bucket.available.is_zero() && bucket.held.is_zero() && !owed && !purse.fresh
}

/// When a bucket that is used up leaves the record at the latest; `None`: it is not used up.
pub(crate) fn leaves_at(purse: &Purse) -> Option<Timestamp> {
    dead(purse).then(|| age(purse).plus_ms(listed_ms(purse)))
}

/// Whether it is what is owed for a purchase whose payment failed. Debts of charges remember their hold.
fn is_reversal(purse: &Purse) -> bool {
    purse.bucket.class == Class::Debt && purse.hold.is_zero()
}

fn listed_ms(purse: &Purse) -> u64 {
    let bought = purse.bucket.class == Class::Purchased || is_reversal(purse);
    let bonus = purse.bucket.id.as_str().ends_with("@bonus");
    if bought || bonus { REVERSIBLE_MS } else { LISTED_MS }
}

fn age(purse: &Purse) -> Timestamp {
    purse.touched.max(purse.bucket.expires.unwrap_or_default())
}

fn may_leave(purse: &Purse, now: Timestamp) -> bool {
    let ended = purse.bucket.expires.is_none_or(|end| end.plus_ms(ENDED_MS) <= now);
    ended && purse.touched.plus_ms(TOUCHED_MS) <= now
}

fn sum(kept: [Amount; 4], purse: &Purse) -> Option<[Amount; 4]> {
    let [granted, spent, expired, voided] = kept;
    let bucket = &purse.bucket;
    Some([
        granted.checked_add(bucket.granted)?,
        spent.checked_add(bucket.spent)?,
        expired.checked_add(bucket.expired)?,
        voided.checked_add(bucket.voided)?,
    ])
}
