//! Records as the scripts pack them, as the shapes of the rules, and the reverse.
//!
//! Invariant: bytes that this version does not know are an error that names them, never a guess.
//! Invariant: an account's record that is read here and written here again is the same bytes.

mod charge;
mod purse;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::charge::{Beside, Tomb, open, pointer, texts, tomb, write_open, write_tomb};
pub(super) use self::purse::{purse, standing, standing_number, write_extra, write_purse};
use super::bytes::{Reader, Writer};
use crate::credit::{AccountId, Amount, BucketId, ChargeId, Class, Kind, Leg, Measure, Ranks};
use crate::ledger::model::{Account, Counter, Money, Pace, Purse, Span, Stop};
use crate::ledger::packed;
use crate::ledger::{AllowanceState, Document, NewAccount, Scope};
use crate::seam::Timestamp;

/// The version that is written and read.
pub(super) const VERSION: u8 = 3;

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
    /// When it was last written with; the account's time never goes back behind it.
    pub(super) mark: Timestamp,
    pub(super) document_version: u64,
    /// The status's number, as the document says.
    pub(super) status: u8,
    /// As the document says.
    pub(super) restricted_until: Option<Timestamp>,
    /// When a lease lapses or a deadline comes, or earlier.
    pub(super) lease_next: Option<Timestamp>,
    /// When a bucket begins or ends, or earlier.
    pub(super) wake_next: Option<Timestamp>,
    pub(super) open: u32,
    /// The number of the next bucket that is made.
    pub(super) next_number: u64,
    /// When a bucket that is used up leaves the record, or earlier.
    pub(super) dead_next: Option<Timestamp>,
    /// The ids of the keys that may spend, one behind the other.
    pub(super) keys: Vec<u8>,
    /// When each bucket was made among the others.
    pub(super) numbers: BTreeMap<BucketId, u64>,
    /// The buckets of the usual path, in draw order.
    pub(super) live: Vec<BucketId>,
    /// Those that are used up, in the order in which they were.
    pub(super) dead: Vec<BucketId>,
    /// The running charges of each scope.
    pub(super) slots: Vec<(Vec<u8>, u32)>,
    /// What lies behind all that is known.
    pub(super) rest: Vec<u8>,
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
        older => Err(r.broken(&format!(
            "was made by an earlier version ({older}, known is {VERSION}): make a new ledger"
        ))),
    }
}

/// An account's record: money, and the rest of it.
pub(super) fn money(bytes: &[u8], id: &AccountId) -> Result<(Money, Head), Stop> {
    let what = format!("account {id}");
    let r = &mut Reader::new(bytes, &what);
    version(r)?;
    let (sequence, mark, document_version) = (r.number()?, r.time()?, r.number()?);
    let (status, restricted_until) = (r.byte()?, r.maybe()?.map(Timestamp));
    let (lease_next, wake_next) = (r.maybe()?.map(Timestamp), r.maybe()?.map(Timestamp));
    let (open, next_number) = (r.long()?, r.number()?);
    let (dead_next, dead) = (r.maybe()?.map(Timestamp), r.long()?);
    let (ranks, keys) = (Ranks(r.id()?), r.text()?.to_vec());
    let count = r.short()?;
    let live = r.list(count, purse)?;
    let count = r.short()?;
    let slots = r.list(count, |r| Ok((r.text()?.to_vec(), r.long()?)))?;
    let count = r.short()?;
    let counters = r.list(count, counter)?;
    let count = r.short()?;
    let paces = r.list(count, pace)?;
    let count = r.short()?;
    let allowances = r.list(count, allowance)?;
    let used_up = &mut Reader::new(r.blob()?, &what);
    let dead = usize::try_from(dead).map_err(|_| r.broken("has too many buckets"))?;
    let dead = used_up.list(dead, purse)?;
    if !used_up.rest().is_empty() {
        return Err(r.broken("has more buckets that are used up than it counts"));
    }
    let count = r.short()?;
    let archived = r.list(count, archived)?.into_iter().collect();
    let ids = |purses: &[(u64, Purse)]| {
        purses.iter().map(|(_, purse)| purse.bucket.id.clone()).collect::<Vec<_>>()
    };
    let (live_ids, dead_ids) = (ids(&live), ids(&dead));
    let mut numbered: Vec<(u64, Purse)> = live.into_iter().chain(dead).collect();
    let numbers = numbered.iter().map(|(number, purse)| (purse.bucket.id.clone(), *number));
    let head = Head {
        sequence,
        mark,
        document_version,
        status,
        restricted_until,
        lease_next,
        wake_next,
        open,
        next_number,
        dead_next,
        keys,
        numbers: numbers.collect(),
        live: live_ids,
        dead: dead_ids,
        slots,
        rest: r.rest().to_vec(),
    };
    numbered.sort_by_key(|(number, _)| *number);
    let purses = numbered.into_iter().map(|(_, purse)| purse).collect();
    let postings = Vec::new();
    Ok((Money { purses, counters, paces, archived, ranks, allowances, postings }, head))
}

