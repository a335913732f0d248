//! What an account has and what limits it, as JSON: the same words for clients and for operators.
//!
//! Invariant: `available + held = total`, and the grants listed come to exactly these sums.

use serde_json::{Value, json};

use crate::credit::{Amount, Bucket, Class, Kind, RateLimit};
use crate::ledger::{CapCheck, CapState, Gates, RateCheck, SlotState};

use super::Sight;

/// What is shown where an account has nothing and is promised nothing.
const DEFAULT_KIND: &str = "credits";

/// What the account has, per kind.
#[must_use]
pub fn balance(sight: &Sight<'_>) -> Value {
    let balances: Vec<Value> = kinds(sight).iter().map(|kind| of_kind(sight, kind)).collect();
    json!({
        "object": "balance",
        "account": sight.document.account,
        "as_of": sight.view.at.to_string(),
        "balances": balances,
    })
}

/// The kinds that the account has or is promised.
fn kinds(sight: &Sight<'_>) -> Vec<Kind> {
    let had = sight.view.buckets.iter().map(|bucket| &bucket.kind);
    let promised = sight.gates.allowances.iter().map(|given| &given.kind);
    let mut kinds: Vec<Kind> = had.chain(promised).cloned().collect();
    if kinds.is_empty() {
        kinds.extend(DEFAULT_KIND.parse());
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn of_kind(sight: &Sight<'_>, kind: &Kind) -> Value {
    let now = sight.view.at;
    let buckets = || sight.view.buckets.iter().filter(|bucket| bucket.kind == *kind);
    let mut counted: Vec<&Bucket> = buckets()
        .filter(|bucket| bucket.pays_at(now) || !bucket.held.is_zero())
        .filter(|bucket| !bucket.available.is_zero() || !bucket.held.is_zero())
        .collect();
    let ranks = sight.gates.ranks;
    counted.sort_by(|a, b| a.order(&ranks).cmp(&b.order(&ranks)));
    let upcoming = buckets().filter(|bucket| bucket.class != Class::Debt && bucket.effective > now);
    let available: Amount = counted.iter().map(|bucket| bucket.available).sum();
    let held: Amount = counted.iter().map(|bucket| bucket.held).sum();
    let owed: Amount =
        buckets().filter(|bucket| bucket.class == Class::Debt).map(|bucket| bucket.spent).sum();
    json!({
        "kind": kind,
        "available": available,
        "held": held,
        "total": available.saturating_add(held),
        "owed": owed,
        "by_grant": counted.iter().map(|bucket| grant(bucket)).collect::<Vec<_>>(),
        "upcoming": upcoming.map(grant).collect::<Vec<_>>(),
        "next_refill": next_refill(sight, kind),
    })
}

/// A bucket, as what a grant gave.
#[must_use]
pub fn grant(bucket: &Bucket) -> Value {
    json!({
        "object": "grant",
        "id": bucket.id,
        "kind": bucket.kind,
        "class": bucket.class,
        "priority": bucket.priority,
        "granted": bucket.granted,
        "available": bucket.available,
        "held": bucket.held,
        "spent": bucket.spent,
        "expired": bucket.expired,
        "voided": bucket.voided,
        "effective_at": bucket.effective.to_string(),
        "expires_at": bucket.expires.map(|moment| moment.to_string()),
    })
}

/// The soonest allowance of a kind: how much, when, and in which zone that is said.
fn next_refill(sight: &Sight<'_>, kind: &Kind) -> Value {
    let given = sight.gates.allowances.iter().filter(|given| given.kind == *kind);
    let next = given.filter_map(|given| {
        let period = given.periods.iter().find(|period| period.contains(sight.view.at))?;
        Some((period.end, given))
    });
    let soonest = next.min_by_key(|(end, given)| (*end, given.name.clone()));
    soonest.map_or(Value::Null, |(end, given)| {
        json!({
            "allowance": given.name,
            "amount": given.amount,
            "at": sight.zone.show(end),
            "time_zone": sight.zone.name(),
        })
    })
}

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
        "concurrency": view.slots.iter().map(slot).collect::<Vec<_>>(),
        "rates": sight.gates.rates.iter().map(|check| rate(sight, check)).collect::<Vec<_>>(),
    })
}

fn cap(sight: &Sight<'_>, state: &CapState) -> Value {
    let shown = |count: u64| state.measure.show(count);
    json!({
        "name": state.name,
        "scope": state.scope.to_string(),
        "measure": state.measure.unit(),
        "kind": check_of(&sight.gates, state).and_then(|check| check.kind.clone()),
        "limit": shown(state.limit),
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

fn slot(state: &SlotState) -> Value {
    json!({
        "name": state.name,
        "scope": state.scope.to_string(),
        "limit": state.limit,
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

/// A page of a list whose items are in `data`; `next` is the id to start after.
#[must_use]
pub fn list(data: &[Value], has_more: bool) -> Value {
    page(data, data.last().filter(|_| has_more).and_then(|last| last["id"].as_str()))
}

/// A page of a list; `next` is the id to start the next page after, if there may be one.
#[must_use]
pub fn page(data: &[Value], next: Option<&str>) -> Value {
    json!({ "object": "list", "data": data, "has_more": next.is_some(), "next": next })
}
