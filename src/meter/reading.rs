//! What a response says of the quantities of a price, as it passes.
//!
//! In a stream the values of several events come together as the quantity says; one that is unusable is
//! remembered for the receipt. `null` states nothing: many streams carry `"usage": null` until their last event.
//!
//! Invariant: keeps one value for each source, whatever passes.

use http::HeaderMap;

use super::flag::Flag;
use super::settings::{Merge, ResponseSource, SessionSource, ValueType};
use super::value::{Answer, Said};
use crate::credit::Name;
use crate::observe::{CUT, Fact, Picked};

/// One response source of one quantity, and what it said so far.
#[derive(Debug)]
pub(super) struct Reading {
    /// The index of its quantity.
    pub(super) quantity: usize,
    /// What its values come to.
    pub(super) answer: Option<Answer>,
    /// Whether it ever said something unusable.
    bad: bool,
    below: bool,
    absurd: bool,
    decreased: bool,
    /// Whether there was a list, and nothing in it.
    empty: bool,
    merge: Merge,
    value: ValueType,
    source: ResponseSource,
    place: Option<usize>,
    list: Option<usize>,
}

impl Reading {
    /// A source of the quantity with this index. `place`: the number of its place; `list`: that of the list
    /// whose values it counts.
    pub(super) fn new(
        number: usize,
        (value, merge): (&ValueType, Merge),
        source: &ResponseSource,
        place: Option<usize>,
        list: Option<usize>,
    ) -> Self {
        // What is counted as it passes has no running total.
        let counted = matches!(source, ResponseSource::Characters(_));
        Self {
            quantity: number,
            answer: None,
            bad: false,
            below: false,
            absurd: false,
            decreased: false,
            empty: false,
            merge: if counted { Merge::Sum } else { merge },
            value: value.clone(),
            source: source.clone(),
            place,
            list,
        }
    }

    /// Whether it said anything.
    pub(super) const fn is_there(&self) -> bool {
        self.answer.is_some() || self.bad || self.absurd
    }

    /// Whether it found the list that it counts in, and nothing there.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty && !self.is_there()
    }

    /// Whether it is read from the body's text.
    pub(super) const fn in_text(&self) -> bool {
        self.place.is_some()
    }

    /// Whether it is known only when the body is over.
    pub(super) const fn in_body(&self) -> bool {
        self.in_text() || self.is_length() || matches!(self.source, ResponseSource::BodyBytes)
    }

    /// Whether the body is measured for it as a sound or a film.
    pub(super) const fn is_length(&self) -> bool {
        self.source.is_length()
    }

    /// Whether its values add up, and some of them are missing.
    pub(super) const fn lacks_some(&self, all_read: bool) -> bool {
        let adds = matches!(self.merge, Merge::Sum) && self.in_text();
        adds && (self.bad || self.absurd || !all_read)
    }

    /// What a receipt says of it beside its value.
    pub(super) fn flags(&self, name: &Name) -> impl Iterator<Item = Flag> + use<> {
        [
            self.bad.then(|| Flag::UnreadableQuantity(name.clone())),
            self.below.then(|| Flag::NegativeQuantity(name.clone())),
            self.absurd.then(|| Flag::AbsurdQuantity(name.clone())),
            self.decreased.then(|| Flag::DecreasingQuantity(name.clone())),
        ]
        .into_iter()
        .flatten()
    }

    /// Reads the headers, or the trailers.
    pub(super) fn head(&mut self, head: &HeaderMap) {
        let ResponseSource::Header(name) = &self.source else {
            return;
        };
        let mut values = head.get_all(name).iter();
        let (Some(first), second) = (values.next(), values.next()) else {
            return;
        };
        let text = first.to_str().ok().filter(|_| second.is_none());
        let said = text.map_or(Said::Unusable, |text| {
            self.value.of_answered_text(text.trim_matches([' ', '\t']))
        });
        self.note(said);
    }

    /// Reads a body, or an event of this name.
    pub(super) fn body(&mut self, picked: &Picked<'_>, event: Option<&str>) {
        if let ResponseSource::Event { name, .. } = &self.source
            && event != Some(name.as_str())
        {
            return;
        }
        let at = |place: Option<usize>| place.map_or(&[][..], |place| picked.at(place));
        let stated = || at(self.place).iter().filter(|fact| !matches!(fact, Fact::Null));
        if stated().next().is_none() {
            self.empty |= at(self.list).iter().any(|fact| matches!(fact, Fact::Array(_)));
            return;
        }
        let said = match self.source {
            ResponseSource::Items(_) => counted(stated().map(items)),
            ResponseSource::Characters(_) => counted(stated().map(characters)),
            ResponseSource::Count(_) => counted(stated().map(|_| Some(1))),
            _ => self.value.together_said(stated().map(|fact| self.value.of_answer(fact))),
        };
        self.note(said);
    }

    /// So many bytes have passed.
    pub(super) fn passed(&mut self, bytes: u64) {
        if matches!(self.source, ResponseSource::BodyBytes) {
            self.answer = Answer::of_count(bytes);
        }
    }

    /// The body has come to its end, and lasts so many milliseconds.
    pub(super) fn lasts(&mut self, milliseconds: u64) {
        let text = match self.source {
            ResponseSource::MediaSeconds => {
                format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
            }
            ResponseSource::MediaMilliseconds => milliseconds.to_string(),
            _ => return,
        };
        self.note(self.value.of_answered_text(&text));
    }

    /// The body was cut off while it was read: what was counted so far is all there was.
    pub(super) fn cut_off(&mut self) {
        if matches!(self.source, ResponseSource::Characters(_)) && !self.is_there() {
            self.answer = Answer::of_count(0);
        }
    }

    /// What was counted of a WebSocket so far, in digits: whatever was counted before.
    pub(super) fn count(&mut self, counted: impl Fn(&SessionSource) -> String) {
        if let ResponseSource::Session(source) = &self.source {
            self.answer = self.value.of_counted(&counted(source));
        }
    }

    fn note(&mut self, said: Said) {
        let next = match said {
            Said::Value(answer) => answer,
            Said::Below(answer) => {
                self.below = true;
                answer
            }
            Said::Absurd => return self.absurd = true,
            Said::Unusable => return self.bad = true,
        };
        let Some(before) = self.answer.take() else {
            self.answer = Some(next);
            return;
        };
        let down = next.is_below(&before);
        self.answer = match self.merge {
            Merge::Sum => {
                let sum = before.clone().plus(next);
                self.bad |= sum.is_none();
                sum.or(Some(before))
            }
            Merge::Last | Merge::Max if down => {
                // Of what was negative that is said already.
                self.decreased |= self.merge == Merge::Last && !self.below;
                Some(before)
            }
            Merge::Last | Merge::Max => Some(next),
        };
    }
}

fn counted(mut counts: impl Iterator<Item = Option<u64>>) -> Said {
    let sum = counts.try_fold(0_u64, |sum, count| sum.checked_add(count?));
    sum.and_then(Answer::of_count).map_or(Said::Unusable, Said::Value)
}

const fn items(fact: &Fact<'_>) -> Option<u64> {
    match fact {
        Fact::Array(items) => Some(*items),
        _ => None,
    }
}

/// Unicode scalar values, as in a request.
fn characters(fact: &Fact<'_>) -> Option<u64> {
    match fact {
        // A text that was too long to be kept.
        Fact::Text(text) if text == CUT => None,
        Fact::Text(text) => u64::try_from(text.chars().count()).ok(),
        _ => None,
    }
}
