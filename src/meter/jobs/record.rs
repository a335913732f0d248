//! What is kept of a job beside its charge, so that any instance can end it: at the price that it was reserved
//! at, with the story so far.
//!
//! The ledger keeps the bytes and does not look inside. They are JSON with a version, so that an instance of
//! another release reads them or says that it cannot.
//!
//! Invariant: the first end that is written here is the end; whoever comes later adds to `later`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::credit::{Amount, Facts, Kind, Name, Price, Rate};
use crate::ledger::JOB_RECORD_MAX;
use crate::meter::pricing::Held;
use crate::meter::receipt::Explanation;
use crate::meter::settings::{Class, Due};
use crate::seam::Timestamp;

/// The version of the bytes.
const VERSION: u8 = 1;
/// How many reports that came too late are kept.
const LATER_MAX: usize = 8;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u8,
    /// The route that began it.
    pub route: Name,
    /// What that route's path captured.
    pub captures: Vec<(String, String)>,
    /// The kind of credit that pays for it.
    pub kind: Kind,
    /// The price that it was reserved at; `None`: it is too long to be kept, and what was held is charged.
    pub price: Option<Price>,
    /// What is held, and why.
    pub held: Held,
    /// Quantities that an answer has stated already; their values are in `held`.
    pub stated: BTreeSet<Name>,
    /// The receipt so far, and in the end.
    pub told: Explanation,
    /// What was told of its end, while nobody has said what was used.
    pub done: Option<Done>,
    /// How it ended.
    pub end: Option<Ended>,
    /// What was said after its end and contradicts it.
    pub later: Vec<Later>,
    /// Which host of its upstream has it, with its port, as its first URL said; `None`: that of the upstream's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How often our own asking has failed in a row.
    pub failures: u32,
    /// Until when aliases lead from its id, or from those of its files, to its account; `None`: none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_until: Option<Timestamp>,
    /// The ids of the files that answers about it have named; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// The work is done, and what it used is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// When somebody said so first.
    pub at: Timestamp,
    /// What became of the work.
    pub class: Class,
}

/// How a job ended. Whoever reads it before the ledger has it may tell the ledger again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Who said so.
    pub by: By,
    /// What became of the work.
    pub class: Class,
    /// When.
    pub at: Timestamp,
    /// What becomes of the charge.
    pub word: LastWord,
    /// A number of whoever wrote this, at random: two who say the same at one moment have not written the same.
    pub mark: u64,
}

/// What becomes of a job's charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastWord {
    /// This is taken.
    Settle(Amount),
    /// Everything is given back.
    Release,
    /// The hold is kept until the `reconcile` time is over.
    Doubt,
}

/// A report that came after the end and says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// Who said so.
    pub by: By,
    /// What.
    pub class: Class,
    /// When.
    pub at: Timestamp,
}

/// Who reports on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The answer that began it.
    Create,
    /// Its owner, who asked for its state.
    Poll,
    /// Its owner, who asked for its result.
    Result,
    /// Its owner, who stopped it.
    Cancel,
    /// The upstream's call.
    Webhook,
    /// Our own watcher.
    Watcher,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Poll => "poll",
            Self::Result => "result",
            Self::Cancel => "cancel",
            Self::Webhook => "webhook",
            Self::Watcher => "watcher",
        })
    }
}

impl Record {
    /// The record of a job that has just begun.
    pub(super) fn begin(
        route: Name,
        captures: Vec<(String, String)>,
        due: &Due,
        held: Held,
        stated: BTreeSet<Name>,
        told: Explanation,
    ) -> Self {
        let price = narrowed(due, &held.facts);
        Self {
            version: VERSION,
            route,
            captures,
            kind: price.kind.clone(),
            price: Some(price),
            held,
            stated,
            told,
            done: None,
            end: None,
            later: Vec::new(),
            host: None,
            failures: 0,
            found_until: None,
            files: Vec::new(),
        }
    }

    /// As the ledger keeps it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        if bytes.len() <= JOB_RECORD_MAX {
            return bytes;
        }
        let told = Explanation { lines: Vec::new(), caps: Vec::new(), ..self.told.clone() };
        let short = Self { price: None, told, ..self.clone() };
        serde_json::to_vec(&short).unwrap_or_default()
    }

    /// Reads what the ledger kept.
    ///
    /// # Errors
    /// In words for the log, when it is of another version or damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match record.version {
            VERSION => Ok(record),
            other => Err(format!("a job's record of version {other}")),
        }
    }

    /// Notes what contradicts the end; `false`: that is known.
    pub(super) fn contradicted(&mut self, by: By, class: Class, at: Timestamp) -> bool {
        let known = self.later.iter().any(|later| later.by == by && later.class == class);
        if known || self.later.len() >= LATER_MAX {
            return false;
        }
        self.later.push(Later { by, class, at });
        true
    }

    /// Whether it has waited long enough to hear what it used.
    #[must_use]
    pub fn has_waited(&self, job: &Job, now: Timestamp) -> bool {
        self.done.is_some_and(|done| now.ms_since(done.at) >= job.grace_ms)
    }
}

