//! Charges as the scripts pack them: open ones, and tombstones of those that have ended.
//!
//! Invariant: what is read here and written here again is the same bytes.

use super::super::bytes::{Reader, Writer};
use super::{cap_key, cap_name, leg, version, write_leg};
use crate::credit::{AccountId, Amount, ChargeId, KeyId};
use crate::ledger::model::{Adjustment, Counted, Ended, Open, Stop};
use crate::ledger::redis::records::VERSION;
use crate::ledger::{ChargeState, OnUnknown, OverRun, RefundPart};
use crate::seam::Timestamp;

/// What was said of a charge: at reserve, and since.
pub(in crate::ledger::redis) type Texts = [Vec<u8>; 2];

/// An ended charge with what was said of it, if its record has that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger::redis) struct Tomb {
    pub(in crate::ledger::redis) ended: Ended,
    pub(in crate::ledger::redis) texts: Option<Texts>,
}

/// What lies beside an open charge in its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger::redis) struct Beside {
    pub(in crate::ledger::redis) texts: Texts,
    /// What lies behind all that is known: a newer program's.
    pub(in crate::ledger::redis) later: Vec<u8>,
}

/// An open charge and what lies beside it.
pub(in crate::ledger::redis) fn open(
    account: &AccountId,
    charge: ChargeId,
    bytes: &[u8],
) -> Result<(Open, Beside), Stop> {
    let what = format!("charge {charge}");
    let r = &mut Reader::new(bytes, &what);
    let open = core(account, charge, r)?;
    let texts = [r.text()?.to_vec(), r.text()?.to_vec()];
    Ok((open, Beside { texts, later: r.rest().to_vec() }))
}

/// The reverse.
pub(in crate::ledger::redis) fn write_open(open: &Open, beside: &Beside) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    write_core(&mut w, open)?;
    let [note, explanation] = &beside.texts;
    Ok(w.text(note)?.text(explanation)?.raw(&beside.later).done())
}

fn core(account: &AccountId, charge: ChargeId, r: &mut Reader<'_>) -> Result<Open, Stop> {
    version(r)?;
    let unknown = r.flag()?;
    let (lease_end, deadline) = (r.time()?, r.maybe()?.map(Timestamp));
    let on_unknown = match r.byte()? {
        0 => OnUnknown::Release,
        1 => OnUnknown::Charge,
        2 => OnUnknown::Hold,
        other => return Err(r.broken(&format!("ends in a way that is not known: {other}"))),
    };
    let over_run = if r.flag()? { OverRun::Debt } else { OverRun::Absorb };
    let (begun, timeout_ms, reconcile_ms) = (r.time()?, r.number()?, r.number()?);
    let held = r.amount()?;
    let max_debt = r.maybe()?.and_then(Amount::from_micro);
    let fingerprint = r.id::<32>()?;
    let key = KeyId::from_bytes(r.id::<16>()?);
    let (kind, route) = (r.word()?, r.word()?);
    let (kind, route) = (r.parse(kind)?, r.parse(route)?);
    let (feature, member) = (maybe_name(r)?, maybe_name(r)?);
    let count = r.short()?;
    let legs = r.list(count, leg)?;
    let count = r.short()?;
    let counted = r.list(count, counted)?;
    let rest = &mut Reader::new(r.text()?, "an open charge");
    let (revision, instance) = (rest.text()?, rest.text()?);
    let (revision, instance) = (r.parse(revision)?, r.parse(instance)?);
    let count = rest.short()?;
    let adjusts = rest.list(count, adjustment)?;
    Ok(Open {
        account: account.clone(),
        charge,
        fingerprint,
        key,
        kind,
        held,
        legs,
        route,
        feature,
        member,
        revision,
        instance,
        begun,
        lease_end,
        timeout_ms,
        reconcile_ms,
        on_unknown,
        over_run,
        max_debt,
        unknown,
        deadline,
        counted,
        adjusts,
    })
}

/// The charge without what was said of it.
fn write_core(w: &mut Writer, open: &Open) -> Result<(), Stop> {
    w.byte(VERSION).flag(open.unknown);
    w.number(open.lease_end.0).maybe(open.deadline.map(|at| at.0));
    w.byte(match open.on_unknown {
        OnUnknown::Release => 0,
        OnUnknown::Charge => 1,
        OnUnknown::Hold => 2,
    });
    w.flag(open.over_run == OverRun::Debt);
    w.number(open.begun.0).number(open.timeout_ms).number(open.reconcile_ms);
    w.number(open.held.micro()).maybe(open.max_debt.map(Amount::micro));
    w.raw(&open.fingerprint).raw(open.key.as_bytes());
    w.word(open.kind.as_str())?.word(&open.route)?;
    write_maybe_name(w, open.feature.as_deref())?;
    write_maybe_name(w, open.member.as_deref())?;
    w.short(open.legs.len())?;
    open.legs.iter().try_for_each(|leg| write_leg(w, leg))?;
    w.short(open.counted.len())?;
    open.counted.iter().try_for_each(|counted| write_counted(w, counted))?;
    let mut rest = Writer::default();
    rest.text(&open.revision)?.text(&open.instance)?.short(open.adjusts.len())?;
    for adjust in &open.adjusts {
        rest.word(adjust.id.as_str())?.number(adjust.wanted.micro()).number(adjust.short.micro());
    }
    w.text(rest.done())?;
    Ok(())
}

fn maybe_name(r: &mut Reader<'_>) -> Result<Option<String>, Stop> {
    let there = r.flag()?;
    let name = r.word()?;
    if there { r.parse(name).map(Some) } else { Ok(None) }
}

