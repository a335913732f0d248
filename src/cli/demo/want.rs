//! What something in an answer should be.

use serde_json::Value;

/// What something in an answer should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    /// This text or number.
    Is(&'static str),
    /// Anything at all.
    There,
    /// An array of so many items.
    Items(usize),
}

impl Want {
    /// Notes it if what is called `name` is not so.
    pub(super) fn check(self, name: &str, value: Option<&Value>, found: &mut Vec<String>) {
        let shown = value.map_or_else(
            || "missing".to_owned(),
            |value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        );
        match self {
            Self::Is(text) if value.is_none() || shown != text => {
                found.push(format!("{name} is {shown}, not {text}"));
            }
            Self::There if value.is_none_or(Value::is_null) => {
                found.push(format!("{name} is missing"));
            }
            Self::Items(count) => {
                let items = value.and_then(Value::as_array).map(Vec::len);
                if items != Some(count) {
                    found.push(format!("{name} is {shown}, not {count} items"));
                }
            }
            Self::Is(_) | Self::There => (),
        }
    }
}

/// A value as people read it; of an array, how many items it has.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => format!("{} items", items.len()),
        Some(other) => other.to_string(),
    }
}
