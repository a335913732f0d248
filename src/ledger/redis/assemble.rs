//! From readable parts to one script that starts fast.
//!
//! A script's text runs from its first line at every call. Each function that the parts define is made
//! anew, and Lua looks for each outer local that a function uses in a list of all those in use: with a
//! hundred of them that took most of a call. So constants are written out where they are used, functions
//! become fields of one table, and comments go.
//!
//! Invariant: what a part means does not change. Names of functions and constants at a line's start are
//! never used for anything else; a script in which they are does not load.

use std::collections::{BTreeMap, BTreeSet};

/// The table of functions.
const TABLE: &str = "M";

/// What a usual path hands to the rules, where there is no usual path: what it had read, and the time.
const NOTHING_READ: &str = "local before, time_before\n";

/// A piece of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A text with its quotes.
    Text(&'a str),
    Comment,
    Other(&'a str),
}

/// Puts parts together. `usual` is a verb's usual path, if it has one of its own: it runs first and calls
/// `rules` for the rest, with what it has read, so that nothing of the parts is made unless it is needed.
pub(super) fn assemble(parts: &[&str], usual: &str) -> String {
    let (mut constants, rest) = take_constants(&parts.concat());
    let functions = functions(&rest);
    let fields: Vec<_> = functions.iter().map(|name| format!("{name} = false")).collect();
    let table = format!("local {TABLE} = {{ {} }}\n", fields.join(", "));
    let rules = table + &written(&rest, &constants, &functions);
    if usual.is_empty() {
        return format!("{NOTHING_READ}{rules}");
    }
    let (own, usual) = take_constants(usual);
    constants.extend(own);
    let usual = written(&usual, &constants, &BTreeSet::new());
    format!("local function rules(before, time_before)\n{rules}\nend\n{usual}")
}

/// The lines that say something.
fn written(
    text: &str,
    constants: &BTreeMap<String, String>,
    functions: &BTreeSet<String>,
) -> String {
    let renamed = text.lines().map(|line| line_of(line, constants, functions));
    renamed.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Constants and what they stand for, and the text without them.
fn take_constants(whole: &str) -> (BTreeMap<String, String>, String) {
    let mut constants = BTreeMap::new();
    let mut rest = String::new();
    for line in whole.lines() {
        match constants_of(line) {
            Some(found) => constants.extend(found.map(|(a, b)| (a.to_owned(), b.to_owned()))),
            None => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    (constants, rest)
}

/// `local MAX, NONE = 9, -1` and the like.
fn constants_of(line: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let (names, values) = line.strip_prefix("local ")?.split_once(" = ")?;
    let names: Vec<_> = names.split(", ").collect();
    let values: Vec<_> = values.split(", ").collect();
    let constant = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let plain = |value: &&str| !value.contains(['{', '(', ' ']);
    let fits = names.len() == values.len() && names.iter().all(constant);
    (fits && values.iter().all(plain)).then(|| names.into_iter().zip(values))
}

/// Functions that are defined at a line's start.
fn functions(text: &str) -> BTreeSet<String> {
    let defined = text.lines().filter_map(|line| line.strip_prefix("local function "));
    defined.filter_map(|line| line.split('(').next()).map(str::to_owned).collect()
}

fn line_of(
    line: &str,
    constants: &BTreeMap<String, String>,
    functions: &BTreeSet<String>,
) -> String {
    let line = match line.strip_prefix("local function ") {
        Some(rest) => format!("function {rest}"),
        None => line.to_owned(),
    };
    let mut written = String::new();
    for token in tokens(&line) {
        let field = written.ends_with(['.', ':']);
        match token {
            Token::Comment => {}
            Token::Word(word) if !field && functions.contains(word) => {
                written.push_str(&format!("{TABLE}.{word}"));
            }
            Token::Word(word) if !field => {
                written.push_str(constants.get(word).map_or(word, String::as_str));
            }
            Token::Word(text) | Token::Text(text) | Token::Other(text) => written.push_str(text),
        }
    }
    written
}

/// The pieces of a line. A text ends on the line on which it begins.
fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (token, length) = if rest.starts_with("--") {
            (Token::Comment, rest.len())
        } else if first == '\'' || first == '"' {
            let length = text_length(rest, first);
            (Token::Text(&rest[..length]), length)
        } else if word(first) {
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            (Token::Word(&rest[..length]), length)
        } else {
            (Token::Other(&rest[..first.len_utf8()]), first.len_utf8())
        };
        found.push(token);
        rest = &rest[length..];
    }
    found
}

/// Up to the quote that ends it.
fn text_length(rest: &str, quote: char) -> usize {
    let inner = rest.char_indices().skip(1);
    let end = inner.into_iter().find(|(at, c)| *c == quote && !rest[..*at].ends_with('\\'));
    end.map_or(rest.len(), |(at, _)| at + quote.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_out_and_functions_become_fields() {
        let part = "-- A head.\nlocal MAX, KIND = 9, 'a b'\nlocal OPEN = KEYS[4]\nlocal n = MAX -- why\n\
                    local function more(x)\n  return x + MAX\nend\ncall('MAX', OPEN, more(n), t.more)\n";
        let expected = "local before, time_before\nlocal M = { more = false }\nlocal n = 9 \n\
                        function M.more(x)\n  return x + 9\nend\n\
                        call('MAX', KEYS[4], M.more(n), t.more)";
        // A text with a space in it is no constant of the plain sort.
        let part = part.replace("9, 'a b'", "9, 'ab'");
        assert_eq!(assemble(&[&part], ""), expected);
    }

    #[test]
    fn a_text_keeps_what_looks_like_a_comment_or_a_name() {
        let part = "local MAX = 9\nlocal s = 'MAX -- no' .. \"MAX\"\n";
        assert!(assemble(&[part], "").ends_with("local s = 'MAX -- no' .. \"MAX\""));
    }
}
