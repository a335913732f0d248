//! How far the files have come, as it is kept beside them.
//!
//! Invariant: what a checkpoint counts lies on the disk; what lies behind it does not count.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

/// The format that is read and written.
const VERSION: u32 = 1;

/// Entries that lie in the files and perhaps still in the streams, by partition, oldest first.
pub(in crate::ledger) type Pending = BTreeMap<u16, Vec<String>>;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ledger) struct Checkpoint {
    version: u32,
    /// Names this set of files.
    pub(in crate::ledger) set: String,
    /// The ledger's epoch.
    pub(in crate::ledger) epoch: String,
    /// The number of the file that is written.
    pub(in crate::ledger) file: u64,
    /// How much of it counts.
    pub(in crate::ledger) length: u64,
    /// What is still to be taken out of the streams.
    pub(in crate::ledger) pending: Pending,
}

impl Checkpoint {
    /// Nothing yet, in the file of this number.
    pub(in crate::ledger) const fn new(set: String, epoch: String, file: u64) -> Self {
        Self { version: VERSION, set, epoch, file, length: 0, pending: Pending::new() }
    }

    /// The next file, from its beginning; what was to be taken out is not this file's.
    pub(in crate::ledger) fn next(&self, epoch: &str) -> Self {
        Self::new(self.set.clone(), epoch.to_owned(), self.file.saturating_add(1))
    }

    /// So far, and no further.
    pub(in crate::ledger) fn at(&self, file: u64, length: u64, pending: Pending) -> Self {
        Self { file, length, pending, ..self.clone() }
    }

    pub(in crate::ledger) fn bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(in crate::ledger) fn read(bytes: &[u8]) -> io::Result<Self> {
        let read: Self = serde_json::from_slice(bytes)?;
        if read.version != VERSION {
            let why = format!("the checkpoint has version {}, known is {VERSION}", read.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(read)
    }
}
