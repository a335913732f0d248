//! Records as the scripts pack them, as the shapes of the rules, and the reverse.
//!
//! Invariant: bytes that this version does not know are an error that names them, never a guess.
//! Invariant: an account's record that is read here and written here again is the same bytes.

mod charge;
mod purse;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::charge::{
    Beside, Said, Tomb, open, texts, tomb, write_open, write_said, write_tomb,
};
pub(super) use self::purse::{purse, standing, standing_number, write_extra, write_purse};
use super::bytes::{Reader, Writer};
use crate::credit::{AccountId, Amount, BucketId, ChargeId, Class, Kind, Leg, Measure, Ranks};
use crate::ledger::model::{Account, Counter, Money, Pace, Purse, Span, Stop};
use crate::ledger::packed;
use crate::ledger::{AllowanceState, Document, NewAccount, Scope};
use crate::seam::Timestamp;

/// The version that is written and read.
pub(super) const VERSION: u8 = 4;

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
    /// When a deadline ended a charge last.
    pub(super) lapsed_at: Option<Timestamp>,
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
    let (sequence, mark) = (r.number()?, r.time()?);
    let (lease_next, open) = (r.maybe()?.map(Timestamp), r.long()?);
    let (slot_count, names) = (r.short()?, r.short()?);
    let (document_version, status) = (r.number()?, r.byte()?);
    let (restricted_until, wake_next) = (r.maybe()?.map(Timestamp), r.maybe()?.map(Timestamp));
    let (next_number, dead_next) = (r.number()?, r.maybe()?.map(Timestamp));
    let (dead, lapsed_at, ranks) = (r.long()?, r.maybe()?.map(Timestamp), Ranks(r.id()?));
    let (count, keys, _) = (r.short()?, r.short()?, r.long()?);
    let numbers = &mut Reader::new(r.raw(count.saturating_mul(purse::NUMBERS))?, &what);
    let keys = r.raw(keys)?.to_vec();
    let live = purse::live(numbers, count, r)?;
    let scopes = &mut Reader::new(r.raw(names)?, &what);
    let slots = scopes.list(slot_count, |scopes| Ok((scopes.text()?.to_vec(), r.long()?)))?;
    r.long()?;
    let count = r.short()?;
    let counters = r.list(count, counter)?;
    let count = r.short()?;
    let paces = r.list(count, pace)?;
    let (count, _) = (r.short()?, r.short()?);
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
        lapsed_at,
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
    if head.live.len().checked_add(head.dead.len()) != Some(money.purses.len()) {
        return Err(Stop::Broken("the record does not name each bucket once".to_owned()));
    }
    let live = purses_of(money, head, &head.live)?;
    let (numbers, middle) = purse::write_live(&live)?;
    let (mut names, mut used) = (Writer::default(), Writer::default());
    for (scope, count) in &head.slots {
        names.text(scope)?;
        used.long(*count);
    }
    let names = names.done();
    let w = &mut Writer::default();
    w.byte(VERSION).number(head.sequence).number(head.mark.0);
    w.maybe(head.lease_next.map(|at| at.0)).long(head.open);
    w.short(head.slots.len())?.short(names.len())?.number(head.document_version).byte(head.status);
    w.maybe(head.restricted_until.map(|at| at.0)).maybe(head.wake_next.map(|at| at.0));
    w.number(head.next_number).maybe(head.dead_next.map(|at| at.0)).long(long(head.dead.len())?);
    w.maybe(head.lapsed_at.map(|at| at.0)).raw(&money.ranks.0).short(live.len())?;
    w.short(head.keys.len())?.long(long(middle.len())?).raw(&numbers).raw(&head.keys);
    w.raw(&middle).raw(&names).raw(&used.done());
    let counters = items(&money.counters, write_counter)?;
    w.long(long(counters.len())?).short(money.counters.len())?.raw(&counters);
    w.short(money.paces.len())?.raw(&items(&money.paces, |w, pace| {
        w.text(limit_name(&pace.name, &pace.scope))?.number(pace.tat_us);
        Ok(())
    })?);
    let allowances = items(&money.allowances, write_allowance)?;
    w.short(money.allowances.len())?.text(&allowances)?;
    let mut dead = Writer::default();
    for (number, purse) in purses_of(money, head, &head.dead)? {
        write_purse(&mut dead, number, purse)?;
    }
    w.blob(&dead.done())?.short(money.archived.len())?;
    for (kind, sums) in &money.archived {
        w.word(kind.as_str())?;
        for sum in sums {
            w.number(sum.micro());
        }
    }
    Ok(w.raw(&head.rest).done())
}

fn long(length: usize) -> Result<u32, Stop> {
    u32::try_from(length).map_err(|_| Stop::Broken("an account's record is too long".to_owned()))
}

/// What a running allowance is in an account's record.
pub(super) fn write_allowance(w: &mut Writer, state: &AllowanceState) -> Result<(), Stop> {
    w.word(&state.name)?.word(&state.period)?;
    w.number(state.end.0).number(state.amount.micro());
    Ok(())
}

fn items<T>(
    items: &[T],
    mut write: impl FnMut(&mut Writer, &T) -> Result<(), Stop>,
) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    items.iter().try_for_each(|item| write(&mut w, item))?;
    Ok(w.done())
}

/// Buckets in the order of their names, each with its number.
fn purses_of<'a>(
    money: &'a Money,
    head: &Head,
    order: &[BucketId],
) -> Result<Vec<(u64, &'a Purse)>, Stop> {
    let by_id: BTreeMap<_, _> = money.purses.iter().map(|p| (&p.bucket.id, p)).collect();
    let one = |id: &BucketId| {
        let missing = || Stop::Broken(format!("there is no bucket {id}"));
        let number = head.numbers.get(id).ok_or_else(missing)?;
        Ok((*number, *by_id.get(id).ok_or_else(missing)?))
    };
    order.iter().map(one).collect()
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

/// The last span of a counter stands in front, since that is what is counted in.
fn counter(r: &mut Reader<'_>) -> Result<Counter, Stop> {
    let key = r.text()?;
    let (measure, name, scope) = cap_key(r, key)?;
    let last = span(r)?;
    let mut spans = if r.flag()? { vec![span(r)?] } else { Vec::new() };
    spans.push(last);
    Ok(Counter { name, scope, measure, spans })
}

fn span(r: &mut Reader<'_>) -> Result<Span, Stop> {
    let period = r.word()?;
    Ok(Span { period: r.parse(period)?, end: r.time()?, used: r.number()? })
}

fn write_counter(w: &mut Writer, counter: &Counter) -> Result<(), Stop> {
    let odd = || Stop::Broken(format!("cap {} has no period, or many", counter.name));
    let (last, before) = counter.spans.split_last().ok_or_else(odd)?;
    w.text(cap_name(counter.measure, &counter.name, &counter.scope))?;
    write_span(w, last)?;
    w.flag(!before.is_empty());
    match before {
        [] => Ok(()),
        [before] => write_span(w, before),
        _ => Err(odd()),
    }
}

fn write_span(w: &mut Writer, span: &Span) -> Result<(), Stop> {
    w.word(&span.period)?.number(span.end.0).number(span.used);
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
    let scope = match scope.get(1..).unwrap_or_default() {
        [] => Scope::Account,
        scope => r.parse(scope)?,
    };
    Ok((r.parse(name)?, scope))
}

/// The reverse. Most limits are the whole account's, which is not said.
pub(super) fn limit_name(name: &str, scope: &Scope) -> String {
    match scope {
        Scope::Account => format!("{name}\0"),
        scope => format!("{name}\0{scope}"),
    }
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
