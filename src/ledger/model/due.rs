//! Work that time brings: leases lapse, deadlines decide, grants become effective, buckets end.
//!
//! Every verb that moves money or ends something does it first, on its draft, so that it decides on the account as
//! it stands now; only a verb that succeeds writes it. Too much of it is `tick`'s.
//!
//! Invariant: nothing here happens early: within grace no lease lapses and no deadline is applied.

use std::sync::Arc;

use super::debt::{repay, repay_up_to};
use super::draft::Draft;
use super::draw::full_bucket;
use super::posting::Column;
use super::reserve::stale;
use super::settle::{release_open, settle_open};
use super::state::{Account, Context, Ended, Kept, Money, Open, Purse, Use};
use super::stop::{Stop, invalid, minus};
use crate::credit::{Amount, Bucket, BucketId, ChargeId, Class, Standing, When};
use crate::ledger::{AllowanceCheck, AllowanceState, OnUnknown, Refusal, Reserve};
use crate::seam::Timestamp;

/// The most that is done beside another verb.
const BESIDE_MAX: usize = 16;
/// The longest id of an allowance's bucket, in bytes.
const ALLOWANCE_ID_MAX: usize = 119;
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
    leases.chain(account.money.purses.iter().filter_map(wakes_at)).min()
}

/// When a bucket begins or ends, if it is still to do so.
pub(crate) fn wakes_at(purse: &Purse) -> Option<Timestamp> {
    if purse.bucket.standing == Standing::Frozen {
        return None;
    }
    let wakes = purse.fresh.then_some(purse.bucket.effective);
    wakes.or_else(|| purse.bucket.expires.filter(|_| !purse.bucket.available.is_zero()))
}

/// All that is due, in the order in which it became so, whether or not somebody looked in between: what is owed
/// later is not an earlier grant's to repay.
fn list(account: &Account, context: &Context) -> Vec<Due> {
    let now = context.now;
    let lapsed = account.open.values().filter(|open| open.lapsed(context));
    let overdue = account.open.values().filter(|open| open.overdue(context));
    let deadline = |open: &Open| open.deadline.unwrap_or(now);
    let charges = lapsed
        .map(|open| (open.lease_end, Due::Lapse(open.charge)))
        .chain(overdue.map(|open| (deadline(open), Due::Deadline(open.charge))));
    let buckets = || account.money.purses.iter().map(|purse| (&purse.bucket, purse.fresh));
    // A frozen one pays nothing until it is thawed.
    let awake = buckets().filter(|(bucket, fresh)| {
        *fresh && bucket.effective <= now && bucket.standing != Standing::Frozen
    });
    let ended = buckets().filter(|(bucket, _)| bucket.ended_at(now) && !bucket.available.is_zero());
    let buckets =
        awake
            .map(|(bucket, _)| (bucket.effective, Due::Wake(bucket.id.clone())))
            .chain(ended.map(|(bucket, _)| {
                (bucket.expires.unwrap_or(now), Due::Expire(bucket.id.clone()))
            }));
    let mut all: Vec<(Timestamp, Due)> = charges.chain(buckets).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, due)| due).collect()
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
            expire(&mut account.money, &bucket, now)?;
        }
    }
    Ok(())
}

/// A deadline has come: `on_unknown` decides. What goes back does so as of the deadline: whether its bucket lived
/// then must not depend on when somebody looked.
fn decide(account: &mut Account, open: Open, now: Timestamp) -> Result<Ended, Stop> {
    let ended = match open.on_unknown {
        OnUnknown::Charge => {
            let held = open.held;
            settle_open(&mut account.money, open, held, now)?
        }
        OnUnknown::Release => {
            let then = open.deadline.map_or(now, |deadline| deadline.min(now));
            release_open(&mut account.money, open, then)?
        }
        OnUnknown::Hold => {
            return Err(Stop::Broken(format!("{} has a deadline but is kept", open.charge)));
        }
    };
    Ok(Ended { by_deadline: true, at: now, ..ended })
}

/// A bucket has ended: what of an allowance lives on becomes a bucket of its own.
fn expire(money: &mut Money, id: &BucketId, now: Timestamp) -> Result<(), Stop> {
    let purse = money.purse(id)?;
    let (rest, carry) = (purse.bucket.available, purse.carry.take());
    let ended = purse.bucket.clone();
    money.post(id, (Column::Available, Column::Expired), rest, now)?;
    let Some(carry) = carry else { return Ok(()) };
    let kept = carry.keeps(rest);
    if kept.is_zero() {
        return Ok(());
    }
    let bucket = Bucket {
        priority: ended.priority,
        effective: ended.expires.unwrap_or(now),
        expires: Some(carry.until),
        only: ended.only,
        ..full_bucket(rolled(id)?, ended.kind, Class::Rollover, kept, now)
    };
    money.add(Purse::new(bucket, false, now));
    Ok(())
}

/// The id of what lives on of an allowance's bucket.
fn rolled(id: &BucketId) -> Result<BucketId, Stop> {
    super::draw::bucket_id(&format!("{id}@rollover"))
}

impl Kept {
    /// What lives on of `left`; as `Rollover::keeps` says.
    fn keeps(&self, left: Amount) -> Amount {
        let (min, max, percent) = (self.min, Some(self.max), self.percent);
        crate::credit::Rollover { min, max, percent, cycles: 1, lasts_ms: None }.keeps(left)
    }
}

