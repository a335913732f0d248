//! Every verb over any records: load, let the rules decide, check, write.
//!
//! Invariant: the first write comes after the last thing that can refuse.

mod amend;
mod jobs;
mod people;

pub(crate) use amend::{
    adjust, claim_free, claims, freeze, refund, sound_claim, sound_person, withdraw,
};
pub(crate) use jobs::{hand_over, job, note_job, watch_jobs};
pub(crate) use people::{
    accounts, alias, change_account, change_key, create_account, create_alias, create_key,
    document, document_of_key, remove_alias,
};

use super::draft::Draft;
use super::invariants::invariants;
use super::records::{Given, Records, ended_purge};
use super::state::{Account, Context, Ended};
use super::stop::Stop;
use super::told::{Said, told};
use super::{due, lease, reserve as reserving, settle as settling, view as viewing};
use crate::credit::{AccountId, ChargeId, Class, Partition};
use crate::ledger::{
    Books, Breach, ChargeRecord, Doubt, Extend, Extended, Gates, Grant, Granted, OpenRef, Quoted,
    Refusal, Release, Released, Reserve, Reserved, Settle, Settled, View,
};

/// What a step over the records yields.
pub(crate) type Outcome<T> = Result<T, Stop>;

/// The most leases that one call renews.
const EXTEND_MAX: usize = 1_024;
/// The most records that one call lists.
const LIST_MAX: usize = 1_000;
/// The most accounts that one search for due work looks at.
const SCAN_MAX: usize = 4 * LIST_MAX;
/// Ended charges that one writing step forgets at most; on average it adds fewer than two.
const PURGE_MAX: usize = 32;

pub(crate) fn reserve(r: &mut dyn Records, c: &Context, call: &Reserve) -> Outcome<Reserved> {
    let (before, mut draft, seen) = for_reserve(r, c, call)?;
    let answer = reserving::reserve(&mut draft, seen.as_ref(), call, c)?;
    write(r, c, &before, draft, Said::Reserve)?;
    Ok(answer)
}

pub(crate) fn quote(r: &mut dyn Records, c: &Context, call: &Reserve) -> Outcome<Quoted> {
    let (_, mut draft, seen) = for_reserve(r, c, call)?;
    let reserved = reserving::reserve(&mut draft, seen.as_ref(), call, c)?;
    Ok(Quoted { reserved })
}

/// Refuses an id whose partition is not its account's: its records could not be one step everywhere.
pub(crate) fn placed(partition: Partition, account: &AccountId) -> Outcome<()> {
    if partition == Partition::of(account) {
        return Ok(());
    }
    Err(super::stop::invalid("the id was made for an account of another partition"))
}

/// Refuses a charge's id that was made for another account: so no id ever has to be looked for among the open charges
/// of others.
pub(crate) fn own(charge: ChargeId, account: &AccountId) -> Outcome<()> {
    if charge.is_of(account) {
        return Ok(());
    }
    Err(super::stop::invalid("the charge's id was made for another account"))
}

fn for_reserve(
    r: &dyn Records,
    c: &Context,
    call: &Reserve,
) -> Outcome<(Account, Draft, Option<Ended>)> {
    own(call.charge, &call.account)?;
    let account = load(r, &call.account)?;
    if r.charge_owner(call.charge)?.is_some_and(|owner| owner != call.account) {
        return Err(Refusal::Conflict.into());
    }
    let seen = ended(r, c, call.charge)?;
    Ok((account.clone(), Draft::of(account), seen))
}

pub(crate) fn settle(r: &mut dyn Records, c: &Context, call: &Settle) -> Outcome<Settled> {
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    let answer = settling::settle(&mut draft, seen, call, c)?;
    write(r, c, &before, draft, Said::Settle)?;
    Ok(answer)
}

pub(crate) fn release(r: &mut dyn Records, c: &Context, call: &Release) -> Outcome<Released> {
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    let answer = settling::release(&mut draft, seen, call, c)?;
    write(r, c, &before, draft, Said::Release)?;
    Ok(answer)
}

pub(crate) fn doubt(r: &mut dyn Records, c: &Context, call: &Doubt) -> Outcome<()> {
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    lease::doubt(&mut draft, seen.as_ref(), call, c)?;
    write(r, c, &before, draft, Said::Doubt)
}

fn for_end(
    r: &dyn Records,
    c: &Context,
    account: &AccountId,
    charge: ChargeId,
) -> Outcome<(Account, Draft, Option<Ended>)> {
    // What was reserved before ids named their account is its account's all the same.
    let known = r.charge_owner(charge)?.map(|owner| owner == *account);
    if !known.unwrap_or_else(|| charge.is_of(account)) {
        return Err(Refusal::UnknownCharge.into());
    }
    let before = load(r, account)?;
    let draft = caught_up(c, &before)?;
    let seen = match draft.ended.iter().find(|ended| ended.charge == charge) {
        Some(ended) => Some(ended.clone()),
        None => ended(r, c, charge)?,
    };
    Ok((before, draft, seen))
}

