//! Receipts: why a charge is what it is, from its id, in one look.
//!
//! What the request was and why it was held is written at reserve (`Note`); what the upstream did and why
//! the charge is what it is, at the end (`Explanation`), and before that when it begins to wait for a job. The receipt puts both beside the ledger's numbers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::note;
use crate::credit::{Amount, Facts, Priced, PricedLine, PricedOverride};
use crate::ledger::{AdjustPart, CapState, ChargeRecord, ChargeState, NOTE_MAX, RefundPart};
use crate::seam::Timestamp;

/// What is known when a charge ends, or begins to wait for its job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The class of the outcome: `completed`, `failed`, …
    pub outcome: String,
    /// Why, in a sentence for people.
    pub why: String,
    /// The status of the upstream's answer; `None`: there was none.
    pub upstream_status: Option<u16>,
    /// The upstream's name.
    pub upstream: String,
    /// The quantities that made the charge.
    pub inputs: Facts,
    /// The lines that made the charge.
    pub lines: Vec<PricedLine>,
    /// What overrides made of their sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<PricedOverride>,
    /// What was out of the ordinary, such as `missing_quantity:seconds`.
    pub flags: Vec<String>,
    /// The caps after the reserve.
    pub caps: Vec<CapNote>,
    /// What happened when.
    pub timeline: Vec<Event>,
    /// The job that the request began, if it began one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobNote>,
}

/// A job, as its charge's receipt shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobNote {
    /// Which sort.
    pub name: String,
    /// The upstream's id for it.
    pub id: String,
    /// The class of its end; `None`: it goes on.
    pub state: Option<String>,
    /// Who told of its end: `create`, `poll`, `result`, `cancel`, `webhook` or `watcher`.
    pub told_by: Option<String>,
}

impl Explanation {
    /// As the ledger keeps it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        bounded(self, || json!({ "outcome": self.outcome, "why": self.why, "job": self.job }))
    }
}

/// A cap as it stood after the reserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapNote {
    /// Its name.
    pub name: String,
    /// Over what it counts.
    pub scope: String,
    /// Its limit, in requests or micro-credits.
    pub limit: u64,
    /// Its count with this request.
    pub used: u64,
    /// When it starts anew.
    pub resets_at: Timestamp,
}

impl From<&CapState> for CapNote {
    fn from(cap: &CapState) -> Self {
        Self {
            name: cap.name.clone(),
            scope: cap.scope.to_string(),
            limit: cap.limit,
            used: cap.used,
            resets_at: cap.period.end,
        }
    }
}

/// One moment of a charge's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What: `reserved`, `forwarded`, `answered`, `ended`.
    pub event: String,
}

/// The JSON of `value`, or of what `short` says if that would be too long for the ledger.
fn bounded(value: &impl Serialize, short: impl FnOnce() -> Value) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() <= NOTE_MAX => bytes,
        _ => serde_json::to_vec(&short()).unwrap_or_default(),
    }
}

/// The receipt of a charge.
#[must_use]
pub fn receipt(record: &ChargeRecord) -> Value {
    let note = note::read(record.charge, &record.note);
    let end: Value = serde_json::from_slice(&record.explanation).unwrap_or(Value::Null);
    let open = record.ended.is_none();
    let held = if open { record.held } else { Amount::ZERO };
    let refunded: Amount = record.refunds.iter().map(|part| part.amount).sum();
    let taken = record.charged.saturating_add(refunded);
    let returned = if open { Amount::ZERO } else { record.held.saturating_sub(taken) };
    json!({
        "object": "charge",
        "id": record.charge,
        "account": record.account,
        "key": record.key,
        "member": record.member,
        "feature": record.feature,
        "status": status(record),
        "kind": record.kind,
        "reserved": record.held,
        "held": held,
        "charged": record.charged,
        "returned": returned,
        "refunded": refunded,
        "refunds": record.refunds.iter().map(refund).collect::<Vec<_>>(),
        "adjustments": record.adjusts.iter().map(adjustment).collect::<Vec<_>>(),
        "debt": record.debt,
        "absorbed": record.absorbed,
        "why": why(record, &end, refunded),
        "request": {
            "id": note["request_id"], "method": note["method"], "path": note["path"],
            "route": record.route,
        },
        "decision": {
            "revision": record.revision, "price": note["price"], "plan": note["plan"],
            "hold": { "inputs": note["inputs"], "lines": stored_lines(&note) },
        },
        "tags": note.get("tags").cloned().unwrap_or_else(|| json!({})),
        "outcome": end["outcome"].as_str().filter(|outcome| !outcome.is_empty()),
        "job": end["job"],
        "lines": stored_lines(&end),
        "inputs": end["inputs"],
        "flags": end["flags"],
        "caps": caps(&end),
        "legs": record.legs,
        "upstream": { "name": end["upstream"], "status": end["upstream_status"] },
        "created": record.begun.to_string(),
        "ended": record.ended.map(|moment| moment.to_string()),
        "unknown_until": record.deadline.map(|moment| moment.to_string()),
        "timeline": timeline(record, &end),
    })
}

