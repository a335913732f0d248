//! What a response says of the quantities of a price, as it passes.
//!
//! In a stream the last event that states a quantity usably wins; one that states it unusably is remembered
//! for the receipt. `null` states nothing: many streams carry `"usage": null` until their last event.
//!
//! Invariant: keeps one value for each source, whatever passes.

use http::HeaderMap;

use super::outcome::BodyTest;
use super::said;
pub(super) use super::said::Said;
use super::settings::{Quantity, ResponseSource, StreamRules, ValueType};
use super::value::Answer;
use crate::credit::{Decimal, Value};
use crate::observe::{Fact, Picked, Pointer, Sight, Step, response};

/// One place of a response where one quantity is said, and what it said so far.
#[derive(Debug)]
pub(super) struct Reading {
    /// The index of its quantity.
    pub(super) quantity: usize,
    /// The last usable value.
    pub(super) answer: Option<Answer>,
    /// Whether it ever said something unusable.
    pub(super) bad: bool,
    value: ValueType,
    source: ResponseSource,
    place: Option<usize>,
}

impl Reading {
    /// Whether it said anything.
    pub(super) const fn is_there(&self) -> bool {
        self.answer.is_some() || self.bad
    }

    /// Whether it is a place in the body.
    pub(super) const fn in_body(&self) -> bool {
        self.place.is_some()
    }

    fn head(&mut self, head: &HeaderMap) {
        let ResponseSource::Header(name) = &self.source else {
            return;
        };
        let mut values = head.get_all(name).iter();
        let (Some(first), second) = (values.next(), values.next()) else {
            return;
        };
        let text = first.to_str().ok().filter(|_| second.is_none());
        let answer =
            text.and_then(|text| self.value.of_answered_text(text.trim_matches([' ', '\t'])));
        self.note(answer);
    }

    fn body(&mut self, picked: &Picked<'_>) {
        let facts = self.place.map_or(&[][..], |place| picked.at(place));
        let stated = || facts.iter().filter(|fact| !matches!(fact, Fact::Null));
        if stated().next().is_none() {
            return;
        }
        let answer = if matches!(self.source, ResponseSource::Items(_)) {
            items(stated())
        } else {
            let answers: Option<Vec<_>> = stated().map(|fact| self.value.of_answer(fact)).collect();
            answers.and_then(|answers| self.value.together_answered(answers))
        };
        self.note(answer);
    }

    fn note(&mut self, answer: Option<Answer>) {
        match answer {
            Some(answer) => self.answer = Some(answer),
            None => self.bad = true,
        }
    }
}

fn items<'a>(mut facts: impl Iterator<Item = &'a Fact<'a>>) -> Option<Answer> {
    let sum = facts.try_fold(0_u64, |sum, fact| match fact {
        Fact::Array(items) => sum.checked_add(*items),
        _ => None,
    });
    Some(Answer { value: Value::Number(Decimal::whole(sum?)?), rounded: false })
}

/// Looks at the head, the body and the trailers of one response.
#[derive(Debug, Default)]
pub(super) struct Eye {
    readings: Vec<Reading>,
    pub(super) tests: Vec<BodyTest>,
    /// Whether the event that ends the stream has come.
    pub(super) end_seen: bool,
    /// Whether something that seemed to matter could not be read.
    pub(super) unreadable: bool,
    stream: StreamRules,
    places: Vec<Pointer>,
}

impl Eye {
    pub(super) fn new(stream: StreamRules) -> Self {
        Self { stream, ..Self::default() }
    }

    /// Watches a place of a source of the quantity with this index.
    pub(super) fn watch(&mut self, quantity: usize, value: &ValueType, source: &ResponseSource) {
        let place = match source {
            ResponseSource::Json(place) | ResponseSource::Items(place) => Some(self.place(place)),
            _ => None,
        };
        self.readings.push(Reading {
            quantity,
            answer: None,
            bad: false,
            value: value.clone(),
            source: source.clone(),
            place,
        });
    }

    /// Whether any place is in the body.
    pub(super) fn reads_body(&self) -> bool {
        self.readings.iter().any(Reading::in_body)
    }

    /// What each place of a quantity said, in the order of its sources.
    pub(super) fn readings(&self, quantity: usize) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.quantity == quantity)
    }

    /// What each place said that is watched beside the quantities, whose numbers end before `own`.
    pub(super) fn readings_from(&self, own: usize) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.quantity >= own)
    }

    /// What the first source that is there says of a quantity; `None`: none is.
    pub(super) fn said(&self, number: usize, quantity: &Quantity) -> Option<Said> {
        said::said(&quantity.response, self.readings(number))
    }

    /// Whether nothing that is still to come can change that: neither the body nor trailers.
    pub(super) fn is_known(&self, number: usize, quantity: &Quantity) -> bool {
        said::is_known(&quantity.response, self.readings(number))
    }

    /// The number of a place among those that are looked at.
    pub(super) fn place(&mut self, place: &Pointer) -> usize {
        self.places.iter().position(|known| known == place).unwrap_or_else(|| {
            self.places.push(place.clone());
            self.places.len().saturating_sub(1)
        })
    }

    /// Reads the headers, or the trailers for what the headers did not say.
    pub(super) fn head(&mut self, head: &HeaderMap) {
        for reading in self.readings.iter_mut().filter(|reading| !reading.is_there()) {
            reading.head(head);
        }
    }

    /// Reads a body or an event.
    pub(super) fn look(&mut self, sight: Sight<'_>) {
        let bytes = match sight {
            Sight::Body(bytes) => bytes,
            Sight::Event(event) if self.stream.ends_with(&event) => {
                self.end_seen = true;
                return;
            }
            Sight::Event(event) if self.may_say(event.data) => event.data.as_bytes(),
            Sight::Event(_) => return,
        };
        if self.places.is_empty() {
            return;
        }
        let Ok(picked) = response(bytes, &self.places) else {
            self.unreadable = true;
            return;
        };
        for reading in &mut self.readings {
            reading.body(&picked);
        }
        for test in &mut self.tests {
            test.try_on(picked.at(test.place));
        }
    }

    /// Whether an event can have any of the places: most have none, and need not be read. An escape may
    /// hide a name.
    fn may_say(&self, data: &str) -> bool {
        let named = |place: &Pointer| match place.steps().last() {
            Some(Step::Name(name)) => data.contains(name.as_str()),
            _ => true,
        };
        self.places.iter().any(named) || (!self.places.is_empty() && data.contains("\\u"))
    }
}
