//! The file as a whole: listeners, limits.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Admin, Identity, Issuer, Job, Keys, Pack, Plan, PresetUse, Price, Route, Store, Upstream,
    Webhooks,
};
use crate::config::format::{Bytes, Millis, Origin, PresetPath};
use crate::config::placed::{At, Named, TextOr};
use crate::credit::Name;
use crate::meter::Dialect;
use crate::tls::{ClientCertificates, Version};

/// The configuration of Tollgate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tollgate")]
pub(in crate::config) struct File {
    /// Where clients connect. Default: 127.0.0.1:8080.
    pub(in crate::config) listen: Option<At<SocketAddr>>,
    /// TLS for clients. Default: none; HTTP in clear.
    pub(in crate::config) tls: Option<ListenerTls>,
    /// Load balancers that say who the client is by the PROXY protocol. Default: none.
    pub(in crate::config) proxy_protocol: Option<ProxyProtocol>,
    /// The name of this gateway in `Via`. A request that already names it there goes in a circle and is
    /// refused, so gateways behind each other need different names. Default: tollgate.
    pub(in crate::config) via: Option<At<Name>>,
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
    /// In whose error shape refusals are told that have no route (unknown routes, the client plane, the flood
    /// guard), and those of routes that do not say it themselves. Default: openai.
    pub(in crate::config) dialect: Option<At<Dialect>>,
    /// The networks whose `X-Forwarded-For` is believed. Default: none.
    #[serde(default)]
    pub(in crate::config) trusted_proxies: Vec<At<IpNet>>,
    /// Bounds on what a client may send and on what runs at once.
    #[serde(default)]
    pub(in crate::config) limits: Limits,
    /// The local flood guard.
    #[serde(default)]
    pub(in crate::config) flood: Flood,
    /// Scheme and host by which clients and upstreams reach this gateway: https://ai.example.com. Default:
    /// what each request says of it; webhooks need it.
    pub(in crate::config) public_url: Option<At<Origin>>,
    /// What all webhooks have in common.
    #[serde(default)]
    pub(in crate::config) webhooks: Webhooks,
    /// The services that do the work, by name. Presets say which they want.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) upstreams: Named<Upstream>,
    /// What accounts have a right to, by the plan's name.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) plans: Named<Plan>,
    /// How many accounts of one person may have free credits; further ones get none. Default: 2.
    #[schemars(range(min = 0, max = 1000))]
    pub(in crate::config) free_accounts_per_person: Option<At<u32>>,
    /// What is sold, by the pack's name. Default: nothing.
    #[serde(default)]
    pub(in crate::config) packs: Named<Pack>,
    /// What work costs, by the price's name.
    #[serde(default)]
    pub(in crate::config) prices: Named<Price>,
    /// Work that outlives its request. One with the name of a preset's job stands in its place. Default: those
    /// of `use`.
    #[serde(default)]
    pub(in crate::config) jobs: Vec<Job>,
    /// What clients may ask for. The most specific match wins, whatever the order. One with the name of a
    /// preset's route stands in its place. Default: those of `use`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(in crate::config) routes: Vec<Route>,
    /// Presets: files that bring the routes of a known API with their example prices, such as
    /// `apis/replicate.yaml`. A file of that path beside this one goes before the one that is built in. What
    /// this file says of the same name (a route, a price) stands in the preset's place. A mapping places a preset
    /// below a `prefix`, at `hosts`, or under names that begin with `as`. Default: none.
    #[serde(default, rename = "use")]
    #[schemars(length(max = 100))]
    #[expect(dead_code, reason = "is taken from the tree, before there is a mirror")]
    pub(in crate::config) presets: Vec<TextOr<PresetPath, PresetUse>>,
    /// Routes of presets that are left out. Default: none.
    #[serde(default)]
    #[expect(dead_code, reason = "is taken from the tree, before there is a mirror")]
    pub(in crate::config) without: Vec<At<Name>>,
}

