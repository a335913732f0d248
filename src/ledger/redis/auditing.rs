//! Whether an account's records agree with the rules and with each other.
//!
//! Invariant: nothing is written here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::asking::Desk;
use super::epoch::Epoch;
use super::looking::load_with;
use super::records::{self, Head};
use super::{calls, replies};
use crate::credit::{AccountId, Partition};
use crate::ledger::model::{self, Account, Stop, invariants};
use crate::ledger::{Books, Breach, Scope, Setback, Told};
use crate::seam::Timestamp;

/// The account's record for an auditor: the rules' own breaches, and those of what the scripts keep beside it.
pub(super) async fn books(desk: &Arc<Desk>, id: &AccountId) -> Result<Books, Stop> {
    let (_, account, head, context) = load_with(desk, id).await?;
    let mut books = model::books(&account, &context);
    books.breaches.extend(beside(&account, &head));
    books.told = Some(Told { ledger: epoch(desk, id).await?, sequence: head.sequence });
    books.breaches.extend(desk.setbacks().of(id).map(|setback| lost(&setback)));
    Ok(books)
}

/// The name of the ledger's epoch, as entries of the account's stream have it.
async fn epoch(desk: &Arc<Desk>, id: &AccountId) -> Result<String, Stop> {
    let partition = Partition::of(id);
    let words = vec![b"GET".to_vec(), desk.keys.epoch(partition)];
    let bytes = replies::text_of(desk.command(partition, words).await?)?;
    let epoch = Epoch::read(&bytes);
    let epoch = epoch.ok_or_else(|| Stop::Broken("the epoch cannot be read".to_owned()))?;
    Ok(epoch.name())
}

/// What was acknowledged and is not there any more, as far as this instance had seen it.
fn lost(setback: &Setback) -> Breach {
    let Setback { known, found, at, .. } = setback;
    let found = found.map_or("nothing".to_owned(), |found| found.to_string());
    let what = format!(
        "the ledger has gone back at {at}: its entry {known} had been acknowledged, {found} was the last one then"
    );
    Breach::of("I10", what)
}

/// Checks an account's records against the rules and against each other, to the byte.
pub(super) async fn audit(desk: &Arc<Desk>, id: &AccountId) -> Result<(), Stop> {
    let (record, account, head, _) = load_with(desk, id).await?;
    let first = beside(&account, &head).into_iter().next().map(|breach| breach.found);
    let checked = invariants(&account).and_then(|()| first.map_or(Ok(()), Err));
    checked.map_err(|broken| Stop::Broken(format!("account {id}: {broken}")))?;
    records::same(&format!("account {id}"), &record, &records::write_money(&account.money, &head)?)
}

/// What the scripts keep beside the rules' own, where it does not agree with them.
fn beside(account: &Account, head: &Head) -> Vec<Breach> {
    let mut breaches = Vec::new();
    check_order(account, head, &mut breaches);
    check_open(account, head, &mut breaches);
    check_moments(account, head, &mut breaches);
    breaches
}

/// Buckets lie where the scripts look for them: those that may pay in draw order, those that are used up
/// apart, each with a number of its own.
fn check_order(account: &Account, head: &Head, breaches: &mut Vec<Breach>) {
    let (purses, ranks) = (&account.money.purses, &account.money.ranks);
    let mut wanted: Vec<_> = purses.iter().filter(|p| model::leaves_at(p).is_none()).collect();
    wanted.sort_by_key(|purse| purse.bucket.order(ranks));
    if !wanted.iter().map(|purse| &purse.bucket.id).eq(&head.live) {
        let what = format!("buckets are not in draw order: {:?}", head.live);
        breaches.push(Breach::of("I6", what));
    }
    let numbers: BTreeSet<u64> = head.numbers.values().copied().collect();
    if numbers.len() != purses.len() || numbers.last().is_some_and(|last| *last >= head.next_number)
    {
        breaches.push(Breach::of("I6", "the numbers of buckets are not their own"));
    }
}

fn check_open(account: &Account, head: &Head, breaches: &mut Vec<Breach>) {
    if usize::try_from(head.open) != Ok(account.open.len()) {
        let what = format!("says {} open charges, has {}", head.open, account.open.len());
        breaches.push(Breach::of("I8", what));
    }
    let (slots, said) = (slots(account), head.slots.iter().cloned().collect::<BTreeMap<_, _>>());
    if slots != said {
        breaches.push(Breach::of("I8", format!("says slots {said:?}, has {slots:?}")));
    }
}

/// What the scripts go by to look for work is never later than the work.
fn check_moments(account: &Account, head: &Head, breaches: &mut Vec<Breach>) {
    if account.document.version != head.document_version {
        let what = "record and document disagree about the version";
        breaches.push(Breach::of("I14", what));
    }
    let leaves = account.money.purses.iter().filter_map(model::leaves_at).min();
    if is_late(head.dead_next, leaves) {
        let what = format!("archives at {:?}, has something for {leaves:?}", head.dead_next);
        breaches.push(Breach::of("I14", what));
    }
    let next = model::next_due(account);
    let known = [head.lease_next, head.wake_next].into_iter().flatten().min();
    if is_late(known, next) {
        let what = format!("looks for due work at {known:?}, has some at {next:?}");
        breaches.push(Breach::of("I14", what));
    }
}

/// Whether a moment that is known comes behind the one that it stands for.
fn is_late(known: Option<Timestamp>, real: Option<Timestamp>) -> bool {
    real.is_some_and(|real| known.is_none_or(|known| known > real))
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
