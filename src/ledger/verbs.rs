//! What callers say to a ledger and what it answers, store by store the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::credit::{
    AccountId, Amount, Bucket, BucketId, ChargeId, Class, KeyId, Kind, Leg, Measure, Period,
};
use crate::seam::Timestamp;

/// What a limit counts over within one account. Written `account`, `key:key_…`, `route:image`,
/// `feature:audio`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole account.
    Account,
    /// One of its keys.
    Key(KeyId),
    /// One route.
    Route(String),
    /// One feature.
    Feature(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Key(key) => write!(f, "key:{key}"),
            Self::Route(route) => write!(f, "route:{route}"),
            Self::Feature(feature) => write!(f, "feature:{feature}"),
        }
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            None if text == "account" => Ok(Self::Account),
            Some(("key", key)) => key.parse().map(Self::Key).map_err(|_| ()),
            Some(("route", route)) => Ok(Self::Route(route.to_owned())),
            Some(("feature", feature)) => Ok(Self::Feature(feature.to_owned())),
            _ => Err(()),
        }
    }
}

/// The limits and allowances that apply to a call, with the periods that the caller computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// How fast requests may come.
    pub rates: Vec<RateCheck>,
    /// How many may run at once.
    pub slots: Vec<SlotCheck>,
    /// Limits per day or month.
    pub caps: Vec<CapCheck>,
    /// Credits that come by themselves.
    pub allowances: Vec<AllowanceCheck>,
}

/// A rate limit (GCRA): one request every `interval_us`, `burst` at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCheck {
    /// Its name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// Microseconds between requests; at least 1.
    pub interval_us: u64,
    /// How many may come at once; at least 1.
    pub burst: u32,
}

/// A limit on what runs at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotCheck {
    /// Its name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// How many may run.
    pub limit: u32,
}

/// A limit per period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapCheck {
    /// Its name.
    pub name: String,
    /// Over what.
    pub scope: Scope,
    /// Requests or credits.
    pub measure: Measure,
    /// For credits: of which kind. A charge of another kind is not counted.
    pub kind: Option<Kind>,
    /// A number of requests, or micro-credits.
    pub limit: u64,
    /// Whether what was not billed is given back.
    pub refundable: bool,
    /// The current period and the next, so that the store may choose by its own clock.
    pub periods: [Period; 2],
}

/// An allowance: the bucket `name@period` is made on first touch and ends with its period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceCheck {
    /// Its name.
    pub name: String,
    /// What sort of credit.
    pub kind: Kind,
    /// `Plan` or `Free`.
    pub class: Class,
    /// Draw order within the class.
    pub priority: u8,
    /// How much; never zero.
    pub amount: Amount,
    /// The current period and the next.
    pub periods: [Period; 2],
}

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
    /// Limits and allowances.
    pub gates: Gates,
    /// The instance that owns the exchange.
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

/// Give credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    pub account: AccountId,
    /// The grant's id and its bucket's: for a purchase, the payment's id. Never forgotten.
    pub id: BucketId,
    /// What sort of credit.
    pub kind: Kind,
    /// What sort of grant; not `Debt`, `Rollover` or `Plan`.
    pub class: Class,
    /// How much; never zero.
    pub amount: Amount,
    /// Draw order within the class.
    pub priority: u8,
    /// From when on it may pay; `None`: now.
    pub effective: Option<Timestamp>,
    /// When it ends; `None`: never.
    pub expires: Option<Timestamp>,
    /// Why, for people; at most 500 bytes.
    pub reason: String,
}

/// A grant that was given, now or by an earlier call with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its bucket after repaying debt.
    pub bucket: Bucket,
    /// What went into debt.
    pub repaid: Amount,
}

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
    /// The instance that owns its exchange.
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
    /// The revision of the configuration that priced it; empty as with `key`.
    pub revision: String,
    /// What was held.
    pub held: Amount,
    /// What was charged; zero while it is open.
    pub charged: Amount,
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
    /// What was said at reserve.
    pub note: Vec<u8>,
    /// What was said at the end.
    pub explanation: Vec<u8>,
}

/// Longest note or explanation in bytes.
pub const NOTE_MAX: usize = 16 * 1024;
