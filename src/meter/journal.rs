//! This instance's own record of what it has begun: one line before the first byte goes upstream, one when
//! the settlement is acknowledged. After a crash it tells which holds were never forwarded.
//!
//! One file a core, appended without fsync: the lines survive the end of the process, not a loss of power.
//! Each file therefore begins with the boot it was written in: after another one, its marks prove nothing.
//! Each line carries its checksum.
//!
//! Invariant: no byte goes upstream before its mark is written; a journal that cannot be written refuses.
//! Invariant: doubt reads as "forwarded": damage, a missing file or a loss of power never turns paid work into
//! released work.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::credit::{ChargeId, encode};
use crate::seam::{AppendFile, Disk, Entropy};

const PREFIX: &str = "journal-";
/// What the journal of charges that could not be recovered is called, in place of a core's number.
const LEFT: &str = "left";
const INSTANCE: &str = "instance";
const BOOT: &str = "boot";
const FORWARDING: &str = "forwarding";
const DONE: &str = "done";
/// A journal longer than this is rewritten with its open marks alone.
const LENGTH_MAX: usize = 1 << 20;

/// The journal of one core.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `None` after a failed write, whose part may stand at the end: rewritten before the next mark.
    file: Option<Box<dyn AppendFile>>,
    length: usize,
    open: BTreeSet<ChargeId>,
}

impl Journal {
    /// A fresh journal for `core` in `folder`. What an earlier run left there must have been recovered.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start(disk: Arc<dyn Disk>, folder: &Path, core: usize) -> io::Result<Self> {
        let path = folder.join(format!("{PREFIX}{core}"));
        let mut journal = Self { disk, path, file: None, length: 0, open: BTreeSet::new() };
        journal.rewrite()?;
        Ok(journal)
    }

    /// Marks that a charge's first byte is about to go upstream.
    ///
    /// # Errors
    /// When the mark cannot be written: nothing may be forwarded then.
    pub fn forwarding(&mut self, charge: ChargeId) -> io::Result<()> {
        if self.file.is_none() || self.length > LENGTH_MAX {
            self.rewrite()?;
        }
        self.append(FORWARDING, charge)?;
        self.open.insert(charge);
        Ok(())
    }

    /// Marks that a charge's end is in the ledger. A mark that cannot be written only costs a question
    /// after the next start.
    pub fn done(&mut self, charge: ChargeId) {
        if self.open.remove(&charge)
            && let Err(error) = self.append(DONE, charge)
        {
            tracing::warn!(%charge, %error, "journal: mark not written");
        }
    }

    fn append(&mut self, word: &str, charge: ChargeId) -> io::Result<()> {
        let line = line(word, &charge.to_string());
        let Some(file) = self.file.as_mut() else { return Err(io::Error::other("journal broken")) };
        if let Err(error) = file.append(line.as_bytes()) {
            self.file = None;
            return Err(error);
        }
        self.length = self.length.saturating_add(line.len());
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let content = content(&self.disk.boot()?, &self.open);
        self.file = None;
        self.disk.replace(&self.path, content.as_bytes())?;
        self.file = Some(self.disk.append(&self.path)?);
        self.length = content.len();
        Ok(())
    }
}

/// Which charges an earlier run had forwarded and not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marks {
    /// These.
    These(BTreeSet<ChargeId>),
    /// The files are missing, damaged other than at their end, or of another boot: it could have been any.
    Any,
}

impl Marks {
    /// Reads every journal in `folder`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Self> {
        let boot = disk.boot()?;
        let mut open = BTreeSet::new();
        let paths = disk.list(folder, PREFIX)?;
        for path in &paths {
            if !replay(&disk.read(path)?, &boot, &mut open) {
                return Ok(Self::Any);
            }
        }
        Ok(if paths.is_empty() { Self::Any } else { Self::These(open) })
    }

    /// Removes every journal in `folder`, once its charges are dealt with; the marks of those that are
    /// `left` stay, in a journal of their own.
    ///
    /// # Errors
    /// When a file cannot be removed, or the one that stays cannot be written.
    pub fn clear(disk: &dyn Disk, folder: &Path, left: &BTreeSet<ChargeId>) -> io::Result<()> {
        let stays = folder.join(format!("{PREFIX}{LEFT}"));
        if !left.is_empty() {
            disk.replace(&stays, content(&disk.boot()?, left).as_bytes())?;
        }
        let files = disk.list(folder, PREFIX)?;
        let over = files.iter().filter(|path| left.is_empty() || **path != stays);
        over.into_iter().try_for_each(|path| disk.remove(path))
    }

    /// Whether a charge may have been forwarded.
    #[must_use]
    pub fn forwarded(&self, charge: ChargeId) -> bool {
        match self {
            Self::These(open) => open.contains(&charge),
            Self::Any => true,
        }
    }
}

