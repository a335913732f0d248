//! Rights: which values of quantities a plan has.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Scalar;
use crate::config::placed::At;
use crate::credit::Decimal;

/// Which values of a quantity a plan has, on every route whose requests say it. What is not said is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(in crate::config) struct OptionRight {
    /// The only values that it may have. Default: any.
    #[schemars(length(min = 1))]
    pub(in crate::config) allow: Option<Vec<At<Scalar>>>,
    /// The values that it may not have. Default: none.
    #[schemars(length(min = 1))]
    pub(in crate::config) refuse: Option<Vec<At<Scalar>>>,
    /// The least that a number may be. Default: as the route says.
    pub(in crate::config) minimum: Option<At<Decimal>>,
    /// The most that a number may be. Default: as the route says.
    pub(in crate::config) maximum: Option<At<Decimal>>,
}
