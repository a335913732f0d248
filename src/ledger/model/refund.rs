//! Giving back what a settled charge took.
//!
//! A bucket that was archived gets nothing back: its charge counts as archived too.
//!
//! Invariant: all refunds of a charge together give back at most what it took; each of its ids gives back once.
//! What is left looks as if the smaller amount had been charged at first: tails return.

use super::caps;
use super::draft::Draft;
use super::draw::{give_back, split};
use super::grant::REASON_MAX;
use super::posting::Column;
use super::settle::available;
use super::state::{Context, Ended, Money};
use super::stop::{Stop, invalid, minus};
use crate::credit::{Amount, Leg};
use crate::ledger::{REFUNDS_MAX, Refund, RefundPart, Refunded, Refusal};
use crate::seam::Timestamp;

/// What depends on nothing but the call.
pub(crate) fn sound(call: &Refund) -> Result<(), Stop> {
    if call.amount.is_zero() {
        return Err(invalid("a refund of nothing: give an amount above zero"));
    }
    if call.reason.len() > REASON_MAX {
        return Err(invalid("the reason is at most 500 bytes"));
    }
    Ok(())
}

/// Gives back from the tail of what carries the charge. `seen` is its tombstone.
pub(crate) fn refund(
    draft: &mut Draft,
    mut ended: Ended,
    call: &Refund,
    context: &Context,
) -> Result<Refunded, Stop> {
    let now = context.now;
    if let Some(part) = ended.refunds.iter().find(|part| part.id == call.id) {
        let same = part.amount == call.amount;
        return if same {
            Ok(refunded(draft, &ended, call, now))
        } else {
            Err(Refusal::Conflict.into())
        };
    }
    let net = minus(ended.charged, ended.refunded())?;
    let Some(rest) = net.checked_sub(call.amount) else {
        return Err(Refusal::RefundTooLarge { left: net }.into());
    };
    if ended.refunds.len() >= REFUNDS_MAX {
        return Err(Refusal::TooMany("a charge has at most 32 refunds".to_owned()).into());
    }
    let (_, tail) = split(&kept(&ended), rest)?;
    if !tail.iter().all(|leg| can_return(&draft.account.money, leg)) {
        return Err(Refusal::ChargeArchived.into());
    }
    let money = &mut draft.account.money;
    give_back(money, ended.charge, &tail, Column::Spent, now)?;
    if let Some(open) = &mut ended.open {
        caps::lessen(money, &mut open.counted, rest);
    }
    let (id, reason) = (call.id.clone(), call.reason.clone());
    ended.refunds.push(RefundPart { id, amount: call.amount, at: now, reason });
    let answer = refunded(draft, &ended, call, now);
    draft.end(ended);
    Ok(answer)
}

/// Whether the bucket of a leg is still listed; for a debt, whether those are that repaid it.
fn can_return(money: &Money, leg: &Leg) -> bool {
    let found = money.purses.iter().find(|purse| purse.bucket.id == leg.bucket);
    found.is_some_and(|purse| purse.repaid_by.iter().all(|repaid| money.has(&repaid.bucket)))
}

/// What carries the charge after its refunds.
pub(super) fn kept(ended: &Ended) -> Vec<Leg> {
    let net = ended.charged.saturating_sub(ended.refunded());
    split(&ended.legs, net).map(|(head, _)| head).unwrap_or_default()
}

fn refunded(draft: &Draft, ended: &Ended, call: &Refund, now: Timestamp) -> Refunded {
    let all: Amount = ended.refunded();
    Refunded {
        amount: call.amount,
        refunded: all,
        charged: ended.charged.saturating_sub(all),
        available: available(draft, ended, now),
    }
}
