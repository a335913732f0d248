//! Prices: lines of quantity × rate, computed exactly.
//!
//! A price is data. The same lines make the hold, from the request's quantities, and the charge, from the
//! response's; so both can be shown line by line.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::{Amount, Decimal, Kind, Name};

/// What a request or a response says, by quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub BTreeMap<Name, Value>);

/// The value of a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number that lines may multiply.
    Number(Decimal),
    /// A word that tables may be keyed by.
    Text(String),
    /// Yes or no, for tables.
    Flag(bool),
}

/// What a unit of work costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Its name.
    pub name: Name,
    /// The kind of credit that it is paid in.
    pub kind: Kind,
    /// What is added up.
    pub lines: Vec<Line>,
    /// The sum is raised to at least this; zero: no minimum.
    pub minimum: Amount,
    /// The sum is lowered to at most this.
    pub maximum: Option<Amount>,
}

/// One line of a price: the product of its quantities, in steps of `per`, times a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What the receipt calls it.
    pub label: String,
    /// The quantities that are multiplied; none: a flat fee.
    pub quantities: Vec<Name>,
    /// How many units the rate is for: 60 for a rate per minute of seconds, 1000000 per million tokens.
    pub per: NonZeroU64,
    /// What becomes of a part of a step.
    pub rounding: Rounding,
    /// What a step costs.
    pub rate: Rate,
}

/// What becomes of a part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// A part of a step costs its part; the line's amount is rounded up to the next micro-credit.
    Exact,
    /// A started step costs a whole one.
    Started,
    /// Only completed steps cost.
    Completed,
}

/// What a step costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rate {
    /// Always the same.
    Fixed(Amount),
    /// By the values of other quantities.
    Table(Table),
}

/// Rates by the values of quantities. The first row that matches wins; no row: the request has no price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The quantities whose values are compared; `plan` stands for the account's plan.
    pub by: Vec<Name>,
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// The rate where no row matches.
    pub otherwise: Option<Amount>,
}

/// One row of a table: `None` in `when` matches any value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What each of the table's quantities must be, as text: `4`, `true`, `1024x1024`.
    pub when: Vec<Option<String>>,
    /// What a step costs then.
    pub rate: Amount,
}

/// A computed price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// The lines as computed.
    pub lines: Vec<PricedLine>,
    /// What is owed: the sum, within the price's minimum and maximum, as overrides have it.
    pub total: Amount,
    /// What overrides have made of the sum, step by step; none in a price of the configuration.
    pub overrides: Vec<PricedOverride>,
}

/// What an override has made of a sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedOverride {
    /// What the receipt calls it: `override ov_1: × 0.5`.
    pub label: String,
    /// The override's id.
    pub id: String,
    /// Why it was made.
    pub reason: String,
    /// The sum before.
    pub before: Amount,
    /// The sum after.
    pub after: Amount,
}

/// One computed line, enough to check it with pencil and paper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedLine {
    /// What it is called.
    pub label: String,
    /// The values that went in, those that chose the rate included.
    pub inputs: Facts,
    /// How many units a step has.
    pub per: NonZeroU64,
    /// What became of a part of a step.
    pub rounding: Rounding,
    /// What a step costs.
    pub rate: Amount,
    /// What the line adds.
    pub amount: Amount,
}

/// Why there is no price. None of these ever means "free".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// A quantity has no value.
    #[error("{0} has no value")]
    Missing(Name),
    /// A quantity that is multiplied is not a number.
    #[error("{0} is not a number")]
    NotANumber(Name),
    /// No row of a table matches.
    #[error("there is no rate for {0}")]
    NoRate(String),
    /// The amount is out of range.
    #[error("the price is out of range")]
    OutOfRange,
}

impl Price {
    /// Computes the price of `facts`.
    ///
    /// # Errors
    /// When a quantity is missing or of the wrong type, a table has no row, or a sum is out of range.
    pub fn of(&self, facts: &Facts) -> Result<Priced, PriceError> {
        let lines: Vec<_> =
            self.lines.iter().map(|line| line.of(facts)).collect::<Result<_, _>>()?;
        let sum = lines
            .iter()
            .try_fold(Amount::ZERO, |sum, line| sum.checked_add(line.amount))
            .ok_or(PriceError::OutOfRange)?;
        let total = sum.max(self.minimum).min(self.maximum.unwrap_or(Amount::MAX));
        Ok(Priced { lines, total, overrides: Vec::new() })
    }

