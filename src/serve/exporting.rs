//! The thread that writes the ledger's stream to files, where the ledger is in Redis.
//!
//! Invariant: it ends after everything that could still write to the ledger.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Shared, runtime};
use crate::config::StoreSettings;
use crate::ledger::StreamGauges;
use crate::ledger::redis::Export;
use crate::seam::{self, SystemVault};

/// How long the right to export lasts unless renewed, in milliseconds: so long nothing is exported when an
/// instance dies.
const LEASE_MS: u64 = 15_000;

/// What is shown of the stream; `None`: the store has none.
pub(super) fn gauges(store: &StoreSettings) -> Option<StreamGauges> {
    matches!(store, StoreSettings::Redis { .. }).then(StreamGauges::default)
}

/// Starts the thread, where there is a stream.
pub(super) fn start(
    shared: Shared,
    gauges: Option<StreamGauges>,
) -> io::Result<Option<JoinHandle<()>>> {
    let StoreSettings::Redis { export, .. } = &shared.settings.store else { return Ok(None) };
    let Some(gauges) = gauges else { return Ok(None) };
    let export = Export {
        settings: export.clone(),
        instance: shared.instance.clone(),
        lease_ms: LEASE_MS,
        vault: Arc::new(SystemVault),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        gauges,
    };
    let runtime = runtime()?;
    let work = move || {
        runtime.block_on(async {
            if let Some(ledger) = shared.ledgers.stream() {
                ledger.export(export, shared.stop.export.clone()).await;
            }
        });
    };
    seam::thread("export", work).map(Some)
}
