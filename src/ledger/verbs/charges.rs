//! What is said of charges: reserve, settle, release, and what runs between them; refunds after them.

use serde::{Deserialize, Serialize};

use super::{CapState, Gates, SlotState};
use crate::credit::{AccountId, Amount, BucketId, ChargeId, KeyId, Kind, Leg};
use crate::seam::Timestamp;

/// What to do when the outcome stays unknown past the charge's `reconcile` time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Give everything back.
    Release,
    /// Charge what was held.
    Charge,
    /// Keep holding until somebody decides.
    Hold,
}

/// What to do with work that cost more than was held and more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverRun {
    /// Record the loss and let it go.
    Absorb,
    /// Advance it as debt, within the bounds, and repay it from the next grant.
    Debt,
}

/// Hold credits and a slot for a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Who pays.
    pub account: AccountId,
    /// The id of the charge, made by the caller within the last ten minutes.
    pub charge: ChargeId,
    /// A hash of account, route and body: the same id with another fingerprint is a conflict.
    pub fingerprint: [u8; 32],
    /// The key that speaks for the account.
    pub key: KeyId,
    /// The version of the document that the caller priced with.
    pub document_version: u64,
    /// The revision of the configuration; only recorded.
    pub revision: String,
    /// What sort of credit.
    pub kind: Kind,
    /// How much to hold; zero is legal: the gates run, nothing is drawn.
    pub amount: Amount,
    /// The route; recorded, and matched by scopes.
    pub route: String,
    /// The route's feature, if it has one.
    pub feature: Option<String>,
    /// The member of the account's team whom the key belongs to.
    pub member: Option<String>,
    /// Limits and allowances.
    pub gates: Gates,
    /// The instance that owns the exchange; never empty.
    pub instance: String,
    /// How long the exchange may take at most: after this the hold will have ended.
    pub timeout_ms: u64,
    /// How long an unknown outcome is kept before `on_unknown` decides.
    pub reconcile_ms: u64,
    /// What then.
    pub on_unknown: OnUnknown,
    /// What becomes of work that cost more than was held.
    pub over_run: OverRun,
    /// The most that the account may owe of this kind; `None`: the largest hold among its open debts.
    pub max_debt: Option<Amount>,
    /// What the receipt will say of the request, as JSON; opaque here, at most `NOTE_MAX` bytes.
    pub note: Vec<u8>,
}

/// A hold that was made, now or by an earlier call with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The buckets that carry it, in draw order.
    pub legs: Vec<Leg>,
    /// What remains available of the kind.
    pub available: Amount,
    /// What open charges of the kind hold, this one included.
    pub held: Amount,
    /// The caps after this request.
    pub caps: Vec<CapState>,
    /// The slots after this request.
    pub slots: Vec<SlotState>,
    /// The store's time.
    pub at: Timestamp,
    /// When the lease ends unless renewed.
    pub lease_end: Timestamp,
}

/// What a reserve would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What would have been answered.
    pub reserved: Reserved,
}

/// End a charge by taking what was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// What the work cost.
    pub actual: Amount,
    /// What the receipt will say of the outcome, as JSON; opaque here, at most `NOTE_MAX` bytes.
    pub explanation: Vec<u8>,
}

/// A charge that was settled, now or by an earlier call with the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was charged in the end: `actual` less what was absorbed.
    pub charged: Amount,
    /// What was given back of the hold.
    pub returned: Amount,
    /// What was advanced as debt.
    pub debt: Amount,
    /// What was let go.
    pub absorbed: Amount,
    /// What remains available of the kind.
    pub available: Amount,
    /// Whether the charge had already ended otherwise and was corrected.
    pub late: bool,
}

/// End a charge by giving everything back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// What the receipt will say of the outcome, as JSON; opaque here, at most `NOTE_MAX` bytes.
    pub explanation: Vec<u8>,
}

/// A charge that was released, now or earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// What was given back; zero if the id had never been seen.
    pub returned: Amount,
    /// What remains available of the kind.
    pub available: Amount,
}

/// The exchange of a charge has ended with an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// What the receipt will say of it, as JSON; opaque here, at most `NOTE_MAX` bytes.
    pub explanation: Vec<u8>,
}

/// Renew the leases of running exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extend {
    /// Which charges; at most 1,024 a call.
    pub charges: Vec<(AccountId, ChargeId)>,
}

/// What became of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// It runs until then.
    Until(Timestamp),
    /// The charge has ended or its lease has lapsed; the exchange may run on and settles as a late success.
    Ended,
}

/// Give back what a charge took, or a part of it, after it was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// The refund's own id, chosen by the caller; the same again gives nothing back.
    pub id: BucketId,
    /// How much; never zero, and with earlier refunds at most what was charged.
    pub amount: Amount,
    /// Why, for people; at most 500 bytes.
    pub reason: String,
}

/// A refund that was made, now or by an earlier call with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// What this refund gave back.
    pub amount: Amount,
    /// What all refunds of the charge have given back.
    pub refunded: Amount,
    /// What the charge still costs.
    pub charged: Amount,
    /// What remains available of the kind.
    pub available: Amount,
}

/// One refund of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPart {
    /// The refund's id.
    pub id: BucketId,
    /// How much it gave back.
    pub amount: Amount,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// One adjustment of a charge's hold. When it was made is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustPart {
    /// The adjustment's id.
    pub id: BucketId,
    /// What was to be held.
    pub wanted: Amount,
    /// What of that was not there.
    pub short: Amount,
}

/// Change what an open charge holds: its work turned out smaller or larger before it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjust {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// The adjustment's own id, chosen by the caller; the same again changes nothing.
    pub id: BucketId,
    /// What is to be held. Less returns from the tail; more is drawn without gates, as far as there is some:
    /// the rest is an over-run when the charge is settled.
    pub held: Amount,
}

/// A hold that was adjusted, now or by an earlier call with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjusted {
    /// What is held.
    pub held: Amount,
    /// What was wanted beyond it and was not there.
    pub short: Amount,
    /// The buckets that carry it.
    pub legs: Vec<Leg>,
    /// What remains available of the kind.
    pub available: Amount,
}
