//! What a reader sees: an account after all due work, and a charge from its records.
//!
//! Invariant: the draft that is looked at is never written.

use super::draft::Draft;
use super::due::{catch_up, touch_allowances};
use super::state::{Adjustment, Context, Counted, Ended, Open};
use super::stop::Stop;
use super::{caps, slots};
use crate::credit::{Amount, Bucket};
use crate::ledger::{AdjustPart, CapCount, ChargeRecord, Gates, View};

/// An account's money and counters after all due work.
pub(crate) fn view(draft: &mut Draft, gates: &Gates, context: &Context) -> Result<View, Stop> {
    let now = context.now;
    catch_up(draft, context)?;
    touch_allowances(draft, &gates.allowances, now)?;
    let account = &draft.account;
    let money = &account.money;
    let mut buckets: Vec<Bucket> = money.purses.iter().map(|p| p.bucket.clone()).collect();
    let ranks = gates.ranks;
    buckets.sort_by(|a, b| {
        (a.ended_at(now), a.order(&ranks)).cmp(&(b.ended_at(now), b.order(&ranks)))
    });
    Ok(View {
        at: now,
        buckets,
        caps: gates.caps.iter().filter_map(|cap| caps::state(money, cap, now)).collect(),
        slots: gates.slots.iter().map(|slot| slots::state(account, slot)).collect(),
        open: account.open.values().map(|open| open.short()).collect(),
        archived: money.archived.iter().map(|(kind, sums)| (kind.clone(), *sums)).collect(),
        allowances: money.allowances.clone(),
    })
}

/// What caps count for a charge.
fn counted(open: &Open) -> Vec<CapCount> {
    let of_cap = |entry: &Counted| CapCount {
        cap: entry.name.clone(),
        scope: entry.scope.clone(),
        measure: entry.measure,
        period: entry.period.clone(),
        used: entry.amount,
    };
    open.counted.iter().map(of_cap).collect()
}

fn adjusts(open: &Open) -> Vec<AdjustPart> {
    let part = |made: &Adjustment| AdjustPart {
        id: made.id.clone(),
        wanted: made.wanted,
        short: made.short,
    };
    open.adjusts.iter().map(part).collect()
}

/// The record of an open charge.
pub(crate) fn of_open(open: &Open, note: Vec<u8>, explanation: Vec<u8>) -> ChargeRecord {
    ChargeRecord {
        account: open.account.clone(),
        charge: open.charge,
        state: open.state(),
        key: Some(open.key),
        kind: Some(open.kind.clone()),
        route: open.route.clone(),
        feature: open.feature.clone(),
        member: open.member.clone(),
        revision: open.revision.clone(),
        held: open.held,
        charged: Amount::ZERO,
        refunds: Vec::new(),
        adjusts: adjusts(open),
        debt: Amount::ZERO,
        absorbed: Amount::ZERO,
        legs: open.legs.clone(),
        begun: open.begun,
        ended: None,
        deadline: open.unknown_until(),
        by_deadline: false,
        counted: counted(open),
        held_legs: open.legs.clone(),
        actual: None,
        late: false,
        note,
        explanation,
    }
}

/// The record of an ended charge.
pub(crate) fn of_ended(ended: &Ended, note: Vec<u8>, explanation: Vec<u8>) -> ChargeRecord {
    let open = ended.open.as_ref();
    ChargeRecord {
        account: ended.account.clone(),
        charge: ended.charge,
        state: ended.state,
        key: open.map(|open| open.key),
        kind: open.map(|open| open.kind.clone()),
        route: open.map(|open| open.route.clone()).unwrap_or_default(),
        feature: open.and_then(|open| open.feature.clone()),
        member: open.and_then(|open| open.member.clone()),
        revision: open.map(|open| open.revision.clone()).unwrap_or_default(),
        held: open.map_or(Amount::ZERO, |open| open.held),
        charged: ended.charged.saturating_sub(ended.refunded()),
        refunds: ended.refunds.clone(),
        adjusts: open.map(adjusts).unwrap_or_default(),
        debt: ended.debt,
        absorbed: ended.absorbed,
        legs: super::refund::kept(ended),
        begun: open.map_or(ended.at, |open| open.begun),
        ended: Some(ended.at),
        deadline: open.and_then(Open::unknown_until),
        by_deadline: ended.by_deadline,
        counted: open.map(counted).unwrap_or_default(),
        held_legs: open.map(|open| open.legs.clone()).unwrap_or_default(),
        actual: Some(ended.actual),
        late: ended.late,
        note,
        explanation,
    }
}
