//! The verdict: what an upstream's answer means and what it costs.
//!
//! The route's outcomes are tried in order; where none matches, a 2xx is completed and settled, a 4xx was
//! rejected, all else failed, and both cost nothing. A success that did not come to its end is unknown and
//! stays held, unless a rule of class `partial` matches it, or a body test has proven that the work failed.
//!
//! Invariant: every response has exactly one verdict.
//! Invariant: what a response does not say is charged as held or declared, and flagged; never as nothing.

use super::eye::Eye;
use super::flag::Flag;
use super::outcome::BodyTest;
use super::pricing::Held;
use super::reading::Reading;
use super::said::Seen;
use super::settings::{ChargeRule, Class, Due, Missing, OutcomeRule, Quantity};
use super::value::Answer;
use super::watch::{End, PARTIAL_CONTENT, is_success};
use crate::credit::{Amount, Facts, PriceError, Priced, Value};
use crate::observe::Unread;

/// What an answer means and costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it was.
    pub class: Class,
    /// What it costs.
    pub charge: Charge,
    /// What a person should know about it, each once.
    pub flags: Vec<Flag>,
}

/// What an answer costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// What these quantities come to.
    Settle {
        /// The quantities, `plan` among them.
        facts: Facts,
        /// What they come to. It may be more than was held.
        priced: Priced,
    },
    /// What was held.
    Full,
    /// Nothing.
    None,
    /// This much, at most what was held.
    Fee(Amount),
    /// Nothing yet: the charge is unknown and stays held.
    Hold,
}

impl Charge {
    /// Why an answer of this class costs this, in a sentence for its receipt; `cancelled` is the one for what was
    /// cut off, which only the caller knows by whom.
    #[must_use]
    pub const fn why(&self, class: Class, cancelled: &'static str) -> &'static str {
        match (class, self) {
            (_, Self::Fee(_)) => "The route charges a fee for this outcome.",
            (_, Self::Hold) => "The answer does not say how the work ended.",
            (Class::Completed, Self::None) => "The route does not charge for this outcome.",
            (Class::Completed, _) => "The work was done.",
            (Class::Partial, _) => "A part of the work was done.",
            (Class::Failed, _) => "The service failed.",
            (Class::Rejected, _) => "The service refused the request.",
            (Class::Blocked, _) => "The service refused the content.",
            (Class::Cancelled, _) => cancelled,
            (Class::Pending, _) => "The work goes on.",
            (Class::Unknown, _) => "Nobody knows how the work ended.",
        }
    }
}

/// What is known about a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    pub(super) status: u16,
    /// For each outcome rule: whether status and header match.
    pub(super) heads: &'a [bool],
    pub(super) eye: &'a Eye,
    pub(super) end: End,
    pub(super) unread: Option<Unread>,
}

/// Judges a response that is over.
pub(super) fn judge(evidence: &Evidence<'_>, due: &Due, held: &Held) -> Verdict {
    let mut flags = held.flags.clone();
    let decision = evidence.decide(due);
    if evidence.depends_on_body() {
        flags.extend(evidence.unread_flag());
    }
    if evidence.end == End::Broken && is_success(evidence.status) {
        flags.push(Flag::BrokenBody);
    }
    let (class, charge) = decision.unwrap_or_else(|| evidence.otherwise());
    let charge = evidence.charge(charge, due, held, &mut flags);
    dedup(&mut flags);
    Verdict { class, charge, flags }
}

/// Judges a response of which only the head is known.
pub(super) fn at_head(evidence: &Evidence<'_>, due: &Due, held: &Held) -> Option<Verdict> {
    let first = due.outcomes.iter().zip(evidence.heads).find(|(_, head)| **head);
    let (class, charge) = match first {
        Some((rule, _)) if !rule.body.is_empty() => return None,
        Some((rule, _)) => (rule.class, rule.charge),
        None => evidence.otherwise(),
    };
    let depends = |(number, quantity): (usize, &Quantity)| {
        let asked = held.asked(&quantity.name).is_some();
        !quantity.response.is_empty() && !evidence.eye.is_known(number, quantity, asked)
    };
    match charge {
        ChargeRule::Hold => return None,
        ChargeRule::Settle if due.quantities.iter().enumerate().any(depends) => return None,
        _ => {}
    }
    let mut flags = held.flags.clone();
    let charge = evidence.charge(charge, due, held, &mut flags);
    if is_success(evidence.status) {
        flags.push(Flag::CompletenessAssumed);
    }
    Some(Verdict { class, charge, flags })
}

/// What the quantities that are known so far come to; those that are not count as held.
pub(super) fn so_far(evidence: &Evidence<'_>, due: &Due, held: &Held) -> Option<Amount> {
    match evidence.settle(due, held, &mut Vec::new()) {
        Charge::Settle { priced, .. } => Some(priced.total),
        Charge::Full | Charge::None | Charge::Fee(_) | Charge::Hold => None,
    }
}

