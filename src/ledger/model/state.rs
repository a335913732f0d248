//! What is remembered of one account and of its charges.
//!
//! Plain data, the same for every store. Stores that pack records pack exactly these shapes, so a change
//! of a field here is a change of the file's format and needs a new version byte.
//!
//! Invariant: an amount moves between columns of a bucket by `posting` alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::posting::{Column, Posting};
use super::stop::Stop;
use crate::credit::{
    AccountId, Amount, Bucket, BucketId, ChargeId, KeyId, Kind, Leg, Measure, Ranks,
};
use crate::ledger::{
    AllowanceState, ChargeState, Document, NewAccount, OnUnknown, OpenRef, OverRun, RefundPart,
    Scope,
};
use crate::seam::Timestamp;

/// Everything of one account that a verb may look at or change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The call that made it, so that the same call again is recognised.
    pub origin: NewAccount,
    /// Who it is.
    pub document: Document,
    /// What it has.
    pub money: Money,
    /// Its open charges, shared between the drafts of a busy account: most verbs touch one of many.
    pub open: BTreeMap<ChargeId, Arc<Open>>,
}

/// Money and counters of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Its buckets, in the order in which they were made.
    pub purses: Vec<Purse>,
    /// What caps have counted.
    pub counters: Vec<Counter>,
    /// Where rate limits stand.
    pub paces: Vec<Pace>,
    /// Per kind: granted, spent, expired and voided of buckets that are no longer listed.
    pub archived: BTreeMap<Kind, [Amount; 4]>,
    /// In which order classes pay, as the last reserve said.
    pub ranks: Ranks,
    /// Where the allowances stand.
    pub allowances: Vec<AllowanceState>,
    /// What has been posted since the account was loaded; never kept.
    #[serde(skip)]
    pub postings: Vec<Posting>,
}

/// A bucket and what the rules need to know beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// The bucket.
    pub bucket: Bucket,
    /// Whether it still has to repay debt when it becomes effective. Only ever true before that.
    pub fresh: bool,
    /// When its columns last changed.
    pub touched: Timestamp,
    /// For a debt: the hold of the charge that it was advanced for.
    pub hold: Amount,
    /// For a debt: which buckets repaid how much; its own id: so much was forgiven by a refund.
    pub repaid_by: Vec<Leg>,
    /// For an allowance: what of it lives on after its end.
    pub carry: Option<Kept>,
}

/// What of an allowance lives on after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// At least so much, if there is so much.
    pub min: Amount,
    /// At most so much.
    pub max: Amount,
    /// How much of what is left, 0 to 100.
    pub percent: u8,
    /// Until when it lives on.
    pub until: Timestamp,
}

/// What one cap counted in its current and its previous period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The cap's name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// Requests or micro-credits.
    pub measure: Measure,
    /// The periods, older first; at most two.
    pub spans: Vec<Span>,
}

/// What was counted in one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The period's id.
    pub period: String,
    /// The first moment after it.
    pub end: Timestamp,
    /// A number of requests, or micro-credits.
    pub used: u64,
}

/// Where a rate limit stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The limit's name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// GCRA's theoretical arrival time in microseconds since 1970.
    pub tat_us: u64,
}

/// A charge that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub charge: ChargeId,
    /// A hash of the request.
    pub fingerprint: [u8; 32],
    /// The key that made it.
    pub key: KeyId,
    /// What sort of credit.
    pub kind: Kind,
    /// What is held: the sum of the legs.
    pub held: Amount,
    /// The buckets that carry it, in draw order.
    pub legs: Vec<Leg>,
    /// The route.
    pub route: String,
    /// The route's feature.
    pub feature: Option<String>,
    /// The member of the account's team who made it.
    pub member: Option<String>,
    /// The configuration's revision.
    pub revision: String,
    /// The instance that owns the exchange; empty: the exchange is over, its job is not.
    pub instance: String,
    /// When it was reserved.
    pub begun: Timestamp,
    /// When its lease ends unless renewed.
    pub lease_end: Timestamp,
    /// How long the exchange may take.
    pub timeout_ms: u64,
    /// How long an unknown outcome is kept.
    pub reconcile_ms: u64,
    /// What then.
    pub on_unknown: OnUnknown,
    /// What becomes of work that cost more than was held.
    pub over_run: OverRun,
    /// The most that the account may owe.
    pub max_debt: Option<Amount>,
    /// Whether the outcome is unknown; the slot is free then.
    pub unknown: bool,
    /// Until when an unknown outcome is kept; `None`: for ever. While it is held: until when it waits for its job,
    /// which is its lease too; `None`: the exchange runs.
    pub deadline: Option<Timestamp>,
    /// What caps counted for it.
    pub counted: Vec<Counted>,
    /// How its hold was adjusted, oldest first.
    pub adjusts: Vec<Adjustment>,
}

/// An adjustment of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Its id.
    pub id: BucketId,
    /// What was to be held.
    pub wanted: Amount,
    /// What of that was not there.
    pub short: Amount,
}

/// What one cap counted for one charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The cap's name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// Requests or micro-credits.
    pub measure: Measure,
    /// In which period.
    pub period: String,
    /// How much is counted for the charge now.
    pub amount: u64,
    /// Whether it is given back when nothing was billed.
    pub refundable: bool,
}

