//! Reading the exported ledger stream again: what its lines make of every bucket.
//!
//! Folders of files are read line by line, from their beginning or from where a saved replay ended; of each
//! account only its buckets' columns are kept. Where an instance took over the export from another one, the
//! account's lines lie in several folders: they are joined by its sequence.
//!
//! Invariant: a line is understood to its last member or is a breach that names its file and line.
//! Invariant: an account of which a line is missing or contradicts another is never said to agree.

mod account;
mod compare;
mod cursor;
mod fault;
mod folder;
mod line;
mod lines;
mod repeats;
mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub use self::account::{Columns, Rebuilt};
pub use self::compare::{Compared, Live, Sums, compare};
pub use self::fault::{Fault, Place};
pub use self::saved::{SaveError, Saved};

use self::account::Accounts;
use self::cursor::{Cursor, Item};
use self::fault::Faults;
use self::line::Line;
use self::repeats::{Repeats, Verdict};
use crate::credit::AccountId;

/// Why files cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// They, or the saved replay, belong to something else. The text says to what.
    #[error("{0}")]
    Other(String),
    /// The system says so.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

/// What was read, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines of the ledger that were replayed.
    pub lines: u64,
    /// Lines that were there a second time, the same to the byte.
    pub repeats: u64,
    /// Lines that were there a second time, the first one being in files that are gone.
    pub unproven: u64,
    /// Lines of other ledgers, by their epoch.
    pub others: BTreeMap<String, u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Replay {
    ledger: String,
    cursors: Vec<Cursor>,
    accounts: Accounts,
    faults: Faults,
    repeats: Repeats,
    read: Read,
    /// Accounts of which two lines of one number say different things.
    regressed: BTreeSet<AccountId>,
    /// Whether it goes on from a saved one.
    resumed: bool,
}

impl Replay {
    /// Opens folders of exported files. `ledger`: the epoch that is asked about; `None`: the one that the
    /// first folder's checkpoint names. Nothing is read yet.
    ///
    /// # Errors
    /// When a folder cannot be read, has no files, or the saved replay is of another ledger or other files.
    pub fn begin(
        folders: &[PathBuf],
        ledger: Option<&str>,
        from: Option<Saved>,
    ) -> Result<Self, ReplayError> {
        let mut faults = Faults::default();
        let mut cursors = Vec::new();
        for folder in folders {
            let opened = Cursor::open(folder, &mut faults);
            cursors.push(opened.map_err(|error| ReplayError::Io(folder.clone(), error))?);
        }
        let named = ledger.or_else(|| cursors.iter().find_map(Cursor::ledger)).map(str::to_owned);
        let ledger = named.ok_or_else(|| {
            let why = "no folder has a checkpoint.json that says which ledger it is of";
            ReplayError::Other(why.to_owned())
        })?;
        for cursor in &cursors {
            cursor.check_ledger(&ledger, &mut faults);
        }
        let resumed = from.is_some();
        let accounts = match from {
            None => Accounts::default(),
            Some(saved) => saved.resume(&ledger, &mut cursors)?,
        };
        let (repeats, read, regressed) = (Repeats::default(), Read::default(), BTreeSet::new());
        Ok(Self { ledger, cursors, accounts, faults, repeats, read, regressed, resumed })
    }

    /// The ledger's epoch.
    #[must_use]
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// What was read so far.
    #[must_use]
    pub const fn so_far(&self) -> &Read {
        &self.read
    }

    /// Remembers how an account stands after its line of this number, whatever comes behind it.
    pub fn mark(&mut self, account: &AccountId, sequence: u64) {
        self.accounts.mark(account, sequence);
    }

    /// Reads on, as far as is exported now.
    ///
    /// # Errors
    /// As the system says; what was read before stays.
    pub fn read_on(&mut self) -> Result<(), ReplayError> {
        self.refresh()?;
        let mut fresh = true;
        loop {
            let mut moved = false;
            for at in 0..self.cursors.len() {
                moved |= self.drain(at)?;
            }
            if moved {
                continue;
            }
            let waiting = self.cursors.iter().enumerate();
            let waiting = waiting.filter_map(|(at, cursor)| Some((cursor.waiting()?, at)));
            let Some((_, at)) = waiting.min() else { return Ok(()) };
            if fresh {
                // What is missing may have come to another folder after we looked there.
                self.refresh()?;
                fresh = false;
            } else if let Some(item) = self.take(at)? {
                // Nobody has what comes before this line.
                self.judge(item);
            }
        }
    }

    fn refresh(&mut self) -> Result<(), ReplayError> {
        for cursor in &mut self.cursors {
            let looked = cursor.refresh(&mut self.faults);
            looked.map_err(|error| cursor.failed(error))?;
        }
        Ok(())
    }

    /// Replays one folder until its end or until a line whose predecessor another folder may have.
    fn drain(&mut self, at: usize) -> Result<bool, ReplayError> {
        let (alone, mut moved) = (self.cursors.len() == 1, false);
        while let Some(item) = self.take(at)? {
            if !alone && !self.fits(&item) {
                if let Some(cursor) = self.cursors.get_mut(at) {
                    cursor.put_back(item);
                }
                break;
            }
            self.judge(item);
            moved = true;
        }
        Ok(moved)
    }

