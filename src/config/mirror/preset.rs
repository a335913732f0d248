//! Presets: what a known API looks like.
//!
//! Invariant: says nothing of this gateway (no upstream of its own, no secret, no plan).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Job, Price, Route};
use crate::config::format::{self, BasePath, PresetPath};
use crate::config::placed::{At, Named};
use crate::credit::Name;
use crate::meter::HostPattern;

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

/// A preset, and where it stands in this gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "is taken from the tree, before there is a mirror")]
pub(in crate::config) struct PresetUse {
    /// The preset's path.
    pub(in crate::config) preset: At<PresetPath>,
    /// A path that stands before those of all its routes and is taken off before the upstream sees it, as in /fal.
    /// Default: none.
    pub(in crate::config) prefix: Option<At<BasePath>>,
    /// The hosts that requests to its routes must be for. Default: any host, or as its routes say.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(in crate::config) hosts: Vec<At<HostPattern>>,
    /// What its names (of routes, jobs, prices and the upstreams that it wants) begin with, before a `-`: so that two
    /// presets of the same names, or one preset twice, stand beside each other. Default: they stay.
    #[serde(rename = "as")]
    pub(in crate::config) name: Option<At<Name>>,
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
