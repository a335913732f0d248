//! Jobs: each a record of its own in its account's partition, under the hash of its names, with an end; beside them
//! an index of those that somebody is to ask about.
//!
//! Invariant: a job is given to one caller by the script that moves its next moment, whatever the index says.

use std::sync::Arc;

use futures_util::future::join_all;

use super::asking::Desk;
use super::bytes::{Reader, Writer};
use super::records::VERSION;
use super::scripts::Verb;
use super::{calls, looking, replies};
use crate::credit::{AccountId, Partition};
use crate::ledger::model::{JobRecord, Stop, own, sound_job};
use crate::ledger::verbs::JobKey;
use crate::ledger::{
    ChargeState, HandOver, HandedOver, JOB_KEPT_MS, JOB_TTL_MAX_MS, Job, JobName, NoteJob, Noted,
    Refusal, WATCH_LEASE_MAX_MS, WATCHED_MAX, WatchedJob, Watching,
};
use crate::seam::Timestamp;

/// Jobs that one call finds in the index of a partition, at most: as many as one call gives.
const LIST_MAX: &str = "256";
/// Indexes that are asked at a time: requests must not find the way to the ledger full.
const AT_ONCE: usize = 128;
/// Jobs that one call tries to have, at most.
const SCAN_MAX: usize = 1_024;

pub(super) async fn hand_over(desk: &Arc<Desk>, call: &HandOver) -> Result<HandedOver, Stop> {
    desk.about_now()?;
    sound_job(&call.upstream_id, &call.record)?;
    own(call.charge, &call.account).map_err(|_| Refusal::UnknownCharge)?;
    let partition = Partition::of(&call.account);
    let key = JobKey::of(&call.account, &call.job, &call.upstream_id);
    let keys = vec![
        desk.keys.charge(call.charge),
        desk.keys.texts(call.charge),
        desk.keys.job(partition, key),
        desk.keys.watches(partition),
    ];
    let arg = handing(desk, call, key);
    let heard = desk.ask(Verb::HandOver, &call.account, keys, arg).await?;
    let r = &mut replies::applied(&heard, None)?;
    let state = match r.byte()? {
        0 => ChargeState::Held,
        1 => ChargeState::Unknown,
        2 => ChargeState::Settled,
        _ => ChargeState::Released,
    };
    Ok(HandedOver { state, until: r.time()?, version: r.number()? })
}

fn handing(desk: &Desk, call: &HandOver, key: JobKey) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    w.raw(&calls::ending(call.charge, 0, &call.explanation, &desk.settings)?);
    w.word(key.name())?.number(call.until.0).maybe(call.watch_at.map(|at| at.0));
    w.number(JOB_TTL_MAX_MS).number(JOB_KEPT_MS).word(call.job.as_str())?;
    Ok(w.text(&call.upstream_id)?.blob(&call.record)?.done())
}

pub(super) async fn job(
    desk: &Arc<Desk>,
    account: &AccountId,
    job: &JobName,
    upstream_id: &str,
) -> Result<Job, Stop> {
    let now = desk.about_now()?;
    let partition = Partition::of(account);
    let key = desk.keys.job(partition, JobKey::of(account, job, upstream_id));
    let words = vec![b"MGET".to_vec(), desk.keys.epoch(partition), key];
    let texts = replies::texts(desk.command(partition, words).await?)?;
    let [epoch, bytes] = <[_; 2]>::try_from(texts).unwrap_or_default();
    if epoch.is_empty() {
        return Err(desk.gone());
    }
    if bytes.is_empty() {
        return Err(Refusal::UnknownJob.into());
    }
    let found = record(&bytes)?;
    if found.forget_at <= now {
        return Err(Refusal::UnknownJob.into());
    }
    // A charge that is forgotten takes its job along.
    let state = looking::job_state(desk, account, found.charge).await?;
    Ok(found.seen(state.ok_or(Refusal::UnknownJob)?))
}

pub(super) async fn note_job(desk: &Arc<Desk>, call: &NoteJob) -> Result<Noted, Stop> {
    desk.about_now()?;
    sound_job(&call.upstream_id, &call.record)?;
    let key = JobKey::of(&call.account, &call.job, &call.upstream_id);
    let mut w = Writer::default();
    w.word(key.name())?.number(call.version);
    match call.watch {
        Watching::AsBefore => w.byte(0).number(0),
        Watching::From(at) => w.byte(1).number(at.0),
        Watching::Stopped => w.byte(2).number(0),
    };
    let arg = w.flag(call.ended).blob(&call.record)?.done();
    let heard = one(desk, Verb::NoteJob, Partition::of(&call.account), key, arg).await?;
    let r = &mut replies::applied(&heard, None)?;
    Ok(Noted { version: r.number()?, ended: r.maybe()?.map(Timestamp) })
}

