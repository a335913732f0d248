//! Choices: one of some words or a text, or a mapping with one of some names; or a whole mapping, alone or in a list.

use serde_json::Value;

use super::scalar::is_null;
use super::{Object, Spot, Walk, accepts, expected, quoted, start, strings, suggest, title};
use crate::config::format;
use crate::config::problem::Place;
use crate::config::tree::{Entry, Node, Yaml};

impl Walk<'_, '_> {
    /// `choices` are what the mirror's enumerations become: words, and mappings with a single name. What is
    /// written where a `secret` may stand is never quoted.
    pub(super) fn choice(
        &mut self,
        choices: &'static [Value],
        node: &Node,
        spot: Spot<'_>,
        secret: bool,
    ) {
        match &node.value {
            Yaml::Scalar { text, plain } if is_null(text, *plain) => {
                let message = format!("{} has no value", title(spot.name));
                let help = format!("it must be {}", wanted(choices));
                self.findings.error("no_value", spot.place, message).help(help);
            }
            Yaml::Scalar { text, plain } => match free_text(choices) {
                Some(schema) => self.scalar(schema, (text, *plain), node.place, spot),
                None if words(choices).any(|word| word == text) => {}
                None if secret => {
                    let message = format!("{} must be {}", title(spot.name), wanted(choices));
                    self.findings.error("wrong_type", node.place, message);
                }
                None => self.word(choices, text, node.place, spot),
            },
            Yaml::Map(entries) => match self.one_of_type(choices, "object") {
                Some(schema) => self.object(schema, entries, spot),
                None => self.tagged(choices, entries, spot),
            },
            Yaml::List(nodes) => match self.one_of_type(choices, "array") {
                Some(schema) => self.list(schema, nodes, spot),
                None => {
                    let message =
                        format!("{} must be {}, not a list", title(spot.name), wanted(choices));
                    self.findings.error("wrong_type", start(node), message);
                }
            },
        }
    }

    /// The choice that is a list, or a mapping with all its names and not one of some.
    fn one_of_type(&self, choices: &'static [Value], kind: &str) -> Option<&'static Object> {
        let choices = choices.iter().filter(|choice| !is_tag(choice));
        choices.filter_map(|choice| self.follow(choice)).find(|schema| accepts(schema, kind))
    }

    fn word(&mut self, choices: &'static [Value], text: &str, place: Place, spot: Spot<'_>) {
        if words(choices).next().is_none() {
            let message = format!("{} must be {}", title(spot.name), wanted(choices));
            self.findings.error("wrong_type", place, message);
            return;
        }
        let help = suggest(text, words(choices)).map(|meant| format!("did you mean `{meant}`?"));
        let message = match text {
            "" => format!("{} must be {}", title(spot.name), wanted(choices)),
            _ => format!("{} must be {}, not `{text}`", title(spot.name), wanted(choices)),
        };
        self.findings.error("not_one_of", place, message).maybe_help(help.as_deref());
    }

    fn tagged(&mut self, choices: &'static [Value], entries: &[Entry], spot: Spot<'_>) {
        let [entry] = entries else {
            let place = entries.get(1).map_or(spot.place, |entry| entry.place);
            let (name, many) = (title(spot.name), entries.len());
            let message = format!("{name} has {many} names and must be {}", wanted(choices));
            self.findings.error("not_one_of", place, message);
            return;
        };
        match tags(choices).find(|(name, _)| *name == entry.name) {
            Some((_, schema)) => {
                let inner = Spot { name: &entry.name, place: entry.place };
                self.node(schema, &entry.node, inner);
            }
            None => {
                let names = tags(choices).map(|(name, _)| name);
                let help = match suggest(&entry.name, names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it must be {}", wanted(choices)),
                };
                let message = format!("unknown name `{}` in {}", entry.name, title(spot.name));
                self.findings.error("unknown_name", entry.place, message).help(help);
            }
        }
    }
}

/// Whether a node is a mapping with exactly one name, a known one.
pub(super) fn names_one(choices: &'static [Value], node: &Node) -> bool {
    match &node.value {
        Yaml::Map(entries) => match entries.as_slice() {
            [entry] => tags(choices).any(|(name, _)| name == entry.name),
            _ => false,
        },
        _ => false,
    }
}

/// The schema of a text that is no word of a list.
fn free_text(choices: &'static [Value]) -> Option<&'static Object> {
    choices.iter().filter_map(Value::as_object).find(|choice| choice.contains_key("format"))
}

/// Whether a node is such a text, and has no place for a password.
pub(super) fn is_open(choices: &'static [Value], node: &Node) -> bool {
    let Some(Value::String(format)) = free_text(choices).and_then(|text| text.get("format")) else {
        return false;
    };
    match &node.value {
        Yaml::Scalar { text, .. } => !text.contains('@') && format::check(format, text).is_ok(),
        _ => false,
    }
}

/// The words that may be written.
fn words(choices: &'static [Value]) -> impl Iterator<Item = &'static str> {
    choices.iter().flat_map(|choice| {
        let listed = choice.get("enum").and_then(Value::as_array).into_iter().flatten();
        choice.get("const").into_iter().chain(listed).filter_map(Value::as_str)
    })
}

/// The names that may be written, and what stands behind each.
fn tags(choices: &'static [Value]) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let properties = |choice: &'static Value| choice.get("properties").and_then(Value::as_object);
    choices
        .iter()
        .filter(|choice| is_tag(choice))
        .filter_map(properties)
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

/// Whether a choice is a mapping with a single name.
fn is_tag(choice: &Value) -> bool {
    let properties = choice.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| properties.len() == 1)
}

/// A choice that is a whole mapping or a list, in words.
fn of_whole(choice: &'static Value) -> Option<String> {
    if choice.get("$ref").is_some() {
        return Some("a mapping".to_owned());
    }
    if choice.get("items").is_some() {
        return Some("a list".to_owned());
    }
    choice.get("properties").filter(|_| !is_tag(choice))?;
    let first = strings(choice.get("required")).next()?;
    Some(format!("`{{ {first}: … }}`"))
}

/// What may be written, in words.
fn wanted(choices: &'static [Value]) -> String {
    let tags = tags(choices).map(|(name, _)| format!("`{{ {name}: … }}`"));
    let tags: Vec<String> = tags.chain(choices.iter().filter_map(of_whole)).collect();
    if let Some(text) = free_text(choices) {
        return format!("{} or {}", expected(text), tags.join(" or "));
    }
    let words = quoted(words(choices));
    match (words.is_empty(), tags.is_empty()) {
        (false, true) => format!("one of {words}"),
        (true, _) => tags.join(" or "),
        (false, false) => format!("one of {words} or {}", tags.join(" or ")),
    }
}
