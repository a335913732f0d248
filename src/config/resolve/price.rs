//! Prices.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::{Resolver, or};
use crate::config::defaults;
use crate::config::mirror;
use crate::config::placed::At;
use crate::credit::{Amount, Kind, Line, Price, Rate, Rounding, Row, Table};

/// What matches any value in a table's row.
pub(super) const ANY: &str = "*";

impl Resolver<'_, '_> {
    /// The prices, in the order of the file; `None` where there is an error.
    pub(super) fn prices(&mut self) -> Vec<Option<Arc<Price>>> {
        let prices = self.file.prices.0.iter();
        prices.map(|(name, price)| self.price(name, price).map(Arc::new)).collect()
    }

    fn price(&mut self, name: &At<String>, price: &mirror::Price) -> Option<Price> {
        let minimum = or(price.minimum.as_ref(), Amount::ZERO);
        if let Some(maximum) = price.maximum.as_ref().filter(|maximum| maximum.value < minimum) {
            let message = format!("the maximum {} is below the minimum {minimum}", maximum.value);
            self.findings.error("empty_range", maximum.place, message);
        }
        let lines: Vec<_> = price.lines.iter().map(|line| self.line(line)).collect();
        let kind = price.kind.as_ref().map(|at| at.value.clone());
        Some(Price {
            name: self.name(name)?,
            kind: kind.or_else(|| defaults::KIND.parse::<Kind>().ok())?,
            lines: lines.into_iter().collect::<Option<_>>()?,
            minimum,
            maximum: price.maximum.as_ref().map(|at| at.value),
        })
    }

    fn line(&mut self, line: &mirror::Line) -> Option<Line> {
        Some(Line {
            label: line.label.value.clone(),
            quantities: line.quantities.iter().map(|at| at.value.clone()).collect(),
            per: NonZeroU64::new(or(line.per.as_ref(), 1))?,
            rounding: or(line.rounding.as_ref(), Rounding::Exact),
            rate: self.line_rate(line)?,
        })
    }

    fn line_rate(&mut self, line: &mirror::Line) -> Option<Rate> {
        match (&line.rate, &line.table) {
            (Some(rate), None) => Some(Rate::Fixed(rate.value)),
            (None, Some(table)) => self.table(table).map(Rate::Table),
            (None, None) => {
                let message =
                    format!("the line `{}` has neither a `rate` nor a `table`", line.label.value);
                self.findings
                    .error("rate_or_table", line.label.place, message)
                    .help("write `rate: 10` for a rate that is always the same");
                None
            }
            (Some(rate), Some(_)) => {
                let message =
                    format!("the line `{}` has both a `rate` and a `table`", line.label.value);
                self.findings
                    .error("rate_or_table", rate.place, message)
                    .help("the rate where no row matches is the table's `otherwise`");
                None
            }
        }
    }

    fn table(&mut self, table: &mirror::Table) -> Option<Table> {
        self.once("columns", table.by.iter());
        for row in table.rows.iter().filter(|row| row.when.len() != table.by.len()) {
            let by: Vec<&str> = table.by.iter().map(|at| at.value.as_str()).collect();
            let message = format!(
                "this row has {} of the {} values that `by` names",
                row.when.len(),
                by.len()
            );
            let place = row.when.first().map_or(row.rate.place, |at| at.place);
            self.findings
                .error("row_width", place, message)
                .help(format!("one value for each of: {}", by.join(", ")));
        }
        self.shadowed_rows(table);
        let rows = table.rows.iter().map(|row| Row {
            when: row.when.iter().map(|at| value(&at.value.0)).collect(),
            rate: row.rate.value,
        });
        Some(Table {
            by: table.by.iter().map(|at| at.value.clone()).collect(),
            rows: rows.collect(),
            otherwise: table.otherwise.as_ref().map(|at| at.value),
        })
    }

    /// Warns of rows that an earlier row always wins against.
    fn shadowed_rows(&mut self, table: &mirror::Table) {
        for (index, row) in table.rows.iter().enumerate() {
            let earlier = table.rows.iter().take(index).find(|earlier| covers(earlier, row));
            if let (Some(earlier), Some(at)) =
                (earlier.and_then(|row| row.when.first()), row.when.first())
            {
                let message = "this row never matches: an earlier one always wins";
                self.findings
                    .warning("shadowed_row", at.place, message)
                    .note(earlier.place, "the earlier one");
            }
        }
    }
}

/// What a row's value matches; `None`: anything.
fn value(text: &str) -> Option<String> {
    (text != ANY).then(|| text.to_owned())
}

fn covers(earlier: &mirror::Row, later: &mirror::Row) -> bool {
    let one = |(earlier, later): (&At<_>, &At<_>)| -> bool {
        let (earlier, later): (&crate::config::format::Scalar, &crate::config::format::Scalar) =
            (&earlier.value, &later.value);
        earlier.0 == ANY || earlier.0 == later.0
    };
    earlier.when.len() == later.when.len() && earlier.when.iter().zip(&later.when).all(one)
}
