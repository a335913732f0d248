//! The limits and allowances that apply to a call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::credit::{Amount, Class, KeyId, Kind, Measure, Name, Period, Ranks, When};
use crate::seam::Timestamp;

/// What a limit counts over within one account. Written `account`, `key:key_…`, `route:image`,
/// `feature:audio`, `member:ana`.
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
    /// One member of a team.
    Member(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Key(key) => write!(f, "key:{key}"),
            Self::Route(route) => write!(f, "route:{route}"),
            Self::Feature(feature) => write!(f, "feature:{feature}"),
            Self::Member(member) => write!(f, "member:{member}"),
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
            Some(("member", member)) => Ok(Self::Member(member.to_owned())),
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
    /// In which order classes of credit pay.
    pub ranks: Ranks,
    /// For which time these values hold: an override that starts or ends gives others.
    pub window: Window,
}

/// A time from `from` until just before `until`; always, by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Default for Window {
    fn default() -> Self {
        Self { from: Timestamp(0), until: Timestamp(Amount::MAX.micro()) }
    }
}

impl Window {
    /// Whether `now` lies in it.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
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

/// An allowance: the bucket `name@period` is made on first touch and ends with its period. One that is there
/// already runs to its end, whatever the zone or the plan has become, and grows to a larger amount at once if its
/// periods are as long as before: days, weeks or months.
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
    /// The routes or features that it may pay for; empty: all.
    pub only: Vec<Name>,
    /// From when on in a period there is one.
    pub when: When,
    /// What of it lives on, for each of the two periods; `None`: nothing.
    pub carry: Option<Carry>,
}

/// What of an allowance lives on after its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// At least so much, if there is so much.
    pub min: Amount,
    /// At most so much.
    pub max: Amount,
    /// How much of what is left, 0 to 100.
    pub percent: u8,
    /// Until when, if it is made in the first and in the second of the check's periods.
    pub until: [Timestamp; 2],
}