/// The price without rows that can never count for this job any more: what only a request says is settled. The
/// rows that are left are tried in the same order, so every outcome costs the same.
fn narrowed(due: &Due, facts: &Facts) -> Price {
    let mut price = (*due.price).clone();
    let open = |name: &Name| {
        let quantity = due.quantities.iter().find(|quantity| quantity.name == *name);
        quantity.is_some_and(|quantity| !quantity.response.is_empty())
    };
    for line in &mut price.lines {
        let Rate::Table(table) = &mut line.rate else { continue };
        let by = table.by.clone();
        table.rows.retain(|row| {
            row.when.iter().zip(&by).all(|(when, name)| {
                let value = facts.0.get(name).map(ToString::to_string);
                when.is_none() || open(name) || *when == value
            })
        });
    }
    price
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::{Decimal, Line, Rounding, Row, Table, Value};
    use crate::ledger::{OnUnknown, OverRun};
    use crate::meter::settings::{
        Merge, Missing, OnDisconnect, Quantity, ResponseSource, ValueType,
    };
    use crate::meter::stream::StreamRules;

    fn amount(whole: u64) -> Amount {
        Amount::from_micro(whole * 1_000_000).unwrap()
    }

    fn quantity(name: &str, value: ValueType, response: Vec<ResponseSource>) -> Quantity {
        let (request, default, missing) = (Vec::new(), None, Missing::Hold);
        let (name, merge) = (name.parse().unwrap(), Merge::default());
        let response = response.into_iter().map(Into::into).collect();
        Quantity { name, value, request, default, response, merge, missing }
    }

    /// A rate for each of a thousand sizes and two qualities, of which a request says the size.
    fn due() -> Due {
        let row = |size: usize, quality: Option<&str>, rate| Row {
            when: vec![
                Some(format!("size-{size}-{}", "x".repeat(100))),
                quality.map(str::to_owned),
            ],
            rate: amount(rate),
        };
        let rows = (0..1_000).flat_map(|size| [row(size, Some("high"), 2), row(size, None, 1)]);
        let by = vec!["size".parse().unwrap(), "quality".parse().unwrap()];
        let line = Line {
            label: "Seconds".to_owned(),
            quantities: vec!["seconds".parse().unwrap()],
            per: std::num::NonZeroU64::MIN,
            rounding: Rounding::Exact,
            rate: Rate::Table(Table { by, rows: rows.collect(), otherwise: None }),
        };
        let price = Price {
            name: "video".parse().unwrap(),
            kind: "credits".parse().unwrap(),
            lines: vec![line],
            minimum: Amount::ZERO,
            maximum: None,
        };
        let told = vec![ResponseSource::Job("/x".parse().unwrap())];
        let any = Decimal::ZERO..=Decimal::whole(100).unwrap();
        Due {
            price: std::sync::Arc::new(price),
            quantities: vec![
                quantity("size", ValueType::Text(Vec::new()), Vec::new()),
                quantity("quality", ValueType::Text(Vec::new()), told.clone()),
                quantity("seconds", ValueType::Seconds(any), told),
            ],
            outcomes: Vec::new(),
            stream: StreamRules::default(),
            decode: true,
            on_disconnect: OnDisconnect::Finish,
            on_unknown: OnUnknown::Hold,
            reconcile_ms: 0,
            over_run: OverRun::Absorb,
            job: None,
        }
    }

    fn facts(quality: &str, seconds: u64) -> Facts {
        let size = Value::Text(format!("size-500-{}", "x".repeat(100)));
        let seconds = Value::Number(Decimal::whole(seconds).unwrap());
        let quality = Value::Text(quality.to_owned());
        let pairs = [("size", size), ("quality", quality), ("seconds", seconds)];
        Facts(pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value)).collect())
    }

    fn held(due: &Due) -> Held {
        let facts = facts("high", 10);
        let priced = due.price.of(&facts).unwrap();
        let (changes, flags, unasked) = Default::default();
        Held { facts, priced, changes, flags, unasked }
    }

    #[test]
    fn a_long_price_is_kept_as_far_as_it_can_still_count() {
        let due = due();
        let held = held(&due);
        let (route, told) = ("film".parse().unwrap(), Explanation::default());
        let record = Record::begin(route, Vec::new(), &due, held, BTreeSet::new(), told);
        let bytes = record.bytes();
        assert!(bytes.len() < 4_096, "{}", bytes.len());
        let read = Record::read(&bytes).unwrap();
        assert_eq!(read, record);
        for (quality, seconds) in [("high", 3), ("low", 3), ("high", 100)] {
            let facts = facts(quality, seconds);
            let kept = read.price.as_ref().unwrap().of(&facts).unwrap();
            assert_eq!(kept.total, due.price.of(&facts).unwrap().total, "{quality}");
        }
        let newer = String::from_utf8(bytes).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(Record::read(newer.as_bytes()).is_err());
    }

    #[test]
    fn a_record_has_a_bound() {
        let mut due = due();
        let held = held(&due);
        due.quantities[0].response = vec![ResponseSource::Job("/size".parse().unwrap()).into()];
        let (route, told) = ("film".parse().unwrap(), Explanation::default());
        let record = Record::begin(route, Vec::new(), &due, held.clone(), BTreeSet::new(), told);
        let read = Record::read(&record.bytes()).unwrap();
        assert_eq!((read.price, read.held), (None, held));
    }
}
