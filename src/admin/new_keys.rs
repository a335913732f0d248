//! Keys: making, importing, rotating.
//!
//! An imported key is an alias, from the hash of its text to the account and the key's id, and a record of the
//! key. The alias is made first: a record without an alias would be a key that nobody could ever show, an alias
//! without a record speaks for nobody. The next import of the same hash for the same account completes it; one for
//! another account takes it over when it is old.
//!
//! Invariant: a key's text is in the answer that makes it, and nowhere else.
//! Invariant: a hash that has spoken for one account never speaks for another.

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, account, duration, label, misread, name, time, to_come};
use super::done::Done;
use super::keys::{find, known_routes, shown};
use super::once::Turn;
use super::problem::{Problem, applied};
use super::{Parts, Result, Shared};
use crate::credit::{AccountId, AliasId, KeyId, Partition};
use crate::ledger::{Alias, Answer, KeyChange, KeyRecord, KeyStatus, NewKey, Refusal};
use crate::meter::{Members, NewKeyText};
use crate::seam::Timestamp;

/// How often a creation whose answer was lost is asked again; its text would be lost with it.
const TRIES: usize = 3;
/// How long a rotated key still speaks if nobody says, in milliseconds.
const GRACE_MS: u64 = 24 * 60 * 60 * 1_000;
/// How old an alias without its key must be before another account may have it, in milliseconds: whoever is
/// importing it now has long ended by then, whatever the difference of two machines' clocks.
const CUT_SHORT_MS: u64 = 10 * 60 * 1_000;
/// The sort of aliases that imported keys have.
const SORT: &str = "key";

/// `POST /accounts/{id}/keys`.
pub(super) async fn create(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let traits = Traits::read(&parts, &mut asked)?;
    asked.end()?;
    let account = account(&parts, &id).await?;
    let turn = once.turn(&parts, Partition::of(&account)).await?;
    let made = secret(&parts, &account, turn, traits).await?;
    Ok(done(&parts, &account, turn, made, json!({})))
}

/// What a new key is like, but for its secret.
struct Traits {
    label: String,
    ends: Option<Timestamp>,
    member: Option<String>,
    routes: Vec<String>,
}

impl Traits {
    fn read(parts: &Parts, asked: &mut Members) -> Result<Self> {
        let member = asked.optional::<String>("member")?;
        let routes = asked.optional::<Vec<String>>("routes")?.unwrap_or_default();
        Ok(Self {
            label: label(asked)?.unwrap_or_default(),
            ends: ends(parts, asked)?,
            member: member.map(|it| name("member", it)).transpose()?,
            routes: known_routes(parts, routes)?,
        })
    }

    fn key(self, account: AccountId, id: KeyId, hash: [u8; 32]) -> NewKey {
        let Self { label, ends, member, routes } = self;
        NewKey { account, id, hash, label, ends, member, routes }
    }
}

fn ends(parts: &Parts, asked: &mut Members) -> Result<Option<Timestamp>> {
    time(asked, "ends_at")?.map(|moment| to_come(parts, "ends_at", moment)).transpose()
}

/// A key that is there now, and its text if it was made just now.
struct Made {
    record: KeyRecord,
    text: Option<String>,
}

/// Makes a key, unless an earlier call with the same `Idempotency-Key` did.
async fn secret(parts: &Parts, account: &AccountId, turn: Turn, traits: Traits) -> Result<Made> {
    if turn.repeated
        && let Some(record) = there(parts, account, turn.id).await?
    {
        return Ok(Made { record, text: None });
    }
    let made = NewKeyText::of(turn.id, parts.rules.identity.keys.shape.as_ref(), &*parts.entropy)
        .map_err(|error| {
        tracing::error!(%error, "a key cannot be made");
        let detail = "The machine has no randomness to make a key from.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_entropy", detail)
    })?;
    let call = traits.key(account.clone(), turn.id, made.hash);
    match insist(parts, call).await {
        Ok(record) => Ok(Made { record, text: Some(made.text) }),
        // The same call at the same time was faster.
        Err(problem) => match there(parts, account, turn.id).await {
            Ok(Some(record)) if turn.repeated && record.hash != made.hash => {
                Ok(Made { record, text: None })
            }
            _ => Err(problem),
        },
    }
}

async fn there(parts: &Parts, account: &AccountId, id: KeyId) -> Result<Option<KeyRecord>> {
    Ok(applied(parts.ledger.document(account.clone()).await)?.key(id).cloned())
}

/// Makes a key, and asks again while nobody knows: the same id and hash make one key.
async fn insist(parts: &Parts, call: NewKey) -> Result<KeyRecord> {
    let id = call.id;
    let mut answer = parts.ledger.create_key(call.clone()).await;
    for _ in 1..TRIES {
        if !matches!(answer, Answer::Unknown(_)) {
            break;
        }
        answer = parts.ledger.create_key(call.clone()).await;
    }
    let document = applied(answer).map_err(|problem| problem.with("id", id.to_string()))?;
    document.key(id).cloned().ok_or_else(|| {
        let detail = "The key was revoked while it was being made.";
        Problem::new(StatusCode::CONFLICT, "conflict", detail)
    })
}

/// The answer to a call that made a key; `more` is put into it.
fn done(parts: &Parts, account: &AccountId, turn: Turn, made: Made, more: Value) -> Done {
    let mut body = shown(account, &made.record, parts.clock.now());
    let object = made.record.id.to_string();
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let fresh = made.text.is_some();
    body["secret"] = made.text.into();
    if fresh {
        return Done::created(object, body).repeated(turn.repeated);
    }
    body["detail"] =
        "This Idempotency-Key has made this key before. Its secret was in that answer \
                      and is kept nowhere: revoke the key and make another if it was lost."
            .into();
    Done::changed(object, body).repeated(true)
}

