//! Buckets as the scripts pack them.
//!
//! What most buckets do not have lies in one text that is empty then, so that the usual path need not look
//! at it.

use super::super::bytes::{Reader, Writer};
use super::{CLASSES, class_number, leg, write_leg};
use crate::credit::{Amount, Bucket, BucketId, Class, Name, Paid, Standing};
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

/// What one byte says of a bucket, beside its class: its standing, whether it is fresh, whether the numbers that
/// most do not have follow, and whether what most do not have does.
const STANDING: u8 = 8;
const STANDINGS: u8 = 4;
const FRESH: u8 = 32;
const RARE: u8 = 64;
const MORE: u8 = 128;

/// A bucket and when it was made among the others.
pub(in crate::ledger::redis) fn purse(r: &mut Reader<'_>) -> Result<(u64, Purse), Stop> {
    let (id, kind) = (r.word()?, r.word()?);
    let (id, kind) = (r.parse(id)?, r.parse(kind)?);
    let (sort, priority) = (r.byte()?, r.byte()?);
    let class = class(r, sort % STANDING)?;
    let standing = standing_of(r, sort / STANDING % STANDINGS)?;
    let (effective, expires) = (r.time()?, r.maybe()?.map(Timestamp));
    let [granted, available, held, spent] = [r.amount()?, r.amount()?, r.amount()?, r.amount()?];
    let (touched, number) = (r.time()?, u64::from(r.long()?));
    let [expired, voided, hold] = match sort & RARE {
        0 => [Amount::ZERO; 3],
        _ => [r.amount()?, r.amount()?, r.amount()?],
    };
    let (mut rare, mut repaid_by) = (Extra::default(), Vec::new());
    if sort & MORE != 0 {
        rare = extra(r.text()?, r.what())?;
        let repaid = r.short()?;
        repaid_by = r.list(repaid, leg)?;
    }
    let Extra { only, parent, paid, carry } = rare;
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
        only,
        standing,
        parent,
        paid,
    };
    let fresh = sort & FRESH != 0;
    Ok((number, Purse { bucket, fresh, touched, hold, repaid_by, carry }))
}

/// The reverse.
pub(in crate::ledger::redis) fn write_purse(
    w: &mut Writer,
    number: u64,
    purse: &Purse,
) -> Result<(), Stop> {
    let bucket = &purse.bucket;
    let (parent, paid) = (bucket.parent.as_ref(), bucket.paid.as_ref());
    let extra = write_extra(&bucket.only, parent, paid, purse.carry.as_ref())?;
    let seldom = [bucket.expired, bucket.voided, purse.hold];
    let rare = seldom.iter().any(|amount| !amount.is_zero());
    let more = !extra.is_empty() || !purse.repaid_by.is_empty();
    let flags = [(purse.fresh, FRESH), (rare, RARE), (more, MORE)];
    let flags: u8 = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    let sort = class_number(bucket.class) | (standing_number(bucket.standing) * STANDING) | flags;
    w.word(bucket.id.as_str())?.word(bucket.kind.as_str())?.byte(sort).byte(bucket.priority);
    w.number(bucket.effective.0).maybe(bucket.expires.map(|at| at.0));
    for amount in [bucket.granted, bucket.available, bucket.held, bucket.spent] {
        w.number(amount.micro());
    }
    let number = u32::try_from(number);
    w.number(purse.touched.0);
    w.long(number.map_err(|_| Stop::Broken("an account has made too many buckets".to_owned()))?);
    if rare {
        for amount in seldom {
            w.number(amount.micro());
        }
    }
    if !more {
        return Ok(());
    }
    w.text(extra)?.short(purse.repaid_by.len())?;
    purse.repaid_by.iter().try_for_each(|leg| write_leg(w, leg))
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
