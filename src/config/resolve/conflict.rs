//! Paths of routes against each other and against the client plane.

use std::collections::HashMap;

use super::Resolver;
use crate::config::defaults;
use crate::config::mirror;
use crate::config::problem::Place;

impl Resolver<'_, '_> {
    /// Notes routes that match the same requests, and those that the client plane hides.
    pub(super) fn conflicts(&mut self) {
        let prefix = self
            .file
            .client_plane
            .prefix
            .as_ref()
            .map_or(defaults::CLIENT_PREFIX, |at| at.value.as_str());
        let mut routers: HashMap<&str, matchit::Router<()>> = HashMap::new();
        for route in &self.file.routes {
            let matches = &route.matches;
            let path = matches.value.path.as_str();
            if path
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            {
                let message =
                    format!("`{path}` lies under `{prefix}`, which is the clients' own API");
                self.findings
                    .error("reserved_path", matches.place, message)
                    .help("move that with `client_plane: { prefix: … }`");
            }
            let router = routers.entry(matches.value.method.as_str()).or_default();
            if let Err(error) = router.insert(path, ()) {
                self.conflict(route, &error);
            }
        }
    }

    fn conflict(&mut self, route: &mirror::Route, error: &matchit::InsertError) {
        let (name, place) = (&route.name.value, route.matches.place);
        let matchit::InsertError::Conflict { with } = error else {
            self.findings.error("malformed", place, format!("`match`: {error}"));
            return;
        };
        let message = format!(
            "the route `{name}` matches requests of another one, and neither is more specific"
        );
        let earlier = self.earlier(route, with);
        let finding = self.findings.error("conflicting_route", place, message);
        if let Some(first) = earlier {
            finding.note(first, "the other one");
        }
    }

    /// The place of the route with this path and the same method.
    fn earlier(&self, route: &mirror::Route, path: &str) -> Option<Place> {
        let method = &route.matches.value.method;
        let same = |other: &&mirror::Route| {
            other.matches.value.method == *method && other.matches.value.path == path
        };
        self.file.routes.iter().find(same).map(|other| other.matches.place)
    }
}
