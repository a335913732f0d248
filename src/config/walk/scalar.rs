//! Scalars: type, range and format.

use serde_json::Value;

use super::{Object, Spot, Walk, accepts, expected, title};
use crate::config::format;
use crate::config::problem::Place;
use crate::config::tree::{Node, Yaml};

/// What YAML 1.2 takes a scalar for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Null,
    Flag,
    Whole,
    Number,
    Text,
}

/// What a node is, in words.
pub(super) fn found(node: &Node) -> &'static str {
    match &node.value {
        Yaml::List(_) => "a list",
        Yaml::Map(_) => "a mapping",
        Yaml::Scalar { text, plain } => match sort(text, *plain) {
            Sort::Null => "nothing",
            Sort::Flag => "true or false",
            Sort::Whole | Sort::Number => "a number",
            Sort::Text => "a text",
        },
    }
}

fn sort(text: &str, plain: bool) -> Sort {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match text {
        _ if !plain => Sort::Text,
        "" | "~" | "null" | "Null" | "NULL" => Sort::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Sort::Flag,
        _ if digits(unsigned) || based(text) => Sort::Whole,
        _ if float(unsigned) => Sort::Number,
        _ => Sort::Text,
    }
}

/// Whether YAML takes a scalar for nothing.
pub(super) fn is_null(text: &str, plain: bool) -> bool {
    sort(text, plain) == Sort::Null
}

/// `0x1f`, `0o17`
fn based(text: &str) -> bool {
    let rest = text
        .strip_prefix("0x")
        .map(|rest| (rest, 16))
        .or(text.strip_prefix("0o").map(|rest| (rest, 8)));
    rest.is_some_and(|(rest, base)| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
}

fn float(unsigned: &str) -> bool {
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let ends = unsigned.trim_start_matches(|c: char| c.is_ascii_digit());
    let special = matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
    special || (begins && ends.starts_with(['.', 'e', 'E']) && unsigned.parse::<f64>().is_ok())
}

impl Walk<'_, '_> {
    pub(super) fn scalar(
        &mut self,
        schema: &'static Object,
        (text, plain): (&str, bool),
        place: Place,
        spot: Spot<'_>,
    ) {
        let sort = sort(text, plain);
        if sort == Sort::Null && !accepts(schema, "null") {
            return self.nothing(schema, spot);
        }
        let format = schema.get("format").and_then(Value::as_str);
        if !fits(schema, sort) {
            return self.misfit(schema, (text, sort), place, spot);
        }
        if accepts(schema, "integer") && types_are_whole(schema) {
            return self.whole(schema, text, place, spot);
        }
        if schema.get("minLength").is_some() && text.is_empty() {
            self.findings.error(
                "malformed",
                place,
                format!("{} is an empty text", title(spot.name)),
            );
        }
        if let Some(Err(say)) = format.map(|format| format::check(format, text)) {
            self.findings.error("malformed", place, format!("{}: {say}", title(spot.name)));
            // Perhaps the secret itself was written where its hash belongs.
            if format == Some("sha256") || (format == Some("url") && text.contains('@')) {
                self.findings.veil(place);
            }
        }
    }

    /// A name with nothing behind it.
    fn nothing(&mut self, schema: &'static Object, spot: Spot<'_>) {
        let help = match expected(schema).as_str() {
            "a mapping" => "an empty mapping is written `{}`".to_owned(),
            "a list" => "an empty list is written `[]`".to_owned(),
            wanted => format!("write {wanted}, or remove the name"),
        };
        self.findings
            .error("no_value", spot.place, format!("{} has no value", title(spot.name)))
            .help(help);
    }

    fn misfit(
        &mut self,
        schema: &'static Object,
        (text, sort): (&str, Sort),
        place: Place,
        spot: Spot<'_>,
    ) {
        let format = schema.get("format").and_then(Value::as_str);
        // `30` where a duration is wanted: what is missing is the unit, not the quotes.
        if let Some(Err(say)) = format.map(|format| format::check(format, text)) {
            self.findings.error("malformed", place, format!("{}: {say}", title(spot.name)));
            return;
        }
        let found = match sort {
            Sort::Null => "nothing",
            Sort::Flag => "true or false",
            Sort::Whole | Sort::Number => "a number",
            Sort::Text => "a text",
        };
        let help = match sort {
            Sort::Text
                if accepts(schema, "integer") && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Some("write it without quotes".to_owned())
            }
            Sort::Flag | Sort::Whole | Sort::Number if accepts(schema, "string") => {
                Some(format!("put it into quotes: \"{text}\""))
            }
            Sort::Text
                if accepts(schema, "boolean") && matches!(text, "yes" | "no" | "on" | "off") =>
            {
                Some("write `true` or `false`: YAML 1.2 takes this for a text".to_owned())
            }
            _ => None,
        };
        let message = format!("{} must be {}, not {found}", title(spot.name), expected(schema));
        self.findings.error("wrong_type", place, message).maybe_help(help.as_deref());
    }

    fn whole(&mut self, schema: &'static Object, text: &str, place: Place, spot: Spot<'_>) {
        let bound = |name| schema.get(name).and_then(Value::as_u64);
        let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(u64::MAX));
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if !text.parse::<u64>().is_ok_and(|number| digits && (least..=most).contains(&number)) {
            let message =
                format!("{} must be a whole number from {least} to {most}", title(spot.name));
            self.findings.error("out_of_range", place, message);
        }
    }
}

fn types_are_whole(schema: &'static Object) -> bool {
    schema.get("type").is_some_and(|name| name == "integer")
}

fn fits(schema: &'static Object, sort: Sort) -> bool {
    match sort {
        Sort::Null => accepts(schema, "null"),
        Sort::Flag => accepts(schema, "boolean"),
        Sort::Whole => accepts(schema, "integer") || accepts(schema, "number"),
        Sort::Number => accepts(schema, "number"),
        Sort::Text => accepts(schema, "string"),
    }
}
