//! Outcomes: what the upstream's answer means.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::Testable;
use crate::config::placed::{At, OneOrMore};
use crate::credit::Amount;
use crate::meter::{Class, StatusSet};
use crate::observe::Pointer;

/// One rule of what the upstream's answer means. All that it names must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Outcome {
    /// Statuses: 404, 4xx or 500-599. Default: any.
    #[serde(default)]
    pub(in crate::config) status: Vec<At<StatusSet>>,
    /// A header that must pass a test.
    pub(in crate::config) header: Option<HeaderTest>,
    /// A place in the JSON body, or in an event, that must pass a test; or a list of such places, which must all
    /// pass. Default: whatever the body says.
    #[serde(default)]
    pub(in crate::config) body: OneOrMore<BodyTest>,
    /// What the answer was.
    pub(in crate::config) class: At<Class>,
    /// What is charged.
    pub(in crate::config) charge: Charge,
}

/// A header and one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct HeaderTest {
    /// Which header.
    pub(in crate::config) name: At<HeaderName>,
    /// It must be this.
    pub(in crate::config) equals: Option<At<Testable>>,
    /// It must be one of these.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(in crate::config) any: Option<Vec<At<Testable>>>,
    /// It must begin so.
    pub(in crate::config) prefix: Option<At<String>>,
    /// It must be there, or not.
    pub(in crate::config) exists: Option<At<bool>>,
}

/// A place in a JSON body and one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BodyTest {
    /// Where.
    pub(in crate::config) at: At<Pointer>,
    /// It must be this.
    pub(in crate::config) equals: Option<At<Testable>>,
    /// It must be one of these.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(in crate::config) any: Option<Vec<At<Testable>>>,
    /// It must be a string that begins so.
    pub(in crate::config) prefix: Option<At<String>>,
    /// It must be there, or not.
    pub(in crate::config) exists: Option<At<bool>>,
    /// It must be an array with at least so many items.
    pub(in crate::config) items: Option<At<u64>>,
}

/// What an outcome costs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Charge {
    /// What the response's quantities come to.
    Settle,
    /// What was held.
    Full,
    /// Nothing; caps are given back.
    None,
    /// Nothing yet: the hold is kept until the `reconcile` time is over.
    Hold,
    /// A fee, at most what was held.
    Fee(At<Amount>),
}
