//! By which rules an account's credits come, live on, are drawn and end, in words that a person can check.
//!
//! Invariant: when the next credits come is said by the allowance that runs, not by the calendar: another zone or
//! plan counts from the end of what was given.

use serde_json::{Value, json};

use crate::credit::{Amount, Bucket, Class, Kind, Name, Plan, When, Zone};
use crate::ledger::{AllowanceCheck, AllowanceState, Document, FreeCredits};
use crate::meter::gates::may_have;
use crate::seam::Timestamp;

use super::{Sight, grant, in_order};

/// The allowances of a kind: what comes, when and where that is said, and what of it lives on.
pub(super) fn allowances(sight: &Sight<'_>, kind: &Kind) -> Vec<Value> {
    let of_kind = sight.gates.allowances.iter().filter(|check| check.kind == *kind);
    of_kind.map(|check| allowance(sight, check)).collect()
}

fn allowance(sight: &Sight<'_>, check: &AllowanceCheck) -> Value {
    let running = running(sight, check);
    let next = next_at(sight, check);
    json!({
        "allowance": check.name,
        "class": check.class,
        "amount": check.amount,
        "when": check.when,
        "bucket": running.map(|state| format!("{}@{}", state.name, state.period)),
        "ends_at": running.map(|state| sight.zone.show(state.end)),
        "next_at": next.map(|moment| sight.zone.show(moment)),
        "time_zone": sight.zone.name(),
        "only": check.only,
        "carry_over": carry_over(sight, check),
        "detail": told(sight, check, running, next),
    })
}

/// What was given last of an allowance, if its period is not over.
fn running<'a>(sight: &'a Sight<'_>, check: &AllowanceCheck) -> Option<&'a AllowanceState> {
    let states = &sight.view.allowances;
    states.iter().find(|state| state.name == check.name && sight.view.at < state.end)
}

/// When the next one comes; `None` if no clock says that.
fn next_at(sight: &Sight<'_>, check: &AllowanceCheck) -> Option<Timestamp> {
    let computed = || check.periods.iter().find(|period| period.contains(sight.view.at));
    match check.when {
        When::PaidExhausted => None,
        When::Always => running(sight, check)
            .map(|state| state.end)
            .or_else(|| computed().map(|period| period.end)),
    }
}

/// What lives on of an allowance, and until when: that is known for what was given by the rules of today alone.
fn carry_over(sight: &Sight<'_>, check: &AllowanceCheck) -> Value {
    let Some(carry) = check.carry else { return Value::Null };
    let at = check.periods.iter().position(|period| period.contains(sight.view.at));
    let period = at.and_then(|at| check.periods.get(at));
    let own = |end: Timestamp| running(sight, check).is_none_or(|state| state.end == end);
    let until = at.zip(period.filter(|period| own(period.end)));
    let until = until.and_then(|(at, _)| carry.until.get(at).copied());
    json!({
        "percent": carry.percent,
        "min": carry.min,
        "max": (carry.max != Amount::MAX).then_some(carry.max),
        "until": until.map(|moment| sight.zone.show(moment)),
    })
}

fn told(
    sight: &Sight<'_>,
    check: &AllowanceCheck,
    running: Option<&AllowanceState>,
    next: Option<Timestamp>,
) -> String {
    let said = |moment| format!("{} ({})", sight.zone.show(moment), sight.zone.name());
    let comes = match (check.when, running, next) {
        (When::PaidExhausted, Some(state), _) => format!(
            "{} came for this period, which ends at {}; the next comes once paid credits cannot cover a request.",
            state.amount,
            said(state.end)
        ),
        (When::PaidExhausted, None, _) => {
            format!("{} comes once paid credits cannot cover a request.", check.amount)
        }
        (When::Always, _, Some(next)) => format!("{} comes at {}.", check.amount, said(next)),
        (When::Always, _, None) => format!("{} comes with each period.", check.amount),
    };
    match check.carry {
        None => format!("{comes} What is left at the end of a period ends with it."),
        Some(carry) => format!(
            "{comes} Of what is left at the end of a period {} percent lives on, at least {}{}.",
            carry.percent,
            carry.min,
            if carry.max == Amount::MAX {
                String::new()
            } else {
                format!(" and at most {}", carry.max)
            }
        ),
    }
}

