//! A line of the exported stream, read strictly.
//!
//! Invariant: a member that is not known, missing or of another shape makes the line a fault, never a guess.

use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::credit::{
    AccountId, Amount, BucketId, ChargeId, Class, KeyId, Kind, Leg, Measure, Name, Paid, Standing,
};
use crate::ledger::{ChargeState, Withdrawal};
use crate::seam::Timestamp;

/// What lines may tell of.
const VERBS: [&str; 10] = [
    "reserve", "settle", "release", "doubt", "tick", "grant", "refund", "adjust", "withdraw",
    "freeze",
];

/// An entry. What does not change buckets is read and let go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) epoch: String,
    #[serde(rename = "partition")]
    _partition: Option<u16>,
    #[serde(rename = "stream_id")]
    _stream_id: Option<String>,
    pub(super) account: AccountId,
    pub(super) sequence: u64,
    #[serde(deserialize_with = "moment")]
    pub(super) at: Timestamp,
    verb: String,
    pub(super) postings: Vec<Posting>,
    pub(super) buckets: Vec<NewBucket>,
    charges: Vec<EndedCharge>,
    #[serde(default)]
    pub(super) changes: Vec<Change>,
    #[serde(rename = "grant")]
    _grant: Option<Given>,
    #[serde(rename = "adjust")]
    _adjust: Option<Adjusted>,
    #[serde(rename = "withdraw")]
    _withdraw: Option<Withdrawn>,
    #[serde(rename = "freeze")]
    _freeze: Option<Frozen>,
}

/// A column of a bucket; what is held counts as available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Column {
    Granted,
    Available,
    Held,
    Spent,
    Expired,
    Voided,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posting {
    pub(super) bucket: BucketId,
    pub(super) from: Column,
    pub(super) to: Column,
    pub(super) amount: Amount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBucket {
    pub(super) id: BucketId,
    pub(super) kind: Kind,
    pub(super) class: Class,
    pub(super) priority: u8,
    #[serde(deserialize_with = "moment")]
    pub(super) effective: Timestamp,
    #[serde(deserialize_with = "maybe_moment")]
    pub(super) expires: Option<Timestamp>,
    pub(super) granted: Amount,
    #[serde(default)]
    pub(super) only: Vec<Name>,
    pub(super) parent: Option<BucketId>,
    pub(super) paid: Option<Paid>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub(super) bucket: BucketId,
    pub(super) standing: Standing,
    #[serde(deserialize_with = "maybe_moment")]
    pub(super) expires: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(rename = "id")]
    _id: BucketId,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjusted {
    #[serde(rename = "charge")]
    _charge: ChargeId,
    #[serde(rename = "id")]
    _id: BucketId,
    #[serde(rename = "held")]
    _held: Amount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawn {
    #[serde(rename = "bucket")]
    _bucket: BucketId,
    #[serde(rename = "how")]
    _how: Withdrawal,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frozen {
    #[serde(rename = "bucket")]
    _bucket: BucketId,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndedCharge {
    id: ChargeId,
    #[serde(rename = "state")]
    _state: ChargeState,
    #[serde(rename = "actual")]
    _actual: Amount,
    charged: Amount,
    #[serde(rename = "returned")]
    _returned: Amount,
    #[serde(rename = "debt")]
    _debt: Amount,
    #[serde(rename = "absorbed")]
    _absorbed: Amount,
    legs: Vec<Leg>,
    #[serde(default)]
    refunds: Vec<Refunded>,
    #[serde(rename = "ended", deserialize_with = "moment")]
    _ended: Timestamp,
    #[serde(rename = "by_deadline")]
    _by_deadline: bool,
    #[serde(rename = "late")]
    _late: bool,
    #[serde(rename = "held")]
    _held: Option<Amount>,
    #[serde(rename = "kind")]
    _kind: Option<Kind>,
    #[serde(rename = "route")]
    _route: Option<String>,
    #[serde(rename = "feature")]
    _feature: Option<String>,
    #[serde(rename = "member")]
    _member: Option<String>,
    #[serde(rename = "key")]
    _key: Option<KeyId>,
    #[serde(rename = "revision")]
    _revision: Option<String>,
    #[serde(rename = "instance")]
    _instance: Option<String>,
    #[serde(default, rename = "begun", deserialize_with = "maybe_moment")]
    _begun: Option<Timestamp>,
    #[serde(rename = "counted")]
    _counted: Option<Vec<CapCount>>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
    #[serde(rename = "explanation")]
    _explanation: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refunded {
    #[serde(rename = "id")]
    _id: BucketId,
    amount: Amount,
    #[serde(rename = "at", deserialize_with = "moment")]
    _at: Timestamp,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapCount {
    #[serde(rename = "cap")]
    _cap: String,
    #[serde(rename = "scope")]
    _scope: String,
    #[serde(rename = "measure")]
    _measure: Measure,
    #[serde(rename = "period")]
    _period: String,
    #[serde(rename = "amount")]
    _amount: u64,
}

/// An entry that its exporter did not understand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "epoch")]
    _epoch: String,
    #[serde(rename = "partition")]
    _partition: Option<u16>,
    #[serde(rename = "stream_id")]
    _stream_id: Option<String>,
    #[serde(rename = "raw")]
    _raw: String,
    error: String,
}

/// Of which ledger, whose, and which of the account's entries: enough to find a line again.
#[derive(Deserialize)]
pub(super) struct Whose {
    pub(super) epoch: String,
    pub(super) account: AccountId,
    pub(super) sequence: u64,
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn maybe_moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// The entry that a line tells; otherwise a code and what is wrong.
pub(super) fn read(bytes: &[u8]) -> Result<Line, (&'static str, String)> {
    let line: Line = match serde_json::from_slice(bytes) {
        Ok(line) => line,
        Err(error) => {
            return Err(match serde_json::from_slice::<Raw>(bytes) {
                Ok(raw) => ("raw", format!("its exporter did not understand it: {}", raw.error)),
                Err(_) => ("not_understood", format!("it is not understood: {error}")),
            });
        }
    };
    if !VERBS.contains(&line.verb.as_str()) {
        return Err(("unknown_verb", format!("the verb {:?} is not known", line.verb)));
    }
    if line.sequence == 0 {
        return Err(("not_understood", "entries are counted from 1".to_owned()));
    }
    Ok(line)
}

impl Line {
    /// What its charges say that cannot be: legs are what was charged, and no more is refunded.
    pub(super) fn check_charges(&self) -> Result<(), String> {
        for charge in &self.charges {
            let total = |amounts: &mut dyn Iterator<Item = Amount>| -> u128 {
                amounts.map(|amount| u128::from(amount.micro())).sum()
            };
            let charged = u128::from(charge.charged.micro());
            if total(&mut charge.legs.iter().map(|leg| leg.amount)) != charged {
                return Err(format!("the legs of {} are not what it charged", charge.id));
            }
            if total(&mut charge.refunds.iter().map(|part| part.amount)) > charged {
                return Err(format!("more is refunded of {} than it charged", charge.id));
            }
        }
        Ok(())
    }
}