    fn fits(&self, item: &Item) -> bool {
        let Ok(line) = &item.line else { return true };
        let next = self.accounts.last(&line.account).saturating_add(1);
        line.epoch != self.ledger || line.sequence <= next
    }

    fn take(&mut self, at: usize) -> Result<Option<Item>, ReplayError> {
        let Some(cursor) = self.cursors.get_mut(at) else { return Ok(None) };
        let found = cursor.take(&mut self.faults);
        found.map_err(|error| cursor.failed(error))
    }

    fn judge(&mut self, item: Item) {
        let Item { place, bytes, line, changed } = item;
        let line = match line {
            Ok(line) => line,
            Err((code, why)) => return self.faults.add(Fault::at(code, place, why)),
        };
        if changed {
            // An exporter begins a new file for each ledger.
            let why = format!("the ledger changes to {} in the middle of a file", line.epoch);
            self.faults.add(Fault::at("wrong_epoch", place.clone(), why));
        }
        if line.epoch == self.ledger {
            return self.replay(&line, place, &bytes);
        }
        let count = self.read.others.entry(line.epoch).or_default();
        *count = count.saturating_add(1);
    }

    fn replay(&mut self, line: &Line, place: Place, bytes: &[u8]) {
        let last = self.accounts.last(&line.account);
        if line.sequence <= last {
            let key = (line.account.clone(), line.sequence);
            if !self.repeats.suspect(key, place.clone(), bytes) {
                let why = "too many lines are there a second time to be compared";
                self.blame("sequence_regression", &line.account, place, why.to_owned());
            }
            return;
        }
        self.read.lines = self.read.lines.saturating_add(1);
        if line.sequence > last.saturating_add(1) {
            let (from, to) = (last.saturating_add(1), line.sequence.saturating_sub(1));
            let why = format!(
                "entries {from} to {to} are missing before {}; is a folder missing that another \
                 instance exported to?",
                line.sequence
            );
            self.blame("gap", &line.account, place.clone(), why);
        }
        if let Err(why) = self.accounts.apply(line) {
            self.blame("contradiction", &line.account, place, why);
        }
    }

    fn blame(&mut self, code: &'static str, account: &AccountId, place: Place, why: String) {
        // One breach for each account: what follows it follows from it.
        if self.accounts.doubt(account) {
            self.faults.add(Fault::at(code, place, why).of(account));
        }
    }

    /// Judges lines whose number was there before: reads the files again and compares.
    ///
    /// # Errors
    /// As the system says.
    pub fn settle_repeats(&mut self) -> Result<(), ReplayError> {
        let suspects = std::mem::take(&mut self.repeats);
        if suspects.is_empty() {
            return Ok(());
        }
        let verdicts = suspects.judge(&self.cursors, &self.ledger)?;
        for (account, sequence, place, verdict) in verdicts {
            match verdict {
                Verdict::Same => self.read.repeats = self.read.repeats.saturating_add(1),
                Verdict::Unknown if self.resumed => {
                    self.read.unproven = self.read.unproven.saturating_add(1);
                }
                Verdict::Unknown => {
                    let why = format!("entry {sequence} comes behind a later one");
                    self.blame("out_of_order", &account, place, why);
                }
                Verdict::Differs(first) => {
                    let why = format!(
                        "entry {sequence} says something else than in {first}: the store went back \
                         and used the number again, or a file was changed"
                    );
                    self.accounts.doubt(&account);
                    // What contradicts itself behind it, or repeats it, follows from it.
                    self.faults.forget("contradiction", &account);
                    if self.regressed.insert(account.clone()) {
                        self.faults.add(Fault::at("sequence_regression", place, why).of(&account));
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of an account's last line.
    #[must_use]
    pub fn last(&self, account: &AccountId) -> u64 {
        self.accounts.last(account)
    }

    /// The accounts that lines tell of.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.names()
    }

    /// What an account's lines make of its buckets, at its mark if it has one; `None`: nothing can be said.
    #[must_use]
    pub fn rebuilt(&self, account: &AccountId) -> Option<&Rebuilt> {
        self.accounts.rebuilt(account)
    }

    /// Whether a breach was found in the lines of an account.
    #[must_use]
    pub fn is_doubtful(&self, account: &AccountId) -> bool {
        self.accounts.is_doubtful(account)
    }

    /// What contradicts itself in the files, at most a thousand, and how many more there are.
    #[must_use]
    pub fn faults(&self) -> (&[Fault], u64) {
        self.faults.all()
    }

    /// How far each folder was read: the file's path, the number of its lines, and its bytes.
    #[must_use]
    pub fn positions(&self) -> Vec<(Place, u64)> {
        self.cursors.iter().map(Cursor::place).collect()
    }

    /// Writes what was replayed to a file, from which another replay can go on. Either the whole file is
    /// there afterwards, synced, or what was there before.
    ///
    /// # Errors
    /// When the files contradict themselves, or the system says so.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        saved::save(self, path)
    }
}
