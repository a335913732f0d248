//! The one thread that touches the file.
//!
//! Invariant: a handle that has failed once, in a read, a write or a sync, is dropped and never asked
//! again: after a failed sync nobody knows what the disk has, and a second sync may lie.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Database, DatabaseError, Durability, WriteTransaction};
use tokio::sync::mpsc;

use super::job::{Job, Verdict};
use super::stream::Keeping;
use super::tables::{self, FORMAT, LedgerId, Tables};
use super::{OpenError, Way};
use crate::ledger::Refusal;
use crate::ledger::watch::Watch;
use crate::seam::{Entropy, SystemEntropy, Timestamp};

/// Calls that share one commit, at most.
const GROUP_MAX: usize = 256;
/// How long the writer waits before it opens the file again, after the second failure in a row.
const BACK_OFF_MS: u64 = 100;
/// And at most.
const BACK_OFF_MAX_MS: u64 = 5_000;

/// The open file.
pub(super) struct Store {
    database: Database,
    /// The latest time that anything was written with.
    mark: Timestamp,
    pub(super) keeping: Keeping,
}

/// The thread's state.
pub(super) struct Writer {
    queue: mpsc::Receiver<Box<dyn Job>>,
    way: Way,
    store: Option<Store>,
    watch: Watch,
    /// When the file may be opened again, by the clock that only runs forward.
    retry_at: u64,
    back_off_ms: u64,
}

impl Store {
    /// Opens the file and checks that this program knows its format.
    pub(super) fn open(way: &Way) -> Result<Self, OpenError> {
        let database = (way.opener)().map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
            other => OpenError::File(other.to_string()),
        })?;
        let found = prepare(&database, way).map_err(OpenError::File)?;
        if found.format != FORMAT {
            return Err(OpenError::Format { found: found.format, known: FORMAT });
        }
        if found.for_tests != way.for_tests {
            return Err(OpenError::Tests(found.for_tests));
        }
        let About { mark, ledger, .. } = found;
        Ok(Self { database, mark, keeping: Keeping { ledger, most: way.stream_max } })
    }
}

/// What a file says of itself.
struct About {
    format: u64,
    mark: Timestamp,
    for_tests: bool,
    ledger: LedgerId,
}

/// Makes what is missing in a new file.
fn prepare(database: &Database, way: &Way) -> Result<About, String> {
    let transaction = begin(database)?;
    // Another format may have other tables: only this one is looked at before it is known.
    let found = tables::format(&transaction)?;
    if let Some(found) = found.filter(|found| *found != FORMAT) {
        transaction.abort().map_err(|error| error.to_string())?;
        let (mark, for_tests) = (Timestamp::default(), way.for_tests);
        return Ok(About { format: found, mark, for_tests, ledger: LedgerId::default() });
    }
    let ledger = identity(&transaction)?;
    let mut tables = Tables::open(&transaction, Keeping { ledger, most: way.stream_max })?;
    let mark = tables.mark()?;
    if found.is_none() {
        tables.set_format(way.for_tests)?;
    }
    let for_tests = tables.is_for_tests()?;
    drop(tables);
    if found.is_none() {
        transaction.commit().map_err(|error| error.to_string())?;
    } else {
        transaction.abort().map_err(|error| error.to_string())?;
    }
    Ok(About { format: found.unwrap_or(FORMAT), mark, for_tests, ledger })
}

/// What the ledger is called; a new one gets a name that no other has.
fn identity(transaction: &WriteTransaction) -> Result<LedgerId, String> {
    if let Some(known) = tables::ledger_id(transaction)? {
        return Ok(known);
    }
    let mut made = LedgerId::default();
    SystemEntropy.fill(&mut made).map_err(|error| error.to_string())?;
    tables::set_ledger_id(transaction, &made)?;
    Ok(made)
}

fn begin(database: &Database) -> Result<WriteTransaction, String> {
    let mut transaction = database.begin_write().map_err(|error| error.to_string())?;
    transaction.set_durability(Durability::Immediate).map_err(|error| error.to_string())?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

impl Writer {
    pub(super) fn new(
        queue: mpsc::Receiver<Box<dyn Job>>,
        way: Way,
        store: Store,
        watch: Watch,
    ) -> Self {
        Self { queue, way, store: Some(store), watch, retry_at: 0, back_off_ms: BACK_OFF_MS }
    }

    /// Serves until nobody can call any more.
    pub(super) fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX {
                let Ok(job) = self.queue.try_recv() else { break };
                group.push(job);
            }
            self.serve(group);
        }
    }

    fn serve(&mut self, mut group: Vec<Box<dyn Job>>) {
        let Some(mut store) = self.store.take().or_else(|| self.open_again()) else {
            let why = "the ledger's file has failed and is being opened again";
            group.iter_mut().for_each(|job| job.refuse(Refusal::Unavailable(why.to_owned())));
            group.into_iter().for_each(Job::answer);
            return;
        };
        let watch = &mut self.watch;
        // A panic in a step must not take the ledger along: it is one more way to fail.
        let done = catch_unwind(AssertUnwindSafe(|| store.apply(&mut group, watch)))
            .unwrap_or_else(|_| Err("a step has panicked".to_owned()));
        match done {
            Ok(()) => {
                self.store = Some(store);
                group.into_iter().for_each(Job::answer);
            }
            Err(why) => {
                tracing::error!(%why, calls = group.len(), "the ledger's file has failed");
                drop(store);
                group.into_iter().for_each(|job| job.unknown(&why));
            }
        }
    }

    fn open_again(&mut self) -> Option<Store> {
        let uptime = self.watch.uptime_ms();
        if uptime < self.retry_at {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| Store::open(&self.way))) {
            Ok(Ok(store)) => {
                tracing::info!("the ledger's file is open again");
                self.watch.opened_again();
                self.back_off_ms = BACK_OFF_MS;
                return Some(store);
            }
            Ok(Err(why)) => tracing::error!(%why, "the ledger's file cannot be opened again"),
            Err(_) => tracing::error!("opening the ledger's file has panicked"),
        }
        self.retry_at = uptime.saturating_add(self.back_off_ms);
        self.back_off_ms = self.back_off_ms.saturating_mul(2).min(BACK_OFF_MAX_MS);
        None
    }
}

impl Store {
    /// Runs a group in one transaction. An error leaves nothing to be relied on.
    fn apply(&mut self, group: &mut [Box<dyn Job>], watch: &mut Watch) -> Result<(), String> {
        let transaction = begin(&self.database)?;
        let mut tables = Tables::open(&transaction, self.keeping)?;
        let mut mark = self.mark;
        let mut written = false;
        for job in group {
            let Some(context) = watch.context(mark) else {
                job.refuse(Refusal::ClockJump);
                continue;
            };
            tables.written = false;
            let verdict = job.run(&mut tables, &context)?;
            if tables.written {
                if verdict == Verdict::Refused {
                    return Err("a refused step has written".to_owned());
                }
                mark = context.now;
                written = true;
            }
        }
        if written {
            tables.set_mark(mark)?;
        }
        drop(tables);
        if written {
            transaction.commit().map_err(|error| error.to_string())?;
            self.mark = mark;
            return Ok(());
        }
        transaction.abort().map_err(|error| error.to_string())
    }
}
