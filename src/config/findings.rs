//! Where the problems of one file are collected while it is read.

use std::sync::Arc;

use super::problem::{NOTED_MAX, Place, Problem, SHOWN_MAX, Severity};
use super::source::{Excerpt, Source, clean};

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
        self.add(Severity::Error, code, place, &message.into())
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> Finding<'_> {
        self.add(Severity::Warning, code, place, &message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: Place,
        message: &str,
    ) -> Finding<'_> {
        let (file, message) = (Arc::clone(&self.source.name), clean(message));
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

    /// Never quotes what looks like a secret, where nothing has told yet which lines are none.
    pub(super) fn veil_suspects(&mut self) {
        self.veiled.extend(self.source.suspects());
    }

    /// Whether so much is wrong that looking for more is no help.
    pub(super) const fn full(&self) -> bool {
        self.list.len() >= NOTED_MAX
    }

    /// Whether the file is refused.
    pub(super) fn refused(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of their places.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.place);
        // Nobody reads more, and each costs a walk along its line.
        for problem in self.list.iter_mut().take(SHOWN_MAX) {
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
        self.maybe_help(Some(&help.into()))
    }

    /// Says what to do about it, if there is something to say.
    pub(super) fn maybe_help(mut self, help: Option<&str>) -> Self {
        if let Some(problem) = self.problem.as_mut() {
            problem.help = help.map(clean);
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
