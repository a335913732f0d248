//! From an exchange that is over to a job that goes on.
//!
//! Invariant: the owner hears of the job only when the ledger has it, or when waiting for that takes too long.

use std::sync::Arc;
use std::time::Duration;

use super::found::{alias, found_until};
use super::job::Job;
use super::record::Record;
use super::sight::Begun;
use super::telling::Kept;
use crate::credit::{AccountId, BucketId, ChargeId, Name};
use crate::ledger::{Adjust, Alias, Answer, HandOver};
use crate::meter::admit::Meter;
use crate::meter::pricing::Held;
use crate::meter::receipt::{Event, Explanation, JobNote};
use crate::meter::settings::Due;
use crate::meter::ticket::Ticket;

/// How often the ledger is asked to let a job be found by its id, when it does not answer.
const POINT_TRIES: u32 = 3;
/// How long to wait between two of these.
const POINT_PAUSE: Duration = Duration::from_millis(100);

/// What an exchange knows of the job that it has begun.
#[derive(Debug)]
pub struct Handing {
    /// Who pays.
    pub account: AccountId,
    /// The route.
    pub route: Name,
    /// What its path captured.
    pub captures: Vec<(String, String)>,
    /// Its rules.
    pub due: Arc<Due>,
    /// What is held.
    pub held: Held,
    /// Which host of its upstream the answer says that it is at, with its port.
    pub host: Option<String>,
    /// The receipt so far.
    pub told: Explanation,
}

impl Meter {
    /// Hands the charge over to its job. Comes back when the ledger has it; `None`: it will never, and somebody
    /// else has had the last word.
    pub async fn hand_over(&self, ticket: Ticket, handing: Handing, begun: &Begun) -> Option<Kept> {
        let Handing { account, route, captures, due, held, host, mut told } = handing;
        let (job, id) = (due.job.clone()?, begun.id.clone()?);
        let (charge, now) = (ticket.charge(), self.now());
        let (new, stated) =
            begun.held(&due, &held).unwrap_or_else(|| (held.clone(), Default::default()));
        let differs = new.priced.total != held.priced.total;
        let adjust = adjust_id(charge).filter(|_| differs).map(|id| Adjust {
            account: account.clone(),
            charge,
            id,
            held: new.priced.total,
        });
        told.timeline.push(Event { at: now, event: "handed over".to_owned() });
        told.job = Some(JobNote {
            name: job.name.to_string(),
            id: id.clone(),
            state: None,
            told_by: None,
        });
        let explanation = told.bytes();
        let mut record = Record::begin(route, captures, &due, new, stated, told);
        record.host = host;
        let until = now.plus_ms(job.ttl_ms);
        let found = job.observed || !job.files.is_empty();
        record.found_until = found.then(|| found_until(until, due.reconcile_ms));
        let alias = job.observed.then(|| alias(&account, &job.name, &id));
        let watched = job.watching.as_ref().map(|own| now.plus_ms(own.after_ms));
        let call = HandOver {
            account: account.clone(),
            charge,
            job: job.name.clone(),
            upstream_id: id.clone(),
            until,
            watch_at: watched.or(record.found_until),
            record: record.bytes(),
            explanation,
        };
        // First, so that a job is never there that its upstream's calls do not find. Whoever comes between is told to
        // come again, as before.
        if let Some(alias) = &alias {
            self.point(alias).await;
        }
        let handed = ticket.hand_over(adjust, call)?;
        let Ok(version) = handed.await else {
            if let Some(alias) = alias {
                self.take_back(alias, &job, &id).await;
            }
            return None;
        };
        self.tally.jobs.row(job.name.as_str()).begun.one();
        Some(Kept { account, job, id, charge, version, record, state: None })
    }
}

impl Meter {
    /// Lets a job, or a file of one, be found by its id; whether that is sure. Without it the upstream's calls are not
    /// understood, and the watcher ends the job.
    pub(super) async fn point(&self, alias: &Alias) -> bool {
        for left in (0..POINT_TRIES).rev() {
            match self.ledger.create_alias(alias.clone()).await {
                Answer::Applied(()) => return true,
                Answer::Refused(refusal) => {
                    tracing::error!(?refusal, "a job, or a file of one, is not found by its id");
                    return false;
                }
                Answer::Unknown(why) if left == 0 => {
                    tracing::warn!(why, "a job, or a file of one, is perhaps not found by its id");
                }
                Answer::Unknown(_) => tokio::time::sleep(POINT_PAUSE).await,
            }
        }
        false
    }

    /// The job was not handed over. Its alias goes where it leads to nothing; an earlier job of the same id keeps it.
    async fn take_back(&self, alias: Alias, job: &Arc<Job>, id: &str) {
        let found = self.job(&alias.account, job, id).await;
        if found.is_err_and(|rejection| rejection.code() == "unknown_job") {
            drop(self.ledger.remove_alias(alias).await);
        }
    }
}

/// The id of the one adjustment that a job's beginning makes: the same whoever makes it.
fn adjust_id(charge: ChargeId) -> Option<BucketId> {
    format!("created:{charge}").parse().ok()
}
