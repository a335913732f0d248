//! Writes what happened to files and takes it out of Redis.
//!
//! A round: the oldest entries of the streams are read, written as lines, synced, counted by a checkpoint
//! that also names them, and only then taken out of the streams, by name. Whatever fails, the next round
//! begins from the checkpoint: lines behind it are cut, entries that it names are taken out and not written
//! again.
//!
//! Invariant: nothing leaves a stream that does not lie, synced, in a file.
//! Invariant: nothing is written without the lease.

mod lease;
mod reading;
mod rounds;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::rounds::Exporter;
use super::asking::Desk;
use crate::ledger::Refusal;
use crate::ledger::model::Stop;
use crate::ledger::stream::{ExportSettings, LAST_ROUNDS, LAST_STEP, Pace, Round, StreamGauges};
use crate::seam::{Clock, Entropy, Vault};

/// What an exporter works with.
#[derive(Clone, Debug)]
pub struct Export {
    /// Where to.
    pub settings: ExportSettings,
    /// This instance's name.
    pub instance: String,
    /// How long the right to export lasts unless renewed, in milliseconds.
    pub lease_ms: u64,
    /// The disk.
    pub vault: Arc<dyn Vault>,
    /// Only its uptime is read.
    pub clock: Arc<dyn Clock>,
    /// Names the process and its files.
    pub entropy: Arc<dyn Entropy>,
    /// What others are shown of it.
    pub gauges: StreamGauges,
}

/// What hinders a round.
#[derive(Debug)]
enum Trouble {
    Disk(io::Error),
    Redis(Stop),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Redis(stop)
    }
}

impl Trouble {
    /// Of which sort it is, so that each is said once, and what it is.
    fn told(&self, export: &ExportSettings) -> (String, String) {
        let why = match self {
            Self::Disk(error) => {
                let why = format!("{}: {error}", export.folder.display());
                return (why.clone(), why);
            }
            Self::Redis(Stop::Refused(refusal)) => match &**refusal {
                Refusal::Unavailable(why) => why.clone(),
                refusal => format!("{refusal:?}"),
            },
            Self::Redis(Stop::Broken(why) | Stop::Newer(why) | Stop::Failed(why)) => why.clone(),
        };
        // An outage has many words.
        ("redis".to_owned(), why)
    }
}

/// Exports until `stop`, then what is left, for a while.
pub(super) async fn run(desk: Arc<Desk>, export: Export, stop: CancellationToken) {
    let lease_ms = export.lease_ms;
    let mut exporter = match Exporter::new(desk, export) {
        Ok(exporter) => exporter,
        Err(error) => return tracing::error!(%error, "the ledger stream is not exported"),
    };
    let mut pace = Pace::new(Duration::from_millis(lease_ms / 4));
    loop {
        let round = exporter.round().await;
        if !pace.rest(round, &stop).await {
            break;
        }
    }
    // What this instance had to say was said before the stop; what others still say is not waited for.
    let last = async { while exporter.round().await == Some(Round::More) {} };
    drop(tokio::time::timeout(LAST_ROUNDS, last).await);
    drop(tokio::time::timeout(LAST_STEP, exporter.end()).await);
}
