//! What is said of buckets: how they are given, taken back and frozen.

use serde::{Deserialize, Serialize};

use crate::credit::{AccountId, Amount, Bucket, BucketId, Class, Kind, Name, Paid};
use crate::seam::Timestamp;

/// Why a bucket is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// It should not have been given: what is not spent is void, with the bonus that came with it.
    Void,
    /// The buyer gets the money for the unused part back: that part is void, and of the bonus as much in
    /// proportion.
    Refund,
    /// The payment failed after all: what is not spent is void, what was spent is owed.
    Reversal,
    /// It ends now, its history stays.
    Expire,
}

/// Take a bucket back. Saying so again changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdraw {
    /// Whose.
    pub account: AccountId,
    /// Which bucket.
    pub bucket: BucketId,
    /// Why.
    pub how: Withdrawal,
    /// Why, for people; at most 500 bytes.
    pub reason: String,
}

/// A bucket that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The bucket. What it still holds is void, or ended, when it returns.
    pub bucket: Bucket,
    /// The bonus that came with it.
    pub bonus: Option<Bucket>,
    /// The money for what is void by now: the price in proportion, rounded down. `None`: nobody paid, or this
    /// is no refund.
    pub money: Option<Paid>,
    /// What is owed for what had been spent of it.
    pub owed: Amount,
}

/// Freeze a bucket, or thaw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Whose.
    pub account: AccountId,
    /// Which bucket.
    pub bucket: BucketId,
    /// Whether it is frozen from now on.
    pub frozen: bool,
    /// Another end; `Some(None)`: it never ends.
    pub expires: Option<Option<Timestamp>>,
    /// Why, for people; at most 500 bytes.
    pub reason: String,
}

/// A person's free credits for one of the person's accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeClaim {
    /// The person, as the account's document names it.
    pub person: String,
    /// For which account.
    pub account: AccountId,
    /// How many accounts of a person may have free credits.
    pub limit: u32,
}

/// A bonus that comes with a purchase: the bucket `<purchase>@bonus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bonus {
    /// How much; never zero.
    pub amount: Amount,
    /// When it ends; `None`: never.
    pub expires: Option<Timestamp>,
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
    /// The routes or features that it may pay for; empty: all. At most 16.
    pub only: Vec<Name>,
    /// For a purchase: what the buyer paid.
    pub paid: Option<Paid>,
    /// For a purchase: what comes with it.
    pub bonus: Option<Bonus>,
}

/// A grant that was given, now or by an earlier call with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its bucket after repaying debt.
    pub bucket: Bucket,
    /// What went into debt.
    pub repaid: Amount,
    /// The bucket of the bonus that came with it.
    pub bonus: Option<Bucket>,
}
