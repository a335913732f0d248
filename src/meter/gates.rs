//! A plan's limits as the ledger wants them: over what they count, with the periods of this moment.
//!
//! Invariant: periods are computed here, with the zone database; the ledger only chooses between them.

use crate::credit::{Allowance, Cap, KeyId, RateLimit, SlotLimit};
use crate::credit::{Name, PeriodError, Plan, ScopeKind, Zone};
use crate::ledger::{AllowanceCheck, CapCheck, Gates, RateCheck, Scope, SlotCheck};
use crate::seam::Timestamp;

const US_PER_MS: u64 = 1_000;

/// What a limit may count over: one request, or all that an account sees.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The key that asks; `None`: limits of keys are left out.
    pub key: Option<KeyId>,
    /// The routes with their features.
    pub routes: &'a [(&'a Name, Option<&'a Name>)],
}

/// The limits and allowances of `plan` that apply at `place` and `now`.
///
/// # Errors
/// When `now` lies outside the calendar.
pub fn gates(
    plan: &Plan,
    zone: &Zone,
    now: Timestamp,
    place: &Place<'_>,
) -> Result<Gates, PeriodError> {
    let mut gates = Gates::default();
    for limit in &plan.rates {
        gates.rates.extend(scopes(limit.scope, &limit.only, place).map(|over| rate(limit, over)));
    }
    for limit in &plan.slots {
        gates.slots.extend(scopes(limit.scope, &limit.only, place).map(|over| slot(limit, over)));
    }
    for limit in &plan.caps {
        for over in scopes(limit.scope, &limit.only, place) {
            gates.caps.push(cap(limit, over, zone, now)?);
        }
    }
    for given in &plan.allowances {
        gates.allowances.push(allowance(given, zone, now)?);
    }
    Ok(gates)
}

/// Over what a limit counts at `place`; nothing if it is not for these routes.
fn scopes(kind: ScopeKind, only: &[Name], place: &Place<'_>) -> std::vec::IntoIter<Scope> {
    let meant = |route: &Name, feature: Option<&Name>| {
        only.is_empty() || only.contains(route) || feature.is_some_and(|name| only.contains(name))
    };
    let routes = place.routes.iter().filter(|(route, feature)| meant(route, *feature));
    let mut found: Vec<Scope> = match kind {
        ScopeKind::Account => routes.map(|_| Scope::Account).collect(),
        ScopeKind::Key => routes.filter_map(|_| place.key.map(Scope::Key)).collect(),
        ScopeKind::Route => routes.map(|(route, _)| Scope::Route(route.to_string())).collect(),
        ScopeKind::Feature => routes
            .filter_map(|(_, feature)| feature.map(|name| Scope::Feature(name.to_string())))
            .collect(),
    };
    found.sort_unstable();
    found.dedup();
    found.into_iter()
}

fn rate(limit: &RateLimit, scope: Scope) -> RateCheck {
    let window_us = limit.per_ms.saturating_mul(US_PER_MS);
    let interval_us = window_us.div_ceil(u64::from(limit.requests.max(1))).max(1);
    RateCheck { name: limit.name.to_string(), scope, interval_us, burst: limit.burst.max(1) }
}

fn slot(limit: &SlotLimit, scope: Scope) -> SlotCheck {
    SlotCheck { name: limit.name.to_string(), scope, limit: limit.limit }
}

fn cap(limit: &Cap, scope: Scope, zone: &Zone, now: Timestamp) -> Result<CapCheck, PeriodError> {
    Ok(CapCheck {
        name: limit.name.to_string(),
        scope,
        measure: limit.measure,
        kind: limit.kind.clone(),
        limit: limit.limit,
        refundable: limit.refundable,
        periods: limit.every.periods(zone, now)?,
    })
}

fn allowance(
    given: &Allowance,
    zone: &Zone,
    now: Timestamp,
) -> Result<AllowanceCheck, PeriodError> {
    Ok(AllowanceCheck {
        name: given.name.to_string(),
        kind: given.kind.clone(),
        class: given.class,
        priority: given.priority,
        amount: given.amount,
        periods: given.every.periods(zone, now)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::{Every, Measure};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// What a cap counts over for a request to `route` of `feature`, by this key.
    fn over(scope: ScopeKind, only: &[&str], routes: &[(&str, Option<&str>)]) -> Vec<String> {
        let cap = Cap {
            name: name("daily"),
            measure: Measure::Requests,
            kind: None,
            limit: 1,
            every: Every::Day,
            scope,
            only: only.iter().map(|text| name(text)).collect(),
            refundable: true,
        };
        let plan = Plan {
            name: name("p"),
            allowances: Vec::new(),
            caps: vec![cap],
            slots: Vec::new(),
            rates: Vec::new(),
            routes: None,
            max_debt: None,
        };
        let owned: Vec<_> =
            routes.iter().map(|(route, feature)| (name(route), feature.map(name))).collect();
        let routes: Vec<_> =
            owned.iter().map(|(route, feature)| (route, feature.as_ref())).collect();
        let place = Place { key: Some(KeyId::from_bytes([0; 16])), routes: &routes };
        let found = gates(&plan, &Zone::UTC, Timestamp(0), &place).unwrap();
        found.caps.iter().map(|cap| cap.scope.to_string()).collect()
    }

    #[test]
    fn a_limit_counts_over_what_it_says() {
        let image = [("image", Some("media"))];
        let models = [("models", None)];
        let all = [("image", Some("media")), ("film", Some("media")), ("models", None)];
        let key = "key:key_00000000000000000000000000";
        let none: [&str; 0] = [];
        assert_eq!(over(ScopeKind::Account, &[], &image), ["account"]);
        assert_eq!(over(ScopeKind::Account, &["chat"], &image), none);
        assert_eq!(over(ScopeKind::Account, &["media"], &image), ["account"]);
        assert_eq!(over(ScopeKind::Key, &[], &image), [key]);
        assert_eq!(over(ScopeKind::Route, &[], &image), ["route:image"]);
        assert_eq!(over(ScopeKind::Route, &["film"], &image), none);
        assert_eq!(over(ScopeKind::Feature, &[], &image), ["feature:media"]);
        assert_eq!(over(ScopeKind::Feature, &[], &models), none);
        // Everything that an account sees, each once.
        assert_eq!(over(ScopeKind::Account, &[], &all), ["account"]);
        assert_eq!(over(ScopeKind::Route, &["media"], &all), ["route:film", "route:image"]);
        assert_eq!(over(ScopeKind::Feature, &[], &all), ["feature:media"]);
    }

    #[test]
    fn a_rate_is_never_faster_than_it_says() {
        let limit = RateLimit {
            name: name("burst"),
            requests: 7,
            per_ms: 1_000,
            burst: 3,
            scope: ScopeKind::Account,
            only: Vec::new(),
        };
        assert_eq!(rate(&limit, Scope::Account).interval_us, 142_858);
    }
}
