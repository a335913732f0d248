//! What is wrong with a file, and where: shown as the compiler of Rust shows it.
//!
//! Invariant: a problem is complete in itself (file, place, quoted line), so it can be kept after the file's
//! text is gone. Control bytes are escaped, long lines are cut, and what may be a secret is not quoted.

use std::fmt;
use std::sync::Arc;

use super::source::Excerpt;

/// A place in a configuration. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// In which file: 0 is the configuration itself, then come the presets that it uses, in their order.
    pub file: u32,
    /// The line.
    pub line: u32,
    /// The column of the first character.
    pub column: u32,
    /// How many characters on that line; at least 1.
    pub width: u32,
}

/// Whether a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is refused.
    Error,
    /// It is accepted.
    Warning,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file is refused.
    pub severity: Severity,
    /// A stable word for the sort of problem, such as `unknown_name`.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Where; `None`: the file as a whole.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
    pub(super) excerpt: Option<Excerpt>,
    pub(super) note: Option<Note>,
}

/// A second place that a problem points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// The file, as it was named.
    pub(super) file: Arc<str>,
    /// Where.
    pub(super) place: Place,
    /// What is there.
    pub(super) text: String,
    pub(super) excerpt: Excerpt,
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    /// The problems; at least one is an error.
    pub problems: Vec<Problem>,
}

/// The number of problems after which the walk stops.
pub(super) const NOTED_MAX: usize = 1_000;
/// The most problems that a report shows.
pub(super) const SHOWN_MAX: usize = 100;

impl Problem {
    /// A problem of a file as a whole.
    pub(super) fn of_file(file: &str, code: &'static str, message: String) -> Self {
        let severity = Severity::Error;
        Self {
            severity,
            code,
            message,
            file: file.into(),
            place: None,
            help: None,
            excerpt: None,
            note: None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        match (self.place, &self.excerpt) {
            (Some(place), Some(excerpt)) => show(f, "-->", &self.file, place, excerpt)?,
            _ => writeln!(f, "  --> {}", self.file)?,
        }
        if let Some(note) = &self.note {
            writeln!(f, "   = note: {}", note.text)?;
            show(f, ":::", &note.file, note.place, &note.excerpt)?;
        }
        match &self.help {
            Some(help) => writeln!(f, "   = help: {help}"),
            None => Ok(()),
        }
    }
}

fn show(
    f: &mut fmt::Formatter<'_>,
    arrow: &str,
    file: &str,
    place: Place,
    excerpt: &Excerpt,
) -> fmt::Result {
    let gutter = place.line.to_string().len().max(2);
    writeln!(f, "  {arrow} {file}:{}:{}", place.line, place.column)?;
    writeln!(f, "{:>gutter$} |", "")?;
    writeln!(f, "{:>gutter$} | {}", place.line, excerpt.text)?;
    writeln!(
        f,
        "{:>gutter$} | {:offset$}{}",
        "",
        "",
        "^".repeat(excerpt.width),
        offset = excerpt.offset
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN_MAX) {
            writeln!(f, "{problem}")?;
        }
        let hidden = self.problems.len().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            writeln!(f, "and {hidden} more")?;
        }
        let count = |severity| self.problems.iter().filter(|p| p.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let least = if self.problems.len() < NOTED_MAX { "" } else { "at least " };
        write!(f, "{least}{}", counted(errors, "error"))?;
        if warnings > 0 { write!(f, ", {}", counted(warnings, "warning")) } else { Ok(()) }
    }
}

/// `1 error`, `2 errors`.
fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
