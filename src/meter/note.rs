//! The note that is written at reserve: what the request was and why it was held.
//!
//! A note lies beside every open charge in the store's memory, so it is written short: a list without names, without
//! what the charge's id says already, and without values that it has already. `read` gives every member its name.
//!
//! `[method, path, price, plan, inputs, lines, overrides, tags]`, of which those at the end that say nothing are left
//! out; a line is `[label, inputs, rate, amount, rounding, per]`, where `exact` and a step of one unit are left out,
//! and inputs that are the note's own are named only.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::request_id::request_of;
use crate::credit::{ChargeId, Facts, PricedLine, PricedOverride};
use crate::ledger::NOTE_MAX;

/// The longest path that a note keeps, in bytes.
const PATH_MAX: usize = 512;
/// The members of a note in their order.
const MEMBERS: [&str; 8] =
    ["method", "path", "price", "plan", "inputs", "lines", "overrides", "tags"];
/// The members of a line in their order.
const OF_LINE: [&str; 6] = ["label", "inputs", "rate", "amount", "rounding", "per"];
/// What most lines have.
const ROUNDING: &str = "exact";
const PER: u64 = 1;

/// What is known when credits are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The method that was forwarded.
    pub method: String,
    /// The path that was matched, priced and forwarded; without its query, which may carry secrets.
    pub path: String,
    /// The name of the price.
    pub price: String,
    /// The account's plan at that moment.
    pub plan: String,
    /// The quantities that made the hold.
    pub inputs: Facts,
    /// The lines that made the hold.
    pub lines: Vec<PricedLine>,
    /// What overrides made of their sum.
    pub overrides: Vec<PricedOverride>,
    /// What the caller's token says of itself, by the names that the configuration gives.
    pub tags: BTreeMap<String, String>,
}

impl Note {
    /// As the ledger keeps it; a long path is cut, and of what would be too long only the method stays.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        if let Some((at, _)) = self.path.char_indices().find(|(at, _)| *at >= PATH_MAX) {
            self.path.truncate(at);
        }
        let lines: Vec<Value> = self.lines.iter().map(|line| short(line, &self.inputs)).collect();
        let mut members = vec![
            json!(self.method),
            json!(self.path),
            json!(self.price),
            json!(self.plan),
            json!(self.inputs),
            Value::Array(lines),
            json!(self.overrides),
            json!(self.tags),
        ];
        while members.last().is_some_and(says_nothing) {
            members.pop();
        }
        match serde_json::to_vec(&members) {
            Ok(bytes) if bytes.len() <= NOTE_MAX => bytes,
            _ => serde_json::to_vec(&[self.method]).unwrap_or_default(),
        }
    }
}

fn says_nothing(member: &Value) -> bool {
    match member {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A line, as the note has it whose quantities are `known`.
fn short(line: &PricedLine, known: &Facts) -> Value {
    let inputs = &line.inputs.0;
    let inputs = if inputs.iter().all(|(name, value)| known.0.get(name) == Some(value)) {
        json!(inputs.keys().collect::<Vec<_>>())
    } else {
        json!(inputs)
    };
    let (rounding, per) = (json!(line.rounding), line.per.get());
    let mut members = vec![json!(line.label), inputs, json!(line.rate), json!(line.amount)];
    if rounding != ROUNDING || per != PER {
        members.push(rounding);
    }
    if per != PER {
        members.push(json!(per));
    }
    Value::Array(members)
}

/// A note with the names of its members. One of an earlier version has them already.
pub(super) fn read(charge: ChargeId, bytes: &[u8]) -> Value {
    let Ok(Value::Array(members)) = serde_json::from_slice(bytes) else {
        return serde_json::from_slice(bytes).unwrap_or(Value::Null);
    };
    let mut note = named(&MEMBERS, members);
    let inputs = note.get("inputs").cloned().unwrap_or_default();
    if let Some(Value::Array(lines)) = note.get_mut("lines") {
        lines.iter_mut().for_each(|line| *line = long(line.take(), &inputs));
    } else if note.contains_key("inputs") {
        note.insert("lines".to_owned(), json!([]));
    }
    note.insert("request_id".to_owned(), request_of(charge).into());
    Value::Object(note)
}

fn named(names: &[&str], members: Vec<Value>) -> Map<String, Value> {
    names.iter().map(|name| (*name).to_owned()).zip(members).collect()
}

/// The reverse of `short`.
fn long(line: Value, known: &Value) -> Value {
    let Value::Array(members) = line else { return line };
    let mut line = named(&OF_LINE, members);
    if let Some(Value::Array(names)) = line.get("inputs") {
        let names = names.iter().filter_map(Value::as_str);
        let inputs = names.map(|name| (name.to_owned(), known[name].clone())).collect();
        line.insert("inputs".to_owned(), Value::Object(inputs));
    }
    line.entry("rounding").or_insert_with(|| ROUNDING.into());
    line.entry("per").or_insert_with(|| PER.into());
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::credit::{Amount, Rounding};

    fn facts(text: &str) -> Facts {
        serde_json::from_str(text).unwrap()
    }

    fn note() -> Note {
        let line = |inputs: &str, rounding, per| PricedLine {
            label: "images".to_owned(),
            inputs: facts(inputs),
            per: NonZeroU64::new(per).unwrap(),
            rounding,
            rate: Amount::from_credits(5).unwrap(),
            amount: Amount::from_credits(10).unwrap(),
        };
        Note {
            method: "POST".to_owned(),
            path: "/v1/images/generations".to_owned(),
            price: "images".to_owned(),
            plan: "pro".to_owned(),
            inputs: facts(r#"{"n":"2","size":"1024x1024"}"#),
            lines: vec![
                line(r#"{"n":"2"}"#, Rounding::Exact, 1),
                line(r#"{"n":"3"}"#, Rounding::Started, 10),
            ],
            overrides: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_written_short_is_read_with_every_name() {
        let (charge, note) = (ChargeId::from_bytes([7; 16]), note());
        let bytes = note.clone().bytes();
        let read = read(charge, &bytes);
        assert_eq!(read["request_id"], request_of(charge));
        assert_eq!((&read["method"], &read["plan"]), (&json!("POST"), &json!("pro")));
        assert_eq!(read["lines"], json!(note.lines));
        assert_eq!(read["inputs"], json!(note.inputs));
        assert!(bytes.len() < 160, "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn nothing_at_the_end_is_left_out_and_read_again() {
        let bare = Note { lines: Vec::new(), ..note() };
        let read = read(ChargeId::from_bytes([7; 16]), &bare.bytes());
        assert_eq!((&read["lines"], read.get("tags")), (&json!([]), None));
    }

    #[test]
    fn a_note_of_an_earlier_version_is_read_as_it_is() {
        let earlier = json!({ "request_id": "req_1", "method": "GET", "lines": [] });
        let bytes = serde_json::to_vec(&earlier).unwrap();
        assert_eq!(read(ChargeId::from_bytes([7; 16]), &bytes), earlier);
    }

    #[test]
    fn of_what_is_too_long_the_method_stays() {
        let tags = [("a".to_owned(), "x".repeat(NOTE_MAX))].into();
        let read = read(ChargeId::from_bytes([7; 16]), &Note { tags, ..note() }.bytes());
        assert_eq!((&read["method"], &read["path"]), (&json!("POST"), &Value::Null));
    }
}
