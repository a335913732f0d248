//! Allowances: credits that come by themselves.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Millis;
use crate::config::placed::At;
use crate::credit::{Amount, Every, Kind, Name, Start, When};

/// Credits of a period, which end with it. One of this name in another plan is the same allowance: an account
/// that changes plan keeps the running period, which grows if the new plan gives more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Allowance {
    /// Its name; the grant is called `name@period`.
    pub(in crate::config) name: At<Name>,
    /// What sort of credit it gives. Default: credits.
    pub(in crate::config) kind: Option<At<Kind>>,
    /// Whether it is given with the plan or for nothing. Default: plan.
    pub(in crate::config) class: Option<At<GrantClass>>,
    /// Its place among allowances of its class: lower is drawn first. Default: 0.
    pub(in crate::config) priority: Option<At<u8>>,
    /// How many credits for each period; never 0.
    pub(in crate::config) amount: At<Amount>,
    /// How long a period is.
    pub(in crate::config) every: At<Every>,
    /// Where periods begin. Default: calendar.
    pub(in crate::config) start: Option<At<Start>>,
    /// The routes or features that it may pay for. Default: all.
    #[serde(default)]
    pub(in crate::config) only: Vec<At<Name>>,
    /// From when on in a period there is one. Default: always.
    pub(in crate::config) when: Option<At<When>>,
    /// What of it lives on after its period. Default: nothing.
    pub(in crate::config) rollover: Option<Rollover>,
}

/// The class of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum GrantClass {
    Plan,
    Free,
}

/// What of an allowance lives on after its period: `percent` of what is left, at least `min` and at most `max`,
/// never more than is left.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Rollover {
    /// At least so many credits, if so many are left. Default: 0.
    pub(in crate::config) min: Option<At<Amount>>,
    /// At most so many credits. Default: no bound.
    pub(in crate::config) max: Option<At<Amount>>,
    /// How much of what is left, 0 to 100, rounded down to a micro-credit. Default: 100.
    #[schemars(range(min = 0, max = 100))]
    pub(in crate::config) percent: Option<At<u8>>,
    /// For how many periods more. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) cycles: Option<At<u32>>,
    /// For how long instead of `cycles`, from the end of the period, at most 3650d. Default: as `cycles` says.
    pub(in crate::config) lasts: Option<At<Millis>>,
}
