//! Accounts, keys, and the other names of both.

use super::super::directory;
use super::super::draft::Draft;
use super::super::records::Records;
use super::super::state::Context;
use super::super::told::Said;
use super::{LIST_MAX, Outcome, load, placed, readable, write};
use crate::credit::{AccountId, AliasId, KeyId};
use crate::ledger::{AccountChange, Alias, Document, KeyChange, NewAccount, NewKey, Refusal};

pub(crate) fn create_account(
    r: &mut dyn Records,
    c: &Context,
    call: &NewAccount,
) -> Outcome<Document> {
    if let Some(account) = r.account(&call.account)? {
        let same = account.origin == *call;
        return if same { Ok(account.document) } else { Err(Refusal::Conflict.into()) };
    }
    let account = directory::create_account(call, c)?;
    r.save(None, &account)?;
    Ok(account.document)
}

pub(crate) fn change_account(
    r: &mut dyn Records,
    c: &Context,
    call: &AccountChange,
) -> Outcome<Document> {
    change(r, c, &call.account, |document| directory::change_account(document, call, c.now))
}

pub(crate) fn create_key(r: &mut dyn Records, c: &Context, call: &NewKey) -> Outcome<Document> {
    placed(call.id.partition(), &call.account)?;
    if r.key_owner(call.id)?.is_some_and(|owner| owner != call.account) {
        return Err(Refusal::Conflict.into());
    }
    let document =
        change(r, c, &call.account, |document| directory::create_key(document, call, c))?;
    if r.key_owner(call.id)?.is_none() {
        r.save_key_owner(call.id, &call.account)?;
    }
    Ok(document)
}

pub(crate) fn change_key(r: &mut dyn Records, c: &Context, call: &KeyChange) -> Outcome<Document> {
    let owner = r.key_owner(call.id)?.ok_or(Refusal::InvalidKey)?;
    change(r, c, &owner, |document| directory::change_key(document, call))
}

fn change(
    r: &mut dyn Records,
    c: &Context,
    account: &AccountId,
    how: impl FnOnce(&mut Document) -> Outcome<()>,
) -> Outcome<Document> {
    let before = load(r, account)?;
    let mut draft = Draft::of(before.clone());
    how(&mut draft.account.document)?;
    let document = draft.account.document.clone();
    if document != before.document {
        write(r, c, &before, draft, Said::Document)?;
    }
    Ok(document)
}

pub(crate) fn document(r: &mut dyn Records, account: &AccountId) -> Outcome<Document> {
    Ok(load(r, account)?.document)
}

pub(crate) fn document_of_key(r: &mut dyn Records, key: KeyId) -> Outcome<Document> {
    let owner = r.key_owner(key)?.ok_or(Refusal::InvalidKey)?;
    document(r, &owner)
}

pub(crate) fn create_alias(r: &mut dyn Records, call: &Alias) -> Outcome<()> {
    match r.alias(call.id)? {
        None => r.save_alias(call),
        Some(known) if known == *call => Ok(()),
        Some(_) => Err(Refusal::Exists.into()),
    }
}

pub(crate) fn remove_alias(r: &mut dyn Records, call: &Alias) -> Outcome<()> {
    match r.alias(call.id)? {
        None => Ok(()),
        Some(known) if known == *call => r.remove_alias(call.id),
        Some(_) => Err(Refusal::Exists.into()),
    }
}

pub(crate) fn alias(r: &mut dyn Records, id: AliasId) -> Outcome<Alias> {
    r.alias(id)?.ok_or_else(|| Refusal::UnknownAlias.into())
}

pub(crate) fn accounts(
    r: &mut dyn Records,
    after: Option<&AccountId>,
    limit: usize,
) -> Outcome<Vec<Document>> {
    let limit = limit.min(LIST_MAX);
    let (mut found, mut after) = (Vec::new(), after.cloned());
    while found.len() < limit {
        let ids = r.accounts(after.as_ref(), limit)?;
        let Some(last) = ids.last() else { break };
        after = Some(last.clone());
        for id in &ids {
            if found.len() >= limit {
                break;
            }
            let account = readable(r, id)?;
            if account.is_none() {
                tracing::error!(account = %id, "an account cannot be read and is left out of a list");
            }
            found.extend(account.map(|account| account.document));
        }
    }
    Ok(found)
}
