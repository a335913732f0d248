//! Prices against the routes that use them: what is multiplied is a number, what is compared can be equal,
//! and nothing is declared in vain.

use std::collections::HashSet;

use super::price::ANY;
use super::quantity::{PLAN, read};
use super::{Resolver, help};
use crate::config::mirror::{Price, Quantity, QuantityType, Route, Table};
use crate::config::placed::At;
use crate::credit::{Decimal, Name};
use crate::meter::{ValueType, pixels};

impl Resolver<'_, '_> {
    /// Every priced route with its price.
    pub(super) fn tables(&mut self) {
        for route in &self.file.routes {
            let Some(at) = &route.price else { continue };
            let price = self.file.prices.0.iter().find(|(name, _)| name.value == at.value.as_str());
            let Some((_, price)) = price else { continue };
            self.extracted(route, at, price);
        }
        for (name, price) in &self.file.prices.0 {
            for table in price.lines.iter().filter_map(|line| line.table.as_ref()) {
                self.rows(&name.value, table);
            }
        }
    }

    /// Every quantity of a price is declared by the route, and those that are multiplied are numbers.
    fn extracted(&mut self, route: &Route, at: &At<Name>, price: &Price) {
        let mut told = HashSet::new();
        let multiplied =
            price.lines.iter().flat_map(|line| &line.quantities).map(|name| (name, true));
        let compared =
            price.lines.iter().filter_map(|line| line.table.as_ref()).flat_map(|table| &table.by);
        for (name, multiplied) in multiplied.chain(compared.map(|name| (name, false))) {
            let text = name.value.as_str();
            if text == PLAN && !multiplied {
                continue;
            }
            let written = route.quantities.0.iter().find(|(known, _)| known.value == text);
            let Some((declared, written)) = written else {
                if told.insert(text) {
                    let message = format!(
                        "the price `{}` needs `{text}`, which the route `{}` does not extract",
                        at.value, route.name.value
                    );
                    let help = help(text, route.quantities.names(), "quantity");
                    self.findings
                        .error("unknown_quantity", at.place, message)
                        .note(name.place, "the price names it here")
                        .help(help);
                }
                continue;
            };
            if multiplied && matches!(written.kind.value, QuantityType::Text | QuantityType::Flag) {
                let message = format!("`{text}` is multiplied and must be a number");
                self.findings
                    .error("not_a_number", name.place, message)
                    .note(declared.place, "the route declares it here")
                    .help("words and flags choose the rate in a `table`");
            }
        }
    }

    /// Each row can match on some route.
    fn rows(&mut self, price: &str, table: &Table) {
        let routes = self
            .file
            .routes
            .iter()
            .filter(|route| route.price.as_ref().is_some_and(|at| at.value.as_str() == price));
        let routes: Vec<&Route> = routes.collect();
        for row in &table.rows {
            for (name, at) in table.by.iter().zip(&row.when).filter(|(_, at)| at.value.0 != ANY) {
                let text = &at.value.0;
                if name.value.as_str() == PLAN {
                    if self.file.plans.index(text).is_none() {
                        let message = format!("there is no plan called `{text}`");
                        self.findings.warning("unknown_plan", at.place, message).help(help(
                            text,
                            self.file.plans.names(),
                            "plan",
                        ));
                    }
                    continue;
                }
                let declared: Vec<&Quantity> =
                    routes.iter().filter_map(|route| quantity(route, &name.value)).collect();
                if !declared.is_empty() && !declared.iter().any(|written| can_be(written, text)) {
                    let message =
                        format!("`{}` is never `{text}`: this row never matches", name.value);
                    self.findings
                        .error("row_never_matches", at.place, message)
                        .help(never(&declared, text));
                }
            }
        }
        for route in routes {
            self.covered(route, table);
        }
    }
}

pub(super) fn quantity<'a>(route: &'a Route, name: &Name) -> Option<&'a Quantity> {
    route
        .quantities
        .0
        .iter()
        .find(|(known, _)| known.value == name.as_str())
        .map(|(_, written)| written)
}

/// What to do about a value that a quantity never has.
pub(super) fn never(declared: &[&Quantity], text: &str) -> String {
    let words = declared.iter().flat_map(|written| written.one_of.iter().flatten());
    let words: Vec<&str> = words.map(|at| at.value.0.as_str()).collect();
    let seconds = declared.iter().any(|written| written.kind.value == QuantityType::Seconds);
    let digits = text.strip_suffix('s').filter(|_| seconds).unwrap_or(text);
    let units = declared.iter().filter_map(|written| written.unit.as_ref());
    let mut units = units.filter_map(|unit| digits.strip_suffix(unit.value.0.as_str()));
    let digits = units.next().unwrap_or(digits);
    let number = pixels(digits).or_else(|| Decimal::exact(digits).ok());
    let canonical = number.map(|number| number.to_string());
    match canonical.filter(|canonical| canonical != text) {
        Some(canonical) => format!("numbers are compared as they are shortest: write {canonical}"),
        None if words.is_empty() => "look at its `type`, `minimum` and `maximum`".to_owned(),
        None => help(text, words.into_iter(), "such word"),
    }
}

/// Whether a quantity's value may be written so.
pub(super) fn can_be(written: &Quantity, text: &str) -> bool {
    let range = || {
        let minimum = written.minimum.as_ref().map_or(Decimal::ZERO, |at| at.value);
        minimum..=written.maximum.as_ref().map_or(minimum, |at| at.value)
    };
    let value = match written.kind.value {
        QuantityType::Integer | QuantityType::Pixels => ValueType::Integer(range()),
        QuantityType::Decimal | QuantityType::Seconds => ValueType::Decimal(range()),
        QuantityType::Text => {
            ValueType::Text(written.one_of.iter().flatten().map(|at| at.value.0.clone()).collect())
        }
        QuantityType::Flag => ValueType::Flag,
    };
    read(text, &value).is_ok_and(|value| value.to_string() == text)
}
