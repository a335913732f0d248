//! Cases as they are written: YAML as JSON values.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Lists and mappings that have begun.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// The one document of a text.
#[track_caller]
pub(super) fn read(name: &str, text: &str) -> Value {
    let (mut open, mut root) = (Vec::new(), Value::Null);
    for event in Parser::new_from_str(text) {
        let (event, _) = event.unwrap_or_else(|error| panic!("{name}: {error}"));
        let value = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop().unwrap() {
                Open::List(list) => Value::Array(list),
                Open::Map(map, _) => Value::Object(map),
            },
            Event::Scalar(text, style, ..) => scalar(&text, style == ScalarStyle::Plain),
            _ => continue,
        };
        match open.last_mut() {
            None => root = value,
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => {
                    assert!(map.insert(key.clone(), value).is_none(), "{name}: {key} twice")
                }
                None => {
                    *key = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                }
            },
        }
    }
    root
}

/// A scalar as JSON would have it, if it is written without quotes.
fn scalar(text: &str, plain: bool) -> Value {
    let read = || serde_json::from_str(text).ok();
    plain.then(read).flatten().unwrap_or_else(|| Value::String(text.to_owned()))
}
