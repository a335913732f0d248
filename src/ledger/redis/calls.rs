//! Calls as the scripts read them.
//!
//! Invariant: what a script cannot say exactly is refused here, before anything is sent.

mod usual;

use super::bytes::Writer;
use super::records::{Said, VERSION, cap_name, class_number, limit_name, write_extra, write_said};
use super::settings::Settings;
use crate::credit::{ChargeId, Period, When};
use crate::ledger::model::{LONGEST_US, Stop, allowance_bucket};
use crate::ledger::{
    AccountStatus, AllowanceCheck, CapCheck, Document, Grant, KeyStatus, NOTE_MAX, RateCheck,
    Refusal, Reserve, Scope, SlotCheck,
};
use crate::seam::Timestamp;

/// What every call begins with.
pub(super) struct Frame<'a> {
    pub(super) clock: Timestamp,
    /// On a ledger that was made for tests: the time, and whether it is within grace.
    pub(super) test: Option<(Timestamp, bool)>,
    pub(super) account: &'a str,
}

impl Frame<'_> {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Stop> {
        let mut w = Writer::default();
        w.byte(VERSION).number(self.clock.0);
        w.flag(self.test.is_some_and(|(_, grace)| grace));
        w.maybe(self.test.map(|(now, _)| now.0));
        Ok(w.word(self.account)?.done())
    }
}

/// `reserve` and `quote`.
pub(super) fn reserve(call: &Reserve, settings: &Settings) -> Result<Vec<u8>, Stop> {
    bounded(&call.note)?;
    let gates = &call.gates;
    let said = said_of(call);
    let mut w = Writer::default();
    w.word(call.charge.to_string())?.number(call.document_version).number(call.charge.born().0);
    w.number(settings.lease_ms).number(kept(settings.refundable_for_ms));
    w.number(gates.window.from.0).number(gates.window.until.0).raw(&gates.ranks.0);
    w.byte(said.flags());
    // From here as the record of an open charge has it, which the usual path copies.
    let (mut before, mut behind) = (Writer::default(), Writer::default());
    write_said(&mut before, &said)?;
    // No adjustments yet.
    let rest = Writer::default().text(&call.revision)?.text(&call.instance)?.short(0)?.done();
    behind.text(rest)?.text(&call.note)?;
    let (before, behind) = (before.done(), behind.done());
    w.raw(&before).raw(&behind);
    list(&mut w, &gates.rates, rate)?;
    list(&mut w, &gates.slots, slot)?;
    list(&mut w, &gates.caps, |w, check| cap(w, check, call))?;
    list(&mut w, &gates.allowances, allowance)?;
    let rules = w.done();
    let usual = usual::reserve(call, (before.len(), behind.len()))?;
    // One counts from 1 in a script, behind the four bytes of this number.
    let at = rules.len().saturating_add(5);
    let at = u32::try_from(at).ok().filter(|_| usual.is_some()).unwrap_or_default();
    Ok(Writer::default().long(at).raw(&rules).raw(&usual.unwrap_or_default()).done())
}

fn said_of(call: &Reserve) -> Said<'_> {
    Said {
        held: call.amount,
        timeout_ms: call.timeout_ms,
        reconcile_ms: call.reconcile_ms,
        fingerprint: &call.fingerprint,
        key: call.key,
        kind: call.kind.as_str(),
        route: &call.route,
        on_unknown: call.on_unknown,
        over_run: call.over_run,
        max_debt: call.max_debt,
        feature: call.feature.as_deref(),
        member: call.member.as_deref(),
    }
}

fn list<T>(
    w: &mut Writer,
    items: &[T],
    mut write: impl FnMut(&mut Writer, &T) -> Result<(), Stop>,
) -> Result<(), Stop> {
    w.short(items.len())?;
    items.iter().try_for_each(|item| write(w, item))
}

/// Its interval and its burst, in microseconds.
fn bursts(check: &RateCheck) -> (u64, u64) {
    let interval = check.interval_us.clamp(1, LONGEST_US);
    (interval, interval.saturating_mul(u64::from(check.burst.max(1))).min(LONGEST_US))
}

fn rate(w: &mut Writer, check: &RateCheck) -> Result<(), Stop> {
    let (interval, burst) = bursts(check);
    w.text(limit_name(&check.name, &check.scope))?.number(interval).number(burst);
    Ok(())
}

fn slot(w: &mut Writer, check: &SlotCheck) -> Result<(), Stop> {
    w.text(slot_scope(&check.scope))?.long(check.limit);
    Ok(())
}

fn cap(w: &mut Writer, check: &CapCheck, call: &Reserve) -> Result<(), Stop> {
    let counts = check.kind.as_ref().is_none_or(|only| *only == call.kind);
    w.text(cap_name(check.measure, &check.name, &check.scope))?
        .flag(counts)
        .number(check.limit)
        .flag(check.refundable);
    for period in &check.periods {
        bounds(w.word(&period.id)?, period);
    }
    Ok(())
}

