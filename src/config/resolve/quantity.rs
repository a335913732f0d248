//! Quantities: where a price's numbers and words come from.

use std::ops::RangeInclusive;

use super::{Resolver, help, or};
use crate::config::format::{Match, Scalar};
use crate::config::mirror::{self, QuantityType};
use crate::config::placed::At;
use crate::credit::{Decimal, Value};
use crate::meter::{Merge, Missing, Quantity, ValueType, pixels};

/// The quantity that every route has.
pub(super) const PLAN: &str = "plan";

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn quantity(
        &mut self,
        name: &At<String>,
        written: &mirror::Quantity,
        route: &Match,
    ) -> Option<Quantity> {
        if name.value == PLAN {
            self.findings.error(
                "reserved_name",
                name.place,
                "`plan` is built in: it is the account's plan",
            );
        }
        self.source_of(name, written);
        self.told(written);
        self.stays_asked(name, written);
        self.length(name, written);
        let request = written
            .request
            .iter()
            .map(|source| self.request(source, written, route))
            .collect::<Option<_>>();
        let value = self.value_type(name, written)?;
        let default = written.hold.as_ref().or(written.default.as_ref());
        let default = match default {
            Some(at) => Some(self.value(at, &value)?),
            None => None,
        };
        Some(Quantity {
            name: self.name(name)?,
            request: request?,
            default,
            response: written
                .response
                .iter()
                .map(|source| self.response(source, written))
                .collect(),
            merge: or(written.merge.as_ref(), Merge::default()),
            missing: self.missing(name, written, &value)?,
            value,
        })
    }

    fn value_type(&mut self, name: &At<String>, written: &mirror::Quantity) -> Option<ValueType> {
        let kind = written.kind.value;
        let number = !matches!(kind, QuantityType::Text | QuantityType::Flag);
        for (word, bound) in [("minimum", &written.minimum), ("maximum", &written.maximum)] {
            if let Some(at) = bound.as_ref().filter(|_| !number) {
                self.findings.error("misplaced", at.place, format!("`{word}` is for numbers"));
            }
        }
        if let Some(at) =
            written.one_of.iter().flatten().next().filter(|_| kind != QuantityType::Text)
        {
            self.findings.error("misplaced", at.place, "`one_of` is for `type: text`");
        }
        if let Some(at) = written.unit.as_ref().filter(|_| !number) {
            self.findings.error("misplaced", at.place, "`unit` is for numbers");
        }
        let words = written.one_of.iter().flatten().map(|at| at.value.0.clone()).collect();
        let value = match kind {
            QuantityType::Text => ValueType::Text(words),
            QuantityType::Flag => ValueType::Flag,
            QuantityType::Integer => ValueType::Integer(self.range(name, written)?),
            QuantityType::Decimal => ValueType::Decimal(self.range(name, written)?),
            QuantityType::Seconds => ValueType::Seconds(self.range(name, written)?),
            QuantityType::Pixels => ValueType::Pixels(self.range(name, written)?),
        };
        Some(match &written.unit {
            Some(at) => ValueType::Unit(at.value.0.clone(), Box::new(value)),
            None => value,
        })
    }

    fn range(
        &mut self,
        name: &At<String>,
        written: &mirror::Quantity,
    ) -> Option<RangeInclusive<Decimal>> {
        let Some(maximum) = &written.maximum else {
            let message =
                format!("`{}` has no `maximum`: what is held for it has no bound", name.value);
            self.findings
                .error("unbounded", name.place, message)
                .help("write the most that the upstream accepts");
            return None;
        };
        let minimum = written.minimum.as_ref().map_or(Decimal::ZERO, |at| at.value);
        if maximum.value < minimum {
            let message = format!("the maximum {} is below the minimum {minimum}", maximum.value);
            self.findings.error("empty_range", maximum.place, message);
        }
        if matches!(written.kind.value, QuantityType::Integer | QuantityType::Pixels) {
            for at in [&written.minimum, &written.maximum].into_iter().flatten() {
                if at.value.as_whole().is_none() {
                    self.findings.error(
                        "not_whole",
                        at.place,
                        format!("`{}` is a whole number: so are its bounds", name.value),
                    );
                }
            }
        }
        Some(minimum..=maximum.value)
    }

    fn missing(
        &mut self,
        name: &At<String>,
        written: &mirror::Quantity,
        value: &ValueType,
    ) -> Option<Missing> {
        match &written.missing {
            Some(mirror::Missing::Value(at)) => {
                if written.response.is_empty() {
                    let message = format!(
                        "`missing` needs `response`: nothing else can miss `{}`",
                        name.value
                    );
                    self.findings.error("misplaced", at.place, message);
                }
                self.value(at, value).map(Missing::Value)
            }
            Some(mirror::Missing::Hold) | None => Some(Missing::Hold),
        }
    }

    /// What was written, as a value of this type and range.
    fn value(&mut self, at: &At<Scalar>, value: &ValueType) -> Option<Value> {
        let read = read(&at.value.0, value);
        if let Err((code, message)) = &read {
            let known: &[String] = if let ValueType::Text(words) = value { words } else { &[] };
            let finding = self.findings.error(code, at.place, message);
            if !known.is_empty() {
                finding.help(help(&at.value.0, known.iter().map(String::as_str), "word"));
            }
        }
        read.ok()
    }
}

/// A text as a value of a type; `Err`: code and message.
pub(super) fn read(text: &str, value: &ValueType) -> Result<Value, (&'static str, String)> {
    let number = |text: &str, range: &RangeInclusive<Decimal>| {
        let number =
            Decimal::exact(text).map_err(|_| ("malformed", format!("`{text}` is not a number")))?;
        if range.contains(&number) {
            return Ok(number);
        }
        Err((
            "out_of_range",
            format!("{number} is not between {} and {}", range.start(), range.end()),
        ))
    };
    let whole = |text: &str, range| match number(text, range)? {
        whole if whole.as_whole().is_some() => Ok(Value::Number(whole)),
        _ => Err(("not_whole", format!("{text} is not a whole number"))),
    };
    match value {
        ValueType::Unit(unit, of) => read(text.strip_suffix(unit).unwrap_or(text), of),
        ValueType::Integer(range) => whole(text, range),
        ValueType::Pixels(range) => match pixels(text) {
            Some(pixels) => whole(&pixels.to_string(), range),
            None => whole(text, range),
        },
        ValueType::Decimal(range) => number(text, range).map(Value::Number),
        ValueType::Seconds(range) => {
            number(text.strip_suffix('s').unwrap_or(text), range).map(Value::Number)
        }
        ValueType::Text(words) if words.is_empty() || words.iter().any(|word| word == text) => {
            Ok(Value::Text(text.to_owned()))
        }
        ValueType::Text(_) => {
            Err(("not_one_of", format!("`{text}` is none of the words in `one_of`")))
        }
        ValueType::Flag => match text {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            _ => Err(("malformed", format!("`{text}` is neither true nor false"))),
        },
    }
}
