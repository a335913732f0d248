//! Entries of the ledger's stream: what happened, as the scripts tell it, read and written as one line of
//! JSON.
//!
//! Invariant: an entry that is not understood to its last byte is told raw, never a guess and never nothing.

use data_encoding::BASE64;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::bytes::Reader;
use super::records;
use crate::credit::{
    AccountId, Amount, BucketId, ChargeId, Class, KeyId, Kind, Leg, Measure, Name, Paid, Standing,
};
use crate::ledger::model::{Counted, Stop};
use crate::ledger::{ChargeState, RefundPart, Withdrawal};
use crate::seam::Timestamp;

/// Where an entry lay.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Place<'a> {
    /// The ledger's epoch.
    pub(super) epoch: &'a str,
    pub(super) partition: u16,
    pub(super) stream_id: &'a str,
}

/// An entry as a line.
#[derive(Debug)]
pub(super) struct Line {
    /// JSON, with the end of the line.
    pub(super) text: Vec<u8>,
    /// Whose, and which of the account's entries.
    pub(super) told: Result<(AccountId, u64), String>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Serialize)]
struct Raw<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    raw: String,
    error: &'a str,
}

#[derive(Debug, Serialize)]
struct Entry {
    account: AccountId,
    sequence: u64,
    #[serde(serialize_with = "shown")]
    at: Timestamp,
    verb: &'static str,
    postings: Vec<Posting>,
    buckets: Vec<NewBucket>,
    charges: Vec<EndedCharge>,
    #[serde(flatten)]
    more: More,
}

/// What is told beside postings, buckets and charges; each verb's own.
#[derive(Debug, Default, Serialize)]
struct More {
    /// Buckets that stand otherwise now, or end at another moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Given>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjust: Option<Adjusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdraw: Option<Withdrawn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freeze: Option<Frozen>,
}

#[derive(Debug, Serialize)]
struct Posting {
    bucket: BucketId,
    from: &'static str,
    to: &'static str,
    amount: Amount,
}

#[derive(Debug, Serialize)]
struct NewBucket {
    id: BucketId,
    kind: Kind,
    class: Class,
    priority: u8,
    #[serde(serialize_with = "shown")]
    effective: Timestamp,
    #[serde(serialize_with = "maybe_shown")]
    expires: Option<Timestamp>,
    granted: Amount,
    /// The routes or features that it may pay for; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<Name>,
    /// For a bonus: the purchase that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<BucketId>,
    /// For a purchase: what the buyer paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid: Option<Paid>,
}

/// How a bucket stands from now on.
#[derive(Debug, Serialize)]
struct Change {
    bucket: BucketId,
    standing: Standing,
    #[serde(serialize_with = "maybe_shown")]
    expires: Option<Timestamp>,
}

/// What an open charge is to hold.
#[derive(Debug, Serialize)]
struct Adjusted {
    charge: ChargeId,
    id: BucketId,
    held: Amount,
}

#[derive(Debug, Serialize)]
struct Withdrawn {
    bucket: BucketId,
    how: Withdrawal,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Frozen {
    bucket: BucketId,
    reason: String,
}

#[derive(Debug, Serialize)]
struct EndedCharge {
    id: ChargeId,
    state: ChargeState,
    actual: Amount,
    charged: Amount,
    returned: Amount,
    debt: Amount,
    absorbed: Amount,
    /// What carried it before anything was refunded.
    legs: Vec<Leg>,
    /// All that was refunded of it by now, oldest first; a line that tells a refund leaves out what was said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<Refunded>,
    #[serde(serialize_with = "shown")]
    ended: Timestamp,
    by_deadline: bool,
    late: bool,
    /// Nothing of an id that was closed before it was ever reserved.
    #[serde(flatten)]
    begun: Option<Begun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Text>,
}

#[derive(Debug, Serialize)]
struct Refunded {
    id: BucketId,
    amount: Amount,
    #[serde(serialize_with = "shown")]
    at: Timestamp,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Begun {
    held: Amount,
    kind: Kind,
    route: String,
    feature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    key: KeyId,
    revision: String,
    instance: String,
    #[serde(serialize_with = "shown")]
    begun: Timestamp,
    counted: Vec<CapCount>,
}

/// What a cap counts for the charge since this entry: the ledger itself forgets old periods.
#[derive(Debug, Serialize)]
struct CapCount {
    cap: String,
    scope: String,
    measure: Measure,
    period: String,
    amount: u64,
}

#[derive(Debug, Serialize)]
struct Given {
    id: BucketId,
    reason: String,
}

/// What was said of a charge: JSON as it came, or what is none in base64.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Text {
    Json(Box<RawValue>),
    Other { base64: String },
}

fn shown<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde hands a field over so")]
fn maybe_shown<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}

