//! Readers, and verbs over many accounts.
//!
//! Invariant: what is decided here is never money.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;

use super::asking::Desk;
use super::bytes::{Reader, Writer};
use super::directory::look;
use super::records::{self, Head};
use super::scripts::Verb;
use super::{calls, replies};
use crate::credit::{AccountId, ChargeId, Partition};
use crate::ledger::model::{self, Account, Context, Ended, Open, Stop, of_ended, of_open};
use crate::ledger::{ChargeRecord, Extend, Extended, Gates, JobState, OpenRef, Refusal, View};
use crate::seam::Timestamp;

/// The most records that one call lists, and the most accounts that are taken from one index.
const LIST_MAX: usize = 1_000;
/// How names in a history begin that are sorted by the charge's end: behind all that begin with an id.
const LATE: &str = "late:";
/// The most accounts that one search for due work looks at.
const SCAN_MAX: usize = 4_000;

/// An account, the rest of its record, and what the rules decide with.
pub(super) async fn load(
    desk: &Arc<Desk>,
    id: &AccountId,
) -> Result<(Account, Head, Context), Stop> {
    let (_, account, head, context) = load_with(desk, id).await?;
    Ok((account, head, context))
}

/// As `load`, and the account's record as it was read.
pub(super) async fn load_with(
    desk: &Arc<Desk>,
    id: &AccountId,
) -> Result<(Vec<u8>, Account, Head, Context), Stop> {
    let mut heard = look(desk, id, true).await?;
    let context = heard.context(desk.settings.lease_ms);
    let mut more = std::mem::take(&mut heard.more).into_iter();
    let record = replies::text_of(more.next().unwrap_or(Value::Nil))?;
    let document = replies::text_of(more.next().unwrap_or(Value::Nil))?;
    if record.is_empty() {
        return Err(Refusal::UnknownAccount.into());
    }
    let open = pairs(more.next().unwrap_or(Value::Nil))?;
    let (account, head) = records::account(id, &record, &document, &open)?;
    Ok((record, account, head, context))
}

/// A text and another that belongs to it.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

pub(super) fn pairs(value: Value) -> Result<Vec<Pair>, Stop> {
    let mut texts = match value {
        Value::Map(map) => {
            let both = |(key, value)| Ok((replies::text_of(key)?, replies::text_of(value)?));
            return map.into_iter().map(both).collect();
        }
        other => replies::texts(other)?.into_iter(),
    };
    let mut found = Vec::new();
    while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
        found.push((key, value));
    }
    Ok(found)
}

pub(super) async fn view(
    desk: &Arc<Desk>,
    account: &AccountId,
    gates: &Gates,
) -> Result<View, Stop> {
    let (account, _, context) = load(desk, account).await?;
    model::view(account, gates, &context)
}

/// All that is kept of an account, readably: the same text as the other stores', and the record's head.
pub(super) async fn inspect(desk: &Arc<Desk>, id: &AccountId) -> Result<String, Stop> {
    let (account, head, _) = load(desk, id).await?;
    let mut text = format!("{account:#?}\n");
    let mut before = None;
    loop {
        let ids = charge_ids(desk, &account, before, LIST_MAX).await?;
        let Some(last) = ids.last() else { break };
        before = Some(*last);
        for charge in ids {
            text.push_str(&told_of(desk, id, charge).await?);
        }
    }
    Ok(format!("{text}{head:#?}\n"))
}

async fn told_of(desk: &Arc<Desk>, id: &AccountId, charge: ChargeId) -> Result<String, Stop> {
    let (ended, [note, explanation]) =
        match fetch(desk, charge, desk.keys.all(id), id.as_str()).await? {
            Found::None => return Ok(String::new()),
            Found::Open(_, texts) => (None, texts),
            Found::Ended(ended, texts) => (Some(ended), texts),
        };
    let (note, explanation) = (note.escape_ascii(), explanation.escape_ascii());
    let ended = ended.map(|ended| format!("{ended:#?}\n")).unwrap_or_default();
    Ok(format!("{charge} note {note} explanation {explanation}\n{ended}"))
}

/// One charge. Its id says where it lies; whose an open one is, the accounts say that have some.
pub(super) async fn charge(desk: &Arc<Desk>, charge: ChargeId) -> Result<ChargeRecord, Stop> {
    if let Some(record) = ended_charge(desk, charge).await? {
        return Ok(record);
    }
    for account in owners_of(desk, charge).await? {
        if let Some(record) = charge_of(desk, &account, charge).await? {
            return Ok(record);
        }
    }
    // It may have ended meanwhile.
    ended_charge(desk, charge).await?.ok_or_else(|| Refusal::UnknownCharge.into())
}