/// The account as it stands after all due work. Every verb that moves money or ends something begins with it, so
/// that nothing depends on whether somebody has looked in between; too much of it is `tick`'s.
fn caught_up(c: &Context, before: &Account) -> Outcome<Draft> {
    let mut draft = Draft::of(before.clone());
    due::catch_up(&mut draft, c)?;
    Ok(draft)
}

pub(crate) fn extend(r: &mut dyn Records, c: &Context, call: &Extend) -> Outcome<Vec<Extended>> {
    if call.charges.len() > EXTEND_MAX {
        return Err(Refusal::TooMany("at most 1024 leases a call".to_owned()).into());
    }
    let mut touched = std::collections::BTreeMap::new();
    let mut answers = Vec::with_capacity(call.charges.len());
    for (id, charge) in &call.charges {
        if !touched.contains_key(id) {
            // An account that cannot be read has no running leases; the others' must not suffer.
            let loaded = readable(r, id)?.map(|account| (account.clone(), Draft::of(account)));
            touched.insert(id.clone(), loaded);
        }
        answers.push(match touched.get_mut(id) {
            Some(Some((_, draft))) => lease::extend(&mut draft.account, *charge, c),
            _ => Extended::Ended,
        });
    }
    for (before, draft) in touched.into_values().flatten() {
        write_lease(r, &before, &draft)?;
    }
    Ok(answers)
}

/// Writes renewed leases. Money is untouched, so there is nothing to check that could refuse.
fn write_lease(r: &mut dyn Records, before: &Account, draft: &Draft) -> Outcome<()> {
    if draft.account == *before { Ok(()) } else { r.save(Some(before), &draft.account) }
}

pub(crate) fn tick(r: &mut dyn Records, c: &Context, account: &AccountId) -> Outcome<u32> {
    let before = load(r, account)?;
    let mut draft = Draft::of(before.clone());
    let done = due::tick(&mut draft, c)?;
    write(r, c, &before, draft, Said::Tick)?;
    Ok(done)
}

pub(crate) fn due_accounts(
    r: &mut dyn Records,
    c: &Context,
    limit: usize,
) -> Outcome<Vec<AccountId>> {
    let limit = limit.min(LIST_MAX);
    let (mut found, mut skip) = (Vec::new(), 0_usize);
    // Within grace most of what the index names has nothing to do yet: look further, but not for ever,
    // since everybody else waits.
    while found.len() < limit && skip < SCAN_MAX {
        let candidates = r.due(c.now, skip, LIST_MAX)?;
        skip = skip.saturating_add(candidates.len());
        let last = candidates.len() < LIST_MAX;
        for id in candidates {
            if found.len() < limit && is_due(r, c, &id)? {
                found.push(id);
            }
        }
        if last {
            break;
        }
    }
    Ok(found)
}

/// Whether an account has something to do. One that is broken has not: a tick would be refused for ever,
/// and it would stand before the others each time.
fn is_due(r: &dyn Records, c: &Context, id: &AccountId) -> Outcome<bool> {
    let sound = readable(r, id)?;
    Ok(sound.is_some_and(|account| due::is_due(&account, c) && invariants(&account).is_ok()))
}

pub(crate) fn grant(r: &mut dyn Records, c: &Context, call: &Grant) -> Outcome<Granted> {
    super::grant::sound(call)?;
    if let Some(given) = r.given(&call.id)? {
        let same = given.call == *call;
        return if same { Ok(given.answer) } else { Err(Refusal::Conflict.into()) };
    }
    let before = load(r, &call.account)?;
    let mut draft = caught_up(c, &before)?;
    let answer = super::grant::grant(&mut draft, call, c)?;
    let said = Said::Grant { id: call.id.clone(), reason: call.reason.clone() };
    write(r, c, &before, draft, said)?;
    r.save_given(&Given { call: call.clone(), answer: answer.clone() })?;
    Ok(answer)
}

pub(crate) fn view(
    r: &mut dyn Records,
    c: &Context,
    account: &AccountId,
    gates: &Gates,
) -> Outcome<View> {
    let mut draft = Draft::of(load(r, account)?);
    viewing::view(&mut draft, gates, c)
}

pub(crate) fn books(r: &mut dyn Records, c: &Context, account: &AccountId) -> Outcome<Books> {
    let account = load(r, account)?;
    let mut books = super::books::books(&account, c);
    books.told = r.told(&account.document.account)?;
    for purse in &account.money.purses {
        let id = &purse.bucket.id;
        if purse.bucket.class == Class::Purchased && r.given(id)?.is_none() {
            books.breaches.push(Breach::of("I12", format!("nobody remembers giving {id}")));
        }
    }
    if !r.is_indexed(&account)? {
        let what = "the index of due work has it elsewhere than its next due work";
        books.breaches.push(Breach::of("I14", what));
    }
    Ok(books)
}

