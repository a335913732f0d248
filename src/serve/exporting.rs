//! The thread that writes the ledger's stream to files.
//!
//! Invariant: it ends after everything that could still write to the ledger.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::ledgers::Streamed;
use super::{Shared, runtime};
use crate::ledger::{StreamGauges, embedded, redis};
use crate::seam::{self, SystemVault};

/// How long the right to export lasts unless renewed, in milliseconds: so long nothing is exported from Redis when
/// an instance dies. An embedded ledger has one process.
const LEASE_MS: u64 = 15_000;

/// Starts the thread.
pub(super) fn start(shared: Shared, gauges: StreamGauges) -> io::Result<JoinHandle<()>> {
    let runtime = runtime()?;
    seam::thread("export", move || runtime.block_on(export(shared, gauges)))
}

async fn export(shared: Shared, gauges: StreamGauges) {
    let settings = shared.settings.store.export().clone();
    let (vault, entropy) = (Arc::new(SystemVault), shared.entropy.clone());
    let stop = shared.stop.export.clone();
    match shared.ledgers.stream() {
        Streamed::File(ledger) => {
            let export = embedded::Export { settings, vault, entropy, gauges };
            ledger.export(export, stop).await;
        }
        Streamed::Redis(ledger) => {
            let (instance, clock) = (shared.instance.clone(), shared.clock.clone());
            let lease_ms = LEASE_MS;
            let export =
                redis::Export { settings, instance, lease_ms, vault, clock, entropy, gauges };
            ledger.export(export, stop).await;
        }
    }
}
