//! What is said of a job, and what becomes of its charge.
//!
//! Whoever reports first writes the end into the job's record, against its version: of two at once one wins. Only
//! then is the ledger told, and after it the record is closed. An instance that dies between the two leaves
//! the end in the record, and the watcher, or the next who looks, says it again.
//!
//! Invariant: money moves by what the record says, never by what was only read.

use std::sync::Arc;

use super::ending::{cost, end};
use super::job::{Job, Touch};
use super::record::{By, Done, LastWord, Record};
use super::sight::{JobSight, Report, is_id};
use crate::credit::{AccountId, Amount, ChargeId};
use crate::ledger::{self, Answer, Doubt, JobState, NoteJob, Refusal, Release, Settle, Watching};
use crate::meter::admit::Meter;
use crate::meter::rejection::Rejection;
use crate::meter::settings::{Due, Work};
use crate::meter::settler::Ending;
use crate::meter::verdict::Charge;
use crate::seam::Timestamp;

/// How often a report is tried again when somebody else has changed the record meanwhile.
const ROUNDS_MAX: usize = 16;
/// How long an end that is in the record may take to reach the ledger before somebody else says it, in
/// milliseconds.
const CLOSE_MS: u64 = 60_000;

/// A job of an account, as the ledger has it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Whose.
    pub account: AccountId,
    /// Its sort.
    pub job: Arc<Job>,
    /// The upstream's id for it.
    pub id: String,
    /// Its charge.
    pub charge: ChargeId,
    /// The version of its record.
    pub version: u64,
    /// What is known of it.
    pub record: Record,
    /// Where its charge stands; `None`: not read, and open for all that is known.
    pub state: Option<JobState>,
}

/// What a report leads to.
enum Step {
    /// Nothing.
    Nothing,
    /// The record is noted, and the job goes on.
    Wait(Box<Record>, Watching),
    /// The record has an end that nobody had written before, or that the ledger was not told.
    Close(Box<Record>),
    /// The record has its end, and something was added to it.
    Add(Box<Record>),
}

