//! Limits per day and month: how much a charge counts, in which period, and how that is corrected.
//!
//! Invariant: a correction goes to the period that the charge was counted in, never to another; a period
//! that is neither the current nor the previous one of its counter is not corrected at all.

use super::state::{Counted, Counter, Money, Span};
use super::stop::Stop;
use crate::credit::{Amount, Kind, Measure, Period};
use crate::ledger::{CapCheck, CapState, Refusal, Scope};
use crate::seam::Timestamp;

/// Counters whose last period ended this long ago are dropped.
const FORGET_MS: u64 = 62 * 24 * 60 * 60 * 1_000;

/// The most that is counted: a store that counts in doubles is exact up to here. A limit at or above it
/// never refuses.
const COUNT_MAX: u64 = Amount::MAX.micro();

/// The one of the periods that contains `now`.
pub(super) fn current(periods: &[Period; 2], now: Timestamp) -> Option<&Period> {
    periods.iter().find(|period| period.contains(now))
}

/// Whether the cap counts charges of this kind.
fn counts(check: &CapCheck, kind: &Kind) -> bool {
    check.kind.as_ref().is_none_or(|only| only == kind)
}

/// How much a charge of `amount` counts.
const fn weight(measure: Measure, amount: Amount) -> u64 {
    match measure {
        Measure::Requests => 1,
        Measure::Credits => amount.micro(),
    }
}

fn plus(used: u64, more: u64) -> u64 {
    used.saturating_add(more).min(COUNT_MAX)
}

/// Refuses if the charge would pass a cap, without counting anything.
pub(super) fn gate(
    money: &Money,
    checks: &[CapCheck],
    kind: &Kind,
    amount: Amount,
    now: Timestamp,
) -> Result<(), Stop> {
    for check in checks.iter().filter(|check| counts(check, kind)) {
        let Some(cap) = state(money, check, now) else { continue };
        let required = weight(check.measure, amount);
        if plus(cap.used, required) > cap.limit {
            return Err(Refusal::CapExceeded { cap, required }.into());
        }
    }
    Ok(())
}

/// Counts the charge in every cap that counts its kind.
pub(super) fn count(
    money: &mut Money,
    checks: &[CapCheck],
    kind: &Kind,
    amount: Amount,
    now: Timestamp,
) -> Vec<Counted> {
    forget(money, now);
    let mut counted = Vec::new();
    for check in checks.iter().filter(|check| counts(check, kind)) {
        let Some(period) = current(&check.periods, now) else { continue };
        let amount = weight(check.measure, amount);
        let span = span(money, check, period);
        span.used = plus(span.used, amount);
        counted.push(Counted {
            name: check.name.clone(),
            scope: check.scope.clone(),
            measure: check.measure,
            period: period.id.clone(),
            amount,
            refundable: check.refundable,
        });
    }
    counted
}

/// Corrects what was counted: the work cost `actual`.
pub(super) fn recount(money: &mut Money, counted: &mut [Counted], actual: Amount) {
    for entry in counted {
        let amount = weight(entry.measure, actual);
        correct(money, entry, amount);
    }
}

/// Gives back what was counted where the cap says so: nothing was billed.
pub(super) fn uncount(money: &mut Money, counted: &mut [Counted]) {
    for entry in counted.iter_mut().filter(|entry| entry.refundable) {
        correct(money, entry, 0);
    }
}

/// So much of the charge is left after a refund: what counts credits counts no more than that.
pub(super) fn lessen(money: &mut Money, counted: &mut [Counted], rest: Amount) {
    let credits = |entry: &&mut Counted| entry.measure == Measure::Credits;
    for entry in counted.iter_mut().filter(credits) {
        let amount = entry.amount.min(rest.micro());
        correct(money, entry, amount);
    }
}

fn correct(money: &mut Money, entry: &mut Counted, amount: u64) {
    let counter = find(&mut money.counters, &entry.name, &entry.scope, entry.measure);
    let span = counter.and_then(|c| c.spans.iter_mut().find(|span| span.period == entry.period));
    if let Some(span) = span {
        span.used = plus(span.used.saturating_sub(entry.amount), amount);
    }
    entry.amount = amount;
}

/// A cap as it stands; `None` if none of its periods contains `now`.
pub(super) fn state(money: &Money, check: &CapCheck, now: Timestamp) -> Option<CapState> {
    let period = current(&check.periods, now)?;
    let counter = money
        .counters
        .iter()
        .find(|c| c.name == check.name && c.scope == check.scope && c.measure == check.measure);
    let span = counter.and_then(|c| c.spans.iter().find(|span| span.period == period.id));
    Some(CapState {
        name: check.name.clone(),
        scope: check.scope.clone(),
        measure: check.measure,
        limit: check.limit,
        used: span.map_or(0, |span| span.used),
        period: period.clone(),
    })
}

fn find<'a>(
    counters: &'a mut [Counter],
    name: &str,
    scope: &Scope,
    measure: Measure,
) -> Option<&'a mut Counter> {
    counters.iter_mut().find(|c| c.name == name && c.scope == *scope && c.measure == measure)
}

/// The counter's span of this period; a new one pushes out the one before the previous.
fn span<'a>(money: &'a mut Money, check: &CapCheck, period: &Period) -> &'a mut Span {
    let same =
        |c: &Counter| c.name == check.name && c.scope == check.scope && c.measure == check.measure;
    let at = money.counters.iter().position(same).unwrap_or(money.counters.len());
    if at == money.counters.len() {
        money.counters.push(Counter {
            name: check.name.clone(),
            scope: check.scope.clone(),
            measure: check.measure,
            spans: Vec::new(),
        });
    }
    // The index was found or made above.
    let spans = &mut money.counters[at].spans;
    let place = spans.iter().position(|span| span.period == period.id).unwrap_or_else(|| {
        if spans.len() >= 2 {
            spans.remove(0);
        }
        spans.push(Span { period: period.id.clone(), end: period.end, used: 0 });
        spans.len().saturating_sub(1)
    });
    &mut spans[place]
}

/// Drops counters that nothing will correct or ask for any more, such as those of revoked keys.
fn forget(money: &mut Money, now: Timestamp) {
    let lives = |span: &Span| span.end.plus_ms(FORGET_MS) > now;
    money.counters.retain(|counter| counter.spans.iter().any(lives));
}
