//! What an auditor is told of an account, and what it finds.

use serde::{Deserialize, Serialize};

use super::Scope;
use crate::credit::{AccountId, Amount, Bucket, Kind, Measure};
use crate::seam::Timestamp;

/// An account's record as it lies in the store, before any due work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Whose.
    pub account: AccountId,
    /// The store's time.
    pub at: Timestamp,
    /// Changes with every change of the record: two looks with the same stamp saw the same.
    pub stamp: u64,
    /// What it has told the ledger's stream; `None`: this ledger tells none.
    pub told: Option<Told>,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// Per kind: granted, spent, expired and voided of buckets that are no longer listed.
    pub archived: Vec<(Kind, [Amount; 4])>,
    /// What its caps counted.
    pub counters: Vec<CapCount>,
    /// How many charges are open.
    pub open: usize,
    /// What contradicts itself in the record.
    pub breaches: Vec<Breach>,
}

/// How far an account's part of the ledger's stream has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The ledger's epoch.
    pub ledger: String,
    /// How many entries the account has told; the next one is counted one more.
    pub sequence: u64,
}

/// What one cap counted in one period: of an account, or for one charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapCount {
    /// The cap's name.
    pub cap: String,
    /// Over what.
    pub scope: Scope,
    /// Requests or micro-credits.
    pub measure: Measure,
    /// In which period.
    pub period: String,
    /// How much.
    pub used: u64,
}

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Breach {
    /// Which invariant, `I1` to `I15`.
    pub invariant: &'static str,
    /// What contradicts what.
    pub found: String,
}

impl Breach {
    /// A breach of an invariant.
    #[must_use]
    pub fn of(invariant: &'static str, found: impl Into<String>) -> Self {
        Self { invariant, found: found.into() }
    }
}
