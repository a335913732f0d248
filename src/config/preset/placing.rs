//! Where a preset stands in this gateway: below a path, at hosts, under names of its own.
//!
//! Invariant: a preset that is placed says nothing else than before but where it stands and what it is called.

use super::part::{entries_mut, get, items_mut, put, scalar, scalar_mut, scalars};
use crate::config::findings::Findings;
use crate::config::problem::Place;
use crate::config::tree::{Node, Yaml};
use crate::credit::Name;

/// Members of a route that name something of the preset.
const NAMES: [&str; 8] =
    ["name", "upstream", "price", "job", "polls", "fetches", "cancels", "file_of"];

/// An entry of `use`.
pub(super) struct Placing {
    /// The preset's path.
    pub(super) preset: String,
    /// Where that stands.
    pub(super) place: Place,
    prefix: Option<(String, Place)>,
    hosts: Vec<(String, Place)>,
    name: Option<(String, Place)>,
}

impl Placing {
    /// What one entry says; `None`: nothing that the schema knows.
    pub(super) fn read(entry: &Node) -> Option<Self> {
        if let Yaml::Scalar { text, .. } = &entry.value {
            let (preset, place) = (text.clone(), entry.place);
            return Some(Self { preset, place, prefix: None, hosts: Vec::new(), name: None });
        }
        let own = |(text, place): (&str, Place)| (text.to_owned(), place);
        let (preset, place) = scalar(entry, "preset").map(own)?;
        let prefix = scalar(entry, "prefix").map(own);
        let name = scalar(entry, "as").map(own);
        Some(Self { preset, place, prefix, hosts: scalars(entry, "hosts"), name })
    }

    /// What its names begin with; perhaps nothing.
    pub(super) fn called(&self) -> &str {
        self.name.as_ref().map_or("", |(name, _)| name)
    }

    /// Puts a preset where it is to stand.
    pub(super) fn apply(&self, preset: &mut Node, findings: &mut Findings<'_>) {
        if let Some((name, place)) = &self.name {
            rename(preset, (name, *place), findings);
        }
        for route in items_mut(preset, "routes") {
            if let Some((prefix, place)) = &self.prefix {
                let own = scalar(route, "prefix").map_or("", |(text, _)| text);
                let text = format!("{prefix}{own}");
                put(route, "prefix", *place, Yaml::Scalar { text, plain: true });
            }
            if let Some((_, first)) = self.hosts.first() {
                let host = |(text, place): &(String, Place)| {
                    let value = Yaml::Scalar { text: text.clone(), plain: true };
                    Node { place: *place, value }
                };
                put(route, "hosts", *first, Yaml::List(self.hosts.iter().map(host).collect()));
            }
        }
    }
}

/// Puts a name before every name that the preset gives or refers to.
fn rename(preset: &mut Node, (before, place): (&str, Place), findings: &mut Findings<'_>) {
    let mut sound = true;
    let mut renamed = |name: &mut String| {
        *name = format!("{before}-{name}");
        if name.parse::<Name>().is_err() && std::mem::take(&mut sound) {
            let message = format!("with this before it a name of the preset becomes `{name}`");
            findings
                .error("malformed", place, message)
                .help("a name has at most 128 characters: write a shorter one");
        }
    };
    for list in ["wants", "prices"] {
        entries_mut(preset, list).iter_mut().for_each(|entry| renamed(&mut entry.name));
    }
    for job in items_mut(preset, "jobs") {
        scalar_mut(job, "name").into_iter().for_each(&mut renamed);
    }
    for route in items_mut(preset, "routes") {
        for member in NAMES {
            scalar_mut(route, member).into_iter().for_each(&mut renamed);
        }
    }
    debug_assert!(get(preset, "routes").is_some(), "the schema says that a preset has routes");
}
