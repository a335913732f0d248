//! The route table: which route a request is, or that it is none.
//!
//! Routes for the request's own host go first, then those for hosts below a longer and then a shorter name, then
//! those for any host; of one name those for the very port go first. Within these and one method a catch-all gets only
//! what nothing else matches; among the others text wins over a capture, in the first segment where they differ. A path
//! that a lenient server could take for another route than the one that matches here (other case, a slash at its end,
//! an encoded delimiter of a template) is no route at all, so that it cannot slip past a price.
//!
//! Invariant: the answer depends on the declared routes alone, not on their order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;
use matchit::{InsertError, Match, Router};

use super::host::{Host, HostPattern};
use super::path::{self, is_delimiter};
use super::settings::{Route, Rules};
use super::template::Template;
use crate::credit::Name;

/// Why a route cannot be in the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route {route}: {problem}")]
pub struct RouteError {
    /// The route.
    pub route: Name,
    /// What is wrong with it.
    pub problem: RouteProblem,
}

/// What is wrong with a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteProblem {
    /// A capture is not `{name}` or a last `{*name}`, or there are two in a segment or two of one name.
    #[error(
        "a path has at most one {{name}} in a segment, {{*name}} only as the last, each name once"
    )]
    Template,
    /// No request could ever have this path.
    #[error("no request can have this path: {0}")]
    Unmatchable(path::PathProblem),
    /// This route matches requests that it matches too, and neither is more specific.
    #[error("the path matches the same requests as that of route {0}")]
    Conflict(Name),
}

/// What a request is.
#[derive(Debug)]
pub enum Found<'a> {
    /// This route, with the captured parts of the path, as they stand in it.
    Route(&'a Arc<Route>, Vec<(String, String)>),
    /// The path is declared, but for other methods.
    OtherMethod,
    /// No route.
    None,
}

/// The routes, by host, method and path.
#[derive(Debug, Default)]
pub struct RouteTable {
    entries: Vec<Entry>,
    /// Those for some hosts, by the name under which their patterns stand.
    hosted: HashMap<String, Ports>,
    /// Those for any host.
    anywhere: Methods,
    /// Encoded forms of delimiters that some template has as literal text.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    route: Arc<Route>,
    names: Vec<String>,
    shape: String,
    folded: String,
}

/// The routes of one name.
#[derive(Debug, Default)]
struct Ports {
    /// Those for one port.
    one: HashMap<u16, Methods>,
    /// Those for any.
    any: Methods,
}

/// The routes of some hosts, by method.
type Methods = HashMap<Method, Paths>;

/// What the routes of some hosts and one method say of a path.
enum Seen<'a> {
    /// It is this one's.
    Route(&'a Entry, Vec<(String, String)>),
    /// A lenient server could take it for one of them, and it is none.
    Alike,
    /// It has nothing to do with them.
    Nothing,
}

/// The paths of one method.
#[derive(Debug, Default)]
struct Paths {
    exact: Tiers,
    folded: Tiers,
}

/// Templates without a catch-all and, apart from them, those with one, which the router would else refuse
/// beside a capture. Values are indexes of entries.
#[derive(Debug, Default)]
struct Tiers {
    plain: Router<usize>,
    rest: Router<usize>,
}

impl Tiers {
    fn insert(&mut self, shape: &str, index: usize) -> Result<(), InsertError> {
        let tier = if shape.contains("{*") { &mut self.rest } else { &mut self.plain };
        tier.insert(shape, index)
    }

    fn at<'p>(&self, path: &'p str) -> Option<Match<'_, 'p, &usize>> {
        self.plain.at(path).or_else(|_| self.rest.at(path)).ok()
    }
}

impl RouteTable {
    /// The table of these rules.
    ///
    /// # Errors
    /// Every route that cannot be in it.
    pub fn new(rules: &Rules) -> Result<Self, Vec<RouteError>> {
        let mut table = Self::default();
        let mut errors = Vec::new();
        for route in &rules.routes {
            if let Err(problem) = table.insert(route) {
                errors.push(RouteError { route: route.name.clone(), problem });
            }
        }
        if errors.is_empty() { Ok(table) } else { Err(errors) }
    }

