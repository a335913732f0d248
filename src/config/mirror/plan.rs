//! Plans: allowances, caps and limits.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Millis;
use crate::config::placed::At;
use crate::credit::{Amount, Every, Kind, Measure, Name, ScopeKind};

/// What an account of this plan has a right to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Plan {
    /// Credits that come by themselves. Default: none.
    pub(in crate::config) allowances: Vec<Allowance>,
    /// Limits per day or month. Default: none.
    pub(in crate::config) caps: Vec<Cap>,
    /// Limits on how many generations run at once. Default: none.
    pub(in crate::config) concurrency: Vec<Concurrency>,
    /// Limits on how fast requests come. Default: none.
    pub(in crate::config) rate: Vec<Rate>,
    /// The routes that it may use, by name. Default: all.
    pub(in crate::config) routes: Option<Vec<At<Name>>>,
    /// The most credits that an account may owe per kind. Default: its largest hold among open debts.
    pub(in crate::config) max_debt: Option<At<Amount>>,
}

/// Credits of a period, which end with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Allowance {
    /// Its name; the grant is called `name@period`.
    pub(in crate::config) name: At<Name>,
    /// What sort of credit it gives. Default: credits.
    pub(in crate::config) kind: Option<At<Kind>>,
    /// Whether it is drawn first or last. Default: plan.
    pub(in crate::config) class: Option<At<GrantClass>>,
    /// Its place among allowances of its class: lower is drawn first. Default: 0.
    pub(in crate::config) priority: Option<At<u8>>,
    /// How many credits for each period; never 0.
    pub(in crate::config) amount: At<Amount>,
    /// How long a period is.
    pub(in crate::config) every: At<Every>,
}

/// The class of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum GrantClass {
    Plan,
    Free,
}

/// A limit on requests or credits per period.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Cap {
    /// Its name, as clients see it.
    pub(in crate::config) name: At<Name>,
    /// What it counts.
    pub(in crate::config) measure: At<Measure>,
    /// For `measure: credits`: of which kind. Default: credits.
    pub(in crate::config) kind: Option<At<Kind>>,
    /// How many: a whole number of requests, or an amount of credits.
    pub(in crate::config) limit: At<Amount>,
    /// Per day or month.
    pub(in crate::config) every: At<Every>,
    /// What it counts over. Default: account.
    pub(in crate::config) scope: Option<At<ScopeKind>>,
    /// The routes or features that it is for. Default: all.
    #[serde(default)]
    pub(in crate::config) only: Vec<At<Name>>,
    /// Whether requests that were not billed are given back. Default: true; `false` counts attempts.
    pub(in crate::config) refundable: Option<At<bool>>,
}

/// A limit on how many generations run at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Concurrency {
    /// Its name, as clients see it.
    pub(in crate::config) name: At<Name>,
    /// How many.
    #[schemars(range(min = 1))]
    pub(in crate::config) limit: At<u32>,
    /// What it counts over. Default: account.
    pub(in crate::config) scope: Option<At<ScopeKind>>,
    /// The routes or features that it is for. Default: all.
    #[serde(default)]
    pub(in crate::config) only: Vec<At<Name>>,
}

/// A limit on how fast requests come: `burst` at once, then `requests` for each `per`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Rate {
    /// Its name, as clients see it.
    pub(in crate::config) name: At<Name>,
    /// How many requests for each `per`.
    #[schemars(range(min = 1))]
    pub(in crate::config) requests: At<u32>,
    /// The length of the window, at most a day.
    pub(in crate::config) per: At<Millis>,
    /// How many may come at once. Default: as many as `requests`.
    #[schemars(range(min = 1))]
    pub(in crate::config) burst: Option<At<u32>>,
    /// What it counts over. Default: account.
    pub(in crate::config) scope: Option<At<ScopeKind>>,
    /// The routes or features that it is for. Default: all.
    #[serde(default)]
    pub(in crate::config) only: Vec<At<Name>>,
}
