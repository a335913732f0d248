//! Buckets: what one grant gave, and in which order buckets pay.

use serde::{Deserialize, Serialize};

use super::{Amount, BucketId, Kind};
use crate::seam::Timestamp;

/// What sort of grant a bucket came from. Decides its rank in the draw order and what becomes of credits
/// that return after it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Left over from an earlier period.
    Rollover,
    /// An allowance of the plan.
    Plan,
    /// Given for good will, or in place of paid credits that ended while they were held.
    Goodwill,
    /// Came with a purchase.
    Bonus,
    /// Bought.
    Purchased,
    /// Given for nothing.
    Free,
    /// Advanced when work cost more than there was. Never drawn; repaid by the next grant of its kind.
    Debt,
}

impl Class {
    /// The default rank: lower pays first.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Rollover => 0,
            Self::Plan => 1,
            Self::Goodwill => 2,
            Self::Bonus => 3,
            Self::Purchased => 4,
            Self::Free => 5,
            Self::Debt => u8::MAX,
        }
    }

    /// Whether credits of this class that come back after the bucket's end live on as good will.
    #[must_use]
    pub const fn outlives_its_end(self) -> bool {
        matches!(self, Self::Purchased | Self::Bonus)
    }
}

/// What one grant gave and where it is now. At every moment
/// `granted = available + held + spent + expired + voided`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Which grant, and for an allowance which period.
    pub id: BucketId,
    /// What sort of credit.
    pub kind: Kind,
    /// What sort of grant.
    pub class: Class,
    /// Draw order within the class: lower pays first.
    pub priority: u8,
    /// From when on it may pay.
    pub effective: Timestamp,
    /// The first moment at which it may not pay any more; `None`: it never ends.
    pub expires: Option<Timestamp>,
    /// What was given.
    pub granted: Amount,
    /// What may still be reserved.
    pub available: Amount,
    /// What open charges hold.
    pub held: Amount,
    /// What was charged.
    pub spent: Amount,
    /// What ended unused.
    pub expired: Amount,
    /// What was taken back.
    pub voided: Amount,
}

impl Bucket {
    /// Whether it may pay at `now`.
    #[must_use]
    pub fn pays_at(&self, now: Timestamp) -> bool {
        self.class != Class::Debt && self.effective <= now && !self.ended_at(now)
    }

    /// Whether its end has come.
    #[must_use]
    pub fn ended_at(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// The total order in which buckets pay: class rank, priority, expiry (never last), effective, id.
    #[must_use]
    pub fn order(&self) -> (u8, u8, Timestamp, Timestamp, &BucketId) {
        let end = self.expires.unwrap_or(Timestamp(u64::MAX));
        (self.class.rank(), self.priority, end, self.effective, &self.id)
    }

    /// Whether the equation of the five columns holds.
    #[must_use]
    pub fn balances(&self) -> bool {
        let columns = [self.available, self.held, self.spent, self.expired, self.voided];
        let sum = columns.iter().try_fold(Amount::ZERO, |sum, column| sum.checked_add(*column));
        sum == Some(self.granted)
    }
}

/// How much of a charge one bucket carries. A charge lists its legs in the order in which they were drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Which bucket.
    pub bucket: BucketId,
    /// How much of it.
    pub amount: Amount,
}