/// The reverse. The head names each bucket of the money once.
pub(super) fn write_money(money: &Money, head: &Head) -> Result<Vec<u8>, Stop> {
    let w = &mut Writer::default();
    w.byte(VERSION).number(head.sequence).number(head.mark.0).number(head.document_version);
    w.byte(head.status);
    let times = [head.restricted_until, head.lease_next, head.wake_next];
    for at in times {
        w.maybe(at.map(|at| at.0));
    }
    let dead = u32::try_from(head.dead.len());
    let dead = dead.map_err(|_| Stop::Broken("too many buckets are used up".to_owned()))?;
    w.long(head.open).number(head.next_number).maybe(head.dead_next.map(|at| at.0)).long(dead);
    w.raw(&money.ranks.0).text(&head.keys)?;
    if head.live.len().checked_add(head.dead.len()) != Some(money.purses.len()) {
        return Err(Stop::Broken("the record does not name each bucket once".to_owned()));
    }
    w.short(head.live.len())?.raw(&write_purses(money, head, &head.live)?);
    list(w, &head.slots, |w, (scope, used)| Ok(w.text(scope)?.long(*used)).map(|_| ()))?;
    list(w, &money.counters, write_counter)?;
    list(w, &money.paces, |w, pace| {
        w.text(limit_name(&pace.name, &pace.scope))?.number(pace.tat_us);
        Ok(())
    })?;
    list(w, &money.allowances, |w, state| {
        w.word(&state.name)?.word(&state.period)?;
        w.number(state.end.0).number(state.amount.micro());
        Ok(())
    })?;
    w.blob(&write_purses(money, head, &head.dead)?)?;
    w.short(money.archived.len())?;
    for (kind, sums) in &money.archived {
        w.word(kind.as_str())?;
        for sum in sums {
            w.number(sum.micro());
        }
    }
    Ok(w.raw(&head.rest).done())
}

fn list<T>(
    w: &mut Writer,
    items: &[T],
    mut write: impl FnMut(&mut Writer, &T) -> Result<(), Stop>,
) -> Result<(), Stop> {
    w.short(items.len())?;
    items.iter().try_for_each(|item| write(w, item))
}

/// Buckets in the order of their names.
fn write_purses(money: &Money, head: &Head, order: &[BucketId]) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    let by_id: BTreeMap<_, _> = money.purses.iter().map(|p| (&p.bucket.id, p)).collect();
    for id in order {
        let missing = || Stop::Broken(format!("there is no bucket {id}"));
        let number = head.numbers.get(id).ok_or_else(missing)?;
        write_purse(&mut w, *number, by_id.get(id).ok_or_else(missing)?)?;
    }
    Ok(w.done())
}

/// A leg.
pub(super) fn leg(r: &mut Reader<'_>) -> Result<Leg, Stop> {
    let bucket = r.word()?;
    Ok(Leg { bucket: r.parse(bucket)?, amount: r.amount()? })
}

fn write_leg(w: &mut Writer, leg: &Leg) -> Result<(), Stop> {
    w.word(leg.bucket.as_str())?.number(leg.amount.micro());
    Ok(())
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

fn write_counter(w: &mut Writer, counter: &Counter) -> Result<(), Stop> {
    w.text(cap_name(counter.measure, &counter.name, &counter.scope))?;
    let spans = u8::try_from(counter.spans.len());
    w.byte(spans.map_err(|_| Stop::Broken(format!("cap {} has many periods", counter.name)))?);
    for span in &counter.spans {
        w.word(&span.period)?.number(span.end.0).number(span.used);
    }
    Ok(())
}

fn pace(r: &mut Reader<'_>) -> Result<Pace, Stop> {
    let key = r.text()?;
    let (name, scope) = limit_key(r, key)?;
    Ok(Pace { name, scope, tat_us: r.number()? })
}

fn allowance(r: &mut Reader<'_>) -> Result<AllowanceState, Stop> {
    let (name, period) = (r.word()?, r.word()?);
    let (name, period) = (r.parse(name)?, r.parse(period)?);
    Ok(AllowanceState { name, period, end: r.time()?, amount: r.amount()? })
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

/// The reverse.
pub(super) fn cap_name(measure: Measure, name: &str, scope: &Scope) -> String {
    let measure = match measure {
        Measure::Requests => 'r',
        Measure::Credits => 'c',
    };
    format!("{measure}{}", limit_name(name, scope))
}

fn limit_key(r: &Reader<'_>, key: &[u8]) -> Result<(String, Scope), Stop> {
    let end = key.iter().position(|byte| *byte == 0);
    let (name, scope) = end
        .and_then(|end| key.split_at_checked(end))
        .ok_or_else(|| r.broken("has a limit without a scope"))?;
    Ok((r.parse(name)?, r.parse(scope.get(1..).unwrap_or_default())?))
}

/// The reverse.
pub(super) fn limit_name(name: &str, scope: &Scope) -> String {
    format!("{name}\0{scope}")
}

fn archived(r: &mut Reader<'_>) -> Result<(Kind, [Amount; 4]), Stop> {
    let kind = r.word()?;
    Ok((r.parse(kind)?, [r.amount()?, r.amount()?, r.amount()?, r.amount()?]))
}

/// An account's document and the call that made it, as they are kept.
pub(super) fn pack_document(origin: &NewAccount, document: &Document) -> Result<Vec<u8>, Stop> {
    packed::pack_who(origin, document)
}

/// The reverse.
pub(super) fn document(bytes: &[u8], id: &str) -> Result<(NewAccount, Document), Stop> {
    packed::unpack_who(bytes, &format!("document of {id}"))
}

/// Refuses what cannot be written back byte by byte: a newer program has written it.
pub(super) fn same(what: &str, read: &[u8], written: &[u8]) -> Result<(), Stop> {
    if read == written {
        return Ok(());
    }
    Err(Stop::Newer(super::asking::written_by_newer(what)))
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

#[cfg(test)]
mod tests;
