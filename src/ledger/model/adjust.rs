//! Changing what an open charge holds.
//!
//! Invariant: an adjustment's id changes the hold once. No gate is asked: the work goes on already.

use std::sync::Arc;

use super::caps;
use super::draft::Draft;
use super::draw::{draw, give_back, join, split, total};
use super::posting::Column;
use super::state::{Adjustment, Context, Ended, Money, Open};
use super::stop::{Stop, minus};
use crate::credit::Amount;
use crate::ledger::{ADJUSTS_MAX, Adjust, Adjusted, Refusal};
use crate::seam::Timestamp;

/// Less returns from the tail; more is drawn as far as there is some.
pub(crate) fn adjust(
    draft: &mut Draft,
    seen: Option<&Ended>,
    call: &Adjust,
    context: &Context,
) -> Result<Adjusted, Stop> {
    let now = context.now;
    let Some(open) = draft.account.open.get(&call.charge).map(Arc::clone) else {
        let why = seen.map_or(Refusal::UnknownCharge, |ended| Refusal::Ended(ended.state));
        return Err(why.into());
    };
    if let Some(known) = open.adjusts.iter().find(|known| known.id == call.id) {
        let same = known.wanted == call.held;
        let answer = adjusted(&draft.account.money, &open, known.short, now);
        return if same { Ok(answer) } else { Err(Refusal::Conflict.into()) };
    }
    if open.adjusts.len() >= ADJUSTS_MAX {
        return Err(Refusal::TooMany("a hold is adjusted at most 32 times".to_owned()).into());
    }
    let money = &mut draft.account.money;
    let mut open = Arc::unwrap_or_clone(open);
    let short = hold(money, &mut open, call.held, now)?;
    caps::recount(money, &mut open.counted, open.held);
    open.adjusts.push(Adjustment { id: call.id.clone(), wanted: call.held, short });
    let answer = adjusted(money, &open, short, now);
    draft.account.open.insert(call.charge, Arc::new(open));
    Ok(answer)
}

/// Makes the charge hold `wanted`; the answer is what is missing.
fn hold(
    money: &mut Money,
    open: &mut Open,
    wanted: Amount,
    now: Timestamp,
) -> Result<Amount, Stop> {
    let (head, tail) = split(&open.legs, wanted.min(open.held))?;
    give_back(money, open.charge, &tail, Column::Held, now)?;
    open.legs = head;
    let missing = wanted.saturating_sub(open.held);
    let more = draw(money, (&open.kind, &open.for_what()), missing, Column::Held, now)?;
    join(&mut open.legs, more)?;
    open.held = total(&open.legs)?;
    minus(wanted, open.held)
}

fn adjusted(money: &Money, open: &Open, short: Amount, now: Timestamp) -> Adjusted {
    Adjusted {
        held: open.held,
        short,
        legs: open.legs.clone(),
        available: money.available(&open.kind, &open.for_what(), now),
    }
}
