//! A disk that breaks at a step of the test's choice, or is full until it is not.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tollgate::seam::{LastingFile, SystemVault, Vault};

/// How the fatal step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// It does nothing.
    Before,
    /// It is half done, if it can be.
    Half,
    /// It is done, but nobody hears of it.
    After,
}

#[derive(Debug, Default)]
struct State {
    /// Steps that still succeed; `None`: all do.
    left: Option<u32>,
    death: Option<Death>,
    /// Only checkpoints are steps.
    checkpoints: bool,
    /// What was not synced is lost with it.
    power: bool,
    dead: bool,
    full: bool,
    synced: BTreeMap<PathBuf, u64>,
}

/// See the module. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultVault(Arc<Mutex<State>>);

/// A step's fate.
#[derive(Clone, Copy)]
enum Fate {
    Lives,
    Dies(Death),
}

fn broken() -> io::Error {
    io::Error::other("the disk is gone")
}

impl FaultVault {
    /// Breaks at step `at`, counted from 0.
    pub(crate) fn dying(at: u32, death: Death, power: bool) -> Self {
        let state = State { left: Some(at), death: Some(death), power, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Breaks at the checkpoint `at`, counted from 0.
    pub(crate) fn dying_at_checkpoint(at: u32, death: Death, power: bool) -> Self {
        let made = Self::dying(at, death, power);
        made.0.lock().unwrap().checkpoints = true;
        made
    }

    pub(crate) fn full(&self, full: bool) {
        self.0.lock().unwrap().full = full;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    fn fate(&self, checkpoint: bool) -> io::Result<Fate> {
        let mut state = self.0.lock().unwrap();
        if state.dead {
            return Err(broken());
        }
        if state.checkpoints && !checkpoint {
            return Ok(Fate::Lives);
        }
        match &mut state.left {
            None => return Ok(Fate::Lives),
            Some(0) => {}
            Some(left) => {
                *left -= 1;
                return Ok(Fate::Lives);
            }
        }
        state.dead = true;
        if state.power {
            for (path, length) in &state.synced {
                // What was not synced may be lost in part, or as a whole: the worst.
                if let Ok(file) = OpenOptions::new().write(true).open(path) {
                    file.set_len(*length).unwrap();
                }
            }
        }
        Ok(Fate::Dies(state.death.unwrap()))
    }

    fn step<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        Self::met(self.fate(false)?, act)
    }

    fn met<T>(fate: Fate, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match fate {
            Fate::Lives => act(),
            Fate::Dies(Death::After) => act().and(Err(broken())),
            Fate::Dies(_) => Err(broken()),
        }
    }
}

impl Vault for FaultVault {
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        self.step(|| SystemVault.lock(folder))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        SystemVault.read(path)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        Self::met(self.fate(true)?, || SystemVault.replace(path, content))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        SystemVault.list(folder)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        SystemVault.length(path)
    }

    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn LastingFile>> {
        let file = self.step(|| SystemVault.open(path, length))?;
        self.0.lock().unwrap().synced.insert(path.to_owned(), length);
        Ok(Box::new(FaultFile { file, path: path.to_owned(), length, vault: self.clone() }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|| SystemVault.remove(path))
    }
}

#[derive(Debug)]
struct FaultFile {
    file: Box<dyn LastingFile>,
    path: PathBuf,
    length: u64,
    vault: FaultVault,
}

impl LastingFile for FaultFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.vault.0.lock().unwrap().full {
            self.file.append(&bytes[..bytes.len() / 3])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.length += bytes.len() as u64;
        match self.vault.fate(false)? {
            Fate::Lives => return self.file.append(bytes),
            Fate::Dies(Death::Before) => {}
            Fate::Dies(Death::Half) => self.file.append(&bytes[..bytes.len() / 2])?,
            Fate::Dies(Death::After) => self.file.append(bytes)?,
        }
        Err(broken())
    }

    fn sync(&mut self) -> io::Result<()> {
        let (vault, length) = (self.vault.clone(), self.length);
        vault.step(|| self.file.sync())?;
        vault.0.lock().unwrap().synced.insert(self.path.clone(), length);
        Ok(())
    }
}
