//! What is said of jobs: generations that outlive the exchange that began them.
//!
//! A job is known by its account, the name of its sort in the configuration and the id that the upstream gave it.
//! Its charge lives on until it ends; its record says what the gateway has to know to ask for it, and is the
//! gateway's own: the ledger keeps it and does not look inside.
//!
//! Invariant: a job is found only with the account that began it.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::credit::{AccountId, Amount, ChargeId, Name};
use crate::ledger::ChargeState;
use crate::seam::Timestamp;

/// The name of a sort of jobs, as the configuration has it.
pub type JobName = Name;

/// Longest record of a job in bytes.
pub const JOB_RECORD_MAX: usize = 64 * 1024;
/// Longest id of a job in bytes, as the upstream gave it. Any text.
pub const JOB_ID_MAX: usize = 1_024;
/// How far ahead a job may be given its end, in milliseconds: a later one is cut to it.
pub const JOB_TTL_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// How long a job's record is kept behind the last moment at which its charge may still be ended by itself (`until`
/// and the charge's `reconcile` time), in milliseconds: results are fetched, and reports come, that much later.
pub const JOB_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Jobs that one call hands out to be watched, at most.
pub const WATCHED_MAX: usize = 256;
/// The longest time for which a job is handed out to be watched, in milliseconds.
pub const WATCH_LEASE_MAX_MS: u64 = 60 * 60 * 1_000;

/// The exchange that began a job is over; the job is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Whose.
    pub account: AccountId,
    /// The charge that holds the credits and the slot.
    pub charge: ChargeId,
    /// Which sort of job.
    pub job: JobName,
    /// The upstream's id for it; 1 to `JOB_ID_MAX` bytes.
    pub upstream_id: String,
    /// Until when the charge waits for the job's end; at most `JOB_TTL_MAX_MS` from now.
    pub until: Timestamp,
    /// When somebody is to ask the upstream first; `None`: nobody.
    pub watch_at: Option<Timestamp>,
    /// What the gateway has to know of it; opaque here, at most `JOB_RECORD_MAX` bytes.
    pub record: Vec<u8>,
    /// What is said of the charge while it waits, in the place of what an end says; at most `NOTE_MAX` bytes. Empty:
    /// nothing.
    pub explanation: Vec<u8>,
}

/// A charge that waits for its job, since now or since an earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// Where the charge stands. `Unknown`: its lease had lapsed already; the slot is not taken again, the credits
    /// stay held until `until` and the charge's `reconcile` time are over.
    pub state: ChargeState,
    /// Until when it waits.
    pub until: Timestamp,
    /// The version of the job's record.
    pub version: u64,
}

/// Replace what is known of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteJob {
    /// Whose.
    pub account: AccountId,
    /// Which sort of job.
    pub job: JobName,
    /// The upstream's id for it.
    pub upstream_id: String,
    /// The version that the change was made from.
    pub version: u64,
    /// What the gateway has to know from now on, at most `JOB_RECORD_MAX` bytes.
    pub record: Vec<u8>,
    /// Whether and when the upstream is asked next.
    pub watch: Watching,
    /// Whether the job was reported to have ended: nobody asks the upstream from then on. It never unends; what
    /// is noted later may still change the record.
    pub ended: bool,
}

/// Whether and when the upstream is asked about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// As before.
    AsBefore,
    /// From then on.
    From(Timestamp),
    /// Never again.
    Stopped,
}

/// A job's record that was replaced, now or by an earlier call with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The record's version from now on.
    pub version: u64,
    /// When the job was first reported to have ended.
    pub ended: Option<Timestamp>,
}

/// All that is kept of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whose.
    pub account: AccountId,
    /// Which sort of job.
    pub job: JobName,
    /// The upstream's id for it.
    pub upstream_id: String,
    /// Its charge.
    pub charge: ChargeId,
    /// What the gateway has to know of it.
    pub record: Vec<u8>,
    /// Counts the records, from 1.
    pub version: u64,
    /// Until when the charge waits for its end.
    pub until: Timestamp,
    /// When the upstream is asked next; `None`: never.
    pub watch_at: Option<Timestamp>,
    /// When it was handed over.
    pub begun: Timestamp,
    /// When its record was last replaced.
    pub noted: Option<Timestamp>,
    /// When it was first reported to have ended.
    pub ended: Option<Timestamp>,
    /// Where its charge stands.
    pub state: JobState,
}

/// Where the charge of a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Nobody has ended it yet.
    Open {
        /// Whether its time is over and only the credits are held.
        unknown: bool,
    },
    /// It has ended.
    Ended {
        /// `Settled` or `Released`.
        state: ChargeState,
        /// What it took, less what was refunded.
        charged: Amount,
        /// When.
        at: Timestamp,
        /// Whether its deadline ended it, and nobody ever said how the work went: a late end is still heard.
        by_deadline: bool,
    },
}

/// A job that is to be asked about; nobody else is told of it until the time asked for is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedJob {
    /// Whose.
    pub account: AccountId,
    /// Which sort of job.
    pub job: JobName,
    /// The upstream's id for it.
    pub upstream_id: String,
    /// Its charge.
    pub charge: ChargeId,
    /// What the gateway has to know of it.
    pub record: Vec<u8>,
    /// The record's version.
    pub version: u64,
    /// Until when the charge waits for its end.
    pub until: Timestamp,
}

/// Which job: a hash, so that any text of an upstream makes a key of one length. Every part stands behind its length:
/// no two jobs are hashed alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey(pub(crate) [u8; 32]);

impl JobKey {
    pub(crate) fn of(account: &AccountId, job: &JobName, upstream_id: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [account.as_str(), job.as_str(), upstream_id] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// As text, for stores whose keys are text.
    pub(crate) fn name(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The reverse.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        HEXLOWER.decode(name).ok()?.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_jobs_have_one_key() {
        let key = |account: &str, job: &str, id: &str| {
            JobKey::of(&account.parse().unwrap(), &job.parse().unwrap(), id)
        };
        let one = key("acct_a", "video", "x");
        assert_eq!(one, key("acct_a", "video", "x"));
        assert_eq!(JobKey::named(one.name().as_bytes()), Some(one));
        assert_eq!(JobKey::named(b"0a"), None);
        for other in [
            key("acct_b", "video", "x"),
            key("acct_a", "vide", "ox"),
            key("acct_a", "video", "x\0"),
            key("acct_a", "videox", ""),
        ] {
            assert_ne!(one, other);
        }
    }
}
