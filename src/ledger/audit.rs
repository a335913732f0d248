//! Auditing one account of a live store: its record, and every charge that is kept of it.
//!
//! The invariants are those of the design's evidence, I1 to I15. What the record alone says is judged by the
//! store's own step (`books`); here its charges are read page by page and compared with it. If the account
//! changes meanwhile, what compares the two is looked at again.
//!
//! Invariant: only reads, a bounded part at a time: requests of the account are not kept waiting.

use std::collections::BTreeMap;

use super::{Answer, Books, Breach, CapCount, ChargeRecord, ChargeState, Ledger};
use crate::credit::{AccountId, Amount, Leg, Measure};

/// Charges that are read at a time.
const PAGE: usize = 100;
/// How often an account that changes meanwhile is looked at again.
const TRIES: usize = 5;

/// What was found of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountAudit {
    /// Its record, with every breach in it and in its charges.
    pub books: Books,
    /// How many charges were looked at.
    pub charges: usize,
    /// Whether caps were compared with charges: not while the account keeps changing.
    pub caps_compared: bool,
}

/// Looks at an account and all its charges.
pub async fn audit(ledger: &dyn Ledger, account: AccountId) -> Answer<AccountAudit> {
    let mut tries = 0;
    loop {
        tries += 1;
        let found = match look(ledger, &account).await {
            Answer::Applied(found) => found,
            other => return other.map(|(audit, _)| audit),
        };
        let (audit, counted) = found;
        let after = match ledger.books(account.clone()).await {
            Answer::Applied(books) => books,
            Answer::Refused(refusal) => return Answer::Refused(refusal),
            Answer::Unknown(why) => return Answer::Unknown(why),
        };
        if after.stamp == audit.books.stamp {
            return Answer::Applied(compared(audit, &counted));
        }
        if tries >= TRIES {
            return Answer::Applied(audit);
        }
    }
}

type Counted = BTreeMap<(String, String, &'static str, String), u128>;

async fn look(ledger: &dyn Ledger, account: &AccountId) -> Answer<(AccountAudit, Counted)> {
    let mut books = match ledger.books(account.clone()).await {
        Answer::Applied(books) => books,
        Answer::Refused(refusal) => return Answer::Refused(refusal),
        Answer::Unknown(why) => return Answer::Unknown(why),
    };
    let (mut charges, mut before, mut counted) = (0, None, Counted::new());
    loop {
        let page = match ledger.charges(account.clone(), before, PAGE).await {
            Answer::Applied(page) => page,
            Answer::Refused(refusal) => return Answer::Refused(refusal),
            Answer::Unknown(why) => return Answer::Unknown(why),
        };
        before = page.last().map(|record| record.charge);
        charges += page.len();
        for record in &page {
            check_charge(record, &mut books.breaches);
            record.counted.iter().for_each(|entry| add(&mut counted, entry));
        }
        if page.len() < PAGE {
            break;
        }
    }
    Answer::Applied((AccountAudit { books, charges, caps_compared: false }, counted))
}

fn key(entry: &CapCount) -> (String, String, &'static str, String) {
    (entry.cap.clone(), entry.scope.to_string(), entry.measure.unit(), entry.period.clone())
}

fn add(counted: &mut Counted, entry: &CapCount) {
    let sum = counted.entry(key(entry)).or_default();
    *sum = sum.saturating_add(u128::from(entry.used));
}

/// I9: what a cap counted is what its charges say. A charge that is no longer kept may be missing, never one
/// too many.
fn compared(mut audit: AccountAudit, counted: &Counted) -> AccountAudit {
    for counter in &audit.books.counters {
        let said = counted.get(&key(counter)).copied().unwrap_or_default();
        if said > u128::from(counter.used) && counter.used < Amount::MAX.micro() {
            let (cap, scope, period) = (&counter.cap, &counter.scope, &counter.period);
            let what = format!("{cap} over {scope} in {period} counts less than its charges do");
            audit.books.breaches.push(Breach::of("I9", what));
        }
    }
    audit.caps_compared = true;
    audit
}

/// I7 and I13 of one charge, and I4 of an open one.
fn check_charge(record: &ChargeRecord, breaches: &mut Vec<Breach>) {
    let id = record.charge;
    let refunded: Amount = record.refunds.iter().map(|part| part.amount).sum();
    let gross = record.charged.saturating_add(refunded);
    if sum(&record.legs) != record.charged.micro().into() && record.ended.is_some() {
        breaches.push(Breach::of("I7", format!("the legs of {id} are not what it charged")));
    }
    if record.state == ChargeState::Settled
        && !record.by_deadline
        && record.actual.is_some_and(|actual| gross.saturating_add(record.absorbed) != actual)
    {
        let what = format!("{id} charged and absorbed another amount than its work cost");
        breaches.push(Breach::of("I7", what));
    }
    if record.state == ChargeState::Settled && !record.late && !is_prefix(record) {
        let what = format!("{id} did not spend the head of what it held");
        breaches.push(Breach::of("I13", what));
    }
    for entry in record.counted.iter().filter(|entry| entry.measure == Measure::Requests) {
        if entry.used > 1 {
            breaches.push(Breach::of("I9", format!("{id} counts twice in {}", entry.cap)));
        }
    }
}

/// Whether what the charge kept is the head of what it held, and beyond it only what exceeded.
fn is_prefix(record: &ChargeRecord) -> bool {
    let mut left = record.charged.min(record.held);
    let mut kept = record.legs.iter();
    for leg in &record.held_legs {
        let own = left.min(leg.amount);
        if own.is_zero() {
            break;
        }
        let fits = kept.next().is_some_and(|kept| kept.bucket == leg.bucket && kept.amount >= own);
        if !fits {
            return false;
        }
        left = left.saturating_sub(own);
    }
    true
}

fn sum(legs: &[Leg]) -> u128 {
    legs.iter().map(|leg| u128::from(leg.amount.micro())).sum()
}
