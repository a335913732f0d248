//! What the sources of a quantity say together, once the places of a response have been read.
//!
//! Invariant: a sum or difference with a part that cannot be used is not used; it is charged as if the response
//! had not stated it, and flagged.

use super::flag::Flag;
use super::reading::Reading;
use super::settings::{Quantity, ResponseSource};
use super::source::{Arithmetic, Source};
use super::value::Answer;
use crate::credit::{Decimal, Name, Value};

/// How much longer than what was asked for an answer may last without costing more: a coding's frames, and the silence
/// around them.
const SLACK_MS: u64 = 1_000;

/// What a source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    /// What its values come to.
    pub(super) answer: Option<Answer>,
    /// What a receipt says of it beside its value.
    pub(super) flags: Vec<Flag>,
    /// Whether it adds up values of which some are missing.
    pub(super) lacks_some: bool,
}

impl Stated {
    /// This and nothing more.
    fn exactly(value: Value) -> Self {
        Self { answer: Some(Answer { value, rounded: false }), ..Self::default() }
    }
}

/// How much of a body was seen, and what had been asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// What the request said of the quantity; `None`: nothing.
    pub(super) asked: Option<&'a Value>,
    /// Whether it could not be decoded, or no further: what it said before may not be its last word.
    pub(super) undecoded: bool,
    /// Whether nothing that could be read was left unread.
    pub(super) all: bool,
}

/// What the first source that is there says of a quantity, else the first that found an empty list: nothing.
/// `readings` are of their places, in their order.
pub(super) fn said<'a, I: Iterator<Item = &'a Reading>>(
    quantity: &Quantity,
    seen: Seen<'_>,
    readings: impl Fn() -> I,
) -> Option<Stated> {
    let first = |empties| {
        let mut parts = Parts { readings: readings(), name: &quantity.name, seen, empties };
        quantity.response.iter().find_map(|source| {
            let Ok(stated) = source.come_to(&mut parts);
            let asked = *source == Source::One(ResponseSource::Asked);
            let longer = || longer(quantity, seen.asked.filter(|_| asked)?, readings());
            stated.map(|stated| longer().unwrap_or(stated))
        })
    };
    first(false).or_else(|| first(true))
}

/// The length of the answer, if it is longer than what was asked for by more than the frames of a coding are: what is
/// made may be more than the request seemed to say.
fn longer<'a>(
    quantity: &Quantity,
    asked: &Value,
    readings: impl Iterator<Item = &'a Reading>,
) -> Option<Stated> {
    let Value::Number(asked) = asked else { return None };
    let places = quantity.response.iter().flat_map(Source::places);
    places.zip(readings).find_map(|(place, reading)| {
        let slack = match place {
            ResponseSource::MediaSeconds => Decimal::whole(SLACK_MS / 1_000)?,
            ResponseSource::MediaMilliseconds => Decimal::whole(SLACK_MS)?,
            _ => return None,
        };
        let Value::Number(came) = &reading.answer.as_ref()?.value else { return None };
        (*came > asked.checked_add(slack)?).then(|| {
            let over = Flag::OverAsked(quantity.name.clone());
            let flags = reading.flags(&quantity.name).chain([over]).collect();
            Stated { answer: reading.answer.clone(), flags, lacks_some: false }
        })
    })
}

/// Whether what is still to come cannot change that. A header that is not there may come as a trailer.
pub(super) fn is_known<'a>(
    sources: &[Source<ResponseSource>],
    mut readings: impl Iterator<Item = &'a Reading>,
    asked: bool,
) -> bool {
    // What was asked for stands only if no more came.
    if sources.iter().flat_map(Source::places).any(ResponseSource::is_length) {
        return false;
    }
    let mut passed = false;
    for source in sources {
        let places: Vec<_> = source.places().zip(readings.by_ref()).collect();
        if places.iter().any(|(_, reading)| reading.in_body()) {
            return false;
        }
        // What was not asked for will not be, and changes nothing any more.
        let mut open = places.iter().filter(|(place, _)| **place != ResponseSource::Asked);
        let said = asked && open.clone().count() < places.len();
        if said || open.clone().any(|(_, reading)| reading.is_there()) {
            return !(said && passed) && open.all(|(_, reading)| reading.is_there());
        }
        passed |= open.next().is_some();
    }
    false
}

/// The readings, taken one by one.
struct Parts<'n, I> {
    readings: I,
    name: &'n Name,
    seen: Seen<'n>,
    empties: bool,
}

impl<'a, I: Iterator<Item = &'a Reading>> Arithmetic<ResponseSource> for Parts<'_, I> {
    type Term = Stated;
    type Error = std::convert::Infallible;

    fn term(&mut self, place: &ResponseSource) -> Result<Option<Stated>, Self::Error> {
        let Seen { undecoded, all, asked } = self.seen;
        let reading = self.readings.next().filter(|reading| !(undecoded && reading.in_text()));
        if *place == ResponseSource::Asked {
            return Ok(asked.cloned().map(Stated::exactly));
        }
        let counts =
            |reading: &&Reading| reading.is_there() || (self.empties && reading.is_empty());
        Ok(reading.filter(counts).map(|reading| Stated {
            answer: if reading.is_there() { reading.answer.clone() } else { Answer::of_count(0) },
            flags: reading.flags(self.name).collect(),
            lacks_some: reading.lacks_some(all),
        }))
    }

    fn sum(&mut self, one: Stated, other: Stated) -> Result<Stated, Self::Error> {
        let work = |one: Decimal, other| Some((one.checked_add(other)?, false));
        Ok(together(self.name, one, other, work))
    }

    fn less(&mut self, first: Stated, other: Stated) -> Result<Stated, Self::Error> {
        let work = |first: Decimal, other| match first.checked_sub(other) {
            Some(left) => Some((left, false)),
            None if first < other => Some((Decimal::ZERO, true)),
            None => None,
        };
        Ok(together(self.name, first, other, work))
    }
}

/// Two parts as one; `work` says what their numbers come to, and whether that was clamped.
fn together(
    name: &Name,
    one: Stated,
    other: Stated,
    work: impl Fn(Decimal, Decimal) -> Option<(Decimal, bool)>,
) -> Stated {
    let result = match (&one.answer, &other.answer) {
        (Some(one), Some(other)) => match (&one.value, &other.value) {
            (Value::Number(first), Value::Number(second)) => work(*first, *second)
                .map(|(number, clamped)| (number, clamped, one.rounded || other.rounded)),
            _ => None,
        },
        _ => None,
    };
    let mut flags = [one.flags, other.flags].concat();
    match result {
        Some((_, true, _)) => flags.push(Flag::ClampedQuantity(name.clone())),
        Some(_) => {}
        None => flags.push(Flag::UnreadableQuantity(name.clone())),
    }
    let answer =
        result.map(|(number, _, rounded)| Answer { value: Value::Number(number), rounded });
    Stated { answer, flags, lacks_some: one.lacks_some || other.lacks_some }
}
