//! What the usual path of a reserve reads: the gates of a call as the account's record has them, so that the script
//! compares bytes where the rules read lists.
//!
//! Invariant: a call that the usual path would decide in another way than the rules has none.

use super::super::bytes::Writer;
use super::super::records::{cap_name, limit_name, write_allowance};
use super::{bursts, cut, slot_scope};
use crate::credit::{Class, Measure, When};
use crate::ledger::model::{Stop, allowance_bucket};
use crate::ledger::{
    AllowanceCheck, AllowanceState, CapCheck, RateCheck, Reserve, Scope, SlotCheck,
};
use crate::seam::Timestamp;

/// The most allowances that a call may have.
const ALLOWANCES_MAX: usize = 16;

/// `lengths` are those of what a charge's record takes from the call, before its legs and behind them. `None`: the
/// rules decide.
pub(super) fn reserve(
    call: &Reserve,
    (before, behind): (usize, usize),
) -> Result<Option<Vec<u8>>, Stop> {
    let gates = &call.gates;
    let own = own(call);
    let places: Option<Vec<u8>> = gates.slots.iter().map(|check| place(&own, check)).collect();
    let counts = [gates.slots.len(), gates.caps.len(), gates.rates.len()].map(u8::try_from);
    let ([Ok(slots), Ok(caps), Ok(rates)], Some(places)) = (counts, places) else {
        return Ok(None);
    };
    if names_twice(&gates.caps) || !gates.allowances.iter().all(is_usual) {
        return Ok(None);
    }
    let allowances: Vec<_> = gates.allowances.iter().filter(|one| !one.amount.is_zero()).collect();
    let (Ok(count), true) =
        (u8::try_from(allowances.len()), gates.allowances.len() <= ALLOWANCES_MAX)
    else {
        return Ok(None);
    };
    let (from, until) = first_periods(call);
    let mut w = Writer::default();
    w.number(from.0).number(until.0).short(before)?;
    w.long(u32::try_from(behind).map_err(|_| Stop::Broken("a call is too long".to_owned()))?);
    w.byte(u8::try_from(own.len()).unwrap_or(u8::MAX)).text(names(&own)?)?;
    w.byte(slots).byte(caps).byte(rates).text(running(&allowances)?)?.text(counted(call)?)?;
    for (place, check) in places.iter().zip(&gates.slots) {
        w.byte(*place).long(check.limit);
    }
    gates.caps.iter().try_for_each(|check| cap(&mut w, check, call))?;
    gates.rates.iter().try_for_each(|check| rate(&mut w, check))?;
    w.byte(count);
    for one in &allowances {
        w.word(cut(&one.name))?.number(one.amount.micro()).flag(one.when == When::PaidExhausted);
    }
    Ok(Some(w.done()))
}

/// Since when and until when the first period of everything holds.
fn first_periods(call: &Reserve) -> (Timestamp, Timestamp) {
    let gates = &call.gates;
    let caps = gates.caps.iter().map(|check| &check.periods[0]);
    let periods = caps.chain(gates.allowances.iter().map(|check| &check.periods[0]));
    periods.fold((gates.window.from, gates.window.until), |(from, until), period| {
        (from.max(period.start), until.min(period.end))
    })
}

/// The scopes in which the charge takes a slot, in the scripts' order.
fn own(call: &Reserve) -> Vec<Vec<u8>> {
    let mut own = vec![Scope::Account, Scope::Key(call.key), Scope::Route(call.route.clone())];
    own.extend(call.feature.clone().map(Scope::Feature));
    own.extend(call.member.clone().map(Scope::Member));
    own.iter().map(slot_scope).collect()
}

/// Which of its own scopes a limit counts over, from 1; `None`: another.
fn place(own: &[Vec<u8>], check: &SlotCheck) -> Option<u8> {
    let scope = slot_scope(&check.scope);
    let place = own.iter().position(|own| *own == scope)?;
    u8::try_from(place.saturating_add(1)).ok()
}

fn names(own: &[Vec<u8>]) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    for scope in own {
        w.text(scope)?;
    }
    Ok(w.done())
}

fn key_of(check: &CapCheck) -> String {
    cap_name(check.measure, &check.name, &check.scope)
}

fn names_twice(caps: &[CapCheck]) -> bool {
    let keys: std::collections::BTreeSet<_> = caps.iter().map(key_of).collect();
    keys.len() != caps.len()
}

/// What the rules refuse, or do not read as it stands.
fn is_usual(check: &AllowanceCheck) -> bool {
    let paid = matches!(check.class, Class::Plan | Class::Free);
    let short = allowance_bucket(&check.name, &check.periods[0].id).is_some();
    check.amount.is_zero() || (paid && short)
}

/// The account's allowances if all of the call run and no others.
fn running(allowances: &[&AllowanceCheck]) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    for check in allowances.iter().filter(|check| check.when == When::Always) {
        let (period, amount) = (&check.periods[0], check.amount);
        let (name, id) = (check.name.clone(), period.id.clone());
        write_allowance(&mut w, &AllowanceState { name, period: id, end: period.end, amount })?;
    }
    Ok(w.done())
}

/// How much a charge counts for a cap; `None`: it does not.
fn weight(check: &CapCheck, call: &Reserve) -> Option<u64> {
    let counts = check.kind.as_ref().is_none_or(|only| *only == call.kind);
    let weight = match check.measure {
        Measure::Requests => 1,
        Measure::Credits => call.amount.micro(),
    };
    counts.then_some(weight)
}

/// What caps count of the charge.
fn counted(call: &Reserve) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    let all = call.gates.caps.iter().filter_map(|check| Some((check, weight(check, call)?)));
    w.short(all.clone().count())?;
    for (check, weight) in all {
        w.text(key_of(check))?.word(&check.periods[0].id)?.number(weight).flag(check.refundable);
    }
    Ok(w.done())
}

fn cap(w: &mut Writer, check: &CapCheck, call: &Reserve) -> Result<(), Stop> {
    let name = Writer::default().text(key_of(check))?.word(&check.periods[0].id)?.done();
    w.text(name)?.maybe(weight(check, call)).number(check.limit);
    Ok(())
}

fn rate(w: &mut Writer, check: &RateCheck) -> Result<(), Stop> {
    let (interval, burst) = bursts(check);
    w.text(limit_name(&check.name, &check.scope))?.number(interval).number(burst);
    Ok(())
}
