//! Many gateways, one ledger: the rules as scripts inside Redis or Valkey, 7.0 or later.
//!
//! Invariant: a verb is one script, one round trip, all or nothing.

#[expect(dead_code, reason = "the verbs come next")]
mod keys;
#[cfg_attr(not(test), expect(dead_code, reason = "the verbs come next"))]
mod link;
mod settings;

pub use settings::{Address, Deadlines, Login, Settings, Tls, Topology};
