//! The ledger's stream once it has left a store: entries, their lines of JSON, and the files of lines.
//!
//! Every store that keeps a stream tells the same: what the rules have told, numbered for each account. How it is
//! packed meanwhile is the store's own; what a reader gets is made here.
//!
//! Invariant: the same entry is the same line, whichever store it lay in.

mod checkpoint;
mod files;
mod gauges;
mod lines;
mod pace;
mod watching;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::model::Told;

pub use gauges::StreamGauges;

pub(super) use checkpoint::Pending;
pub(super) use files::Files;
pub(super) use lines::{Line, Place, line, raw_line};
pub(super) use pace::{LAST_ROUNDS, LAST_STEP, Pace, Round};
pub(super) use watching::{Alarm, Hindrance, Losses, Sequences, StreamId, place_of};

/// What an operation has told, and which of its account's entries that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Counted from 1, without a gap.
    pub(super) sequence: u64,
    pub(super) told: Told,
}

/// Where what happened is written once it has left the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSettings {
    /// The folder of the files; made if it is not there.
    pub folder: PathBuf,
    /// The size at which the next file is begun, in bytes.
    pub rotate_bytes: u64,
    /// At how many waiting entries an alarm is raised; at least 1.
    pub alarm: u64,
}
