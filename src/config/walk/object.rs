//! Mappings: names that are known, unknown, missing or chosen by the file's author.

use serde_json::Value;

use super::{Object, Spot, Walk, quoted, strings, suggest, title};
use crate::config::format;
use crate::config::source::secretive;
use crate::config::tree::Entry;

impl Walk<'_, '_> {
    pub(super) fn object(&mut self, schema: &'static Object, entries: &[Entry], spot: Spot<'_>) {
        let known = schema.get("properties").and_then(Value::as_object);
        let other = schema.get("additionalProperties").filter(|other| other.is_object());
        let mut meant: Vec<&str> = Vec::new();
        for entry in entries {
            if self.findings.full() {
                return;
            }
            let inner = Spot { name: &entry.name, place: entry.place };
            match (known.and_then(|known| known.get(&entry.name)), other) {
                (Some(schema), _) => self.node(schema, &entry.node, inner),
                (None, Some(other)) => {
                    self.name(schema, entry);
                    self.node(other, &entry.node, inner);
                }
                (None, None) => meant.extend(self.unknown(known, entry, spot)),
            }
        }
        for name in strings(schema.get("required")) {
            if !entries.iter().any(|entry| entry.name == name) && !meant.contains(&name) {
                self.missing(schema, name, spot);
            }
        }
        let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        if u64::try_from(entries.len()).is_ok_and(|length| length < least) {
            self.findings.error(
                "too_few",
                spot.place,
                format!("`{}` is empty: at least {least} is needed", spot.name),
            );
        }
    }

    /// A name that the file's author has chosen.
    fn name(&mut self, schema: &'static Object, entry: &Entry) {
        let format = schema
            .get("propertyNames")
            .and_then(|names| names.get("format"))
            .and_then(Value::as_str);
        if let Some(Err(say)) = format.map(|format| format::check(format, &entry.name)) {
            self.findings.error(
                "malformed",
                entry.place,
                format!("`{}` is not a name: {say}", entry.name),
            );
        }
    }

    /// A name that nobody reads; answers with the name that was meant.
    fn unknown(
        &mut self,
        known: Option<&'static Object>,
        entry: &Entry,
        spot: Spot<'_>,
    ) -> Option<&'static str> {
        let names = known.into_iter().flat_map(Object::keys).map(String::as_str);
        let meant = suggest(&entry.name, names.clone());
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", quoted(names)),
        };
        let message = format!("unknown name `{}` in {}", entry.name, title(spot.name));
        self.findings.error("unknown_name", entry.place, message).help(help);
        // A slip in the name of a secret does not make its value less of one.
        if secretive(&entry.name) || meant.is_some_and(secretive) {
            self.veil(&entry.node);
        }
        meant
    }

    fn missing(&mut self, schema: &'static Object, name: &str, spot: Spot<'_>) {
        let about = schema
            .get("properties")
            .and_then(|known| known.get(name))
            .and_then(|known| known.get("description"));
        let help = about
            .and_then(Value::as_str)
            .map(|about| format!("`{name}`: {}", about.replace('\n', " ")));
        self.findings
            .error("missing_name", spot.place, format!("{} needs `{name}`", title(spot.name)))
            .maybe_help(help.as_deref());
    }
}
