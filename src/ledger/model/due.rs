//! Work that time brings: leases lapse, deadlines decide, grants become effective, buckets end.
//!
//! Verbs that decide do it first, on their draft, so that they decide on the account as it stands now;
//! only a verb that succeeds writes it. Too much of it is `tick`'s.
//!
//! Invariant: nothing here happens early: within grace no lease lapses and no deadline is applied.

use std::sync::Arc;

use super::debt::repay;
use super::draft::Draft;
use super::draw::full_bucket;
use super::reserve::stale;
use super::settle::{release_open, settle_open};
use super::state::{Account, Column, Context, Ended, Open, Purse};
use super::stop::{Stop, invalid};
use crate::credit::{Bucket, BucketId, ChargeId, Class};
use crate::ledger::{AllowanceCheck, OnUnknown, Refusal};
use crate::seam::Timestamp;

/// The most that is done beside another verb.
const BESIDE_MAX: usize = 16;
/// The most that one `tick` does.
const TICK_MAX: usize = 64;

enum Due {
    Lapse(ChargeId),
    Deadline(ChargeId),
    Wake(BucketId),
    Expire(BucketId),
}

/// Does all that is due, or refuses because that is too much here.
pub(super) fn catch_up(draft: &mut Draft, context: &Context) -> Result<(), Stop> {
    let mut done: usize = 0;
    loop {
        let due = list(&draft.account, context);
        if due.is_empty() {
            return Ok(());
        }
        done = done.saturating_add(due.len());
        if done > BESIDE_MAX {
            return Err(Refusal::Tick.into());
        }
        for item in due {
            apply(draft, item, context)?;
        }
    }
}

/// Does a bounded part of what is due. The answer is how much was done.
pub(crate) fn tick(draft: &mut Draft, context: &Context) -> Result<u32, Stop> {
    let due = list(&draft.account, context);
    let mut done: u32 = 0;
    for item in due.into_iter().take(TICK_MAX) {
        apply(draft, item, context)?;
        done = done.saturating_add(1);
    }
    Ok(done)
}

/// Whether anything is due.
pub(crate) fn is_due(account: &Account, context: &Context) -> bool {
    !list(account, context).is_empty()
}

/// The next moment at which something becomes due.
#[must_use]
pub(crate) fn next(account: &Account) -> Option<Timestamp> {
    let leases = account
        .open
        .values()
        .filter_map(|open| if open.unknown { open.deadline } else { Some(open.lease_end) });
    let buckets = account.money.purses.iter().filter_map(|purse| {
        let wakes = purse.fresh.then_some(purse.bucket.effective);
        wakes.or_else(|| purse.bucket.expires.filter(|_| !purse.bucket.available.is_zero()))
    });
    leases.chain(buckets).min()
}

/// Lets grants that have become effective repay debt. Every verb that moves money does this first: what
/// is owed later is not theirs to repay.
pub(super) fn wake_all(draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
    let awake = |purse: &&Purse| purse.fresh && purse.bucket.effective <= now;
    let ids: Vec<BucketId> =
        draft.account.money.purses.iter().filter(awake).map(|p| p.bucket.id.clone()).collect();
    for id in ids {
        repay(&mut draft.account.money, &id, now)?;
    }
    Ok(())
}

fn list(account: &Account, context: &Context) -> Vec<Due> {
    let now = context.now;
    let lapsed = account.open.values().filter(|open| open.lapsed(context));
    let overdue = account.open.values().filter(|open| open.overdue(context));
    let purses = || account.money.purses.iter();
    let awake = purses().filter(|purse| purse.fresh && purse.bucket.effective <= now);
    let ended = purses().filter(|p| p.bucket.ended_at(now) && !p.bucket.available.is_zero());
    let charges = lapsed
        .map(|open| Due::Lapse(open.charge))
        .chain(overdue.map(|open| Due::Deadline(open.charge)));
    let buckets = awake
        .map(|purse| Due::Wake(purse.bucket.id.clone()))
        .chain(ended.map(|purse| Due::Expire(purse.bucket.id.clone())));
    charges.chain(buckets).collect()
}

fn apply(draft: &mut Draft, due: Due, context: &Context) -> Result<(), Stop> {
    let now = context.now;
    let account = &mut draft.account;
    match due {
        Due::Lapse(charge) => {
            if let Some(open) = account.open.get_mut(&charge) {
                Arc::make_mut(open).doubt(now);
            }
        }
        Due::Deadline(charge) => {
            if let Some(open) = account.open.remove(&charge) {
                let ended = decide(account, Arc::unwrap_or_clone(open), now)?;
                draft.ended.push(ended);
            }
        }
        Due::Wake(bucket) => {
            repay(&mut account.money, &bucket, now)?;
        }
        Due::Expire(bucket) => {
            let purse = account.money.purse(&bucket)?;
            let rest = purse.bucket.available;
            purse.post(Column::Available, Column::Expired, rest, now)?;
        }
    }
    Ok(())
}

/// A deadline has come: `on_unknown` decides.
fn decide(account: &mut Account, open: Open, now: Timestamp) -> Result<Ended, Stop> {
    let ended = match open.on_unknown {
        OnUnknown::Charge => {
            let held = open.held;
            settle_open(&mut account.money, open, held, now)?
        }
        OnUnknown::Release => release_open(&mut account.money, open, now)?,
        OnUnknown::Hold => {
            return Err(Stop::Broken(format!("{} has a deadline but is kept", open.charge)));
        }
    };
    Ok(Ended { by_deadline: true, ..ended })
}

/// Makes the buckets of the periods that have begun, each once.
pub(super) fn touch_allowances(
    draft: &mut Draft,
    checks: &[AllowanceCheck],
    now: Timestamp,
) -> Result<(), Stop> {
    if checks.len() > BESIDE_MAX {
        return Err(invalid("at most 16 allowances"));
    }
    for check in checks.iter().filter(|check| !check.amount.is_zero()) {
        let bucket = period_bucket(draft, check, now)?;
        let money = &mut draft.account.money;
        if !money.has(&bucket.id) {
            let id = bucket.id.clone();
            money.purses.push(Purse::new(bucket, false, now));
            repay(money, &id, now)?;
        }
    }
    Ok(())
}

fn period_bucket(draft: &Draft, check: &AllowanceCheck, now: Timestamp) -> Result<Bucket, Stop> {
    if !matches!(check.class, Class::Plan | Class::Free) {
        return Err(invalid("an allowance is of the class plan or free"));
    }
    let period =
        super::caps::current(&check.periods, now).ok_or_else(|| stale(&draft.account, now))?;
    let id = format!("{}@{}", check.name, period.id)
        .parse()
        .map_err(|_| invalid("an allowance's name with its period is at most 128 characters"))?;
    Ok(Bucket {
        priority: check.priority,
        effective: period.start,
        expires: Some(period.end),
        ..full_bucket(id, check.kind.clone(), check.class, check.amount, now)
    })
}
