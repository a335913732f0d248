//! From the tree to the mirror: the tree as a source for `serde`.
//!
//! Types are decided by what the mirror asks for, never guessed from the text.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::problem::Place;
use super::tree::{Entry, Node, Yaml};

/// The name under which a value asks for its place as well: it is given file, line, column,
/// width and text.
pub(super) const PLACED: &str = "$place";
/// The name under which a mapping asks for the places of its names as well.
pub(super) const NAMED: &str = "$named";

/// Why a tree does not become a mirror. Only seen if the walk has missed something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ReadError(pub(super) String);

impl de::Error for ReadError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Yaml::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            Yaml::List(nodes) => visitor.visit_seq(Items(nodes.iter())),
            Yaml::Map(entries) => visitor.visit_map(Members { rest: entries.iter(), next: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match (name, &self.value) {
            (PLACED, Yaml::Scalar { text, .. }) => visitor.visit_seq(Placed::new(self.place, text)),
            (NAMED, Yaml::Map(entries)) => {
                visitor.visit_seq(Names { rest: entries.iter(), next: None })
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.value {
            Yaml::Scalar { text, .. } => visitor.visit_enum(text.as_str().into_deserializer()),
            Yaml::Map(entries) => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Members {
                    rest: entries.iter(),
                    next: None,
                }))
            }
            Yaml::List(_) => Err(de::Error::custom("a list where a word is wanted")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Members<'a> {
    rest: std::slice::Iter<'a, Entry>,
    next: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.rest.next() else { return Ok(None) };
        self.next = Some(&entry.node);
        seed.deserialize(StrDeserializer::new(&entry.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let node =
            self.next.take().ok_or_else(|| ReadError("a value without a name".to_owned()))?;
        seed.deserialize(node)
    }
}

/// The entries of a mapping as a list: name, value, name, value.
struct Names<'a> {
    rest: std::slice::Iter<'a, Entry>,
    next: Option<&'a Node>,
}

impl<'de> SeqAccess<'de> for Names<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        if let Some(node) = self.next.take() {
            return seed.deserialize(node).map(Some);
        }
        let Some(entry) = self.rest.next() else { return Ok(None) };
        self.next = Some(&entry.node);
        seed.deserialize(Name(entry)).map(Some)
    }
}

/// A name with its place.
struct Name<'a>(&'a Entry);

impl<'de> de::Deserializer<'de> for Name<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(Placed::new(self.0.place, &self.0.name))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any option newtype_struct enum
    }
}

/// File, line, column, width and text of a scalar, one after the other.
struct Placed<'a> {
    numbers: std::array::IntoIter<u32, 4>,
    text: Option<&'a str>,
}

impl<'a> Placed<'a> {
    fn new(place: Place, text: &'a str) -> Self {
        let numbers = [place.file, place.line, place.column, place.width].into_iter();
        Self { numbers, text: Some(text) }
    }
}

impl<'de> SeqAccess<'de> for Placed<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        if let Some(number) = self.numbers.next() {
            return seed.deserialize(number.into_deserializer()).map(Some);
        }
        match self.text.take() {
            Some(text) => seed.deserialize(de::value::BorrowedStrDeserializer::new(text)).map(Some),
            None => Ok(None),
        }
    }
}