/// The lines of a price as people see them: what was computed, then what overrides made of the sum.
pub(super) fn lines(priced: &Priced) -> Value {
    let computed = priced.lines.iter().map(|line| json!(line));
    computed.chain(priced.overrides.iter().map(override_line)).collect()
}

/// The same as a note or explanation keeps them; `null`: it keeps none.
fn stored_lines(kept: &Value) -> Value {
    let Some(computed) = kept["lines"].as_array() else { return Value::Null };
    let overrides = kept.get("overrides").cloned().unwrap_or_default();
    let overrides: Vec<PricedOverride> = serde_json::from_value(overrides).unwrap_or_default();
    computed.iter().cloned().chain(overrides.iter().map(override_line)).collect()
}

/// What an override took off a sum or added to it.
fn override_line(one: &PricedOverride) -> Value {
    let amount = match one.after.checked_sub(one.before) {
        Some(more) => more.to_string(),
        None => format!("-{}", one.before.saturating_sub(one.after)),
    };
    json!({
        "label": one.label,
        "override": one.id,
        "reason": one.reason,
        "before": one.before,
        "after": one.after,
        "amount": amount,
    })
}

fn refund(part: &RefundPart) -> Value {
    json!({
        "id": part.id, "amount": part.amount, "at": part.at.to_string(), "reason": part.reason,
    })
}

/// How much of what was wanted was held from then on.
fn adjustment(part: &AdjustPart) -> Value {
    json!({
        "id": part.id, "wanted": part.wanted, "held": part.wanted.saturating_sub(part.short),
        "short": part.short,
    })
}

const fn status(record: &ChargeRecord) -> &'static str {
    match record.state {
        ChargeState::Held => "held",
        ChargeState::Unknown => "unknown",
        ChargeState::Settled => "settled",
        ChargeState::Released => "released",
    }
}

fn why(record: &ChargeRecord, end: &Value, refunded: Amount) -> String {
    let said = end["why"].as_str().unwrap_or_default();
    let taken = record.charged.saturating_add(refunded);
    let told = match record.state {
        ChargeState::Held if end["job"].is_object() => {
            format!("{} is held while its job runs.", record.held)
        }
        ChargeState::Held => format!("{} is held while the request runs.", record.held),
        ChargeState::Unknown => {
            format!("{} is held: the outcome is not known. {said}", record.held)
        }
        ChargeState::Settled | ChargeState::Released if record.by_deadline => format!(
            "{} was held and nobody said how the work ended; {taken} was charged when the time was over.",
            record.held
        ),
        ChargeState::Settled | ChargeState::Released => {
            format!("{} was held and {taken} was charged. {said}", record.held)
        }
    };
    let told = told.trim_end();
    if refunded.is_zero() {
        return told.to_owned();
    }
    format!("{told} {refunded} was refunded; it costs {} now.", record.charged)
}

fn moment(value: &Value) -> Value {
    value.as_u64().map_or(Value::Null, |ms| Timestamp(ms).to_string().into())
}

fn caps(end: &Value) -> Value {
    let caps = end["caps"].as_array().cloned().unwrap_or_default();
    let shown = caps.into_iter().map(|mut cap| {
        let resets_at = moment(&cap["resets_at"]);
        if let Some(members) = cap.as_object_mut() {
            members.insert("resets_at".to_owned(), resets_at);
        }
        cap
    });
    Value::Array(shown.collect())
}

/// The exchange's own moments, the ledger's last word, and what was done by hand.
fn timeline(record: &ChargeRecord, end: &Value) -> Value {
    let told = end["timeline"].as_array().map_or(&[][..], Vec::as_slice);
    let mut events: Vec<Value> = told
        .iter()
        .map(|event| json!({ "at": moment(&event["at"]), "event": event["event"] }))
        .collect();
    if events.is_empty() {
        events.push(json!({ "at": record.begun.to_string(), "event": "reserved" }));
    }
    // When they were made is not kept: after the reserve, and before the exchange was over.
    let over = |event: &Value| event["event"] == "ended" || event["event"] == "lost";
    let at = events.iter().position(over).unwrap_or(events.len());
    let adjusts =
        record.adjusts.iter().map(|part| event(Value::Null, "adjusted", adjustment(part)));
    events.splice(at..at, adjusts);
    if let Some(ended) = record.ended {
        events.push(json!({ "at": ended.to_string(), "event": status(record) }));
    }
    let refunds = record.refunds.iter();
    events.extend(refunds.map(|part| event(part.at.to_string().into(), "refunded", refund(part))));
    Value::Array(events)
}

/// An event with all that is known of it.
fn event(at: Value, event: &str, mut known: Value) -> Value {
    known["at"] = at;
    known["event"] = event.into();
    known
}
