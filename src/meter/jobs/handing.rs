//! From an exchange that is over to a job that goes on.
//!
//! Invariant: the owner hears of the job only when the ledger has it, or when waiting for that takes too long.

use std::sync::Arc;

use super::found::{alias, found_until};
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
        record.found_until = job.observed.then(|| found_until(until, due.reconcile_ms));
        let alias = record.found_until.map(|_| alias(&account, &job.name, &id));
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
        let handed = ticket.hand_over(adjust, call)?;
        if let Some(alias) = alias.clone() {
            self.point(alias).await;
        }
        let Ok(version) = handed.await else {
            // There is no job that it could lead to.
            if let Some(alias) = alias {
                drop(self.ledger.remove_alias(alias).await);
            }
            return None;
        };
        self.tally.jobs.row(job.name.as_str()).begun.one();
        Some(Kept { account, job, id, charge, version, record, state: None })
    }
}

impl Meter {
    /// Lets a job be found by its id. Without it the upstream's calls are not understood, and the watcher ends the job.
    async fn point(&self, alias: Alias) {
        match self.ledger.create_alias(alias).await {
            Answer::Applied(()) => {}
            Answer::Refused(refusal) => tracing::error!(?refusal, "a job is not found by its id"),
            Answer::Unknown(why) => tracing::warn!(why, "a job is perhaps not found by its id"),
        }
    }
}

/// The id of the one adjustment that a job's beginning makes: the same whoever makes it.
fn adjust_id(charge: ChargeId) -> Option<BucketId> {
    format!("created:{charge}").parse().ok()
}