pub(crate) fn charge(r: &mut dyn Records, c: &Context, charge: ChargeId) -> Outcome<ChargeRecord> {
    if let Some(record) = ended_record(r, c, charge)? {
        return Ok(record);
    }
    let owner = r.charge_owner(charge)?.ok_or(Refusal::UnknownCharge)?;
    let account = load(r, &owner)?;
    open_record(r, &account, charge)?.ok_or_else(|| Refusal::UnknownCharge.into())
}

pub(crate) fn charges(
    r: &mut dyn Records,
    c: &Context,
    account: &AccountId,
    before: Option<ChargeId>,
    limit: usize,
) -> Outcome<Vec<ChargeRecord>> {
    let account = load(r, account)?;
    let limit = limit.min(LIST_MAX);
    let (mut found, mut before) = (Vec::new(), before);
    while found.len() < limit {
        let ids = r.charges_of(&account.document.account, before, limit)?;
        let Some(last) = ids.last() else { break };
        before = Some(*last);
        for id in ids {
            // What waits to be purged is not there any more.
            if found.len() >= limit {
                break;
            }
            let record = match ended_record(r, c, id)? {
                None => open_record(r, &account, id)?,
                ended => ended,
            };
            found.extend(record);
        }
    }
    Ok(found)
}

fn ended_record(r: &dyn Records, c: &Context, charge: ChargeId) -> Outcome<Option<ChargeRecord>> {
    let Some(ended) = ended(r, c, charge)? else { return Ok(None) };
    let [note, explanation] = r.texts(charge)?;
    Ok(Some(viewing::of_ended(&ended, note, explanation)))
}

fn open_record(
    r: &dyn Records,
    account: &Account,
    charge: ChargeId,
) -> Outcome<Option<ChargeRecord>> {
    let Some(open) = account.open.get(&charge) else { return Ok(None) };
    let [note, explanation] = r.texts(charge)?;
    Ok(Some(viewing::of_open(open, note, explanation)))
}

pub(crate) fn open_of(r: &mut dyn Records, instance: &str) -> Outcome<Vec<OpenRef>> {
    Ok(r.open_of(instance)?.iter().map(super::Open::short).collect())
}

/// All that is kept of an account, readably, for a person who has to look.
pub(crate) fn inspect(r: &mut dyn Records, account: &AccountId) -> Outcome<String> {
    let loaded = load(r, account)?;
    let mut text = format!("{loaded:#?}\n");
    for id in r.charges_of(account, None, usize::MAX)? {
        let [note, explanation] = r.texts(id)?;
        let (note, explanation) = (note.escape_ascii(), explanation.escape_ascii());
        text.push_str(&format!("{id} note {note} explanation {explanation}\n"));
        if let Some(ended) = r.ended(id)? {
            text.push_str(&format!("{ended:#?}\n"));
        }
    }
    Ok(text)
}

fn load(r: &dyn Records, id: &AccountId) -> Outcome<Account> {
    r.account(id)?.ok_or_else(|| Refusal::UnknownAccount.into())
}

/// An account among others; `None` if it cannot be read: the others go on.
fn readable(r: &dyn Records, id: &AccountId) -> Outcome<Option<Account>> {
    match load(r, id) {
        Ok(account) => Ok(Some(account)),
        Err(Stop::Failed(why)) => Err(Stop::Failed(why)),
        Err(_) => Ok(None),
    }
}

/// A charge's tombstone, unless its time is over and it only waits to be purged.
fn ended(r: &dyn Records, c: &Context, charge: ChargeId) -> Outcome<Option<Ended>> {
    Ok(r.ended(charge)?.filter(|ended| ended_purge(ended.at) > c.now))
}

/// Checks a draft and writes it, if it has changed anything, and tells of it.
fn write(
    r: &mut dyn Records,
    c: &Context,
    before: &Account,
    mut draft: Draft,
    said: Said,
) -> Outcome<()> {
    let changed = draft.account != *before
        || !draft.ended.is_empty()
        || !draft.notes.is_empty()
        || !draft.explanations.is_empty();
    if !changed {
        return Ok(());
    }
    draft.finish(c.now)?;
    // What was posted is for the store's stream; the record does not keep it.
    let postings = std::mem::take(&mut draft.account.money.postings);
    r.save(Some(before), &draft.account)?;
    let owner = &before.document.account;
    for (charge, note) in &draft.notes {
        r.save_charge(*charge, owner)?;
        r.save_note(*charge, note)?;
    }
    for ended in &draft.ended {
        r.save_charge(ended.charge, owner)?;
        r.save_ended(ended)?;
    }
    for (charge, text) in &draft.explanations {
        r.save_explanation(*charge, text)?;
    }
    if let Some(told) = told(r, before, &draft, &postings, (said, c.now))? {
        r.tell(told)?;
    }
    r.purge(c.now, PURGE_MAX)
}
