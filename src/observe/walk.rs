//! The walk through a JSON document: where it is, what was asked for there, what was kept and refused.
//!
//! Invariant: `path` is the way to the value being read, and stays where it is when reading fails.

use std::borrow::{Borrow, Cow};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error};

use super::json::{DEPTH_MAX, Fact, JsonError, JsonProblem, KEPT_MAX, MEMBERS_MAX, Picked, Place};
use super::node::Node;
use super::{Pointer, Step};

/// What becomes of a name that differs from a wanted one by case alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Refused,
    Distinct,
}

/// Reads `bytes` and keeps what stands at `wanted`.
pub(super) fn read<'a, P: Borrow<Pointer>>(
    bytes: &'a [u8],
    wanted: &[P],
    case: Case,
) -> Result<Picked<'a>, JsonError> {
    let at_start = |problem| JsonError { pointer: String::new(), problem };
    let text = std::str::from_utf8(bytes).map_err(|_| at_start(JsonProblem::NotUtf8))?;
    if text.starts_with('\u{feff}') {
        return Err(at_start(JsonProblem::ByteOrderMark));
    }
    let mut walk = Walk::new(wanted, case);
    let all: Vec<usize> = (0..wanted.len()).collect();
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Node { walk: &mut walk, active: &all };
    match root.deserialize(&mut json).and_then(|()| json.end()) {
        Ok(()) => Ok(walk.picked),
        Err(error) => Err(walk.error(&error)),
    }
}

pub(super) struct Walk<'w, 'de, P> {
    wanted: &'w [P],
    case: Case,
    pub(super) path: Vec<Key<'de>>,
    members: usize,
    kept: usize,
    picked: Picked<'de>,
    problem: Option<JsonProblem>,
}

pub(super) enum Key<'de> {
    Member(Cow<'de, str>),
    Item(usize),
}

impl<'w, 'de, P: Borrow<Pointer>> Walk<'w, 'de, P> {
    fn new(wanted: &'w [P], case: Case) -> Self {
        let places = wanted.iter().map(|_| Place::default()).collect();
        let picked = Picked { places };
        Self { wanted, case, path: Vec::new(), members: 0, kept: 0, picked, problem: None }
    }

    fn error(self, error: &serde_json::Error) -> JsonError {
        let mut pointer = String::new();
        for key in &self.path {
            pointer.push('/');
            match key {
                Key::Member(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Key::Item(index) => pointer.push_str(&index.to_string()),
            }
        }
        let problem = self.problem.unwrap_or_else(|| JsonProblem::Syntax(error.to_string()));
        JsonError { pointer, problem }
    }

    pub(super) fn refuse<E: Error>(&mut self, problem: JsonProblem) -> E {
        let error = E::custom(&problem);
        self.problem.get_or_insert(problem);
        error
    }

    /// The step that a wanted pointer takes from the value being read; `None`: it ends here.
    pub(super) fn step(&self, number: usize) -> Option<&'w Step> {
        self.wanted.get(number)?.borrow().steps().get(self.path.len())
    }

    pub(super) fn ends_here(&self, active: &[usize]) -> bool {
        active.iter().any(|number| self.step(*number).is_none())
    }

    pub(super) fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.path.len() < DEPTH_MAX { Ok(()) } else { Err(self.refuse(JsonProblem::TooDeep)) }
    }

    pub(super) fn count_member<E: Error>(&mut self) -> Result<(), E> {
        self.members = self.members.saturating_add(1);
        if self.members <= MEMBERS_MAX { Ok(()) } else { Err(self.refuse(JsonProblem::TooMany)) }
    }

    /// The wanted pointers that lead on through the member `name`.
    pub(super) fn through_member<E: Error>(
        &mut self,
        active: &[usize],
        name: &str,
    ) -> Result<Vec<usize>, E> {
        let mut on = Vec::new();
        for number in active {
            match self.step(*number) {
                Some(Step::Name(step)) if step == name => on.push(*number),
                Some(Step::Name(step)) if self.case == Case::Refused && same_folded(step, name) => {
                    return Err(self.refuse(JsonProblem::OtherCase(step.clone())));
                }
                _ => {}
            }
        }
        Ok(on)
    }

    /// The wanted pointers that lead on through the item `index`.
    pub(super) fn through_item(&self, active: &[usize], index: usize) -> Vec<usize> {
        let leads = |number: &usize| match self.step(*number) {
            Some(Step::Each) => true,
            Some(Step::Name(name)) => as_index(name) == Some(index),
            None => false,
        };
        active.iter().copied().filter(leads).collect()
    }

    pub(super) fn count(&self, number: usize) -> usize {
        self.picked.at(number).len()
    }

    pub(super) fn note_uneven(&mut self, number: usize) {
        if let Some(place) = self.picked.places.get_mut(number) {
            place.uneven = true;
        }
    }

    fn keep<E: Error>(&mut self, active: &[usize], fact: &Fact<'de>) -> Result<(), E> {
        for number in active {
            if self.step(*number).is_some() {
                continue;
            }
            self.kept = self.kept.saturating_add(1);
            if let Some(place) = self.picked.places.get_mut(*number) {
                place.facts.push(fact.clone());
            }
        }
        if self.kept > KEPT_MAX { Err(self.refuse(JsonProblem::TooMany)) } else { Ok(()) }
    }

    /// Reads a value that somebody asked for, from its own text.
    pub(super) fn take(
        &mut self,
        raw: &'de str,
        active: &[usize],
    ) -> Result<(), serde_json::Error> {
        let fact = match raw.as_bytes().first() {
            Some(b'n') => Fact::Null,
            Some(b't') => Fact::Flag(true),
            Some(b'f') => Fact::Flag(false),
            Some(b'"') => Fact::Text(serde_json::from_str::<Text<'de>>(raw)?.0),
            Some(b'[' | b'{') => {
                let mut json = serde_json::Deserializer::from_str(raw);
                json.deserialize_any(Node { walk: self, active })?
            }
            _ => Fact::Number(raw),
        };
        self.keep(active, &fact)
    }
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The index that a pointer's step names (RFC 6901 §4): digits without leading zeros.
fn as_index(name: &str) -> Option<usize> {
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    let index = digits.then(|| name.parse().ok()).flatten();
    index.filter(|_| name.len() == 1 || !name.starts_with('0'))
}

/// Whether two names are the same to a reader that ignores case. Go's folds two more letters than ASCII:
/// the long s and the Kelvin sign.
fn same_folded(a: &str, b: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    a.chars().map(fold).eq(b.chars().map(fold))
}
