//! The tree against the schema: every error of shape, at once.
//!
//! Invariant: what passes here can be read into the mirror; the schema is the only list of names and types.
//! It reads the words of JSON Schema that the mirror's types emit, and no others.

mod choice;
mod object;
mod scalar;
mod suggest;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::problem::Place;
use super::tree::{Node, Yaml};
pub(super) use suggest::suggest;

/// Checks a tree against the schema of a whole file.
pub(super) fn walk(schema: &'static Value, root: &Node, findings: &mut Findings<'_>) {
    let mut walk = Walk { root: schema, findings };
    let place = Place { width: 1, ..root.place };
    walk.node(schema, root, Spot { name: "the file", place });
}

struct Walk<'a, 'f> {
    root: &'static Value,
    findings: &'a mut Findings<'f>,
}

/// What is being looked at, for messages.
#[derive(Clone, Copy)]
struct Spot<'a> {
    /// Its name.
    name: &'a str,
    /// Where its name stands, or where it begins.
    place: Place,
}

/// An object of the schema; an empty one where there is none.
type Object = Map<String, Value>;

impl Walk<'_, '_> {
    fn node(&mut self, schema: &'static Value, node: &Node, spot: Spot<'_>) {
        let Some(schema) = self.follow(schema) else { return };
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            let shown = choice::names_one(choices, node) || choice::is_open(choices, node);
            if schema.contains_key("writeOnly") && !shown {
                self.veil(node);
            }
            let secret = schema.contains_key("writeOnly");
            return self.choice(choices, node, spot, secret);
        }
        match &node.value {
            Yaml::Map(entries) if accepts(schema, "object") => self.object(schema, entries, spot),
            Yaml::List(nodes) if accepts(schema, "array") => self.list(schema, nodes, spot),
            Yaml::Scalar { text, plain } => self.scalar(schema, (text, *plain), node.place, spot),
            _ => self.wrong_type(schema, node, spot),
        }
    }

    /// The object that a schema is or refers to.
    fn follow(&self, schema: &'static Value) -> Option<&'static Object> {
        let object = schema.as_object()?;
        match object.get("$ref").and_then(Value::as_str) {
            Some(name) => self.root.pointer(name.strip_prefix('#')?)?.as_object(),
            None => Some(object),
        }
    }

    fn list(&mut self, schema: &'static Object, nodes: &[Node], spot: Spot<'_>) {
        let bound = |name| {
            schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
        };
        if let Some(least) = bound("minItems").filter(|least| nodes.len() < *least) {
            let message = match nodes.len() {
                0 => format!("`{}` is empty: at least {least} is needed", spot.name),
                many => format!("`{}` has {many} of at least {least} items", spot.name),
            };
            self.findings.error("too_few", spot.place, message);
        }
        if let Some(most) = bound("maxItems").filter(|most| nodes.len() > *most) {
            self.findings.error(
                "too_many",
                spot.place,
                format!("`{}` has {} items: at most {most} are read", spot.name, nodes.len()),
            );
        }
        let Some(items) = schema.get("items") else { return };
        let item = format!("an item of `{}`", spot.name);
        for node in nodes {
            if self.findings.full() {
                return;
            }
            self.node(items, node, Spot { name: &item, place: start(node) });
        }
    }

    fn wrong_type(&mut self, schema: &'static Object, node: &Node, spot: Spot<'_>) {
        let message = format!(
            "{} must be {}, not {}",
            title(spot.name),
            expected(schema),
            scalar::found(node)
        );
        self.findings.error("wrong_type", start(node), message);
    }

    /// Keeps every scalar of a node out of the report.
    fn veil(&mut self, node: &Node) {
        match &node.value {
            Yaml::Scalar { .. } => self.findings.veil(node.place),
            Yaml::List(nodes) => nodes.iter().for_each(|node| self.veil(node)),
            Yaml::Map(entries) => entries.iter().for_each(|entry| self.veil(&entry.node)),
        }
    }
}

/// Where a node begins, as one character for lists and mappings.
fn start(node: &Node) -> Place {
    match &node.value {
        Yaml::Scalar { .. } => node.place,
        Yaml::Map(entries) => entries.first().map_or(node.place, |entry| entry.place),
        Yaml::List(_) => Place { width: 1, ..node.place },
    }
}

/// How a name is put into a sentence.
fn title(name: &str) -> String {
    if name.contains(' ') { name.to_owned() } else { format!("`{name}`") }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The types that a schema names.
fn types(schema: &'static Object) -> Vec<&'static str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        several => strings(several).collect(),
    }
}

fn strings(value: Option<&'static Value>) -> impl Iterator<Item = &'static str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn accepts(schema: &'static Object, name: &str) -> bool {
    types(schema).contains(&name)
}

/// What a schema wants, in words.
fn expected(schema: &'static Object) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    if let Some(format) = format.filter(|format| *format != "testable") {
        if format == "money" {
            return "an amount and a currency".to_owned();
        }
        let article = if format.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        let name = match format {
            "url" => "URL",
            "asked-host" => "host",
            "base-path" => "path",
            "redis-url" => "Redis URL",
            other => other,
        };
        return format!("{article} {name}");
    }
    let word = |name: &str| match name {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "null",
    };
    types(schema).into_iter().map(word).collect::<Vec<_>>().join(" or ")
}
