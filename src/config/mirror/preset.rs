//! Presets: what a known API looks like.
//!
//! Invariant: says nothing of this gateway (no upstream of its own, no secret, no plan).

use schemars::JsonSchema;

use super::{Job, Price, Route};
use crate::config::format;
use crate::config::placed::{At, Named};

/// A preset: the routes of a known API, for a configuration to `use`.
#[derive(Debug, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Preset")]
#[expect(
    dead_code,
    reason = "its tree becomes part of the configuration's; only its schema is asked for"
)]
pub(in crate::config) struct Preset {
    /// The upstreams that the configuration has to have, by the names that the routes call them.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) wants: Named<Wanted>,
    /// Example prices. The configuration's own of the same name go before them.
    #[serde(default)]
    pub(in crate::config) prices: Named<Price>,
    /// Work that outlives its request.
    #[serde(default)]
    pub(in crate::config) jobs: Vec<Job>,
    /// What clients may ask for.
    #[schemars(length(min = 1))]
    pub(in crate::config) routes: Vec<Route>,
}

/// An upstream that a configuration has to have.
#[derive(Debug, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "as the preset")]
pub(in crate::config) struct Wanted {
    /// Its base URL, as its maker documents it.
    pub(in crate::config) url: At<format::Upstream>,
    /// The header that takes its key. Default: `Authorization`, as a bearer's.
    pub(in crate::config) header: Option<At<http::HeaderName>>,
    /// Other hosts of its own that stand in its answers. Default: none.
    #[serde(default)]
    pub(in crate::config) hosts: Vec<At<format::Host>>,
}
