//! What plans allow: routes, features, values of quantities, sizes of bodies.

use super::quantity::PLAN;
use super::route::BODY_MAX;
use super::table::{can_be, never, quantity};
use super::{Resolver, values};
use crate::config::mirror::{self, Quantity, QuantityType, Route};
use crate::config::placed::At;
use crate::credit::{Name, OptionRight, Rights, ScopeKind};

/// A quantity as a route declares it.
type Declared<'a> = (&'a Route, &'a Quantity);

impl Resolver<'_, '_> {
    pub(super) fn rights(&mut self, plan: &mirror::Plan) -> Rights {
        self.only(ScopeKind::Route, plan.routes.as_deref().unwrap_or_default());
        self.only(ScopeKind::Feature, plan.features.as_deref().unwrap_or_default());
        self.route_or_feature(&plan.refuse);
        let options = plan.options.0.iter();
        Rights {
            routes: plan.routes.as_deref().map(values),
            features: plan.features.as_deref().map(values),
            refused: values(&plan.refuse),
            options: options.filter_map(|(name, written)| self.option(name, written)).collect(),
            body_limits: self.body_limits(plan),
        }
    }

    fn body_limits(&mut self, plan: &mirror::Plan) -> Vec<(Name, u64)> {
        let limits = plan.body_limits.0.iter();
        let named = limits
            .filter_map(|(at, limit)| Some((At { value: self.name(at)?, place: at.place }, limit)));
        let named: Vec<_> = named.collect();
        for (name, limit) in &named {
            self.route_or_feature(std::slice::from_ref(name));
            if limit.value.0 > BODY_MAX {
                let message = "a request body has at most 1GiB";
                self.findings.error("out_of_range", limit.place, message);
            }
        }
        named.into_iter().map(|(name, limit)| (name.value, limit.value.0)).collect()
    }

    fn option(&mut self, at: &At<String>, written: &mirror::OptionRight) -> Option<OptionRight> {
        let name = At { value: self.name(at)?, place: at.place };
        let routes = &self.file.routes;
        let declared: Vec<Declared<'_>> = routes
            .iter()
            .filter_map(|route| Some((route, quantity(route, &name.value)?)))
            .collect();
        self.asked(&name, &declared);
        let asked: Vec<&Quantity> = declared
            .iter()
            .map(|(_, quantity)| *quantity)
            .filter(|quantity| !quantity.request.is_empty())
            .collect();
        if !asked.is_empty() {
            self.values_can_be(&name, written, &asked);
            self.bounds(&name, written, &asked);
        }
        let texts = |list: &Option<Vec<At<_>>>| {
            list.iter()
                .flatten()
                .map(|at: &At<crate::config::format::Scalar>| at.value.0.clone())
                .collect()
        };
        Some(OptionRight {
            quantity: name.value,
            allowed: texts(&written.allow),
            refused: texts(&written.refuse),
            minimum: written.minimum.as_ref().map(|at| at.value),
            maximum: written.maximum.as_ref().map(|at| at.value),
        })
    }

    /// A right that no request is held against would be no right.
    fn asked(&mut self, name: &At<Name>, declared: &[Declared<'_>]) {
        let text = name.value.as_str();
        if declared.is_empty() {
            let routes = self.file.routes.iter();
            let known: Vec<&str> = routes.flat_map(|route| route.quantities.names()).collect();
            let message = format!("no route extracts `{text}`: nothing is held against this");
            let help = match text {
                PLAN => "what a plan allows is said under that plan".to_owned(),
                _ => super::help(text, known.into_iter(), "quantity"),
            };
            self.findings.error("unknown_quantity", name.place, message).help(help);
        }
        let told_later = declared.iter().filter(|(_, quantity)| quantity.request.is_empty());
        let told_later: Vec<&str> =
            told_later.map(|(route, _)| route.name.value.as_str()).collect();
        if let Some(route) = told_later.first() {
            let message = format!(
                "only the response of the route `{route}` says `{text}`: the work is done by then, and nothing is refused"
            );
            let help = "give the quantity a `request`, where the request says it";
            if told_later.len() == declared.len() {
                self.findings.error("not_in_request", name.place, message).help(help);
            } else {
                self.findings.warning("not_in_request", name.place, message).help(help);
            }
        }
    }

    fn values_can_be(
        &mut self,
        name: &At<Name>,
        written: &mirror::OptionRight,
        declared: &[&Quantity],
    ) {
        let listed = written.allow.iter().chain(&written.refuse).flatten();
        for at in listed.filter(|at| !declared.iter().any(|one| can_be(one, &at.value.0))) {
            let text = &at.value.0;
            let message = format!("`{}` is never `{text}`", name.value);
            self.findings
                .error("option_never_matches", at.place, message)
                .help(never(declared, text));
        }
    }

    fn bounds(&mut self, name: &At<Name>, written: &mirror::OptionRight, declared: &[&Quantity]) {
        let word = |kind| matches!(kind, QuantityType::Text | QuantityType::Flag);
        let words = declared.iter().all(|one| word(one.kind.value));
        for (bound, at) in [("minimum", &written.minimum), ("maximum", &written.maximum)] {
            if let Some(at) = at.as_ref().filter(|_| words) {
                let message = format!("`{bound}` is for numbers, and `{}` is none", name.value);
                self.findings
                    .error("misplaced", at.place, message)
                    .help("words and flags are listed under `allow` or `refuse`");
            }
        }
        if let (Some(least), Some(most)) = (&written.minimum, &written.maximum)
            && most.value < least.value
        {
            let message =
                format!("the maximum {} is below the minimum {}", most.value, least.value);
            self.findings.error("empty_range", most.place, message);
        }
    }
}
