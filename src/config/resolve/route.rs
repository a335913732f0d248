//! Routes.

use std::sync::Arc;

use super::job::rewrite;
use super::{Resolver, or, shown};
use crate::config::defaults;
use crate::config::format::{Bytes, Millis};
use crate::config::mirror;
use crate::config::placed::At;
use crate::credit::Price;
use crate::ledger::OverRun;
use crate::meter::{Due, Job, OnDisconnect, Route, StreamRules, Work};

/// The longest time for which an unknown outcome may be kept.
const RECONCILE_MAX: Millis = Millis(30 * 86_400_000);
/// The largest body that a route may take, in bytes.
pub(super) const BODY_MAX: u64 = 1 << 30;

impl Resolver<'_, '_> {
    /// The routes without errors.
    pub(super) fn routes(
        &mut self,
        prices: &[Option<Arc<Price>>],
        jobs: &[Option<Arc<Job>>],
    ) -> Vec<Arc<Route>> {
        let routes = &self.file.routes;
        self.once("routes", routes.iter().map(|route| &route.name));
        self.conflicts();
        self.free_elsewhere();
        routes.iter().filter_map(|route| self.route(route, prices, jobs)).map(Arc::new).collect()
    }

    fn route(
        &mut self,
        route: &mirror::Route,
        prices: &[Option<Arc<Price>>],
        jobs: &[Option<Arc<Job>>],
    ) -> Option<Route> {
        let upstreams = &self.file.upstreams;
        let upstream = upstreams.index(route.upstream.value.as_str());
        if upstream.is_none() {
            self.unknown("unknown_upstream", "upstream", &route.upstream, upstreams.names());
        }
        let body_limit = or(route.body_limit.as_ref(), Bytes(defaults::BODY_LIMIT)).0;
        if let Some(at) = route.body_limit.as_ref().filter(|at| at.value.0 > BODY_MAX) {
            self.findings.error("out_of_range", at.place, "a request body has at most 1GiB");
        }
        let work = self.work(route, prices, jobs);
        let touch = match &work {
            Some(Work::Free) => self.touch(route, jobs),
            _ => Some(None),
        };
        Some(Route {
            name: route.name.value.clone(),
            feature: route.feature.as_ref().map(|at| at.value.clone()),
            method: route.matches.value.method.clone(),
            path: route.matches.value.path.clone(),
            prefix: route.prefix().to_owned(),
            hosts: route.hosts.iter().map(|at| at.value.clone()).collect(),
            upstream: upstream?,
            work: work?,
            body_limit,
            dialect: or(route.dialect.as_ref(), self.dialect()),
            identity: self.ways(route.identity.as_deref()),
            pass: self.passes(route),
            websocket: self.websocket(route),
            touch: touch?,
            rewrite: rewrite(&route.rewrite),
        })
    }

    fn work(
        &mut self,
        route: &mirror::Route,
        prices: &[Option<Arc<Price>>],
        jobs: &[Option<Arc<Job>>],
    ) -> Option<Work> {
        let free = or(route.free.as_ref(), false);
        match (&route.price, free) {
            (None, true) => {
                self.free_has_nothing_to_pay(route);
                Some(Work::Free)
            }
            (Some(at), false) => self.due(route, at, prices, jobs).map(Arc::new).map(Work::Paid),
            (None, false) => {
                let message = format!("the route `{}` has no price", route.name.value);
                self.findings
                    .error("no_price", route.name.place, message)
                    .help("name a `price`, or write `free: true`");
                None
            }
            (Some(at), true) => {
                let message = format!("the route `{}` is free and has a price", route.name.value);
                self.findings
                    .error("free_and_priced", at.place, message)
                    .help("remove one of the two");
                None
            }
        }
    }

    /// Notes what only makes sense where something is paid.
    fn free_has_nothing_to_pay(&mut self, route: &mirror::Route) {
        let quantity = route.quantities.0.first().map(|(name, _)| name.place);
        let outcome = route.outcomes.first().map(|rule| rule.class.place);
        let stream = route.stream.as_ref().and_then(mirror::Stream::place);
        let written = [
            ("quantities", quantity),
            ("outcomes", outcome),
            ("stream", stream),
            ("decode", route.decode.as_ref().map(|at| at.place)),
            ("on_disconnect", route.on_disconnect.as_ref().map(|at| at.place)),
            ("on_unknown", route.on_unknown.as_ref().map(|at| at.place)),
            ("reconcile", route.reconcile.as_ref().map(|at| at.place)),
            ("over_run", route.over_run.as_ref().map(|at| at.place)),
            ("job", route.job.as_ref().map(|at| at.place)),
        ];
        for (name, place) in written {
            if let Some(place) = place {
                let message = format!(
                    "`{name}` says what is charged, and the route `{}` is free",
                    route.name.value
                );
                self.findings
                    .error("free_and_priced", place, message)
                    .help("remove it, or name a `price` instead of `free: true`");
            }
        }
    }

