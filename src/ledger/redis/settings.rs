//! Where the Redis is and how it is spoken to.
//!
//! Invariant: a password is never printed.

use std::fmt;
use std::path::PathBuf;

/// A Redis or Valkey of version 7.0 or later that keeps a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which servers there are.
    pub topology: Topology,
    /// `None`: no TLS.
    pub tls: Option<Tls>,
    /// Who logs in at the data servers.
    pub login: Login,
    /// What every key begins with; letters, digits, `_`, `-`, `:`; may be empty.
    pub prefix: String,
    /// How long a lease runs unless renewed, in milliseconds; at least 1.
    pub lease_ms: u64,
    /// How long the record of an ended charge is kept, in milliseconds; longer than a late success may take.
    pub refundable_for_ms: u64,
    /// How long notes and explanations are kept beside it, in milliseconds.
    pub explained_for_ms: u64,
    /// How long calls may take.
    pub deadlines: Deadlines,
}

/// Which servers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single {
        /// Where.
        address: Address,
        /// The number of the database.
        database: u32,
    },
    /// The primary that Sentinels name.
    Sentinel {
        /// Where the Sentinels are; at least one.
        sentinels: Vec<Address>,
        /// Who logs in at the Sentinels.
        login: Login,
        /// The name under which they watch the primary.
        name: String,
        /// The number of the database.
        database: u32,
    },
    /// A cluster.
    Cluster {
        /// Some of its nodes; at least one. They name the others.
        seeds: Vec<Address>,
    },
}

/// A server's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Who logs in. Without a password nobody does.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; `None`: `default`.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?})", self.user.as_deref().unwrap_or("default"))
    }
}

/// How a server proves who it is, and we who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates that are trusted, as PEM; `None`: the public roots.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key, as PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// How long calls may take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To reach a server, TLS and login included.
    pub connect_ms: u64,
    /// For `reserve` and `quote`: a client waits.
    pub reserve_ms: u64,
    /// For everything else.
    pub other_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect_ms: 2_000, reserve_ms: 250, other_ms: 2_000 }
    }
}

impl Settings {
    /// One server without TLS or login, and the defaults.
    #[must_use]
    pub fn at(host: &str, port: u16) -> Self {
        let address = Address { host: host.to_owned(), port };
        Self {
            topology: Topology::Single { address, database: 0 },
            tls: None,
            login: Login::default(),
            prefix: "tollgate:".to_owned(),
            lease_ms: 60_000,
            refundable_for_ms: 30 * 24 * 60 * 60 * 1_000,
            explained_for_ms: 24 * 60 * 60 * 1_000,
            deadlines: Deadlines::default(),
        }
    }
}
