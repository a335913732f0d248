//! An entry as one line of JSON.
//!
//! Invariant: an entry that is not understood to its last byte is told raw, never a guess and never nothing.

use data_encoding::BASE64;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::Entry;
use crate::credit::{
    AccountId, Amount, BucketId, ChargeId, Class, KeyId, Kind, Leg, Measure, Name, Paid, Standing,
};
use crate::ledger::model::{self, Column, Counted, Finished, Open, Purse, Said};
use crate::ledger::{ChargeState, RefundPart, Withdrawal};
use crate::seam::Timestamp;

/// Where an entry lay.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::ledger) struct Place<'a> {
    /// The ledger's epoch.
    pub(in crate::ledger) epoch: &'a str,
    pub(in crate::ledger) partition: u16,
    pub(in crate::ledger) stream_id: &'a str,
}

/// An entry as a line.
#[derive(Debug)]
pub(in crate::ledger) struct Line {
    /// JSON, with the end of the line.
    pub(in crate::ledger) text: Vec<u8>,
    /// Whose, and which of the account's entries.
    pub(in crate::ledger) told: Result<(AccountId, u64), String>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(flatten)]
    entry: Written,
}

#[derive(Serialize)]
struct Raw<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    raw: String,
    error: &'a str,
}

#[derive(Debug, Serialize)]
struct Written {
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

/// The line of an entry, or of bytes that are none that is known, with what is wrong with them.
pub(in crate::ledger) fn line(place: Place<'_>, bytes: &[u8], read: Result<Entry, String>) -> Line {
    let made = read.and_then(|entry| {
        let whose = (entry.told.account.clone(), entry.sequence);
        let text = json(&Told { place, entry: written(entry) });
        text.map(|text| Line { text, told: Ok(whose) }).map_err(|error| error.to_string())
    });
    made.unwrap_or_else(|why| raw_line(place, bytes, &why))
}

/// The line of something that is no entry.
pub(in crate::ledger) fn raw_line(place: Place<'_>, bytes: &[u8], why: &str) -> Line {
    let told = json(&Raw { place, raw: BASE64.encode(bytes), error: why });
    // Texts and numbers alone: nothing in it can fail.
    Line { text: told.unwrap_or_default(), told: Err(why.to_owned()) }
}

fn json(what: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(what)?;
    text.push(b'\n');
    Ok(text)
}

fn written(entry: Entry) -> Written {
    let Entry { sequence, told } = entry;
    Written {
        account: told.account,
        sequence,
        at: told.at,
        verb: verb(&told.said),
        postings: told.postings.into_iter().map(posting).collect(),
        buckets: told.made.into_iter().map(new_bucket).collect(),
        charges: told.ended.into_iter().map(charge).collect(),
        more: more(told.said, told.changes),
    }
}

fn more(said: Said, changes: Vec<model::Change>) -> More {
    let mut more = More { changes: changes.into_iter().map(change).collect(), ..More::default() };
    match said {
        Said::Grant { id, reason } => more.grant = Some(Given { id, reason }),
        Said::Adjust { charge, id, held } => more.adjust = Some(Adjusted { charge, id, held }),
        Said::Withdraw { bucket, how, reason } => {
            more.withdraw = Some(Withdrawn { bucket, how, reason });
        }
        Said::Freeze { bucket, reason } => more.freeze = Some(Frozen { bucket, reason }),
        Said::Document
        | Said::Reserve
        | Said::Settle
        | Said::Release
        | Said::Doubt
        | Said::Tick
        | Said::Refund => {}
    }
    more
}

const fn verb(said: &Said) -> &'static str {
    match said {
        Said::Document => "document",
        Said::Reserve => "reserve",
        Said::Settle => "settle",
        Said::Release => "release",
        Said::Doubt => "doubt",
        Said::Tick => "tick",
        Said::Grant { .. } => "grant",
        Said::Refund => "refund",
        Said::Adjust { .. } => "adjust",
        Said::Withdraw { .. } => "withdraw",
        Said::Freeze { .. } => "freeze",
    }
}

fn change(change: model::Change) -> Change {
    let model::Change { bucket, standing, expires } = change;
    Change { bucket, standing, expires }
}

fn posting(posting: model::Posting) -> Posting {
    let model::Posting { bucket, from, to, amount } = posting;
    Posting { bucket, from: from.map_or("granted", column), to: column(to), amount }
}

const fn column(column: Column) -> &'static str {
    match column {
        Column::Available => "available",
        Column::Held => "held",
        Column::Spent => "spent",
        Column::Expired => "expired",
        Column::Voided => "voided",
    }
}

fn new_bucket(purse: Purse) -> NewBucket {
    let bucket = purse.bucket;
    NewBucket {
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
    }
}

fn charge(finished: Finished) -> EndedCharge {
    let Finished { ended, texts } = finished;
    let [note, explanation] = texts.each_ref().map(|said| text(said));
    EndedCharge {
        id: ended.charge,
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
        begun: ended.open.map(begun),
        note,
        explanation,
    }
}

fn begun(open: Open) -> Begun {
    Begun {
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
    }
}

fn refunded(part: RefundPart) -> Refunded {
    let RefundPart { id, amount, at, reason } = part;
    Refunded { id, amount, at, reason }
}

fn cap_count(counted: Counted) -> CapCount {
    let Counted { name: cap, scope, measure, period, amount, .. } = counted;
    CapCount { cap, scope: scope.to_string(), measure, period, amount }
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
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_json_as_it_came_or_base64() {
        let shown = |bytes: &[u8]| serde_json::to_string(&text(bytes)).unwrap();
        assert_eq!(
            shown(b"{\"a\":1.50,\r\n \"b\":[9007199254740993]}\n"),
            r#"{"a":1.50,   "b":[9007199254740993]}"#
        );
        assert_eq!(shown(b"said"), r#"{"base64":"c2FpZA=="}"#);
        assert_eq!(shown(b"\"a\nb\""), r#"{"base64":"ImEKYiI="}"#);
        assert_eq!(shown(b"\xff\n"), r#"{"base64":"/wo="}"#);
        assert_eq!(shown(b""), "null");
    }
}
