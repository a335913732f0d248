//! Allowances, and the order in which classes of credit pay.

use super::{Resolver, or, values};
use crate::config::format::Millis;
use crate::config::mirror::{self, GrantClass};
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::credit::{Allowance, Amount, Class, Cycle, Name, Ranks, Rollover, Start, When};

/// The longest that credits may be made to live: ten years.
pub(super) const LIFE_MAX: Millis = Millis(3_650 * 86_400_000);
/// The longest name of an allowance, in bytes: a grant's id is the name, its period, and perhaps what lives on.
const NAME_MAX: usize = 96;
/// How much of what is left lives on, if nobody says.
const ALL: u8 = 100;

impl Resolver<'_, '_> {
    pub(super) fn allowance(&mut self, allowance: &mirror::Allowance) -> Option<Allowance> {
        self.something("an allowance", &allowance.amount);
        self.short_enough(&allowance.name);
        let class = match or(allowance.class.as_ref(), GrantClass::Plan) {
            GrantClass::Plan => Class::Plan,
            GrantClass::Free => Class::Free,
        };
        self.route_or_feature(&allowance.only);
        Some(Allowance {
            name: allowance.name.value.clone(),
            kind: self.kind(allowance.kind.as_ref())?,
            class,
            priority: or(allowance.priority.as_ref(), 0),
            amount: allowance.amount.value,
            cycle: Cycle {
                every: allowance.every.value,
                start: or(allowance.start.as_ref(), Start::Calendar),
            },
            only: values(&allowance.only),
            when: self.when(allowance, class),
            rollover: allowance.rollover.as_ref().map(|written| {
                self.accumulates(allowance, class);
                self.rollover(written, allowance.name.place)
            }),
        })
    }

    /// Notes a name that would be too long for the ids of grants that are made of it.
    fn short_enough(&mut self, name: &At<Name>) {
        if name.value.as_str().len() > NAME_MAX {
            let message = format!("the name of an allowance has at most {NAME_MAX} characters");
            let help = "its grants are called after it, with their period behind it";
            self.findings.error("out_of_range", name.place, message).help(help);
        }
    }

    /// Notes a grant of nothing.
    pub(super) fn something(&mut self, what: &str, amount: &At<Amount>) {
        if amount.value.is_zero() {
            let message = format!("{what} gives more than nothing");
            let help = "remove it, or say how much";
            self.findings.error("zero_grant", amount.place, message).help(help);
        }
    }

    fn when(&mut self, allowance: &mirror::Allowance, class: Class) -> When {
        let when = or(allowance.when.as_ref(), When::Always);
        if let Some(at) = allowance.when.as_ref().filter(|at| at.value == When::PaidExhausted)
            && class != Class::Free
        {
            let message = "what is paid for does not wait until paid credits are used up: `paid_exhausted` is for `class: free`";
            self.findings
                .error("misplaced", at.place, message)
                .help("write `class: free`, or remove `when`");
        }
        when
    }

    fn accumulates(&mut self, allowance: &mirror::Allowance, class: Class) {
        if class == Class::Free {
            let message =
                format!("`{}` is free, and free credits never accumulate", allowance.name.value);
            self.findings
                .error("free_accumulates", allowance.name.place, message)
                .help("remove its `rollover`, or write `class: plan`");
        }
    }

    fn rollover(&mut self, written: &mirror::Rollover, place: Place) -> Rollover {
        let (min, percent) =
            (or(written.min.as_ref(), Amount::ZERO), or(written.percent.as_ref(), ALL));
        let max = written.max.as_ref().map(|at| at.value);
        if let Some(at) = written.max.as_ref().filter(|at| at.value < min) {
            let message = format!("the `max` {} is below the `min` {min}", at.value);
            self.findings.error("empty_range", at.place, message);
        }
        if let (Some(cycles), Some(lasts)) = (&written.cycles, &written.lasts) {
            let message = "what lives on ends after so many `cycles` or after `lasts`, not both";
            self.findings
                .error("cycles_or_lasts", lasts.place, message)
                .note(cycles.place, "the other one")
                .help("remove one of the two");
        }
        if max.is_some_and(|max| max.is_zero()) || (percent == 0 && min.is_zero()) {
            let message = "this rollover keeps nothing: no credits live on";
            self.findings
                .warning("keeps_nothing", place, message)
                .help("remove it, or raise `percent`, `min` or `max`");
        }
        let lasts = written.lasts.as_ref();
        let lasts_ms = lasts.map(|_| self.millis(lasts, LIFE_MAX.0, LIFE_MAX));
        Rollover { min, max, percent, cycles: or(written.cycles.as_ref(), 1), lasts_ms }
    }

    /// The ranks that a `draw_order` gives: each class that pays stands there once.
    pub(super) fn ranks(&mut self, plan: &mirror::Plan) -> Ranks {
        let Some(order) = &plan.draw_order else { return Ranks::default() };
        let at = |class: Class| order.iter().position(|at| at.value == class);
        let place = order.first().map_or(Place::default(), |at| at.place);
        for (index, twice) in order.iter().enumerate() {
            if let Some(first) = order.iter().take(index).find(|at| at.value == twice.value) {
                let message = format!("`{}` stands in `draw_order` twice", word(twice.value));
                self.findings
                    .error("duplicate_name", twice.place, message)
                    .note(first.place, "the first one");
            }
        }
        let missing = Class::PAYING.into_iter().filter(|class| at(*class).is_none());
        let missing: Vec<String> = missing.map(|class| format!("`{}`", word(class))).collect();
        if !missing.is_empty() {
            let message = format!("`draw_order` has no place for {}", missing.join(", "));
            self.findings
                .error("draw_order", place, message)
                .help("name each class once, also those that the plan does not give");
        }
        self.free_before_paid(order);
        let rank = |class| at(class).and_then(|rank| u8::try_from(rank).ok()).unwrap_or(u8::MAX);
        Ranks(Class::PAYING.map(rank))
    }

    fn free_before_paid(&mut self, order: &[At<Class>]) {
        let free = order.iter().position(|at| at.value == Class::Free);
        let Some(at) = free.and_then(|index| order.get(index)) else { return };
        if let Some(next) = free.and_then(|index| order.get(index.saturating_add(1))) {
            let message = format!("free credits pay before `{}`", word(next.value));
            self.findings.warning("free_before_paid", at.place, message).help(
                "what is given for nothing usually pays last: then it is there when the rest is used up",
            );
        }
    }
}

const fn word(class: Class) -> &'static str {
    match class {
        Class::Rollover => "rollover",
        Class::Plan => "plan",
        Class::Goodwill => "goodwill",
        Class::Bonus => "bonus",
        Class::Purchased => "purchased",
        Class::Free => "free",
        Class::Debt => "debt",
    }
}
