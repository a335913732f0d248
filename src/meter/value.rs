//! What a quantity's type makes of a value: strictly in a request, with judgement in a response.
//!
//! A request's value must be exactly of its type and within its range, or the request has no price. A
//! response's value decides what work that was done costs: what can be used is used and flagged.
//!
//! Invariant: numbers are read from digits (`Decimal`); no value is guessed.

use std::ops::RangeInclusive;

use super::settings::ValueType;
use super::why::{Flaw, Sort};
use crate::credit::{Decimal, Value};
use crate::observe::Fact;

/// The longest word that a quantity may be, in bytes: it is kept with the charge.
const WORD_MAX: usize = 256;

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The value.
    pub(super) value: Value,
    /// Whether a part of a unit was rounded up.
    pub(super) rounded: bool,
}

impl ValueType {
    /// The value of a request's JSON.
    pub(super) fn of_fact(&self, fact: &Fact<'_>) -> Result<Value, Flaw> {
        let value = match (self, fact) {
            (Self::Unit(_, _), Fact::Text(text)) => return self.of_text(text),
            (Self::Unit(_, of), fact) => return of.of_fact(fact),
            (Self::Pixels(_), Fact::Text(text)) => Value::Number(sized(text)?),
            (Self::Integer(_) | Self::Pixels(_), Fact::Number(digits)) => {
                Value::Number(integer(digits)?)
            }
            (Self::Decimal(_) | Self::Seconds(_), Fact::Number(digits)) => {
                Value::Number(exact(digits)?)
            }
            (Self::Seconds(_), Fact::Text(text)) => Value::Number(seconds(text)?),
            (Self::Text(_), Fact::Text(text)) => Value::Text(text.clone().into_owned()),
            (Self::Flag, Fact::Flag(flag)) => Value::Flag(*flag),
            _ => return Err(Flaw::not(self.sort(), fact)),
        };
        self.allowed(value)
    }

    /// The value of a text: of a header, a query or a path.
    pub(super) fn of_text(&self, text: &str) -> Result<Value, Flaw> {
        let value = match self {
            Self::Unit(unit, of) => return of.of_text(text.strip_suffix(unit).unwrap_or(text)),
            Self::Integer(_) => Value::Number(integer(text)?),
            Self::Pixels(_) => Value::Number(sized(text)?),
            Self::Decimal(_) => Value::Number(exact(text)?),
            Self::Seconds(_) => Value::Number(seconds(text)?),
            Self::Text(_) => Value::Text(text.to_owned()),
            Self::Flag => match text {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                _ => return Err(Flaw::Sort { wanted: Sort::Flag, found: None }),
            },
        };
        self.allowed(value)
    }

    /// The value of a count: of items, characters or bytes.
    pub(super) fn of_count(&self, count: u64) -> Result<Value, Flaw> {
        let number = Decimal::whole(count).ok_or(Flaw::TooLarge)?;
        self.allowed(Value::Number(number))
    }

    /// The one value of several that a `*` found: numbers are added up, words and flags must be the same.
    pub(super) fn together(&self, values: Vec<Value>) -> Result<Value, Flaw> {
        let mut values = values.into_iter();
        let first = values.next().ok_or(Flaw::NoValue)?;
        let value = values.try_fold(first, |sum, value| match (sum, value) {
            (Value::Number(sum), Value::Number(number)) => {
                sum.checked_add(number).map(Value::Number).ok_or(Flaw::TooLarge)
            }
            (sum, value) if sum == value => Ok(sum),
            _ => Err(Flaw::Differs),
        })?;
        self.allowed(value)
    }

    /// What a part of a sum or difference must be: of the same type, in any range.
    pub(super) fn part(&self) -> Self {
        let any = || Decimal::ZERO..=Decimal::MAX;
        match self {
            Self::Integer(_) => Self::Integer(any()),
            Self::Decimal(_) => Self::Decimal(any()),
            Self::Seconds(_) => Self::Seconds(any()),
            Self::Pixels(_) => Self::Pixels(any()),
            Self::Unit(unit, of) => Self::Unit(unit.clone(), Box::new(of.part())),
            Self::Text(_) | Self::Flag => self.clone(),
        }
    }

    /// Checks the range or the words.
    pub(super) fn allowed(&self, value: Value) -> Result<Value, Flaw> {
        if let (Some(range), Value::Number(number)) = (self.range(), &value) {
            let (first, last) = (*range.start(), *range.end());
            return if range.contains(number) {
                Ok(value)
            } else {
                Err(Flaw::Range { first, last })
            };
        }
        match (self, &value) {
            (Self::Text(_), Value::Text(word)) if word.len() > WORD_MAX => {
                return Err(Flaw::LongWord(WORD_MAX));
            }
            (Self::Text(words), Value::Text(word)) => {
                if !words.is_empty() && !words.contains(word) {
                    return Err(Flaw::Words(words.clone()));
                }
            }
            (Self::Flag, Value::Flag(_)) => {}
            _ => return Err(Flaw::Sort { wanted: self.sort(), found: None }),
        }
        Ok(value)
    }

