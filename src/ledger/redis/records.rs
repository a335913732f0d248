//! Records as the scripts pack them, as the shapes of the rules.
//!
//! Invariant: bytes that this version does not know are an error that names them, never a guess.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bytes::Reader;
use crate::credit::{AccountId, Amount, Bucket, ChargeId, Class, KeyId, Leg, Measure};
use crate::ledger::model::{
    Account, Counted, Counter, Ended, Money, Open, Pace, Purse, Span, Stop,
};
use crate::ledger::packed;
use crate::ledger::{ChargeState, Document, NewAccount, OnUnknown, OverRun, Scope};
use crate::seam::Timestamp;

/// The version that is written and read.
pub(super) const VERSION: u8 = 1;

/// Classes in the order of their numbers.
const CLASSES: [Class; 7] = [
    Class::Rollover,
    Class::Plan,
    Class::Goodwill,
    Class::Bonus,
    Class::Purchased,
    Class::Free,
    Class::Debt,
];

/// What an account's record says beside money and open charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Entries that the stream was given.
    pub(super) sequence: u64,
    pub(super) document_version: u64,
    /// When a lease lapses or a deadline comes, or earlier.
    pub(super) lease_next: Option<Timestamp>,
    /// When a bucket begins or ends, or earlier.
    pub(super) wake_next: Option<Timestamp>,
    pub(super) open: u32,
    /// The running charges of each scope.
    pub(super) slots: BTreeMap<Vec<u8>, u32>,
}

/// An ended charge with what was said of it, if its record has that.
pub(super) struct Tomb {
    pub(super) ended: Ended,
    pub(super) texts: Option<[Vec<u8>; 2]>,
}

/// The number of a class.
pub(super) fn class_number(class: Class) -> u8 {
    let place = CLASSES.iter().position(|known| *known == class);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn version(r: &mut Reader<'_>) -> Result<(), Stop> {
    match r.byte()? {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(Stop::Newer(super::asking::written_by_newer(r.what()))),
        other => Err(r.broken(&format!("has version {other}, known is {VERSION}"))),
    }
}

/// An account's record: money, and the rest of it.
pub(super) fn money(bytes: &[u8], id: &AccountId) -> Result<(Money, Head), Stop> {
    let what = format!("account {id}");
    let r = &mut Reader::new(bytes, &what);
    version(r)?;
    let sequence = r.number()?;
    let _mark = r.time()?;
    let document_version = r.number()?;
    let _status = r.byte()?;
    let (lease_next, wake_next) = (r.maybe()?.map(Timestamp), r.maybe()?.map(Timestamp));
    let open = r.long()?;
    let (_next_number, _dead_next) = (r.number()?, r.maybe()?);
    let dead = r.long()?;
    let _keys = r.text()?;
    let live = r.short()?;
    let mut numbered = r.list(live, purse)?;
    let count = r.short()?;
    let slots = r.list(count, |r| Ok((r.text()?.to_vec(), r.long()?)))?.into_iter().collect();
    let count = r.short()?;
    let counters = r.list(count, counter)?;
    let count = r.short()?;
    let paces = r.list(count, pace)?;
    let used_up = &mut Reader::new(r.blob()?, &what);
    let dead = usize::try_from(dead).map_err(|_| r.broken("has too many buckets"))?;
    numbered.extend(used_up.list(dead, purse)?);
    let count = r.short()?;
    let archived = r.list(count, archived)?.into_iter().collect();
    numbered.sort_by_key(|(number, _)| *number);
    let purses = numbered.into_iter().map(|(_, purse)| purse).collect();
    let head = Head { sequence, document_version, lease_next, wake_next, open, slots };
    Ok((Money { purses, counters, paces, archived, ..Money::default() }, head))
}

/// A bucket and when it was made among the others.
pub(super) fn purse(r: &mut Reader<'_>) -> Result<(u64, Purse), Stop> {
    let (id, kind) = (r.word()?, r.word()?);
    let (id, kind) = (r.parse(id)?, r.parse(kind)?);
    let class = usize::from(r.byte()?);
    let class = *CLASSES.get(class).ok_or_else(|| r.broken("has a class that is not known"))?;
    let (priority, fresh) = (r.byte()?, r.flag()?);
    let (effective, expires) = (r.time()?, r.maybe()?.map(Timestamp));
    let [granted, available, held, spent, expired, voided] =
        [r.amount()?, r.amount()?, r.amount()?, r.amount()?, r.amount()?, r.amount()?];
    let (touched, hold, number, repaid) = (r.time()?, r.amount()?, r.number()?, r.short()?);
    let repaid_by = r.list(repaid, leg)?;
    let bucket = Bucket {
        id,
        kind,
        class,
        priority,
        effective,
        expires,
        granted,
        available,
        held,
        spent,
        expired,
        voided,
        only: Vec::new(),
        standing: crate::credit::Standing::Active,
        parent: None,
        paid: None,
    };
    Ok((number, Purse { bucket, fresh, touched, hold, repaid_by, carry: None }))
}

/// A leg.
pub(super) fn leg(r: &mut Reader<'_>) -> Result<Leg, Stop> {
    let bucket = r.word()?;
    Ok(Leg { bucket: r.parse(bucket)?, amount: r.amount()? })
}

fn counter(r: &mut Reader<'_>) -> Result<Counter, Stop> {
    let key = r.text()?;
    let (measure, name, scope) = cap_key(r, key)?;
    let spans = usize::from(r.byte()?);
    let spans = r.list(spans, |r| {
        let period = r.word()?;
        Ok(Span { period: r.parse(period)?, end: r.time()?, used: r.number()? })
    })?;
    Ok(Counter { name, scope, measure, spans })
}

fn pace(r: &mut Reader<'_>) -> Result<Pace, Stop> {
    let key = r.text()?;
    let (name, scope) = limit_key(r, key)?;
    Ok(Pace { name, scope, tat_us: r.number()? })
}

/// A cap's key: its measure, its name, and over what.
fn cap_key(r: &Reader<'_>, key: &[u8]) -> Result<(Measure, String, Scope), Stop> {
    let measure = match key.first() {
        Some(b'r') => Measure::Requests,
        Some(b'c') => Measure::Credits,
        _ => return Err(r.broken("has a cap that is not known")),
    };
    let (name, scope) = limit_key(r, key.get(1..).unwrap_or_default())?;
    Ok((measure, name, scope))
}

fn limit_key(r: &Reader<'_>, key: &[u8]) -> Result<(String, Scope), Stop> {
    let end = key.iter().position(|byte| *byte == 0);
    let (name, scope) = end
        .and_then(|end| key.split_at_checked(end))
        .ok_or_else(|| r.broken("has a limit without a scope"))?;
    Ok((r.parse(name)?, r.parse(scope.get(1..).unwrap_or_default())?))
}

fn archived(r: &mut Reader<'_>) -> Result<(crate::credit::Kind, [Amount; 4]), Stop> {
    let kind = r.word()?;
    Ok((r.parse(kind)?, [r.amount()?, r.amount()?, r.amount()?, r.amount()?]))
}

/// An open charge and what was said of it: at reserve, and since.
pub(super) fn open(
    account: &AccountId,
    charge: ChargeId,
    bytes: &[u8],
) -> Result<(Open, [Vec<u8>; 2]), Stop> {
    let what = format!("charge {charge}");
    let r = &mut Reader::new(bytes, &what);
    let open = core(account, charge, r)?;
    let texts = [r.text()?.to_vec(), r.text()?.to_vec()];
    Ok((open, texts))
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
    let has_feature = r.flag()?;
    let feature = r.word()?;
    let feature = if has_feature { Some(r.parse(feature)?) } else { None };
    let count = r.short()?;
    let legs = r.list(count, leg)?;
    let count = r.short()?;
    let counted = r.list(count, counted)?;
    let rest = &mut Reader::new(r.text()?, "an open charge");
    let (revision, instance) = (rest.text()?, rest.text()?);
    let (revision, instance) = (r.parse(revision)?, r.parse(instance)?);
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
        member: None,
        adjusts: Vec::new(),
    })
}