/// Asks about a job alone.
async fn one(
    desk: &Arc<Desk>,
    verb: Verb,
    partition: Partition,
    key: JobKey,
    arg: Vec<u8>,
) -> Result<super::asking::Heard, Stop> {
    let mut keys = vec![desk.keys.epoch(partition); 9];
    keys.extend([desk.keys.job(partition, key), desk.keys.watches(partition)]);
    desk.ask_with(verb, partition, keys, "", Ok(arg)).await
}

/// What was given is told even if something else could not be asked: nobody else is told of it.
pub(super) async fn watch_jobs(
    desk: &Arc<Desk>,
    limit: usize,
    lease_ms: u64,
) -> Result<Vec<WatchedJob>, Stop> {
    let limit = limit.min(WATCHED_MAX);
    let now = desk.about_now()?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    let waiting = waiting(desk, now).await?;
    let lease_ms = lease_ms.clamp(1, WATCH_LEASE_MAX_MS);
    let (mut given, mut failed, mut rest) = (Vec::new(), None, waiting.as_slice());
    while given.len() < limit && failed.is_none() && !rest.is_empty() {
        let (some, others) = rest.split_at(rest.len().min(limit.saturating_sub(given.len())));
        let asked = some.iter().map(|(_, key, partition)| watch(desk, *partition, *key, lease_ms));
        for answer in join_all(asked).await {
            match answer {
                Ok(job) => given.extend(job),
                Err(Stop::Broken(why) | Stop::Newer(why)) => {
                    tracing::error!(why, "a job is not watched");
                }
                Err(stop) => failed = Some(stop),
            }
        }
        rest = others;
    }
    match failed.filter(|_| given.is_empty()) {
        Some(stop) => Err(stop),
        None => Ok(given),
    }
}

async fn watch(
    desk: &Arc<Desk>,
    partition: Partition,
    key: JobKey,
    lease_ms: u64,
) -> Result<Option<WatchedJob>, Stop> {
    let arg = Writer::default().word(key.name())?.number(lease_ms).done();
    let heard = one(desk, Verb::WatchJob, partition, key, arg).await?;
    let bytes = replies::applied(&heard, None)?.rest();
    if bytes.is_empty() { Ok(None) } else { Ok(Some(record(bytes)?.watched())) }
}

/// A job in the index: since when somebody is to ask about it, which, and where.
type Waiting = (Timestamp, JobKey, Partition);

/// Jobs that somebody is to ask about, those first that wait longest.
async fn waiting(desk: &Desk, now: Timestamp) -> Result<Vec<Waiting>, Stop> {
    let partitions: Vec<Partition> = Partition::all().collect();
    let mut found = Vec::new();
    for some in partitions.chunks(AT_ONCE) {
        for list in join_all(some.iter().map(|partition| waiting_in(desk, *partition, now))).await {
            found.extend(list?);
        }
    }
    found.sort_unstable_by_key(|(at, key, _)| (*at, *key));
    found.truncate(SCAN_MAX);
    Ok(found)
}

async fn waiting_in(
    desk: &Desk,
    partition: Partition,
    now: Timestamp,
) -> Result<Vec<Waiting>, Stop> {
    let (key, now) = (desk.keys.watches(partition), now.0.to_string());
    let words: [&[u8]; 8] = [
        b"ZRANGEBYSCORE",
        &key,
        b"-inf",
        now.as_bytes(),
        b"WITHSCORES",
        b"LIMIT",
        b"0",
        LIST_MAX.as_bytes(),
    ];
    let list = desk.command(partition, words.map(<[u8]>::to_vec).to_vec()).await?;
    let reader = Reader::new(&[], "the index of jobs");
    let read = |(name, at): looking::Pair| {
        let key = JobKey::named(&name).ok_or_else(|| reader.broken("names no job"))?;
        Ok((Timestamp(reader.parse(&at)?), key, partition))
    };
    looking::pairs(list)?.into_iter().map(read).collect()
}

/// A job's record as the scripts pack it.
fn record(bytes: &[u8]) -> Result<JobRecord, Stop> {
    let r = &mut Reader::new(bytes, "a job");
    match r.byte()? {
        VERSION => {}
        newer if newer > VERSION => {
            return Err(Stop::Newer(super::asking::written_by_newer("a job")));
        }
        _ => return Err(r.broken("has no version that is known")),
    }
    let (version, until) = (r.number()?, r.time()?);
    let (watch_at, begun) = (r.maybe()?.map(Timestamp), r.time()?);
    let (noted, ended) = (r.maybe()?.map(Timestamp), r.maybe()?.map(Timestamp));
    let forget_at = r.time()?;
    let (charge, account, job) = (r.word()?, r.word()?, r.word()?);
    let (charge, account, job) = (r.parse(charge)?, r.parse(account)?, r.parse(job)?);
    let upstream_id = r.text()?;
    let upstream_id = r.parse(upstream_id)?;
    let record = r.blob()?.to_vec();
    Ok(JobRecord {
        account,
        job,
        upstream_id,
        charge,
        version,
        until,
        watch_at,
        begun,
        noted,
        ended,
        forget_at,
        record,
    })
}
