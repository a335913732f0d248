//! Entries of the ledger's stream as the scripts pack them.
//!
//! Invariant: bytes that are not understood to the last one are an error, never a guess.

use super::bytes::{Reader, Writer};
use super::records::{self, Tomb, VERSION};
use crate::credit::{BucketId, ChargeId};
use crate::ledger::Withdrawal;
use crate::ledger::model::{Change, Column, Finished, Posting, Purse, Said, Stop, Told};
use crate::ledger::stream::{self, Entry, Line, Place};
use crate::seam::Timestamp;

/// The line of an entry.
pub(super) fn line(place: Place<'_>, bytes: &[u8]) -> Line {
    let read = entry(bytes, place.stream_id).map_err(|stop| match stop {
        Stop::Broken(why) | Stop::Newer(why) | Stop::Failed(why) => why,
        Stop::Refused(refusal) => format!("{refusal:?}"),
    });
    stream::line(place, bytes, read)
}

fn entry(bytes: &[u8], id: &str) -> Result<Entry, Stop> {
    let what = format!("entry {id}");
    let r = &mut Reader::new(bytes, &what);
    match r.byte()? {
        VERSION => {}
        other => return Err(r.broken(&format!("has version {other}"))),
    }
    let verb = verb(r)?;
    let (sequence, at) = (r.number()?, r.time()?);
    let account = r.text()?;
    let account = r.parse(account)?;
    let count = r.short()?;
    let postings = r.list(count, posting)?;
    let count = r.short()?;
    let made = r.list(count, new_bucket)?;
    let count = r.short()?;
    let ended = r.list(count, charge)?;
    let more = &mut Reader::new(r.text()?, &what);
    let changes = changes(verb, more)?;
    let said = said(verb, more)?;
    if !r.rest().is_empty() || !more.rest().is_empty() {
        return Err(r.broken("says more than is known"));
    }
    let told = Told { account, at, said, postings, made, ended, changes };
    Ok(Entry { sequence, told })
}

fn verb(r: &mut Reader<'_>) -> Result<u8, Stop> {
    let verb = r.byte()?;
    if b"rsldtgfjwz".contains(&verb) {
        return Ok(verb);
    }
    Err(r.broken(&format!("is of a verb that is not known: {verb}")))
}

/// What a verb adds of its own.
fn said(verb: u8, r: &mut Reader<'_>) -> Result<Said, Stop> {
    Ok(match verb {
        b'r' => Said::Reserve,
        b's' => Said::Settle,
        b'l' => Said::Release,
        b'd' => Said::Doubt,
        b't' => Said::Tick,
        b'f' => Said::Refund,
        b'g' => Said::Grant { id: id(r)?, reason: reason(r)? },
        b'j' => Said::Adjust { charge: id(r)?, id: id(r)?, held: r.amount()? },
        b'w' => Said::Withdraw { bucket: id(r)?, how: how(r)?, reason: reason(r)? },
        _ => Said::Freeze { bucket: id(r)?, reason: reason(r)? },
    })
}

/// The reverse; verbs that scripts decide say nothing here.
fn write_said(said: &Said) -> Result<(u8, Vec<u8>), Stop> {
    let mut w = Writer::default();
    let verb = match said {
        Said::Refund => b'f',
        Said::Adjust { charge, id, held } => {
            w.word(charge.to_string())?.word(id.as_str())?.number(held.micro());
            b'j'
        }
        Said::Withdraw { bucket, how, reason } => {
            w.word(bucket.as_str())?.byte(how_letter(*how)).text(reason)?;
            b'w'
        }
        Said::Freeze { bucket, reason } => {
            w.word(bucket.as_str())?.text(reason)?;
            b'z'
        }
        other => return Err(Stop::Broken(format!("{other:?} is decided by a script"))),
    };
    Ok((verb, w.done()))
}

