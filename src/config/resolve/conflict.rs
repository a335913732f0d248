//! Paths of routes against each other and against the client plane.
//!
//! The meter's route table has the same two tiers: catch-alls stand apart, since they get only what nothing
//! else matches. It also refuses paths that only a server which ignores case would take for another route's.

use std::collections::HashMap;

use matchit::{InsertError, Router};

use super::Resolver;
use crate::config::defaults;
use crate::config::format::{Segment, segments};
use crate::config::mirror::Route;

/// Routers by method, tier and whether they are folded.
type Routers<'a> = HashMap<(&'a str, bool, bool), Router<()>>;

impl Resolver<'_, '_> {
    /// Notes routes that match the same requests, and those that the client plane hides.
    pub(super) fn conflicts(&mut self) {
        let mut routers = Routers::new();
        for route in &self.file.routes {
            self.hidden(route);
            let (shape, method) = (shape(route), route.matches.value.method.as_str());
            let (rest, folded) = (shape.contains("{*"), fold(&shape));
            let exact = routers.entry((method, rest, false)).or_default().insert(&*shape, ());
            let lenient = routers.entry((method, rest, true)).or_default().insert(&*folded, ());
            // Routes that differ by case alone are each meant as declared.
            let lenient = lenient.or_else(|error| match error {
                InsertError::Conflict { with } if with == folded => Ok(()),
                error => Err(error),
            });
            if let Err(error) = exact.and(lenient) {
                self.conflict(route, &error);
            }
        }
    }

    fn hidden(&mut self, route: &Route) {
        let written = self.file.client_plane.prefix.as_ref();
        let prefix = written.map_or(defaults::CLIENT_PREFIX, |at| at.value.as_str());
        let path = route.matches.value.path.as_str();
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
        let finding = self.findings.error("conflicting_route", place, message);
        if let Some(other) = other {
            finding.note(other.matches.place, "the other one");
        }
    }
}

/// Whether two routes alone would conflict. The router's own answer may name a neighbour.
fn collide(one: &Route, other: &Route) -> bool {
    let both = [shape(one), shape(other)];
    let folded = both.clone().map(|shape| fold(&shape));
    let conflict = |paths: &[String; 2]| {
        let mut router = Router::new();
        paths.iter().any(|path| router.insert(path.as_str(), ()).is_err())
    };
    one.matches.value.method == other.matches.value.method && (conflict(&both) || conflict(&folded))
}

/// A path with its captures numbered, so that paths that match the same have the same shape.
fn shape(route: &Route) -> String {
    let segments = segments(&route.matches.value.path).enumerate();
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