impl Meter {
    /// The job that a request of a free route is about.
    ///
    /// # Errors
    /// `unknown_job` for all that is not this account's, or `metering_unavailable`.
    pub async fn job(
        &self,
        account: &AccountId,
        job: &Arc<Job>,
        id: &str,
    ) -> Result<Kept, Rejection> {
        if !is_id(id) {
            return Err(Rejection::unknown_job());
        }
        match self.ledger.job(account.clone(), job.name.clone(), id.to_owned()).await {
            Answer::Applied(found) => kept(job.clone(), found)
                .map_err(|why| Rejection::metering_unavailable(format!("job {id}: {why}"))),
            Answer::Refused(Refusal::UnknownJob | Refusal::UnknownAccount) => {
                Err(Rejection::unknown_job())
            }
            Answer::Refused(refusal) => {
                Err(Rejection::metering_unavailable(format!("{refusal:?}")))
            }
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }

    /// How the answer to a request about a job is looked at.
    #[must_use]
    pub fn sight(&self, kept: &Kept, result: bool) -> JobSight {
        let route = self.rules.routes.iter().find(|route| route.name == kept.record.route);
        match route.map(|route| &route.work) {
            Some(Work::Paid(due)) => JobSight::of(due, &kept.job, result, &kept.record),
            _ => JobSight::of(&vanished(&kept.record), &kept.job, result, &kept.record),
        }
    }

    /// Acts on a report. Comes back when the ledger has all of it, or when it is lost; the answer: whether it has it.
    pub async fn told(&self, mut kept: Kept, report: Report, by: By) -> bool {
        let counts = self.tally.jobs.row(kept.job.name.as_str());
        if report.is_odd() {
            counts.odd_words.one();
            let (job, id, word) = (&kept.job.name, &kept.id, report.word.as_deref());
            tracing::error!(%job, id, word, %by, "a status word that the configuration does not know");
        }
        kept = self.with_files(kept, &report.files).await;
        if !report.is_end() {
            return true;
        }
        for _ in 0..ROUNDS_MAX {
            let noted = match self.decide(&kept, &report, by) {
                Step::Nothing => return true,
                Step::Wait(record, watch) => self.note(&kept, &record, watch, false).await,
                Step::Add(record) => self.note(&kept, &record, Watching::AsBefore, true).await,
                Step::Close(record) => {
                    let again = Watching::From(self.now().plus_ms(CLOSE_MS));
                    let noted = self.note(&kept, &record, again, false).await;
                    if let Some(version) = noted {
                        counts.ended.one();
                        self.close(Kept { record: *record, version, ..kept }).await;
                        return true;
                    }
                    noted
                }
            };
            if noted.is_some() {
                return true;
            }
            match self.job(&kept.account, &kept.job, &kept.id).await {
                Ok(newer) => kept = newer,
                Err(rejection) => {
                    tracing::error!(id = kept.id, why = rejection.inner, "a report is lost");
                    return false;
                }
            }
        }
        tracing::error!(job = %kept.job.name, id = kept.id, "a report is lost: the record never rests");
        false
    }

    fn decide(&self, kept: &Kept, report: &Report, by: By) -> Step {
        let now = self.now();
        let mut record = kept.record.clone();
        if let Some(end) = &record.end {
            let (said, first) = (report.class, end.class);
            if said == first || !record.contradicted(by, said, now) {
                return Step::Nothing;
            }
            self.contradicted(kept, report, by);
            return Step::Add(Box::new(record));
        }
        if let Some(JobState::Ended { by_deadline: false, .. }) = kept.state {
            // A person has ended the charge by hand.
            if !record.contradicted(by, report.class, now) {
                return Step::Nothing;
            }
            self.contradicted(kept, report, by);
            return Step::Add(Box::new(record));
        }
        let costs = cost(&mut record, self.due_of(&kept.record), report);
        if self.waits(kept, report, by, now) {
            if record.done.is_some() && record == kept.record {
                return Step::Nothing;
            }
            record.done.get_or_insert(Done { at: now, class: report.class });
            let watch = if asks(kept, by) { now } else { now.plus_ms(kept.job.grace_ms) };
            return Step::Wait(Box::new(record), Watching::From(watch));
        }
        end(&mut record, kept, report, by, costs, (now, self.mark()));
        Step::Close(Box::new(record))
    }

    fn mark(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without randomness two who say the same count as one.
        drop(self.entropy.fill(&mut bytes));
        u64::from_le_bytes(bytes)
    }

    /// Whether what a finished job used may still be told by another answer.
    fn waits(&self, kept: &Kept, report: &Report, by: By, now: Timestamp) -> bool {
        let settles = matches!(report.charge, Charge::Settle { .. });
        let elsewhere = || {
            let fetches = |touch: &Touch| {
                touch.job.name == kept.job.name && touch.deed == super::job::Deed::Fetch
            };
            asks(kept, by)
                || self.rules.routes.iter().any(|route| route.touch.as_ref().is_some_and(fetches))
        };
        let missing = report.missing.iter().any(|name| !kept.record.stated.contains(name));
        settles
            && missing
            && !report.result
            && !kept.record.has_waited(&kept.job, now)
            && elsewhere()
    }

    fn contradicted(&self, kept: &Kept, report: &Report, by: By) {
        self.tally.jobs.row(kept.job.name.as_str()).contradicted.one();
        let first = kept.record.end.as_ref().map(|end| (end.by, end.class));
        tracing::warn!(
            charge = %kept.charge, job = %kept.job.name, id = kept.id, ?first, said = ?report.class, %by,
            "a report contradicts the end of a job; no money moves"
        );
    }

    /// Replaces the record; `None`: somebody else was faster.
    pub(super) async fn note(
        &self,
        kept: &Kept,
        record: &Record,
        watch: Watching,
        ended: bool,
    ) -> Option<u64> {
        // Somebody has to come back and take the alias away: for the ledger such a job never ends.
        let (watch, ended) = match (record.found_until, watch) {
            (None, watch) => (watch, ended),
            (Some(at), Watching::From(then)) => (Watching::From(then.min(at)), false),
            (Some(at), Watching::Stopped) => (Watching::From(at), false),
            (Some(_), Watching::AsBefore) => (watch, false),
        };
        let call = NoteJob {
            account: kept.account.clone(),
            job: kept.job.name.clone(),
            upstream_id: kept.id.clone(),
            version: kept.version,
            record: record.bytes(),
            watch,
            ended,
        };
        match self.ledger.note_job(call).await {
            Answer::Applied(noted) => Some(noted.version),
            Answer::Refused(Refusal::Conflict) => None,
            Answer::Refused(refusal) => {
                tracing::warn!(charge = %kept.charge, ?refusal, "a job's record was not noted");
                None
            }
            Answer::Unknown(why) => {
                tracing::warn!(charge = %kept.charge, why, "a job's record was perhaps not noted");
                None
            }
        }
    }

    /// Says the end that is in the record, and closes the record.
    pub(super) async fn close(&self, kept: Kept) {
        let Some(end) = &kept.record.end else { return };
        let (account, charge) = (kept.account.clone(), kept.charge);
        let explanation = kept.record.told.bytes();
        let ending = match end.word {
            LastWord::Settle(actual) => {
                Ending::Settle(Settle { account, charge, actual, explanation })
            }
            LastWord::Release => Ending::Release(Release { account, charge, explanation }),
            LastWord::Doubt => Ending::Doubt(Doubt { account, charge, explanation }),
        };
        let stake = self.tally.stake_held(&kept.record.kind);
        self.settler.close(charge, ending, stake).await;
        let record = kept.record.clone();
        let _ = self.note(&kept, &record, Watching::Stopped, true).await;
    }

    fn due_of(&self, record: &Record) -> Option<&Arc<Due>> {
        let route = self.rules.routes.iter().find(|route| route.name == record.route)?;
        match &route.work {
            Work::Paid(due) => Some(due),
            Work::Free => None,
        }
    }
}

/// Whether our watcher may hear what a finished job used: from the result, or, where only a webhook has told of the end, from
/// a poll.
fn asks(kept: &Kept, by: By) -> bool {
    let watching = kept.job.watching.as_ref();
    watching.is_some_and(|own| own.result.is_some() || by == By::Webhook)
}

/// A job that the ledger has told of.
pub(super) fn kept(job: Arc<Job>, found: ledger::Job) -> Result<Kept, String> {
    Ok(Kept {
        account: found.account,
        id: found.upstream_id,
        charge: found.charge,
        version: found.version,
        record: Record::read(&found.record)?,
        state: Some(found.state),
        job,
    })
}

/// The rules of a route that the configuration has no more: what was held is charged for what was done.
fn vanished(record: &Record) -> Due {
    use crate::ledger::{OnUnknown, OverRun};
    use crate::meter::settings::OnDisconnect;
    use crate::meter::stream::StreamRules;
    let none = || crate::credit::Price {
        name: record.route.clone(),
        kind: record.kind.clone(),
        lines: Vec::new(),
        minimum: Amount::ZERO,
        maximum: None,
    };
    Due {
        price: Arc::new(record.price.clone().unwrap_or_else(none)),
        quantities: Vec::new(),
        outcomes: Vec::new(),
        stream: StreamRules::default(),
        decode: true,
        on_disconnect: OnDisconnect::Finish,
        on_unknown: OnUnknown::Hold,
        reconcile_ms: 0,
        over_run: OverRun::Absorb,
        job: None,
    }
}