fn allowance(w: &mut Writer, check: &AllowanceCheck) -> Result<(), Stop> {
    w.word(cut(&check.name))?.word(check.kind.as_str())?;
    w.byte(class_number(check.class)).byte(check.priority).number(check.amount.micro());
    w.flag(check.when == When::PaidExhausted).text(write_extra(&check.only, None, None, None)?)?;
    w.flag(check.carry.is_some());
    if let Some(carry) = &check.carry {
        w.number(carry.min.micro()).number(carry.max.micro()).byte(carry.percent);
        w.number(carry.until[0].0).number(carry.until[1].0);
    }
    for period in &check.periods {
        // An empty id says that it would be too long.
        let id = allowance_bucket(&check.name, &period.id);
        bounds(
            w.word(id.map(|id| id.to_string()).unwrap_or_default())?.word(cut(&period.id))?,
            period,
        );
    }
    Ok(())
}

/// As much of a name as fits. One that is longer is part of no bucket's id.
fn cut(name: &str) -> &[u8] {
    let length = name.len().min(usize::from(u8::MAX));
    name.as_bytes().get(..length).unwrap_or_default()
}

fn bounds(w: &mut Writer, period: &Period) {
    w.number(period.start.0).number(period.end.0);
}

/// How a slot's scope is counted: keys by the bytes of their ids.
pub(super) fn slot_scope(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::Key(key) => [b"key:", key.as_bytes().as_slice()].concat(),
        other => other.to_string().into_bytes(),
    }
}

/// How long something is kept: the server takes no end that is now, and would say so amid the writes.
fn kept(ms: u64) -> u64 {
    ms.max(1)
}

/// `tick`.
pub(super) fn tick(settings: &Settings) -> Vec<u8> {
    Writer::default().number(kept(settings.refundable_for_ms)).done()
}

/// `settle`, `release` and `doubt`.
pub(super) fn ending(
    charge: ChargeId,
    actual: u64,
    explanation: &[u8],
    settings: &Settings,
) -> Result<Vec<u8>, Stop> {
    bounded(explanation)?;
    let mut w = Writer::default();
    w.word(charge.to_string())?.number(actual);
    let kept = [settings.refundable_for_ms, settings.explained_for_ms].map(kept);
    for ms in kept {
        w.number(ms);
    }
    for ms in kept {
        w.word(ms.to_string())?;
    }
    Ok(w.text(explanation)?.done())
}

fn bounded(text: &[u8]) -> Result<(), Stop> {
    if text.len() > NOTE_MAX {
        return Err(Refusal::Invalid("a note or explanation is at most 16 KiB".to_owned()).into());
    }
    Ok(())
}

/// `extend`, of one account.
pub(super) fn extend(charges: &[ChargeId], lease_ms: u64) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    w.number(lease_ms).short(charges.len())?;
    for charge in charges {
        w.word(charge.to_string())?;
    }
    Ok(w.done())
}

/// `grant`; `fingerprint` is of the whole call.
pub(super) fn grant(
    call: &Grant,
    fingerprint: &[u8; 32],
    settings: &Settings,
) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    w.raw(fingerprint).word(call.id.as_str())?.word(call.kind.as_str())?;
    w.byte(class_number(call.class)).byte(call.priority).number(call.amount.micro());
    w.maybe(call.effective.map(|at| at.0)).maybe(call.expires.map(|at| at.0));
    w.text(write_extra(&call.only, None, call.paid.as_ref(), None)?)?.flag(call.bonus.is_some());
    let bonus = call.bonus.as_ref();
    w.number(bonus.map_or(0, |bonus| bonus.amount.micro()));
    w.maybe(bonus.and_then(|bonus| bonus.expires).map(|at| at.0));
    w.text(write_extra(&call.only, Some(&call.id), None, None)?)?;
    let told = Writer::default().word(call.id.as_str())?.text(&call.reason)?.done();
    Ok(w.text(told)?.number(kept(settings.refundable_for_ms)).done())
}

/// `document`: `expected` is the version that the change was made from, 0 for a new account.
pub(super) fn document(expected: u64, document: &Document, bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let active = document.keys.iter().filter(|key| key.status == KeyStatus::Active);
    let keys: Vec<u8> = active.flat_map(|key| *key.id.as_bytes()).collect();
    let mut w = Writer::default();
    w.number(expected).number(document.version).byte(status_number(document.status));
    w.maybe(document.restricted_until.map(|until| until.0));
    Ok(w.text(keys)?.blob(bytes)?.done())
}

const fn status_number(status: AccountStatus) -> u8 {
    match status {
        AccountStatus::Active => 0,
        AccountStatus::Suspended => 1,
        AccountStatus::Closed => 2,
    }
}

/// The reverse.
pub(super) const fn status(number: u8) -> AccountStatus {
    match number {
        0 => AccountStatus::Active,
        1 => AccountStatus::Suspended,
        _ => AccountStatus::Closed,
    }
}