/// Makes the buckets of the periods that have begun, each once, and lets running ones grow. Those that are only
/// for when everything else is exhausted are left alone.
pub(super) fn touch_allowances(
    draft: &mut Draft,
    checks: &[AllowanceCheck],
    now: Timestamp,
) -> Result<(), Stop> {
    if checks.len() > BESIDE_MAX {
        return Err(invalid("at most 16 allowances"));
    }
    for check in checks.iter().filter(|check| !check.amount.is_zero()) {
        if !matches!(check.class, Class::Plan | Class::Free) {
            return Err(invalid("an allowance is of the class plan or free"));
        }
        if check.when == When::Always || is_running(&draft.account.money, check, now) {
            touch(draft, check, now)?;
        }
    }
    Ok(())
}

/// Makes the free buckets that a request needs beside everything else.
pub(super) fn touch_exhausted(
    draft: &mut Draft,
    call: &Reserve,
    now: Timestamp,
) -> Result<(), Stop> {
    let use_ = Use { route: &call.route, feature: call.feature.as_deref() };
    let useful = |check: &&AllowanceCheck| {
        let meant =
            check.kind == call.kind && Bucket::covers(&check.only, use_.route, use_.feature);
        check.when == When::PaidExhausted && meant && !check.amount.is_zero()
    };
    for check in call.gates.allowances.iter().filter(useful) {
        let short = draft.account.money.available(&call.kind, &use_, now) < call.amount;
        if short {
            touch(draft, check, now)?;
        }
    }
    Ok(())
}

/// Whether the allowance's bucket is there and its period not over.
fn is_running(money: &Money, check: &AllowanceCheck, now: Timestamp) -> bool {
    money.allowances.iter().any(|state| state.name == check.name && now < state.end)
}

fn touch(draft: &mut Draft, check: &AllowanceCheck, now: Timestamp) -> Result<(), Stop> {
    let money = &mut draft.account.money;
    let mut states = money.allowances.iter_mut();
    let Some(state) = states.find(|state| state.name == check.name && now < state.end) else {
        return begin(draft, check, now);
    };
    if state.amount >= check.amount {
        return Ok(());
    }
    let id = allowance_id(&state.name, &state.period)?;
    let found = money.purses.iter_mut().find(|purse| purse.bucket.id == id);
    let Some(purse) = found.filter(|purse| as_long(purse.bucket.effective, state.end, check, now))
    else {
        return Ok(());
    };
    let more = minus(check.amount, state.amount)?;
    state.amount = check.amount;
    if purse.bucket.standing != Standing::Active {
        return Ok(());
    }
    purse.grow(Column::Available, more, now, &mut money.postings)?;
    repay_up_to(money, &id, more, now).map(|_| ())
}

/// Whether a running period is of the check's length, as days, weeks and months are among themselves. Another length
/// begins when what runs is over: a day's bucket does not become a month's.
fn as_long(start: Timestamp, end: Timestamp, check: &AllowanceCheck, now: Timestamp) -> bool {
    let current = check.periods.iter().find(|period| period.contains(now));
    let period = current.unwrap_or(&check.periods[0]);
    let (one, other) = (end.ms_since(start), period.end.ms_since(period.start));
    one.min(other).saturating_mul(2) > one.max(other)
}

fn allowance_id(name: &str, period: &str) -> Result<BucketId, Stop> {
    let id = allowance_bucket(name, period);
    id.ok_or_else(|| invalid("an allowance's name with its period is at most 119 characters"))
}

/// The id of an allowance's bucket; `None`: it would be too long for what lives on of it to be called after it.
pub(crate) fn allowance_bucket(name: &str, period: &str) -> Option<BucketId> {
    let id = format!("{name}@{period}");
    if id.len() > ALLOWANCE_ID_MAX { None } else { id.parse().ok() }
}

/// The period that has begun gets its bucket, unless there is one of this id: then the period's was given.
fn begin(draft: &mut Draft, check: &AllowanceCheck, now: Timestamp) -> Result<(), Stop> {
    let at = check.periods.iter().position(|period| period.contains(now));
    let period = at.and_then(|at| check.periods.get(at));
    let (Some(at), Some(period)) = (at, period) else {
        return Err(stale(&draft.account, now));
    };
    let id = allowance_id(&check.name, &period.id)?;
    let state = AllowanceState {
        name: check.name.clone(),
        period: period.id.clone(),
        end: period.end,
        amount: check.amount,
    };
    let money = &mut draft.account.money;
    money.allowances.retain(|state| state.name != check.name && state.end > now);
    money.allowances.push(state);
    if money.has(&id) {
        return Ok(());
    }
    let bucket = Bucket {
        priority: check.priority,
        effective: period.start,
        expires: Some(period.end),
        only: check.only.clone(),
        ..full_bucket(id.clone(), check.kind.clone(), check.class, check.amount, now)
    };
    let carry = check.carry.map(|carry| Kept {
        min: carry.min,
        max: carry.max,
        percent: carry.percent,
        until: carry.until[at.min(1)],
    });
    money.add(Purse { carry, ..Purse::new(bucket, false, now) });
    repay(money, &id, now).map(|_| ())
}
