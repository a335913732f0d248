//! Accounts and keys.
//!
//! Invariant: every change of a document raises its version, so that the next reserve with the old one
//! is told to look again. What is closed or revoked stays so.

use super::state::{Account, Context, Money};
use super::stop::{Stop, invalid};
use crate::credit::Zone;
use crate::ledger::{
    AccountChange, AccountStatus, Document, FreeCredits, KeyChange, KeyRecord, KeyStatus,
    NewAccount, NewKey, Override, OverrideChange, Refusal,
};
use crate::seam::Timestamp;

/// Keys of an account, revoked ones included, at most.
const KEYS_MAX: usize = 1_000;
/// The longest label, in bytes.
const LABEL_MAX: usize = 500;
/// The longest plan name, in bytes.
const PLAN_MAX: usize = 128;
/// The longest name of a person or reference, in bytes.
const NAME_MAX: usize = 200;
/// Routes of a key, at most.
const ROUTES_MAX: usize = 64;
/// Overrides of an account that have not ended, at most.
const OVERRIDES_MAX: usize = 64;

/// A new account.
pub(crate) fn create_account(call: &NewAccount, context: &Context) -> Result<Account, Stop> {
    check_label(&call.label)?;
    check_plan(&call.plan)?;
    check_zone(&call.zone)?;
    check_name("person", call.person.as_deref())?;
    check_name("reference", call.reference.as_deref())?;
    let document = Document {
        account: call.account.clone(),
        version: 1,
        status: AccountStatus::Active,
        plan: call.plan.clone(),
        zone: call.zone.clone(),
        anchor: call.anchor.unwrap_or(context.now),
        created: context.now,
        label: call.label.clone(),
        keys: Vec::new(),
        reason: String::new(),
        person: call.person.clone(),
        reference: call.reference.clone(),
        restricted_until: None,
        free: FreeCredits::Unclaimed,
        overrides: Vec::new(),
    };
    let open = std::collections::BTreeMap::new();
    Ok(Account { origin: call.clone(), document, money: Money::default(), open })
}

/// Changes an account; what is the same already raises no version.
pub(crate) fn change_account(
    document: &mut Document,
    call: &AccountChange,
    now: Timestamp,
) -> Result<(), Stop> {
    let before = document.clone();
    if let Some(plan) = &call.plan {
        check_plan(plan)?;
        document.plan.clone_from(plan);
    }
    if let Some(zone) = &call.zone {
        check_zone(zone)?;
        document.zone.clone_from(zone);
    }
    if let Some(label) = &call.label {
        check_label(label)?;
        document.label.clone_from(label);
    }
    if let Some(reason) = &call.reason {
        check_label(reason)?;
        document.reason.clone_from(reason);
    }
    if let Some(person) = &call.person {
        check_name("person", person.as_deref())?;
        document.person.clone_from(person);
    }
    if let Some(reference) = &call.reference {
        check_name("reference", reference.as_deref())?;
        document.reference.clone_from(reference);
    }
    if let Some(change) = &call.overrides {
        change_overrides(&mut document.overrides, change, now)?;
    }
    document.restricted_until = call.restricted_until.unwrap_or(document.restricted_until);
    // What one person's accounts have says nothing of another's.
    let same = document.person == before.person;
    let free = if same { document.free } else { FreeCredits::Unclaimed };
    document.free = call.free.unwrap_or(free);
    document.anchor = call.anchor.unwrap_or(document.anchor);
    document.status = call.status.unwrap_or(document.status);
    if *document != before && before.status == AccountStatus::Closed {
        return Err(Refusal::AccountStatus(AccountStatus::Closed).into());
    }
    raise(document, &before);
    Ok(())
}

fn change_overrides(
    overrides: &mut Vec<Override>,
    change: &OverrideChange,
    now: Timestamp,
) -> Result<(), Stop> {
    match change {
        OverrideChange::Put(new) => {
            check_override(new, now)?;
            match overrides.iter().find(|known| known.id == new.id) {
                Some(known) if known == new => return Ok(()),
                Some(_) => return Err(Refusal::Conflict.into()),
                None => overrides.push(new.clone()),
            }
        }
        OverrideChange::End(id) => {
            let found = overrides.iter_mut().find(|known| known.id == *id);
            let known = found.ok_or_else(|| invalid("there is no override of this id"))?;
            if known.ends.is_none_or(|end| end > now) {
                known.ends = Some(now);
            }
            return Ok(());
        }
    }
    overrides.retain(|known| known.ends.is_none_or(|end| end > now));
    if overrides.len() > OVERRIDES_MAX {
        let why = "an account has at most 64 overrides: end some first";
        return Err(Refusal::TooMany(why.to_owned()).into());
    }
    Ok(())
}

