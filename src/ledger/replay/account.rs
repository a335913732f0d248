//! What lines make of an account's buckets.
//!
//! Invariant: a column never goes below zero; what would make it so is a contradiction.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::line::{Change, Column, Line, NewBucket, Posting};
use crate::credit::{AccountId, Amount, BucketId, Class, Kind, Name, Paid, Standing};
use crate::seam::Timestamp;

/// A bucket's columns. Holds are not told to the stream: what is held is part of what is available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// What was given.
    pub granted: Amount,
    /// What may be reserved or is held.
    pub available: Amount,
    /// What was charged.
    pub spent: Amount,
    /// What ended unused.
    pub expired: Amount,
    /// What was taken back.
    pub voided: Amount,
}

impl Columns {
    /// The five with their names, in this order.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Amount); 5] {
        [
            ("granted", self.granted),
            ("available", self.available),
            ("spent", self.spent),
            ("expired", self.expired),
            ("voided", self.voided),
        ]
    }

    const fn of(&mut self, column: Column) -> &mut Amount {
        match column {
            Column::Granted => &mut self.granted,
            Column::Available | Column::Held => &mut self.available,
            Column::Spent => &mut self.spent,
            Column::Expired => &mut self.expired,
            Column::Voided => &mut self.voided,
        }
    }
}

/// A bucket as lines tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) kind: Kind,
    pub(super) class: Class,
    pub(super) priority: u8,
    pub(super) effective: Timestamp,
    pub(super) expires: Option<Timestamp>,
    pub(super) standing: Standing,
    pub(super) columns: Columns,
    /// What few buckets have.
    pub(super) extra: Option<Box<Extra>>,
}

/// What few buckets have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extra {
    /// The routes or features that it may pay for; empty: all.
    pub(super) only: Vec<Name>,
    /// For a bonus: the purchase that it came with.
    pub(super) parent: Option<BucketId>,
    /// For a purchase: what the buyer paid.
    pub(super) paid: Option<Paid>,
}

impl Extra {
    /// Nothing takes no room.
    pub(super) fn kept(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// An account as its lines make it, up to one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The number of that line; 0: none.
    pub sequence: u64,
    pub(super) buckets: BTreeMap<BucketId, Kept>,
}

impl Rebuilt {
    /// How many buckets there were.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// A bucket's columns.
    #[must_use]
    pub fn columns(&self, bucket: &BucketId) -> Option<&Columns> {
        self.buckets.get(bucket).map(|kept| &kept.columns)
    }

    fn make(&mut self, new: &NewBucket, kinds: &mut BTreeSet<Kind>) -> Result<(), String> {
        let kept = Kept {
            kind: shared(kinds, &new.kind),
            class: new.class,
            priority: new.priority,
            effective: new.effective,
            expires: new.expires,
            standing: Standing::Active,
            columns: Columns::default(),
            extra: Extra {
                only: new.only.clone(),
                parent: new.parent.clone(),
                paid: new.paid.clone(),
            }
            .kept(),
        };
        match self.buckets.insert(new.id.clone(), kept) {
            None => Ok(()),
            Some(_) => Err(format!("the bucket {} is made twice", new.id)),
        }
    }

    fn bucket(&mut self, id: &BucketId) -> Result<&mut Kept, String> {
        self.buckets.get_mut(id).ok_or_else(|| format!("the bucket {id} was never made"))
    }

    fn change(&mut self, change: &Change) -> Result<(), String> {
        let kept = self.bucket(&change.bucket)?;
        (kept.standing, kept.expires) = (change.standing, change.expires);
        Ok(())
    }

    fn post(&mut self, posting: &Posting) -> Result<(), String> {
        let Posting { bucket: id, from, to, amount } = posting;
        let columns = &mut self.bucket(id)?.columns;
        if *to == Column::Granted {
            return Err(format!("something of {id} goes back to what was granted"));
        }
        let source = columns.of(*from);
        let left = match from {
            Column::Granted => source.checked_add(*amount),
            _ => source.checked_sub(*amount),
        };
        *source = left.ok_or_else(|| format!("{from:?} of {id} has no {amount} to give"))?;
        let target = columns.of(*to);
        let more = target.checked_add(*amount);
        *target = more.ok_or_else(|| format!("{to:?} of {id} is out of range"))?;
        Ok(())
    }