    /// Whether it matters for which host a request is.
    #[must_use]
    pub fn has_hosts(&self) -> bool {
        !self.hosted.is_empty()
    }

    /// Which route `path` is, a path that `path::canonical` accepts. `host`: for which host it is asked; `None`: for
    /// none that a route could be for.
    #[must_use]
    pub fn find(&self, host: Option<&Host>, method: &Method, path: &str) -> Found<'_> {
        if path.contains('%') && self.refused.iter().any(|escape| path.contains(escape.as_str())) {
            return Found::None;
        }
        for methods in self.tiers(host) {
            match methods.get(method).map(|paths| self.find_in(paths, path)) {
                Some(Seen::Route(entry, captures)) => return Found::Route(&entry.route, captures),
                // What another host's routes say of it does not count: it must not slip past these.
                Some(Seen::Alike) => break,
                Some(Seen::Nothing) | None => {}
            }
        }
        let mut all = self.tiers(host).flat_map(HashMap::values);
        if all.any(|paths| matches!(self.find_in(paths, path), Seen::Route(..))) {
            return Found::OtherMethod;
        }
        Found::None
    }

    /// What the route of this name captures of a path, for whichever hosts it is; `None`: the path is not its own.
    #[must_use]
    pub fn captures(
        &self,
        name: &Name,
        method: &Method,
        path: &str,
    ) -> Option<Vec<(String, String)>> {
        let ports = self.hosted.values();
        let hosted = ports.flat_map(|ports| ports.one.values().chain([&ports.any]));
        let all = hosted.chain([&self.anywhere]).filter_map(|methods| methods.get(method));
        all.into_iter().find_map(|paths| match self.find_in(paths, path) {
            Seen::Route(entry, captures) if entry.route.name == *name => Some(captures),
            _ => None,
        })
    }

    /// The routes that may be a request's, those first that go first.
    fn tiers(&self, host: Option<&Host>) -> impl Iterator<Item = &Methods> {
        let host = host.filter(|_| self.has_hosts());
        let hosted = host.into_iter().flat_map(|host| {
            let named = host.names().filter_map(|name| self.hosted.get(name));
            named.flat_map(|ports| ports.one.get(&host.port()).into_iter().chain([&ports.any]))
        });
        hosted.chain([&self.anywhere])
    }

    fn find_in(&self, paths: &Paths, path: &str) -> Seen<'_> {
        let folded = fold(path);
        let lenient = || paths.folded.at(&folded);
        let matched = paths.exact.at(path);
        let entry = matched.as_ref().and_then(|matched| self.entries.get(*matched.value));
        let (Some(matched), Some(entry)) = (matched, entry) else {
            return if lenient().is_some() { Seen::Alike } else { Seen::Nothing };
        };
        let other = lenient().and_then(|lenient| self.entries.get(*lenient.value));
        if other.is_some_and(|other| other.folded != entry.folded) {
            return Seen::Alike;
        }
        let values = matched.params.iter().map(|(_, value)| value.to_owned());
        Seen::Route(entry, entry.names.iter().cloned().zip(values).collect())
    }

    fn insert(&mut self, route: &Arc<Route>) -> Result<(), RouteProblem> {
        let whole = format!("{}{}", route.prefix, route.path);
        let Template { shape, names, literals, example } =
            Template::parse(&whole).ok_or(RouteProblem::Template)?;
        path::canonical(&example).map_err(RouteProblem::Unmatchable)?;
        let folded = fold(&shape);
        let index = self.entries.len();
        let places = if route.hosts.is_empty() {
            vec![None]
        } else {
            route.hosts.iter().map(Some).collect()
        };
        for host in places {
            let inserted = self
                .methods(host)
                .entry(route.method.clone())
                .or_default()
                .insert(&shape, &folded, index);
            inserted.map_err(|error| self.conflict(host, &error))?;
        }
        let delimiters = literals.bytes().filter(|byte| is_delimiter(*byte));
        self.refused.extend(delimiters.map(|byte| format!("%{byte:02X}")));
        self.entries.push(Entry { route: Arc::clone(route), names, shape, folded });
        Ok(())
    }

    /// The routes of one pattern, or of any host.
    fn methods(&mut self, host: Option<&HostPattern>) -> &mut Methods {
        let Some(host) = host else { return &mut self.anywhere };
        let ports = self.hosted.entry(host.name().to_owned()).or_default();
        match host.port() {
            Some(port) => ports.one.entry(port).or_default(),
            None => &mut ports.any,
        }
    }

    fn conflict(&self, host: Option<&HostPattern>, error: &InsertError) -> RouteProblem {
        let InsertError::Conflict { with } = error else {
            return RouteProblem::Template;
        };
        let there = |entry: &&Entry| match host {
            Some(host) => entry.route.hosts.contains(host),
            None => entry.route.hosts.is_empty(),
        };
        let mut entries = self.entries.iter().filter(there);
        let other = entries.find(|entry| entry.shape == *with || entry.folded == *with);
        other.map_or(RouteProblem::Template, |other| {
            RouteProblem::Conflict(other.route.name.clone())
        })
    }
}

