//! The text of a file, and lines quoted from it.

use std::sync::Arc;

use super::problem::Place;

/// The most characters of a line that are quoted.
const WIDTH_MAX: usize = 120;
/// The most characters of a message.
const SENTENCE_MAX: usize = 400;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source {
    /// As it was named; problems carry it.
    pub(super) name: Arc<str>,
    lines: Vec<String>,
}

/// A quoted line, or the part of it around a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// What is shown.
    pub(super) text: String,
    /// How many characters stand before the caret.
    pub(super) offset: usize,
    /// How many carets.
    pub(super) width: usize,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), lines: text.lines().map(str::to_owned).collect() }
    }

    /// The place itself, or the end of the last line for one behind it.
    pub(super) fn clamp(&self, place: Place) -> Place {
        let last = self.lines.iter().rposition(|line| !line.trim().is_empty()).unwrap_or(0);
        if size(place.line) <= last.saturating_add(1) {
            return place;
        }
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        let length = self.lines.get(last).map_or(0, |line| line.chars().count());
        Place { line: number(last), column: number(length), width: 1, ..place }
    }

    /// Values that look like secrets, by their names alone.
    pub(super) fn suspects(&self) -> impl Iterator<Item = Place> {
        self.lines.iter().zip(1..).filter_map(|(line, number)| {
            let column = suspect(line)?;
            Some(Place { line: number, column, width: u32::MAX, ..Place::default() })
        })
    }

    /// The line of a place, with asterisks over what is veiled.
    pub(super) fn excerpt(&self, place: Place, veiled: &[Place]) -> Excerpt {
        let index = size(place.line).checked_sub(1);
        let line = index.and_then(|index| self.lines.get(index)).map_or("", String::as_str);
        let mut line = line.to_owned();
        for veil in veiled.iter().filter(|veil| (veil.file, veil.line) == (place.file, place.line))
        {
            let start = size(veil.column).saturating_sub(1);
            let covered = start..start.saturating_add(size(veil.width));
            let cover = |(at, c)| if covered.contains(&at) { '*' } else { c };
            line = line.chars().enumerate().map(cover).collect();
        }
        Excerpt::of(&without_logins(&line), place)
    }
}

/// A line with asterisks over what stands before the `@` of a URL: wherever it is written, and whatever
/// else is wrong with it, a password may stand there.
fn without_logins(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find([' ', '"', '\'']).unwrap_or(after.len());
        let login = after.get(..end).and_then(|url| url.rfind('@')).unwrap_or(0);
        let (login, after) = after.split_at(login);
        shown.extend([before, "://"]);
        shown.extend(login.chars().map(|_| '*'));
        rest = after;
    }
    shown + rest
}

/// Whether a name is one that secrets have.
pub(super) fn secretive(name: &str) -> bool {
    let words = ["secret", "password", "token", "key", "credential", "auth", "bearer"];
    let name = name.to_lowercase();
    words.iter().any(|word| name.contains(word))
}

/// The column of a scalar behind a name that secrets have.
fn suspect(line: &str) -> Option<u32> {
    let mut column = 1_u32;
    let mut secret = false;
    for part in line.split_inclusive(':') {
        let value = part.trim_start();
        if secret && !value.is_empty() && !value.starts_with(['{', '[', '&', '#']) {
            return Some(column);
        }
        let name = part.rsplit(['{', ',', '-', ' ']).find(|name| name.len() > 1).unwrap_or(part);
        secret = part.ends_with(':') && secretive(name);
        column = column.saturating_add(u32::try_from(part.chars().count()).unwrap_or(u32::MAX));
    }
    None
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Excerpt {
    fn of(line: &str, place: Place) -> Self {
        let start = size(place.column).saturating_sub(1);
        let skip = if start > WIDTH_MAX / 2 && line.chars().count() > WIDTH_MAX {
            start.saturating_sub(WIDTH_MAX / 4)
        } else {
            0
        };
        let shown: Vec<String> = line.chars().skip(skip).take(WIDTH_MAX).map(shown).collect();
        let length = |part: &[String]| part.iter().map(|c| c.chars().count()).sum::<usize>();
        let at = start.saturating_sub(skip).min(shown.len());
        let (before, after) = shown.split_at(at);
        let marked = after.get(..size(place.width).min(after.len())).unwrap_or(after);
        let mut excerpt =
            Self { text: shown.concat(), offset: length(before), width: length(marked).max(1) };
        if skip > 0 {
            excerpt.text.insert(0, '…');
            excerpt.offset = excerpt.offset.saturating_add(1);
        }
        if line.chars().count() > skip.saturating_add(WIDTH_MAX) {
            excerpt.text.push('…');
        }
        excerpt
    }
}

/// A sentence with quoted text, so that it can be printed: escaped, and cut where it is endless.
pub(super) fn clean(sentence: &str) -> String {
    let cut = sentence.chars().count() > SENTENCE_MAX;
    let kept = sentence.chars().take(SENTENCE_MAX).map(shown);
    kept.chain(cut.then(|| "…".to_owned())).collect()
}

/// A character as it is quoted: what would move the cursor, hide text or turn it round is escaped.
fn shown(c: char) -> String {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    match c {
        '\t' => " ".to_owned(),
        c if c.is_control() || turns => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_move_the_caret() {
        let excerpt =
            Excerpt::of("a\u{7}: b", Place { line: 1, column: 5, width: 1, ..Place::default() });
        assert_eq!(excerpt.text, "a\\u{7}: b");
        assert_eq!(excerpt.offset, 8);
    }

    #[test]
    fn suspects_are_scalars_behind_a_secretive_name() {
        for (line, column) in [
            ("token: sk-1", Some(7)),
            ("admin: { token: sk-1, listen: x", Some(16)),
            ("admin: { token: { env: NAME } }", None),
            ("  \"api-key\": sk-1", Some(13)),
            ("  token:", None),
            ("listen: 127.0.0.1:8080", None),
            ("  - json: /usage/tokens", None),
        ] {
            assert_eq!(suspect(line), column, "{line}");
        }
    }

    #[test]
    fn logins_are_covered() {
        for (line, shown) in [
            ("url: redis://u:pw@h/0 # x", "url: redis://****@h/0 # x"),
            ("[redis://:p@w@h, http://h/@x]", "[redis://****@h, http://**@x]"),
            ("http://h:1 a@b", "http://h:1 a@b"),
        ] {
            assert_eq!(without_logins(line), shown);
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let line = "x".repeat(1_000) + "y";
        let excerpt =
            Excerpt::of(&line, Place { line: 1, column: 1_001, width: 1, ..Place::default() });
        assert_eq!(excerpt.text.chars().nth(excerpt.offset), Some('y'));
        assert!(excerpt.text.chars().count() <= WIDTH_MAX + 2);
    }
}
