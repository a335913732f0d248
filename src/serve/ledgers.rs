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
use crate::ledger::{FOR_TESTS, Finding, Ledger, Level, Setbacks};
use crate::seam::{Clock, SystemClock};

/// The ledger, as threads get at it.
#[derive(Clone, Debug)]
pub(super) enum Ledgers {
    /// One file, one writer.
    File(Arc<EmbeddedLedger>),
    /// A server; each thread connects by itself.
    Redis(Box<Server>),
}

/// How each thread connects.
#[derive(Clone, Debug)]
pub(super) struct Server {
    settings: redis::Settings,
    clock: Arc<dyn Clock>,
    /// Whether the ledger's clock is a test's.
    for_tests: bool,
    /// What all threads see of accounts that have gone back.
    setbacks: Setbacks,
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
            StoreSettings::Embedded { path, lease_ms, test_clock, .. } => {
                let path = path.join(LEDGER_FILE);
                let (lease_ms, for_tests) = (*lease_ms, *test_clock);
                let file =
                    embedded::Settings { lease_ms, for_tests, ..embedded::Settings::at(path) };
                let ledger = EmbeddedLedger::open(&file, clock.clone())
                    .map_err(|error| no_ledger(&file.path, &error))?;
                Ok(Self::File(Arc::new(ledger)))
            }
            StoreSettings::Redis { redis, test_clock, .. } => {
                examined(redis, *test_clock)?;
                Ok(Self::Redis(Box::new(Server {
                    settings: (**redis).clone(),
                    clock: clock.clone(),
                    for_tests: *test_clock,
                    setbacks: Setbacks::default(),
                })))
            }
        }
    }

    /// How often due work of idle accounts is looked for. In Redis that asks every partition, by every
    /// instance.
    pub(super) const fn sweep_every(&self) -> Duration {
        match self {
            Self::File(_) => Duration::from_millis(500),
            Self::Redis(_) => Duration::from_secs(2),
        }
    }

    /// The ledger for the current thread, on its runtime.
    pub(super) fn own(&self) -> Own {
        match self {
            Self::File(ledger) => Own { ledger: ledger.clone(), returns: None },
            Self::Redis(server) => {
                let ledger = server.connect();
                let returns = Some(ledger.returns());
                Own { ledger: Arc::new(ledger), returns }
            }
        }
    }

    /// For the thread that exports the ledger's stream, on its runtime.
    pub(super) fn stream(&self) -> Streamed {
        match self {
            Self::File(ledger) => Streamed::File(ledger.clone()),
            Self::Redis(server) => Streamed::Redis(Box::new(server.connect())),
        }
    }

    /// What was seen of accounts that have gone back; `None`: the store cannot.
    pub(super) fn setbacks(&self) -> Option<Setbacks> {
        match self {
            Self::File(_) => None,
            Self::Redis(server) => Some(server.setbacks.clone()),
        }
    }
}

/// A ledger whose stream is to be exported.
pub(super) enum Streamed {
    File(Arc<EmbeddedLedger>),
    Redis(Box<RedisLedger>),
}

impl Server {
    fn connect(&self) -> RedisLedger {
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        let ledger = if self.for_tests {
            RedisLedger::for_tests(settings, clock)
        } else {
            RedisLedger::open(settings, clock)
        };
        ledger.telling(&self.setbacks)
    }
}

/// What is wrong with the server is said, and what must not be is refused. Servers know nothing of a test's
/// clock: theirs are compared with the machine's.
fn examined(settings: &redis::Settings, test_clock: bool) -> io::Result<()> {
    let looked =
        |runtime: tokio::runtime::Runtime| runtime.block_on(redis::examine(settings, &SystemClock));
    let work = || super::runtime().map(looked);
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
        let for_tests = findings.iter().any(|finding| finding.code == FOR_TESTS);
        if test_clock && !for_tests {
            let told = "the ledger is not for tests: take `test_clock` out of `store`, or make another one \
                        with `tollgate ledger create --for-tests`";
            return Err(io::Error::other(told));
        }
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
