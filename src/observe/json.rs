//! JSON, read so that every upstream must read the same: one pass, values only where somebody asked.
//!
//! Refused are all things that two parsers read differently: a name twice in an object, lone surrogates, a
//! byte order mark, any encoding but UTF-8, data behind the value, nesting beyond 64.
//!
//! Invariant: a number is its digits as they stand in the text; it never becomes a float.
//! Invariant: linear time, and what is kept is bounded.

use std::borrow::{Borrow, Cow};

use super::Pointer;
use super::walk::{self, Case};

/// The deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 64;

/// The most members that all objects of a document may have together.
pub const MEMBERS_MAX: usize = 100_000;

/// The most values that are kept of one document.
pub const KEPT_MAX: usize = 100_000;

/// A value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// The text of a number, as it stands there (RFC 8259 §6).
    Number(&'a str),
    /// A string without its escapes.
    Text(Cow<'a, str>),
    /// An array with so many items.
    Array(u64),
    /// An object.
    Object,
}

/// What stands at the places that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked<'a> {
    pub(super) places: Vec<Place<'a>>,
}

/// What stands at one pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) facts: Vec<Fact<'a>>,
    pub(super) uneven: bool,
}

impl<'a> Picked<'a> {
    /// The values at the pointer of this number in the list that was asked for, in the order of the text;
    /// more than one only where the pointer has a `*`. Empty: there is no such place.
    #[must_use]
    pub fn at(&self, number: usize) -> &[Fact<'a>] {
        self.places.get(number).map_or(&[], |place| &place.facts)
    }

    /// Whether a `*` of that pointer met an item in which the rest of the pointer leads nowhere.
    #[must_use]
    pub fn uneven(&self, number: usize) -> bool {
        self.places.get(number).is_some_and(|place| place.uneven)
    }
}

/// Why a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct JsonError {
    /// Where, as an RFC 6901 pointer: the innermost value that had been reached.
    pub pointer: String,
    /// What is wrong.
    pub problem: JsonProblem,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// Some bytes are not UTF-8 (RFC 3629).
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// It begins with a byte order mark (RFC 8259 §8.1).
    #[error("the body begins with a byte order mark")]
    ByteOrderMark,
    /// Not JSON (RFC 8259); the reader's words.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// An object has this name twice, also if written with different escapes.
    #[error("this name stands twice in its object")]
    Duplicate,
    /// An object has a name that differs from the one asked for by case alone; some readers take it for that.
    #[error("this name differs from {0:?} by case alone")]
    OtherCase(String),
    /// Nested deeper than `DEPTH_MAX`.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// More than `MEMBERS_MAX` members, or more than `KEPT_MAX` values at the places asked for.
    #[error("too many values")]
    TooMany,
}

/// Reads what stands at `wanted` in a request's body.
///
/// # Errors
/// When any part of `bytes`, asked for or not, could be read in two ways.
pub fn strict<'a, P: Borrow<Pointer>>(
    bytes: &'a [u8],
    wanted: &[P],
) -> Result<Picked<'a>, JsonError> {
    walk::read(bytes, wanted, Case::Refused)
}

/// Reads what stands at `wanted` in a response. The same, except that names that differ by case are simply
/// other names: nobody but us reads usage there.
///
/// # Errors
/// When `bytes` could be read in two ways; to the caller that is the same as a value that is missing.
pub fn response<'a, P: Borrow<Pointer>>(
    bytes: &'a [u8],
    wanted: &[P],
) -> Result<Picked<'a>, JsonError> {
    walk::read(bytes, wanted, Case::Distinct)
}
