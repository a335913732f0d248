//! Plans: named rights. A plan only sets values; counting happens within one account, in the ledger.

use serde::{Deserialize, Serialize};

use super::{Amount, Class, Cycle, Every, Kind, Name, Ranks, Rights};

/// Named rights of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, which accounts refer to and prices may be keyed by.
    pub name: Name,
    /// Credits that come by themselves.
    pub allowances: Vec<Allowance>,
    /// Limits per day, week or month.
    pub caps: Vec<Cap>,
    /// Limits on what may run at once.
    pub slots: Vec<SlotLimit>,
    /// Limits on how fast requests may come.
    pub rates: Vec<RateLimit>,
    /// Which routes, features, values and bodies an account of this plan may use.
    pub rights: Rights,
    /// In which order its accounts' classes of credit pay.
    pub ranks: Ranks,
    /// The most that an account may owe per kind; `None`: the largest hold among its open debts.
    pub max_debt: Option<Amount>,
}

/// Credits of a period. A period's bucket is made on first touch, never twice, and ends with the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Its name; the bucket is called `name@period`.
    pub name: Name,
    /// What sort of credit it gives.
    pub kind: Kind,
    /// `Plan` or `Free`.
    pub class: Class,
    /// Draw order within the class.
    pub priority: u8,
    /// How much for each period; never zero.
    pub amount: Amount,
    /// How long a period is and where it begins.
    pub cycle: Cycle,
    /// The routes or features that it may pay for; empty: all.
    pub only: Vec<Name>,
    /// From when on in a period there is one.
    pub when: When,
    /// What of it lives on after its period; `None`: nothing.
    pub rollover: Option<Rollover>,
}

/// From when on in a period an allowance is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// From its beginning.
    #[default]
    Always,
    /// Once everything else cannot cover a request; that request takes the rest of it and is covered by both.
    PaidExhausted,
}

/// How much of an allowance lives on after its period, as a bucket of its own: `percent` of what is left,
/// rounded down to a micro-credit, at least `min` and at most `max`, and never more than is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rollover {
    /// At least so much, if there is so much.
    pub min: Amount,
    /// At most so much; `None`: no bound.
    pub max: Option<Amount>,
    /// 0 to 100.
    pub percent: u8,
    /// For how many periods more; at least 1.
    pub cycles: u32,
    /// For how long instead, in milliseconds; `None`: `cycles` decides.
    pub lasts_ms: Option<u64>,
}

impl Rollover {
    /// What lives on of `left`.
    #[must_use]
    pub fn keeps(&self, left: Amount) -> Amount {
        let part = u128::from(left.micro()).saturating_mul(u128::from(self.percent.min(100)));
        let part = u64::try_from(part.div_euclid(100)).ok().and_then(Amount::from_micro);
        let kept = part.unwrap_or(left).max(self.min);
        self.max.map_or(kept, |max| kept.min(max)).min(left)
    }
}

/// What a limit counts within one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// The whole account.
    Account,
    /// Each of its keys alone.
    Key,
    /// Each member of its team alone, by the name that the member's keys carry.
    Member,
    /// Each route alone.
    Route,
    /// Each feature alone.
    Feature,
}

/// Whether a cap counts requests or credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Each reserved request counts one.
    Requests,
    /// Each reserved request counts its amount, in micro-credits.
    Credits,
}

impl Measure {
    /// What is counted, in a word.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Credits => "credits",
        }
    }

    /// A count as people read it: a number of requests, or an amount.
    #[must_use]
    pub fn show(self, count: u64) -> String {
        match self {
            Self::Requests => count.to_string(),
            Self::Credits => Amount::from_micro(count).unwrap_or(Amount::MAX).to_string(),
        }
    }
}

/// A limit on requests or credits per period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Its name, as clients see it.
    pub name: Name,
    /// Requests or credits.
    pub measure: Measure,
    /// For credits: of which kind. Requests count whatever they cost.
    pub kind: Option<Kind>,
    /// The limit: a number of requests, or micro-credits.
    pub limit: u64,
    /// Per day, week or month.
    pub every: Every,
    /// What it counts over.
    pub scope: ScopeKind,
    /// The routes or features that it is for; empty: all.
    pub only: Vec<Name>,
    /// Whether requests that were not billed are given back; `false` counts attempts.
    pub refundable: bool,
}

/// A limit on how many generations may run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLimit {
    /// Its name, as clients see it.
    pub name: Name,
    /// How many.
    pub limit: u32,
    /// What it counts over.
    pub scope: ScopeKind,
    /// The routes or features that it is for; empty: all.
    pub only: Vec<Name>,
}

/// A limit on how fast requests may come (GCRA): `burst` at once, then one every `per_ms / requests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Its name, as clients see it.
    pub name: Name,
    /// Requests for each `per_ms`; at least 1.
    pub requests: u32,
    /// The length of the window in milliseconds; at least 1.
    pub per_ms: u64,
    /// How many may come at once; at least 1.
    pub burst: u32,
    /// What it counts over.
    pub scope: ScopeKind,
    /// The routes or features that it is for; empty: all.
    pub only: Vec<Name>,
}