/// `POST /accounts/{id}/keys/import`.
pub(super) async fn import(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let hash = sha256(&asked.required::<String>("sha256")?)?;
    let traits = Traits::read(&parts, &mut asked)?;
    asked.end()?;
    let account = account(&parts, &id).await?;
    // An account that is not there must not hold the hash.
    applied(parts.ledger.document(account.clone()).await)?;
    let turn = once.turn(&parts, Partition::of(&account)).await?;
    let own = Alias { id: AliasId::of(SORT, &hash), account: account.clone(), key: Some(turn.id) };
    let id = pointed(&parts, own.clone()).await?;
    let record = insist(&parts, traits.key(account.clone(), id, hash)).await?;
    // Somebody else may have taken the hash over while its key was not there yet.
    let now = applied(parts.ledger.alias(own.id).await)?;
    if now.account != account || now.key != Some(id) {
        applied(parts.ledger.change_key(KeyChange::revoke(id)).await)?;
        return Err(taken(&now.account));
    }
    if record.status == KeyStatus::Revoked {
        let detail = "This key was revoked, which is for ever: give the client another one.";
        return Err(Problem::new(StatusCode::CONFLICT, "key_revoked", detail)
            .with("id", record.id.to_string()));
    }
    let body = shown(&account, &record, parts.clock.now());
    Ok(Done::created(record.id.to_string(), body).repeated(turn.repeated))
}

fn sha256(text: &str) -> Result<[u8; 32]> {
    let wrong = || misread("sha256", "the SHA-256 of the key's whole text: 64 hexadecimal digits");
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong())?;
    bytes.try_into().map_err(|_| wrong())
}

/// Points the alias of a hash, unless it points at a key already. The answer is the id of the key.
async fn pointed(parts: &Parts, own: Alias) -> Result<KeyId> {
    let ledger = &*parts.ledger;
    for _ in 0..TRIES {
        match ledger.create_alias(own.clone()).await {
            Answer::Refused(Refusal::Exists) => {}
            answer => return applied(answer).and_then(|()| key_of(&own)),
        }
        let there = match ledger.alias(own.id).await {
            Answer::Refused(Refusal::UnknownAlias) => continue,
            answer => applied(answer)?,
        };
        if there.account == own.account {
            return key_of(&there);
        }
        let speaks = match ledger.document(there.account.clone()).await {
            Answer::Refused(Refusal::UnknownAccount) => false,
            answer => {
                let document = applied(answer)?;
                there.key.is_some_and(|key| document.key(key).is_some())
            }
        };
        let young = |key: KeyId| parts.clock.now().ms_since(key.born()) < CUT_SHORT_MS;
        if speaks || there.key.is_some_and(young) {
            return Err(taken(&there.account));
        }
        match ledger.remove_alias(there).await {
            Answer::Refused(Refusal::Exists) => {}
            answer => applied(answer)?,
        }
    }
    Err(taken(&own.account))
}

fn key_of(alias: &Alias) -> Result<KeyId> {
    alias.key.ok_or_else(|| taken(&alias.account))
}

fn taken(account: &AccountId) -> Problem {
    let detail =
        "A key with this hash belongs to another account, did, or is being imported there.";
    Problem::new(StatusCode::CONFLICT, "key_taken", detail)
        .with("param", "sha256")
        .with("account", account.as_str())
}

/// `POST /keys/{id}/rotate`: a new key; the old one ends after `grace`.
pub(super) async fn rotate(
    State(parts): Shared,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let grace = asked.optional::<String>("grace")?.map(|text| duration("grace", &text));
    let grace = grace.transpose()?.unwrap_or(GRACE_MS);
    let (label, ends) = (label(&mut asked)?, ends(&parts, &mut asked)?);
    asked.end()?;
    let (document, old) = find(&parts, &id).await?;
    let account = document.account.clone();
    let turn = once.turn(&parts, Partition::of(&account)).await?;
    let made_before = turn.repeated && document.key(turn.id).is_some();
    if !made_before && !old.speaks(parts.clock.now()) {
        let detail = "Only an active key can be rotated: enable it, or make a new one.";
        return Err(Problem::new(StatusCode::CONFLICT, "key_not_active", detail));
    }
    let label = label.unwrap_or_else(|| old.label.clone());
    // In place of the other: it may do as much, and counts for the same member.
    let traits = Traits { label, ends, member: old.member.clone(), routes: old.routes.clone() };
    let made = secret(&parts, &account, turn, traits).await?;
    let old = applied(parts.ledger.change_key(ending(&old, grace, parts.clock.now())).await)?
        .key(old.id)
        .map(|old| shown(&account, old, parts.clock.now()));
    Ok(done(&parts, &account, turn, made, json!({ "replaces": old })))
}

/// The end of a key that was rotated: never later than it would have been.
fn ending(old: &KeyRecord, grace_ms: u64, now: Timestamp) -> KeyChange {
    if grace_ms == 0 || old.status == KeyStatus::Revoked {
        return KeyChange::revoke(old.id);
    }
    let end = now.plus_ms(grace_ms);
    let end = old.ends.map_or(end, |earlier| earlier.min(end));
    KeyChange { ends: Some(Some(end)), ..KeyChange::of(old.id) }
}
