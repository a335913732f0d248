//! Presets: what `use` brings into a configuration.
//!
//! A preset becomes part of the tree before anything is resolved, so what it says is checked, hashed and
//! reported as if the configuration had said it, at the preset's own file, line and column.
//!
//! Invariant: what the configuration says itself is never changed by a preset.

mod embedded;
mod merge;
mod part;
mod placing;

use std::path::Path;

use super::findings::{Finding, Findings};
use super::load;
use super::problem::Place;
use super::source::Source;
use super::tree::{self, Node};
use super::walk;
use part::items;
use placing::Placing;

pub use embedded::presets;

/// A preset that has been read.
struct Brought {
    /// How `use` names and places it.
    placing: Placing,
    /// What it says.
    root: Node,
}

/// Puts what the presets of `use` bring into a configuration's tree. What is wrong with them is noted.
pub(super) fn apply(root: &mut Node, base: &Path, findings: &mut Findings<'_>) {
    let wanted: Vec<_> = items(root, "use").iter().filter_map(Placing::read).collect();
    if wanted.is_empty() && !part::has(root, "routes") {
        missing("routes", findings)
            .help("write `routes`, or `use` a preset, as in `use: [apis/openai-chat.yaml]`");
    }
    if wanted.is_empty() && !part::has(root, "upstreams") {
        missing("upstreams", findings).help("`upstreams`: The services that do the work, by name.");
    }
    if findings.refused() {
        return;
    }
    let brought: Vec<_> =
        wanted.into_iter().filter_map(|placing| read(placing, base, findings)).collect();
    twice(&brought, findings);
    if !findings.refused() {
        merge::merge(root, brought, findings);
    }
}

fn missing<'f>(name: &str, findings: &'f mut Findings<'_>) -> Finding<'f> {
    let place = Place { line: 1, column: 1, width: 1, ..Place::default() };
    findings.error("missing_name", place, format!("the file needs `{name}`"))
}

/// The file of this path beside the configuration, or what is built in under it.
fn read(placing: Placing, base: &Path, findings: &mut Findings<'_>) -> Option<Brought> {
    let (name, place) = (&placing.preset, placing.place);
    let path = base.join(name);
    let (shown, text) = if path.exists() {
        match load::text(&path) {
            Ok(text) => (path.display().to_string(), text),
            Err(say) => {
                let message = format!("the preset `{name}` cannot be read: {say}");
                findings.error("unreadable", place, message);
                return None;
            }
        }
    } else if let Some(text) = embedded::preset(name) {
        (name.clone(), text.to_owned())
    } else {
        let known = presets().iter().map(|(known, _)| *known);
        let help = match walk::suggest(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`tollgate preset` lists what is built in".to_owned(),
        };
        let message = format!("there is no preset `{name}`, neither beside this file nor built in");
        findings.error("unknown_preset", place, message).help(help);
        return None;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let file = findings.open(Source::new(&shown, text));
    let mut root = tree::parse(text, file, findings)?;
    walk::walk(super::schema::of_preset(), &root, findings);
    placing.apply(&mut root, findings);
    Some(Brought { placing, root })
}

fn twice(brought: &[Brought], findings: &mut Findings<'_>) {
    for (index, one) in brought.iter().enumerate() {
        let (one, called) = (&one.placing, one.placing.called());
        let mut earlier = brought.iter().take(index).map(|earlier| &earlier.placing);
        let same = |earlier: &&Placing| earlier.preset == one.preset && earlier.called() == called;
        if let Some(earlier) = earlier.find(same) {
            let message = format!("the preset `{}` is used twice", one.preset);
            findings
                .error("duplicate_name", one.place, message)
                .note(earlier.place, "the first one")
                .help("give its names another beginning: { preset: …, as: other, prefix: /other }");
        }
    }
}
