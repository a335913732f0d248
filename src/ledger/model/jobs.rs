//! Charges that wait for a job, and the jobs' records beside them.
//!
//! A charge that was handed over has its end as its lease and as its deadline, and no instance: no renewal moves it,
//! and no instance recovers it.
//!
//! Invariant: handing over moves no amount. A charge that has ended is never revived; one whose outcome is unknown
//! keeps its credits held longer and takes no slot again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{Ended, Open};
use super::stop::{Stop, invalid};
use crate::credit::{AccountId, ChargeId};
use crate::ledger::{
    ChargeState, HandOver, HandedOver, JOB_ID_MAX, JOB_KEPT_MS, JOB_RECORD_MAX, JOB_TTL_MAX_MS,
    Job, JobName, JobState, NoteJob, Noted, Refusal, WATCH_LEASE_MAX_MS, WatchedJob, Watching,
};
use crate::seam::Timestamp;

/// What is kept of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) account: AccountId,
    pub(crate) job: JobName,
    pub(crate) upstream_id: String,
    pub(crate) charge: ChargeId,
    pub(crate) version: u64,
    pub(crate) until: Timestamp,
    pub(crate) watch_at: Option<Timestamp>,
    pub(crate) begun: Timestamp,
    pub(crate) noted: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// When it is forgotten.
    pub(crate) forget_at: Timestamp,
    pub(crate) record: Vec<u8>,
}

/// Refuses what no job is called, and records that are too long.
pub(crate) fn sound(upstream_id: &str, record: &[u8]) -> Result<(), Stop> {
    if upstream_id.is_empty() || upstream_id.len() > JOB_ID_MAX {
        return Err(invalid("a job's id has 1 to 1,024 bytes"));
    }
    if record.len() > JOB_RECORD_MAX {
        return Err(invalid("a job's record is at most 64 KiB"));
    }
    Ok(())
}

/// When a job of this charge ends at the latest, and when it is forgotten.
pub(crate) fn moments(call: &HandOver, reconcile_ms: u64, now: Timestamp) -> [Timestamp; 2] {
    let until = call.until.min(now.plus_ms(JOB_TTL_MAX_MS));
    [until, until.max(now).plus_ms(reconcile_ms).plus_ms(JOB_KEPT_MS)]
}

/// Makes an open charge wait for its job; the answer is the job's record.
pub(crate) fn hand_over(open: &mut Arc<Open>, call: &HandOver, now: Timestamp) -> JobRecord {
    let open = Arc::make_mut(open);
    let [until, forget_at] = moments(call, open.reconcile_ms, now);
    open.instance.clear();
    if open.unknown {
        let kept = until.plus_ms(open.reconcile_ms);
        open.deadline = open.deadline.map(|deadline| deadline.max(kept));
    } else {
        open.lease_end = until;
        open.deadline = Some(until);
        open.timeout_ms = until.ms_since(open.begun);
    }
    JobRecord {
        account: call.account.clone(),
        job: call.job.clone(),
        upstream_id: call.upstream_id.clone(),
        charge: call.charge,
        version: 1,
        until,
        watch_at: call.watch_at.filter(|at| *at < forget_at),
        begun: now,
        noted: None,
        ended: None,
        forget_at,
        record: call.record.clone(),
    }
}

impl JobRecord {
    /// What is answered to whoever handed it over, now or before.
    pub(crate) const fn handed(&self, state: ChargeState) -> HandedOver {
        HandedOver { state, until: self.until, version: self.version }
    }

    /// What is known from now on.
    pub(crate) fn note(&mut self, call: &NoteJob, now: Timestamp) -> Result<Noted, Stop> {
        let again = self.version.checked_sub(1) == Some(call.version)
            && self.record == call.record
            && (self.ended.is_some() || !call.ended);
        if again {
            return Ok(self.answer());
        }
        if self.version != call.version {
            return Err(Refusal::Conflict.into());
        }
        self.version = self.version.saturating_add(1);
        self.record.clone_from(&call.record);
        self.noted = Some(now);
        if call.ended {
            self.ended.get_or_insert(now);
        }
        match call.watch {
            _ if self.ended.is_some() => self.watch_at = None,
            Watching::AsBefore => {}
            Watching::From(at) => self.watch_at = Some(at).filter(|at| *at < self.forget_at),
            Watching::Stopped => self.watch_at = None,
        }
        Ok(self.answer())
    }

    const fn answer(&self) -> Noted {
        Noted { version: self.version, ended: self.ended }
    }

    /// Gives it to somebody for so long.
    pub(crate) fn watch(&mut self, lease_ms: u64, now: Timestamp) -> WatchedJob {
        let lease_ms = lease_ms.clamp(1, WATCH_LEASE_MAX_MS);
        self.watch_at = Some(now.plus_ms(lease_ms)).filter(|at| *at < self.forget_at);
        self.clone().watched()
    }

    /// As whoever is to ask about it is told.
    pub(crate) fn watched(self) -> WatchedJob {
        WatchedJob {
            account: self.account,
            job: self.job,
            upstream_id: self.upstream_id,
            charge: self.charge,
            record: self.record,
            version: self.version,
            until: self.until,
        }
    }

    /// As a reader sees it.
    pub(crate) fn seen(self, state: JobState) -> Job {
        Job {
            account: self.account,
            job: self.job,
            upstream_id: self.upstream_id,
            charge: self.charge,
            record: self.record,
            version: self.version,
            until: self.until,
            watch_at: self.watch_at,
            begun: self.begun,
            noted: self.noted,
            ended: self.ended,
            state,
        }
    }
}

impl JobState {
    /// Where an open charge stands.
    pub(crate) const fn of_open(open: &Open) -> Self {
        Self::Open { unknown: open.unknown }
    }

    /// Where an ended one stands.
    pub(crate) fn of_ended(ended: &Ended) -> Self {
        Self::Ended {
            state: ended.state,
            charged: ended.charged.saturating_sub(ended.refunded()),
            at: ended.at,
            by_deadline: ended.by_deadline,
        }
    }
}
