//! From what is written to what it means: every error of meaning, at once.
//!
//! Invariant: goes on after an error, with a stand-in that is never served: one error hides no other.

mod across;
mod admin;
mod allowance;
mod conflict;
mod coverage;
mod elsewhere;
mod extract;
mod identity;
mod issuer;
mod job;
mod length;
mod outcome;
mod pack;
mod plan;
mod price;
mod quantity;
mod receiver;
mod rights;
mod route;
mod secret;
mod server;
mod store;
mod stream;
mod table;
mod tls;
mod told;
mod unused;
mod upstream;
mod websocket;

use std::path::Path;
use std::sync::Arc;

use super::defaults;
use super::environment::Environment;
use super::findings::Findings;
use super::format::Millis;
use super::mirror::File;
use super::placed::At;
use super::problem::Place;
use super::settings::Settings;
use super::walk::suggest;
use crate::credit::Name;
use crate::meter::Rules;

/// What a file means. `None`: the findings say why not.
pub(super) fn resolve(
    file: &File,
    revision: String,
    base: &Path,
    environment: &dyn Environment,
    findings: &mut Findings<'_>,
) -> Option<Settings> {
    let mut resolver = Resolver { file, base, environment, findings };
    let settings = resolver.settings(revision);
    if findings.refused() { None } else { settings }
}

struct Resolver<'a, 'f> {
    file: &'a File,
    /// The folder at which relative paths begin.
    base: &'a Path,
    environment: &'a dyn Environment,
    findings: &'a mut Findings<'f>,
}

impl Resolver<'_, '_> {
    fn settings(&mut self, revision: String) -> Option<Settings> {
        let store = self.store();
        let proxy_protocol = self.proxy_protocol();
        let tls = self.listener_tls(self.file.tls.as_ref());
        let admin = self.admin();
        let proxy = self.proxy();
        let prices = self.prices();
        let plans = self.plans();
        self.across();
        let jobs = self.jobs();
        let routes = self.routes(&prices, &jobs);
        self.tables();
        self.unused();
        let identity = self.identity();
        let dialect = self.dialect();
        let packs = self.packs();
        let free = self.file.free_accounts_per_person.as_ref();
        let free_accounts = or(free, defaults::FREE_ACCOUNTS);
        let rules = Rules {
            revision,
            routes,
            jobs: jobs.into_iter().flatten().collect(),
            plans,
            identity: identity?,
            dialect,
            packs,
            free_accounts,
        };
        Some(Settings {
            listen: or(self.file.listen.as_ref(), defaults::LISTEN),
            tls: tls?,
            proxy_protocol,
            cores: self.cores(),
            store: store?,
            admin: admin?,
            rules: Arc::new(rules),
            proxy: Arc::new(proxy?),
        })
    }

    /// Milliseconds of at most `most`.
    fn millis(&mut self, at: Option<&At<Millis>>, default: u64, most: Millis) -> u64 {
        let Some(at) = at else { return default };
        if at.value.0 > most.0 {
            let message = format!("a duration of at most {} is wanted here", shown(most));
            self.findings.error("out_of_range", at.place, message);
        }
        at.value.0
    }

    /// Notes that a list has the same name twice.
    fn once<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n At<Name>>) {
        let mut seen: std::collections::HashMap<&Name, Place> = std::collections::HashMap::new();
        for at in names {
            match seen.get(&at.value) {
                Some(first) => {
                    let message = format!("there are two {what} called `{}`", at.value);
                    self.findings
                        .error("duplicate_name", at.place, message)
                        .note(*first, "the first one");
                }
                None => {
                    seen.insert(&at.value, at.place);
                }
            }
        }
    }

    /// Notes that a name refers to nothing.
    fn unknown<'n>(
        &mut self,
        code: &'static str,
        what: &str,
        at: &At<Name>,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        let message = format!("there is no {what} called `{}`", at.value);
        let help = self::help(at.value.as_str(), known, what);
        self.findings.error(code, at.place, message).help(help);
    }
}

/// "Did you mean", or which there are.
fn help<'n>(written: &str, known: impl Iterator<Item = &'n str> + Clone, what: &str) -> String {
    /// The most names that are listed.
    const LISTED_MAX: usize = 12;
    if let Some(meant) = suggest(written, known.clone()) {
        return format!("did you mean `{meant}`?");
    }
    let names: Vec<String> =
        known.clone().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    let more = if known.count() > LISTED_MAX { ", …" } else { "" };
    if names.is_empty() {
        format!("no {what} is declared")
    } else {
        format!("there is: {}{more}", names.join(", "))
    }
}

/// What was written, or what holds without it.
fn or<T: Clone>(at: Option<&At<T>>, default: T) -> T {
    at.map_or(default, |at| at.value.clone())
}

/// What was written in a list of names.
fn values(names: &[At<Name>]) -> Vec<Name> {
    names.iter().map(|at| at.value.clone()).collect()
}

fn shown(Millis(ms): Millis) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(factor, _)| ms.is_multiple_of(*factor));
    unit.map_or(format!("{ms}ms"), |(factor, unit)| format!("{}{unit}", ms / factor))
}
