//! What an operation tells of itself, for whoever keeps the ledger's stream.
//!
//! Holds are not told: what is held is told as available. What verbs by hand change beside amounts is told too.
//!
//! Invariant: what is told of an account, replayed from its beginning, gives every bucket of it.
//! Invariant: an operation that changed nothing that lasts tells nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::posting::{Column, Posting};
use super::records::Records;
use super::state::{Account, Ended, Purse};
use super::stop::Stop;
use crate::credit::{AccountId, Amount, Bucket, BucketId, ChargeId, Standing};
use crate::ledger::Withdrawal;
use crate::seam::Timestamp;

/// What an operation tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Whose buckets.
    pub(crate) account: AccountId,
    /// When.
    pub(crate) at: Timestamp,
    /// Which operation it was, with what only it has to say.
    pub(crate) said: Said,
    /// What went from column to column, in order.
    pub(crate) postings: Vec<Posting>,
    /// Buckets that are new, as they were made: what has become of them since is in the postings.
    pub(crate) made: Vec<Purse>,
    /// Charges that ended, were corrected or refunded, in the order of their ids.
    pub(crate) ended: Vec<Finished>,
    /// Buckets that stand otherwise than before, or end at another moment.
    pub(crate) changes: Vec<Change>,
}

/// An ended charge and what was said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    /// At reserve and at its end; empty where a refund is told.
    pub(crate) texts: [Vec<u8>; 2],
}

/// How a bucket stands from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) bucket: BucketId,
    pub(crate) standing: Standing,
    pub(crate) expires: Option<Timestamp>,
}

/// Which operation it was, with what it says beside its postings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// A document was changed: there is nothing to tell.
    Document,
    Reserve,
    Settle,
    Release,
    Doubt,
    Tick,
    Grant {
        id: BucketId,
        reason: String,
    },
    Refund,
    /// What an open charge is to hold.
    Adjust {
        charge: ChargeId,
        id: BucketId,
        held: Amount,
    },
    Withdraw {
        bucket: BucketId,
        how: Withdrawal,
        reason: String,
    },
    Freeze {
        bucket: BucketId,
        reason: String,
    },
}

impl Said {
    /// Whether a person did it: then it is told even if no amount moved, with what it changed beside.
    const fn by_hand(&self) -> bool {
        matches!(
            self,
            Self::Refund | Self::Adjust { .. } | Self::Withdraw { .. } | Self::Freeze { .. }
        )
    }

    /// Whether what was said of an ended charge is told: a refund says nothing new of it.
    const fn with_texts(&self) -> bool {
        !matches!(self, Self::Refund)
    }
}

/// What the records are told once all of a draft is written; `None`: nothing that lasts.
pub(super) fn told(
    records: &dyn Records,
    before: &Account,
    draft: &Draft,
    postings: &[Posting],
    (said, at): (Said, Timestamp),
) -> Result<Option<Told>, Stop> {
    let after = &draft.account;
    let lasting: Vec<Posting> = postings.iter().filter(|one| lasts(one)).cloned().collect();
    let changes = if said.by_hand() { changes(before, after) } else { Vec::new() };
    if lasting.is_empty() && draft.ended.is_empty() && !said.by_hand() {
        return Ok(None);
    }
    let made = made(before, after, &lasting);
    let ended = finished(records, &draft.ended, said.with_texts())?;
    let account = after.document.account.clone();
    Ok(Some(Told { account, at, said, postings: lasting, made, ended, changes }))
}

/// Whether a posting is told: what is held may still come back.
const fn lasts(posting: &Posting) -> bool {
    !matches!(posting.from, Some(Column::Available | Column::Held))
        || !matches!(posting.to, Column::Available | Column::Held)
}

/// Buckets that are new, as they were made. Each was granted something, if only nothing.
fn made(before: &Account, after: &Account, postings: &[Posting]) -> Vec<Purse> {
    if !postings.iter().any(|posting| posting.from.is_none()) {
        return Vec::new();
    }
    let known = |id: &BucketId| before.money.purses.iter().any(|purse| purse.bucket.id == *id);
    let new = after.money.purses.iter().filter(|purse| !known(&purse.bucket.id));
    let first = |id: &BucketId| {
        let granted = postings.iter().find(|one| one.from.is_none() && one.bucket == *id);
        granted.map_or(Amount::ZERO, |posting| posting.amount)
    };
    let as_made = |purse: &Purse| {
        let granted = first(&purse.bucket.id);
        let bucket = Bucket {
            granted,
            available: granted,
            held: Amount::ZERO,
            spent: Amount::ZERO,
            expired: Amount::ZERO,
            voided: Amount::ZERO,
            standing: Standing::Active,
            ..purse.bucket.clone()
        };
        Purse { bucket, repaid_by: Vec::new(), ..purse.clone() }
    };
    new.map(as_made).collect()
}

fn finished(
    records: &dyn Records,
    ended: &[Ended],
    with_texts: bool,
) -> Result<Vec<Finished>, Stop> {
    let texts = |charge| if with_texts { records.texts(charge) } else { Ok(Default::default()) };
    let with = |ended: &Ended| Ok(Finished { ended: ended.clone(), texts: texts(ended.charge)? });
    let mut all = ended.iter().map(with).collect::<Result<Vec<_>, Stop>>()?;
    all.sort_by_key(|finished| finished.ended.charge);
    Ok(all)
}

fn changes(before: &Account, after: &Account) -> Vec<Change> {
    let of = |bucket: &Bucket| (bucket.standing, bucket.expires);
    let was: BTreeMap<_, _> =
        before.money.purses.iter().map(|p| (&p.bucket.id, of(&p.bucket))).collect();
    let now = after.money.purses.iter().map(|purse| &purse.bucket);
    let changed = now.filter(|bucket| was.get(&bucket.id).is_some_and(|was| *was != of(bucket)));
    let told = |bucket: &Bucket| Change {
        bucket: bucket.id.clone(),
        standing: bucket.standing,
        expires: bucket.expires,
    };
    changed.map(told).collect()
}
