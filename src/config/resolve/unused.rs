//! What is declared in vain.

use std::collections::HashSet;

use super::Resolver;
use crate::config::mirror::{Price, Route};
use crate::config::placed::At;
use crate::credit::Name;

impl Resolver<'_, '_> {
    /// Warns of what nothing refers to.
    pub(super) fn unused(&mut self) {
        // Where something is wrong, what looks unused was probably meant elsewhere.
        if self.findings.refused() {
            return;
        }
        let routes = &self.file.routes;
        for route in routes {
            let price = |at: &At<Name>| {
                self.file.prices.0.iter().find(|(name, _)| name.value == at.value.as_str())
            };
            if let Some((_, price)) = route.price.as_ref().and_then(price) {
                self.unused_quantities(route, price);
            }
        }
        for (name, _) in &self.file.upstreams.0 {
            if !routes.iter().any(|route| route.upstream.value.as_str() == name.value) {
                self.findings.warning(
                    "unused",
                    name.place,
                    format!("no route goes to the upstream `{}`", name.value),
                );
            }
        }
        for job in &self.file.jobs {
            let begins = |at: &At<Name>| at.value == job.name.value;
            if !routes.iter().any(|route| route.job.as_ref().is_some_and(begins)) {
                let message = format!("no route begins a job `{}`", job.name.value);
                self.findings.warning("unused", job.name.place, message);
            }
        }
        for (name, _) in &self.file.prices.0 {
            if !routes
                .iter()
                .any(|route| route.price.as_ref().is_some_and(|at| at.value.as_str() == name.value))
            {
                self.findings.warning(
                    "unused",
                    name.place,
                    format!("no route has the price `{}`", name.value),
                );
            }
        }
    }

    fn unused_quantities(&mut self, route: &Route, price: &Price) {
        let tables =
            price.lines.iter().filter_map(|line| line.table.as_ref()).flat_map(|table| &table.by);
        let used: HashSet<&str> = price
            .lines
            .iter()
            .flat_map(|line| &line.quantities)
            .chain(tables)
            .map(|at| at.value.as_str())
            .collect();
        let plans = self.file.plans.0.iter();
        let held: HashSet<&str> = plans.flat_map(|(_, plan)| plan.options.names()).collect();
        let vain = |name: &str| !used.contains(name) && !held.contains(name);
        for (name, _) in route.quantities.0.iter().filter(|(name, _)| vain(&name.value)) {
            let message = format!("the price does not use `{}`", name.value);
            self.findings
                .warning("unused_quantity", name.place, message)
                .help("remove it, or give it a line of the price or a plan's `options`");
        }
    }
}
