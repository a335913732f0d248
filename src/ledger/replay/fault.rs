//! What is wrong with exported files.
//!
//! Invariant: however broken the files are, what is kept of it is bounded.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::credit::AccountId;

/// How many faults are kept; further ones are counted.
const FAULTS_MAX: usize = 1_000;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file.
    pub file: Arc<Path>,
    /// Which line, from 1; 0: the file as a whole.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Something in the files that must not be: a breach of I10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable word for what it is, such as `gap`.
    pub code: &'static str,
    /// Whose lines, where that is known.
    pub account: Option<AccountId>,
    /// Where.
    pub place: Place,
    /// What was found.
    pub found: String,
}

impl Fault {
    pub(super) fn at(code: &'static str, place: Place, found: impl Into<String>) -> Self {
        Self { code, account: None, place, found: found.into() }
    }

    /// The same of an account.
    pub(super) fn of(self, account: &AccountId) -> Self {
        Self { account: Some(account.clone()), ..self }
    }
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(super) struct Faults {
    kept: Vec<Fault>,
    more: u64,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if self.kept.len() < FAULTS_MAX {
            self.kept.push(fault);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Lets go of what another fault of the account explains.
    pub(super) fn forget(&mut self, code: &str, account: &AccountId) {
        self.kept.retain(|it| it.code != code || it.account.as_ref() != Some(account));
    }

    pub(super) fn all(&self) -> (&[Fault], u64) {
        (&self.kept, self.more)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
