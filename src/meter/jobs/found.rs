//! Finding a job by the upstream's id alone: for upstreams that call one URL for all their jobs and know no account.
//!
//! Beside such a job lies an alias, the hash of its sort and id, which points at its account. It goes when the job's record
//! is about to: whoever watches the job then takes it away. An instance that dies just before it hands a job over leaves
//! an alias that leads to nothing, and so does a sort that goes from the configuration while it has jobs: nobody takes those
//! away.
//!
//! Invariant: an alias only points; what it leads to is the account's own job, or nothing.

use super::telling::Kept;
use crate::credit::{AccountId, AliasId, Name};
use crate::ledger::{Alias, Answer, Refusal, Watching};
use crate::meter::admit::Meter;
use crate::meter::rejection::Rejection;
use crate::seam::Timestamp;

/// The sort of these aliases.
const SORT: &str = "job";
/// For how long behind the last moment at which its charge may end by itself a job is found by its id, in milliseconds:
/// half as long as its record is kept, so that there is time to take the alias away.
const FOUND_MS: u64 = crate::ledger::JOB_KEPT_MS / 2;

/// Until when a job is found that waits until `until` and is then unknown for `reconcile_ms`.
pub(super) fn found_until(until: Timestamp, reconcile_ms: u64) -> Timestamp {
    until.plus_ms(reconcile_ms).plus_ms(FOUND_MS)
}

/// The name by which a job is found.
fn name(job: &Name, id: &str) -> AliasId {
    AliasId::of(SORT, format!("{job}\0{id}").as_bytes())
}

/// What points at the account of a job.
pub(super) fn alias(account: &AccountId, job: &Name, id: &str) -> Alias {
    Alias { id: name(job, id), account: account.clone(), key: None }
}

impl Meter {
    /// The job of one of these sorts that has this id, whosever it is; `None`: there is none.
    ///
    /// # Errors
    /// `metering_unavailable`.
    pub async fn job_named(&self, sorts: &[Name], id: &str) -> Result<Option<Kept>, Rejection> {
        for job in self.rules.jobs.iter().filter(|job| sorts.contains(&job.name)) {
            let found = match self.ledger.alias(name(&job.name, id)).await {
                Answer::Applied(found) => found,
                Answer::Refused(Refusal::UnknownAlias) => continue,
                Answer::Refused(refusal) => {
                    return Err(Rejection::metering_unavailable(format!("{refusal:?}")));
                }
                Answer::Unknown(why) => return Err(Rejection::metering_unavailable(why)),
            };
            match self.job(&found.account, job, id).await {
                Ok(kept) => return Ok(Some(kept)),
                Err(rejection) if rejection.code() == "unknown_job" => {}
                Err(rejection) => return Err(rejection),
            }
        }
        Ok(None)
    }

    /// A job is not found by its id any more, nor are its files.
    pub(super) async fn forget_name(&self, kept: &Kept) {
        let files = self.forget_files(kept).await;
        let own = alias(&kept.account, &kept.job.name, &kept.id);
        if self.unpoint(own).await && files {
            let mut record = kept.record.clone();
            (record.found_until, record.files) = (None, Vec::new());
            let ended = record.end.is_some();
            let _ = self.note(kept, &record, Watching::AsBefore, ended).await;
        }
    }

    /// Takes an alias away; whether it is gone for sure.
    pub(super) async fn unpoint(&self, alias: Alias) -> bool {
        match self.ledger.remove_alias(alias).await {
            // `Exists`: another account's job of the same id has it.
            Answer::Applied(()) | Answer::Refused(Refusal::Exists) => return true,
            Answer::Refused(refusal) => tracing::warn!(?refusal, "a job's alias stays"),
            Answer::Unknown(why) => tracing::warn!(why, "a job's alias perhaps stays"),
        }
        false
    }
}
