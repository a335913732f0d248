//! Values of the mirror with their places.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::format::Format;
use super::problem::Place;
use super::read::{NAMED, PLACED};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) place: Place,
}

/// A text, or a mapping that says where it is kept or says more.
#[derive(Clone, Debug)]
pub(super) enum TextOr<T, O> {
    /// The text itself.
    Text(At<T>),
    /// Something else, which is a mapping or a choice of mappings.
    Other(O),
}

/// A mapping from names to values, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// The index of the entry with this name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(at, _)| at.value == name)
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(at, _)| at.value.as_str())
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Format> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
        let mut number = || next::<u32, A>(&mut parts);
        let place = Place { file: number()?, line: number()?, column: number()?, width: number()? };
        let text = next::<Cow<'de, str>, A>(&mut parts)?;
        Ok(At { value: T::read(&text).map_err(de::Error::custom)?, place })
    }
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| de::Error::custom("a value without its place"))
}

impl<'de, T: Format> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, AtVisitor(PhantomData))
    }
}

impl<T: Format> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

struct TextOrVisitor<T, O>(PhantomData<(T, O)>);

impl<'de, T: Format, O: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T, O> {
    type Value = TextOr<T, O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a mapping")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Self::Value, A::Error> {
        AtVisitor(PhantomData).visit_seq(parts).map(TextOr::Text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, node: D) -> Result<Self::Value, D::Error> {
        O::deserialize(node).map(TextOr::Other)
    }
}

impl<'de, T: Format, O: Deserialize<'de>> Deserialize<'de> for TextOr<T, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, TextOrVisitor(PhantomData))
    }
}

impl<T: Format, O: JsonSchema> JsonSchema for TextOr<T, O> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", O::schema_name()).into()
    }

    /// The other's choices, or the one mapping that it is, and the text before them.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = O::json_schema(generator);
        match schema.get_mut("oneOf") {
            Some(Value::Array(choices)) => choices.insert(0, T::schema().into()),
            _ => schema = json_schema!({ "oneOf": [T::schema(), schema] }),
        }
        schema
    }
}

/// One of these, or a list of them; none where nothing is written.
#[derive(Clone, Debug)]
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct OneOrMoreVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMoreVisitor<T> {
    type Value = OneOrMore<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or a list of them")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, entries: A) -> Result<OneOrMore<T>, A::Error> {
        let one = T::deserialize(de::value::MapAccessDeserializer::new(entries))?;
        Ok(OneOrMore(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(OneOrMore(all))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMoreVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }

    /// A mapping or a list of it: two choices that no text can be mistaken between.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "oneOf": [one, { "type": "array", "minItems": 1, "items": one }] })
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping from names to values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Named<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = parts.next_element()? {
            entries.push((name, next(&mut parts)?));
        }
        Ok(Named(entries))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAMED, NamedVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
            "propertyNames": crate::credit::Name::schema(),
        })
    }
}
