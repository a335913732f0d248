//! How far the ledger's stream and its export have come, told by whoever exports it.
//!
//! Invariant: an instance that exports nothing tells nothing, rather than zero.

use std::sync::Arc;

use crate::count::Gauge;

/// Set by the exporter, read by whoever shows metrics; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StreamGauges(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: Gauge,
    exported: Gauge,
    dropped: Gauge,
}

impl StreamGauges {
    /// So many entries lie in the stream.
    pub fn set_entries(&self, count: u64) {
        self.0.entries.set(count);
    }

    /// So many have been exported since the start of this instance; it must never go down.
    pub fn set_exported(&self, count: u64) {
        self.0.exported.set(count);
    }

    /// So many were dropped unexported since the ledger was made, as there were too many; it must never go down.
    pub fn set_dropped(&self, count: u64) {
        self.0.dropped.set(count);
    }

    /// How many entries lie in the stream.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.entries.value()
    }

    /// How many have been exported.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.0.exported.value()
    }

    /// How many were dropped unexported.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.value()
    }
}
