//! Accounts and keys: decided by the model's rules here, written if nobody else was faster.
//!
//! Invariant: a document is written only over the version that the change was made from.
//! Invariant: nobody is told that a key or an account is not there by a partition that has lost its data.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use redis::Value;

use super::asking::{Desk, Heard};
use super::bytes::{Reader, Writer};
use super::scripts::Verb;
use super::{calls, records, replies};
use crate::credit::{AccountId, KeyId, Partition};
use crate::ledger::model::{self, Context, Stop};
use crate::ledger::{AccountChange, Document, KeyChange, NewAccount, NewKey, Refusal};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 64;
/// The most documents that one call lists.
const LIST_MAX: usize = 1_000;

type Known = Option<(NewAccount, Document)>;

pub(super) async fn create_account(desk: &Arc<Desk>, call: &NewAccount) -> Result<Document, Stop> {
    for _ in 0..TRIES {
        let (context, known) = read(desk, &call.account).await?;
        if let Some((origin, document)) = known {
            let same = origin == *call;
            return if same { Ok(document) } else { Err(Refusal::Conflict.into()) };
        }
        let account = model::create_account(call, &context)?;
        if write(desk, None, call, &account.document, None).await? {
            return Ok(account.document);
        }
    }
    Err(too_busy())
}

pub(super) async fn change_account(
    desk: &Arc<Desk>,
    call: &AccountChange,
) -> Result<Document, Stop> {
    change(desk, &call.account, None, |document, context| {
        model::change_account(document, call, context.now)
    })
    .await
}

pub(super) async fn create_key(desk: &Arc<Desk>, call: &NewKey) -> Result<Document, Stop> {
    desk.about_now()?;
    model::placed(call.id.partition(), &call.account)?;
    if owner(desk, call.id).await?.is_some_and(|owner| owner != call.account) {
        return Err(Refusal::Conflict.into());
    }
    change(desk, &call.account, Some(call.id), |document, context| {
        model::create_key(document, call, context)
    })
    .await
}

pub(super) async fn change_key(desk: &Arc<Desk>, call: &KeyChange) -> Result<Document, Stop> {
    let owner = owner(desk, call.id).await?.ok_or(Refusal::InvalidKey)?;
    change(desk, &owner, None, |document, _| model::change_key(document, call)).await
}

async fn change(
    desk: &Arc<Desk>,
    account: &AccountId,
    key: Option<KeyId>,
    how: impl Fn(&mut Document, &Context) -> Result<(), Stop>,
) -> Result<Document, Stop> {
    for _ in 0..TRIES {
        let (context, known) = read(desk, account).await?;
        let (origin, before) = known.ok_or(Refusal::UnknownAccount)?;
        let mut after = before.clone();
        how(&mut after, &context)?;
        if after == before || write(desk, Some(&before), &origin, &after, key).await? {
            return Ok(after);
        }
    }
    Err(too_busy())
}

fn too_busy() -> Stop {
    Refusal::Unavailable("the account's document keeps changing: ask again".to_owned()).into()
}

/// Whether it was written; if not, somebody else was faster.
async fn write(
    desk: &Arc<Desk>,
    before: Option<&Document>,
    origin: &NewAccount,
    after: &Document,
    key: Option<KeyId>,
) -> Result<bool, Stop> {
    let partition = Partition::of(&after.account);
    let key = key.map_or_else(|| desk.keys.epoch(partition), |key| desk.keys.key(key));
    let bytes = records::pack_document(origin, after)?;
    let arg = calls::document(before.map_or(0, |before| before.version), after, &bytes);
    let keys = vec![desk.keys.accounts(partition), key];
    let heard = desk.ask(Verb::Document, &after.account, keys, arg).await?;
    match replies::applied(&heard, None) {
        Ok(_) => Ok(true),
        Err(Stop::Refused(refusal)) if *refusal == Refusal::Exists => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// An account's document as it is, and what the rules decide with.
async fn read(desk: &Arc<Desk>, account: &AccountId) -> Result<(Context, Known), Stop> {
    let heard = look(desk, account, false).await?;
    let context = heard.context(desk.settings.lease_ms);
    let bytes = heard.more.into_iter().nth(1).map(replies::text_of).transpose()?;
    let bytes = bytes.unwrap_or_default();
    if bytes.is_empty() {
        return Ok((context, None));
    }
    Ok((context, Some(records::document(&bytes, account.as_str())?)))
}

/// An account's records as they are.
pub(super) async fn look(desk: &Arc<Desk>, account: &AccountId, open: bool) -> Result<Heard, Stop> {
    let arg = Writer::default().flag(open).done();
    desk.ask(Verb::Look, account, Vec::new(), Ok(arg)).await
}

/// Whose key this is.
async fn owner(desk: &Desk, key: KeyId) -> Result<Option<AccountId>, Stop> {
    let partition = key.partition();
    let words = vec![b"MGET".to_vec(), desk.keys.epoch(partition), desk.keys.key(key)];
    let texts = replies::texts(desk.command(partition, words).await?)?;
    let [epoch, text] = <[_; 2]>::try_from(texts).unwrap_or_default();
    if epoch.is_empty() {
        return Err(desk.gone());
    }
    if text.is_empty() {
        return Ok(None);
    }
    Reader::new(&[], "a key's owner").parse(&text).map(Some)
}

pub(super) async fn document(desk: &Arc<Desk>, account: &AccountId) -> Result<Document, Stop> {
    let (_, known) = read(desk, account).await?;
    known.map(|(_, document)| document).ok_or_else(|| Refusal::UnknownAccount.into())
}

pub(super) async fn document_of_key(desk: &Arc<Desk>, key: KeyId) -> Result<Document, Stop> {
    let owner = owner(desk, key).await?.ok_or(Refusal::InvalidKey)?;
    document(desk, &owner).await
}

pub(super) async fn accounts(
    desk: &Arc<Desk>,
    after: Option<&AccountId>,
    limit: usize,
) -> Result<Vec<Document>, Stop> {
    let limit = limit.min(LIST_MAX);
    let ids = ids(desk, after, limit).await?;
    let documents = join_all(ids.iter().map(|id| document(desk, id))).await;
    let mut found = Vec::with_capacity(ids.len());
    for (id, document) in ids.iter().zip(documents) {
        match document {
            Ok(document) => found.push(document),
            Err(Stop::Broken(why) | Stop::Newer(why)) => {
                tracing::error!(account = %id, why, "an account cannot be read and is left out of a list");
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(found)
}

/// The first accounts of all partitions after `after`.
async fn ids(desk: &Desk, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>, Stop> {
    let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
    let epochs = Partition::all().map(|partition| {
        let words = vec![b"EXISTS".to_vec(), desk.keys.epoch(partition)];
        desk.command(partition, words)
    });
    let epochs: Vec<_> = epochs.collect();
    let lists = Partition::all().map(|partition| {
        let key = desk.keys.accounts(partition);
        let limit = limit.to_string().into_bytes();
        let from = from.clone().into_bytes();
        let words: [&[u8]; 7] = [b"ZRANGEBYLEX", &key, &from, b"+", b"LIMIT", b"0", &limit];
        desk.command(partition, words.map(<[u8]>::to_vec).to_vec())
    });
    let reader = Reader::new(&[], "the list of accounts");
    let mut found: Vec<AccountId> = Vec::new();
    let (epochs, lists) = join(join_all(epochs), join_all(lists)).await;
    for there in epochs {
        if there? == Value::Int(0) {
            return Err(desk.gone());
        }
    }
    for list in lists {
        for text in replies::texts(list?)? {
            found.push(reader.parse(&text)?);
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}
