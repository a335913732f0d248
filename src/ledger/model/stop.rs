//! Why a verb stopped before it wrote anything.
//!
//! Invariant: whoever sees one of these has not changed a record.

use crate::credit::Amount;
use crate::ledger::Refusal;

/// Why a verb stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A rule said no.
    Refused(Box<Refusal>),
    /// A record contradicts itself or cannot be read: this account alone is left alone.
    Broken(String),
    /// A newer program has written a record: this one leaves it alone.
    Newer(String),
    /// The store failed: nothing of the whole group is known.
    Failed(String),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// A refusal because the call makes no sense.
pub(super) fn invalid(what: &str) -> Stop {
    Refusal::Invalid(what.to_owned()).into()
}

/// A sum that the rules have already bounded.
pub(super) fn plus(a: Amount, b: Amount) -> Result<Amount, Stop> {
    a.checked_add(b).ok_or_else(|| Stop::Broken("a sum of credits is out of range".to_owned()))
}

/// A difference that the rules have already bounded.
pub(super) fn minus(a: Amount, b: Amount) -> Result<Amount, Stop> {
    a.checked_sub(b).ok_or_else(|| Stop::Broken("more is taken than there is".to_owned()))
}
