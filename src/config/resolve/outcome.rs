//! Outcomes: what the upstream's answer means for money.

use super::Resolver;
use crate::config::format::Testable;
use crate::config::mirror::{self, BodyTest, HeaderTest};
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::meter::{ChargeRule, OutcomeRule, Test};

impl Resolver<'_, '_> {
    /// The rules without errors.
    pub(super) fn outcomes(&mut self, outcomes: &[mirror::Outcome]) -> Vec<OutcomeRule> {
        let any = outcomes.iter().position(|rule| {
            rule.status.is_empty() && rule.header.is_none() && rule.body.0.is_empty()
        });
        if let Some((any, never)) =
            any.and_then(|any| Some((outcomes.get(any)?, outcomes.get(any.checked_add(1)?)?)))
        {
            let message =
                "this outcome never matches: an earlier one has no condition and always wins";
            self.findings
                .warning("shadowed_outcome", never.class.place, message)
                .note(any.class.place, "the earlier one");
        }
        outcomes.iter().filter_map(|rule| self.outcome(rule)).collect()
    }

    fn outcome(&mut self, rule: &mirror::Outcome) -> Option<OutcomeRule> {
        let header = match &rule.header {
            Some(test) => {
                Some((test.name.value.clone(), self.test(test.name.place, test.tests())?))
            }
            None => None,
        };
        let tests = rule.body.0.iter();
        let body: Vec<_> = tests
            .map(|test| Some((test.at.value.clone(), self.test(test.at.place, test.tests())?)))
            .collect();
        let body = body.into_iter().collect::<Option<_>>()?;
        Some(OutcomeRule {
            status: rule.status.iter().map(|at| at.value).collect(),
            header,
            body,
            class: rule.class.value,
            charge: charge(&rule.charge),
        })
    }

    /// The one test among those that were written.
    pub(super) fn test(&mut self, place: Place, mut tests: Vec<(Place, Test)>) -> Option<Test> {
        let known = "write one of `equals`, `in`, `prefix`, `exists` or (in a body) `items`";
        if let Some((second, _)) = tests.get(1) {
            self.findings
                .error("one_test", *second, "there is a second test here")
                .help("for both of two conditions write a list: body: [{ at: …, equals: … }, { at: …, exists: true }]");
            return None;
        }
        if tests.is_empty() {
            self.findings
                .error("one_test", place, "nothing says what must be found here")
                .help(known);
        }
        tests.pop().map(|(_, test)| test)
    }
}

pub(super) fn charge(charge: &mirror::Charge) -> ChargeRule {
    match charge {
        mirror::Charge::Settle => ChargeRule::Settle,
        mirror::Charge::Full => ChargeRule::Full,
        mirror::Charge::None => ChargeRule::None,
        mirror::Charge::Hold => ChargeRule::Hold,
        mirror::Charge::Fee(fee) => ChargeRule::Fee(fee.value),
    }
}

impl HeaderTest {
    fn tests(&self) -> Vec<(Place, Test)> {
        common(
            self.equals.as_ref(),
            self.any.as_deref(),
            self.prefix.as_ref(),
            self.exists.as_ref(),
        )
    }
}

impl BodyTest {
    pub(super) fn tests(&self) -> Vec<(Place, Test)> {
        let mut tests = common(
            self.equals.as_ref(),
            self.any.as_deref(),
            self.prefix.as_ref(),
            self.exists.as_ref(),
        );
        tests.extend(self.items.as_ref().map(|at| (at.place, Test::Items(at.value))));
        tests
    }
}

fn common(
    equals: Option<&At<Testable>>,
    any: Option<&[At<Testable>]>,
    prefix: Option<&At<String>>,
    exists: Option<&At<bool>>,
) -> Vec<(Place, Test)> {
    let text = |at: &At<Testable>| at.value.0.clone();
    let any =
        any.and_then(|any| Some((any.first()?.place, Test::In(any.iter().map(text).collect()))));
    let found = [
        equals.map(|at| (at.place, Test::In(vec![text(at)]))),
        any,
        prefix.map(|at| (at.place, Test::Prefix(at.value.clone()))),
        exists.map(|at| (at.place, Test::Exists(at.value))),
    ];
    found.into_iter().flatten().collect()
}
