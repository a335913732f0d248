//! An account's record for an auditor: each invariant that the record alone can break, all breaches at once.
//!
//! Invariant: only reads. `invariants` stops a write at the first breach; this names every one.

use std::collections::BTreeMap;

use super::invariants::invariants;
use super::state::{Account, Context, Open, Purse};
use crate::credit::{Amount, BucketId, Class, Leg};
use crate::ledger::{Books, Breach, CapCount};

/// After so many lease lengths, a charge whose lease is over should have been looked at.
const LATE_LEASES: u64 = 10;

/// The account's record with what contradicts itself in it.
pub(crate) fn books(account: &Account, context: &Context) -> Books {
    let money = &account.money;
    let mut breaches = Vec::new();
    money.purses.iter().for_each(|purse| check_purse(purse, &mut breaches));
    check_holds(account, &mut breaches);
    account.open.values().for_each(|open| check_open(open, context, &mut breaches));
    check_archive(account, &mut breaches);
    check_ids(account, &mut breaches);
    if breaches.is_empty()
        && let Err(other) = invariants(account)
    {
        breaches.push(Breach::of("I3", other));
    }
    Books {
        account: account.document.account.clone(),
        at: context.now,
        stamp: stamp(account),
        told: None,
        buckets: money.purses.iter().map(|purse| purse.bucket.clone()).collect(),
        archived: money.archived.iter().map(|(kind, sums)| (kind.clone(), *sums)).collect(),
        counters: counters(account),
        open: account.open.len(),
        breaches,
    }
}

/// Changes with the record.
fn stamp(account: &Account) -> u64 {
    let mut hash = crc32fast::Hasher::new();
    // What cannot be packed cannot have been read: nothing is left out.
    hash.update(&postcard::to_allocvec(&account.money).unwrap_or_default());
    for open in account.open.values() {
        hash.update(&postcard::to_allocvec(open.as_ref()).unwrap_or_default());
    }
    u64::from(hash.finalize())
}

fn check_purse(purse: &Purse, breaches: &mut Vec<Breach>) {
    let bucket = &purse.bucket;
    if !bucket.balances() {
        breaches.push(Breach::of("I1", format!("the columns of {} do not add up", bucket.id)));
    }
    if bucket.class != Class::Debt {
        return;
    }
    let unused = [bucket.available, bucket.held, bucket.expired].iter().all(|a| a.is_zero());
    if !unused || total(&purse.repaid_by) != Some(bucket.voided) {
        let what = format!("the debt {} was used, or its repayments differ", bucket.id);
        breaches.push(Breach::of("I2", what));
    }
}

fn check_holds(account: &Account, breaches: &mut Vec<Breach>) {
    let mut held: BTreeMap<&BucketId, u128> = BTreeMap::new();
    for leg in account.open.values().flat_map(|open| &open.legs) {
        let sum = held.entry(&leg.bucket).or_default();
        *sum = sum.saturating_add(u128::from(leg.amount.micro()));
    }
    for purse in &account.money.purses {
        let said = held.remove(&purse.bucket.id).unwrap_or_default();
        if said != u128::from(purse.bucket.held.micro()) {
            let what = format!("{} holds what its open charges do not", purse.bucket.id);
            breaches.push(Breach::of("I4", what));
        }
    }
    breaches.extend(
        held.keys()
            .map(|id| Breach::of("I4", format!("a charge holds in {id}, which is not there"))),
    );
}

fn check_open(open: &Open, context: &Context, breaches: &mut Vec<Breach>) {
    if total(&open.legs) != Some(open.held) {
        breaches
            .push(Breach::of("I4", format!("the legs of {} are not what it holds", open.charge)));
    }
    let late = context.lease_ms.saturating_mul(LATE_LEASES);
    let next = if open.unknown { open.deadline } else { Some(open.lease_end) };
    if open.waits_for_job() && open.deadline != Some(open.lease_end) {
        breaches.push(Breach::of("I5", format!("{} has a lease and a deadline", open.charge)));
    }
    if !context.grace && next.is_some_and(|end| end.plus_ms(late) < context.now) {
        let what = format!("{} should have been ended or in doubt long ago", open.charge);
        breaches.push(Breach::of("I5", what));
    }
}

fn check_archive(account: &Account, breaches: &mut Vec<Breach>) {
    for (kind, [granted, spent, expired, voided]) in &account.money.archived {
        let out = spent.checked_add(*expired).and_then(|sum| sum.checked_add(*voided));
        if out != Some(*granted) {
            breaches.push(Breach::of("I3", format!("the archive of {kind} does not add up")));
        }
    }
}

fn check_ids(account: &Account, breaches: &mut Vec<Breach>) {
    let mut ids: Vec<&BucketId> = account.money.purses.iter().map(|p| &p.bucket.id).collect();
    ids.sort_unstable();
    let twice = ids.windows(2).filter_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    breaches.extend(twice.map(|id| Breach::of("I11", format!("there are two of {id}"))));
    for counter in account.money.counters.iter().filter(|counter| counter.spans.len() > 2) {
        breaches.push(Breach::of("I9", format!("{} keeps more than two periods", counter.name)));
    }
}

fn counters(account: &Account) -> Vec<CapCount> {
    let all = account.money.counters.iter();
    all.flat_map(|counter| {
        counter.spans.iter().map(|span| CapCount {
            cap: counter.name.clone(),
            scope: counter.scope.clone(),
            measure: counter.measure,
            period: span.period.clone(),
            used: span.used,
        })
    })
    .collect()
}