/// A charge that has ended, whoever's it is.
async fn ended_charge(desk: &Arc<Desk>, charge: ChargeId) -> Result<Option<ChargeRecord>, Stop> {
    let partition = charge.partition();
    let (epoch, lapsed) = (desk.keys.epoch(partition), desk.keys.lapsed(partition));
    let mut keys = vec![epoch; 9];
    keys.splice(4..5, [lapsed]);
    Ok(fetch(desk, charge, keys, "").await?.record())
}

/// Whose open charge this may be: of the accounts that are watched since they have some, those that it names. That is
/// hardly ever more than one.
async fn owners_of(desk: &Arc<Desk>, charge: ChargeId) -> Result<Vec<AccountId>, Stop> {
    let partition = charge.partition();
    let words: [&[u8]; 4] = [b"ZRANGE", &desk.keys.leases(partition), b"0", b"-1"];
    let watched = desk.command(partition, words.map(<[u8]>::to_vec).to_vec()).await?;
    let reader = Reader::new(&[], "the index of leases");
    let mut found = Vec::new();
    for text in replies::texts(watched)? {
        let account: AccountId = reader.parse(&text)?;
        found.extend(charge.is_of(&account).then_some(account));
    }
    Ok(found)
}

async fn charge_of(
    desk: &Arc<Desk>,
    account: &AccountId,
    charge: ChargeId,
) -> Result<Option<ChargeRecord>, Stop> {
    Ok(fetch(desk, charge, desk.keys.all(account), account.as_str()).await?.record())
}

/// Where the charge of a job stands; `None`: it is forgotten.
pub(super) async fn job_state(
    desk: &Arc<Desk>,
    account: &AccountId,
    charge: ChargeId,
) -> Result<Option<JobState>, Stop> {
    Ok(match fetch(desk, charge, desk.keys.all(account), account.as_str()).await? {
        Found::None => None,
        Found::Open(open, _) => Some(JobState::of_open(&open)),
        Found::Ended(ended, _) => Some(JobState::of_ended(&ended)),
    })
}

enum Found {
    None,
    Open(Box<Open>, [Vec<u8>; 2]),
    Ended(Box<Ended>, [Vec<u8>; 2]),
}

impl Found {
    fn record(self) -> Option<ChargeRecord> {
        match self {
            Self::None => None,
            Self::Open(open, [note, explanation]) => Some(of_open(&open, note, explanation)),
            Self::Ended(ended, [note, explanation]) => Some(of_ended(&ended, note, explanation)),
        }
    }
}

async fn fetch(
    desk: &Arc<Desk>,
    charge: ChargeId,
    mut keys: Vec<Vec<u8>>,
    account: &str,
) -> Result<Found, Stop> {
    keys.extend([desk.keys.charge(charge), desk.keys.texts(charge)]);
    let arg = Writer::default().word(charge.to_string())?.done();
    let partition = charge.partition();
    let heard = desk.ask_with(Verb::Charge, partition, keys, account, Ok(arg)).await?;
    let now = heard.now;
    let mut more = heard.more.into_iter().map(replies::text_of);
    let mut next = || more.next().unwrap_or_else(|| Ok(Vec::new()));
    let (tomb, texts, open, lapsed) = (next()?, next()?, next()?, next()?);
    if !open.is_empty() {
        let owner = Reader::new(&[], "an open charge").parse(account.as_bytes())?;
        let (open, beside) = records::open(&owner, charge, &open)?;
        return Ok(Found::Open(Box::new(open), beside.texts));
    }
    for (tomb, texts) in [(tomb, texts), (lapsed, Vec::new())] {
        if !tomb.is_empty() {
            let found = ended(desk, charge, &tomb, &texts, now)?;
            if !matches!(found, Found::None) {
                return Ok(found);
            }
        }
    }
    Ok(Found::None)
}

fn ended(
    desk: &Desk,
    charge: ChargeId,
    tomb: &[u8],
    texts: &[u8],
    now: Timestamp,
) -> Result<Found, Stop> {
    let tomb = records::tomb(charge, tomb)?;
    if tomb.ended.at.plus_ms(desk.settings.refundable_for_ms) <= now {
        return Ok(Found::None);
    }
    let texts = match tomb.texts {
        Some(texts) => texts,
        None => records::texts(charge, texts)?,
    };
    Ok(Found::Ended(Box::new(tomb.ended), texts))
}

