//! Why a request has no price, before it is said in a language.
//!
//! Invariant: facts, never sentences; what a reader of JSON says of a text is the one exception, and stays in
//! its own words.

use crate::credit::{Decimal, DecimalError, Name, PriceError};
use crate::observe::{Fact, FormProblem, JsonProblem};

use super::query::QueryProblem;

/// Why a request has no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A quantity cannot be read.
    Quantity {
        /// Which.
        name: Name,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A name that the body says stands in the query too.
    InQuery {
        /// The name.
        name: String,
    },
    /// The query has no single reading.
    Query(QueryProblem),
    /// The body has no single reading.
    Json(JsonProblem),
    /// The body is no object.
    NoObject,
    /// The body is compressed.
    Encoded,
    /// The form has no single reading.
    Form(FormProblem),
    /// The body is not said to be JSON or a form in UTF-8.
    Media {
        /// Whether JSON can be priced here.
        json: bool,
        /// Whether a form can.
        form: bool,
    },
    /// The quantities have no price.
    Price(PriceError),
}

/// What is wrong with a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there and has no default.
    Required,
    /// It is of another sort.
    Sort {
        /// What it must be.
        wanted: Sort,
        /// What it is; `None`: a text that cannot be read as what is wanted.
        found: Option<Sort>,
    },
    /// It is out of range.
    Range {
        /// The least.
        first: Decimal,
        /// The most.
        last: Decimal,
    },
    /// It is none of the words.
    Words(Vec<String>),
    /// The word has more bytes than this.
    LongWord(usize),
    /// It is larger than can be counted.
    TooLarge,
    /// What is taken away is more than there is.
    BelowZero,
    /// It has no value.
    NoValue,
    /// It is not the same everywhere.
    Differs,
    /// It is not written in digits alone.
    Digits,
    /// It is no number that can be kept exactly.
    Number(DecimalError),
    /// It stands in a body that was not read.
    Unread,
    /// It does not stand in every item.
    Uneven,
    /// The query has no single reading of it.
    Query(QueryProblem),
    /// The headers have it with another spelling.
    Spelling,
    /// The headers have it more than once.
    HeaderTwice,
    /// It is not plain text.
    NotText,
    /// It is not UTF-8.
    NotUtf8,
}

/// A sort of value, to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A number of seconds.
    Seconds,
    /// A number of pixels.
    Pixels,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Sort {
    /// What a value is.
    pub(super) const fn of(fact: &Fact<'_>) -> Self {
        match fact {
            Fact::Null => Self::Null,
            Fact::Flag(_) => Self::Flag,
            Fact::Number(_) => Self::Number,
            Fact::Text(_) => Self::Text,
            Fact::Array(_) => Self::Array,
            Fact::Object => Self::Object,
        }
    }
}

impl Flaw {
    /// It must be `wanted` and is something else.
    pub(super) const fn not(wanted: Sort, fact: &Fact<'_>) -> Self {
        Self::Sort { wanted, found: Some(Sort::of(fact)) }
    }
}

impl From<DecimalError> for Flaw {
    fn from(error: DecimalError) -> Self {
        Self::Number(error)
    }
}

impl From<QueryProblem> for Flaw {
    fn from(problem: QueryProblem) -> Self {
        Self::Query(problem)
    }
}
