//! What the sources of a quantity say together, once the places of a response have been read.
//!
//! Invariant: a sum or difference with a part that cannot be used is not used; it is charged as if the response
//! had not stated it, and flagged.

use super::reading::Reading;
use super::settings::ResponseSource;
use super::source::{Arithmetic, Source};
use super::value::Answer;
use crate::credit::{Decimal, Value};

/// What a source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The last usable value.
    pub(super) answer: Option<Answer>,
    /// Whether anything unusable was said.
    pub(super) bad: bool,
    /// Whether it came to less than zero and zero stands for it.
    pub(super) clamped: bool,
}

/// What the first of `sources` that is there says; `readings` are of their places, in their order.
pub(super) fn said<'a>(
    sources: &[Source<ResponseSource>],
    readings: impl Iterator<Item = &'a Reading>,
) -> Option<Said> {
    let mut parts = Parts(readings);
    sources.iter().find_map(|source| {
        let Ok(said) = source.come_to(&mut parts);
        said
    })
}

/// Whether what is still to come cannot change that. A header that is not there may come as a trailer.
pub(super) fn is_known<'a>(
    sources: &[Source<ResponseSource>],
    mut readings: impl Iterator<Item = &'a Reading>,
) -> bool {
    for source in sources {
        let places: Vec<&Reading> = source.places().zip(readings.by_ref()).map(|it| it.1).collect();
        if places.iter().any(|reading| reading.in_body()) {
            return false;
        }
        if places.iter().any(|reading| reading.is_there()) {
            return places.iter().all(|reading| reading.is_there());
        }
    }
    false
}

/// The readings, taken one by one.
struct Parts<I>(I);

impl<'a, I: Iterator<Item = &'a Reading>> Arithmetic<ResponseSource> for Parts<I> {
    type Term = Said;
    type Error = std::convert::Infallible;

    fn term(&mut self, _: &ResponseSource) -> Result<Option<Said>, Self::Error> {
        let reading = self.0.next().filter(|reading| reading.is_there());
        Ok(reading.map(|reading| Said {
            answer: reading.answer.clone(),
            bad: reading.bad,
            clamped: false,
        }))
    }

    fn sum(&mut self, one: Said, other: Said) -> Result<Said, Self::Error> {
        Ok(together(&one, &other, |one, other| Some((one.checked_add(other)?, false))))
    }

    fn less(&mut self, first: Said, other: Said) -> Result<Said, Self::Error> {
        Ok(together(&first, &other, |first, other| match first.checked_sub(other) {
            Some(left) => Some((left, false)),
            None if first < other => Some((Decimal::ZERO, true)),
            None => None,
        }))
    }
}

/// Two parts as one; `work` says what their numbers come to, and whether that was clamped.
fn together(
    one: &Said,
    other: &Said,
    work: impl Fn(Decimal, Decimal) -> Option<(Decimal, bool)>,
) -> Said {
    let result = match (&one.answer, &other.answer) {
        (Some(one), Some(other)) => match (&one.value, &other.value) {
            (Value::Number(first), Value::Number(second)) => work(*first, *second)
                .map(|(number, clamped)| (number, clamped, one.rounded || other.rounded)),
            _ => None,
        },
        _ => None,
    };
    let clamped = one.clamped || other.clamped || result.is_some_and(|(_, clamped, _)| clamped);
    let answer =
        result.map(|(number, _, rounded)| Answer { value: Value::Number(number), rounded });
    Said { bad: one.bad || other.bad || answer.is_none(), answer, clamped }
}
