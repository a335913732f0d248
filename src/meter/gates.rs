//! A plan's limits as the ledger wants them: over what they count, with the periods of this moment.
//!
//! Invariant: periods are computed here, with the zone database; the ledger only chooses between them.

use crate::credit::{Allowance, Cap, KeyId, RateLimit, SlotLimit};
use crate::credit::{Name, PeriodError, Plan, ScopeKind, Zone};
use crate::ledger::{AllowanceCheck, CapCheck, Gates, RateCheck, Scope, SlotCheck};
use crate::seam::Timestamp;

const US_PER_MS: u64 = 1_000;

/// What a limit may count over: one request, or all that an account sees.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The key that asks; `None`: limits of keys are left out.
    pub key: Option<KeyId>,
    /// The routes with their features.
    pub routes: &'a [(&'a Name, Option<&'a Name>)],
}

/// The limits and allowances of `plan` that apply at `place` and `now`.
///
/// # Errors
/// When `now` lies outside the calendar.
pub fn gates(
    plan: &Plan,
    zone: &Zone,
    now: Timestamp,
    place: &Place<'_>,
) -> Result<Gates, PeriodError> {
    let mut gates = Gates::default();
    for limit in &plan.rates {
        gates.rates.extend(scopes(limit.scope, &limit.only, place).map(|over| rate(limit, over)));
    }
    for limit in &plan.slots {
        gates.slots.extend(scopes(limit.scope, &limit.only, place).map(|over| slot(limit, over)));
    }
    for limit in &plan.caps {
        for over in scopes(limit.scope, &limit.only, place) {
            gates.caps.push(cap(limit, over, zone, now)?);
        }
    }
    for given in &plan.allowances {
        gates.allowances.push(allowance(given, zone, now)?);
    }
    Ok(gates)
}

/// Over what a limit counts at `place`; nothing if it is not for these routes.
fn scopes(kind: ScopeKind, only: &[Name], place: &Place<'_>) -> std::vec::IntoIter<Scope> {
    let meant = |route: &Name, feature: Option<&Name>| {
        only.is_empty() || only.contains(route) || feature.is_some_and(|name| only.contains(name))
    };
    let routes = place.routes.iter().filter(|(route, feature)| meant(route, *feature));
    let mut found: Vec<Scope> = match kind {
        ScopeKind::Account => routes.map(|_| Scope::Account).collect(),
        ScopeKind::Key => routes.filter_map(|_| place.key.map(Scope::Key)).collect(),
        ScopeKind::Route => routes.map(|(route, _)| Scope::Route(route.to_string())).collect(),
        ScopeKind::Feature => routes
            .filter_map(|(_, feature)| feature.map(|name| Scope::Feature(name.to_string())))
            .collect(),
    };
    found.sort_unstable();
    found.dedup();
    found.into_iter()
}

fn rate(limit: &RateLimit, scope: Scope) -> RateCheck {
    let window_us = limit.per_ms.saturating_mul(US_PER_MS);
    let interval_us = window_us.div_ceil(u64::from(limit.requests.max(1))).max(1);
    RateCheck { name: limit.name.to_string(), scope, interval_us, burst: limit.burst.max(1) }
}

fn slot(limit: &SlotLimit, scope: Scope) -> SlotCheck {
    SlotCheck { name: limit.name.to_string(), scope, limit: limit.limit }
}

fn cap(limit: &Cap, scope: Scope, zone: &Zone, now: Timestamp) -> Result<CapCheck, PeriodError> {
    Ok(CapCheck {
        name: limit.name.to_string(),
        scope,
        measure: limit.measure,
        kind: limit.kind.clone(),
        limit: limit.limit,
        refundable: limit.refundable,
        periods: limit.every.periods(zone, now)?,
    })
}

fn allowance(
    given: &Allowance,
    zone: &Zone,
    now: Timestamp,
) -> Result<AllowanceCheck, PeriodError> {
    Ok(AllowanceCheck {
        name: given.name.to_string(),
        kind: given.kind.clone(),
        class: given.class,
        priority: given.priority,
        amount: given.amount,
        periods: given.every.periods(zone, now)?,
    })
}
