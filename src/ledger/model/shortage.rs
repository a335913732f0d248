//! Whether the buckets cover a request, and if not, whether waiting helps.
//!
//! Invariant: only reads. What it promises (`freed_at`) counts holds that end within a minute by
//! themselves, and only what would return to a bucket that may still pay then.

use super::state::{Account, Money, Open, Use};
use super::stop::Stop;
use crate::credit::{Amount, Bucket, Leg, When};
use crate::ledger::{AllowanceCheck, OnUnknown, Refusal, Reserve};
use crate::seam::Timestamp;

/// Holds that end within this time are worth waiting for.
const SOON_MS: u64 = 60 * 1_000;
/// An account with more open charges is not searched for them: each refusal would cost too much.
const FREED_MAX: usize = 512;

/// Refuses if there is not enough.
pub(super) fn gate(account: &Account, call: &Reserve, now: Timestamp) -> Result<(), Stop> {
    let use_ = Use { route: &call.route, feature: call.feature.as_deref() };
    let available = account.money.available(&call.kind, &use_, now);
    if available >= call.amount {
        return Ok(());
    }
    Err(Refusal::Insufficient {
        required: call.amount,
        available,
        held: account.money.held(&call.kind),
        freed_at: freed_at(account, call, available, now),
        refill_at: refill_at(&account.money, call, now),
    }
    .into())
}

fn freed_at(
    account: &Account,
    call: &Reserve,
    available: Amount,
    now: Timestamp,
) -> Option<Timestamp> {
    if account.open.len() > FREED_MAX {
        return None;
    }
    let of_kind = account.open.values().filter(|open| open.kind == call.kind);
    let mut ends: Vec<(Timestamp, &Open)> =
        of_kind.filter_map(|open| Some((ends_at(open, now)?, open.as_ref()))).collect();
    ends.sort_by_key(|(end, open)| (*end, open.charge));
    let mut sum = available;
    for (end, open) in ends.into_iter().take_while(|(end, _)| end.ms_since(now) <= SOON_MS) {
        let back: Amount = open
            .legs
            .iter()
            .filter(|leg| pays(account, call, leg, end))
            .map(|leg| leg.amount)
            .sum();
        sum = sum.saturating_add(back);
        if sum >= call.amount {
            return Some(end);
        }
    }
    None
}

/// When the hold will have ended at the latest, if that gives credits back.
fn ends_at(open: &Open, now: Timestamp) -> Option<Timestamp> {
    let end = match (open.unknown, open.on_unknown) {
        (false, _) => open.begun.plus_ms(open.timeout_ms),
        (true, OnUnknown::Release) => open.deadline?,
        (true, OnUnknown::Charge | OnUnknown::Hold) => return None,
    };
    Some(end.max(now.plus_ms(1)))
}

fn pays(account: &Account, call: &Reserve, leg: &Leg, at: Timestamp) -> bool {
    let use_ = Use { route: &call.route, feature: call.feature.as_deref() };
    let purse = account.money.purses.iter().find(|purse| purse.bucket.id == leg.bucket);
    purse.is_some_and(|purse| use_.is_paid_by(&purse.bucket, &call.kind, at))
}

/// When an allowance that may pay for the request comes next: when what runs of it is over, whatever the zone or the
/// plan has become. No clock says when those come that are only for when everything else is used up.
fn refill_at(money: &Money, call: &Reserve, now: Timestamp) -> Option<Timestamp> {
    let feature = call.feature.as_deref();
    let useful = call.gates.allowances.iter().filter(|check| {
        let meant = check.kind == call.kind && Bucket::covers(&check.only, &call.route, feature);
        check.when == When::Always && meant && !check.amount.is_zero()
    });
    let running = |check: &AllowanceCheck| {
        let mut states = money.allowances.iter();
        states.find(|state| state.name == check.name && now < state.end).map(|state| state.end)
    };
    useful.filter_map(running).min()
}
