//! Looking at one answer about a job: the one that begins it, and all that come later.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderMap;

use super::job::{IdPlace, Job};
use super::record::Record;
use super::rules::{self, Extra};
use crate::credit::{Facts, Name, Price, Value};
use crate::ledger::JOB_ID_MAX;
use crate::meter::flag::Flag;
use crate::meter::pricing::Held;
use crate::meter::settings::{Class, Due, ResponseSource};
use crate::meter::source::Source;
use crate::meter::verdict::{Charge, Verdict};
use crate::meter::watch::{End, Watch};
use crate::observe::Pointer;

/// How the answer that may begin a job is looked at.
#[derive(Debug)]
pub struct Beginning {
    /// Which sort of job.
    pub job: Arc<Job>,
    due: Due,
    extras: Vec<Extra>,
    /// The quantity that each extra behind id and status states.
    names: Vec<Name>,
}

/// What the answer said that may have begun a job.
#[derive(Debug)]
pub struct Begun {
    /// What it means and costs as it is.
    pub verdict: Verdict,
    /// The job's id; `None`: the answer has none.
    pub id: Option<String>,
    /// What it says of quantities before the work is done.
    pub stated: Facts,
    /// The word of its status.
    pub word: Option<String>,
    /// The files that it names, as it does.
    pub files: Vec<String>,
}

impl Beginning {
    /// For a route that begins jobs.
    #[must_use]
    pub fn of(due: &Due) -> Option<Self> {
        let job = due.job.clone()?;
        let mut extras: Vec<Extra> = rules::word(&id_source(&job)).into();
        extras.extend(status(&job));
        let mut names = Vec::new();
        for quantity in &due.quantities {
            for source in quantity.response.iter().filter(|source| !rules::is_of_job(source)) {
                // What several places come to is known when the job has ended.
                let Source::One(source) = source else { continue };
                let source = match source {
                    ResponseSource::Created(place) => ResponseSource::Json(place.clone()),
                    other => other.clone(),
                };
                extras.push((quantity.value.clone(), source));
                names.push(quantity.name.clone());
            }
        }
        Some(Self { due: rules::beginning(due, &job), job, extras, names })
    }

    /// Begins to watch the answer.
    #[must_use]
    pub fn watch(&self, status: u16, head: &HeaderMap) -> Watch {
        Watch::with(&self.due, status, head, (&self.extras, &self.job.files))
    }

    /// What the answer costs if its body ends well, where the head alone says so.
    #[must_use]
    pub fn known_at_head(&self, watch: &Watch, held: &Held) -> Option<Verdict> {
        watch.known_at_head(&self.due, held)
    }

    /// The answer is over.
    #[must_use]
    pub fn finish(&self, watch: Watch, end: End, held: &Held) -> Begun {
        let (verdict, extras, files) = watch.finish_with(end, &self.due, held);
        let mut extras = extras.into_iter();
        let id = first(extras.by_ref().take(2)).filter(|id| is_id(id));
        let words = if self.job.status.is_some() { 2 } else { 0 };
        let word = first(extras.by_ref().take(words));
        let mut stated = Facts::default();
        for (name, value) in self.names.iter().zip(extras) {
            if let Some(value) = value {
                stated.0.entry(name.clone()).or_insert(value);
            }
        }
        Begun { verdict, id, stated, word, files }
    }
}

impl Begun {
    /// What is held from now on, as far as the answer has said it, and by whose word; `None`: as before.
    #[must_use]
    pub fn held(&self, due: &Due, held: &Held) -> Option<(Held, BTreeSet<Name>)> {
        if self.stated.0.is_empty() {
            return None;
        }
        let mut facts = held.facts.clone();
        facts.0.extend(self.stated.0.clone());
        let priced = due.price.of(&facts).and_then(|priced| held.changes.apply(priced)).ok()?;
        let stated = self.stated.0.keys().cloned().collect();
        Some((Held { facts, priced, ..held.clone() }, stated))
    }

    /// The answer, as a report on the job.
    #[must_use]
    pub fn report(self, status: u16) -> Report {
        Report { files: self.files, ..Report::of(self.verdict, self.word, status) }
    }
}

/// How a later answer is looked at.
#[derive(Debug)]
pub struct JobSight {
    due: Due,
    extras: Vec<Extra>,
    files: Vec<Pointer>,
    held: Held,
    result: bool,
    status: u16,
}

impl JobSight {
    /// For a job of this record. `due`: the route that began it; `result`: whether the result is asked for.
    pub(super) fn of(due: &Due, job: &Job, result: bool, record: &Record) -> Self {
        let price = record.price.clone().map(Arc::new);
        let price: Arc<Price> = price.unwrap_or_else(|| due.price.clone());
        let due = rules::later(due, price, job, result, record);
        let extras = status(job).collect();
        let files = job.files.clone();
        Self { due, extras, files, held: record.held.clone(), result, status: 0 }
    }

    /// Begins to watch the answer.
    #[must_use]
    pub fn watch(&mut self, status: u16, head: &HeaderMap) -> Watch {
        self.status = status;
        Watch::with(&self.due, status, head, (&self.extras, &self.files))
    }

    /// The answer is over.
    #[must_use]
    pub fn report(&self, watch: Watch, end: End) -> Report {
        let (verdict, extras, files) = watch.finish_with(end, &self.due, &self.held);
        let word = first(extras.into_iter());
        Report { result: self.result, files, ..Report::of(verdict, word, self.status) }
    }
}

/// What an answer says of a job.
#[derive(Clone, Debug)]
pub struct Report {
    /// What became of the work.
    pub class: Class,
    /// What it costs: the rule, and for `Settle` what the answer itself stated.
    pub charge: Charge,
    /// Quantities that should have been stated and were not.
    pub missing: BTreeSet<Name>,
    /// What is out of the ordinary.
    pub flags: Vec<Flag>,
    /// The word of the status.
    pub word: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// Whether it is the result, behind which nothing more is told.
    pub result: bool,
    /// The files that it names, as it does.
    pub files: Vec<String>,
}

impl Report {
    fn of(verdict: Verdict, word: Option<String>, status: u16) -> Self {
        let Verdict { class, charge, flags } = verdict;
        let missing = flags.iter().filter_map(|flag| match flag {
            Flag::MissingQuantity(name) => Some(name.clone()),
            _ => None,
        });
        let missing = missing.collect();
        Self { class, missing, charge, flags, word, status, result: false, files: Vec::new() }
    }

    /// Whether it says that the job has ended.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        !matches!(self.class, Class::Pending | Class::Unknown)
    }

    /// Whether the ledger has to hear of it.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.is_end() || self.is_odd() || !self.files.is_empty()
    }

    /// Whether it says a word that nobody has declared.
    #[must_use]
    pub fn is_odd(&self) -> bool {
        self.class == Class::Unknown && self.word.is_some()
    }
}

fn id_source(job: &Job) -> ResponseSource {
    match &job.id {
        IdPlace::Json(place) => ResponseSource::Json(place.clone()),
        IdPlace::Header(name) => ResponseSource::Header(name.clone()),
    }
}

fn status(job: &Job) -> impl Iterator<Item = Extra> {
    let source = job.status.clone().map(ResponseSource::Json);
    source.into_iter().flat_map(|source| rules::word(&source))
}

fn first(values: impl Iterator<Item = Option<Value>>) -> Option<String> {
    let mut found = values.flatten().map(|value| value.to_string());
    let first = found.next();
    found.for_each(drop);
    first
}

/// Whether a text may be a job's id: it will stand in paths.
#[must_use]
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= JOB_ID_MAX && !text.chars().any(char::is_control)
}
