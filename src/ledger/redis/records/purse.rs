//! Buckets as the scripts pack them.
//!
//! What most buckets do not have lies in one text that is empty then, so that the usual path need not look
//! at it.

use super::super::bytes::{Reader, Writer};
use super::{CLASSES, class_number, leg, write_leg};
use crate::credit::{Bucket, BucketId, Class, Name, Paid, Standing};
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

/// A bucket and when it was made among the others.
pub(in crate::ledger::redis) fn purse(r: &mut Reader<'_>) -> Result<(u64, Purse), Stop> {
    let (id, kind) = (r.word()?, r.word()?);
    let (id, kind) = (r.parse(id)?, r.parse(kind)?);
    let (class, priority, fresh) = (class(r)?, r.byte()?, r.flag()?);
    let standing = standing(r)?;
    let (effective, expires) = (r.time()?, r.maybe()?.map(Timestamp));
    let [granted, available, held, spent, expired, voided] =
        [r.amount()?, r.amount()?, r.amount()?, r.amount()?, r.amount()?, r.amount()?];
    let (touched, hold, number) = (r.time()?, r.amount()?, r.number()?);
    let Extra { only, parent, paid, carry } = extra(r.text()?, r.what())?;
    let repaid = r.short()?;
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
        only,
        standing,
        parent,
        paid,
    };
    Ok((number, Purse { bucket, fresh, touched, hold, repaid_by, carry }))
}

/// The reverse.
pub(in crate::ledger::redis) fn write_purse(
    w: &mut Writer,
    number: u64,
    purse: &Purse,
) -> Result<(), Stop> {
    let bucket = &purse.bucket;
    w.word(bucket.id.as_str())?.word(bucket.kind.as_str())?;
    w.byte(class_number(bucket.class)).byte(bucket.priority).flag(purse.fresh);
    w.byte(standing_number(bucket.standing));
    w.number(bucket.effective.0).maybe(bucket.expires.map(|at| at.0));
    let into = [bucket.granted, bucket.available, bucket.held];
    let gone = [bucket.spent, bucket.expired, bucket.voided];
    for amount in into.into_iter().chain(gone) {
        w.number(amount.micro());
    }
    w.number(purse.touched.0).number(purse.hold.micro()).number(number);
    let (parent, paid) = (bucket.parent.as_ref(), bucket.paid.as_ref());
    w.text(write_extra(&bucket.only, parent, paid, purse.carry.as_ref())?)?;
    w.short(purse.repaid_by.len())?;
    purse.repaid_by.iter().try_for_each(|leg| write_leg(w, leg))
}

fn class(r: &mut Reader<'_>) -> Result<Class, Stop> {
    let class = CLASSES.get(usize::from(r.byte()?)).copied();
    class.ok_or_else(|| r.broken("has a class that is not known"))
}

/// Whether a bucket may be used.
pub(in crate::ledger::redis) fn standing(r: &mut Reader<'_>) -> Result<Standing, Stop> {
    match r.byte()? {
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