    fn apply(&mut self, line: &Line, kinds: &mut BTreeSet<Kind>) -> Result<(), String> {
        self.sequence = line.sequence;
        line.check_charges()?;
        line.buckets.iter().try_for_each(|new| self.make(new, kinds))?;
        line.changes.iter().try_for_each(|change| self.change(change))?;
        line.postings.iter().try_for_each(|posting| self.post(posting))?;
        line.buckets.iter().try_for_each(|new| first_posting(new, &line.postings))
    }
}

/// What a bucket was made with is what its first posting gave it.
fn first_posting(new: &NewBucket, postings: &[Posting]) -> Result<(), String> {
    let given = postings.iter().find(|posting| posting.bucket == new.id);
    let whole = given.is_some_and(|it| it.from == Column::Granted && it.amount == new.granted);
    if whole { Ok(()) } else { Err(format!("{} is not given what it was made with", new.id)) }
}

/// One text for all that are equal.
fn shared(kinds: &mut BTreeSet<Kind>, kind: &Kind) -> Kind {
    if let Some(known) = kinds.get(kind) {
        return known.clone();
    }
    kinds.insert(kind.clone());
    kind.clone()
}

/// An account's replay.
#[derive(Debug, Default)]
struct Account {
    now: Rebuilt,
    mark: Option<u64>,
    /// As it was at its mark, once a line behind it came.
    then: Option<Box<Rebuilt>>,
    /// A line is missing or contradicts another: nothing that follows is worth anything.
    doubtful: bool,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: BTreeMap<AccountId, Account>,
    kinds: BTreeSet<Kind>,
}

impl Accounts {
    /// Puts back what was saved.
    pub(super) fn put(&mut self, account: AccountId, mut rebuilt: Rebuilt) {
        for kept in rebuilt.buckets.values_mut() {
            kept.kind = shared(&mut self.kinds, &kept.kind);
        }
        self.all.insert(account, Account { now: rebuilt, ..Account::default() });
    }

    pub(super) fn last(&self, account: &AccountId) -> u64 {
        self.all.get(account).map_or(0, |account| account.now.sequence)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &AccountId> {
        self.all.iter().filter(|(_, account)| account.now.sequence > 0).map(|(id, _)| id)
    }

    pub(super) fn mark(&mut self, account: &AccountId, sequence: u64) {
        self.all.entry(account.clone()).or_default().mark = Some(sequence);
    }

    /// Takes a line in; the error says what contradicts what.
    pub(super) fn apply(&mut self, line: &Line) -> Result<(), String> {
        let account = self.all.entry(line.account.clone()).or_default();
        if account.doubtful {
            account.now.sequence = line.sequence;
            return Ok(());
        }
        if account.mark == Some(account.now.sequence) && account.then.is_none() {
            account.then = Some(Box::new(account.now.clone()));
        }
        account.now.apply(line, &mut self.kinds)
    }

    /// Takes note that the account cannot be relied upon; whether that is new.
    pub(super) fn doubt(&mut self, account: &AccountId) -> bool {
        let account = self.all.entry(account.clone()).or_default();
        !std::mem::replace(&mut account.doubtful, true)
    }

    pub(super) fn is_doubtful(&self, account: &AccountId) -> bool {
        self.all.get(account).is_some_and(|account| account.doubtful)
    }

    pub(super) fn rebuilt(&self, account: &AccountId) -> Option<&Rebuilt> {
        let account = self.all.get(account).filter(|account| !account.doubtful)?;
        Some(account.then.as_deref().unwrap_or(&account.now))
    }

    /// Each account as its last line left it.
    pub(super) fn latest(&self) -> impl Iterator<Item = (&AccountId, &Rebuilt)> {
        let told = self.all.iter().filter(|(_, account)| account.now.sequence > 0);
        told.map(|(id, account)| (id, &account.now))
    }
}
