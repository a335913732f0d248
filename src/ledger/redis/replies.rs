//! What scripts answer, as answers of verbs.
//!
//! Invariant: names, limits and periods come from the call; a script only says which.

use super::asking::{Heard, nonsense, status};
use super::bytes::Reader;
use super::calls;
use super::records::{self, leg};
use crate::credit::{Amount, Measure};
use crate::ledger::model::Stop;
use crate::ledger::{
    CapCheck, CapState, ChargeState, Granted, Refusal, Released, Reserve, Reserved, Scope, Settled,
    SlotState,
};
use crate::seam::Timestamp;

/// What a byte says when no period fits, or no limit but the ledger's own.
const NO_ONE: u8 = u8::MAX;
/// The most open charges of one account; as in the scripts.
const OPEN_MAX: u32 = 4_096;

/// The body of an applied call, or its refusal.
pub(super) fn applied<'h>(heard: &'h Heard, call: Option<&Reserve>) -> Result<Reader<'h>, Stop> {
    match heard.status {
        status::APPLIED => Ok(heard.reader()),
        _ => Err(refusal(heard, call)),
    }
}

fn refusal(heard: &Heard, call: Option<&Reserve>) -> Stop {
    match refused(heard, call) {
        Ok(refusal) => refusal.into(),
        Err(stop) => stop,
    }
}

fn refused(heard: &Heard, call: Option<&Reserve>) -> Result<Refusal, Stop> {
    let r = &mut heard.reader();
    Ok(match (heard.status, call) {
        (status::TICK, _) => Refusal::Tick,
        (status::UNKNOWN_ACCOUNT, _) => Refusal::UnknownAccount,
        (status::INVALID_KEY, _) => Refusal::InvalidKey,
        (status::UNKNOWN_CHARGE, _) => Refusal::UnknownCharge,
        (status::UNKNOWN_JOB, _) => Refusal::UnknownJob,
        (status::ACCOUNT_STATUS, _) => Refusal::AccountStatus(calls::status(r.byte()?)),
        (status::ACCOUNT_RESTRICTED, _) => Refusal::AccountRestricted { until: r.time()? },
        (status::CONFLICT, _) => Refusal::Conflict,
        (status::TOO_OLD, _) => Refusal::TooOld { now: heard.now },
        (status::ENDED, _) => Refusal::Ended(state(r.byte()?)),
        (status::EXISTS, _) => Refusal::Exists,
        (status::TOO_MANY, _) => Refusal::TooMany(text(r)?),
        (status::INVALID, _) => Refusal::Invalid(text(r)?),
        (status::STALE, Some(call)) => stale(heard, call)?,
        (status::RATE_LIMITED, Some(call)) => {
            let check = pick(&call.gates.rates, r)?;
            let (name, scope) = (check.name.clone(), check.scope.clone());
            Refusal::RateLimited { name, scope, retry_at: r.time()? }
        }
        (status::SLOTS_FULL, Some(call)) => slots_full(r, call)?,
        (status::CAP_EXCEEDED, Some(call)) => {
            let check = pick(&call.gates.caps, r)?;
            let cap = cap_state(check, r)?.ok_or_else(|| r.broken("names no period"))?;
            let required = match check.measure {
                Measure::Requests => 1,
                Measure::Credits => call.amount.micro(),
            };
            Refusal::CapExceeded { cap, required }
        }
        (status::INSUFFICIENT, Some(call)) => Refusal::Insufficient {
            required: call.amount,
            available: r.amount()?,
            held: r.amount()?,
            freed_at: r.maybe()?.map(Timestamp),
            refill_at: r.maybe()?.map(Timestamp),
        },
        _ => return Err(Stop::Broken(format!("a script answers {}", heard.status))),
    })
}

fn stale(heard: &Heard, call: &Reserve) -> Result<Refusal, Stop> {
    let (_, document) = records::document(&heard.body, call.account.as_str())?;
    Ok(Refusal::Stale { document: Box::new(document), now: heard.now })
}

