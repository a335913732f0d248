//! Jobs in the file: their records, and which somebody is to ask about or nobody needs any more.
//!
//! Invariant: what leads to a record changes in the same call as the record.

use redb::{ReadableTable, StorageError, Table, TableDefinition, TableError, WriteTransaction};

use crate::ledger::model::{JobRecord, Stop};
use crate::ledger::packed::{pack, unpack};
use crate::ledger::verbs::JobKey;
use crate::seam::Timestamp;

type Hash = [u8; 32];

const RECORDS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("jobs");
/// By when somebody is to ask about them.
const WATCHES: TableDefinition<'_, (u64, Hash), ()> = TableDefinition::new("watches");
/// By when they are forgotten.
const PURGES: TableDefinition<'_, (u64, Hash), ()> = TableDefinition::new("job_purges");

/// The jobs within one transaction.
pub(super) struct Jobs<'t> {
    records: Table<'t, Hash, &'static [u8]>,
    watches: Table<'t, (u64, Hash), ()>,
    purges: Table<'t, (u64, Hash), ()>,
}

impl<'t> Jobs<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            watches: transaction.open_table(WATCHES)?,
            purges: transaction.open_table(PURGES)?,
        })
    }

    pub(super) fn get(&self, key: JobKey) -> Result<Option<JobRecord>, Stop> {
        let job = self.records.get(key.0)?;
        job.map(|job| unpack(job.value(), &format!("job {}", key.name()))).transpose()
    }

    /// Writes a record; `before` is what lies there.
    pub(super) fn save(
        &mut self,
        key: JobKey,
        before: Option<&JobRecord>,
        after: &JobRecord,
    ) -> Result<(), Stop> {
        if let Some(before) = before {
            self.unlist(key, before)?;
        }
        self.records.insert(key.0, pack(after)?.as_slice())?;
        self.purges.insert((after.forget_at.0, key.0), ())?;
        if let Some(at) = after.watch_at {
            self.watches.insert((at.0, key.0), ())?;
        }
        Ok(())
    }

    /// Those that somebody is to ask about, those first that wait longest.
    pub(super) fn waiting(&self, now: Timestamp, limit: usize) -> Result<Vec<JobKey>, Stop> {
        let range = self.watches.range(..(now.0.saturating_add(1), [0; 32]))?;
        range.take(limit).map(|row| Ok(JobKey(row?.0.value().1))).collect()
    }

    /// Forgets at most `limit` of those whose time is over. One that cannot be read goes too: nobody can have it.
    pub(super) fn purge(&mut self, now: Timestamp, limit: usize) -> Result<(), Stop> {
        let over = self.purges.range(..(now.0.saturating_add(1), [0; 32]))?;
        let over: Vec<(u64, Hash)> =
            over.take(limit).map(|row| Ok(row?.0.value())).collect::<Result<_, StorageError>>()?;
        for (at, hash) in over {
            self.purges.remove((at, hash))?;
            if let Ok(Some(job)) = self.get(JobKey(hash)) {
                self.unlist(JobKey(hash), &job)?;
            }
            self.records.remove(hash)?;
        }
        Ok(())
    }

    fn unlist(&mut self, key: JobKey, job: &JobRecord) -> Result<(), Stop> {
        self.purges.remove((job.forget_at.0, key.0))?;
        if let Some(at) = job.watch_at {
            self.watches.remove((at.0, key.0))?;
        }
        Ok(())
    }
}
