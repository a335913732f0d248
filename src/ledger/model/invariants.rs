//! What must hold of every account after every verb. An account of which it does not hold is left alone:
//! nothing is written, and a person has to look.
//!
//! Invariant: this file only reads.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Account, Ended, Open, Purse};
use crate::credit::{Amount, BucketId, Class, Leg, Standing};

/// Checks the tombstone of a charge.
///
/// # Errors
/// The first thing that does not hold, in words.
pub fn ended_invariants(ended: &Ended) -> Result<(), String> {
    let mut refunds = ended.refunds.iter().map(|part| part.amount);
    let refunded = refunds.try_fold(Amount::ZERO, |sum, amount| sum.checked_add(amount));
    if refunded.is_none_or(|refunded| refunded > ended.charged) {
        return Err(format!("{} has taken {}, gave back more", ended.charge, ended.charged));
    }
    if total(&ended.legs) != Some(ended.charged) {
        return Err(format!("{} has taken {} but its legs differ", ended.charge, ended.charged));
    }
    let ids: BTreeSet<&BucketId> = ended.refunds.iter().map(|part| &part.id).collect();
    if ids.len() != ended.refunds.len() {
        return Err(format!("{} has two refunds of one id", ended.charge));
    }
    Ok(())
}

/// Checks an account.
///
/// # Errors
/// The first thing that does not hold, in words.
pub fn invariants(account: &Account) -> Result<(), String> {
    for open in account.open.values() {
        check_open(open)?;
    }
    let held = held_by_bucket(account)?;
    let mut seen = BTreeMap::new();
    for purse in &account.money.purses {
        let id = &purse.bucket.id;
        if seen.insert(id, ()).is_some() {
            return Err(format!("two buckets {id}"));
        }
        check_purse(purse, held.get(id).copied().unwrap_or_default())?;
    }
    if let Some(id) = held.keys().find(|id| !seen.contains_key(*id)) {
        return Err(format!("an open charge holds in {id}, which is not there"));
    }
    check_counters(account)?;
    check_allowances(account)?;
    check_archive(account)
}

fn check_open(open: &Open) -> Result<(), String> {
    if total(&open.legs) != Some(open.held) {
        return Err(format!("{} holds {} but its legs differ", open.charge, open.held));
    }
    let ids: BTreeSet<&BucketId> = open.adjusts.iter().map(|adjust| &adjust.id).collect();
    if ids.len() != open.adjusts.len() {
        return Err(format!("{} was adjusted twice by one id", open.charge));
    }
    if open.waits_for_job() && open.deadline != Some(open.lease_end) {
        return Err(format!("{} is held and has a deadline beside its lease", open.charge));
    }
    Ok(())
}

fn held_by_bucket(account: &Account) -> Result<BTreeMap<&BucketId, Amount>, String> {
    let mut held: BTreeMap<&BucketId, Amount> = BTreeMap::new();
    for leg in account.open.values().flat_map(|open| &open.legs) {
        let sum = held.entry(&leg.bucket).or_default();
        *sum = sum.checked_add(leg.amount).ok_or("a sum of legs is out of range")?;
    }
    Ok(held)
}

fn check_purse(purse: &Purse, held: Amount) -> Result<(), String> {
    let bucket = &purse.bucket;
    if !bucket.balances() {
        return Err(format!("bucket {} does not balance: {bucket:?}", bucket.id));
    }
    if bucket.standing == Standing::Voided && !bucket.available.is_zero() {
        return Err(format!("bucket {} was taken back and has credits left", bucket.id));
    }
    if bucket.held != held {
        return Err(format!("bucket {} says {} held, charges say {held}", bucket.id, bucket.held));
    }
    if bucket.class != Class::Debt {
        let clean = purse.repaid_by.is_empty();
        return clean.then_some(()).ok_or_else(|| format!("{} is repaid, no debt", bucket.id));
    }
    let unused = [bucket.available, bucket.held, bucket.expired].iter().all(|a| a.is_zero());
    if !unused || total(&purse.repaid_by) != Some(bucket.voided) || purse.carry.is_some() {
        return Err(format!("debt {} is used or its repayments differ", bucket.id));
    }
    Ok(())
}

fn check_counters(account: &Account) -> Result<(), String> {
    match account.money.counters.iter().find(|counter| counter.spans.len() > 2) {
        Some(counter) => Err(format!("cap {} keeps more than two periods", counter.name)),
        None => Ok(()),
    }
}

fn check_allowances(account: &Account) -> Result<(), String> {
    let mut names = BTreeSet::new();
    let twice = account.money.allowances.iter().find(|state| !names.insert(&state.name));
    twice.map_or(Ok(()), |state| Err(format!("two allowances {}", state.name)))
}

fn check_archive(account: &Account) -> Result<(), String> {
    for (kind, [granted, spent, expired, voided]) in &account.money.archived {
        let out = spent.checked_add(*expired).and_then(|sum| sum.checked_add(*voided));
        if out != Some(*granted) {
            return Err(format!("the archive of {kind} does not balance"));
        }
    }
    Ok(())
}

fn total(legs: &[Leg]) -> Option<Amount> {
    legs.iter().try_fold(Amount::ZERO, |sum, leg| sum.checked_add(leg.amount))
}
