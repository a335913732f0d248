//! Buckets as the scripts pack them.
//!
//! What most buckets do not have lies in one text that is empty then, so that the usual path need not look
//! at it.

use super::super::bytes::{Reader, Writer};
use super::{CLASSES, class_number, leg, write_leg};
use crate::credit::{Amount, Bucket, BucketId, Class, Kind, Name, Paid, Standing};
use crate::ledger::model::{Kept, Purse, Stop};
use crate::seam::Timestamp;

/// The letters of a currency.
const CURRENCY: usize = 3;

/// What most buckets do not have.
#[derive(Debug, Default)]
struct Extra {
    only: Vec<Name>,
    parent: Option<BucketId>,
    paid: Option<Paid>,
    carry: Option<Kept>,
}

/// What one byte says of a bucket, beside its class: whether it is fresh, whether what most do not have follows,
/// whether the numbers that most do not have do, and its standing.
const CLASS_COUNT: u8 = 8;
const FRESH: u8 = 8;
const MORE: u8 = 16;
const RARE: u8 = 32;
const STANDING: u8 = 64;
/// How many bytes what has its fixed place takes.
pub(super) const NUMBERS: usize = 56;
/// Added to the number of a bucket's kind: it is only for some routes or features.
const ONLY: u8 = 128;

/// A bucket and when it was made among the others.
pub(in crate::ledger::redis) fn purse(r: &mut Reader<'_>) -> Result<(u64, Purse), Stop> {
    let (id, kind) = (r.word()?, r.word()?);
    let (id, kind) = (r.parse(id)?, r.parse(kind)?);
    let (sort, priority) = (r.byte()?, r.byte()?);
    let (effective, expires) = (r.time()?, r.maybe()?.map(Timestamp));
    let [granted, available, held, spent] = [r.amount()?, r.amount()?, r.amount()?, r.amount()?];
    let (touched, number) = (r.time()?, u64::from(r.long()?));
    let class = class(r, sort % CLASS_COUNT)?;
    let columns = Numbers {
        available,
        held,
        spent,
        touched,
        granted,
        effective,
        expires,
        sort,
        priority,
        number,
    };
    Ok((number, columns.with_tail(r, id, kind, class)?))
}

/// What of a bucket has its fixed place.
struct Numbers {
    available: Amount,
    held: Amount,
    spent: Amount,
    touched: Timestamp,
    granted: Amount,
    effective: Timestamp,
    expires: Option<Timestamp>,
    sort: u8,
    priority: u8,
    number: u64,
}

impl Numbers {
    /// The bucket, of which the tail follows.
    fn with_tail(
        self,
        r: &mut Reader<'_>,
        id: BucketId,
        kind: Kind,
        class: Class,
    ) -> Result<Purse, Stop> {
        let standing = standing_of(r, self.sort / STANDING)?;
        let [expired, voided, hold] = match self.sort & RARE {
            0 => [Amount::ZERO; 3],
            _ => [r.amount()?, r.amount()?, r.amount()?],
        };
        let (mut rare, mut repaid_by) = (Extra::default(), Vec::new());
        if self.sort & MORE != 0 {
            rare = extra(r.text()?, r.what())?;
            let repaid = r.short()?;
            repaid_by = r.list(repaid, leg)?;
        }
        let Extra { only, parent, paid, carry } = rare;
        let bucket = Bucket {
            id,
            kind,
            class,
            priority: self.priority,
            effective: self.effective,
            expires: self.expires,
            granted: self.granted,
            available: self.available,
            held: self.held,
            spent: self.spent,
            expired,
            voided,
            only,
            standing,
            parent,
            paid,
        };
        let fresh = self.sort & FRESH != 0;
        Ok(Purse { bucket, fresh, touched: self.touched, hold, repaid_by, carry })
    }
}

