//! How a charge ends: settled at what was due, released, or corrected once after it had ended otherwise.
//!
//! Invariant: a charge ends once. Asking again with the same content gets the same answer and moves
//! nothing; what arrives more than an hour after the end never moves money.

use std::sync::Arc;

use super::caps;
use super::debt::cover;
use super::draft::{Draft, Ending};
use super::draw::{give_back, join, spend, split, total};
use super::posting::Column;
use super::state::{Context, Ended, Money, Open};
use super::stop::{Stop, minus, plus};
use crate::credit::Amount;
use crate::ledger::{ChargeState, Refusal, Release, Released, Settle, Settled};
use crate::seam::Timestamp;

/// How long after its end a charge may be corrected.
const LATE_MS: u64 = 60 * 60 * 1_000;

/// Ends a charge by taking what was due. `seen` is the charge's tombstone, if it has one.
pub(crate) fn settle(
    draft: &mut Draft,
    seen: Option<Ended>,
    call: &Settle,
    context: &Context,
) -> Result<Settled, Stop> {
    let now = context.now;
    if let Some(ended) = &seen
        && ended.state == ChargeState::Settled
        && !ended.by_deadline
    {
        let same = ended.actual == call.actual;
        return if same { Ok(settled(draft, ended, now)) } else { Err(Refusal::Conflict.into()) };
    }
    let money = &mut draft.account.money;
    let ended = match (draft.account.open.remove(&call.charge), seen) {
        (Some(open), _) => settle_open(money, Arc::unwrap_or_clone(open), call.actual, now)?,
        (None, Some(ended)) => {
            let mut ended = correct(money, ended, ChargeState::Settled, call.actual, now)?;
            if let Some(open) = &mut ended.open {
                caps::recount(money, &mut open.counted, call.actual);
            }
            ended
        }
        (None, None) => return Err(Refusal::UnknownCharge.into()),
    };
    draft.explain(call.charge, &call.explanation)?;
    let answer = settled(draft, &ended, now);
    draft.end(ended);
    Ok(answer)
}

/// Ends a charge by giving everything back. `seen` is the charge's tombstone, if it has one.
pub(crate) fn release(
    draft: &mut Draft,
    seen: Option<Ended>,
    call: &Release,
    context: &Context,
) -> Result<Released, Stop> {
    let now = context.now;
    if let Some(ended) = &seen
        && ended.state == ChargeState::Released
        && !ended.by_deadline
    {
        return Ok(released(draft, ended, now));
    }
    if seen.is_none() && !draft.account.open.contains_key(&call.charge) {
        // The id may have been another charge's, long ago: nothing said of that is this one's.
        draft.notes.push((call.charge, Vec::new()));
        draft.explanations.push((call.charge, Vec::new()));
    }
    let money = &mut draft.account.money;
    let ended = match (draft.account.open.remove(&call.charge), seen) {
        (Some(open), _) => release_open(money, Arc::unwrap_or_clone(open), now)?,
        // Its deadline had released it already; now somebody has said that this was right.
        (None, Some(ended)) if ended.state == ChargeState::Released => {
            Ended { by_deadline: false, ..ended }
        }
        (None, Some(ended)) => {
            let mut ended = correct(money, ended, ChargeState::Released, Amount::ZERO, now)?;
            if let Some(open) = &mut ended.open {
                caps::uncount(money, &mut open.counted);
            }
            ended
        }
        (None, None) => never_seen(call, now),
    };
    draft.explain(call.charge, &call.explanation)?;
    let answer = released(draft, &ended, now);
    draft.end(ended);
    Ok(answer)
}

/// Settles an open charge: heads of the legs are spent, tails return, what exceeds is covered.
pub(super) fn settle_open(
    money: &mut Money,
    mut open: Open,
    actual: Amount,
    now: Timestamp,
) -> Result<Ended, Stop> {
    let kept = actual.min(open.held);
    let (mut legs, tail) = split(&open.legs, kept)?;
    spend(money, &legs, now)?;
    give_back(money, open.charge, &tail, Column::Held, now)?;
    let covered = cover(money, &open, minus(actual, kept)?, now)?;
    join(&mut legs, covered.legs)?;
    caps::recount(money, &mut open.counted, actual);
    let ending = Ending {
        state: ChargeState::Settled,
        actual,
        legs,
        returned: minus(open.held, kept)?,
        debt: covered.debt,
        absorbed: covered.absorbed,
    };
    ending.of(open, now)
}

/// Releases an open charge.
pub(super) fn release_open(
    money: &mut Money,
    mut open: Open,
    now: Timestamp,
) -> Result<Ended, Stop> {
    give_back(money, open.charge, &open.legs, Column::Held, now)?;
    caps::uncount(money, &mut open.counted);
    let ending = Ending {
        state: ChargeState::Released,
        actual: Amount::ZERO,
        legs: Vec::new(),
        returned: open.held,
        debt: Amount::ZERO,
        absorbed: Amount::ZERO,
    };
    ending.of(open, now)
}

/// Corrects a charge that was released, or that its deadline charged: what was taken too much goes back,
/// what is missing is covered like an over-run, bounded by the hold that it had. Once, within the hour.
fn correct(
    money: &mut Money,
    mut ended: Ended,
    state: ChargeState,
    actual: Amount,
    now: Timestamp,
) -> Result<Ended, Stop> {
    let settled = ended.state == ChargeState::Settled && !ended.by_deadline;
    let in_time = now.ms_since(ended.at) <= LATE_MS;
    let untouched = !settled && !ended.late && ended.refunds.is_empty();
    let Some(open) = ended.open.as_ref().filter(|_| untouched && in_time) else {
        return Err(Refusal::Ended(ended.state).into());
    };
    let kept = actual.min(ended.charged);
    let (mut legs, tail) = split(&ended.legs, kept)?;
    give_back(money, ended.charge, &tail, Column::Spent, now)?;
    let covered = cover(money, open, minus(actual, kept)?, now)?;
    join(&mut legs, covered.legs)?;
    ended.returned = open.held.saturating_sub(actual);
    ended.charged = total(&legs)?;
    ended.debt = plus(ended.debt, covered.debt)?;
    ended.absorbed = plus(ended.absorbed, covered.absorbed)?;
    Ok(Ended { state, actual, legs, by_deadline: false, late: true, ..ended })
}

/// The tombstone of an id that was closed before it was ever reserved.
fn never_seen(call: &Release, at: Timestamp) -> Ended {
    Ended {
        account: call.account.clone(),
        charge: call.charge,
        open: None,
        state: ChargeState::Released,
        actual: Amount::ZERO,
        charged: Amount::ZERO,
        returned: Amount::ZERO,
        debt: Amount::ZERO,
        absorbed: Amount::ZERO,
        legs: Vec::new(),
        refunds: Vec::new(),
        at,
        by_deadline: false,
        late: false,
    }
}

fn settled(draft: &Draft, ended: &Ended, now: Timestamp) -> Settled {
    Settled {
        charged: ended.charged,
        returned: ended.returned,
        debt: ended.debt,
        absorbed: ended.absorbed,
        available: available(draft, ended, now),
        late: ended.late,
    }
}

fn released(draft: &Draft, ended: &Ended, now: Timestamp) -> Released {
    Released { returned: ended.returned, available: available(draft, ended, now) }
}

/// What remains for charges like this one; nothing for an id whose kind nobody knows.
pub(super) fn available(draft: &Draft, ended: &Ended, now: Timestamp) -> Amount {
    let money = &draft.account.money;
    let open = ended.open.as_ref();
    open.map_or(Amount::ZERO, |open| money.available(&open.kind, &open.for_what(), now))
}
