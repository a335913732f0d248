//! What commands print: JSON for programs, tables for people.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::Failure;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// The API's answer for programs.
    Json,
}

/// A heading and the JSON pointer of what stands under it.
pub(super) type Column = (&'static str, &'static str);

impl Format {
    /// Prints one object: a line for each column.
    pub(super) fn object(self, value: &Value, columns: &[Column]) -> Result<(), Failure> {
        if self == Self::Json {
            return json(value);
        }
        let wide = columns.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (heading, pointer) in columns {
            let shown = cell(value, pointer);
            text.push_str(format!("{heading:wide$}  {shown}").trim_end());
            text.push('\n');
        }
        print(&text)
    }

    /// Prints a list: a line for each item.
    pub(super) fn list(self, value: &Value, columns: &[Column]) -> Result<(), Failure> {
        if self == Self::Json {
            return json(value);
        }
        let items = value["data"].as_array().map_or(&[][..], Vec::as_slice);
        let mut text = table(items, columns);
        if let Some(next) = value["next"].as_str() {
            text.push_str(&format!("There are more: --after {next}\n"));
        }
        print(&text)
    }
}

/// Items as lines under headings.
pub(super) fn table(items: &[Value], columns: &[Column]) -> String {
    let heads: Vec<String> = columns.iter().map(|(heading, _)| heading.to_uppercase()).collect();
    let row = |item| columns.iter().map(|(_, pointer)| cell(item, pointer)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(items.iter().map(row)).collect();
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    // Numbers stand below each other by their last digit.
    let numbers = |column: usize| {
        let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        cells.clone().any(|cell| is_number(cell))
            && cells.all(|cell| cell == "-" || is_number(cell))
    };
    let shape: Vec<(usize, bool)> =
        (0..columns.len()).map(|column| (wide(column), numbers(column))).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&shape).map(|(cell, (width, right))| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn is_number(cell: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, rest) = cell.split_once('.').unwrap_or((cell, "0"));
    digits(whole) && digits(rest)
}

/// What stands at a place: text as it is, nothing as `-`.
fn cell(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        // Labels are other people's words: what would move the cursor is not passed on.
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).collect(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => joined(items.iter().map(|item| cell(item, ""))),
        Some(Value::Object(members)) if members.is_empty() => "-".to_owned(),
        Some(Value::Object(members)) => {
            joined(members.iter().map(|(name, value)| format!("{name} {}", cell(value, ""))))
        }
        Some(other) => other.to_string(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// Prints a text.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Says something that was not asked for. There is nobody to tell if that fails.
pub(super) fn warn(text: &str) {
    let mut err = io::stderr().lock();
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_align_and_show_nothing_as_a_dash() {
        let items = [json!({ "id": "a", "n": 10 }), json!({ "id": "long", "n": null, "x": "" })];
        let text = table(&items, &[("id", "/id"), ("number", "/n"), ("label", "/x")]);
        assert_eq!(text, "ID    NUMBER  LABEL\na         10  -\nlong       -  -\n");
    }

    #[test]
    fn amounts_end_in_one_column() {
        let items = [json!({ "n": "12.5" }), json!({ "n": "100" }), json!({ "n": null })];
        assert_eq!(table(&items, &[("amount", "/n")]), "AMOUNT\n  12.5\n   100\n     -\n");
        // What only looks like a number at its beginning is none.
        let items = [json!({ "n": "1" }), json!({ "n": "1.x" })];
        assert_eq!(table(&items, &[("n", "/n")]), "N\n1\n1.x\n");
    }

    #[test]
    fn lists_and_members_are_told_without_brackets() {
        let value = json!({ "flags": ["a", "b"], "none": [], "inputs": { "n": "2", "q": "x" } });
        assert_eq!(cell(&value, "/flags"), "a, b");
        assert_eq!(cell(&value, "/none"), "-");
        assert_eq!(cell(&value, "/inputs"), "n 2, q x");
    }

    #[test]
    fn labels_cannot_move_the_cursor() {
        assert_eq!(cell(&json!({ "label": "a\u{1b}[2Jb\n" }), "/label"), "a[2Jb");
    }
}
