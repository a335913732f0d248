//! The words of refusals: one file for each language, each a `match` over the same messages.
//!
//! Invariant: every language says every message with all of its facts; a missing one, or a fact that is not
//! said, does not compile.

mod en;
mod fr;
mod pt_br;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{Cause, Detail, Language};
use crate::meter::members::Misread;
use crate::meter::why::Why;

/// What kind of refusal it is, in a few words.
pub(super) const fn title(language: Language, cause: Cause) -> &'static str {
    match language {
        Language::English => en::title(cause),
        Language::Portuguese => pt_br::title(cause),
        Language::French => fr::title(cause),
    }
}

/// What happened and what to do next.
pub(super) fn detail(language: Language, detail: &Detail) -> String {
    match language {
        Language::English => en::detail(detail),
        Language::Portuguese => pt_br::detail(detail),
        Language::French => fr::detail(detail),
    }
}

/// For logs and operators, in English.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&en::why(self))
    }
}

/// For logs and operators, in English.
impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&en::misread(self))
    }
}