/// The buckets that are not used up: their numbers, from the first list; their kinds, ids and tails, from the second.
pub(in crate::ledger::redis) fn live(
    numbers: &mut Reader<'_>,
    count: usize,
    r: &mut Reader<'_>,
) -> Result<Vec<(u64, Purse)>, Stop> {
    let columns = numbers.list(count, |n| {
        let [available, held, spent] = [n.amount()?, n.amount()?, n.amount()?];
        let (touched, granted) = (n.time()?, n.amount()?);
        let (effective, expires) = (n.time()?, n.maybe()?.map(Timestamp));
        let (sort, priority, kind) = (n.byte()?, n.byte()?, n.byte()?);
        let number = u64::from(n.long()?);
        Ok((
            kind,
            Numbers {
                available,
                held,
                spent,
                touched,
                granted,
                effective,
                expires,
                sort,
                priority,
                number,
            },
        ))
    })?;
    let kinds = usize::from(r.byte()?);
    let kinds: Vec<Kind> = r.list(kinds, |r| {
        let kind = r.word()?;
        r.parse(kind)
    })?;
    let ids: Vec<BucketId> = r.list(count, |r| {
        let id = r.word()?;
        r.parse(id)
    })?;
    let mut found = Vec::new();
    for ((kind, numbers), id) in columns.into_iter().zip(ids) {
        let kind = kinds.get(usize::from(kind % ONLY)).cloned();
        let kind = kind.ok_or_else(|| r.broken("has a bucket of a kind that it does not name"))?;
        let class = class(r, numbers.sort % CLASS_COUNT)?;
        found.push((numbers.number, numbers.with_tail(r, id, kind, class)?));
    }
    Ok(found)
}

/// The reverse: their numbers, and what is written behind the account's keys.
pub(in crate::ledger::redis) fn write_live(
    purses: &[(u64, &Purse)],
) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    let (mut numbers, mut names, mut tails) =
        (Writer::default(), Writer::default(), Writer::default());
    let mut kinds: Vec<&Kind> = Vec::new();
    for (number, purse) in purses {
        let bucket = &purse.bucket;
        let place = kinds.iter().position(|kind| **kind == bucket.kind).unwrap_or_else(|| {
            kinds.push(&bucket.kind);
            kinds.len().saturating_sub(1)
        });
        let place = u8::try_from(place).ok().filter(|place| *place < ONLY);
        let place = place.ok_or_else(|| Stop::Broken("there are too many kinds".to_owned()))?;
        let sort = write_tail(&mut tails, purse)?;
        for amount in [bucket.available, bucket.held, bucket.spent] {
            numbers.number(amount.micro());
        }
        numbers.number(purse.touched.0).number(bucket.granted.micro());
        numbers.number(bucket.effective.0).maybe(bucket.expires.map(|at| at.0));
        let only = if bucket.only.is_empty() { 0 } else { ONLY };
        numbers.byte(sort).byte(bucket.priority).byte(place | only).long(made(*number)?);
        names.word(bucket.id.as_str())?;
    }
    let mut middle = Writer::default();
    let count = u8::try_from(kinds.len());
    middle.byte(count.map_err(|_| Stop::Broken("there are too many kinds".to_owned()))?);
    for kind in kinds {
        middle.word(kind.as_str())?;
    }
    middle.raw(&names.done()).raw(&tails.done());
    Ok((numbers.done(), middle.done()))
}

fn made(number: u64) -> Result<u32, Stop> {
    let number = u32::try_from(number);
    number.map_err(|_| Stop::Broken("an account has made too many buckets".to_owned()))
}

/// What most buckets do not have; the answer is the byte that says what of it there is.
fn write_tail(w: &mut Writer, purse: &Purse) -> Result<u8, Stop> {
    let bucket = &purse.bucket;
    let (parent, paid) = (bucket.parent.as_ref(), bucket.paid.as_ref());
    let extra = write_extra(&bucket.only, parent, paid, purse.carry.as_ref())?;
    let seldom = [bucket.expired, bucket.voided, purse.hold];
    let rare = seldom.iter().any(|amount| !amount.is_zero());
    let more = !extra.is_empty() || !purse.repaid_by.is_empty();
    let flags = [(purse.fresh, FRESH), (rare, RARE), (more, MORE)];
    let flags: u8 = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    if rare {
        for amount in seldom {
            w.number(amount.micro());
        }
    }
    if more {
        w.text(extra)?.short(purse.repaid_by.len())?;
        purse.repaid_by.iter().try_for_each(|leg| write_leg(w, leg))?;
    }
    Ok(class_number(bucket.class) | (standing_number(bucket.standing) * STANDING) | flags)
}

