//! Jobs over any records.

use super::super::draft::bounded;
use super::super::jobs::{self, JobRecord};
use super::super::records::Records;
use super::super::state::Context;
use super::super::stop::Stop;
use super::super::told::Said;
use super::{Outcome, PURGE_MAX, ended, for_end, load, write};
use crate::credit::AccountId;
use crate::ledger::verbs::JobKey;
use crate::ledger::{
    HandOver, HandedOver, Job, JobName, JobState, NoteJob, Noted, Refusal, WATCHED_MAX, WatchedJob,
};

/// Jobs whose time has come that one call looks at, at most.
const SCAN_MAX: usize = 1_024;

/// What is told of it is the due work that comes first.
pub(crate) fn hand_over(r: &mut dyn Records, c: &Context, call: &HandOver) -> Outcome<HandedOver> {
    jobs::sound(&call.upstream_id, &call.record)?;
    bounded(&call.explanation)?;
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    let key = JobKey::of(&call.account, &call.job, &call.upstream_id);
    let known = live(r, c, key)?;
    if known.as_ref().is_some_and(|known| known.charge != call.charge) {
        return Err(Refusal::Exists.into());
    }
    let ended = seen.map(|ended| ended.state);
    let Some(open) = draft.account.open.get_mut(&call.charge) else {
        let state = ended.ok_or(Refusal::UnknownCharge)?;
        let known = known.ok_or(Refusal::Ended(state))?;
        return Ok(known.handed(state));
    };
    let state = open.state();
    if let Some(known) = known {
        return Ok(known.handed(state));
    }
    let record = jobs::hand_over(open, call, c.now);
    draft.explain(call.charge, &call.explanation)?;
    let answer = record.handed(state);
    let forgotten = r.job(key)?;
    write(r, c, &before, draft, Said::Tick)?;
    r.save_job(key, forgotten.as_ref(), &record)?;
    Ok(answer)
}

pub(crate) fn job(
    r: &mut dyn Records,
    c: &Context,
    account: &AccountId,
    job: &JobName,
    upstream_id: &str,
) -> Outcome<Job> {
    let known = live(r, c, JobKey::of(account, job, upstream_id))?.ok_or(Refusal::UnknownJob)?;
    let state = match ended(r, c, known.charge)? {
        Some(ended) => JobState::of_ended(&ended),
        None => {
            let account = load(r, account)?;
            // A charge that is forgotten takes its job along.
            JobState::of_open(account.open.get(&known.charge).ok_or(Refusal::UnknownJob)?)
        }
    };
    Ok(known.seen(state))
}

pub(crate) fn note_job(r: &mut dyn Records, c: &Context, call: &NoteJob) -> Outcome<Noted> {
    jobs::sound(&call.upstream_id, &call.record)?;
    let key = JobKey::of(&call.account, &call.job, &call.upstream_id);
    let before = live(r, c, key)?.ok_or(Refusal::UnknownJob)?;
    let mut after = before.clone();
    let answer = after.note(call, c.now)?;
    if after != before {
        r.save_job(key, Some(&before), &after)?;
        r.purge(c.now, PURGE_MAX)?;
    }
    Ok(answer)
}

/// A job that cannot be read is left alone: the others must not wait for it.
pub(crate) fn watch_jobs(
    r: &mut dyn Records,
    c: &Context,
    limit: usize,
    lease_ms: u64,
) -> Outcome<Vec<WatchedJob>> {
    let limit = limit.min(WATCHED_MAX);
    let mut given = Vec::new();
    for key in r.watches(c.now, SCAN_MAX)? {
        if given.len() >= limit {
            break;
        }
        match live(r, c, key) {
            Ok(Some(before)) => {
                let mut after = before.clone();
                given.push(after.watch(lease_ms, c.now));
                r.save_job(key, Some(&before), &after)?;
            }
            // It waits to be purged.
            Ok(None) => {}
            Err(Stop::Failed(why)) => return Err(Stop::Failed(why)),
            Err(why) => tracing::error!(?why, "a job is not watched"),
        }
    }
    if !given.is_empty() {
        r.purge(c.now, PURGE_MAX)?;
    }
    Ok(given)
}

/// A job, unless its time is over and it only waits to be purged.
fn live(r: &dyn Records, c: &Context, key: JobKey) -> Outcome<Option<JobRecord>> {
    Ok(r.job(key)?.filter(|job| job.forget_at > c.now))
}