    /// Every quantity that the price names, each once.
    #[must_use]
    pub fn quantities(&self) -> Vec<&Name> {
        let mut names: Vec<_> = self.lines.iter().flat_map(Line::names).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Line {
    fn names(&self) -> impl Iterator<Item = &Name> {
        let by = match &self.rate {
            Rate::Fixed(_) => [].as_slice(),
            Rate::Table(table) => table.by.as_slice(),
        };
        self.quantities.iter().chain(by)
    }

    fn of(&self, facts: &Facts) -> Result<PricedLine, PriceError> {
        let rate = self.rate.of(facts)?;
        let micro = self.product(facts)?.times(rate, self.per, self.rounding);
        let amount = micro.and_then(Amount::from_micro).ok_or(PriceError::OutOfRange)?;
        let inputs = self
            .names()
            .filter_map(|name| Some((name.clone(), facts.0.get(name)?.clone())))
            .collect();
        Ok(PricedLine {
            label: self.label.clone(),
            inputs: Facts(inputs),
            per: self.per,
            rounding: self.rounding,
            rate,
            amount,
        })
    }

    fn product(&self, facts: &Facts) -> Result<Product, PriceError> {
        self.quantities.iter().try_fold(Product { mantissa: 1, unit: 1 }, |product, name| {
            match facts.0.get(name) {
                Some(Value::Number(number)) => product.by(*number).ok_or(PriceError::OutOfRange),
                Some(_) => Err(PriceError::NotANumber(name.clone())),
                None => Err(PriceError::Missing(name.clone())),
            }
        })
    }
}

impl Rate {
    fn of(&self, facts: &Facts) -> Result<Amount, PriceError> {
        let table = match self {
            Self::Fixed(rate) => return Ok(*rate),
            Self::Table(table) => table,
        };
        let values: Vec<String> = table
            .by
            .iter()
            .map(|name| facts.0.get(name).map(Value::to_string).ok_or_else(|| missing(name)))
            .collect::<Result<_, _>>()?;
        let row = table.rows.iter().find(|row| row.matches(&values));
        row.map(|row| row.rate).or(table.otherwise).ok_or_else(|| {
            let pairs = table.by.iter().zip(&values).map(|(name, value)| format!("{name} {value}"));
            PriceError::NoRate(pairs.collect::<Vec<_>>().join(", "))
        })
    }
}

fn missing(name: &Name) -> PriceError {
    PriceError::Missing(name.clone())
}

impl Row {
    fn matches(&self, values: &[String]) -> bool {
        let any_or_same = |(when, value): (&Option<String>, &String)| {
            when.as_ref().is_none_or(|when| when == value)
        };
        self.when.iter().zip(values).all(any_or_same)
    }
}

/// The exact product of a line's quantities: `mantissa / unit`.
struct Product {
    mantissa: u128,
    unit: u128,
}

impl Product {
    fn by(self, number: Decimal) -> Option<Self> {
        let unit = 10_u128.checked_pow(u32::from(number.scale()))?;
        Some(Self {
            mantissa: self.mantissa.checked_mul(u128::from(number.mantissa()))?,
            unit: self.unit.checked_mul(unit)?,
        })
    }

    /// Micro-credits for this many units at `rate` for each `per`, unless that is out of range.
    fn times(self, rate: Amount, per: NonZeroU64, rounding: Rounding) -> Option<u64> {
        let step = self.unit.checked_mul(u128::from(per.get()))?;
        let rate = u128::from(rate.micro());
        let micro = match rounding {
            Rounding::Exact => self.mantissa.checked_mul(rate)?.div_ceil(step),
            Rounding::Started => self.mantissa.div_ceil(step).checked_mul(rate)?,
            Rounding::Completed => self.mantissa.checked_div(step)?.checked_mul(rate)?,
        };
        u64::try_from(micro).ok()
    }
}

impl fmt::Display for Value {
    /// As a table's row writes it: `4`, `true`, `1024x1024`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl Serialize for Value {
    /// Numbers are written as decimal strings: no reader takes them for floats.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.collect_str(number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    /// What a receipt wrote. A word that reads as a number becomes one: it is only shown again.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Flag(bool),
            Text(String),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Flag(flag) => Self::Flag(flag),
            Either::Text(text) => Decimal::exact(&text).map_or(Self::Text(text), Self::Number),
        })
    }
}