/// The line of an entry.
pub(super) fn line(place: Place<'_>, bytes: &[u8]) -> Line {
    let read = entry(bytes, place.stream_id).and_then(|entry| {
        let whose = (entry.account.clone(), entry.sequence);
        let text = json(&Told { place, entry }).map_err(|error| Stop::Broken(error.to_string()))?;
        Ok((whose, text))
    });
    match read {
        Ok((whose, text)) => Line { text, told: Ok(whose) },
        Err(Stop::Broken(why) | Stop::Newer(why) | Stop::Failed(why)) => {
            raw_line(place, bytes, &why)
        }
        Err(Stop::Refused(refusal)) => raw_line(place, bytes, &format!("{refusal:?}")),
    }
}

/// The line of something that is no entry.
pub(super) fn raw_line(place: Place<'_>, bytes: &[u8], why: &str) -> Line {
    let told = json(&Raw { place, raw: BASE64.encode(bytes), error: why });
    // Texts and numbers alone: nothing in it can fail.
    Line { text: told.unwrap_or_default(), told: Err(why.to_owned()) }
}

fn json(what: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(what)?;
    text.push(b'\n');
    Ok(text)
}

fn entry(bytes: &[u8], id: &str) -> Result<Entry, Stop> {
    let what = format!("entry {id}");
    let r = &mut Reader::new(bytes, &what);
    match r.byte()? {
        records::VERSION => {}
        other => return Err(r.broken(&format!("has version {other}"))),
    }
    let verb = verb(r)?;
    let (sequence, at) = (r.number()?, r.time()?);
    let account = r.text()?;
    let account = r.parse(account)?;
    let count = r.short()?;
    let postings = r.list(count, posting)?;
    let count = r.short()?;
    let buckets = r.list(count, new_bucket)?;
    let count = r.short()?;
    let charges = r.list(count, charge)?;
    let said = &mut Reader::new(r.text()?, &what);
    let more = more(verb, said)?;
    if !r.rest().is_empty() || !said.rest().is_empty() {
        return Err(r.broken("says more than is known"));
    }
    Ok(Entry { account, sequence, at, verb, postings, buckets, charges, more })
}

fn more(verb: &str, r: &mut Reader<'_>) -> Result<More, Stop> {
    let mut more = More::default();
    if matches!(verb, "refund" | "adjust" | "withdraw" | "freeze") {
        let count = r.short()?;
        more.changes = r.list(count, change)?;
    }
    match verb {
        "grant" => more.grant = Some(given(r)?),
        "adjust" => more.adjust = Some(adjusted(r)?),
        "withdraw" => more.withdraw = Some(withdrawn(r)?),
        "freeze" => more.freeze = Some(Frozen { bucket: id(r)?, reason: reason(r)? }),
        _ => {}
    }
    Ok(more)
}

fn id<T: std::str::FromStr>(r: &mut Reader<'_>) -> Result<T, Stop> {
    let id = r.word()?;
    r.parse(id)
}

fn reason(r: &mut Reader<'_>) -> Result<String, Stop> {
    let reason = r.text()?;
    r.parse(reason)
}

fn change(r: &mut Reader<'_>) -> Result<Change, Stop> {
    let (bucket, standing) = (id(r)?, records::standing(r)?);
    Ok(Change { bucket, standing, expires: r.maybe()?.map(Timestamp) })
}

fn adjusted(r: &mut Reader<'_>) -> Result<Adjusted, Stop> {
    Ok(Adjusted { charge: id(r)?, id: id(r)?, held: r.amount()? })
}

