//! A live account against what its lines make of it.
//!
//! Invariant: only accounts at the same sequence are compared, and all of both: what either has alone differs.

use std::collections::BTreeMap;

use super::account::{Columns, Extra, Kept, Rebuilt};
use crate::credit::{AccountId, Amount, Bucket, BucketId, Kind};

/// An account as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Whose.
    pub account: AccountId,
    /// How many entries it told the stream.
    pub sequence: u64,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// Per kind: granted, spent, expired and voided of buckets that are no longer listed.
    pub archived: Vec<(Kind, [Amount; 4])>,
}

/// What differs, in words.
pub type Compared = Vec<String>;

/// Per kind: the five columns in the ledger and in the files, of the accounts that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Granted, available with held, spent, expired, voided: in the ledger, then in the files.
    pub kinds: BTreeMap<Kind, [[u128; 5]; 2]>,
}

impl Sums {
    const LEDGER: usize = 0;
    const FILES: usize = 1;

    fn add(&mut self, kind: &Kind, side: usize, columns: &Columns) {
        let sums = self.kinds.entry(kind.clone()).or_default();
        let Some(own) = sums.get_mut(side) else { return };
        for (sum, (_, amount)) in own.iter_mut().zip(columns.named()) {
            *sum = sum.saturating_add(u128::from(amount.micro()));
        }
    }

    /// The kinds whose sums differ (I15).
    pub fn differing(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(|(_, [ledger, files])| ledger != files).map(|(kind, _)| kind)
    }

    /// Adds what lines make of an account without a ledger to compare with.
    pub fn add_rebuilt(&mut self, rebuilt: &Rebuilt) {
        for kept in rebuilt.buckets.values() {
            self.add(&kept.kind, Self::FILES, &kept.columns);
        }
    }
}

/// Compares an account with its replay, which must have come to the same sequence.
#[must_use]
pub fn compare(live: &Live, rebuilt: &Rebuilt, sums: &mut Sums) -> Compared {
    let mut found = Vec::new();
    let mut rest: BTreeMap<&BucketId, &Kept> = rebuilt.buckets.iter().collect();
    for bucket in &live.buckets {
        sums.add(&bucket.kind, Sums::LEDGER, &columns(bucket));
        match rest.remove(&bucket.id) {
            Some(kept) => differences(bucket, kept, &mut found),
            None => found.push(format!("{} is in the ledger and not in the files", bucket.id)),
        }
    }
    sums.add_rebuilt(rebuilt);
    archived(live, &rest, sums, &mut found);
    found
}

fn columns(bucket: &Bucket) -> Columns {
    Columns {
        granted: bucket.granted,
        available: bucket.available.saturating_add(bucket.held),
        spent: bucket.spent,
        expired: bucket.expired,
        voided: bucket.voided,
    }
}

fn differences(live: &Bucket, kept: &Kept, found: &mut Compared) {
    let mut differs = |what: &str, ledger: String, files: String| {
        if ledger != files {
            let id = &live.id;
            found.push(format!("{id}: {what} is {ledger} in the ledger, {files} in the files"));
        }
    };
    let (ledger, files) = (columns(live).named(), kept.columns.named());
    for ((name, ledger), (_, files)) in ledger.into_iter().zip(files) {
        let name = if name == "available" { "available with held" } else { name };
        differs(name, ledger.to_string(), files.to_string());
    }
    let moment = |at: Option<crate::seam::Timestamp>| {
        at.map_or_else(|| "never".to_owned(), |at| at.to_string())
    };
    differs("its end", moment(live.expires), moment(kept.expires));
    differs("its beginning", live.effective.to_string(), kept.effective.to_string());
    differs("its standing", word(&live.standing), word(&kept.standing));
    differs("its kind", live.kind.to_string(), kept.kind.to_string());
    differs("its class", word(&live.class), word(&kept.class));
    differs("its priority", live.priority.to_string(), kept.priority.to_string());
    let Bucket { only, parent, paid, .. } = live.clone();
    let own = Extra { only, parent, paid };
    if own.kept() != kept.extra {
        let what = "what it is only for, came with or cost";
        found.push(format!("{}: {what} differs", live.id));
    }
}

fn word(what: &impl std::fmt::Debug) -> String {
    format!("{what:?}").to_lowercase()
}

/// Buckets that the ledger does not list any more are there in its sums.
fn archived(live: &Live, rest: &BTreeMap<&BucketId, &Kept>, sums: &mut Sums, found: &mut Compared) {
    let mut told: BTreeMap<&Kind, [u128; 4]> = BTreeMap::new();
    for (id, kept) in rest {
        let Columns { granted, available, spent, expired, voided } = kept.columns;
        if !available.is_zero() {
            found.push(format!("{id} is not in the ledger, and has {available} in the files"));
        }
        let own = told.entry(&kept.kind).or_default();
        for (sum, amount) in own.iter_mut().zip([granted, spent, expired, voided]) {
            *sum = sum.saturating_add(u128::from(amount.micro()));
        }
    }
    for (kind, [granted, spent, expired, voided]) in &live.archived {
        let (granted, spent, expired, voided) = (*granted, *spent, *expired, *voided);
        let own = Columns { granted, available: Amount::ZERO, spent, expired, voided };
        sums.add(kind, Sums::LEDGER, &own);
        let wanted = [granted, spent, expired, voided].map(|amount| u128::from(amount.micro()));
        if told.remove(kind).unwrap_or_default() != wanted {
            found.push(format!("what is archived of {kind} is another sum in the files"));
        }
    }
    let lost = told.into_iter().filter(|(_, sums)| sums.iter().any(|sum| *sum > 0));
    found.extend(lost.map(|(kind, _)| {
        format!("buckets of {kind} that the files tell of are neither in the ledger nor archived")
    }));
}
