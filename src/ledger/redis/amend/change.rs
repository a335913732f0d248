//! From what a verb has left to the bytes that are written: the account's record, one charge's, and the stream's
//! entry.
//!
//! Invariant: a change that a verb of this kind never makes is an error, and nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::bytes::Writer;
use super::super::entry;
use super::super::records::{self, Head, Tomb};
use super::held::{Held, Seen, What};
use crate::credit::BucketId;
use crate::ledger::model::{Account, Open, Purse, Stop, leaves_at, wakes_at};
use crate::seam::Timestamp;

/// What sort of charge changes, as the script counts.
const NO_CHARGE: u8 = 0;
const OPEN: u8 = 1;
const ENDED: u8 = 2;
const LAPSED: u8 = 3;

/// The call of `commit`; `None`: there is nothing to write.
pub(super) fn call(
    held: &Held,
    ledger: &[u8; 16],
    now: Timestamp,
) -> Result<Option<Vec<u8>>, Stop> {
    let (Some((before, head)), Some(after)) = (&held.account, &held.left.account) else {
        return Ok(None);
    };
    if before.document != after.document {
        return Err(strange("a document"));
    }
    let after_head = follow(head, after, now);
    let charge = charge(held, before, after)?;
    let told = held.left.told.as_ref().ok_or_else(|| strange("something that is not told"))?;
    let number = |id: &BucketId| after_head.numbers.get(id).copied().unwrap_or_default();
    let told = entry::write(after_head.sequence, told, number)?;
    let mut w = Writer::default();
    w.raw(ledger).number(now.0).blob(&held.bytes)?;
    w.blob(&records::write_money(&after.money, &after_head)?)?;
    match charge {
        Some(Charge { sort, seen, becomes }) => {
            w.byte(sort).word(seen.id.to_string())?.blob(&seen.bytes)?.blob(&becomes)?;
        }
        None => {
            w.byte(NO_CHARGE).word("")?.blob(&[])?.blob(&[])?;
        }
    }
    w.maybe(after_head.wake_next.map(|at| at.0)).blob(&told)?;
    Ok(Some(w.done()))
}

fn strange(what: &str) -> Stop {
    Stop::Broken(format!("{what} would change that this verb never changes"))
}

/// A charge's record that changes.
struct Charge<'a> {
    sort: u8,
    seen: &'a Seen,
    becomes: Vec<u8>,
}

/// The charge that has changed: the one that was asked about, or none.
fn charge<'a>(
    held: &'a Held,
    before: &Account,
    after: &Account,
) -> Result<Option<Charge<'a>>, Stop> {
    let mut changed = opens(before, after)?;
    match (changed.pop(), held.left.ended.as_slice(), &held.charge) {
        (None, [], _) => Ok(None),
        (Some(open), [], Some(seen)) if changed.is_empty() && open.charge == seen.id => {
            let What::Open(beside) = &seen.what else { return Err(strange("a charge")) };
            Ok(Some(Charge { sort: OPEN, seen, becomes: records::write_open(open, beside)? }))
        }
        (None, [ended], Some(seen)) if ended.charge == seen.id => {
            let (sort, was) = match &seen.what {
                What::Ended(tomb) => (ENDED, tomb),
                What::Lapsed(tomb) => (LAPSED, tomb),
                What::Open(_) => return Err(strange("a charge")),
            };
            let tomb = Tomb { ended: ended.clone(), texts: was.texts.clone() };
            Ok(Some(Charge { sort, seen, becomes: records::write_tomb(&tomb)? }))
        }
        _ => Err(strange("another charge")),
    }
}

/// The open charges that have changed. None may come or go, and none may lose its slot.
fn opens<'a>(before: &Account, after: &'a Account) -> Result<Vec<&'a Open>, Stop> {
    if !before.open.keys().eq(after.open.keys()) {
        return Err(strange("an open charge"));
    }
    let mut changed = Vec::new();
    for (was, is) in before.open.values().zip(after.open.values()) {
        if Arc::ptr_eq(was, is) || was == is {
            continue;
        }
        if (was.unknown, was.lease_end, was.deadline) != (is.unknown, is.lease_end, is.deadline) {
            return Err(strange("a lease"));
        }
        changed.push(is.as_ref());
    }
    Ok(changed)
}

/// The head of the record of an account whose money has become this: buckets that are new have got their
/// numbers, those that are used up have left the usual path, the moments of buckets are exact.
pub(super) fn follow(head: &Head, after: &Account, now: Timestamp) -> Head {
    let (purses, ranks) = (&after.money.purses, &after.money.ranks);
    let mut next = head.clone();
    next.mark = now;
    next.sequence = head.sequence.saturating_add(1);
    next.numbers = BTreeMap::new();
    for purse in purses {
        let number = head.numbers.get(&purse.bucket.id).copied().unwrap_or(next.next_number);
        next.next_number = next.next_number.max(number.saturating_add(1));
        next.numbers.insert(purse.bucket.id.clone(), number);
    }
    let mut ordered: Vec<&Purse> = purses.iter().collect();
    ordered.sort_by_key(|purse| purse.bucket.order(ranks));
    let (dead, live): (Vec<&Purse>, Vec<&Purse>) =
        ordered.into_iter().partition(|purse| leaves_at(purse).is_some());
    next.live = ids(&live);
    let dead = ids(&dead);
    next.dead.retain(|id| dead.contains(id));
    let new: Vec<BucketId> = dead.into_iter().filter(|id| !next.dead.contains(id)).collect();
    next.dead.extend(new);
    next.dead_next = purses.iter().filter_map(leaves_at).min();
    next.wake_next = purses.iter().filter_map(wakes_at).min();
    next
}

fn ids(purses: &[&Purse]) -> Vec<BucketId> {
    purses.iter().map(|purse| purse.bucket.id.clone()).collect()
}