/// The reverse.
pub(in crate::ledger::redis) fn write_purse(
    w: &mut Writer,
    number: u64,
    purse: &Purse,
) -> Result<(), Stop> {
    let (bucket, mut tail) = (&purse.bucket, Writer::default());
    let sort = write_tail(&mut tail, purse)?;
    w.word(bucket.id.as_str())?.word(bucket.kind.as_str())?.byte(sort).byte(bucket.priority);
    w.number(bucket.effective.0).maybe(bucket.expires.map(|at| at.0));
    for amount in [bucket.granted, bucket.available, bucket.held, bucket.spent] {
        w.number(amount.micro());
    }
    w.number(purse.touched.0).long(made(number)?).raw(&tail.done());
    Ok(())
}

fn class(r: &Reader<'_>, number: u8) -> Result<Class, Stop> {
    let class = CLASSES.get(usize::from(number)).copied();
    class.ok_or_else(|| r.broken("has a class that is not known"))
}

/// Whether a bucket may be used.
pub(in crate::ledger::redis) fn standing(r: &mut Reader<'_>) -> Result<Standing, Stop> {
    let number = r.byte()?;
    standing_of(r, number)
}

fn standing_of(r: &Reader<'_>, number: u8) -> Result<Standing, Stop> {
    match number {
        0 => Ok(Standing::Active),
        1 => Ok(Standing::Frozen),
        2 => Ok(Standing::Voided),
        other => {
            Err(r.broken(&format!("has a bucket that stands in no way that is known: {other}")))
        }
    }
}

/// Its number.
pub(in crate::ledger::redis) const fn standing_number(standing: Standing) -> u8 {
    match standing {
        Standing::Active => 0,
        Standing::Frozen => 1,
        Standing::Voided => 2,
    }
}

fn extra(bytes: &[u8], what: &str) -> Result<Extra, Stop> {
    if bytes.is_empty() {
        return Ok(Extra::default());
    }
    let r = &mut Reader::new(bytes, what);
    let count = usize::from(r.byte()?);
    let only = r.list(count, |r| {
        let name = r.word()?;
        r.parse(name)
    })?;
    let parent = match r.word()? {
        [] => None,
        id => Some(r.parse(id)?),
    };
    let paid = if r.flag()? { Some(paid(r)?) } else { None };
    let carry = if r.flag()? { Some(kept(r)?) } else { None };
    if r.rest().is_empty() {
        Ok(Extra { only, parent, paid, carry })
    } else {
        Err(r.broken("says more of a bucket than is known"))
    }
}

fn paid(r: &mut Reader<'_>) -> Result<Paid, Stop> {
    let (amount, currency) = (r.amount()?, r.raw(CURRENCY)?);
    Ok(Paid { amount, currency: r.parse(currency)? })
}

fn kept(r: &mut Reader<'_>) -> Result<Kept, Stop> {
    Ok(Kept { min: r.amount()?, max: r.amount()?, percent: r.byte()?, until: r.time()? })
}

/// What most buckets do not have; empty if there is nothing of it.
pub(in crate::ledger::redis) fn write_extra(
    only: &[Name],
    parent: Option<&BucketId>,
    paid: Option<&Paid>,
    carry: Option<&Kept>,
) -> Result<Vec<u8>, Stop> {
    let mut w = Writer::default();
    if only.is_empty() && parent.is_none() && paid.is_none() && carry.is_none() {
        return Ok(w.done());
    }
    let count = u8::try_from(only.len());
    w.byte(count.map_err(|_| Stop::Broken("a bucket pays for too much".to_owned()))?);
    for name in only {
        w.word(name.as_str())?;
    }
    w.word(parent.map_or("", BucketId::as_str))?.flag(paid.is_some());
    if let Some(paid) = paid {
        if paid.currency.len() != CURRENCY {
            return Err(Stop::Broken(format!("{:?} is no currency", paid.currency)));
        }
        w.number(paid.amount.micro()).raw(paid.currency.as_bytes());
    }
    w.flag(carry.is_some());
    if let Some(kept) = carry {
        w.number(kept.min.micro()).number(kept.max.micro()).byte(kept.percent);
        w.number(kept.until.0);
    }
    Ok(w.done())
}
