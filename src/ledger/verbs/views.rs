//! What a reader sees.

use serde::{Deserialize, Serialize};

use super::{AdjustPart, CapCount, RefundPart, Scope};
use crate::credit::{AccountId, Amount, Bucket, ChargeId, KeyId, Kind, Leg, Measure, Period};
use crate::seam::Timestamp;

/// A cap's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapState {
    /// Which cap.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// Requests or credits.
    pub measure: Measure,
    /// A number of requests, or micro-credits.
    pub limit: u64,
    /// Counted so far.
    pub used: u64,
    /// The period that counts now.
    pub period: Period,
}

/// A concurrency limit's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// Which limit.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// How many may run.
    pub limit: u32,
    /// How many run.
    pub used: u32,
}

/// An account's money and counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The store's time.
    pub at: Timestamp,
    /// Its buckets, those that pay first first; ended ones last.
    pub buckets: Vec<Bucket>,
    /// The caps asked about.
    pub caps: Vec<CapState>,
    /// The slots asked about.
    pub slots: Vec<SlotState>,
    /// Its open charges.
    pub open: Vec<OpenRef>,
    /// Per kind: what buckets that are no longer listed had been granted, spent, expired and voided.
    pub archived: Vec<(Kind, [Amount; 4])>,
    /// The allowances that the account has been given last.
    pub allowances: Vec<AllowanceState>,
}

/// Where an allowance stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowanceState {
    /// Its name.
    pub name: String,
    /// The id of the period for which it was given last; the bucket is `name@period`.
    pub period: String,
    /// The end of that period.
    pub end: Timestamp,
    /// What was given for it.
    pub amount: Amount,
}

/// An open charge, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRef {
    /// Whose.
    pub account: AccountId,
    /// Which charge.
    pub charge: ChargeId,
    /// `Held` or `Unknown`.
    pub state: ChargeState,
    /// What it holds.
    pub held: Amount,
    /// The instance that owns its exchange; empty while a job is waited for.
    pub instance: String,
}

/// Where a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeState {
    /// Credits are held, the exchange runs.
    Held,
    /// Credits are held, nobody knows the outcome.
    Unknown,
    /// Ended: something was taken, or the price was zero.
    Settled,
    /// Ended: everything was given back.
    Released,
}

/// All that is kept of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRecord {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub charge: ChargeId,
    /// Where it stands.
    pub state: ChargeState,
    /// The key that made it; `None` for an id that was closed before it was ever reserved.
    pub key: Option<KeyId>,
    /// What sort of credit; `None` as with `key`.
    pub kind: Option<Kind>,
    /// The route; empty as with `key`.
    pub route: String,
    /// The route's feature.
    pub feature: Option<String>,
    /// The member of the account's team who made it.
    pub member: Option<String>,
    /// The revision of the configuration that priced it; empty as with `key`.
    pub revision: String,
    /// What was held.
    pub held: Amount,
    /// What was charged; zero while it is open, and less by what was refunded.
    pub charged: Amount,
    /// What was given back after it was settled, oldest first.
    pub refunds: Vec<RefundPart>,
    /// How its hold was adjusted, oldest first.
    pub adjusts: Vec<AdjustPart>,
    /// What was advanced as debt.
    pub debt: Amount,
    /// What was let go.
    pub absorbed: Amount,
    /// Open: what carries the hold. Ended: what carried the charge.
    pub legs: Vec<Leg>,
    /// When it was reserved.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Until when an unknown outcome is kept.
    pub deadline: Option<Timestamp>,
    /// Whether it ended by its deadline, and nobody ever said how the work went.
    pub by_deadline: bool,
    /// What caps count for it.
    pub counted: Vec<CapCount>,
    /// What carried the hold, in draw order; ended charges keep what they held last.
    pub held_legs: Vec<Leg>,
    /// What the work cost, as told; `None` while it is open.
    pub actual: Option<Amount>,
    /// Whether it had ended otherwise and was corrected.
    pub late: bool,
    /// What was said at reserve.
    pub note: Vec<u8>,
    /// What was said at the end.
    pub explanation: Vec<u8>,
}

/// Refunds of one charge, at most.
pub const REFUNDS_MAX: usize = 32;
/// Adjustments of one hold, at most.
pub const ADJUSTS_MAX: usize = 32;

/// Longest note or explanation in bytes.
pub const NOTE_MAX: usize = 16 * 1024;
