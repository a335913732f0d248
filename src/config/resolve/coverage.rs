//! Whether a table has a rate for everything that a route accepts.

use super::Resolver;
use super::price::ANY;
use super::quantity::PLAN;
use super::table::quantity;
use crate::config::format::Scalar;
use crate::config::mirror::{QuantityType, Route, Table};
use crate::config::placed::At;
use crate::credit::Name;

impl Resolver<'_, '_> {
    /// Warns of a combination that the route accepts and the table has no rate for.
    pub(super) fn covered(&mut self, route: &Route, table: &Table) {
        /// The most combinations that are tried.
        const TRIED_MAX: usize = 4_096;
        if table.otherwise.is_some()
            || table.rows.iter().any(|row| row.when.len() != table.by.len())
        {
            return;
        }
        let domains: Option<Vec<Vec<&str>>> =
            table.by.iter().map(|name| self.domain(route, &name.value)).collect();
        let Some(domains) = domains else { return };
        let tried =
            domains.iter().try_fold(1_usize, |tried, domain| tried.checked_mul(domain.len()));
        if tried.is_none_or(|tried| tried > TRIED_MAX) {
            return;
        }
        let without = combinations(&domains).into_iter().find(|values| {
            let same =
                |(at, value): (&At<Scalar>, &&str)| at.value.0 == ANY || at.value.0 == **value;
            !table.rows.iter().any(|row| row.when.iter().zip(values).all(same))
        });
        if let (Some(values), Some(first)) = (without, table.by.first()) {
            let pairs: Vec<String> = table
                .by
                .iter()
                .zip(values)
                .map(|(name, value)| format!("{} `{value}`", name.value))
                .collect();
            let message = format!(
                "the table has no rate for {}, which the route `{}` accepts",
                pairs.join(" and "),
                route.name.value
            );
            self.findings
                .warning("no_rate", first.place, message)
                .help("such a request is refused: add a row, or say `otherwise`");
        }
    }

    /// All values that a column may have; `None`: there is no list of them.
    fn domain(&self, route: &'_ Route, name: &Name) -> Option<Vec<&str>> {
        if name.as_str() == PLAN {
            return Some(self.file.plans.names().collect());
        }
        let route = self.file.routes.iter().find(|other| other.name.value == route.name.value)?;
        let written = quantity(route, name)?;
        match written.kind.value {
            QuantityType::Flag => Some(vec!["false", "true"]),
            QuantityType::Text => {
                Some(written.one_of.as_ref()?.iter().map(|at| at.value.0.as_str()).collect())
            }
            _ => None,
        }
    }
}

fn combinations<'a>(domains: &[Vec<&'a str>]) -> Vec<Vec<&'a str>> {
    domains.iter().fold(vec![Vec::new()], |so_far, domain| {
        let with = |before: &Vec<&'a str>| {
            domain.iter().map(|value| [before.as_slice(), &[*value]].concat()).collect::<Vec<_>>()
        };
        so_far.iter().flat_map(with).collect()
    })
}
