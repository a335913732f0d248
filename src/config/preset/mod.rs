//! Presets: what `use` brings into a configuration.
//!
//! A preset becomes part of the tree before anything is resolved, so what it says is checked, hashed and
//! reported as if the configuration had said it, at the preset's own file, line and column.
//!
//! Invariant: what the configuration says itself is never changed by a preset.

mod embedded;
mod merge;
mod part;

use std::path::Path;

use super::findings::Findings;
use super::load;
use super::problem::Place;
use super::source::Source;
use super::tree::{self, Node};
use super::walk;
use part::scalars;

pub use embedded::presets;

/// A preset that has been read.
struct Brought {
    /// As `use` named it.
    name: String,
    /// Where it did.
    place: Place,
    /// What it says.
    root: Node,
}

/// Puts what the presets of `use` bring into a configuration's tree. What is wrong with them is noted.
pub(super) fn apply(root: &mut Node, base: &Path, findings: &mut Findings<'_>) {
    let wanted = scalars(root, "use");
    if wanted.is_empty() && !part::has(root, "routes") {
        let place = Place { line: 1, column: 1, width: 1, ..Place::default() };
        let finding = findings.error("missing_name", place, "the file needs `routes`");
        finding.help("write `routes`, or `use` a preset, as in `use: [apis/openai-chat.yaml]`");
        return;
    }
    let brought: Vec<_> =
        wanted.into_iter().filter_map(|(name, place)| read(name, place, base, findings)).collect();
    twice(&brought, findings);
    if !findings.refused() {
        merge::merge(root, brought, findings);
    }
}

/// The file of this path beside the configuration, or what is built in under it.
fn read(name: String, place: Place, base: &Path, findings: &mut Findings<'_>) -> Option<Brought> {
    let path = base.join(&name);
    let (shown, text) = if path.exists() {
        match load::text(&path) {
            Ok(text) => (path.display().to_string(), text),
            Err(say) => {
                let message = format!("the preset `{name}` cannot be read: {say}");
                findings.error("unreadable", place, message);
                return None;
            }
        }
    } else if let Some(text) = embedded::preset(&name) {
        (name.clone(), text.to_owned())
    } else {
        let known = presets().iter().map(|(known, _)| *known);
        let help = match walk::suggest(&name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`tollgate preset` lists what is built in".to_owned(),
        };
        let message = format!("there is no preset `{name}`, neither beside this file nor built in");
        findings.error("unknown_preset", place, message).help(help);
        return None;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let file = findings.open(Source::new(&shown, text));
    let root = tree::parse(text, file, findings)?;
    walk::walk(super::schema::of_preset(), &root, findings);
    Some(Brought { name, place, root })
}

fn twice(brought: &[Brought], findings: &mut Findings<'_>) {
    for (index, one) in brought.iter().enumerate() {
        let earlier = brought.iter().take(index).find(|earlier| earlier.name == one.name);
        if let Some(earlier) = earlier {
            let message = format!("the preset `{}` is used twice", one.name);
            findings
                .error("duplicate_name", one.place, message)
                .note(earlier.place, "the first one");
        }
    }
}
