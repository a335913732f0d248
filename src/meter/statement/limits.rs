//! What limits an account: as its plan says and as its overrides have it at this moment.

use serde_json::{Value, json};

use crate::credit::{Measure, Plan, RateLimit};
use crate::ledger::{
    Adjustment, CapCheck, CapState, Gates, Limited, Override, RateCheck, Scope, SlotState,
};
use crate::meter::overrides::{Overrides, factor};
use crate::seam::Timestamp;

use super::Sight;

/// What limits the account.
#[must_use]
pub fn limits(sight: &Sight<'_>) -> Value {
    let view = &sight.view;
    json!({
        "object": "limits",
        "account": sight.document.account,
        "as_of": view.at.to_string(),
        "plan": sight.document.plan,
        "time_zone": sight.zone.name(),
        "caps": view.caps.iter().map(|state| cap(sight, state)).collect::<Vec<_>>(),
        "concurrency": view.slots.iter().map(|state| slot(sight, state)).collect::<Vec<_>>(),
        "rates": sight.gates.rates.iter().map(|check| rate(sight, check)).collect::<Vec<_>>(),
        "prices": prices(sight),
    })
}

fn cap(sight: &Sight<'_>, state: &CapState) -> Value {
    let shown = |count: u64| state.measure.show(count);
    let caps = sight.plan.map_or(&[][..], |plan| plan.caps.as_slice());
    let base = caps.iter().find(|cap| cap.name.as_str() == state.name).map(|cap| cap.limit);
    json!({
        "name": state.name,
        "scope": state.scope.to_string(),
        "measure": state.measure.unit(),
        "kind": check_of(&sight.gates, state).and_then(|check| check.kind.clone()),
        "limit": shown(state.limit),
        "base_limit": base.map(shown),
        "overrides": in_force(sight, Limited::Cap, &state.name, &state.scope),
        "used": shown(state.used),
        "remaining": shown(state.limit.saturating_sub(state.used)),
        "period": state.period.id,
        "starts_at": sight.zone.show(state.period.start),
        "resets_at": sight.zone.show(state.period.end),
    })
}

fn check_of<'a>(gates: &'a Gates, state: &CapState) -> Option<&'a CapCheck> {
    gates.caps.iter().find(|check| check.name == state.name && check.scope == state.scope)
}

fn slot(sight: &Sight<'_>, state: &SlotState) -> Value {
    let slots = sight.plan.map_or(&[][..], |plan| plan.slots.as_slice());
    let base = slots.iter().find(|slot| slot.name.as_str() == state.name).map(|slot| slot.limit);
    json!({
        "name": state.name,
        "scope": state.scope.to_string(),
        "limit": state.limit,
        "base_limit": base,
        "overrides": in_force(sight, Limited::Concurrency, &state.name, &state.scope),
        "in_use": state.used,
        "remaining": state.limit.saturating_sub(state.used),
    })
}

fn rate(sight: &Sight<'_>, check: &RateCheck) -> Value {
    let rates = sight.plan.map_or(&[][..], |plan| plan.rates.as_slice());
    let limit: Option<&RateLimit> = rates.iter().find(|limit| limit.name.as_str() == check.name);
    json!({
        "name": check.name,
        "scope": check.scope.to_string(),
        "requests": limit.map(|limit| limit.requests),
        "per_ms": limit.map(|limit| limit.per_ms),
        "burst": check.burst,
    })
}

/// The overrides that change prices now. A client sees those that are of its key.
fn prices(sight: &Sight<'_>) -> Vec<Value> {
    let overrides = Overrides::at(&sight.document.overrides, sight.view.at);
    let shown = |one: &Override| {
        let mut line = active(sight, one);
        line["name"] = one.name.as_str().into();
        line["scope"] = one.scope.as_ref().map(ToString::to_string).into();
        line
    };
    overrides.of_sort(Limited::Price).filter(|one| is_own(sight, one)).map(shown).collect()
}

/// Whether an override of prices is of the key that looks.
fn is_own(sight: &Sight<'_>, one: &Override) -> bool {
    let Some(id) = sight.key else { return true };
    let member = || sight.document.key(id).and_then(|key| key.member.as_deref());
    match &one.scope {
        Some(Scope::Key(key)) => *key == id,
        Some(Scope::Member(name)) => member() == Some(name),
        None | Some(Scope::Account | Scope::Route(_) | Scope::Feature(_)) => true,
    }
}

/// The overrides that make a limit what it is now. Who made them is the operators' to know.
fn in_force(sight: &Sight<'_>, limited: Limited, name: &str, scope: &Scope) -> Vec<Value> {
    let overrides = Overrides::at(&sight.document.overrides, sight.view.at);
    overrides.of(limited, name, scope).map(|one| active(sight, one)).collect()
}

/// An override that holds, for those whose account it is.
fn active(sight: &Sight<'_>, one: &Override) -> Value {
    json!({
        "id": one.id,
        "change": change(one, measure(sight.plan, one)),
        "ends_at": one.ends.map(|end| sight.zone.show(end)),
        "reason": one.reason,
    })
}

/// An override for operators, under the account's plan and at `now`.
#[must_use]
pub fn override_of(one: &Override, plan: Option<&Plan>, now: Timestamp) -> Value {
    let measure = measure(plan, one);
    json!({
        "object": "override",
        "id": one.id,
        "limit": one.limited,
        "name": one.name,
        "scope": one.scope.as_ref().map(ToString::to_string),
        "measure": measure.map(Measure::unit),
        "change": change(one, measure),
        "state": state(one, now),
        "starts_at": one.starts.to_string(),
        "ends_at": one.ends.map(|end| end.to_string()),
        "author": one.author,
        "reason": one.reason,
    })
}

/// In what an override counts: a price's in credits, a cap's in what the cap counts; `None`: it is of what runs
/// at once, or of no cap that the plan has.
fn measure(plan: Option<&Plan>, one: &Override) -> Option<Measure> {
    if one.limited == Limited::Price {
        return Some(Measure::Credits);
    }
    let caps = plan.filter(|_| one.limited == Limited::Cap).map_or(&[][..], |plan| &plan.caps);
    caps.iter().find(|cap| cap.name.as_str() == one.name).map(|cap| cap.measure)
}

fn change(one: &Override, measure: Option<Measure>) -> Value {
    let count = |count: u64| match measure {
        Some(measure @ Measure::Credits) => json!(measure.show(count)),
        Some(Measure::Requests) | None => json!(count),
    };
    match one.adjustment {
        Adjustment::Add(more) => json!({ "add": count(more) }),
        Adjustment::Cut(less) => json!({ "cut": count(less) }),
        Adjustment::Set(limit) => json!({ "set": count(limit) }),
        Adjustment::Multiply(thousandths) => json!({ "multiply": factor(thousandths) }),
    }
}

fn state(one: &Override, now: Timestamp) -> &'static str {
    if one.ends.is_some_and(|end| end <= now) {
        "ended"
    } else if one.starts > now {
        "upcoming"
    } else {
        "active"
    }
}
