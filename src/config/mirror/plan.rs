//! Plans: what they give, what they allow, and their limits.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Allowance, OptionRight};
use crate::config::format::{Bytes, Millis};
use crate::config::placed::{At, Named};
use crate::credit::{Amount, Class, Every, Kind, Measure, Name, ScopeKind};

/// What an account of this plan has a right to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Plan {
    /// Credits that come by themselves. Default: none.
    pub(in crate::config) allowances: Vec<Allowance>,
    /// In which order classes of credit pay, each of them once; debt never pays. Default: rollover, plan,
    /// goodwill, bonus, purchased, free.
    #[schemars(length(min = 1))]
    pub(in crate::config) draw_order: Option<Vec<At<Class>>>,
    /// Limits per day, week or month. Default: none.
    pub(in crate::config) caps: Vec<Cap>,
    /// Limits on how many generations run at once. Default: none.
    pub(in crate::config) concurrency: Vec<Concurrency>,
    /// Limits on how fast requests come. Default: none.
    pub(in crate::config) rate: Vec<Rate>,
    /// The routes that it may use, by name. Default: all; with `features`, only theirs.
    pub(in crate::config) routes: Option<Vec<At<Name>>>,
    /// The features whose routes it may use, beside those of `routes`. Default: all; with `routes`, none.
    pub(in crate::config) features: Option<Vec<At<Name>>>,
    /// The routes or features that it may not use, whatever `routes` and `features` say. Default: none.
    pub(in crate::config) refuse: Vec<At<Name>>,
    /// Which values of quantities it may use, by the quantity's name. Default: all.
    pub(in crate::config) options: Named<OptionRight>,
    /// The largest request body by route or feature, instead of the route's own; a route's name goes before its
    /// feature's. Default: as each route says.
    pub(in crate::config) body_limits: Named<At<Bytes>>,
    /// The most credits that an account may owe per kind. Default: its largest hold among open debts.
    pub(in crate::config) max_debt: Option<At<Amount>>,
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
    /// Per day, week or month. A cap of this name in another plan is the same cap: it counts the same.
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
