//! Buckets: what one grant gave, and in which order buckets pay.

use serde::{Deserialize, Serialize};

use super::{Amount, BucketId, Kind, Name};
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
    /// Those that pay, in their default order.
    pub const PAYING: [Self; 6] =
        [Self::Rollover, Self::Plan, Self::Goodwill, Self::Bonus, Self::Purchased, Self::Free];

    /// Whether credits of this class that come back after the bucket's end live on as good will.
    #[must_use]
    pub const fn outlives_its_end(self) -> bool {
        matches!(self, Self::Purchased | Self::Bonus)
    }
}

/// In which order classes pay: a rank for each of [`Class::PAYING`], lower first. Two classes of one rank are
/// drawn as one, by priority and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ranks(pub [u8; 6]);

impl Default for Ranks {
    fn default() -> Self {
        Self([0, 1, 2, 3, 4, 5])
    }
}

impl Ranks {
    /// The rank of a class; debt is never drawn and comes last.
    #[must_use]
    pub const fn of(&self, class: Class) -> u8 {
        let [rollover, plan, goodwill, bonus, purchased, free] = self.0;
        match class {
            Class::Rollover => rollover,
            Class::Plan => plan,
            Class::Goodwill => goodwill,
            Class::Bonus => bonus,
            Class::Purchased => purchased,
            Class::Free => free,
            Class::Debt => u8::MAX,
        }
    }
}

/// Whether a bucket may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    #[default]
    Active,
    /// Not for now: it neither pays nor ends until it is thawed.
    Frozen,
    /// It was taken back: what still returns to it is void.
    Voided,
}

/// What a buyer paid: an exact amount of a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// How much, in millionths of the currency's unit.
    pub amount: Amount,
    /// ISO 4217, such as `USD`.
    pub currency: String,
}

/// A purchase that is sold by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Its name.
    pub name: Name,
    /// What sort of credit.
    pub kind: Kind,
    /// How much; never zero.
    pub amount: Amount,
    /// What it costs.
    pub paid: Paid,
    /// How long its credits live, in milliseconds; `None`: they do not end.
    pub lasts_ms: Option<u64>,
    /// What comes with it, and how long that lives, in milliseconds.
    pub bonus: Option<(Amount, Option<u64>)>,
    /// The routes or features that it may pay for; empty: all.
    pub only: Vec<Name>,
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
    /// The routes or features that it may pay for; empty: all.
    pub only: Vec<Name>,
    /// Whether it may be used.
    pub standing: Standing,
    /// For a bonus: the purchase that it came with.
    pub parent: Option<BucketId>,
    /// For a purchase: what the buyer paid.
    pub paid: Option<Paid>,
}

impl Bucket {
    /// Whether it may pay at `now`.
    #[must_use]
    pub fn pays_at(&self, now: Timestamp) -> bool {
        let usable = self.class != Class::Debt && self.standing == Standing::Active;
        usable && self.effective <= now && !self.ended_at(now)
    }

    /// Whether it may pay for a route or its feature.
    #[must_use]
    pub fn pays_for(&self, route: &str, feature: Option<&str>) -> bool {
        Self::covers(&self.only, route, feature)
    }

    /// Whether a list of routes and features covers a route or its feature; an empty one covers all.
    #[must_use]
    pub fn covers(only: &[Name], route: &str, feature: Option<&str>) -> bool {
        let meant = |name: &Name| name.as_str() == route || feature == Some(name.as_str());
        only.is_empty() || only.iter().any(meant)
    }

    /// Whether its end has come. A frozen bucket waits.
    #[must_use]
    pub fn ended_at(&self, now: Timestamp) -> bool {
        self.standing != Standing::Frozen && self.expires.is_some_and(|end| end <= now)
    }

    /// The total order in which buckets pay: class rank, priority, expiry (never last), effective, id.
    #[must_use]
    pub fn order(&self, ranks: &Ranks) -> (u8, u8, Timestamp, Timestamp, &BucketId) {
        let end = self.expires.unwrap_or(Timestamp(u64::MAX));
        (ranks.of(self.class), self.priority, end, self.effective, &self.id)
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
