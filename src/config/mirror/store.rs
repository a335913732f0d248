//! Where the ledger lies: in a folder of this machine, or in Redis.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use crate::config::format::{Bytes, Millis, Prefix, RedisUrl};
use crate::config::placed::{At, TextOr};
use crate::ledger::redis::Address;

/// Where the ledger lies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Store {
    /// In a folder of this machine.
    Embedded(Embedded),
    /// In Redis or Valkey, 7.0 or later, which many instances share.
    Redis(Box<Redis>),
}

/// A ledger in a folder of this machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Embedded {
    /// The folder; made if it is not there. Relative paths begin at the folder of this file.
    pub(in crate::config) path: At<String>,
    /// What an acknowledged write survives. Default: power.
    pub(in crate::config) durability: Option<At<Durability>>,
    /// How long a running request keeps its slot and its hold after the last sign of life; at least 1s.
    /// Default: 60s.
    pub(in crate::config) lease: Option<At<Millis>>,
    /// Whether its clock may be set forward by an operator: for trying things out, never for money. A ledger is
    /// made so or otherwise, once. Default: false.
    pub(in crate::config) test_clock: Option<At<bool>>,
    /// The ledger stream's files.
    #[serde(default)]
    pub(in crate::config) export: Export,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Durability {
    Power,
    Process,
}

/// A ledger in Redis or Valkey. Exactly one of `url`, `sentinel` and `cluster` says where it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Redis {
    /// One server: `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS. With a
    /// password in it a reference to where it is kept, otherwise also the URL itself.
    pub(in crate::config) url: Option<TextOr<RedisUrl, Secret>>,
    /// The primary that Sentinels name.
    pub(in crate::config) sentinel: Option<Sentinel>,
    /// Some nodes of a cluster; they name the others.
    #[schemars(length(min = 1))]
    pub(in crate::config) cluster: Option<Vec<At<Address>>>,
    /// The ACL user. Default: `default`, or the URL's.
    pub(in crate::config) user: Option<At<String>>,
    /// The password. Default: none, or the URL's.
    pub(in crate::config) password: Option<Secret>,
    /// The number of the database; a cluster has only 0. Default: 0, or the URL's.
    pub(in crate::config) database: Option<At<u32>>,
    /// TLS; `{}` is TLS with the public roots. Default: only for `rediss://`.
    pub(in crate::config) tls: Option<Tls>,
    /// What the name of every key begins with. Default: "tollgate:".
    pub(in crate::config) prefix: Option<At<Prefix>>,
    /// This instance's own folder, with its journals and its name; made if it is not there. Relative paths
    /// begin at the folder of this file.
    pub(in crate::config) state: At<String>,
    /// How long a running request keeps its slot and its hold after the last sign of life; at least 1s.
    /// Default: 60s.
    pub(in crate::config) lease: Option<At<Millis>>,
    /// How long the record of an ended charge is kept, from 2h to 400d. Default: 30d.
    pub(in crate::config) refundable_for: Option<At<Millis>>,
    /// How long its explanation is kept, at most as long as the record; the ledger stream keeps it for
    /// ever. Default: 24h.
    pub(in crate::config) explained_for: Option<At<Millis>>,
    /// Whether its clock may be set forward by an operator: only for a ledger that was made with
    /// `tollgate ledger create --for-tests`. Default: false.
    pub(in crate::config) test_clock: Option<At<bool>>,
    /// How long calls may take.
    #[serde(default)]
    pub(in crate::config) deadlines: Deadlines,
    /// The ledger stream's files.
    #[serde(default)]
    pub(in crate::config) export: Export,
}

/// Sentinels, and the name under which they watch the primary.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Sentinel {
    /// Where they are.
    #[schemars(length(min = 1))]
    pub(in crate::config) addresses: Vec<At<Address>>,
    /// What they call the primary.
    pub(in crate::config) name: At<String>,
    /// The ACL user at the Sentinels. Default: `default`.
    pub(in crate::config) user: Option<At<String>>,
    /// The password at the Sentinels. Default: none.
    pub(in crate::config) password: Option<Secret>,
}

/// How a server proves who it is, and we who we are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Tls {
    /// A file of PEM certificates to trust. Default: the public roots.
    pub(in crate::config) ca_file: Option<At<String>>,
    /// A file with our own certificate, as PEM. Default: none.
    pub(in crate::config) certificate_file: Option<At<String>>,
    /// A file with its key, as PEM. Default: none.
    pub(in crate::config) key_file: Option<At<String>>,
}

/// How long calls may take; each at most 1m.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Deadlines {
    /// To reach a server, TLS and login included. Default: 2s.
    pub(in crate::config) connect: Option<At<Millis>>,
    /// For a reserve, for which a client waits. Default: 250ms.
    pub(in crate::config) reserve: Option<At<Millis>>,
    /// For everything else. Default: 2s.
    pub(in crate::config) other: Option<At<Millis>>,
}

/// The ledger stream's files: one JSON object for each line and each change of the ledger.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Export {
    /// Their folder; made if it is not there. Default: `ledger-stream` in the folder `path` of an embedded ledger, in
    /// the folder `state` beside Redis.
    pub(in crate::config) path: Option<At<String>>,
    /// The size at which the next file is begun, at least 1MiB. Default: 64MiB.
    pub(in crate::config) rotate: Option<At<Bytes>>,
    /// At how many entries that wait in the ledger an alarm is raised; an embedded ledger keeps at most 1000000 and
    /// drops the oldest of more. Default: 100000.
    #[schemars(range(min = 1))]
    pub(in crate::config) alarm: Option<At<u32>>,
}
