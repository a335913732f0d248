//! A value of a JSON document that is being read: `serde_json` reads the text, this looks at each value once.
//!
//! A value that somebody asked for is taken as raw text first, since its digits would be lost otherwise; an
//! array or object among these is then walked like any other.
//!
//! Invariant: every value is visited, asked for or not: what is refused is refused anywhere.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Fact, JsonProblem};
use super::walk::{Key, Text, Walk};
use super::{Pointer, Step};

/// A value about to be read, and the wanted pointers that lead to it or through it.
pub(super) struct Node<'s, 'w, 'de, P> {
    pub(super) walk: &'s mut Walk<'w, 'de, P>,
    pub(super) active: &'s [usize],
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
            walk.count_member()?;
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
                let each = matches!(walk.step(*number), Some(Step::Each));
                if each && walk.count(*number) == before {
                    walk.note_uneven(*number);
                }
            }
        }
        Err(walk.refuse(JsonProblem::TooMany))
    }
}
