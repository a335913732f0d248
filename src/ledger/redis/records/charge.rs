//! Charges as the scripts pack them: open ones, and tombstones of those that have ended.
//!
//! Invariant: what is read here and written here again is the same bytes.

use super::super::bytes::{Reader, Writer};
use super::{cap_key, cap_name, leg, version, write_leg};
use crate::credit::{AccountId, Amount, ChargeId, KeyId};
use crate::ledger::model::{Adjustment, Counted, Ended, Open, Stop};
use crate::ledger::redis::records::VERSION;
use crate::ledger::{ChargeState, OnUnknown, OverRun, RefundPart};

/// What one byte says of an open charge, beside what ends it.
const UNKNOWN: u8 = 1;
const DEADLINE: u8 = 2;
const DEBT: u8 = 4;
const ON_UNKNOWN: u8 = 8;
const ON_UNKNOWNS: u8 = 4;
const MAX_DEBT: u8 = 32;
const FEATURE: u8 = 64;
const MEMBER: u8 = 128;

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
    let flags = r.byte()?;
    let lease_end = r.time()?;
    let deadline = if flags & DEADLINE == 0 { None } else { Some(r.time()?) };
    let on_unknown = match flags / ON_UNKNOWN % ON_UNKNOWNS {
        0 => OnUnknown::Release,
        1 => OnUnknown::Charge,
        2 => OnUnknown::Hold,
        other => return Err(r.broken(&format!("ends in a way that is not known: {other}"))),
    };
    let over_run = if flags & DEBT == 0 { OverRun::Absorb } else { OverRun::Debt };
    let begun = r.time()?;
    let (held, timeout_ms, reconcile_ms) = (r.amount()?, r.number()?, r.number()?);
    let fingerprint = r.id::<32>()?;
    let key = KeyId::from_bytes(r.id::<16>()?);
    let (kind, route) = (r.word()?, r.word()?);
    let (kind, route) = (r.parse(kind)?, r.parse(route)?);
    let max_debt = if flags & MAX_DEBT == 0 { None } else { Some(r.amount()?) };
    let (feature, member) = (maybe_name(r, flags & FEATURE)?, maybe_name(r, flags & MEMBER)?);
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
        unknown: flags & UNKNOWN != 0,
        deadline,
        counted,
        adjusts,
    })
}

/// What a call says of a charge, as the record of an open one has it.
pub(in crate::ledger::redis) struct Said<'a> {
    pub(in crate::ledger::redis) held: Amount,
    pub(in crate::ledger::redis) timeout_ms: u64,
    pub(in crate::ledger::redis) reconcile_ms: u64,
    pub(in crate::ledger::redis) fingerprint: &'a [u8; 32],
    pub(in crate::ledger::redis) key: KeyId,
    pub(in crate::ledger::redis) kind: &'a str,
    pub(in crate::ledger::redis) route: &'a str,
    pub(in crate::ledger::redis) on_unknown: OnUnknown,
    pub(in crate::ledger::redis) over_run: OverRun,
    pub(in crate::ledger::redis) max_debt: Option<Amount>,
    pub(in crate::ledger::redis) feature: Option<&'a str>,
    pub(in crate::ledger::redis) member: Option<&'a str>,
}

impl Said<'_> {
    /// The byte that says what there is of it.
    pub(in crate::ledger::redis) fn flags(&self) -> u8 {
        let on_unknown = match self.on_unknown {
            OnUnknown::Release => 0,
            OnUnknown::Charge => 1,
            OnUnknown::Hold => 2,
        };
        let flags = [
            (self.over_run == OverRun::Debt, DEBT),
            (self.max_debt.is_some(), MAX_DEBT),
            (self.feature.is_some(), FEATURE),
            (self.member.is_some(), MEMBER),
        ];
        let set = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum::<u8>();
        set | (on_unknown * ON_UNKNOWN)
    }
}

/// What is said of a charge when it is reserved.
pub(in crate::ledger::redis) fn write_said(w: &mut Writer, said: &Said<'_>) -> Result<(), Stop> {
    w.number(said.held.micro()).number(said.timeout_ms).number(said.reconcile_ms);
    w.raw(said.fingerprint).raw(said.key.as_bytes()).word(said.kind)?.word(said.route)?;
    if let Some(max_debt) = said.max_debt {
        w.number(max_debt.micro());
    }
    for name in [said.feature, said.member].into_iter().flatten() {
        w.word(name)?;
    }
    Ok(())
}

/// The charge without what was said of it.
fn write_core(w: &mut Writer, open: &Open) -> Result<(), Stop> {
    let said = Said {
        held: open.held,
        timeout_ms: open.timeout_ms,
        reconcile_ms: open.reconcile_ms,
        fingerprint: &open.fingerprint,
        key: open.key,
        kind: open.kind.as_str(),
        route: &open.route,
        on_unknown: open.on_unknown,
        over_run: open.over_run,
        max_debt: open.max_debt,
        feature: open.feature.as_deref(),
        member: open.member.as_deref(),
    };
    let unknown = if open.unknown { UNKNOWN } else { 0 };
    let deadline = if open.deadline.is_some() { DEADLINE } else { 0 };
    w.byte(VERSION).byte(said.flags() | unknown | deadline).number(open.lease_end.0);
    if let Some(deadline) = open.deadline {
        w.number(deadline.0);
    }
    w.number(open.begun.0);
    write_said(w, &said)?;
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

fn maybe_name(r: &mut Reader<'_>, flag: u8) -> Result<Option<String>, Stop> {
    if flag == 0 {
        return Ok(None);
    }
    let name = r.word()?;
    r.parse(name).map(Some)
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
