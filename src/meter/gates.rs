//! A plan's limits as the ledger wants them: over what they count, with the periods of this moment.
//!
//! Invariant: periods are computed here, with the zone database; the ledger only chooses between them.

use super::overrides::Overrides;
use crate::credit::{
    Allowance, Amount, Cap, Class, KeyId, Name, Period, PeriodError, Plan, RateLimit, Rollover,
    ScopeKind, SlotLimit, Zone,
};
use crate::ledger::{
    AllowanceCheck, CapCheck, Carry, Document, FreeCredits, Gates, Limited, RateCheck, Scope,
    SlotCheck,
};
use crate::seam::Timestamp;

const US_PER_MS: u64 = 1_000;

/// What a limit may count over: one request, or all that an account sees.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The key that asks; `None`: limits of keys are left out.
    pub key: Option<KeyId>,
    /// The member of the account's team whose key it is; `None`: limits of members are left out.
    pub member: Option<&'a str>,
    /// The routes with their features.
    pub routes: &'a [(&'a Name, Option<&'a Name>)],
}

/// The limits and allowances of `plan` that apply to an account at `place` and `now`, as its overrides have
/// them.
///
/// # Errors
/// When `now` lies outside the calendar.
pub fn gates(
    plan: &Plan,
    document: &Document,
    zone: &Zone,
    now: Timestamp,
    place: &Place<'_>,
) -> Result<Gates, PeriodError> {
    let overrides = Overrides::at(&document.overrides, now);
    let mut gates = Gates { ranks: plan.ranks, window: overrides.window(), ..Gates::default() };
    for limit in &plan.rates {
        gates.rates.extend(scopes(limit.scope, &limit.only, place).map(|over| rate(limit, over)));
    }
    for limit in &plan.slots {
        let over = scopes(limit.scope, &limit.only, place);
        gates.slots.extend(over.map(|over| slot(limit, over, &overrides)));
    }
    for limit in &plan.caps {
        for over in scopes(limit.scope, &limit.only, place) {
            gates.caps.push(cap(limit, over, zone, now, &overrides)?);
        }
    }
    for given in plan.allowances.iter().filter(|given| may_have(document, given)) {
        gates.allowances.push(allowance(given, document, zone, now)?);
    }
    Ok(gates)
}

/// Whether an account may have an allowance: free credits only those of a person's accounts that have claimed
/// them.
#[must_use]
pub(super) fn may_have(document: &Document, given: &Allowance) -> bool {
    let counted = given.class == Class::Free && document.person.is_some();
    !counted || document.free == FreeCredits::Granted
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
        ScopeKind::Member => routes
            .filter_map(|_| place.member.map(|member| Scope::Member(member.to_owned())))
            .collect(),
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

fn slot(limit: &SlotLimit, scope: Scope, overrides: &Overrides<'_>) -> SlotCheck {
    let name = limit.name.to_string();
    let allowed = overrides.apply(Limited::Concurrency, &name, &scope, u64::from(limit.limit));
    SlotCheck { name, scope, limit: u32::try_from(allowed).unwrap_or(u32::MAX) }
}

fn cap(
    limit: &Cap,
    scope: Scope,
    zone: &Zone,
    now: Timestamp,
    overrides: &Overrides<'_>,
) -> Result<CapCheck, PeriodError> {
    let name = limit.name.to_string();
    Ok(CapCheck {
        measure: limit.measure,
        kind: limit.kind.clone(),
        limit: overrides.apply(Limited::Cap, &name, &scope, limit.limit),
        refundable: limit.refundable,
        periods: limit.every.periods(zone, now)?,
        name,
        scope,
    })
}

fn allowance(
    given: &Allowance,
    document: &Document,
    zone: &Zone,
    now: Timestamp,
) -> Result<AllowanceCheck, PeriodError> {
    let periods = given.cycle.periods(zone, document.anchor, now)?;
    let carry = given.rollover.map(|rollover| carry(&rollover, given, document, zone, &periods));
    Ok(AllowanceCheck {
        name: given.name.to_string(),
        kind: given.kind.clone(),
        class: given.class,
        priority: given.priority,
        amount: given.amount,
        carry: carry.transpose()?,
        periods,
        only: given.only.clone(),
        when: given.when,
    })
}

/// What lives on of an allowance, and until when: so many whole periods, or so long, after its own.
fn carry(
    rollover: &Rollover,
    given: &Allowance,
    document: &Document,
    zone: &Zone,
    periods: &[Period; 2],
) -> Result<Carry, PeriodError> {
    let until = |period: &Period| match rollover.lasts_ms {
        Some(ms) => Ok(period.end.plus_ms(ms)),
        None => given.cycle.end_of(zone, document.anchor, period.start, rollover.cycles.max(1)),
    };
    let [first, second] = periods;
    let until = [until(first)?, until(second)?];
    let (min, max) = (rollover.min, rollover.max.unwrap_or(Amount::MAX));
    Ok(Carry { min, max, percent: rollover.percent, until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::{AccountId, Every, Measure, Ranks};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn document() -> Document {
        let account: AccountId = "acct_a".parse().unwrap();
        Document {
            account,
            version: 1,
            status: crate::ledger::AccountStatus::Active,
            plan: "p".into(),
            zone: "UTC".into(),
            anchor: Timestamp(0),
            created: Timestamp(0),
            label: String::new(),
            keys: Vec::new(),
            reason: String::new(),
            person: None,
            reference: None,
            restricted_until: None,
            free: FreeCredits::Unclaimed,
            overrides: Vec::new(),
        }
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
            rights: Default::default(),
            ranks: Ranks::default(),
            max_debt: None,
        };
        let owned: Vec<_> =
            routes.iter().map(|(route, feature)| (name(route), feature.map(name))).collect();
        let routes: Vec<_> =
            owned.iter().map(|(route, feature)| (route, feature.as_ref())).collect();
        let key = Some(KeyId::from_bytes([0; 16]));
        let place = Place { key, member: Some("ana"), routes: &routes };
        let found = gates(&plan, &document(), &Zone::UTC, Timestamp(0), &place).unwrap();
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
        assert_eq!(over(ScopeKind::Member, &[], &image), ["member:ana"]);
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
