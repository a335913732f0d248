//! Where in a JSON text strings stand: so that one of them can be replaced and every other byte stays as it came.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::{Pointer, Step};

/// The strings at `place`, quotes included, in the order of the text; nothing where there is none, or where the text
/// cannot be read.
#[must_use]
pub fn strings(json: &[u8], place: &Pointer) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let text = std::str::from_utf8(json).ok();
    if let Some(root) = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok()) {
        walk(json, root, place.steps(), &mut found);
    }
    found
}

/// The string that stands at a span.
#[must_use]
pub fn string_at(json: &[u8], span: Range<usize>) -> Option<String> {
    serde_json::from_slice(json.get(span)?).ok()
}

fn walk(json: &[u8], value: &RawValue, steps: &[Step], found: &mut Vec<Range<usize>>) {
    let text = value.get();
    let Some((step, rest)) = steps.split_first() else {
        let start = text.as_ptr().addr().checked_sub(json.as_ptr().addr());
        let span = start.and_then(|start| Some(start..start.checked_add(text.len())?));
        found.extend(span.filter(|_| text.starts_with('"')));
        return;
    };
    if text.starts_with('{') {
        let Step::Name(name) = step else { return };
        let members = serde_json::from_str::<BTreeMap<String, &RawValue>>(text);
        if let Some(value) = members.ok().and_then(|members| members.get(name).copied()) {
            walk(json, value, rest, found);
        }
    } else if text.starts_with('[') {
        let items = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
        match step {
            Step::Each => items.into_iter().for_each(|item| walk(json, item, rest, found)),
            Step::Name(index) => {
                let item = index.parse().ok().and_then(|index: usize| items.get(index).copied());
                item.into_iter().for_each(|item| walk(json, item, rest, found));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_where_they_stand() {
        let json = br#" {"a": {"b": ["x", 7, {"c": "y\/z"}]}, "e\u0301": "w", "n": null} "#;
        for (place, expected) in [
            ("/a/b/0", vec!["\"x\""]),
            ("/a/b/1", vec![]),
            ("/a/b/*", vec!["\"x\""]),
            ("/a/b/*/c", vec![r#""y\/z""#]),
            ("/a/b/2/c", vec![r#""y\/z""#]),
            ("/e\u{301}", vec!["\"w\""]),
            ("/n", vec![]),
            ("/a", vec![]),
            ("/none/x", vec![]),
        ] {
            let spans = strings(json, &place.parse().unwrap());
            let texts: Vec<_> = spans
                .iter()
                .map(|span| std::str::from_utf8(&json[span.clone()]).unwrap())
                .collect();
            assert_eq!(texts, expected, "{place}");
        }
        let spans = strings(json, &"/a/b/2/c".parse().unwrap());
        assert_eq!(string_at(json, spans[0].clone()), Some("y/z".to_owned()));
        for broken in [&b"{"[..], b"\xff", b"{\"a\": \"x\"} y", b""] {
            assert!(strings(broken, &"/a".parse().unwrap()).is_empty());
        }
    }
}
