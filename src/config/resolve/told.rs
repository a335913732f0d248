//! What a response may say of a quantity, by its type.

use super::Resolver;
use crate::config::mirror::{self, QuantityType, ResponseFrom};
use crate::config::placed::At;
use crate::meter::Merge;
use crate::observe::{Pointer, Step};

impl Resolver<'_, '_> {
    /// Checks that what is counted or merged is a number, and that there is something to merge.
    pub(super) fn told(&mut self, written: &mirror::Quantity) {
        let number = !matches!(written.kind.value, QuantityType::Text | QuantityType::Flag);
        if !number && written.response.iter().any(counts) {
            let message = "what is counted in the response is a number";
            self.findings.error("not_a_number", written.kind.place, message);
        }
        // Of events that each have one place, those that have it are counted.
        let sums = written.merge.as_ref().is_some_and(|merge| merge.value == Merge::Sum);
        let places = written.response.iter().filter_map(counted);
        for at in places.filter(|at| !sums && !has_star(&at.value)) {
            let message = format!("`{}` is one place: `count` needs a `*`", at.value);
            self.findings.error("no_star", at.place, message).help(
                "as in /data/*/url: how many items have one; or `merge: sum`: how many events have it",
            );
        }
        let Some(merge) = &written.merge else { return };
        if !written.response.iter().any(states) {
            let message = "nothing is merged here: no source states a value event by event";
            self.findings
                .error("misplaced", merge.place, message)
                .help("`merge` is for `json`, `items`, `count` and `event` in `response`");
        } else if !number && merge.value != Merge::Last {
            let message = "words are neither added up nor compared";
            self.findings.error("misplaced", merge.place, message).help("write `merge: last`");
        }
    }
}

const fn counts(source: &ResponseFrom) -> bool {
    matches!(source, ResponseFrom::Count(_) | ResponseFrom::Characters(_) | ResponseFrom::BodyBytes)
}

const fn counted(source: &ResponseFrom) -> Option<&At<Pointer>> {
    match source {
        ResponseFrom::Count(at) => Some(at),
        _ => None,
    }
}

/// Whether several events of a stream may each state a value.
const fn states(source: &ResponseFrom) -> bool {
    matches!(
        source,
        ResponseFrom::Json(_)
            | ResponseFrom::Items(_)
            | ResponseFrom::Count(_)
            | ResponseFrom::Event(_)
    )
}

/// Whether a pointer leads to many places.
pub(super) fn has_star(pointer: &Pointer) -> bool {
    pointer.steps().contains(&Step::Each)
}
