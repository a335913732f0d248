//! Where the problems of one configuration are collected while it is read.

use std::iter;
use std::sync::Arc;

use super::problem::{NOTED_MAX, Note, Place, Problem, SHOWN_MAX, Severity};
use super::source::{Excerpt, Source, clean};

/// Where the problems of one configuration are collected.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    source: &'a Source,
    /// The presets' files, in their order.
    presets: Vec<Source>,
    list: Vec<Problem>,
    veiled: Vec<Place>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(source: &'a Source) -> Self {
        Self { source, presets: Vec::new(), list: Vec::new(), veiled: Vec::new() }
    }

    /// Another file that is read; its number in places.
    pub(super) fn open(&mut self, source: Source) -> u32 {
        self.presets.push(source);
        u32::try_from(self.presets.len()).unwrap_or(u32::MAX)
    }

    /// The file of a place.
    fn file(&self, place: Place) -> &Source {
        source(self.source, &self.presets, place)
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
        let (file, message) = (Arc::clone(&self.file(place).name), clean(message));
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
        Finding { source: self.source, presets: &self.presets, problem: self.list.last_mut() }
    }

    /// A place that is there: what was missed at the end is missed after the last line.
    pub(super) fn clamp(&self, place: Place) -> Place {
        self.file(place).clamp(place)
    }

    /// Never quotes what looks like a secret, where nothing has told yet which lines are none.
    pub(super) fn veil_suspects(&mut self) {
        for (source, file) in iter::once(self.source).chain(&self.presets).zip(0..) {
            self.veiled.extend(source.suspects().map(|place| Place { file, ..place }));
        }
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
        let (main, presets, veiled) = (self.source, &self.presets, &self.veiled);
        let quote = |place: Place| source(main, presets, place).excerpt(place, veiled);
        for problem in self.list.iter_mut().take(SHOWN_MAX) {
            problem.excerpt = problem.place.map(quote);
            if let Some(note) = &mut problem.note {
                note.excerpt = quote(note.place);
            }
        }
        self.list
    }
}

/// The file of a place: the configuration's own, or a preset's.
fn source<'a>(main: &'a Source, presets: &'a [Source], place: Place) -> &'a Source {
    let number = usize::try_from(place.file).ok();
    number.and_then(|file| presets.get(file.checked_sub(1)?)).unwrap_or(main)
}

/// A problem that has just been noted.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    source: &'a Source,
    presets: &'a [Source],
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
            let file = Arc::clone(&source(self.source, self.presets, place).name);
            let excerpt = Excerpt::default();
            problem.note = Some(Note { file, place, text: text.into(), excerpt });
        }
        self
    }
}