impl Evidence<'_> {
    /// What the route's own outcomes say.
    fn decide(&self, due: &Due) -> Option<(Class, ChargeRule)> {
        let rules = due.outcomes.iter().enumerate().filter(|(number, _)| self.matches(*number));
        let mut counted = rules.filter(|(number, rule)| self.counts(*number, rule));
        counted.next().map(|(_, rule)| (rule.class, rule.charge))
    }

    fn matches(&self, rule: usize) -> bool {
        let all_read = self.all_read();
        let head = self.heads.get(rule).is_some_and(|head| *head);
        head && self.eye.tests.iter().filter(|t| t.rule == rule).all(|t| t.has_passed(all_read))
    }

    /// Whether a rule that matches counts for this end. Of a success that did not come to its end only
    /// rules that expect that count, and those that have seen proof of a failure: many streams report an
    /// error and then end without their end mark.
    fn counts(&self, number: usize, rule: &OutcomeRule) -> bool {
        let mut tests = self.eye.tests.iter().filter(|test| test.rule == number).peekable();
        let mut proven = || tests.peek().is_some() && tests.all(BodyTest::is_proven);
        match (self.end, rule.class) {
            (End::Complete, _) => true,
            _ if !is_success(self.status) => true,
            (End::Broken, Class::Partial) | (End::Cancelled, Class::Cancelled) => true,
            (_, Class::Failed | Class::Rejected | Class::Blocked | Class::Cancelled) => proven(),
            (_, Class::Completed | Class::Partial | Class::Pending | Class::Unknown) => false,
        }
    }

    /// What an answer means where no rule says so.
    const fn otherwise(&self) -> (Class, ChargeRule) {
        match (self.status, self.end) {
            (200..=299, End::Complete) => (Class::Completed, ChargeRule::Settle),
            (200..=299, End::Broken) => (Class::Unknown, ChargeRule::Hold),
            (200..=299, End::Cancelled) => (Class::Cancelled, ChargeRule::Settle),
            (400..=499, _) => (Class::Rejected, ChargeRule::None),
            _ => (Class::Failed, ChargeRule::None),
        }
    }

    fn charge(&self, rule: ChargeRule, due: &Due, held: &Held, flags: &mut Vec<Flag>) -> Charge {
        match rule {
            ChargeRule::Settle => self.settle(due, held, flags),
            ChargeRule::Full => Charge::Full,
            ChargeRule::None => Charge::None,
            ChargeRule::Fee(fee) => Charge::Fee(fee.min(held.priced.total)),
            ChargeRule::Hold => Charge::Hold,
        }
    }

    fn settle(&self, due: &Due, held: &Held, flags: &mut Vec<Flag>) -> Charge {
        let mut facts = held.facts.clone();
        for (number, quantity) in due.quantities.iter().enumerate() {
            if !quantity.response.is_empty() {
                let asked = held.asked(&quantity.name);
                self.state((number, quantity), asked, &mut facts, flags);
            }
        }
        match due.price.of(&facts).and_then(|priced| held.changes.apply(priced)) {
            Ok(priced) => return Charge::Settle { facts, priced },
            Err(PriceError::OutOfRange) => flags.push(Flag::AmountOutOfRange),
            Err(PriceError::NoRate(_) | PriceError::Missing(_) | PriceError::NotANumber(_)) => {
                flags.push(Flag::NoRate);
            }
        }
        Charge::Full
    }

    /// Puts what the response says of one quantity in the place of what was held for it.
    fn state(
        &self,
        (number, quantity): (usize, &Quantity),
        asked: Option<&Value>,
        facts: &mut Facts,
        flags: &mut Vec<Flag>,
    ) {
        let name = &quantity.name;
        let undecoded = matches!(self.unread, Some(Unread::Encoded | Unread::Bomb));
        let seen = Seen { undecoded, all: self.all_read(), asked };
        let Some(stated) = self.eye.said(number, quantity, seen) else {
            return self.missing(number, quantity, facts, flags);
        };
        flags.extend(stated.flags);
        let Some(answer) = stated.answer else { return };
        if answer.rounded {
            flags.push(Flag::RoundedQuantity(name.clone()));
        }
        if quantity.value.is_above(&answer.value) {
            flags.push(Flag::OverMaximum(name.clone()));
        }
        if stated.lacks_some {
            flags.push(Flag::UnreadableQuantity(name.clone()));
            flags.extend(self.unread_flag());
            let held = facts.0.get(name).cloned();
            let held = held.map(|value| Answer { value, rounded: false });
            if held.is_some_and(|held| answer.is_below(&held)) {
                return;
            }
        }
        facts.0.insert(name.clone(), answer.value);
    }

    /// Puts what is declared for it in the place of a quantity that the response does not say.
    fn missing(
        &self,
        number: usize,
        quantity: &Quantity,
        facts: &mut Facts,
        flags: &mut Vec<Flag>,
    ) {
        flags.push(Flag::MissingQuantity(quantity.name.clone()));
        if self.eye.readings(number).any(|reading| reading.in_text() || reading.is_length()) {
            flags.extend(self.unread_flag());
        }
        // A part that was asked for is not what was made.
        let part =
            self.status == PARTIAL_CONTENT && self.eye.readings(number).any(Reading::is_length);
        if let (Missing::Value(value), false) =
            (&quantity.missing, part || self.end == End::Cancelled)
        {
            facts.0.insert(quantity.name.clone(), value.clone());
        }
    }

    /// Whether nothing of the body that could be read was left unread.
    fn all_read(&self) -> bool {
        matches!(self.unread, None | Some(Unread::Binary)) && !self.eye.unreadable
    }

    /// Whether a rule that the head leaves possible looks into the body.
    fn depends_on_body(&self) -> bool {
        !self.eye.tests.is_empty()
    }

    /// What to say about a body, or a part of it, that was not read.
    fn unread_flag(&self) -> Option<Flag> {
        match self.unread {
            Some(Unread::OtherType) => Some(Flag::UnreadableBody),
            Some(Unread::Encoded) => Some(Flag::EncodedBody),
            Some(Unread::TooLarge | Unread::Bomb) => Some(Flag::OversizedBody),
            Some(Unread::Broken | Unread::Binary) => None,
            None => self.eye.unreadable.then_some(Flag::UnreadableBody),
        }
    }
}

fn dedup(flags: &mut Vec<Flag>) {
    let mut seen = std::collections::HashSet::new();
    flags.retain(|flag| seen.insert(flag.clone()));
}
