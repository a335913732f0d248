//! One file, no server: the rules over an embedded store.
//!
//! One writer thread owns the file. Calls of all cores reach it through a bounded channel; it takes what
//! waits, applies it in one transaction, commits with a sync, and only then answers. Nothing is cached
//! between transactions, so there is nothing to lose or to rebuild.
//!
//! Invariant: no answer says `Applied` before its commit was synced. After any failure of the file the
//! whole group is told `Unknown`, the handle is dropped and never used again.

mod export;
mod job;
mod jobs;
mod stream;
mod tables;
mod writer;

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_util::FutureExt;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

pub use self::export::Export;
use self::job::Job;
use self::stream::Waiting;
use self::tables::Tables;
use self::writer::{Store, Writer};
use super::model::desk::{self, Outcome};
use super::model::{Context, KEPT_MS, Records};
use super::teller::Teller;
use super::watch::Watch;
use super::{Answer, Refusal, Reply};
use crate::credit::AccountId;
use crate::seam::{self, Clock};

/// How many calls may wait for the writer; further ones are refused.
const QUEUE_MAX: usize = 4_096;
/// Memory for pages of the file, in bytes.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// How many entries of the ledger's stream may wait to be exported; of more, the oldest are dropped and counted. Ten
/// times as many as an export says by default that it is worried at, and about a gigabyte.
pub const STREAM_MAX: u64 = 1_000_000;

/// How long the record of an ended charge is kept, in milliseconds.
pub const CHARGES_KEPT_MS: u64 = KEPT_MS;

/// Where the file is and how long leases are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file; made, for its owner only, if it is not there.
    pub path: PathBuf,
    /// How long a lease runs unless renewed, in milliseconds; at least 1.
    pub lease_ms: u64,
    /// Whether it is for tests: its clock may be set forward. A file is made so or otherwise, once.
    pub for_tests: bool,
    /// How many entries of the ledger's stream may wait to be exported; of more, the oldest are dropped and counted.
    pub stream_max: u64,
}

impl Settings {
    /// A file with leases of 60 seconds.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path, lease_ms: 60_000, for_tests: false, stream_max: STREAM_MAX }
    }
}

/// Opens the store's file, again after each failure.
pub type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// How the file is opened, each time.
struct Way {
    opener: Opener,
    for_tests: bool,
    stream_max: u64,
}

/// Why the ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the ledger is in use: another tollgate has the file open; each needs a folder of its own"
    )]
    InUse,
    /// Another format.
    #[error("{}", if found < known {
        format!("the ledger was made by an earlier version: its format is {found}, this program knows {known}; use \
                 the program that made it, or make a new ledger in another folder")
    } else {
        format!("the ledger's format is {found}, this program knows {known}: use the program that made it")
    })]
    Format {
        /// What the file says.
        found: u64,
        /// What this program reads and writes.
        known: u64,
    },
    /// It was made with a clock that may be set forward, and is to be used with one that may not, or the
    /// other way round.
    #[error("{}", if *.0 {
        "the ledger was made for tests, its clock was set by hand: write `test_clock: true`, or use another folder"
    } else {
        "the ledger is not for tests: take `test_clock` out, or use another folder"
    })]
    Tests(
        /// Whether it was made for tests.
        bool,
    ),
    /// The file cannot be opened, read or written.
    #[error("the ledger's file: {0}")]
    File(String),
    /// There are no more threads to be had.
    #[error("the ledger's writer cannot start: {0}")]
    Thread(std::io::Error),
}

/// A ledger in one file.
pub struct EmbeddedLedger {
    /// What the ledger is called in its stream.
    name: String,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedLedger {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When another process has the file, its format is unknown, or it cannot be read or written.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let opener: Opener = Box::new(move || open_file(&path));
        let Settings { lease_ms, for_tests, stream_max, .. } = *settings;
        Self::open_as(Way { opener, for_tests, stream_max }, lease_ms, clock)
    }