/// The name of this instance, made once for `folder`.
///
/// # Errors
/// When the folder cannot be read or written, or there is no randomness to be had.
pub fn instance(disk: &dyn Disk, folder: &Path, entropy: &dyn Entropy) -> io::Result<String> {
    let path = folder.join(INSTANCE);
    let known = String::from_utf8_lossy(&disk.read(&path)?).trim().to_owned();
    if !known.is_empty() {
        return Ok(known);
    }
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    let name = format!("ins_{}", encode(&random));
    disk.replace(&path, name.as_bytes())?;
    Ok(name)
}

/// A whole journal with nothing but open marks.
fn content(boot: &str, open: &BTreeSet<ChargeId>) -> String {
    let marks = open.iter().map(|charge| line(FORWARDING, &charge.to_string()));
    std::iter::once(line(BOOT, boot)).chain(marks).collect()
}

fn line(word: &str, what: &str) -> String {
    let text = format!("{word} {what}");
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

/// Adds a file's open marks; `false`: it is of another boot, or a line before the last is damaged. The last
/// may have been cut by the crash: its charge had not been forwarded yet, since the mark comes first.
fn replay(bytes: &[u8], boot: &str, open: &mut BTreeSet<ChargeId>) -> bool {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    if lines.next().and_then(read) != Some((BOOT, boot)) {
        return false;
    }
    while let Some(line) = lines.next() {
        let mark = read(line).and_then(|(word, what)| Some((word, what.parse().ok()?)));
        match (mark, lines.peek().is_some()) {
            (Some((FORWARDING, charge)), _) => _ = open.insert(charge),
            (Some((DONE, charge)), _) => _ = open.remove(&charge),
            (None, false) if !line.ends_with(b"\n") => {}
            (_, _) => return false,
        }
    }
    true
}

/// The two words of a line whose checksum is right.
fn read(line: &[u8]) -> Option<(&str, &str)> {
    let (text, sum) = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.rsplit_once(' ')?;
    let sound = u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(text.as_bytes());
    sound.then(|| text.split_once(' ')).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::SystemDisk;

    fn charge(n: u8) -> ChargeId {
        ChargeId::from_bytes([n; 16])
    }

    fn marks(folder: &Path) -> Marks {
        Marks::read(&SystemDisk, folder).unwrap()
    }

    #[test]
    fn what_was_forwarded_and_not_done_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Journal::start(Arc::new(SystemDisk), folder.path(), 0).unwrap();
        let mut second = Journal::start(Arc::new(SystemDisk), folder.path(), 1).unwrap();
        first.forwarding(charge(1)).unwrap();
        first.forwarding(charge(2)).unwrap();
        second.forwarding(charge(3)).unwrap();
        first.done(charge(1));
        let open = marks(folder.path());
        assert!(!open.forwarded(charge(1)));
        assert!(open.forwarded(charge(2)) && open.forwarded(charge(3)));
        Marks::clear(&SystemDisk, folder.path(), &BTreeSet::new()).unwrap();
        assert_eq!(marks(folder.path()), Marks::Any, "what is not there proves nothing");
    }

    #[test]
    fn marks_of_another_boot_prove_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Journal::start(Arc::new(SystemDisk), folder.path(), 0).unwrap());
        assert_eq!(marks(folder.path()), Marks::These(BTreeSet::new()));
        let other = line(BOOT, "another boot");
        std::fs::write(folder.path().join("journal-1"), other).unwrap();
        assert!(marks(folder.path()).forwarded(charge(1)));
        std::fs::write(folder.path().join("journal-1"), "").unwrap();
        assert!(marks(folder.path()).forwarded(charge(1)), "an empty file was lost on its way");
    }

    #[test]
    fn every_cut_of_the_last_line_is_harmless_and_damage_before_it_is_doubt() {
        let boot = line(BOOT, "b");
        let first = format!("{boot}{}", line(FORWARDING, &charge(1).to_string()));
        let whole = format!("{first}{}", line(FORWARDING, &charge(2).to_string()));
        for cut in first.len()..whole.len() {
            let mut open = BTreeSet::new();
            assert!(replay(&whole.as_bytes()[..cut], "b", &mut open), "cut at {cut}");
            assert_eq!(open, BTreeSet::from([charge(1)]), "cut at {cut}");
        }
        for at in 0..first.len() {
            let mut damaged = whole.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(!replay(&damaged, "b", &mut BTreeSet::new()), "damage at {at}");
        }
    }

    #[test]
    fn a_long_journal_is_rewritten_with_its_open_marks() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::start(Arc::new(SystemDisk), folder.path(), 0).unwrap();
        journal.forwarding(charge(9)).unwrap();
        for _ in 0..20_000 {
            journal.forwarding(charge(1)).unwrap();
            journal.done(charge(1));
        }
        let length = std::fs::metadata(folder.path().join("journal-0")).unwrap().len();
        assert!(length < 2 * LENGTH_MAX as u64, "{length}");
        assert_eq!(marks(folder.path()), Marks::These(BTreeSet::from([charge(9)])));
    }

    #[test]
    fn an_instance_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = crate::seam::SystemEntropy;
        let name = instance(&SystemDisk, folder.path(), &entropy).unwrap();
        assert_eq!(instance(&SystemDisk, folder.path(), &entropy).unwrap(), name);
    }
}