    /// What a response's JSON says; `None`: nothing that can be used.
    pub(super) fn of_answer(&self, fact: &Fact<'_>) -> Option<Answer> {
        match (self, fact) {
            (Self::Text(_) | Self::Flag, Fact::Text(_) | Fact::Flag(_)) => {
                let value = self.of_fact(fact).ok()?;
                Some(Answer { value, rounded: false })
            }
            (_, Fact::Number(digits)) => self.of_used(digits),
            (Self::Seconds(_) | Self::Pixels(_) | Self::Unit(_, _), Fact::Text(text)) => {
                self.of_used(text)
            }
            _ => None,
        }
    }

    /// What a response's header says; `None`: nothing that can be used.
    pub(super) fn of_answered_text(&self, text: &str) -> Option<Answer> {
        match self {
            Self::Text(_) | Self::Flag => {
                let value = self.of_text(text).ok()?;
                Some(Answer { value, rounded: false })
            }
            _ => self.of_used(text),
        }
    }

    /// What several values of a response come to; `None`: nothing that can be used.
    pub(super) fn together_answered(&self, answers: Vec<Answer>) -> Option<Answer> {
        let rounded = answers.iter().any(|answer| answer.rounded);
        let mut values = answers.into_iter().map(|answer| answer.value);
        let first = values.next()?;
        let value = values.try_fold(first, |sum, value| match (sum, value) {
            (Value::Number(sum), Value::Number(number)) => {
                sum.checked_add(number).map(Value::Number)
            }
            (sum, value) => (sum == value).then_some(sum),
        })?;
        Some(Answer { value, rounded })
    }

    /// A number that an upstream states, whatever the range: the work was done.
    fn of_used(&self, text: &str) -> Option<Answer> {
        let digits = match self {
            Self::Unit(unit, of) => return of.of_used(text.strip_suffix(unit).unwrap_or(text)),
            Self::Seconds(_) => text.strip_suffix('s').unwrap_or(text),
            _ => text,
        };
        let number = match (self, pixels(text)) {
            (Self::Pixels(_), Some(pixels)) => pixels,
            _ => Decimal::rounded_up(digits).ok()?,
        };
        match self {
            Self::Integer(_) | Self::Pixels(_) => {
                let rounded = number.as_whole().is_none();
                Some(Answer { value: Value::Number(number.ceil()), rounded })
            }
            Self::Decimal(_) | Self::Seconds(_) => {
                Some(Answer { value: Value::Number(number), rounded: false })
            }
            Self::Unit(_, _) | Self::Text(_) | Self::Flag => None,
        }
    }

    /// Whether a number is above what the type allows.
    pub(super) fn is_above(&self, value: &Value) -> bool {
        match (self.range(), value) {
            (Some(range), Value::Number(number)) => number > range.end(),
            _ => false,
        }
    }

    const fn range(&self) -> Option<&RangeInclusive<Decimal>> {
        match self {
            Self::Integer(range)
            | Self::Decimal(range)
            | Self::Seconds(range)
            | Self::Pixels(range) => Some(range),
            Self::Unit(_, of) => of.range(),
            Self::Text(_) | Self::Flag => None,
        }
    }

    const fn sort(&self) -> Sort {
        match self {
            Self::Integer(_) => Sort::Integer,
            Self::Decimal(_) => Sort::Number,
            Self::Seconds(_) => Sort::Seconds,
            Self::Pixels(_) => Sort::Pixels,
            Self::Unit(_, of) => of.sort(),
            Self::Text(_) => Sort::Text,
            Self::Flag => Sort::Flag,
        }
    }
}

/// Digits only: `4.0`, `4e0` and `-0` are whole to some readers and not to others.
fn integer(text: &str) -> Result<Decimal, Flaw> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { exact(text) } else { Err(Flaw::Digits) }
}

fn exact(text: &str) -> Result<Decimal, Flaw> {
    Decimal::exact(text).map_err(Flaw::Number)
}

/// Digits, or width and height.
fn sized(text: &str) -> Result<Decimal, Flaw> {
    match pixels(text) {
        Some(pixels) => Ok(pixels),
        None if text.contains(TIMES) => Err(Flaw::Sort { wanted: Sort::Pixels, found: None }),
        None => integer(text),
    }
}

/// What stands between width and height: APIs write `1024x1536` or `1024*1536`.
const TIMES: [char; 2] = ['x', '*'];

/// The pixels of a width and a height, each of digits alone: `"1024x1536"` has 1572864. `None`: it is not
/// written so, or there are more than can be counted.
#[must_use]
pub fn pixels(text: &str) -> Option<Decimal> {
    let (width, height) = text.split_once(TIMES)?;
    let side = |text: &str| integer(text).ok()?.as_whole();
    Decimal::whole(side(width)?.checked_mul(side(height)?)?)
}

fn seconds(text: &str) -> Result<Decimal, Flaw> {
    exact(text.strip_suffix('s').unwrap_or(text))
}