fn write_maybe_name(w: &mut Writer, name: Option<&str>) -> Result<(), Stop> {
    w.flag(name.is_some()).word(name.unwrap_or_default()).map(|_| ())
}

fn adjustment(r: &mut Reader<'_>) -> Result<Adjustment, Stop> {
    let id = r.word()?;
    Ok(Adjustment { id: r.parse(id)?, wanted: r.amount()?, short: r.amount()? })
}

fn counted(r: &mut Reader<'_>) -> Result<Counted, Stop> {
    let key = r.text()?;
    let (measure, name, scope) = cap_key(r, key)?;
    let period = r.word()?;
    let period = r.parse(period)?;
    Ok(Counted { name, scope, measure, period, amount: r.number()?, refundable: r.flag()? })
}

fn write_counted(w: &mut Writer, counted: &Counted) -> Result<(), Stop> {
    w.text(cap_name(counted.measure, &counted.name, &counted.scope))?.word(&counted.period)?;
    w.number(counted.amount).flag(counted.refundable);
    Ok(())
}

/// Whose charge a record is, when that is all it says: the charge is open.
pub(in crate::ledger::redis) fn pointer(
    charge: ChargeId,
    bytes: &[u8],
) -> Result<Option<AccountId>, Stop> {
    let what = format!("charge {charge}");
    let r = &mut Reader::new(bytes, &what);
    version(r)?;
    if r.byte()? != 0 {
        return Ok(None);
    }
    let account = r.text()?;
    r.parse(account).map(Some)
}

/// An ended charge.
pub(in crate::ledger::redis) fn tomb(charge: ChargeId, bytes: &[u8]) -> Result<Tomb, Stop> {
    let what = format!("charge {charge}");
    let r = &mut Reader::new(bytes, &what);
    version(r)?;
    let state = match r.byte()? {
        2 => ChargeState::Settled,
        3 => ChargeState::Released,
        other => return Err(r.broken(&format!("is in a state that is not known: {other}"))),
    };
    let (by_deadline, late, at) = (r.flag()?, r.flag()?, r.time()?);
    let [actual, charged, returned, debt, absorbed] =
        [r.amount()?, r.amount()?, r.amount()?, r.amount()?, r.amount()?];
    let account = r.text()?;
    let account: AccountId = r.parse(account)?;
    let refunds = refunds(r.text()?, &what)?;
    let count = r.short()?;
    let legs = r.list(count, leg)?;
    let inner = r.blob()?;
    let open = match inner {
        [] => None,
        inner => Some(core(&account, charge, &mut Reader::new(inner, &what))?),
    };
    let texts = match r.rest() {
        [] => None,
        _ => Some([r.text()?.to_vec(), r.text()?.to_vec()]),
    };
    let ended = Ended {
        account,
        charge,
        open,
        state,
        actual,
        charged,
        returned,
        debt,
        absorbed,
        legs,
        refunds,
        at,
        by_deadline,
        late,
    };
    Ok(Tomb { ended, texts })
}

/// The reverse.
pub(in crate::ledger::redis) fn write_tomb(tomb: &Tomb) -> Result<Vec<u8>, Stop> {
    let ended = &tomb.ended;
    let mut w = Writer::default();
    w.byte(VERSION).byte(match ended.state {
        ChargeState::Settled => 2,
        ChargeState::Released => 3,
        other => return Err(Stop::Broken(format!("{} has ended as {other:?}", ended.charge))),
    });
    w.flag(ended.by_deadline).flag(ended.late).number(ended.at.0);
    for amount in [ended.actual, ended.charged, ended.returned, ended.debt, ended.absorbed] {
        w.number(amount.micro());
    }
    w.text(ended.account.as_str())?.text(write_refunds(&ended.refunds)?)?;
    w.short(ended.legs.len())?;
    ended.legs.iter().try_for_each(|leg| write_leg(&mut w, leg))?;
    let mut inner = Writer::default();
    if let Some(open) = &ended.open {
        write_core(&mut inner, open)?;
    }
    w.blob(&inner.done())?;
    if let Some([note, explanation]) = &tomb.texts {
        w.text(note)?.text(explanation)?;
    }
    Ok(w.done())
}

/// Nothing at all says that there are none.
fn refunds(bytes: &[u8], what: &str) -> Result<Vec<RefundPart>, Stop> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let r = &mut Reader::new(bytes, what);
    let count = r.short()?;
    let refunds = r.list(count, |r| {
        let id = r.word()?;
        let (id, amount, at, reason) = (r.parse(id)?, r.amount()?, r.time()?, r.text()?);
        Ok(RefundPart { id, amount, at, reason: r.parse(reason)? })
    })?;
    if r.rest().is_empty() { Ok(refunds) } else { Err(r.broken("says more of refunds")) }
}

fn write_refunds(refunds: &[RefundPart]) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    if refunds.is_empty() {
        return Ok(w.done());
    }
    w.short(refunds.len())?;
    for part in refunds {
        w.word(part.id.as_str())?.number(part.amount.micro()).number(part.at.0);
        w.text(&part.reason)?;
    }
    Ok(w.done())
}

/// What was said of an ended charge.
pub(in crate::ledger::redis) fn texts(charge: ChargeId, bytes: &[u8]) -> Result<Texts, Stop> {
    if bytes.is_empty() {
        return Ok([Vec::new(), Vec::new()]);
    }
    let what = format!("texts of {charge}");
    let r = &mut Reader::new(bytes, &what);
    Ok([r.text()?.to_vec(), r.text()?.to_vec()])
}
