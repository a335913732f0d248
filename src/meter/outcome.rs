//! The parts of a route's outcome table that can be tried: on the head at once, on the body as it passes.
//!
//! In a stream a body test passes as soon as one event passes it: an event that says `failed` is not undone
//! by the next one. Of a rule with several body tests each passes for itself, perhaps in another event.
//!
//! Invariant: a body that was not read passes no body test, not even `exists: false`.

use http::HeaderMap;

use super::settings::{OutcomeRule, StatusSet, Test};
use crate::credit::Decimal;
use crate::observe::Fact;

/// Whether a rule's status and header match.
pub(super) fn matches_head(rule: &OutcomeRule, status: u16, head: &HeaderMap) -> bool {
    let within = |set: &StatusSet| (set.first..=set.last).contains(&status);
    let status_fits = rule.status.is_empty() || rule.status.iter().any(within);
    status_fits
        && rule.header.as_ref().is_none_or(|(name, test)| {
            let mut values = head.get_all(name).iter().map(|value| value.to_str().unwrap_or(""));
            match test {
                Test::Exists(wanted) => values.next().is_some() == *wanted,
                Test::In(words) => values.any(|value| words.iter().any(|word| word == value)),
                Test::Prefix(prefix) => values.any(|value| value.starts_with(prefix.as_str())),
                // A header has no items.
                Test::Items(_) => false,
            }
        })
}

/// A body test of one rule, and how it went so far.
#[derive(Debug)]
pub(super) struct BodyTest {
    pub(super) rule: usize,
    pub(super) place: usize,
    test: Test,
    found: bool,
    passed: bool,
}

impl BodyTest {
    pub(super) const fn new(rule: usize, place: usize, test: Test) -> Self {
        Self { rule, place, test, found: false, passed: false }
    }

    /// Tries the values that a body or an event has at the place.
    pub(super) fn try_on(&mut self, facts: &[Fact<'_>]) {
        self.found |= !facts.is_empty();
        self.passed |= facts.iter().any(|fact| passes(&self.test, fact));
    }

    /// Whether it has passed; `all_read`: nothing of the body was left unread.
    pub(super) const fn has_passed(&self, all_read: bool) -> bool {
        match self.test {
            Test::Exists(false) => all_read && !self.found,
            _ => self.passed,
        }
    }

    /// Whether it has passed on something that stands in the body, which nothing that follows can undo.
    pub(super) const fn is_proven(&self) -> bool {
        self.passed && !matches!(self.test, Test::Exists(false))
    }
}

/// Whether a value passes a test.
pub(super) fn passes(test: &Test, fact: &Fact<'_>) -> bool {
    match (test, fact) {
        (Test::Exists(wanted), _) => *wanted,
        (Test::Items(least), Fact::Array(items)) => items >= least,
        (Test::Prefix(prefix), Fact::Text(text)) => text.starts_with(prefix.as_str()),
        (Test::In(words), fact) => words.iter().any(|word| is_word(word, fact)),
        _ => false,
    }
}

fn is_word(word: &str, fact: &Fact<'_>) -> bool {
    match fact {
        Fact::Null => word == "null",
        Fact::Flag(flag) => word == if *flag { "true" } else { "false" },
        Fact::Text(text) => word == text,
        Fact::Number(digits) => {
            let number = Decimal::exact(digits);
            word == *digits || (number.is_ok() && Decimal::exact(word) == number)
        }
        Fact::Array(_) | Fact::Object => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{ChargeRule, Class};

    #[test]
    fn values_and_tests() {
        let words = |list: &[&str]| Test::In(list.iter().map(|&word| word.to_owned()).collect());
        for (test, fact, passes_it) in [
            (words(&["failed", "4"]), Fact::Text("failed".into()), true),
            (words(&["failed", "4"]), Fact::Text("fail".into()), false),
            (words(&["4"]), Fact::Number("4"), true),
            (words(&["4"]), Fact::Number("4.0"), true),
            (words(&["4"]), Fact::Number("40"), false),
            (words(&["-1"]), Fact::Number("-1"), true),
            (words(&["true"]), Fact::Flag(true), true),
            (words(&["null"]), Fact::Null, true),
            (words(&[""]), Fact::Object, false),
            (Test::Prefix("err".into()), Fact::Text("error".into()), true),
            (Test::Prefix("err".into()), Fact::Null, false),
            (Test::Exists(true), Fact::Null, true),
            (Test::Items(2), Fact::Array(2), true),
            (Test::Items(2), Fact::Array(1), false),
            (Test::Items(0), Fact::Object, false),
        ] {
            assert_eq!(passes(&test, &fact), passes_it, "{test:?} {fact:?}");
        }
    }

    #[test]
    fn absence_needs_a_body_that_was_read() {
        let mut test = BodyTest::new(0, 0, Test::Exists(false));
        test.try_on(&[]);
        assert!(test.has_passed(true) && !test.has_passed(false));
        test.try_on(&[Fact::Null]);
        assert!(!test.has_passed(true));
        assert!(!test.is_proven());
    }

    #[test]
    fn heads() {
        let mut head = HeaderMap::new();
        head.append("x-verdict", "blocked:nsfw".parse().unwrap());
        let rule = |status: &[(u16, u16)], test: Option<Test>| OutcomeRule {
            status: status.iter().map(|&(first, last)| StatusSet { first, last }).collect(),
            header: test.map(|test| ("x-verdict".parse().unwrap(), test)),
            body: Vec::new(),
            class: Class::Blocked,
            charge: ChargeRule::None,
        };
        for (rule, expected) in [
            (rule(&[], None), true),
            (rule(&[(200, 299)], None), true),
            (rule(&[(201, 299), (200, 200)], None), true),
            (rule(&[(400, 599)], None), false),
            (rule(&[], Some(Test::Exists(true))), true),
            (rule(&[], Some(Test::Exists(false))), false),
            (rule(&[], Some(Test::Prefix("blocked".into()))), true),
            (rule(&[], Some(Test::In(vec!["blocked".into()]))), false),
            (rule(&[(400, 599)], Some(Test::Exists(true))), false),
            (rule(&[], Some(Test::Items(0))), false),
        ] {
            assert_eq!(matches_head(&rule, 200, &head), expected, "{rule:?}");
        }
    }
}
