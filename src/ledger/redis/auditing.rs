//! Whether an account's records agree with the rules and with each other.
//!
//! Invariant: nothing is written here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::asking::Desk;
use super::calls;
use super::looking::load_with;
use super::records::{self, Head};
use crate::credit::AccountId;
use crate::ledger::Scope;
use crate::ledger::model::{self, Account, Stop, invariants};

/// Checks an account's records against the rules and against each other.
pub(super) async fn audit(desk: &Arc<Desk>, id: &AccountId) -> Result<(), Stop> {
    let (record, account, head, _) = load_with(desk, id).await?;
    let checked = check(&account, &head).and_then(|()| check_order(&account, &head));
    checked.map_err(|broken| Stop::Broken(format!("account {id}: {broken}")))?;
    records::same(&format!("account {id}"), &record, &records::write_money(&account.money, &head)?)
}

/// Buckets lie where the scripts look for them: those that may pay in draw order, those that are used up
/// apart, each with a number of its own.
fn check_order(account: &Account, head: &Head) -> Result<(), String> {
    let (purses, ranks) = (&account.money.purses, &account.money.ranks);
    let mut wanted: Vec<_> = purses.iter().filter(|p| model::leaves_at(p).is_none()).collect();
    wanted.sort_by_key(|purse| purse.bucket.order(ranks));
    if !wanted.iter().map(|purse| &purse.bucket.id).eq(&head.live) {
        return Err(format!("buckets are not in draw order: {:?}", head.live));
    }
    let numbers: BTreeSet<u64> = head.numbers.values().copied().collect();
    if numbers.len() != purses.len() || numbers.last().is_some_and(|last| *last >= head.next_number)
    {
        return Err("the numbers of buckets are not their own".to_owned());
    }
    let leaves = purses.iter().filter_map(model::leaves_at).min();
    match (head.dead_next, leaves) {
        (_, None) => Ok(()),
        (Some(known), Some(leaves)) if known <= leaves => Ok(()),
        (known, leaves) => Err(format!("archives at {known:?}, has something for {leaves:?}")),
    }
}

fn check(account: &Account, head: &Head) -> Result<(), String> {
    invariants(account)?;
    if account.document.version != head.document_version {
        return Err("record and document disagree about the version".to_owned());
    }
    if usize::try_from(head.open) != Ok(account.open.len()) {
        return Err(format!("says {} open charges, has {}", head.open, account.open.len()));
    }
    let (slots, said) = (slots(account), head.slots.iter().cloned().collect::<BTreeMap<_, _>>());
    if slots != said {
        return Err(format!("says slots {said:?}, has {slots:?}"));
    }
    let next = model::next_due(account);
    let known = [head.lease_next, head.wake_next].into_iter().flatten().min();
    match (known, next) {
        (Some(known), Some(next)) if known <= next => Ok(()),
        (_, None) => Ok(()),
        _ => Err(format!("looks for due work at {known:?}, has some at {next:?}")),
    }
}

/// The running charges of each scope.
fn slots(account: &Account) -> BTreeMap<Vec<u8>, u32> {
    let mut slots: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for open in account.open.values().filter(|open| !open.unknown) {
        let feature = open.feature.clone().map(Scope::Feature);
        let member = open.member.clone().map(Scope::Member);
        let scopes = [Scope::Account, Scope::Key(open.key), Scope::Route(open.route.clone())];
        for scope in scopes.into_iter().chain(feature).chain(member) {
            let used = slots.entry(calls::slot_scope(&scope)).or_default();
            *used = used.saturating_add(1);
        }
    }
    slots
}