/// The soonest allowance of a kind: how much, when, and in which zone that is said.
pub(super) fn next_refill(sight: &Sight<'_>, kind: &Kind) -> Value {
    let given = sight.gates.allowances.iter().filter(|given| given.kind == *kind);
    let next = given.filter_map(|given| Some((next_at(sight, given)?, given)));
    let soonest = next.min_by_key(|(at, given)| (*at, given.name.clone()));
    soonest.map_or(Value::Null, |(at, given)| {
        json!({
            "allowance": given.name,
            "amount": given.amount,
            "at": sight.zone.show(at),
            "time_zone": sight.zone.name(),
        })
    })
}

/// In which order classes of credit pay: those of a lower rank first.
pub(super) fn draw_order(sight: &Sight<'_>) -> Vec<Value> {
    let ranks = &sight.gates.ranks;
    let mut classes = Class::PAYING;
    classes.sort_by_key(|class| ranks.of(*class));
    let shown = |class: Class| json!({ "class": class, "rank": ranks.of(class) });
    classes.into_iter().map(shown).collect()
}

/// Whether the account has free credits, and why not; `null` where its plan has none.
#[must_use]
pub fn free_credits(document: &Document, plan: Option<&Plan>) -> Value {
    let free = |plan: &Plan| plan.allowances.iter().find(|one| one.class == Class::Free).cloned();
    let Some(given) = plan.and_then(free) else { return Value::Null };
    let (status, detail) = match document.free {
        _ if may_have(document, &given) => {
            (FreeCredits::Granted, "This account has the free credits of its plan.")
        }
        FreeCredits::Refused => (
            FreeCredits::Refused,
            "This account has no free credits: as many accounts of the same person have them as may.",
        ),
        FreeCredits::Unclaimed | FreeCredits::Granted => (
            FreeCredits::Unclaimed,
            "Whether this account has free credits is not decided yet: ask the operator.",
        ),
    };
    json!({ "status": status, "detail": detail })
}

/// Until when and why an account may not spend though it is active; `null` if it may.
#[must_use]
pub fn restriction(document: &Document, zone: &Zone, now: Timestamp) -> Value {
    let until = document.restricted_until.filter(|until| now < *until);
    until.map_or(Value::Null, |until| {
        json!({
            "until": zone.show(until), "time_zone": zone.name(), "reason": document.reason,
        })
    })
}

/// What an account has for a request to a route, and whether that covers its price.
#[must_use]
pub fn coverage(
    sight: &Sight<'_>,
    kind: &Kind,
    (route, feature): (&Name, Option<&Name>),
    required: Amount,
) -> Value {
    let pays = |bucket: &&Bucket| {
        bucket.pays_for(route.as_str(), feature.map(Name::as_str)) && bucket.pays_at(sight.view.at)
    };
    let paying: Vec<&Bucket> = in_order(sight, kind).into_iter().filter(pays).collect();
    let available: Amount = paying.iter().map(|bucket| bucket.available).sum();
    let meant = |only: &[Name]| {
        only.is_empty() || only.contains(route) || feature.is_some_and(|it| only.contains(it))
    };
    let waiting = sight.gates.allowances.iter().filter(|check| {
        check.when == When::PaidExhausted && check.kind == *kind && meant(&check.only)
    });
    let waiting: Amount =
        waiting.filter(|check| running(sight, check).is_none()).map(|check| check.amount).sum();
    json!({
        "kind": kind,
        "required": required,
        "available": available,
        "when_exhausted": waiting,
        "covered": available.saturating_add(waiting) >= required,
        "by_grant": paying.iter().map(|bucket| grant(bucket)).collect::<Vec<_>>(),
        "allowances": allowances(sight, kind),
        "next_refill": next_refill(sight, kind),
        "draw_order": draw_order(sight),
        "free_credits": free_credits(sight.document, sight.plan),
    })
}
