//! What an examination of a store found: in words for people, with a level and a code for programs.
//!
//! Invariant: a finding that is not well says what to do about it; none has a password in it.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works; something is not promised.
    Warning,
    /// It must not be served with, or cannot be.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A stable word for what it is, such as `evicts`.
    pub code: &'static str,
    /// Which server or folder; empty: the store as a whole.
    pub place: String,
    /// What was found.
    pub found: String,
    /// What to do about it; empty where all is well.
    pub advice: String,
}

/// The code of a ledger that was made for tests.
pub const FOR_TESTS: &str = "test_ledger";

/// The code of what does not answer: it may later.
pub const UNREACHABLE: &str = "unreachable";

impl Finding {
    /// As it should be.
    pub(super) fn ok(code: &'static str, place: &str, found: impl Into<String>) -> Self {
        Self::new(Level::Ok, code, place, found.into(), "")
    }

    /// Something is not promised.
    pub(super) fn warning(
        code: &'static str,
        place: &str,
        found: impl Into<String>,
        advice: &str,
    ) -> Self {
        Self::new(Level::Warning, code, place, found.into(), advice)
    }

    /// It must not be served with.
    pub(super) fn error(
        code: &'static str,
        place: &str,
        found: impl Into<String>,
        advice: &str,
    ) -> Self {
        Self::new(Level::Error, code, place, found.into(), advice)
    }

    fn new(level: Level, code: &'static str, place: &str, found: String, advice: &str) -> Self {
        Self { level, code, place: place.to_owned(), found, advice: advice.to_owned() }
    }
}