/// An account's charges, newest first: those that are open, and those that have ended.
pub(super) async fn charges(
    desk: &Arc<Desk>,
    account: &AccountId,
    before: Option<ChargeId>,
    limit: usize,
) -> Result<Vec<ChargeRecord>, Stop> {
    let (known, _, _) = load(desk, account).await?;
    let limit = limit.min(LIST_MAX);
    let (mut found, mut before) = (Vec::new(), before);
    while found.len() < limit {
        let ids = charge_ids(desk, &known, before, limit).await?;
        let Some(last) = ids.last() else { break };
        before = Some(*last);
        let records = join_all(ids.iter().map(|id| charge_of(desk, account, *id))).await;
        for record in records {
            found.extend(record?);
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// The newest charges before `before`.
async fn charge_ids(
    desk: &Desk,
    account: &Account,
    before: Option<ChargeId>,
    limit: usize,
) -> Result<Vec<ChargeId>, Stop> {
    let mut ids = history(desk, &account.document.account, before, limit).await?;
    let older = |id: &&ChargeId| before.is_none_or(|before| **id < before);
    ids.extend(account.open.keys().filter(older));
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(limit);
    Ok(ids)
}

/// Ended charges: the newest before `before`, and all that ended long after their birth, which are few.
async fn history(
    desk: &Desk,
    account: &AccountId,
    before: Option<ChargeId>,
    limit: usize,
) -> Result<Vec<ChargeId>, Stop> {
    let key = desk.keys.history(account);
    let from = before.map_or_else(|| format!("({LATE}"), |before| format!("({before}"));
    let (limit, late) = (limit.to_string(), format!("({LATE}"));
    let by_birth: [&[u8]; 7] =
        [b"ZREVRANGEBYLEX", &key, from.as_bytes(), b"-", b"LIMIT", b"0", limit.as_bytes()];
    let by_end: [&[u8]; 4] = [b"ZRANGEBYLEX", &key, late.as_bytes(), b"+"];
    let partition = Partition::of(account);
    let ask =
        |words: &[&[u8]]| desk.command(partition, words.iter().map(|word| word.to_vec()).collect());
    let (by_birth, by_end) = futures_util::future::join(ask(&by_birth), ask(&by_end)).await;
    let reader = Reader::new(&[], "an account's history");
    let mut ids: Vec<ChargeId> = Vec::new();
    for name in replies::texts(by_birth?)?.into_iter().chain(replies::texts(by_end?)?) {
        let id = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        ids.push(reader.parse(id)?);
    }
    ids.retain(|id| before.is_none_or(|before| *id < before));
    Ok(ids)
}

/// Renews leases, one call for each account; the answers in the order of the charges.
pub(super) fn extend(
    desk: &Arc<Desk>,
    call: &Extend,
) -> impl Future<Output = Result<Vec<Extended>, Stop>> + Send + use<> {
    let mut accounts: BTreeMap<&AccountId, Vec<(usize, ChargeId)>> = BTreeMap::new();
    for (place, (account, charge)) in call.charges.iter().enumerate() {
        accounts.entry(account).or_default().push((place, *charge));
    }
    let asked: Vec<_> = accounts
        .into_iter()
        .map(|(account, charges)| {
            let ids: Vec<ChargeId> = charges.iter().map(|(_, charge)| *charge).collect();
            let arg = calls::extend(&ids, desk.settings.lease_ms);
            (charges, desk.ask(Verb::Extend, account, Vec::new(), arg))
        })
        .collect();
    let count = call.charges.len();
    async move {
        let mut answers = vec![Extended::Ended; count];
        for (charges, heard) in asked {
            let heard = match heard.await {
                // An account that cannot be read has no running leases; the others' must not suffer.
                Err(Stop::Broken(_) | Stop::Newer(_)) => continue,
                heard => heard?,
            };
            let mut r = replies::applied(&heard, None)?;
            for (place, _) in charges {
                if let (Some(end), Some(answer)) = (r.maybe()?, answers.get_mut(place)) {
                    *answer = Extended::Until(Timestamp(end));
                }
            }
        }
        Ok(answers)
    }
}

/// Accounts with due work, those first that wait longest.
pub(super) async fn due(desk: &Arc<Desk>, limit: usize) -> Result<Vec<AccountId>, Stop> {
    let limit = limit.min(LIST_MAX);
    if limit == 0 {
        return alive(desk).await.map(|()| Vec::new());
    }
    let now = desk.about_now()?;
    let asked = Partition::all().flat_map(|partition| {
        [desk.keys.leases(partition), desk.keys.wakes(partition)].map(|key| {
            let (now, most) = (now.0.to_string(), LIST_MAX.to_string());
            let words: [&[u8]; 8] = [
                b"ZRANGEBYSCORE",
                &key,
                b"-inf",
                now.as_bytes(),
                b"WITHSCORES",
                b"LIMIT",
                b"0",
                most.as_bytes(),
            ];
            desk.command(partition, words.map(<[u8]>::to_vec).to_vec())
        })
    });
    let mut candidates: BTreeMap<AccountId, Timestamp> = BTreeMap::new();
    let reader = Reader::new(&[], "an index");
    for list in join_all(asked).await {
        for (id, at) in pairs(list?)? {
            let at = Timestamp(reader.parse(&at)?);
            let known = candidates.entry(reader.parse(&id)?).or_insert(at);
            *known = at.min(*known);
        }
    }
    let mut candidates: Vec<_> = candidates.into_iter().map(|(id, at)| (at, id)).collect();
    candidates.sort_unstable();
    candidates.truncate(SCAN_MAX);
    let asked = candidates.iter().map(|(_, id)| since(desk, id));
    let mut found = Vec::new();
    for (since, (_, id)) in join_all(asked).await.into_iter().zip(&candidates) {
        found.extend(since?.map(|since| (since, id.clone())));
    }
    found.sort_unstable();
    Ok(found.into_iter().take(limit).map(|(_, id)| id).collect())
}

/// Since when something is due of an account that an index names; `None`: nothing is. One that is broken
/// has nothing: a tick would be refused for ever, and it would stand before the others each time.
async fn since(desk: &Arc<Desk>, id: &AccountId) -> Result<Option<Timestamp>, Stop> {
    let heard = match desk.ask(Verb::LookDue, id, Vec::new(), Ok(Vec::new())).await {
        Err(Stop::Broken(_) | Stop::Newer(_)) => return Ok(None),
        heard => heard?,
    };
    match replies::applied(&heard, None) {
        Ok(mut r) => Ok(r.maybe()?.map(Timestamp)),
        Err(Stop::Refused(refusal)) if *refusal == Refusal::UnknownAccount => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// Whether the ledger answers and is there.
async fn alive(desk: &Arc<Desk>) -> Result<(), Stop> {
    let first = Partition::default();
    let keys = vec![desk.keys.epoch(first); 11];
    let arg = Writer::default().word("")?.done();
    desk.ask_with(Verb::Charge, first, keys, "", Ok(arg)).await.map(|_| ())
}

/// The open charges of an instance: accounts with open charges are in the index of leases.
pub(super) async fn open_of(desk: &Arc<Desk>, instance: &str) -> Result<Vec<OpenRef>, Stop> {
    let lists = Partition::all().map(|partition| {
        let key = desk.keys.leases(partition);
        let words: [&[u8]; 4] = [b"ZRANGE", &key, b"0", b"-1"];
        desk.command(partition, words.map(<[u8]>::to_vec).to_vec())
    });
    let reader = Reader::new(&[], "the index of leases");
    let mut accounts: Vec<AccountId> = Vec::new();
    for list in join_all(lists).await {
        for text in replies::texts(list?)? {
            accounts.push(reader.parse(&text)?);
        }
    }
    let mut found = Vec::new();
    for some in accounts.chunks(LIST_MAX) {
        for account in join_all(some.iter().map(|id| load(desk, id))).await {
            match account {
                Ok((account, _, _)) => {
                    let own = account.open.values().filter(|open| open.instance == instance);
                    found.extend(own.map(|open| open.short()));
                }
                Err(Stop::Broken(why) | Stop::Newer(why)) => {
                    tracing::warn!(why, "an account is left out")
                }
                Err(Stop::Refused(refusal)) if *refusal == Refusal::UnknownAccount => {}
                Err(stop) => return Err(stop),
            }
        }
    }
    found.sort_by(|a, b| (&a.account, a.charge).cmp(&(&b.account, b.charge)));
    Ok(found)
}
