//! Raises and cuts of an account's limits and prices, as they hold at a moment.
//!
//! Invariant: whoever computes a limit applies them here, so that a raise holds on every path: at reserve, in a
//! quote, and in what an account is shown.

use crate::ledger::{Adjustment, Limited, Override, Scope, Window};
use crate::seam::Timestamp;

/// Thousandths of a factor of one.
pub(super) const WHOLE: u128 = 1_000;

/// The overrides that hold at `now`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overrides<'a> {
    all: &'a [Override],
    now: Timestamp,
}

impl<'a> Overrides<'a> {
    /// Those among `all` that hold at `now`.
    #[must_use]
    pub(super) const fn at(all: &'a [Override], now: Timestamp) -> Self {
        Self { all, now }
    }

    /// Those that change this limit now, in the order in which they were made.
    pub(super) fn of(
        &self,
        limited: Limited,
        name: &str,
        scope: &Scope,
    ) -> impl Iterator<Item = &'a Override> {
        let over = move |one: &&Override| one.scope.as_ref().is_none_or(|only| only == scope);
        self.of_sort(limited).filter(move |one| one.name == name && over(one))
    }

    /// Those of this sort that hold now, in the order in which they were made.
    pub(super) fn of_sort(&self, limited: Limited) -> impl Iterator<Item = &'a Override> {
        let now = self.now;
        self.all.iter().filter(move |one| one.limited == limited && holds(one, now))
    }

    /// A limit as it is now: the last `Set`, then every `Multiply`, then every `Add` and `Cut`.
    #[must_use]
    pub(super) fn apply(&self, limited: Limited, name: &str, scope: &Scope, limit: u64) -> u64 {
        let changes = || self.of(limited, name, scope).map(|one| one.adjustment);
        let set = changes().filter_map(|change| match change {
            Adjustment::Set(value) => Some(value),
            _ => None,
        });
        let base = set.last().unwrap_or(limit);
        let scaled = changes().fold(base, |limit, change| match change {
            Adjustment::Multiply(thousandths) => multiply(limit, thousandths),
            _ => limit,
        });
        let more = changes().fold(scaled, |limit, change| match change {
            Adjustment::Add(more) => limit.saturating_add(more),
            _ => limit,
        });
        changes().fold(more, |limit, change| match change {
            Adjustment::Cut(less) => limit.saturating_sub(less),
            _ => limit,
        })
    }

    /// The time around now in which none of them starts or ends.
    #[must_use]
    pub(super) fn window(&self) -> Window {
        let moments = self.all.iter().flat_map(|one| [Some(one.starts), one.ends]).flatten();
        moments.fold(Window::default(), |window, moment| {
            if moment <= self.now {
                Window { from: window.from.max(moment), ..window }
            } else {
                Window { until: window.until.min(moment), ..window }
            }
        })
    }
}

fn holds(one: &Override, now: Timestamp) -> bool {
    one.starts <= now && one.ends.is_none_or(|end| now < end)
}

/// A factor as a person writes it: `1.5`.
pub(super) fn factor(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths.div_euclid(1_000), thousandths.rem_euclid(1_000));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn multiply(limit: u64, thousandths: u64) -> u64 {
    let product = u128::from(limit).saturating_mul(u128::from(thousandths));
    u64::try_from(product.div_euclid(WHOLE)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(
        adjustment: Adjustment,
        scope: Option<Scope>,
        starts: u64,
        ends: Option<u64>,
    ) -> Override {
        Override {
            id: "ov_1".into(),
            limited: Limited::Cap,
            name: "daily".into(),
            scope,
            adjustment,
            starts: Timestamp(starts),
            ends: ends.map(Timestamp),
            author: "a".into(),
            reason: String::new(),
        }
    }

    #[test]
    fn the_last_set_counts_then_factors_then_sums() {
        let all = [
            change(Adjustment::Cut(5), None, 0, None),
            change(Adjustment::Set(10), None, 0, None),
            change(Adjustment::Multiply(1_500), None, 0, None),
            change(Adjustment::Set(20), None, 0, None),
            change(Adjustment::Add(1), None, 0, None),
        ];
        let at = |now| Overrides::at(&all, Timestamp(now));
        assert_eq!(at(1).apply(Limited::Cap, "daily", &Scope::Account, 7), 26);
        assert_eq!(at(1).apply(Limited::Cap, "other", &Scope::Account, 7), 7);
        assert_eq!(at(1).apply(Limited::Concurrency, "daily", &Scope::Account, 7), 7);
        let cut = [change(Adjustment::Cut(8), None, 0, None)];
        let cut = Overrides::at(&cut, Timestamp(1));
        assert_eq!(cut.apply(Limited::Cap, "daily", &Scope::Account, 7), 0);
    }

    #[test]
    fn they_begin_and_end_by_themselves() {
        let member = Scope::Member("ana".into());
        let all = [change(Adjustment::Set(9), Some(member.clone()), 10, Some(20))];
        let limits = [9, 10, 19, 20].map(|now| {
            let overrides = Overrides::at(&all, Timestamp(now));
            let limit = overrides.apply(Limited::Cap, "daily", &member, 1);
            (limit, overrides.apply(Limited::Cap, "daily", &Scope::Account, 1), overrides.window())
        });
        let window = |from, until| Window { from: Timestamp(from), until: Timestamp(until) };
        let far = Window::default().until.0;
        assert_eq!(limits[0], (1, 1, window(0, 10)));
        assert_eq!(limits[1], (9, 1, window(10, 20)));
        assert_eq!(limits[2], (9, 1, window(10, 20)));
        assert_eq!(limits[3], (1, 1, window(20, far)));
    }
}
