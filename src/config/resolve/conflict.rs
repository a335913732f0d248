//! Hosts and paths of routes against each other and against the client plane.
//!
//! Routes for different hosts never collide: of two patterns that match one host, one is more specific.
//! The meter's route table has the same two tiers: catch-alls stand apart, since they get only what nothing
//! else matches. It also refuses paths that only a server which ignores case would take for another route's.

use std::collections::HashMap;

use matchit::{InsertError, Router};

use super::Resolver;
use crate::config::defaults;
use crate::config::format::{Segment, segments};
use crate::config::mirror::Route;
use crate::meter::HostPattern;

/// Routers by host, method, tier and whether they are folded.
type Routers<'a> = HashMap<(Option<&'a HostPattern>, &'a str, bool, bool), Router<()>>;

impl Resolver<'_, '_> {
    /// Notes routes that match the same requests, and those that the client plane hides.
    pub(super) fn conflicts(&mut self) {
        let mut routers = Routers::new();
        for route in &self.file.routes {
            self.hidden(route);
            self.hosts_once(route);
            // At every host, so that what is found later does not depend on their order.
            let inserted: Vec<_> =
                hosts(route).into_iter().map(|host| insert(&mut routers, host, route)).collect();
            if let Some(error) = inserted.into_iter().find_map(Result::err) {
                self.conflict(route, &error);
            }
        }
    }

    /// Notes a host that a route names twice.
    fn hosts_once(&mut self, route: &Route) {
        for (index, host) in route.hosts.iter().enumerate() {
            let earlier = route.hosts.iter().take(index).find(|other| other.value == host.value);
            if let Some(earlier) = earlier {
                self.findings
                    .error("duplicate_name", host.place, format!("`{}` is here twice", host.value))
                    .note(earlier.place, "the first one");
            }
        }
    }

    fn hidden(&mut self, route: &Route) {
        let written = self.file.client_plane.prefix.as_ref();
        let prefix = written.map_or(defaults::CLIENT_PREFIX, |at| at.value.as_str());
        let path = whole(route);
        let under = path.strip_prefix(prefix);
        if under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let message = format!("`{path}` lies under `{prefix}`, which is the clients' own API");
            let help = "move that with `client_plane: { prefix: … }`";
            self.findings.error("reserved_path", route.matches.place, message).help(help);
        }
    }

    fn conflict(&mut self, route: &Route, error: &InsertError) {
        let (name, place) = (&route.name.value, route.matches.place);
        if !matches!(error, InsertError::Conflict { .. }) {
            self.findings.error("malformed", place, format!("`match`: {error}"));
            return;
        }
        let message = format!(
            "the route `{name}` matches requests of another one, and neither is more specific"
        );
        let others = self.file.routes.iter().take_while(|other| other.matches.place != place);
        let other = others.filter(|other| collide(other, route)).last();
        let help = "tell them apart by `hosts` or by a `prefix`, which `use` can give to all routes of a preset";
        let finding = self.findings.error("conflicting_route", place, message).help(help);
        if let Some(other) = other {
            finding.note(other.matches.place, "the other one");
        }
    }
}

/// Whether two routes alone would conflict. The router's own answer may name a neighbour.
fn collide(one: &Route, other: &Route) -> bool {
    let both = [shape(&whole(one)), shape(&whole(other))];
    let folded = both.clone().map(|shape| fold(&shape));
    let conflict = |paths: &[String; 2]| {
        let mut router = Router::new();
        paths.iter().any(|path| router.insert(path.as_str(), ()).is_err())
    };
    let hosts = hosts(one);
    self::hosts(other).iter().any(|host| hosts.contains(host))
        && one.matches.value.method == other.matches.value.method
        && (conflict(&both) || conflict(&folded))
}

fn insert<'r>(
    routers: &mut Routers<'r>,
    host: Option<&'r HostPattern>,
    route: &'r Route,
) -> Result<(), InsertError> {
    let (shape, method) = (shape(&whole(route)), route.matches.value.method.as_str());
    let (rest, folded) = (shape.contains("{*"), fold(&shape));
    let exact = routers.entry((host, method, rest, false)).or_default().insert(&*shape, ());
    let lenient = routers.entry((host, method, rest, true)).or_default().insert(&*folded, ());
    // Routes that differ by case alone are each meant as declared.
    let lenient = lenient.or_else(|error| match error {
        InsertError::Conflict { with } if with == folded => Ok(()),
        error => Err(error),
    });
    exact.and(lenient)
}

/// The hosts that a route is for, each once; `None`: any.
pub(super) fn hosts(route: &Route) -> Vec<Option<&HostPattern>> {
    let mut hosts = Vec::new();
    for host in route.hosts.iter().map(|at| Some(&at.value)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() { vec![None] } else { hosts }
}

/// The path that a request has, its prefix included.
fn whole(route: &Route) -> String {
    format!("{}{}", route.prefix(), route.matches.value.path)
}

impl Route {
    /// What stands before its path; perhaps nothing.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_ref().map_or("", |at| at.value.0.as_str())
    }
}

/// A path with its captures numbered, so that paths that match the same have the same shape.
pub(super) fn shape(path: &str) -> String {
    let segments = segments(path).enumerate();
    let shapes = segments.map(|(number, segment)| match segment {
        Segment::Text(text) => format!("/{text}"),
        Segment::One(before, _, after) => format!("/{before}{{p{number}}}{after}"),
        Segment::Rest(_) => format!("/{{*p{number}}}"),
    });
    shapes.collect()
}

/// A path as a server reads it that ignores case and a slash at the end.
fn fold(path: &str) -> String {
    let cut = path.strip_suffix('/').filter(|cut| !cut.is_empty());
    cut.unwrap_or(path).to_ascii_lowercase()
}
