//! One accepted configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use crate::admin::Token;
use crate::ledger::{ExportSettings, embedded, redis};
use crate::meter::{HookKeys, Rules};
use crate::proxy::ProxySettings;
use crate::tls::ServerFiles;

/// Everything that a file said, resolved.
#[derive(Debug)]
pub struct Settings {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// TLS for them.
    pub tls: Option<ServerFiles>,
    /// The networks of load balancers that speak the PROXY protocol.
    pub proxy_protocol: Vec<IpNet>,
    /// How many cores serve; at least 1.
    pub cores: usize,
    /// Where the ledger lies.
    pub store: StoreSettings,
    /// The operators' API; `None`: there is none.
    pub admin: Option<AdminSettings>,
    /// Routes, prices and plans.
    pub rules: Arc<Rules>,
    /// Upstreams and limits.
    pub proxy: Arc<ProxySettings>,
}

impl Settings {
    /// The keys that webhooks are signed with, as far as there may be any.
    #[must_use]
    pub fn hook_keys(&self) -> Vec<Arc<HookKeys>> {
        let wrapped = self.rules.jobs.iter().filter(|_| self.proxy.webhooks.is_some());
        let wrapped = wrapped.filter_map(|job| job.webhook.as_ref()).map(|hook| &hook.proof);
        let received = self.proxy.receivers.iter().map(|receiver| &receiver.proof);
        wrapped.chain(received).filter_map(|proof| proof.keys.clone()).collect()
    }
}

/// Where the ledger lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    /// A folder of this machine, which also holds the journals.
    Embedded {
        /// The folder; made if it is not there.
        path: PathBuf,
        /// How long a lease runs unless renewed, in milliseconds.
        lease_ms: u64,
        /// The ledger stream's files.
        export: ExportSettings,
        /// Whether its clock may be set forward.
        test_clock: bool,
    },
    /// Redis or Valkey.
    Redis {
        /// Where it is and how it is spoken to.
        redis: Box<redis::Settings>,
        /// This instance's own folder, which holds its journals; made if it is not there.
        folder: PathBuf,
        /// The ledger stream's files.
        export: ExportSettings,
        /// Whether its clock may be set forward.
        test_clock: bool,
    },
}

impl StoreSettings {
    /// How long a lease runs unless renewed, in milliseconds.
    #[must_use]
    pub const fn lease_ms(&self) -> u64 {
        match self {
            Self::Embedded { lease_ms, .. } => *lease_ms,
            Self::Redis { redis, .. } => redis.lease_ms,
        }
    }

    /// Whether the ledger's clock may be set forward: it was made for tests.
    #[must_use]
    pub const fn test_clock(&self) -> bool {
        match self {
            Self::Embedded { test_clock, .. } | Self::Redis { test_clock, .. } => *test_clock,
        }
    }

    /// How long the record of a charge is surely kept, in milliseconds.
    #[must_use]
    pub const fn charges_kept_ms(&self) -> u64 {
        match self {
            Self::Embedded { .. } => embedded::CHARGES_KEPT_MS,
            Self::Redis { redis, .. } => redis.refundable_for_ms,
        }
    }

    /// The ledger stream's files.
    #[must_use]
    pub const fn export(&self) -> &ExportSettings {
        match self {
            Self::Embedded { export, .. } | Self::Redis { export, .. } => export,
        }
    }

    /// The folder that is this instance's own, with its journals.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::Embedded { path, .. } => path,
            Self::Redis { folder, .. } => folder,
        }
    }
}

/// The operators' API.
#[derive(Debug)]
pub struct AdminSettings {
    /// Where operators connect.
    pub listen: SocketAddr,
    /// TLS for them.
    pub tls: Option<ServerFiles>,
    /// Who they are, by what they show as `Authorization: Bearer`.
    pub tokens: Vec<Token>,
    /// The names that they may use for this listener, beside addresses and `localhost`.
    pub hosts: Vec<String>,
}
