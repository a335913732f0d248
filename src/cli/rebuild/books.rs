//! What the ledger says of an account, as the operators' API tells it.
//!
//! Invariant: what is not understood is an error, never a bucket that is left out.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::Failure;
use crate::credit::{AccountId, Amount, Bucket, BucketId, Class, Kind, Name, Paid, Standing};
use crate::ledger::replay::Live;
use crate::seam::Timestamp;

/// An account as the ledger said.
#[derive(Debug)]
pub(in crate::cli) struct Seen {
    pub(super) ledger: String,
    pub(super) live: Live,
}

#[derive(Deserialize)]
struct Audited {
    account: AccountId,
    ledger: Option<String>,
    sequence: Option<u64>,
    books: Option<Books>,
}

#[derive(Deserialize)]
struct Books {
    buckets: Vec<Grant>,
    archived: Vec<Archived>,
}

#[derive(Deserialize)]
struct Grant {
    id: BucketId,
    kind: Kind,
    class: Class,
    priority: u8,
    granted: Amount,
    available: Amount,
    held: Amount,
    spent: Amount,
    expired: Amount,
    voided: Amount,
    effective_at: String,
    expires_at: Option<String>,
    only: Vec<Name>,
    standing: Standing,
    parent: Option<BucketId>,
    paid: Option<Paid>,
}

#[derive(Deserialize)]
struct Archived {
    kind: Kind,
    granted: Amount,
    spent: Amount,
    expired: Amount,
    voided: Amount,
}

/// Takes the books out of an account's audit; `None`: it has none.
pub(in crate::cli) fn take_books(audit: &mut Value) -> Result<Option<Seen>, Failure> {
    let strange = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the server's books are not understood: {error}"))
    };
    let audited = Audited::deserialize(&*audit).map_err(|error| strange(&error))?;
    if let Some(members) = audit.as_object_mut() {
        members.remove("books");
    }
    let Audited { account, ledger: Some(ledger), sequence: Some(sequence), books: Some(books) } =
        audited
    else {
        return Ok(None);
    };
    let buckets: Result<_, jiff::Error> = books.buckets.into_iter().map(Grant::bucket).collect();
    let buckets = buckets.map_err(|error| strange(&error))?;
    let sums = |it: Archived| (it.kind, [it.granted, it.spent, it.expired, it.voided]);
    let archived = books.archived.into_iter().map(sums).collect();
    Ok(Some(Seen { ledger, live: Live { account, sequence, buckets, archived } }))
}

impl Grant {
    fn bucket(self) -> Result<Bucket, jiff::Error> {
        let moment = |text: String| text.parse::<Timestamp>();
        Ok(Bucket {
            id: self.id,
            kind: self.kind,
            class: self.class,
            priority: self.priority,
            effective: moment(self.effective_at)?,
            expires: self.expires_at.map(moment).transpose()?,
            granted: self.granted,
            available: self.available,
            held: self.held,
            spent: self.spent,
            expired: self.expired,
            voided: self.voided,
            only: self.only,
            standing: self.standing,
            parent: self.parent,
            paid: self.paid,
        })
    }
}