impl Paths {
    fn insert(&mut self, shape: &str, folded: &str, index: usize) -> Result<(), InsertError> {
        let exact = self.exact.insert(shape, index);
        // Routes that differ by case alone share the first one's place: each is meant as declared.
        let lenient = match self.folded.insert(folded, index) {
            Err(InsertError::Conflict { with }) if with == folded => Ok(()),
            result => result,
        };
        exact.and(lenient)
    }
}

/// A path as a server reads it that ignores case and a slash at the end.
fn fold(path: &str) -> String {
    let cut = path.strip_suffix('/').filter(|cut| !cut.is_empty());
    cut.unwrap_or(path).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Dialect, Ways, Work};

    fn rules(routes: &[(&str, &str, &str)]) -> Rules {
        let route = |(name, method, path): &(&str, &str, &str)| {
            Arc::new(Route {
                name: name.parse().unwrap(),
                feature: None,
                method: method.parse().unwrap(),
                path: (*path).to_owned(),
                prefix: String::new(),
                hosts: Vec::new(),
                upstream: 0,
                work: Work::Free,
                body_limit: 0,
                dialect: Dialect::Openai,
                identity: Ways::ALL,
                pass: false,
                websocket: None,
                touch: None,
                rewrite: Default::default(),
            })
        };
        Rules {
            packs: Vec::new(),
            free_accounts: 2,
            revision: String::new(),
            routes: routes.iter().map(route).collect(),
            jobs: Vec::new(),
            plans: Vec::new(),
            dialect: Dialect::Openai,
            identity: Default::default(),
        }
    }

    const ROUTES: &[(&str, &str, &str)] = &[
        ("rest", "POST", "/v1/{*rest}"),
        ("images", "POST", "/v1/images"),
        ("image", "POST", "/v1/images/{id}"),
        ("edits", "POST", "/v1/images/edits"),
        ("list", "GET", "/v1/images"),
        ("get", "GET", "/v1/images/{image}"),
        ("slash", "GET", "/v1/voices/"),
        ("google", "POST", "/v1beta/models/{model}:generateContent"),
        ("two", "PUT", "/a/{x}/b/{y}"),
    ];

    fn shown(table: &RouteTable, method: &str, path: &str) -> String {
        match table.find(None, &method.parse().unwrap(), path) {
            Found::Route(route, captures) => {
                let pairs = captures.iter().map(|(name, value)| format!(" {name}={value}"));
                format!("{}{}", route.name, pairs.collect::<String>())
            }
            Found::OtherMethod => "other method".to_owned(),
            Found::None => "none".to_owned(),
        }
    }

    #[test]
    fn most_specific_wins_whatever_the_order() {
        let mut reversed = ROUTES.to_vec();
        reversed.reverse();
        for table in [RouteTable::new(&rules(ROUTES)), RouteTable::new(&rules(&reversed))] {
            let table = table.unwrap();
            for (method, path, expected) in [
                ("POST", "/v1/images", "images"),
                ("POST", "/v1/images/edits", "edits"),
                ("POST", "/v1/images/7", "image id=7"),
                ("POST", "/v1/images/7/x", "rest rest=images/7/x"),
                ("POST", "/v1/audio", "rest rest=audio"),
                ("POST", "/v1/", "none"),
                ("POST", "/v1", "none"),
                ("POST", "/", "none"),
                ("GET", "/v1/images", "list"),
                ("GET", "/v1/images/7", "get image=7"),
                // Not declared for GET, so the capture has it.
                ("GET", "/v1/images/edits", "get image=edits"),
                ("GET", "/v1/images/", "none"),
                ("GET", "/v1/audio", "other method"),
                ("HEAD", "/v1/images", "other method"),
                ("OPTIONS", "/v1/images", "other method"),
                ("DELETE", "/v2", "none"),
                ("GET", "/v1/voices/", "slash"),
                ("GET", "/v1/voices", "other method"),
                ("PUT", "/a/1/b/2", "two x=1 y=2"),
                ("PUT", "/a//b/2", "none"),
                ("POST", "/v1beta/models/g-2.5:generateContent", "google model=g-2.5"),
                ("POST", "/v1beta/models/g-2.5:other", "none"),
                ("POST", "/v1beta/models/:generateContent", "none"),
                // What a lenient server takes for a route with another price.
                ("POST", "/v1/Images", "none"),
                ("POST", "/v1/IMAGES/7", "none"),
                ("POST", "/v1/images/", "none"),
                ("POST", "/v1/images/EDITS", "other method"),
                ("POST", "/v1/images/edits/", "none"),
                ("POST", "/v1beta/models/g%3AgenerateContent", "none"),
                ("POST", "/v1/images/21m00Tcm", "image id=21m00Tcm"),
                ("POST", "/v1/Audio/", "rest rest=Audio/"),
            ] {
                assert_eq!(shown(&table, method, path), expected, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_cannot_be_in_a_table() {
        for (path, problem) in [
            ("/v1/images", "the path matches the same requests as that of route one"),
            ("/x/{a}/{a}", "each name once"),
            ("/x/{a}{b}", "at most one"),
            ("/x/{*a}/b", "only as the last"),
            ("/x/a{*b}", "only as the last"),
            ("/x/{}", "at most one"),
            ("/x/{a", "at most one"),
            ("/x/a}", "at most one"),
            ("x", "at most one"),
            ("", "at most one"),
            ("/x//y", "empty segment"),
            ("/x/../y", "ends with a dot"),
            ("/x/a b", "must be percent-encoded"),
            ("/x/%61", "needs no encoding"),
        ] {
            let errors =
                RouteTable::new(&rules(&[("one", "POST", "/v1/images"), ("two", "POST", path)]));
            let errors = errors.unwrap_err();
            assert_eq!(errors.len(), 1, "{path}");
            assert_eq!(errors[0].route.as_str(), "two");
            assert!(errors[0].to_string().contains(problem), "{path}: {}", errors[0]);
        }
        let both = rules(&[("one", "GET", "/x/{a}"), ("two", "GET", "/x/{b}")]);
        assert!(RouteTable::new(&both).is_err());
        // Case and a slash make other paths; who declares both means both.
        let both = rules(&[("one", "GET", "/x"), ("two", "GET", "/X"), ("three", "GET", "/x/")]);
        let table = RouteTable::new(&both).unwrap();
        for (path, name) in [("/x", "one"), ("/X", "two"), ("/x/", "three"), ("/X/", "none")] {
            assert_eq!(shown(&table, "GET", path), name);
        }
    }
}
