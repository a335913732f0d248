//! What plans have in common: an account that changes its plan keeps its counters and its running allowances,
//! by their names. So a name means one thing in all of them.

use std::collections::HashMap;

use super::{Resolver, or};
use crate::config::defaults;
use crate::config::mirror::{Allowance, Cap, GrantClass};
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::credit::{Every, Kind, Measure, Name};

impl Resolver<'_, '_> {
    /// Notes caps and allowances that another plan has by the same name and another meaning.
    pub(super) fn across(&mut self) {
        let plans = &self.file.plans.0;
        let caps = plans.iter().flat_map(|(plan, written)| {
            written.caps.iter().map(|cap| (plan.value.as_str(), &cap.name, counts(cap)))
        });
        let caps: Vec<_> = caps.collect();
        self.differing("cap", "cap_differs", "has counted", &caps);
        let allowances = plans.iter().flat_map(|(plan, written)| {
            written.allowances.iter().map(|one| (plan.value.as_str(), &one.name, gives(one)))
        });
        let allowances: Vec<_> = allowances.collect();
        self.differing("allowance", "allowance_differs", "was given", &allowances);
    }

    fn differing(
        &mut self,
        what: &str,
        code: &'static str,
        kept: &str,
        all: &[(&str, &At<Name>, String)],
    ) {
        let mut first: HashMap<&Name, (&str, Place, &str)> = HashMap::new();
        for (plan, name, meaning) in all {
            let (other, place, meant) =
                *first.entry(&name.value).or_insert((*plan, name.place, meaning.as_str()));
            // Twice in one plan is another error.
            if meant != meaning && other != *plan {
                let message = format!(
                    "the {what} `{}` is {meaning} in the plan `{plan}` and {meant} in `{other}`",
                    name.value
                );
                let help = format!(
                    "an account that changes its plan keeps what it {kept} by this name: give one of them another name"
                );
                self.findings
                    .error(code, name.place, message)
                    .note(place, "the other one")
                    .help(help);
            }
        }
    }
}

/// What a cap counts.
fn counts(cap: &Cap) -> String {
    let every = match cap.every.value {
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
    };
    match cap.measure.value {
        Measure::Requests => format!("requests per {every}"),
        Measure::Credits => format!("`{}` per {every}", kind(cap.kind.as_ref())),
    }
}

/// What an allowance gives.
fn gives(allowance: &Allowance) -> String {
    let class = match or(allowance.class.as_ref(), GrantClass::Plan) {
        GrantClass::Plan => "plan",
        GrantClass::Free => "free",
    };
    format!("`{}` of class `{class}`", kind(allowance.kind.as_ref()))
}

fn kind(at: Option<&At<Kind>>) -> &str {
    at.map_or(defaults::KIND, |at| at.value.as_str())
}
