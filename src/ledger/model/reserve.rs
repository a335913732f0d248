//! Reserve: every gate in order, then the hold. All or nothing.
//!
//! The id is looked up before anything else: the same request gets the same answer even when the account
//! has changed meanwhile, was suspended, or has nothing left.
//!
//! Invariant: every gate comes before the first change that this request alone causes; a refused draft is
//! thrown away whole.

use std::sync::Arc;

use super::draft::{Draft, bounded};
use super::draw::draw;
use super::posting::Column;
use super::state::{Account, Context, Ended, Open, Use};
use super::stop::{Stop, invalid};
use super::{caps, due, rate, shortage, slots};
use crate::ledger::{AccountStatus, CapState, KeyStatus, Refusal, Reserve, Reserved, SlotState};
use crate::seam::Timestamp;

/// How old an id may be when it is first seen, and how far ahead of this clock another may run.
const AGE_MAX_MS: u64 = 10 * 60 * 1_000;

/// Holds credits and a slot for a charge. `seen` is the charge's tombstone, if it has one.
pub(crate) fn reserve(
    draft: &mut Draft,
    seen: Option<&Ended>,
    call: &Reserve,
    context: &Context,
) -> Result<Reserved, Stop> {
    bounded(&call.note)?;
    recognise(seen, draft.account.open.get(&call.charge).map(AsRef::as_ref), call)?;
    due::catch_up(draft, context)?;
    // The due work may just have ended it.
    recognise(draft.ended.iter().find(|ended| ended.charge == call.charge), None, call)?;
    if let Some(open) = draft.account.open.get(&call.charge) {
        return Ok(answer(&draft.account, open, call, context.now));
    }
    check_age(call, context.now)?;
    check_caller(&draft.account, call, context.now)?;
    draft.account.money.ranks = call.gates.ranks;
    due::touch_allowances(draft, &call.gates.allowances, context.now)?;
    due::touch_exhausted(draft, call, context.now)?;
    pass_gates(&mut draft.account, call, context.now)?;
    hold(draft, call, context)
}

/// Refuses an id that has ended, or that is known with another content.
fn recognise(ended: Option<&Ended>, open: Option<&Open>, call: &Reserve) -> Result<(), Stop> {
    let known = ended.and_then(|ended| ended.open.as_ref()).or(open);
    if known.is_some_and(|known| known.fingerprint != call.fingerprint) {
        return Err(Refusal::Conflict.into());
    }
    match ended {
        Some(ended) => Err(Refusal::Ended(ended.state).into()),
        None => Ok(()),
    }
}

fn check_age(call: &Reserve, now: Timestamp) -> Result<(), Stop> {
    let born = call.charge.born();
    if now.ms_since(born) > AGE_MAX_MS {
        return Err(Refusal::TooOld { now }.into());
    }
    if born.ms_since(now) > AGE_MAX_MS {
        return Err(invalid("the charge's id was made in the future: set the caller's clock"));
    }
    Ok(())
}

/// Whether the caller's view is current, and whether account and key may spend.
fn check_caller(account: &Account, call: &Reserve, now: Timestamp) -> Result<(), Stop> {
    let document = &account.document;
    let fits = |periods| caps::current(periods, now).is_some();
    let periods_fit = call.gates.caps.iter().all(|cap| fits(&cap.periods))
        && call.gates.allowances.iter().all(|allowance| fits(&allowance.periods))
        && call.gates.window.contains(now);
    if document.version != call.document_version || !periods_fit {
        return Err(stale(account, now));
    }
    if document.status != AccountStatus::Active {
        return Err(Refusal::AccountStatus(document.status).into());
    }
    if let Some(until) = document.restricted_until.filter(|until| *until > now) {
        return Err(Refusal::AccountRestricted { until }.into());
    }
    match document.key(call.key) {
        Some(key) if key.status == KeyStatus::Active => Ok(()),
        _ => Err(Refusal::InvalidKey.into()),
    }
}

/// The caller has to look again: here is what it will see.
pub(super) fn stale(account: &Account, now: Timestamp) -> Stop {
    Refusal::Stale { document: Box::new(account.document.clone()), now }.into()
}

fn pass_gates(account: &mut Account, call: &Reserve, now: Timestamp) -> Result<(), Stop> {
    rate::pass(&mut account.money, &call.gates.rates, now)?;
    slots::gate(account, &call.gates.slots)?;
    caps::gate(&account.money, &call.gates.caps, &call.kind, call.amount, now)?;
    shortage::gate(account, call, now)
}

fn hold(draft: &mut Draft, call: &Reserve, context: &Context) -> Result<Reserved, Stop> {
    let now = context.now;
    let money = &mut draft.account.money;
    let use_ = Use { route: &call.route, feature: call.feature.as_deref() };
    let legs = draw(money, (&call.kind, &use_), call.amount, Column::Held, now)?;
    let counted = caps::count(money, &call.gates.caps, &call.kind, call.amount, now);
    let open = Arc::new(Open {
        account: call.account.clone(),
        charge: call.charge,
        fingerprint: call.fingerprint,
        key: call.key,
        kind: call.kind.clone(),
        held: call.amount,
        legs,
        route: call.route.clone(),
        feature: call.feature.clone(),
        member: call.member.clone(),
        revision: call.revision.clone(),
        instance: call.instance.clone(),
        begun: now,
        lease_end: now.plus_ms(context.lease_ms),
        timeout_ms: call.timeout_ms,
        reconcile_ms: call.reconcile_ms,
        on_unknown: call.on_unknown,
        over_run: call.over_run,
        max_debt: call.max_debt,
        unknown: false,
        deadline: None,
        counted,
        adjusts: Vec::new(),
    });
    draft.notes.push((call.charge, call.note.clone()));
    draft.account.open.insert(call.charge, Arc::clone(&open));
    Ok(answer(&draft.account, &open, call, now))
}

fn answer(account: &Account, open: &Open, call: &Reserve, now: Timestamp) -> Reserved {
    let caps: Vec<CapState> =
        call.gates.caps.iter().filter_map(|cap| caps::state(&account.money, cap, now)).collect();
    let slots: Vec<SlotState> =
        call.gates.slots.iter().map(|slot| slots::state(account, slot)).collect();
    Reserved {
        legs: open.legs.clone(),
        available: account.money.available(&open.kind, &open.for_what(), now),
        held: account.money.held(&open.kind),
        caps,
        slots,
        at: now,
        lease_end: open.lease_end,
    }
}
