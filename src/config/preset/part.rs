//! Parts of a tree by their names.

use crate::config::problem::Place;
use crate::config::tree::{Entry, Node, Yaml};

/// Whether a mapping has this name.
pub(super) fn has(root: &Node, name: &str) -> bool {
    get(root, name).is_some()
}

/// What stands under a name of a mapping.
pub(super) fn get<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    let Yaml::Map(entries) = &root.value else { return None };
    entries.iter().find(|entry| entry.name == name).map(|entry| &entry.node)
}

/// The scalar under a name of a mapping.
pub(super) fn scalar<'a>(root: &'a Node, name: &str) -> Option<(&'a str, Place)> {
    match get(root, name)? {
        Node { value: Yaml::Scalar { text, .. }, place } => Some((text, *place)),
        _ => None,
    }
}

/// The scalars of the list under a name, with their places.
pub(super) fn scalars(root: &Node, name: &str) -> Vec<(String, Place)> {
    let Some(Node { value: Yaml::List(nodes), .. }) = get(root, name) else { return Vec::new() };
    let scalar = |node: &Node| match &node.value {
        Yaml::Scalar { text, .. } => Some((text.clone(), node.place)),
        _ => None,
    };
    nodes.iter().filter_map(scalar).collect()
}

/// The scalar under a name of a mapping, to be changed.
pub(super) fn scalar_mut<'a>(root: &'a mut Node, name: &str) -> Option<&'a mut String> {
    let Yaml::Map(entries) = &mut root.value else { return None };
    let entry = entries.iter_mut().find(|entry| entry.name == name)?;
    match &mut entry.node.value {
        Yaml::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// The items of the list under a name, to be changed.
pub(super) fn items_mut<'a>(root: &'a mut Node, name: &str) -> &'a mut [Node] {
    let Yaml::Map(entries) = &mut root.value else { return &mut [] };
    match entries.iter_mut().find(|entry| entry.name == name) {
        Some(Entry { node: Node { value: Yaml::List(nodes), .. }, .. }) => nodes,
        _ => &mut [],
    }
}

/// The entries of the mapping under a name, to be changed.
pub(super) fn entries_mut<'a>(root: &'a mut Node, name: &str) -> &'a mut [Entry] {
    let Yaml::Map(entries) = &mut root.value else { return &mut [] };
    match entries.iter_mut().find(|entry| entry.name == name) {
        Some(Entry { node: Node { value: Yaml::Map(entries), .. }, .. }) => entries,
        _ => &mut [],
    }
}

/// Puts a value under a name of a mapping, in the place of what may stand there.
pub(super) fn put(root: &mut Node, name: &str, place: Place, value: Yaml) {
    let Yaml::Map(entries) = &mut root.value else { return };
    entries.retain(|entry| entry.name != name);
    let node = Node { place, value };
    entries.push(Entry { name: name.to_owned(), place, node });
}

/// The items of the list under a name.
pub(super) fn items<'a>(root: &'a Node, name: &str) -> &'a [Node] {
    match get(root, name) {
        Some(Node { value: Yaml::List(nodes), .. }) => nodes,
        _ => &[],
    }
}

/// The entries of the mapping under a name.
pub(super) fn entries<'a>(root: &'a Node, name: &str) -> &'a [Entry] {
    match get(root, name) {
        Some(Node { value: Yaml::Map(entries), .. }) => entries,
        _ => &[],
    }
}

/// Takes the items of the list under a name out of a mapping.
pub(super) fn take_items(root: &mut Node, name: &str) -> Vec<Node> {
    match take(root, name) {
        Some(Yaml::List(nodes)) => nodes,
        _ => Vec::new(),
    }
}

/// Takes the entries of the mapping under a name out of a mapping.
pub(super) fn take_entries(root: &mut Node, name: &str) -> Vec<Entry> {
    match take(root, name) {
        Some(Yaml::Map(entries)) => entries,
        _ => Vec::new(),
    }
}

fn take(root: &mut Node, name: &str) -> Option<Yaml> {
    let Yaml::Map(entries) = &mut root.value else { return None };
    let at = entries.iter().position(|entry| entry.name == name)?;
    Some(entries.remove(at).node.value)
}

/// Adds items to the list under a name of a mapping, which is made if it is not there.
pub(super) fn add_items(root: &mut Node, name: &str, items: Vec<Node>) {
    let Some(first) = items.first().map(|item| item.place) else { return };
    match under(root, name, first, Yaml::List(Vec::new())) {
        Some(Yaml::List(nodes)) => nodes.extend(items),
        _ => debug_assert!(false, "the schema says that `{name}` is a list"),
    }
}

/// Adds entries to the mapping under a name of a mapping, which is made if it is not there.
pub(super) fn add_entries(root: &mut Node, name: &str, more: Vec<Entry>) {
    let Some(first) = more.first().map(|entry| entry.place) else { return };
    match under(root, name, first, Yaml::Map(Vec::new())) {
        Some(Yaml::Map(entries)) => entries.extend(more),
        _ => debug_assert!(false, "the schema says that `{name}` is a mapping"),
    }
}

fn under<'a>(root: &'a mut Node, name: &str, place: Place, empty: Yaml) -> Option<&'a mut Yaml> {
    let Yaml::Map(entries) = &mut root.value else { return None };
    let at = entries.iter().position(|entry| entry.name == name).unwrap_or(entries.len());
    if at == entries.len() {
        let node = Node { place, value: empty };
        entries.push(Entry { name: name.to_owned(), place, node });
    }
    entries.get_mut(at).map(|entry| &mut entry.node.value)
}
