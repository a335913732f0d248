//! The file as a whole: listeners, limits.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Identity, Issuer, Keys, Plan, Price, Route, Secret, Store, Upstream};
use crate::config::format::{Bytes, Millis};
use crate::config::placed::{At, Named};

/// The configuration of Tollgate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tollgate")]
pub(in crate::config) struct File {
    /// Where clients connect. Default: 127.0.0.1:8080.
    pub(in crate::config) listen: Option<At<SocketAddr>>,
    /// How many cores serve. Default: as many as there are.
    #[schemars(range(min = 1, max = 1024))]
    pub(in crate::config) cores: Option<At<u32>>,
    /// Where the ledger lies.
    pub(in crate::config) store: Store,
    /// The operators' API. Default: there is none.
    pub(in crate::config) admin: Option<Admin>,
    /// Where a request carries its key, and how keys look.
    #[serde(default)]
    pub(in crate::config) keys: Keys,
    /// Who signs tokens (JWT) that are believed, by a name. Default: nobody.
    #[serde(default)]
    pub(in crate::config) issuers: Named<Issuer>,
    /// Other ways of naming an account.
    #[serde(default)]
    pub(in crate::config) identity: Identity,
    /// The clients' own API.
    #[serde(default)]
    pub(in crate::config) client_plane: ClientPlane,
    /// The networks whose `X-Forwarded-For` is believed. Default: none.
    #[serde(default)]
    pub(in crate::config) trusted_proxies: Vec<At<IpNet>>,
    /// Bounds on what a client may send and on what runs at once.
    #[serde(default)]
    pub(in crate::config) limits: Limits,
    /// The local flood guard.
    #[serde(default)]
    pub(in crate::config) flood: Flood,
    /// The services that do the work, by name.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) upstreams: Named<Upstream>,
    /// What accounts have a right to, by the plan's name.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) plans: Named<Plan>,
    /// What work costs, by the price's name.
    #[serde(default)]
    pub(in crate::config) prices: Named<Price>,
    /// What clients may ask for. The most specific match wins, whatever the order.
    #[schemars(length(min = 1))]
    pub(in crate::config) routes: Vec<Route>,
}

/// The operators' API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Admin {
    /// Where operators connect. Default: 127.0.0.1:8081.
    pub(in crate::config) listen: Option<At<SocketAddr>>,
    /// What they show as `Authorization: Bearer`; at least 16 characters.
    pub(in crate::config) token: Secret,
}

/// The clients' own API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ClientPlane {
    /// The path that it lies under. Default: /_credits.
    pub(in crate::config) prefix: Option<At<String>>,
}

/// Bounds on what a client may send and on what runs at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Limits {
    /// How long the head of a request may take. Default: 10s.
    pub(in crate::config) head: Option<At<Millis>>,
    /// How long a body may take that is read before it is priced. Default: 30s.
    pub(in crate::config) body: Option<At<Millis>>,
    /// The largest head of a request, from 8KiB to 1MiB. Default: 64KiB.
    pub(in crate::config) head_bytes: Option<At<Bytes>>,
    /// The most headers of a request. Default: 100.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) headers: Option<At<u32>>,
    /// The most exchanges of one core at once. Default: 4096.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) exchanges: Option<At<u32>>,
    /// The most client connections of one core at once. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) connections: Option<At<u32>>,
    /// The most bytes of bodies that are read before they are priced, of one core at once, at least the
    /// largest `body_limit`. Default: 256MiB.
    pub(in crate::config) bodies: Option<At<Bytes>>,
    /// How long running exchanges are waited for at shutdown. Default: 30s.
    pub(in crate::config) drain: Option<At<Millis>>,
}

/// The local flood guard.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Flood {
    /// Requests per second from one address. Default: 1000.
    #[schemars(range(min = 1))]
    pub(in crate::config) per_address: Option<At<u32>>,
    /// Wrong keys per minute from one address before it is refused unread. Default: 30.
    #[schemars(range(min = 1))]
    pub(in crate::config) failures: Option<At<u32>>,
    /// How many addresses are remembered at most. Default: 65536.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub(in crate::config) entries: Option<At<u32>>,
}