fn counted(r: &mut Reader<'_>) -> Result<Counted, Stop> {
    let key = r.text()?;
    let (measure, name, scope) = cap_key(r, key)?;
    let period = r.word()?;
    let period = r.parse(period)?;
    Ok(Counted { name, scope, measure, period, amount: r.number()?, refundable: r.flag()? })
}

/// Whose charge a record is, when that is all it says: the charge is open.
pub(super) fn pointer(charge: ChargeId, bytes: &[u8]) -> Result<Option<AccountId>, Stop> {
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
pub(super) fn tomb(charge: ChargeId, bytes: &[u8]) -> Result<Tomb, Stop> {
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
        refunds: Vec::new(),
        at,
        by_deadline,
        late,
    };
    Ok(Tomb { ended, texts })
}

/// What was said of an ended charge.
pub(super) fn texts(charge: ChargeId, bytes: &[u8]) -> Result<[Vec<u8>; 2], Stop> {
    if bytes.is_empty() {
        return Ok([Vec::new(), Vec::new()]);
    }
    let what = format!("texts of {charge}");
    let r = &mut Reader::new(bytes, &what);
    Ok([r.text()?.to_vec(), r.text()?.to_vec()])
}

/// An account's document and the call that made it, as they are kept.
pub(super) fn pack_document(origin: &NewAccount, document: &Document) -> Result<Vec<u8>, Stop> {
    packed::pack_who(origin, document)
}

/// The reverse.
pub(super) fn document(bytes: &[u8], id: &str) -> Result<(NewAccount, Document), Stop> {
    packed::unpack_who(bytes, &format!("document of {id}"))
}

/// A whole account from its three records.
pub(super) fn account(
    id: &AccountId,
    record: &[u8],
    document_bytes: &[u8],
    open_charges: &[(Vec<u8>, Vec<u8>)],
) -> Result<(Account, Head), Stop> {
    let (money, head) = money(record, id)?;
    let (origin, document) = document(document_bytes, id.as_str())?;
    let mut all = BTreeMap::new();
    for (charge, bytes) in open_charges {
        let charge: ChargeId = Reader::new(bytes, id.as_str()).parse(charge)?;
        all.insert(charge, Arc::new(open(id, charge, bytes)?.0));
    }
    Ok((Account { origin, document, money, open: all }, head))
}
