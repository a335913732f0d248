//! What is wrong with a file, and where: shown as the compiler of Rust shows it.
//!
//! Invariant: a problem is complete in itself (file, place, quoted line), so it can be kept after the file's
//! text is gone. Control bytes are escaped, long lines are cut, and what may be a secret is not quoted.

use std::fmt;
use std::sync::Arc;

use super::source::{Excerpt, Source, clean};

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
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
    excerpt: Option<Excerpt>,
    note: Option<(Place, String, Excerpt)>,
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    /// The problems; at least one is an error.
    pub problems: Vec<Problem>,
}

/// The most problems that a report shows.
const SHOWN_MAX: usize = 100;

/// Where the problems of one file are collected.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    source: &'a Source,
    list: Vec<Problem>,
    veiled: Vec<Place>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(source: &'a Source) -> Self {
        Self { source, list: Vec::new(), veiled: Vec::new() }
    }

    /// Never quotes what stands there: it may be a secret.
    pub(super) fn veil(&mut self, place: Place) {
        self.veiled.push(place);
    }

    /// Notes an error. The caller may add help to it.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> Finding<'_> {
        self.add(Severity::Error, code, place, message.into())
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> Finding<'_> {
        self.add(Severity::Warning, code, place, message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: Place,
        message: String,
    ) -> Finding<'_> {
        let (file, message) = (Arc::clone(&self.source.name), clean(&message));
        let problem = Problem {
            severity,
            code,
            message,
            file,
            place: Some(place),
            help: None,
            excerpt: None,
            note: None,
        };
        self.list.push(problem);
        Finding { problem: self.list.last_mut() }
    }

    /// A place that is there: what was missed at the end is missed after the last line.
    pub(super) fn clamp(&self, place: Place) -> Place {
        self.source.clamp(place)
    }

    /// Whether the file is refused.
    pub(super) fn refused(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of their places.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.place);
        for problem in &mut self.list {
            let quote = |place| self.source.excerpt(place, &self.veiled);
            problem.excerpt = problem.place.map(quote);
            if let Some((place, _, excerpt)) = &mut problem.note {
                *excerpt = quote(*place);
            }
        }
        self.list
    }
}

/// A problem that has just been noted.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    /// The newest of the list; there is one as long as this lives.
    problem: Option<&'a mut Problem>,
}

impl Finding<'_> {
    /// Says what to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    /// Says what to do about it, if there is something to say.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        if let Some(problem) = self.problem.as_mut() {
            problem.help = help.as_deref().map(clean);
        }
        self
    }

    /// Points at a second place.
    pub(super) fn note(mut self, place: Place, text: impl Into<String>) -> Self {
        if let Some(problem) = self.problem.as_mut() {
            problem.note = Some((place, text.into(), Excerpt::default()));
        }
        self
    }
}

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
        if let Some((place, text, excerpt)) = &self.note {
            writeln!(f, "   = note: {text}")?;
            show(f, ":::", &self.file, *place, excerpt)?;
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
        write!(f, "{}", counted(errors, "error"))?;
        if warnings > 0 { write!(f, ", {}", counted(warnings, "warning")) } else { Ok(()) }
    }
}

/// `1 error`, `2 errors`.
fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
