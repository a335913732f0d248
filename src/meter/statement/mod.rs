//! What an account has and what limits it, as JSON: the same words for clients and for operators.
//!
//! Invariant: `available + held = total`, and the grants listed come to exactly these sums; of a frozen one only
//! what it holds counts.

mod limits;
mod policy;

use serde_json::{Value, json};

use crate::credit::{Amount, Bucket, Class, Kind, Standing};

use super::Sight;

pub use limits::{limits, override_of};
use policy::{allowances, draw_order, next_refill};
pub use policy::{coverage, free_credits, restriction};

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
        "draw_order": draw_order(sight),
        "free_credits": free_credits(sight.document, sight.plan),
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
    let is_frozen = |bucket: &&Bucket| bucket.standing == Standing::Frozen;
    let counted: Vec<&Bucket> = in_order(sight, kind);
    let frozen: Vec<&Bucket> = buckets().filter(is_frozen).collect();
    let upcoming = buckets().filter(|bucket| bucket.class != Class::Debt && bucket.effective > now);
    let available: Amount = counted.iter().map(|bucket| bucket.available).sum();
    let held: Amount = counted.iter().chain(&frozen).map(|bucket| bucket.held).sum();
    let owed: Amount =
        buckets().filter(|bucket| bucket.class == Class::Debt).map(|bucket| bucket.spent).sum();
    json!({
        "kind": kind,
        "available": available,
        "held": held,
        "total": available.saturating_add(held),
        "owed": owed,
        "by_grant": counted.iter().map(|bucket| grant(bucket)).collect::<Vec<_>>(),
        "frozen": frozen.iter().map(|bucket| grant(bucket)).collect::<Vec<_>>(),
        "upcoming": upcoming.filter(|it| !is_frozen(it)).map(grant).collect::<Vec<_>>(),
        "allowances": allowances(sight, kind),
        "next_refill": next_refill(sight, kind),
    })
}

/// The buckets that pay or hold something, those that pay first first; frozen ones do not pay.
fn in_order<'a>(sight: &'a Sight<'_>, kind: &Kind) -> Vec<&'a Bucket> {
    let now = sight.view.at;
    let buckets = sight.view.buckets.iter().filter(|bucket| bucket.kind == *kind);
    let mut counted: Vec<&Bucket> = buckets
        .filter(|bucket| bucket.standing != Standing::Frozen)
        .filter(|bucket| bucket.pays_at(now) || !bucket.held.is_zero())
        .filter(|bucket| !bucket.available.is_zero() || !bucket.held.is_zero())
        .collect();
    let ranks = sight.gates.ranks;
    counted.sort_by(|a, b| a.order(&ranks).cmp(&b.order(&ranks)));
    counted
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
        "only": bucket.only,
        "standing": bucket.standing,
        "parent": bucket.parent,
        "paid": bucket.paid,
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
