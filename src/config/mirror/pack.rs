//! Packs: credits that are sold.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Millis;
use crate::config::placed::At;
use crate::credit::{Amount, Kind, Name, Paid};

/// Credits that are sold by a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Pack {
    /// What sort of credit. Default: credits.
    pub(in crate::config) kind: Option<At<Kind>>,
    /// How many credits; never 0.
    pub(in crate::config) credits: At<Amount>,
    /// What it costs: an amount and a currency (ISO 4217), such as `5.00 USD`; never 0.
    pub(in crate::config) price: At<Paid>,
    /// How long its credits live, at most 3650d. Default: for ever.
    pub(in crate::config) expires_after: Option<At<Millis>>,
    /// What comes with it. Default: nothing.
    pub(in crate::config) bonus: Option<PackBonus>,
    /// The routes or features that it may pay for. Default: all.
    #[serde(default)]
    pub(in crate::config) only: Vec<At<Name>>,
}

/// What comes with a pack.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PackBonus {
    /// How many credits more; never 0.
    pub(in crate::config) credits: At<Amount>,
    /// How long they live, at most 3650d. Default: as long as the pack's own.
    pub(in crate::config) expires_after: Option<At<Millis>>,
}
