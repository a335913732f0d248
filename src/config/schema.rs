//! The JSON Schemas of configurations and presets: what editors complete by, and what the walk checks against.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::mirror::{File, Preset};

/// The schema of a configuration, made once.
pub(super) fn of_file() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(made::<File>);
    &SCHEMA
}

/// The schema of a preset, made once.
pub(super) fn of_preset() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(made::<Preset>);
    &SCHEMA
}

fn made<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut value = schema.to_value();
    drop_nulls(&mut value);
    value
}

/// The schema of a configuration as it is committed.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", of_file())
}

/// The schema of a preset as it is committed.
#[must_use]
pub fn preset_schema() -> String {
    format!("{:#}\n", of_preset())
}

/// A name that may be left out may not be written as null: takes the null out of what `Option` became.
fn drop_nulls(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Object(object) => {
            drop_null(object);
            object.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

fn drop_null(object: &mut Map<String, Value>) {
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    let null_is_a_value = object.get("format").is_some_and(|format| format == "testable");
    if let Some(Value::Array(types)) = object.get_mut("type").filter(|_| !null_is_a_value) {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf")
        && let [Value::Object(one), Value::Object(null)] = choices.as_slice()
        && null.get("type").is_some_and(|name| name == "null")
    {
        let one = one.clone();
        object.remove("anyOf");
        for (name, value) in one {
            object.entry(name).or_insert(value);
        }
    }
}
