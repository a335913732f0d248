//! Plans.

use std::sync::Arc;

use super::{Resolver, help, or, values};
use crate::config::defaults;
use crate::config::format::Millis;
use crate::config::mirror;
use crate::config::placed::At;
use crate::credit::{Amount, Cap, Kind, Measure, Name, Plan, RateLimit, ScopeKind, SlotLimit};

/// The longest window of a rate.
const DAY: Millis = Millis(86_400_000);

impl Resolver<'_, '_> {
    /// The plans without errors.
    pub(super) fn plans(&mut self) -> Vec<Arc<Plan>> {
        let plans = self.file.plans.0.iter();
        plans.filter_map(|(name, plan)| self.plan(name, plan)).map(Arc::new).collect()
    }

    fn plan(&mut self, name: &At<String>, plan: &mirror::Plan) -> Option<Plan> {
        self.once("allowances", plan.allowances.iter().map(|allowance| &allowance.name));
        self.once("caps", plan.caps.iter().map(|cap| &cap.name));
        self.once("concurrency limits", plan.concurrency.iter().map(|limit| &limit.name));
        self.once("rates", plan.rate.iter().map(|rate| &rate.name));
        Some(Plan {
            name: self.name(name)?,
            allowances: plan
                .allowances
                .iter()
                .filter_map(|allowance| self.allowance(allowance))
                .collect(),
            caps: plan.caps.iter().filter_map(|cap| self.cap(cap)).collect(),
            slots: plan.concurrency.iter().map(|limit| self.slots(limit)).collect(),
            rates: plan.rate.iter().map(|rate| self.rate(rate)).collect(),
            rights: self.rights(plan),
            ranks: self.ranks(plan),
            max_debt: plan.max_debt.as_ref().map(|at| at.value),
        })
    }

    fn cap(&mut self, cap: &mirror::Cap) -> Option<Cap> {
        let measure = cap.measure.value;
        let kind = match (measure, &cap.kind) {
            (Measure::Requests, None) => None,
            (Measure::Requests, Some(at)) => {
                self.findings.error(
                    "misplaced",
                    at.place,
                    "requests count whatever they cost: `kind` belongs to `measure: credits`",
                );
                None
            }
            (Measure::Credits, kind) => Some(self.kind(kind.as_ref())?),
        };
        let scope = or(cap.scope.as_ref(), ScopeKind::Account);
        self.only(scope, &cap.only);
        Some(Cap {
            name: cap.name.value.clone(),
            measure,
            kind,
            limit: self.limit(measure, &cap.limit),
            every: cap.every.value,
            scope,
            only: values(&cap.only),
            refundable: or(cap.refundable.as_ref(), true),
        })
    }

    /// A number of requests, or micro-credits.
    fn limit(&mut self, measure: Measure, limit: &At<Amount>) -> u64 {
        let micro = limit.value.micro();
        match measure {
            Measure::Credits => micro,
            Measure::Requests => {
                if !micro.is_multiple_of(Amount::MICRO) {
                    self.findings.error("not_whole", limit.place, "a number of requests is whole");
                }
                micro / Amount::MICRO
            }
        }
    }

    fn slots(&mut self, limit: &mirror::Concurrency) -> SlotLimit {
        let scope = or(limit.scope.as_ref(), ScopeKind::Account);
        self.only(scope, &limit.only);
        SlotLimit {
            name: limit.name.value.clone(),
            limit: limit.limit.value,
            scope,
            only: values(&limit.only),
        }
    }

    fn rate(&mut self, rate: &mirror::Rate) -> RateLimit {
        let scope = or(rate.scope.as_ref(), ScopeKind::Account);
        self.only(scope, &rate.only);
        RateLimit {
            name: rate.name.value.clone(),
            requests: rate.requests.value,
            per_ms: self.millis(Some(&rate.per), 1, DAY),
            burst: or(rate.burst.as_ref(), rate.requests.value),
            scope,
            only: values(&rate.only),
        }
    }

    /// Notes names in `only` that are neither a route nor a feature, or not of the scope's sort.
    pub(super) fn only(&mut self, scope: ScopeKind, only: &[At<Name>]) {
        let routes = self.file.routes.iter().map(|route| route.name.value.as_str());
        let features = self
            .file
            .routes
            .iter()
            .filter_map(|route| Some(route.feature.as_ref()?.value.as_str()));
        let (what, known): (&str, Vec<&str>) = match scope {
            ScopeKind::Route => ("route", routes.collect()),
            ScopeKind::Feature => ("feature", features.collect()),
            ScopeKind::Account | ScopeKind::Key | ScopeKind::Member => {
                ("route or feature", routes.chain(features).collect())
            }
        };
        for at in only.iter().filter(|at| !known.contains(&at.value.as_str())) {
            self.unknown("unknown_route", what, at, known.iter().copied());
        }
    }

    /// Notes names that are neither a route nor a feature.
    pub(super) fn route_or_feature(&mut self, names: &[At<Name>]) {
        self.only(ScopeKind::Account, names);
    }

    /// A kind of credit; noted if no price is paid in it.
    pub(super) fn kind(&mut self, at: Option<&At<Kind>>) -> Option<Kind> {
        let kind = match at {
            Some(at) => at.value.clone(),
            None => defaults::KIND.parse().ok()?,
        };
        let prices =
            self.file.prices.0.iter().map(|(_, price)| {
                price.kind.as_ref().map_or(defaults::KIND, |at| at.value.as_str())
            });
        if let Some(at) = at.filter(|_| !prices.clone().any(|other| other == kind.as_str())) {
            let message = format!("no price is paid in `{kind}`");
            let mut kinds: Vec<&str> = prices.collect();
            kinds.sort_unstable();
            kinds.dedup();
            let meant = help(kind.as_str(), kinds.into_iter(), "kind of credit");
            self.findings.warning("unused_kind", at.place, message).help(meant);
        }
        Some(kind)
    }
}