    /// As `open`, over whatever `opener` opens; it is asked again after each failure.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(
        opener: Opener,
        lease_ms: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        Self::open_as(Way { opener, for_tests: false, stream_max: STREAM_MAX }, lease_ms, clock)
    }

    fn open_as(way: Way, lease_ms: u64, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let store = Store::open(&way)?;
        let name = stream::name(&store.keeping.ledger);
        let watch = Watch::start(clock, lease_ms);
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let writer = Writer::new(receiver, way, store, watch);
        let thread = seam::thread("ledger", move || writer.run()).map_err(OpenError::Thread)?;
        Ok(Self { name, queue: Some(sender), writer: Some(thread) })
    }

    /// Answers what is queued and closes the file. Calls that come later are refused.
    pub fn close(mut self) {
        self.end();
    }

    /// All that is kept of an account, readably, for a person who has to look.
    pub fn inspect(&self, account: AccountId) -> Reply<String> {
        self.tell(move |records, _| desk::inspect(records, &account))
    }

    /// Writes the ledger's stream to files and takes it out of the ledger, until `stop`, and then what is left. On a
    /// thread of its own: it waits for its disk.
    pub async fn export(&self, export: Export, stop: CancellationToken) {
        export::run(self, export, stop).await;
    }

    /// Takes entries out of the stream by name, and reads the oldest of those that are left.
    fn stream(&self, names: Vec<String>, limit: usize) -> Reply<Waiting> {
        self.queued(move |tables, _| tables.turn(&names, limit))
    }

    /// Hands a step to the writer.
    fn queued<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Tables<'_>, &Context) -> Outcome<T> + Send + 'static,
    ) -> Reply<T> {
        let (job, answer) = job::call(step);
        let refused = match self.queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => return answer.boxed(),
            Some(Err(TrySendError::Full(_))) => "the ledger is busy",
            Some(Err(TrySendError::Closed(_))) | None => "the ledger is closed",
        };
        let refused = Answer::Refused(Refusal::Unavailable(refused.to_owned()));
        std::future::ready(refused).boxed()
    }

    fn end(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer has died");
        }
    }
}

impl Drop for EmbeddedLedger {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for EmbeddedLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLedger").finish_non_exhaustive()
    }
}

impl Teller for EmbeddedLedger {
    fn tell<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut dyn Records, &Context) -> Outcome<T> + Send + 'static,
    ) -> Reply<T> {
        self.queued(move |tables, context| step(tables, context))
    }
}

fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path)?;
    // A new file survives a loss of power only if its folder knows of it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder.create_with_backend(FileBackend::new(file)?)
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::credit::KeyId;
    use crate::ledger::{Ledger, NewAccount};
    use crate::seam::{SimulatedClock, Timestamp};

    fn wait<T>(reply: Reply<T>) -> Answer<T> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(reply)
    }

    fn ledger() -> EmbeddedLedger {
        let clock = Arc::new(SimulatedClock::at(Timestamp(1_795_348_800_000)));
        let opener = || Database::builder().create_with_backend(InMemoryBackend::new());
        EmbeddedLedger::open_with(Box::new(opener), 60_000, clock).unwrap()
    }

    fn account() -> NewAccount {
        NewAccount {
            account: "acct_a".parse().unwrap(),
            plan: "pro".into(),
            zone: "UTC".into(),
            anchor: None,
            label: String::new(),
            person: None,
            reference: None,
        }
    }

    #[test]
    fn a_panic_is_unknown_and_the_ledger_goes_on() {
        let ledger = ledger();
        let answer = wait(ledger.tell::<()>(|_, _| panic!("a fault in a rule")));
        assert!(matches!(answer, Answer::Unknown(_)));
        assert!(matches!(wait(ledger.create_account(account())), Answer::Applied(_)));
    }

    #[test]
    fn a_refused_step_that_wrote_is_not_committed() {
        let ledger = ledger();
        let id: AccountId = "acct_a".parse().unwrap();
        let answer = wait(ledger.tell::<()>(move |records, _| {
            records.save_key_owner(KeyId::from_bytes([1; 16]), &id)?;
            Err(Refusal::Conflict.into())
        }));
        assert!(matches!(answer, Answer::Unknown(_)));
    }
}
