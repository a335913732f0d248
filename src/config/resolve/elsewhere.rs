//! Free routes that lead to the work of priced ones from another place.
//!
//! Hosts and a prefix say where a route stands here, and the upstream sees neither: work that is priced at one place
//! would be free at another if a free route to the same upstream takes the same path there.

use matchit::Router;

use super::Resolver;
use super::conflict::{hosts, shape};
use crate::config::format::{Segment, segments};
use crate::config::mirror::Route;

impl Resolver<'_, '_> {
    /// Notes each free route by which somebody could get the work of a priced one.
    pub(super) fn free_elsewhere(&mut self) {
        let routes = &self.file.routes;
        for free in routes.iter().filter(|route| is_free(route)) {
            let mut priced = routes.iter().filter(|route| !is_free(route));
            let Some(priced) = priced.find(|one| takes(free, one) && !is_priced(routes, free, one))
            else {
                continue;
            };
            let message = format!(
                "free requests of this route reach the work that `{}` prices at another host or below another prefix",
                priced.name.value
            );
            self.findings
                .warning("free_elsewhere", free.matches.place, message)
                .note(priced.matches.place, "priced here")
                .help("give both the same `hosts` and `prefix`, or the free one a narrower path");
        }
    }
}

fn is_free(route: &Route) -> bool {
    route.free.as_ref().is_some_and(|at| at.value)
}

/// Whether the upstream cannot tell a request of the free route from one of the priced.
fn takes(free: &Route, priced: &Route) -> bool {
    let mut router = Router::new();
    go_to_one(free, priced)
        && router.insert(shape(&free.matches.value.path), ()).is_ok()
        && router.at(&example(&priced.matches.value.path)).is_ok()
}

/// Whether all of the free route's places have a priced route of that path: the more specific one wins there.
fn is_priced(routes: &[Route], free: &Route, priced: &Route) -> bool {
    let path = shape(&priced.matches.value.path);
    let alike = |one: &&Route| {
        !is_free(one)
            && go_to_one(free, one)
            && one.prefix() == free.prefix()
            && shape(&one.matches.value.path) == path
    };
    hosts(free).iter().all(|host| routes.iter().filter(alike).any(|one| hosts(one).contains(host)))
}

fn go_to_one(one: &Route, other: &Route) -> bool {
    one.upstream.value == other.upstream.value
        && one.matches.value.method == other.matches.value.method
}

/// A path that a template matches.
fn example(path: &str) -> String {
    let pieces = segments(path).map(|segment| match segment {
        Segment::Text(text) => format!("/{text}"),
        Segment::One(before, _, after) => format!("/{before}x{after}"),
        Segment::Rest(_) => "/x".to_owned(),
    });
    pieces.collect()
}
