//! Prices: lines of quantities times a rate.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Scalar;
use crate::config::placed::At;
use crate::credit::{Amount, Kind, Name, Rounding};

/// What a unit of work costs: the sum of its lines, within minimum and maximum.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Price {
    /// The kind of credit that it is paid in. Default: credits.
    pub(in crate::config) kind: Option<At<Kind>>,
    /// What is added up.
    #[schemars(length(min = 1, max = 64))]
    pub(in crate::config) lines: Vec<Line>,
    /// The sum is raised to at least this. Default: 0.
    pub(in crate::config) minimum: Option<At<Amount>>,
    /// The sum is lowered to at most this. Default: no bound.
    pub(in crate::config) maximum: Option<At<Amount>>,
}

/// The product of its quantities, in steps of `per`, times a rate. It needs either `rate` or `table`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Line {
    /// What the receipt calls it.
    pub(in crate::config) label: At<String>,
    /// The quantities that are multiplied. Default: none, a flat fee.
    #[serde(default)]
    pub(in crate::config) quantities: Vec<At<Name>>,
    /// How many units the rate is for: 60 for a rate per minute of seconds. Default: 1.
    #[schemars(range(min = 1))]
    pub(in crate::config) per: Option<At<u64>>,
    /// What becomes of a part of a step. Default: exact.
    pub(in crate::config) rounding: Option<At<Rounding>>,
    /// What a step costs, always.
    pub(in crate::config) rate: Option<At<Amount>>,
    /// What a step costs, by the values of quantities.
    pub(in crate::config) table: Option<Table>,
}

/// Rates by the values of quantities. The first row that matches wins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Table {
    /// The quantities that are compared; `plan` is the account's plan.
    #[schemars(length(min = 1, max = 8))]
    pub(in crate::config) by: Vec<At<Name>>,
    /// The rows, in order.
    #[schemars(length(min = 1, max = 1000))]
    pub(in crate::config) rows: Vec<Row>,
    /// The rate where no row matches. Default: such a request is refused.
    pub(in crate::config) otherwise: Option<At<Amount>>,
}

/// One row of a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Row {
    /// What each quantity of `by` must be, in that order; `"*"` is any value.
    #[schemars(length(min = 1))]
    pub(in crate::config) when: Vec<At<Scalar>>,
    /// What a step costs then.
    pub(in crate::config) rate: At<Amount>,
}