fn slots_full(r: &mut Reader<'_>, call: &Reserve) -> Result<Refusal, Stop> {
    let which = r.byte()?;
    if which == NO_ONE {
        let name = "open charges".to_owned();
        return Ok(Refusal::SlotsFull { name, scope: Scope::Account, limit: OPEN_MAX });
    }
    let check =
        call.gates.slots.get(usize::from(which)).ok_or_else(|| r.broken("names no slot"))?;
    let (name, scope, limit) = (check.name.clone(), check.scope.clone(), check.limit);
    Ok(Refusal::SlotsFull { name, scope, limit })
}

fn pick<'c, T>(checks: &'c [T], r: &mut Reader<'_>) -> Result<&'c T, Stop> {
    let which = usize::from(r.byte()?);
    checks.get(which).ok_or_else(|| r.broken("names a limit that was not asked about"))
}

fn text(r: &mut Reader<'_>) -> Result<String, Stop> {
    let text = r.text()?;
    r.parse(text)
}

const fn state(number: u8) -> ChargeState {
    match number {
        2 => ChargeState::Settled,
        _ => ChargeState::Released,
    }
}

/// A cap's counter; `None` if no period fits.
fn cap_state(check: &CapCheck, r: &mut Reader<'_>) -> Result<Option<CapState>, Stop> {
    let (which, used) = (r.byte()?, r.number()?);
    let Some(period) = check.periods.get(usize::from(which)) else { return Ok(None) };
    Ok(Some(CapState {
        name: check.name.clone(),
        scope: check.scope.clone(),
        measure: check.measure,
        limit: check.limit,
        used,
        period: period.clone(),
    }))
}

/// The answer of `reserve`.
pub(super) fn reserved(heard: &Heard, call: &Reserve) -> Result<Reserved, Stop> {
    let r = &mut applied(heard, Some(call))?;
    let (available, held, lease_end) = (r.amount()?, r.amount()?, r.time()?);
    let count = r.short()?;
    let legs = r.list(count, leg)?;
    let mut caps = Vec::with_capacity(call.gates.caps.len());
    for check in &call.gates.caps {
        caps.extend(cap_state(check, r)?);
    }
    let mut slots = Vec::with_capacity(call.gates.slots.len());
    for check in &call.gates.slots {
        let (name, scope) = (check.name.clone(), check.scope.clone());
        slots.push(SlotState { name, scope, limit: check.limit, used: r.long()? });
    }
    Ok(Reserved { legs, available, held, caps, slots, at: heard.now, lease_end })
}

/// The answer of `settle`.
pub(super) fn settled(heard: &Heard) -> Result<Settled, Stop> {
    let r = &mut applied(heard, None)?;
    Ok(Settled {
        charged: r.amount()?,
        returned: r.amount()?,
        debt: r.amount()?,
        absorbed: r.amount()?,
        available: r.amount()?,
        late: r.flag()?,
    })
}

/// The answer of `release`.
pub(super) fn released(heard: &Heard) -> Result<Released, Stop> {
    let r = &mut applied(heard, None)?;
    Ok(Released { returned: r.amount()?, available: r.amount()? })
}

/// The answer of `grant`.
pub(super) fn granted(heard: &Heard) -> Result<Granted, Stop> {
    let r = &mut applied(heard, None)?;
    let repaid: Amount = r.amount()?;
    let (_, purse) = records::purse(r)?;
    let bonus = if r.flag()? { Some(records::purse(r)?.1.bucket) } else { None };
    Ok(Granted { bucket: purse.bucket, repaid, bonus })
}

/// A list's bytes: a list of texts.
pub(super) fn texts(value: redis::Value) -> Result<Vec<Vec<u8>>, Stop> {
    let redis::Value::Array(list) = value else { return Err(nonsense(&value)) };
    list.into_iter().map(text_of).collect()
}

/// A text, which may be missing.
pub(super) fn text_of(value: redis::Value) -> Result<Vec<u8>, Stop> {
    match value {
        redis::Value::BulkString(bytes) => Ok(bytes),
        redis::Value::Nil => Ok(Vec::new()),
        redis::Value::Int(number) => Ok(number.to_string().into_bytes()),
        other => Err(nonsense(&other)),
    }
}
