//! The walk through a JSON document: `serde_json` reads the text, this looks at each value once.
//!
//! A value that somebody asked for is taken as raw text first, since its digits would be lost otherwise; an
//! array or object among these is then walked like any other.
//!
//! Invariant: `path` is the way to the value being read, and stays where it is when reading fails.

use std::borrow::{Borrow, Cow};
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{DEPTH_MAX, Fact, JsonError, JsonProblem, KEPT_MAX, MEMBERS_MAX, Picked, Place};
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

struct Walk<'w, 'de, P> {
    wanted: &'w [P],
    case: Case,
    path: Vec<Key<'de>>,
    members: usize,
    kept: usize,
    picked: Picked<'de>,
    problem: Option<JsonProblem>,
}

enum Key<'de> {
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

    fn refuse<E: Error>(&mut self, problem: JsonProblem) -> E {
        let error = E::custom(&problem);
        self.problem.get_or_insert(problem);
        error
    }

    /// The step that a wanted pointer takes from the value being read; `None`: it ends here.
    fn step(&self, number: usize) -> Option<&'w Step> {
        self.wanted.get(number)?.borrow().steps().get(self.path.len())
    }

    fn ends_here(&self, active: &[usize]) -> bool {
        active.iter().any(|number| self.step(*number).is_none())
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.path.len() < DEPTH_MAX { Ok(()) } else { Err(self.refuse(JsonProblem::TooDeep)) }
    }

    /// The wanted pointers that lead on through the member `name`.
    fn through_member<E: Error>(&mut self, active: &[usize], name: &str) -> Result<Vec<usize>, E> {
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
    fn through_item(&self, active: &[usize], index: usize) -> Vec<usize> {
        let leads = |number: &usize| match self.step(*number) {
            Some(Step::Each) => true,
            Some(Step::Name(name)) => as_index(name) == Some(index),
            None => false,
        };
        active.iter().copied().filter(leads).collect()
    }

    fn count(&self, number: usize) -> usize {
        self.picked.at(number).len()
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
    fn take(&mut self, raw: &'de str, active: &[usize]) -> Result<(), serde_json::Error> {
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
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value about to be read, and the wanted pointers that lead to it or through it.
struct Node<'s, 'w, 'de, P> {
    walk: &'s mut Walk<'w, 'de, P>,
    active: &'s [usize],
}

impl<'de, P: Borrow<Pointer>> DeserializeSeed<'de> for Node<'_, '_, 'de, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if !self.walk.ends_here(self.active) {
            return json.deserialize_any(self).map(drop);
        }
        let raw = <&'de RawValue>::deserialize(json)?;
        self.walk.take(raw.get(), self.active).map_err(D::Error::custom)
    }
}

impl<'de, P: Borrow<Pointer>> Visitor<'de> for Node<'_, '_, 'de, P> {
    type Value = Fact<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Fact<'de>, E> {
        Ok(Fact::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Fact<'de>, E> {
        Ok(Fact::Flag(flag))
    }

    // Numbers come here only where nobody asked for them.
    fn visit_i64<E: Error>(self, _: i64) -> Result<Fact<'de>, E> {
        Ok(Fact::Null)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Fact<'de>, E> {
        Ok(Fact::Null)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Fact<'de>, E> {
        Ok(Fact::Null)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Fact<'de>, E> {
        Ok(Fact::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fact<'de>, A::Error> {
        let Self { walk, active } = self;
        walk.enter()?;
        let mut names = HashSet::new();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            walk.members = walk.members.saturating_add(1);
            if walk.members > MEMBERS_MAX {
                return Err(walk.refuse(JsonProblem::TooMany));
            }
            let on = walk.through_member(active, &name);
            walk.path.push(Key::Member(name.clone()));
            if !names.insert(name) {
                return Err(walk.refuse(JsonProblem::Duplicate));
            }
            map.next_value_seed(Node { walk, active: &on? })?;
            walk.path.pop();
        }
        Ok(Fact::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fact<'de>, A::Error> {
        let Self { walk, active } = self;
        walk.enter()?;
        for index in 0_usize.. {
            let on = walk.through_item(active, index);
            let before: Vec<_> = on.iter().map(|number| walk.count(*number)).collect();
            walk.path.push(Key::Item(index));
            let item = seq.next_element_seed(Node { walk, active: &on })?;
            walk.path.pop();
            if item.is_none() {
                return Ok(Fact::Array(u64::try_from(index).unwrap_or(u64::MAX)));
            }
            for (number, before) in on.iter().zip(before) {
                let grew = walk.count(*number) > before;
                let each = matches!(walk.step(*number), Some(Step::Each));
                if let Some(place) = walk.picked.places.get_mut(*number) {
                    place.uneven |= each && !grew;
                }
            }
        }
        Err(walk.refuse(JsonProblem::TooMany))
    }
}

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