    fn due(
        &mut self,
        route: &mirror::Route,
        at: &At<crate::credit::Name>,
        prices: &[Option<Arc<Price>>],
        jobs: &[Option<Arc<Job>>],
    ) -> Option<Due> {
        let index = self.file.prices.index(at.value.as_str());
        if index.is_none() {
            self.unknown("unknown_price", "price", at, self.file.prices.names());
        }
        let reconcile_ms = self.reconcile(route);
        self.bodies(route);
        self.both_formats(route);
        self.small_holds(route);
        self.one_answer(route);
        let matches = &route.matches.value;
        let quantities =
            route.quantities.0.iter().map(|(name, written)| self.quantity(name, written, matches));
        let quantities: Vec<_> = quantities.collect();
        let outcomes = self.outcomes(&route.outcomes);
        let job = self.begun(route, jobs);
        let stream = match &route.stream {
            Some(stream) => self.stream(stream),
            None => Some(StreamRules::default()),
        };
        if route.on_unknown.is_none() {
            let message = format!(
                "the route `{}` does not say what becomes of an outcome that stays unknown",
                route.name.value
            );
            self.findings.error("no_on_unknown", route.name.place, message).help(
                "`on_unknown: release` gives the credits back, `charge` takes what was held, `hold` waits for a person",
            );
        }
        Some(Due {
            price: prices.get(index?)?.clone()?,
            quantities: quantities.into_iter().collect::<Option<_>>()?,
            outcomes,
            stream: stream?,
            decode: or(route.decode.as_ref(), true),
            on_disconnect: or(route.on_disconnect.as_ref(), OnDisconnect::Finish),
            on_unknown: route.on_unknown.as_ref()?.value,
            reconcile_ms,
            over_run: or(route.over_run.as_ref(), OverRun::Absorb),
            job: job?,
        })
    }

    fn reconcile(&mut self, route: &mirror::Route) -> u64 {
        let reconcile =
            self.millis(route.reconcile.as_ref(), defaults::RECONCILE_MS, RECONCILE_MAX);
        let total = self.total_ms(route.upstream.value.as_str()).filter(|total| reconcile < *total);
        if let Some(total) = total {
            let place = route.reconcile.as_ref().map_or(route.name.place, |at| at.place);
            let message = format!(
                "an unknown outcome is kept for {}, but the upstream may take {}",
                shown(Millis(reconcile)),
                shown(Millis(total))
            );
            self.findings
                .warning("short_reconcile", place, message)
                .help("`reconcile` is at least as long as the upstream's `total`");
        }
        reconcile
    }

    /// Warns of a quantity that is left out whenever the body is of the other format that the route takes.
    fn both_formats(&mut self, route: &mirror::Route) {
        let places = |quantity: &mirror::Quantity, is: fn(&mirror::RequestFrom) -> bool| {
            quantity.request.iter().flat_map(mirror::RequestFrom::places).any(is)
        };
        let any = |is| route.quantities.0.iter().any(|(_, quantity)| places(quantity, is));
        if !any(mirror::RequestFrom::is_json) || !any(mirror::RequestFrom::is_form) {
            return;
        }
        for (name, quantity) in &route.quantities.0 {
            let json = places(quantity, mirror::RequestFrom::is_json);
            let (one, other, word) = match (json, places(quantity, mirror::RequestFrom::is_form)) {
                (true, false) => ("JSON", "forms", "form"),
                (false, true) => ("forms", "JSON", "json"),
                _ => continue,
            };
            let message = format!(
                "`{}` is read from {one} alone, and the route takes {other} too: there it is left out",
                name.value
            );
            let help =
                format!("add a `{word}` source, or give the other format a route of its own");
            self.findings.warning("one_format", name.place, message).help(help);
        }
    }

    /// Warns of a quantity in a body that the method does not have.
    fn bodies(&mut self, route: &mirror::Route) {
        let method = &route.matches.value.method;
        if !matches!(method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            return;
        }
        let reads = |source: &mirror::RequestFrom| {
            !matches!(
                source,
                mirror::RequestFrom::Header(_)
                    | mirror::RequestFrom::Query(_)
                    | mirror::RequestFrom::Path(_)
            )
        };
        for (name, quantity) in &route.quantities.0 {
            if quantity.request.iter().flat_map(mirror::RequestFrom::places).any(reads) {
                let message =
                    format!("`{}` is read from the body, which a {method} seldom has", name.value);
                self.findings
                    .warning("no_body", name.place, message)
                    .help("read it from `query`, `path` or `header`");
            }
        }
    }
}
