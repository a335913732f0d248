//! The ledger's stream in the file: what every operation has told, until it lies in the exported files.
//!
//! An entry is written in the transaction of its operation. It lies at its position, which is counted over all
//! accounts and never used again; its name is its time and its position, so that a file that was put back from an
//! older copy does not lose what it says under a position that was exported once.
//!
//! Invariant: what was told and what was done are committed together.
//! Invariant: entries leave by name, or as the oldest of too many, and those are counted.

use redb::{
    ReadableTable, ReadableTableMetadata, Table, TableDefinition, TableError, WriteTransaction,
};

use super::tables::LedgerId;
use crate::credit::AccountId;
use crate::ledger as audit;
use crate::ledger::model::{Stop, Told};
use crate::ledger::packed::{pack, unpack};
use crate::ledger::stream::Entry;

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("stream");
/// Account → how many entries it has told.
const SEQUENCES: TableDefinition<'_, &str, u64> = TableDefinition::new("sequences");

/// Where the numbers of the stream lie among those of the file.
const NEXT: &str = "stream_next";
const DROPPED: &str = "stream_dropped";
/// Too many entries leave so many at a time at most: a bound that was lowered must not stop an operation.
const DROP_AT_ONCE: u64 = 64;
/// How many bytes of entries are read at once; the last one may exceed it.
const BYTES_MAX: usize = 4 << 20;
/// The bytes in front of an entry: when it was told.
const TIME: usize = 8;

/// Numbers of the file.
pub(super) type Numbers<'t> = Table<'t, &'static str, u64>;

/// The stream within one transaction.
pub(super) struct Stream<'t> {
    entries: Table<'t, u64, &'static [u8]>,
    sequences: Table<'t, &'static str, u64>,
    /// How many entries may wait.
    keeping: Keeping,
}

/// Whose stream it is, and how many entries may wait in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    /// The ledger's own id.
    pub(super) ledger: LedgerId,
    /// The oldest of more are dropped.
    pub(super) most: u64,
}

/// An entry as it lies there.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name.
    pub(super) id: String,
    /// The entry, packed.
    pub(super) bytes: Vec<u8>,
}

/// What waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The oldest entries.
    pub(super) entries: Vec<Found>,
    /// How many there are in all.
    pub(super) count: u64,
    /// How many were dropped since the ledger was made.
    pub(super) dropped: u64,
}

impl Found {
    /// What it says.
    pub(super) fn read(&self) -> Result<Entry, Stop> {
        unpack(&self.bytes, &format!("entry {}", self.id))
    }
}

impl<'t> Stream<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        keeping: Keeping,
    ) -> Result<Self, TableError> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            sequences: transaction.open_table(SEQUENCES)?,
            keeping,
        })
    }

    /// How far an account's part of it has come.
    pub(super) fn told(&self, account: &AccountId) -> Result<audit::Told, Stop> {
        let sequence = self.sequences.get(account.as_str())?.map_or(0, |found| found.value());
        Ok(audit::Told { ledger: name(&self.keeping.ledger), sequence })
    }

    /// Keeps what an operation has told.
    pub(super) fn add(&mut self, numbers: &mut Numbers<'_>, told: Told) -> Result<(), Stop> {
        let account = told.account.clone();
        let sequence = self.told(&account)?.sequence.saturating_add(1);
        self.sequences.insert(account.as_str(), sequence)?;
        let mut bytes = told.at.0.to_le_bytes().to_vec();
        bytes.extend(pack(&Entry { sequence, told })?);
        let position = numbers.get(NEXT)?.map_or(1, |next| next.value());
        self.entries.insert(position, bytes.as_slice())?;
        numbers.insert(NEXT, position.saturating_add(1))?;
        self.drop_the_oldest(numbers)
    }

    fn drop_the_oldest(&mut self, numbers: &mut Numbers<'_>) -> Result<(), Stop> {
        let spare = self.entries.len()?.saturating_sub(self.keeping.most).min(DROP_AT_ONCE);
        if spare == 0 {
            return Ok(());
        }
        for _ in 0..spare {
            self.entries.pop_first()?;
        }
        let before = numbers.get(DROPPED)?.map_or(0, |dropped| dropped.value());
        numbers.insert(DROPPED, before.saturating_add(spare))?;
        Ok(())
    }

    /// Takes entries out by name. The answer is how many were there.
    pub(super) fn take_out(&mut self, names: &[String]) -> Result<u64, Stop> {
        let mut there: u64 = 0;
        for name in names {
            let Some((time, position)) = place(name) else { continue };
            let same =
                self.entries.get(position)?.is_some_and(|kept| split(kept.value()).0 == time);
            if same {
                self.entries.remove(position)?;
                there = there.saturating_add(1);
            }
        }
        Ok(there)
    }

    /// The oldest entries, at most `limit` and about as many as make a round.
    pub(super) fn waiting(&self, numbers: &Numbers<'_>, limit: usize) -> Result<Waiting, Stop> {
        let (mut entries, mut read) = (Vec::new(), 0_usize);
        for row in self.entries.iter()?.take(limit) {
            let (position, kept) = row?;
            let (time, entry) = split(kept.value());
            let id = format!("{time}-{}", position.value());
            read = read.saturating_add(entry.len());
            entries.push(Found { id, bytes: entry.to_vec() });
            if read >= BYTES_MAX {
                break;
            }
        }
        let dropped = numbers.get(DROPPED)?.map_or(0, |dropped| dropped.value());
        Ok(Waiting { entries, count: self.entries.len()?, dropped })
    }
}

/// When an entry was told, and the entry.
/// What a ledger is called in its stream.
pub(super) fn name(ledger: &LedgerId) -> String {
    data_encoding::HEXLOWER.encode(ledger)
}

fn split(kept: &[u8]) -> (u64, &[u8]) {
    match kept.split_first_chunk::<TIME>() {
        Some((time, entry)) => (u64::from_le_bytes(*time), entry),
        None => (0, kept),
    }
}

/// Time and position of a name; `None`: it is no entry's of this store.
fn place(name: &str) -> Option<(u64, u64)> {
    let (time, position) = name.split_once('-')?;
    Some((time.parse().ok()?, position.parse().ok()?))
}