/// TLS on a listener. Its files are read again when they change; a broken one leaves the old in force.
/// Relative paths begin at the folder of this file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ListenerTls {
    /// A file with our certificate, and those between it and its root, as PEM.
    pub(in crate::config) certificate_file: At<String>,
    /// A file with its key, as PEM.
    pub(in crate::config) key_file: At<String>,
    /// A file of PEM certificates of those who vouch for clients. Default: none; clients are not asked for
    /// a certificate.
    pub(in crate::config) client_ca_file: Option<At<String>>,
    /// Whether a client must show a certificate, where `client_ca_file` says who vouches for it. Default:
    /// required.
    pub(in crate::config) client_certificates: Option<At<ClientCertificates>>,
    /// The oldest version that is spoken: 1.2 or 1.3. Default: 1.2.
    pub(in crate::config) minimum_version: Option<At<Version>>,
}

/// The PROXY protocol, version 1 and 2, before TLS and HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ProxyProtocol {
    /// The networks of the load balancers. Who connects from there must send the header, and the address in
    /// it is the client's; from anywhere else it is not read.
    #[schemars(length(min = 1))]
    pub(in crate::config) from: Vec<At<IpNet>>,
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
    /// How long a new connection may take until it speaks HTTP: PROXY header and TLS handshake. Default:
    /// 10s.
    pub(in crate::config) handshake: Option<At<Millis>>,
    /// How long the head of a request may take from its first byte, and a new connection to send that. Default:
    /// 10s.
    pub(in crate::config) head: Option<At<Millis>>,
    /// How long a connection may wait for its next request; longer than the load balancer before it waits.
    /// Default: 75s.
    pub(in crate::config) idle: Option<At<Millis>>,
    /// How long a body may take that is read before it is priced. Default: 30s.
    pub(in crate::config) body: Option<At<Millis>>,
    /// How long such a body may take if it may lie on the disk. Default: 10m.
    pub(in crate::config) upload: Option<At<Millis>>,
    /// How long a client may leave a part of an answer untaken before it counts as gone. Default: 60s.
    pub(in crate::config) stall: Option<At<Millis>>,
    /// How many bytes a second a body must bring at least, over the time that it is waited for and after the
    /// first five seconds; 0B: as slow as it likes. Default: 240B.
    pub(in crate::config) body_rate: Option<At<Bytes>>,
    /// The largest head of a request, from 8KiB to 1MiB. Default: 64KiB.
    pub(in crate::config) head_bytes: Option<At<Bytes>>,
    /// The most headers of a request. Default: 100.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) headers: Option<At<u32>>,
    /// The most requests of one core at once, over all its connections. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) requests: Option<At<u32>>,
    /// The most requests of one HTTP/2 connection at once. Default: 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::config) streams: Option<At<u32>>,
    /// How many streams of an HTTP/2 connection may be reset before they were looked at; with more it is
    /// closed. Default: 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::config) resets: Option<At<u32>>,
    /// How many malformed streams one HTTP/2 connection may have; with more it is closed. Default: 1024.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) stream_errors: Option<At<u32>>,
    /// After which silence an HTTP/2 client is asked for a sign of life, and how long it may take to give
    /// one. Default: 30s.
    pub(in crate::config) ping: Option<At<Millis>>,
    /// The most exchanges of one core at once. Default: 4096.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) exchanges: Option<At<u32>>,
    /// The most client connections of one core at once. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) connections: Option<At<u32>>,
    /// The most bytes of bodies that are read before they are priced, of one core at once, at least the
    /// largest `body_limit`. Default: 256MiB.
    pub(in crate::config) bodies: Option<At<Bytes>>,
    /// The most bytes of such bodies that lie on the disk, of one core at once, at least the largest
    /// `body_limit`: forms and bodies of which only the size is priced, beyond their first 256KiB. Default: 1GiB.
    pub(in crate::config) spool: Option<At<Bytes>>,
    /// The folder for these, in files without a name. Default: the folder of the `store`.
    pub(in crate::config) spool_folder: Option<At<String>>,
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
