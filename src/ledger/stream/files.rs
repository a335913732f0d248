//! The files: numbered, only ever appended to, each line once.
//!
//! Order of a round: lines are appended, files are synced, the checkpoint is replaced. Whoever opens the
//! folder cuts it back to the checkpoint, so what a crash left behind it is written again.
//!
//! Invariant: one process writes in a folder at a time.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{Checkpoint, Pending};
use crate::seam::{Entropy, LastingFile, Vault};

const CHECKPOINT: &str = "checkpoint.json";
const PREFIX: &str = "ledger-";
const ENDING: &str = ".ndjson";
/// How much is gathered before it is written.
const BUFFER: usize = 1 << 20;

/// Files that are being written.
#[derive(Debug)]
pub(in crate::ledger) struct Files {
    vault: Arc<dyn Vault>,
    folder: PathBuf,
    rotate_bytes: u64,
    checkpoint: Checkpoint,
    file: Box<dyn LastingFile>,
    number: u64,
    length: u64,
    buffer: Vec<u8>,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Files {
    /// Opens the folder and cuts it back to its checkpoint.
    pub(in crate::ledger) fn open(
        vault: &Arc<dyn Vault>,
        folder: &Path,
        rotate_bytes: u64,
        epoch: &str,
        entropy: &dyn Entropy,
    ) -> io::Result<Self> {
        let lock = vault.lock(folder)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, "another process writes in this folder")
        })?;
        let known = vault.read(&folder.join(CHECKPOINT))?;
        let known = known.map(|bytes| Checkpoint::read(&bytes)).transpose()?;
        let checkpoint = match known.clone() {
            Some(known) => cut_back(&**vault, folder, known, epoch)?,
            None => first(&**vault, folder, epoch, entropy)?,
        };
        if known.as_ref() != Some(&checkpoint) {
            // Before the first line: without it a crash would leave lines of which nobody knows.
            vault.replace(&folder.join(CHECKPOINT), &checkpoint.bytes()?)?;
        }
        let (number, length) = (checkpoint.file, checkpoint.length);
        let file = vault.open(&path(folder, number), length)?;
        Ok(Self {
            vault: vault.clone(),
            folder: folder.to_owned(),
            rotate_bytes,
            checkpoint,
            file,
            number,
            length,
            buffer: Vec::new(),
            _lock: lock,
        })
    }

    /// What the files are of, and what they are still to be rid of in the streams.
    pub(in crate::ledger) const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Appends a line. It counts after `commit`.
    pub(in crate::ledger) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let size = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(size) > self.rotate_bytes {
            self.flush()?;
            self.file.sync()?;
            self.number = self.number.saturating_add(1);
            self.length = 0;
            self.file = self.vault.open(&path(&self.folder, self.number), 0)?;
        }
        self.length = self.length.saturating_add(size);
        self.buffer.extend_from_slice(line);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Puts what was appended on the disk.
    pub(in crate::ledger) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }

    /// What was appended and synced counts from now on, through any crash.
    pub(in crate::ledger) fn commit(&mut self, pending: Pending) -> io::Result<()> {
        let next = self.checkpoint.at(self.number, self.length, pending);
        self.vault.replace(&self.folder.join(CHECKPOINT), &next.bytes()?)?;
        self.checkpoint = next;
        Ok(())
    }

    /// These are out of their stream. The checkpoint on the disk hears of it with the next round: to take
    /// them out twice does no harm.
    pub(in crate::ledger) fn rid_of(&mut self, partition: u16) {
        self.checkpoint.pending.remove(&partition);
    }

    /// All that the checkpoint names are.
    pub(in crate::ledger) fn rid_of_all(&mut self) {
        self.checkpoint.pending.clear();
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.append(&self.buffer);
        self.buffer.clear();
        written
    }
}

/// Without a checkpoint: a new set, behind whatever is there.
fn first(
    vault: &dyn Vault,
    folder: &Path,
    epoch: &str,
    entropy: &dyn Entropy,
) -> io::Result<Checkpoint> {
    let last = vault.list(folder)?.iter().filter_map(|path| number(path)).max().unwrap_or(0);
    if last > 0 {
        tracing::warn!(
            folder = %folder.display(),
            "the ledger stream's files have no checkpoint: what they hold may be written again"
        );
    }
    let mut set = [0; 8];
    entropy.fill(&mut set)?;
    let set = data_encoding::HEXLOWER.encode(&set);
    Ok(Checkpoint::new(set, epoch.to_owned(), last.saturating_add(1)))
}

/// Takes away what lies behind the checkpoint; the answer is from where to go on.
fn cut_back(
    vault: &dyn Vault,
    folder: &Path,
    known: Checkpoint,
    epoch: &str,
) -> io::Result<Checkpoint> {
    for path in vault.list(folder)? {
        if number(&path).is_some_and(|number| number > known.file) {
            vault.remove(&path)?;
        }
    }
    let path = path(folder, known.file);
    let length = vault.length(&path)?.unwrap_or(0);
    if length < known.length {
        let (file, wanted) = (path.display(), known.length);
        tracing::error!(%file, length, wanted, "a file of the ledger stream was cut or removed by somebody else");
        // What had been promised of it may be lost: what is still in the streams is written again.
        return Ok(known.next(epoch));
    }
    if known.epoch != epoch {
        tracing::warn!(before = known.epoch, epoch, "the ledger is another than before");
        drop(vault.open(&path, known.length)?);
        return Ok(known.next(epoch));
    }
    Ok(known)
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:012}{ENDING}"))
}

fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?.parse().ok()
}

#[cfg(test)]
mod tests;