fn withdrawn(r: &mut Reader<'_>) -> Result<Withdrawn, Stop> {
    let bucket = id(r)?;
    let how = match r.byte()? {
        b'v' => Withdrawal::Void,
        b'f' => Withdrawal::Refund,
        b'r' => Withdrawal::Reversal,
        b'x' => Withdrawal::Expire,
        other => return Err(r.broken(&format!("takes back in a way that is not known: {other}"))),
    };
    Ok(Withdrawn { bucket, how, reason: reason(r)? })
}

fn verb(r: &mut Reader<'_>) -> Result<&'static str, Stop> {
    Ok(match r.byte()? {
        b'r' => "reserve",
        b's' => "settle",
        b'l' => "release",
        b'd' => "doubt",
        b't' => "tick",
        b'g' => "grant",
        b'f' => "refund",
        b'j' => "adjust",
        b'w' => "withdraw",
        b'z' => "freeze",
        other => return Err(r.broken(&format!("is of a verb that is not known: {other}"))),
    })
}

fn posting(r: &mut Reader<'_>) -> Result<Posting, Stop> {
    let bucket = r.word()?;
    let bucket = r.parse(bucket)?;
    Ok(Posting { bucket, from: column(r)?, to: column(r)?, amount: r.amount()? })
}

fn column(r: &mut Reader<'_>) -> Result<&'static str, Stop> {
    Ok(match r.byte()? {
        b'g' => "granted",
        b'a' => "available",
        b'h' => "held",
        b's' => "spent",
        b'x' => "expired",
        b'v' => "voided",
        other => return Err(r.broken(&format!("moves a column that is not known: {other}"))),
    })
}

fn new_bucket(r: &mut Reader<'_>) -> Result<NewBucket, Stop> {
    let bucket = records::purse(r)?.1.bucket;
    Ok(NewBucket {
        id: bucket.id,
        kind: bucket.kind,
        class: bucket.class,
        priority: bucket.priority,
        effective: bucket.effective,
        expires: bucket.expires,
        granted: bucket.granted,
        only: bucket.only,
        parent: bucket.parent,
        paid: bucket.paid,
    })
}

fn charge(r: &mut Reader<'_>) -> Result<EndedCharge, Stop> {
    let id = r.word()?;
    let id: ChargeId = r.parse(id)?;
    let tomb = records::tomb(id, r.blob()?)?;
    let [note, explanation] = tomb.texts.unwrap_or_default().each_ref().map(|said| text(said));
    let ended = tomb.ended;
    let begun = ended.open.map(|open| Begun {
        held: open.held,
        kind: open.kind,
        route: open.route,
        feature: open.feature,
        member: open.member,
        key: open.key,
        revision: open.revision,
        instance: open.instance,
        begun: open.begun,
        counted: open.counted.into_iter().map(cap_count).collect(),
    });
    Ok(EndedCharge {
        id,
        state: ended.state,
        actual: ended.actual,
        charged: ended.charged,
        returned: ended.returned,
        debt: ended.debt,
        absorbed: ended.absorbed,
        legs: ended.legs,
        refunds: ended.refunds.into_iter().map(refunded).collect(),
        ended: ended.at,
        by_deadline: ended.by_deadline,
        late: ended.late,
        begun,
        note,
        explanation,
    })
}

fn refunded(part: RefundPart) -> Refunded {
    let RefundPart { id, amount, at, reason } = part;
    Refunded { id, amount, at, reason }
}

fn cap_count(counted: Counted) -> CapCount {
    let Counted { name: cap, scope, measure, period, amount, .. } = counted;
    CapCount { cap, scope: scope.to_string(), measure, period, amount }
}

fn given(r: &mut Reader<'_>) -> Result<Given, Stop> {
    Ok(Given { id: id(r)?, reason: reason(r)? })
}

/// Nothing said is nothing told.
fn text(bytes: &[u8]) -> Option<Text> {
    if bytes.is_empty() {
        return None;
    }
    // Within JSON's strings there is no bare end of a line: what there is lies between its words.
    let flat = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    let json = serde_json::from_slice::<&RawValue>(bytes);
    let json = json.is_ok().then(|| bytes.iter().map(flat).collect::<Vec<_>>());
    let json = json.and_then(|flat| serde_json::from_slice(&flat).ok());
    Some(json.map_or_else(|| Text::Other { base64: BASE64.encode(bytes) }, Text::Json))
}

#[cfg(test)]
mod tests;
