//! A disk in memory that outlives the ledger that is on it, and that fails when it is told to.
//!
//! What was written but not synced may be lost in a crash, each write by itself. A handle that has failed
//! goes on failing, as the real ones do; asking it to sync again is counted, since nobody may.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Database, StorageBackend};
use tollgate::ledger::embedded::Opener;
use tollgate::seam::{Entropy, SeededEntropy};

/// What happens to unsynced writes when a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// They are all there: only the answer was an error.
    Nothing,
    /// They are all lost.
    All,
    /// Each is lost or kept by the toss of a coin.
    Some(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What survives.
    durable: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Change>,
    /// How many writes, changes of length and syncs still succeed.
    healthy: Option<u64>,
    loss: Option<Loss>,
    handles: u64,
    struck: u64,
    synced_after_failure: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    number: u64,
    failed: Mutex<bool>,
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Length(length) => set_length(data, *length),
            Self::Bytes(at, bytes) => {
                let end = at + bytes.len();
                if data.len() < end {
                    set_length(data, end);
                }
                data[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

/// `Vec::resize`, byte by byte without optimisation, would take most of the tests' time.
fn set_length(data: &mut Vec<u8>, length: usize) {
    data.truncate(length);
    let missing = length - data.len();
    data.extend_from_slice(&vec![0; missing]);
}

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Opens this disk, as often as asked.
    pub(crate) fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || {
            let number = {
                let mut state = disk.state();
                state.handles += 1;
                state.handles
            };
            let handle = Handle { disk: disk.clone(), number, failed: Mutex::new(false) };
            Database::builder().create_with_backend(handle)
        })
    }

    /// The `n`-th change from now on (counted from 0) fails, and takes unsynced writes along.
    pub(crate) fn fail_after(&self, n: u64, loss: Loss) {
        let mut state = self.state();
        state.healthy = Some(n);
        state.loss = Some(loss);
    }

    /// No further fault.
    pub(crate) fn heal(&self) {
        self.state().healthy = None;
    }

    /// How many faults have struck.
    pub(crate) fn struck(&self) -> u64 {
        self.state().struck
    }

    /// How often a handle was asked to sync although it had failed.
    pub(crate) fn synced_after_failure(&self) -> u64 {
        self.state().synced_after_failure
    }
}

impl State {
    fn lose(&mut self) {
        let coin = match self.loss {
            Some(Loss::Nothing) | None => return,
            Some(Loss::All) => None,
            Some(Loss::Some(seed)) => Some(SeededEntropy::new(seed)),
        };
        let mut survives = self.durable.clone();
        for change in std::mem::take(&mut self.pending) {
            let mut byte = [0];
            if let Some(coin) = &coin {
                coin.fill(&mut byte).unwrap();
            }
            if byte[0] & 1 == 1 {
                change.apply(&mut survives);
            }
        }
        self.durable.clone_from(&survives);
        self.seen = survives;
    }
}

impl Handle {
    /// Whether this change may happen; the one that may not strikes.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut failed = self.failed.lock().unwrap();
        let mut state = self.disk.state();
        let current = state.handles == self.number;
        if *failed || !current {
            return Err(io::Error::other("this handle has failed before"));
        }
        match state.healthy {
            Some(0) => {
                *failed = true;
                state.healthy = None;
                state.struck += 1;
                state.lose();
                Err(io::Error::other("a simulated fault"))
            }
            Some(n) => {
                state.healthy = Some(n - 1);
                Ok(state)
            }
            None => Ok(state),
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.step()?;
        change.apply(&mut state.seen);
        state.pending.push(change);
        Ok(())
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let start = usize::try_from(offset).unwrap();
        let bytes = state.seen.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        if *self.failed.lock().unwrap() {
            self.disk.state().synced_after_failure += 1;
        }
        let mut state = self.step()?;
        let pending = std::mem::take(&mut state.pending);
        let State { durable, .. } = &mut *state;
        pending.iter().for_each(|change| change.apply(durable));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Bytes(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}
