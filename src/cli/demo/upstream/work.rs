//! What the sample upstream has really done.
//!
//! Invariant: a unit of work is recorded once, when it ends; one that nobody ended was abandoned, because
//! its caller went away.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::seam::{AppendFile, Clock, Disk, SystemClock, SystemDisk};

/// How many units are remembered; the file keeps all of them.
const UNITS_MAX: usize = 100_000;

/// How a unit of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer was handed over.
    Done,
    /// It answered with an error, at once or in the stream.
    Failed,
    /// It refused the content.
    Blocked,
    /// It closed the connection in the middle of the answer.
    Cut,
    /// The caller went away before the work was done.
    Abandoned,
}

/// One unit of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// What the request called itself: JSON member `nonce` or header `x-nonce`.
    pub nonce: Option<String>,
    /// `images`, `dubbing` or `chat`.
    pub route: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How much was generated: `images`, `seconds`, `prompt_tokens`, `completion_tokens`.
    pub quantity: BTreeMap<String, Number>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
}

/// All units of work and how many ran at once.
#[derive(Debug)]
pub struct WorkLog {
    requests: AtomicU64,
    running: AtomicU64,
    highest: AtomicU64,
    units: Mutex<VecDeque<Work>>,
    file: Option<Mutex<Box<dyn AppendFile>>>,
}

impl WorkLog {
    /// An empty log, which also appends to the file `path`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn new(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| SystemDisk.append(path)).transpose()?.map(Mutex::new);
        Ok(Self {
            requests: AtomicU64::new(0),
            running: AtomicU64::new(0),
            highest: AtomicU64::new(0),
            units: Mutex::default(),
            file,
        })
    }

    /// How many requests came at all, refused and free ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many units run now.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }

    /// How many units have ever run at once.
    #[must_use]
    pub fn highest_running(&self) -> u64 {
        self.highest.load(Ordering::SeqCst)
    }

    /// The units that have ended, oldest first.
    #[must_use]
    pub fn units(&self) -> Vec<Work> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The ended units of one nonce.
    #[must_use]
    pub fn of(&self, nonce: &str) -> Vec<Work> {
        let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        units.iter().filter(|unit| unit.nonce.as_deref() == Some(nonce)).cloned().collect()
    }

    pub(super) fn saw_request(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    fn ended(&self, work: Work) {
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(&work)
        {
            line.push(b'\n');
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.append(&line) {
                tracing::error!(%error, "the sample upstream's work log cannot be written");
            }
        }
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        if units.len() == UNITS_MAX {
            units.pop_front();
        }
        units.push_back(work);
    }
}

/// A unit of work that is going on.
#[derive(Debug)]
pub(super) struct Unit {
    log: Arc<WorkLog>,
    work: Option<Work>,
}

impl Unit {
    /// Begins one.
    pub(super) fn begin(log: &Arc<WorkLog>, route: &str, nonce: Option<String>) -> Self {
        let running = log.running.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        log.highest.fetch_max(running, Ordering::SeqCst);
        let work = Work {
            nonce,
            route: route.to_owned(),
            outcome: Outcome::Abandoned,
            quantity: BTreeMap::new(),
            started_ms: SystemClock.now().0,
            ended_ms: 0,
        };
        Self { log: Arc::clone(log), work: Some(work) }
    }

    /// So much has been generated of `name`.
    pub(super) fn count(&mut self, name: &str, number: impl Into<Number>) {
        if let Some(work) = &mut self.work {
            work.quantity.insert(name.to_owned(), number.into());
        }
    }

    /// Ends it.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        if let Some(mut work) = self.work.take() {
            work.outcome = outcome;
            work.ended_ms = SystemClock.now().0;
            self.log.ended(work);
            self.log.running.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.record(Outcome::Abandoned);
    }
}