/// The tombstone of an ended charge: enough to answer again and to correct it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub charge: ChargeId,
    /// The charge as it was when it ended; `None` for an id that was closed before it was ever reserved.
    pub open: Option<Open>,
    /// `Settled` or `Released`.
    pub state: ChargeState,
    /// What the work cost, as told.
    pub actual: Amount,
    /// What was charged: the sum of the legs.
    pub charged: Amount,
    /// What was given back.
    pub returned: Amount,
    /// What was advanced.
    pub debt: Amount,
    /// What was let go.
    pub absorbed: Amount,
    /// What carried the charge before anything was refunded.
    pub legs: Vec<Leg>,
    /// What was refunded, oldest first; from the tail of the legs.
    pub refunds: Vec<RefundPart>,
    /// When.
    pub at: Timestamp,
    /// Whether its deadline ended it, and nobody ever said how the work went.
    pub by_deadline: bool,
    /// Whether it had ended otherwise and was corrected.
    pub late: bool,
}

/// What a verb decides with beside the state: the time and the store's own facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Now, by the store's own clock.
    pub now: Timestamp,
    /// Whether the store was opened less than a lease ago: no lease lapses and no deadline is applied.
    pub grace: bool,
    /// How long a lease is, in milliseconds.
    pub lease_ms: u64,
}

impl Money {
    /// The bucket of this id.
    pub(super) fn purse(&mut self, id: &BucketId) -> Result<&mut Purse, Stop> {
        let found = self.purses.iter_mut().find(|purse| purse.bucket.id == *id);
        found.ok_or_else(|| Stop::Broken(format!("there is no bucket {id}")))
    }

    /// Whether there is a bucket of this id.
    pub(super) fn has(&self, id: &BucketId) -> bool {
        self.purses.iter().any(|purse| purse.bucket.id == *id)
    }

    /// Moves `amount` between two columns of a bucket.
    pub(super) fn post(
        &mut self,
        id: &BucketId,
        columns: (Column, Column),
        amount: Amount,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let found = self.purses.iter_mut().find(|purse| purse.bucket.id == *id);
        let purse = found.ok_or_else(|| Stop::Broken(format!("there is no bucket {id}")))?;
        purse.post(columns, amount, now, &mut self.postings)
    }

    /// Adds a new bucket, which is said to have been granted.
    pub(super) fn add(&mut self, purse: Purse) {
        self.postings.push(Posting {
            bucket: purse.bucket.id.clone(),
            from: None,
            to: Column::Available,
            amount: purse.bucket.granted,
        });
        self.purses.push(purse);
    }

    /// What may be reserved of a kind for a use.
    pub(super) fn available(&self, kind: &Kind, use_: &Use<'_>, now: Timestamp) -> Amount {
        let paying = self.purses.iter().filter(|p| use_.is_paid_by(&p.bucket, kind, now));
        paying.map(|purse| purse.bucket.available).sum()
    }

    /// What open charges hold of a kind.
    pub(super) fn held(&self, kind: &Kind) -> Amount {
        let of_kind = self.purses.iter().filter(|purse| purse.bucket.kind == *kind);
        of_kind.map(|purse| purse.bucket.held).sum()
    }
}

/// What credits are to pay for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use<'a> {
    pub(super) route: &'a str,
    pub(super) feature: Option<&'a str>,
}

impl Use<'_> {
    /// Whether a bucket may pay for it.
    pub(super) fn is_paid_by(&self, bucket: &Bucket, kind: &Kind, now: Timestamp) -> bool {
        bucket.kind == *kind && bucket.pays_at(now) && bucket.pays_for(self.route, self.feature)
    }
}

impl Ended {
    /// What was refunded of it.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.refunds.iter().map(|part| part.amount).sum()
    }
}

impl Open {
    /// What it pays for.
    pub(super) fn for_what(&self) -> Use<'_> {
        Use { route: &self.route, feature: self.feature.as_deref() }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> ChargeState {
        if self.unknown { ChargeState::Unknown } else { ChargeState::Held }
    }

    /// Whether its lease is over; within grace no lease is.
    pub(super) fn lapsed(&self, context: &Context) -> bool {
        !self.unknown && self.lease_end <= context.now && !context.grace
    }

    /// Whether the exchange is over and its job is waited for.
    pub(super) const fn waits_for_job(&self) -> bool {
        !self.unknown && self.deadline.is_some()
    }

    /// Until when its unknown outcome is kept.
    pub(super) fn unknown_until(&self) -> Option<Timestamp> {
        self.deadline.filter(|_| self.unknown)
    }

    /// Whether its deadline has come; within grace none has.
    pub(super) fn overdue(&self, context: &Context) -> bool {
        let come = self.deadline.is_some_and(|deadline| deadline <= context.now);
        self.unknown && come && !context.grace
    }

    /// Frees the slot and starts the time for which an unknown outcome is kept.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.unknown = true;
        self.deadline = match self.on_unknown {
            OnUnknown::Release | OnUnknown::Charge => Some(now.plus_ms(self.reconcile_ms)),
            OnUnknown::Hold => None,
        };
    }

    /// The charge in short.
    #[must_use]
    pub fn short(&self) -> OpenRef {
        OpenRef {
            account: self.account.clone(),
            charge: self.charge,
            state: self.state(),
            held: self.held,
            instance: self.instance.clone(),
        }
    }
}
