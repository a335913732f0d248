//! Reading one folder on and on, file after file.
//!
//! Invariant: a file that is missing between two others, or before the last one, is a fault.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReplayError;
use super::fault::{Fault, Faults, Place};
use super::folder::{Folder, path};
use super::line::{self, Line};
use super::lines::{Lines, Piece};

/// How much of what lies before a position is remembered with it, in bytes.
const TAIL: u64 = 4_096;

/// A line with its place.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    /// What it tells, or a fault's code and words.
    pub(super) line: Result<Line, (&'static str, String)>,
    /// Whether the line before it in the same file is of another ledger.
    pub(super) changed: bool,
}

/// How far a folder was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    /// The set of files.
    pub(super) set: String,
    /// The file's number; 0: none was begun.
    pub(super) file: u64,
    /// Bytes of it.
    pub(super) length: u64,
    /// Lines of it.
    pub(super) line: u64,
    /// A checksum of what lies just before.
    pub(super) tail: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cursor {
    folder: PathBuf,
    pub(super) look: Folder,
    file: u64,
    lines: Option<Lines>,
    epoch: Option<String>,
    kept: Option<Item>,
    /// The file of which it was said that it is cut.
    cut: u64,
}

impl Cursor {
    /// A folder, before its first file.
    pub(super) fn open(folder: &Path, faults: &mut Faults) -> io::Result<Self> {
        let look = Folder::look(folder, faults)?;
        if look.files.is_empty() && look.counted.is_none() {
            let why = "there are no files of a ledger stream here";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let folder = folder.to_owned();
        Ok(Self { folder, look, file: 0, lines: None, epoch: None, kept: None, cut: 0 })
    }

    /// The ledger that the folder's checkpoint names.
    pub(super) fn ledger(&self) -> Option<&str> {
        self.look.counted.as_ref().map(|counted| counted.epoch.as_str())
    }

    /// A folder that is now written for another ledger will not have this one's next lines.
    pub(super) fn check_ledger(&self, ledger: &str, faults: &mut Faults) {
        if let Some(other) = self.ledger().filter(|other| *other != ledger) {
            let place = Place { file: self.folder.join("checkpoint.json").into(), line: 0 };
            let why = format!("what is exported here is the ledger {other}, not {ledger}");
            faults.add(Fault::at("wrong_epoch", place, why));
        }
    }

    /// Names the set of files; a copy without a checkpoint has no name.
    pub(super) fn set(&self) -> &str {
        self.look.counted.as_ref().map_or("", |counted| counted.set.as_str())
    }

    pub(super) fn failed(&self, error: io::Error) -> ReplayError {
        ReplayError::Io(self.folder.clone(), error)
    }

    /// Looks at the folder again: there may be more.
    pub(super) fn refresh(&mut self, faults: &mut Faults) -> io::Result<()> {
        self.look = Folder::look(&self.folder, faults)?;
        self.count(faults)
    }

    fn count(&mut self, faults: &mut Faults) -> io::Result<()> {
        let counted = self.look.limit(self.file);
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let missing = lines.count(counted)?;
        if missing > 0 && self.cut != self.file {
            self.cut = self.file;
            let place = Place { line: 0, ..lines.place() };
            let why =
                format!("{missing} bytes that its exporter had counted are gone from its end");
            faults.add(Fault::at("cut_file", place, why));
        }
        Ok(())
    }

    /// The next line; `None`: there is no more now.
    pub(super) fn take(&mut self, faults: &mut Faults) -> io::Result<Option<Item>> {
        if let Some(item) = self.kept.take() {
            return Ok(Some(item));
        }
        loop {
            if self.lines.is_none() && !self.next_file(faults)? {
                return Ok(None);
            }
            let Some(lines) = &mut self.lines else { return Ok(None) };
            match lines.next()? {
                Some(Piece::Whole(bytes)) => {
                    let place = lines.place();
                    return Ok(Some(self.item(place, bytes)));
                }
                Some(Piece::Torn) => {
                    let why = "the line has no end";
                    faults.add(Fault::at("torn_line", lines.place(), why));
                }
                Some(Piece::Long) => {
                    let why = "the line is longer than 16 MiB";
                    faults.add(Fault::at("not_understood", lines.place(), why));
                }
                None if self.file < self.look.last() => self.lines = None,
                None => return Ok(None),
            }
        }
    }

    /// Gives a line back: it is the next one again.
    pub(super) fn put_back(&mut self, item: Item) {
        self.kept = Some(item);
    }

    /// The moment of a line that was given back.
    pub(super) fn waiting(&self) -> Option<u64> {
        let item = self.kept.as_ref()?;
        Some(item.line.as_ref().map_or(0, |line| line.at.0))
    }

    fn item(&mut self, place: Place, bytes: Vec<u8>) -> Item {
        let line = line::read(&bytes);
        let mut changed = false;
        if let Ok(line) = &line {
            changed = self.epoch.as_ref().is_some_and(|before| *before != line.epoch);
            if self.epoch.as_ref() != Some(&line.epoch) {
                self.epoch = Some(line.epoch.clone());
            }
        }
        Item { place, bytes, line, changed }
    }

    /// Opens the next file; false: there is none yet.
    fn next_file(&mut self, faults: &mut Faults) -> io::Result<bool> {
        let last = self.look.last();
        if self.file >= last {
            return Ok(false);
        }
        let wanted = self.file.saturating_add(1);
        let found = self.look.files.range(wanted..=last).next();
        let found = found.map(|(number, file)| (*number, file.clone()));
        let missing_to = found.as_ref().map_or(last, |(number, _)| number.saturating_sub(1));
        if missing_to >= wanted {
            self.miss(wanted, missing_to, faults);
        }
        self.epoch = None;
        let Some((number, file)) = found else {
            self.file = last;
            return Ok(false);
        };
        self.file = number;
        self.lines = Some(Lines::open(&file, 0, 0)?);
        self.count(faults)?;
        Ok(true)
    }

    fn miss(&self, from: u64, to: u64, faults: &mut Faults) {
        let place = Place { file: path(&self.folder, from), line: 0 };
        let until = if from == to { String::new() } else { format!(" to number {to}") };
        let why = format!(
            "the file{until} is not there: if older files are gone on purpose, go on from a saved replay"
        );
        faults.add(Fault::at("missing_file", place, why));
    }

    /// How far it was read: file, lines, and bytes.
    pub(super) fn place(&self) -> (Place, u64) {
        match &self.lines {
            Some(lines) => (lines.place(), lines.offset),
            None => (Place { file: path(&self.folder, self.file.max(1)), line: 0 }, 0),
        }
    }

    /// The same, to be saved.
    pub(super) fn position(&self) -> io::Result<Position> {
        let (place, length) = self.place();
        let tail = if self.file == 0 { 0 } else { tail(&place.file, length)? };
        Ok(Position { set: self.set().to_owned(), file: self.file, length, line: place.line, tail })
    }

    /// Goes on from where another reading ended. The error says what has changed since.
    pub(super) fn resume(&mut self, at: &Position) -> Result<(), String> {
        if at.file == 0 {
            return Ok(());
        }
        let file: Arc<Path> = path(&self.folder, at.file);
        let gone = |error: io::Error| format!("{}: {error}", file.display());
        let mut lines = Lines::open(&file, at.length, at.line).map_err(gone)?;
        lines.count(self.look.limit(at.file)).map_err(gone)?;
        let same = !lines.is_short() && tail(&file, at.length).map_err(gone)? == at.tail;
        if !same {
            return Err(format!("{} has been changed since", file.display()));
        }
        (self.file, self.lines) = (at.file, Some(lines));
        Ok(())
    }
}

/// A checksum of what lies before this offset.
fn tail(file: &Path, offset: u64) -> io::Result<u32> {
    let length = offset.min(TAIL);
    let mut opened = File::open(file)?;
    opened.seek(SeekFrom::Start(offset.saturating_sub(length)))?;
    let mut bytes = Vec::new();
    opened.take(length).read_to_end(&mut bytes)?;
    Ok(crc32fast::hash(&bytes))
}