fn total(legs: &[Leg]) -> Option<Amount> {
    legs.iter().try_fold(Amount::ZERO, |sum, leg| sum.checked_add(leg.amount))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::credit::Ranks;
    use crate::ledger::model::{Counter, Money, Span, create_account};
    use crate::ledger::{NewAccount, OnUnknown, OverRun, Scope};
    use crate::seam::Timestamp;

    fn amount(micro: u64) -> Amount {
        Amount::from_micro(micro).unwrap()
    }

    fn context() -> Context {
        Context { now: Timestamp(1_000_000), grace: false, lease_ms: 1_000 }
    }

    fn open() -> Open {
        Open {
            account: "acct_a".parse().unwrap(),
            charge: crate::credit::ChargeId::from_bytes([1; 16]),
            fingerprint: [2; 32],
            key: crate::credit::KeyId::from_bytes([3; 16]),
            kind: "credits".parse().unwrap(),
            held: amount(2),
            legs: vec![Leg { bucket: "pay".parse().unwrap(), amount: amount(2) }],
            route: "image".into(),
            feature: None,
            member: None,
            revision: "r".into(),
            instance: "i".into(),
            begun: Timestamp(999_000),
            lease_end: Timestamp(1_000_500),
            timeout_ms: 3,
            reconcile_ms: 4,
            on_unknown: OnUnknown::Hold,
            over_run: OverRun::Debt,
            max_debt: None,
            unknown: false,
            deadline: None,
            counted: Vec::new(),
            adjusts: Vec::new(),
        }
    }

    /// An account with one bucket of ten of which two are held.
    fn sound() -> Account {
        let call = NewAccount {
            account: "acct_a".parse().unwrap(),
            plan: "p".into(),
            zone: "UTC".into(),
            anchor: None,
            label: String::new(),
            person: None,
            reference: None,
        };
        let mut account = create_account(&call, &context()).unwrap();
        let (id, kind) = ("pay".parse().unwrap(), "credits".parse().unwrap());
        let bucket =
            super::super::draw::full_bucket(id, kind, Class::Purchased, amount(10), Timestamp(1));
        let mut purse = Purse::new(bucket, false, Timestamp(1));
        (purse.bucket.available, purse.bucket.held) = (amount(8), amount(2));
        account.money = Money { purses: vec![purse], ranks: Ranks::default(), ..Money::default() };
        account.open.insert(open().charge, Arc::new(open()));
        account
    }

    fn found(change: impl FnOnce(&mut Account)) -> Vec<&'static str> {
        let mut account = sound();
        change(&mut account);
        books(&account, &context()).breaches.into_iter().map(|breach| breach.invariant).collect()
    }

    fn purse(account: &mut Account) -> &mut Purse {
        &mut account.money.purses[0]
    }

    fn change_open(account: &mut Account, change: impl FnOnce(&mut Open)) {
        change(Arc::make_mut(account.open.values_mut().next().unwrap()));
    }

    #[test]
    fn every_breach_has_its_name() {
        assert_eq!(found(|_| ()), [""; 0]);
        assert_eq!(found(|a| purse(a).bucket.spent = amount(1)), ["I1"]);
        assert_eq!(found(|a| a.open.clear()), ["I4"]);
        assert_eq!(found(|a| change_open(a, |open| open.held = amount(3))), ["I4"]);
        assert_eq!(found(|a| change_open(a, |open| open.lease_end = Timestamp(1))), ["I5"]);
        assert_eq!(found(|a| change_open(a, |open| open.deadline = Some(Timestamp(2)))), ["I5"]);
        let elsewhere = |open: &mut Open| open.legs[0].bucket = "other".parse().unwrap();
        assert_eq!(found(|a| change_open(a, elsewhere)), ["I4", "I4"]);
        let twice = |a: &mut Account| {
            let mut copy = purse(a).clone();
            (copy.bucket.available, copy.bucket.held) = (amount(10), Amount::ZERO);
            a.money.purses.push(copy);
        };
        assert!(found(twice).contains(&"I11"));
        let archive = [amount(3), amount(1), amount(1), Amount::ZERO];
        let kind = || "credits".parse().unwrap();
        let archived = |a: &mut Account| {
            a.money.archived.insert(kind(), archive);
        };
        assert_eq!(found(archived), ["I3"]);
        let span = || Span { period: "p".into(), end: Timestamp(2), used: 1 };
        let spans = vec![span(), span(), span()];
        let (name, scope, measure) = ("c".into(), Scope::Account, crate::credit::Measure::Requests);
        let counter = Counter { name, scope, measure, spans };
        assert_eq!(found(|a| a.money.counters.push(counter)), ["I9"]);
        let debt = |a: &mut Account| {
            let purse = purse(a);
            purse.bucket.class = Class::Debt;
        };
        assert_eq!(found(debt), ["I2"]);
    }

    #[test]
    fn a_stamp_changes_with_the_record() {
        let (one, mut other) = (sound(), sound());
        assert_eq!(stamp(&one), stamp(&other));
        change_open(&mut other, |open| open.lease_end = Timestamp(1_000_501));
        assert_ne!(stamp(&one), stamp(&other));
    }
}
