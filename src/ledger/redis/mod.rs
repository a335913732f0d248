//! Many gateways, one ledger: the rules as scripts inside Redis or Valkey, 7.0 or later.
//!
//! Invariant: a verb is one script, one round trip, all or nothing.

mod check;
mod create;
mod epoch;
#[allow(dead_code)]
mod keys;
#[allow(dead_code, clippy::unimplemented)]
mod link;
mod plain;
mod settings;

pub use check::examine;
pub use create::{CreateError, create};
pub use settings::{Address, Deadlines, ExportSettings, Login, Settings, Tls, Topology};
