//! How each thread reaches the ledger: the embedded one is shared, one in Redis is a connection of the
//! thread's own, on its own runtime.
//!
//! Invariant: a store that would lose credits by its settings, or that has lost its ledger, is not served.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::LEDGER_FILE;
use crate::config::StoreSettings;
use crate::ledger::embedded::{self, EmbeddedLedger, OpenError};
use crate::ledger::redis::{self, RedisLedger};
use crate::ledger::{Finding, Ledger, Level};
use crate::seam::Clock;

/// The ledger, as threads get at it.
#[derive(Clone, Debug)]
pub(super) enum Ledgers {
    /// One file, one writer.
    File(Arc<dyn Ledger>),
    /// A server; each thread connects by itself.
    Redis(Box<redis::Settings>, Arc<dyn Clock>),
}

/// One thread's ledger.
pub(super) struct Own {
    pub(super) ledger: Arc<dyn Ledger>,
    /// Counts how often the store has come back after an outage; `None`: it is never away.
    pub(super) returns: Option<watch::Receiver<u64>>,
}

impl Ledgers {
    /// Opens the file, or looks at the server.
    pub(super) fn open(store: &StoreSettings, clock: &Arc<dyn Clock>) -> io::Result<Self> {
        match store {
            StoreSettings::Embedded { path, lease_ms } => {
                let file = embedded::Settings { path: path.join(LEDGER_FILE), lease_ms: *lease_ms };
                let ledger = EmbeddedLedger::open(&file, clock.clone())
                    .map_err(|error| no_ledger(&file.path, &error))?;
                Ok(Self::File(Arc::new(ledger)))
            }
            StoreSettings::Redis { redis, .. } => {
                examined(redis, &**clock)?;
                Ok(Self::Redis(redis.clone(), clock.clone()))
            }
        }
    }

    /// How often due work of idle accounts is looked for. In Redis that asks every partition, by every
    /// instance.
    pub(super) const fn sweep_every(&self) -> Duration {
        match self {
            Self::File(_) => Duration::from_millis(500),
            Self::Redis(..) => Duration::from_secs(2),
        }
    }

    /// The ledger for the current thread, on its runtime.
    pub(super) fn own(&self) -> Own {
        match self {
            Self::File(ledger) => Own { ledger: ledger.clone(), returns: None },
            Self::Redis(settings, clock) => {
                let ledger = RedisLedger::open((**settings).clone(), clock.clone());
                let returns = Some(ledger.returns());
                Own { ledger: Arc::new(ledger), returns }
            }
        }
    }

    /// For the thread that exports the ledger's stream; `None`: there is none.
    pub(super) fn stream(&self) -> Option<RedisLedger> {
        match self {
            Self::File(_) => None,
            Self::Redis(settings, clock) => {
                Some(RedisLedger::open((**settings).clone(), clock.clone()))
            }
        }
    }
}

/// What is wrong with the server is said, and what must not be is refused.
fn examined(settings: &redis::Settings, clock: &dyn Clock) -> io::Result<()> {
    let work = || super::runtime().map(|runtime| runtime.block_on(redis::examine(settings, clock)));
    // On a thread of its own, so that a start may be asked for from anywhere.
    let findings = std::thread::scope(|scope| scope.spawn(work).join())
        .map_err(|_| io::Error::other("looking at the ledger's server ended in a panic"))??;
    for finding in &findings {
        let Finding { code, place, found, advice, .. } = finding;
        match finding.level {
            Level::Ok => {}
            Level::Warning => tracing::warn!(code, place, found, advice, "the ledger's server"),
            Level::Error => tracing::error!(code, place, found, advice, "the ledger's server"),
        }
    }
    let errors = findings.iter().filter(|finding| finding.level == Level::Error);
    let told: Vec<_> = errors.map(|f| format!("{}: {}; {}", f.code, f.found, f.advice)).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!("the ledger's server cannot be used: {}", told.join("; "))))
}

fn no_ledger(file: &Path, error: &OpenError) -> io::Error {
    let hint = match error {
        OpenError::File(_) => "; is it a ledger, whole and writable? It is named by `store`",
        _ => "",
    };
    io::Error::other(format!("{}: {error}{hint}", file.display()))
}