/// An entry of what the model's rules have told, as the scripts pack theirs. `number` says when a bucket was made
/// among the others.
pub(super) fn write(
    sequence: u64,
    told: &Told,
    number: impl Fn(&BucketId) -> u64,
) -> Result<Vec<u8>, Stop> {
    let (verb, said) = write_said(&told.said)?;
    let mut w = Writer::default();
    w.byte(VERSION).byte(verb).number(sequence).number(told.at.0);
    w.text(told.account.as_str())?.short(told.postings.len())?;
    told.postings.iter().try_for_each(|posting| write_posting(&mut w, posting))?;
    w.short(told.made.len())?;
    for purse in &told.made {
        records::write_purse(&mut w, number(&purse.bucket.id), purse)?;
    }
    w.short(told.ended.len())?;
    for Finished { ended, .. } in &told.ended {
        let tomb = Tomb { ended: ended.clone(), texts: None };
        w.word(ended.charge.to_string())?.blob(&records::write_tomb(&tomb)?)?;
    }
    let mut more = Writer::default();
    more.short(told.changes.len())?;
    for change in &told.changes {
        more.word(change.bucket.as_str())?.byte(records::standing_number(change.standing));
        more.maybe(change.expires.map(|at| at.0));
    }
    Ok(w.text(more.raw(&said).done())?.done())
}

fn id<T: std::str::FromStr>(r: &mut Reader<'_>) -> Result<T, Stop> {
    let id = r.word()?;
    r.parse(id)
}

fn reason(r: &mut Reader<'_>) -> Result<String, Stop> {
    let reason = r.text()?;
    r.parse(reason)
}

/// Verbs that are decided by hand say which buckets stand otherwise from now on.
fn changes(verb: u8, r: &mut Reader<'_>) -> Result<Vec<Change>, Stop> {
    if !b"fjwz".contains(&verb) {
        return Ok(Vec::new());
    }
    let count = r.short()?;
    r.list(count, |r| {
        let (bucket, standing) = (id(r)?, records::standing(r)?);
        Ok(Change { bucket, standing, expires: r.maybe()?.map(Timestamp) })
    })
}

fn how(r: &mut Reader<'_>) -> Result<Withdrawal, Stop> {
    Ok(match r.byte()? {
        b'v' => Withdrawal::Void,
        b'f' => Withdrawal::Refund,
        b'r' => Withdrawal::Reversal,
        b'x' => Withdrawal::Expire,
        other => return Err(r.broken(&format!("takes back in a way that is not known: {other}"))),
    })
}

const fn how_letter(how: Withdrawal) -> u8 {
    match how {
        Withdrawal::Void => b'v',
        Withdrawal::Refund => b'f',
        Withdrawal::Reversal => b'r',
        Withdrawal::Expire => b'x',
    }
}

fn posting(r: &mut Reader<'_>) -> Result<Posting, Stop> {
    let bucket = id(r)?;
    let (from, to) = (column(r)?, column(r)?);
    let to = to.ok_or_else(|| r.broken("moves an amount to where it was granted from"))?;
    Ok(Posting { bucket, from, to, amount: r.amount()? })
}

fn write_posting(w: &mut Writer, posting: &Posting) -> Result<(), Stop> {
    w.word(posting.bucket.as_str())?;
    w.byte(posting.from.map_or(b'g', letter)).byte(letter(posting.to));
    w.number(posting.amount.micro());
    Ok(())
}

/// `None`: it was granted.
fn column(r: &mut Reader<'_>) -> Result<Option<Column>, Stop> {
    Ok(match r.byte()? {
        b'g' => None,
        b'a' => Some(Column::Available),
        b'h' => Some(Column::Held),
        b's' => Some(Column::Spent),
        b'x' => Some(Column::Expired),
        b'v' => Some(Column::Voided),
        other => return Err(r.broken(&format!("moves a column that is not known: {other}"))),
    })
}

const fn letter(column: Column) -> u8 {
    match column {
        Column::Available => b'a',
        Column::Held => b'h',
        Column::Spent => b's',
        Column::Expired => b'x',
        Column::Voided => b'v',
    }
}

fn new_bucket(r: &mut Reader<'_>) -> Result<Purse, Stop> {
    Ok(records::purse(r)?.1)
}

fn charge(r: &mut Reader<'_>) -> Result<Finished, Stop> {
    let id: ChargeId = id(r)?;
    let Tomb { ended, texts } = records::tomb(id, r.blob()?)?;
    Ok(Finished { ended, texts: texts.unwrap_or_default() })
}

#[cfg(test)]
mod tests;
