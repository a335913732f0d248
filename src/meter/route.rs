//! The route table: which route a request is, or that it is none.
//!
//! Within one method a catch-all gets only what nothing else matches; among the others text wins over a
//! capture, in the first segment where they differ. A path that a lenient
//! server could take for another route than the one that matches here (other case, a slash at its end, an
//! encoded delimiter of a template) is no route at all, so that it cannot slip past a price.
//!
//! Invariant: the answer depends on the declared routes alone, not on their order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;
use matchit::{InsertError, Match, Router};

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

/// The routes, by method and path.
#[derive(Debug, Default)]
pub struct RouteTable {
    entries: Vec<Entry>,
    methods: HashMap<Method, Paths>,
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

    /// Which route `path` is, a path that `path::canonical` accepts.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Found<'_> {
        if path.contains('%') && self.refused.iter().any(|escape| path.contains(escape.as_str())) {
            return Found::None;
        }
        let found = self.methods.get(method).and_then(|paths| self.find_in(paths, path));
        match found {
            Some((entry, captures)) => Found::Route(&entry.route, captures),
            None if self.methods.values().any(|paths| self.find_in(paths, path).is_some()) => {
                Found::OtherMethod
            }
            None => Found::None,
        }
    }

    fn find_in(&self, paths: &Paths, path: &str) -> Option<(&Entry, Vec<(String, String)>)> {
        let matched = paths.exact.at(path)?;
        let entry = self.entries.get(*matched.value)?;
        let folded = fold(path);
        let lenient = paths.folded.at(&folded);
        let other = lenient.and_then(|lenient| self.entries.get(*lenient.value));
        if other.is_some_and(|other| other.folded != entry.folded) {
            return None;
        }
        let values = matched.params.iter().map(|(_, value)| value.to_owned());
        Some((entry, entry.names.iter().cloned().zip(values).collect()))
    }

    fn insert(&mut self, route: &Arc<Route>) -> Result<(), RouteProblem> {
        let Template { shape, names, literals, example } =
            Template::parse(&route.path).ok_or(RouteProblem::Template)?;
        path::canonical(&example).map_err(RouteProblem::Unmatchable)?;
        let folded = fold(&shape);
        let index = self.entries.len();
        let paths = self.methods.entry(route.method.clone()).or_default();
        let exact = paths.exact.insert(&shape, index);
        // Routes that differ by case alone share the first one's place: each is meant as declared.
        let lenient = match paths.folded.insert(&folded, index) {
            Err(InsertError::Conflict { with }) if with == folded => Ok(()),
            result => result,
        };
        exact.and(lenient).map_err(|error| self.conflict(&error))?;
        let delimiters = literals.bytes().filter(|byte| is_delimiter(*byte));
        self.refused.extend(delimiters.map(|byte| format!("%{byte:02X}")));
        self.entries.push(Entry { route: Arc::clone(route), names, shape, folded });
        Ok(())
    }

    fn conflict(&self, error: &InsertError) -> RouteProblem {
        let InsertError::Conflict { with } = error else {
            return RouteProblem::Template;
        };
        let other = self.entries.iter().find(|entry| entry.shape == *with || entry.folded == *with);
        other.map_or(RouteProblem::Template, |other| {
            RouteProblem::Conflict(other.route.name.clone())
        })
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
                upstream: 0,
                work: Work::Free,
                body_limit: 0,
                dialect: Dialect::Openai,
                identity: Ways::ALL,
                pass: false,
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
        match table.find(&method.parse().unwrap(), path) {
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