fn check_override(new: &Override, now: Timestamp) -> Result<(), Stop> {
    if new.ends.is_some_and(|end| end <= new.starts.max(now)) {
        return Err(invalid("the override would end before it begins: give a later end"));
    }
    check_name("an override's id", Some(&new.id))?;
    check_name("a limit's name", Some(&new.name))?;
    check_name("an override's author", Some(&new.author))?;
    check_label(&new.reason)
}

/// A new key. The same key again changes nothing, whatever has become of it.
pub(crate) fn create_key(
    document: &mut Document,
    call: &NewKey,
    context: &Context,
) -> Result<(), Stop> {
    if let Some(key) = document.key(call.id) {
        let same = key.hash == call.hash;
        return if same { Ok(()) } else { Err(Refusal::Conflict.into()) };
    }
    check_label(&call.label)?;
    check_name("member", call.member.as_deref())?;
    check_routes(&call.routes)?;
    if document.status == AccountStatus::Closed {
        return Err(Refusal::AccountStatus(AccountStatus::Closed).into());
    }
    if document.keys.len() >= KEYS_MAX {
        let why = "an account has at most 1000 keys, revoked ones included";
        return Err(Refusal::TooMany(why.to_owned()).into());
    }
    let before = document.clone();
    document.keys.push(KeyRecord {
        id: call.id,
        hash: call.hash,
        status: KeyStatus::Active,
        label: call.label.clone(),
        created: context.now,
        ends: call.ends,
        member: call.member.clone(),
        routes: call.routes.clone(),
    });
    raise(document, &before);
    Ok(())
}

/// Changes a key; what is revoked stays so.
pub(crate) fn change_key(document: &mut Document, call: &KeyChange) -> Result<(), Stop> {
    let before = document.clone();
    let Some(key) = document.keys.iter_mut().find(|key| key.id == call.id) else {
        return Err(Refusal::InvalidKey.into());
    };
    let status = call.status.unwrap_or(key.status);
    if key.status == KeyStatus::Revoked && status != KeyStatus::Revoked {
        return Err(invalid("a revoked key stays revoked: make a new one"));
    }
    if let Some(label) = &call.label {
        check_label(label)?;
        key.label.clone_from(label);
    }
    if let Some(member) = &call.member {
        check_name("member", member.as_deref())?;
        key.member.clone_from(member);
    }
    if let Some(routes) = &call.routes {
        check_routes(routes)?;
        key.routes.clone_from(routes);
    }
    key.status = status;
    key.ends = call.ends.unwrap_or(key.ends);
    raise(document, &before);
    Ok(())
}

fn raise(document: &mut Document, before: &Document) {
    if document != before {
        document.version = document.version.saturating_add(1);
    }
}

fn check_label(label: &str) -> Result<(), Stop> {
    if label.len() > LABEL_MAX {
        return Err(invalid("a label is at most 500 bytes"));
    }
    Ok(())
}

fn check_routes(routes: &[String]) -> Result<(), Stop> {
    if routes.len() > ROUTES_MAX {
        return Err(invalid("a key is for at most 64 routes, or for all"));
    }
    routes.iter().try_for_each(|route| check_name("a route's name", Some(route)))
}

pub(super) fn check_name(what: &str, name: Option<&str>) -> Result<(), Stop> {
    let fits =
        |name: &str| (1..=NAME_MAX).contains(&name.len()) && !name.contains(char::is_control);
    if name.is_none_or(fits) {
        return Ok(());
    }
    Err(invalid(&format!("{what} is 1 to {NAME_MAX} bytes without control characters")))
}

fn check_plan(plan: &str) -> Result<(), Stop> {
    if plan.is_empty() || plan.len() > PLAN_MAX {
        return Err(invalid("a plan's name is 1 to 128 bytes"));
    }
    Ok(())
}

fn check_zone(zone: &str) -> Result<(), Stop> {
    let known: Result<Zone, _> = zone.parse();
    known.map(|_| ()).map_err(|error| Refusal::Invalid(error.to_string()).into())
}
