//! The auditor: the ledger's file, the upstream's log and what clients saw must tell one story.
//!
//! It reads the file when no process has it open, so it sees what is durable and nothing else.

use std::collections::BTreeMap;

use tollgate::cli::demo::upstream::{Outcome, Work};
use tollgate::credit::{AccountId, Amount};
use tollgate::ledger::embedded::{EmbeddedLedger, Settings};
use tollgate::ledger::{ChargeRecord, ChargeState, Gates, Ledger};
use tollgate::seam::SystemClock;

use super::ledger_world::{ok, wait};
use super::processes::Site;

/// A request as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) serial: u64,
    pub(crate) seen: Seen,
}

/// What a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A whole answer of the upstream, with this status.
    Whole(u16),
    /// A refusal of the proxy: nothing may have been forwarded.
    Refused(u16),
    /// A refusal that says that the outcome is not known.
    InDoubt,
    /// No answer, or one that broke off.
    Lost,
}

impl Sent {
    pub(crate) const fn lost(serial: u64) -> Self {
        Self { serial, seen: Seen::Lost }
    }
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) units: usize,
    pub(crate) charges: usize,
    pub(crate) settled: usize,
    /// Released by a word, without work having been done.
    pub(crate) released: usize,
    /// Ended by their deadline: the outcome stayed unknown.
    pub(crate) by_deadline: usize,
}

/// Compares. Every process on the folder must have ended, and every deadline must have passed.
#[track_caller]
pub(crate) fn audit(site: &Site, sent: &[Sent]) -> Found {
    compare(site.upstream.all_units(), &books(site), sent)
}

/// As `audit`, with books that were read otherwise.
#[track_caller]
pub(crate) fn compare(
    units: Vec<Work>,
    charges: &BTreeMap<u64, Vec<ChargeRecord>>,
    sent: &[Sent],
) -> Found {
    let units = by_serial(units);
    for (serial, charges) in charges {
        assert_eq!(charges.len(), 1, "request {serial} has more than one charge: {charges:?}");
    }
    let mut found = Found { units: units.len(), charges: charges.len(), ..Found::default() };
    for sent in sent {
        let charge = charges.get(&sent.serial).map(|all| &all[0]);
        let works = units.get(&sent.serial).map_or(&[][..], Vec::as_slice);
        one(*sent, charge, works, &mut found);
    }
    let known = |serial| sent.iter().any(|sent| sent.serial == serial);
    for serial in units.keys().chain(charges.keys()) {
        assert!(known(*serial), "{serial} was never sent");
    }
    found
}

#[track_caller]
fn one(sent: Sent, charge: Option<&ChargeRecord>, works: &[Work], found: &mut Found) {
    let story = || format!("{sent:?}\n{charge:?}\n{works:?}");
    assert!(works.len() <= 1, "sent upstream twice: {}", story());
    if let Seen::Refused(_) = sent.seen {
        assert!(works.is_empty(), "refused and forwarded: {}", story());
        // A reserve whose answer was lost is closed by a release.
        assert!(charge.is_none_or(|charge| charge.charged.is_zero()), "{}", story());
        return;
    }
    let Some(charge) = charge else {
        assert!(works.is_empty(), "work for free: {}", story());
        assert_eq!(sent.seen, Seen::Lost, "answered and not charged: {}", story());
        return;
    };
    if charge.by_deadline {
        found.by_deadline += 1;
        // Only what was in flight at a kill, a cut or a fault of the disk may stay unknown.
        return;
    }
    match charge.state {
        ChargeState::Settled => {
            found.settled += 1;
            assert_eq!(works.len(), 1, "charged without work: {}", story());
            let done = matches!(works[0].outcome, Outcome::Done);
            assert!(done, "charged for work that was not done: {}", story());
        }
        ChargeState::Released => {
            found.released += 1;
            let done = works.iter().any(|work| work.outcome == Outcome::Done);
            assert!(!done, "work for free: {}", story());
            let failed = works.iter().all(|work| work.outcome == Outcome::Failed);
            assert!(failed, "released though nobody knew: {}", story());
        }
        ChargeState::Held | ChargeState::Unknown => panic!("still open: {}", story()),
    }
}

fn by_serial(units: Vec<Work>) -> BTreeMap<u64, Vec<Work>> {
    let mut all = BTreeMap::<u64, Vec<Work>>::new();
    for unit in units {
        let serial = unit.nonce.as_deref().unwrap().parse().unwrap();
        all.entry(serial).or_default().push(unit);
    }
    all
}

/// Reads all accounts: every bucket balances, nothing is held or open, and what was charged is what was
/// spent. The answer is the charges by the serial number of their request.
#[track_caller]
pub(crate) fn books(site: &Site) -> BTreeMap<u64, Vec<ChargeRecord>> {
    let settings = Settings::at(site.data().join("ledger.redb"));
    let ledger = EmbeddedLedger::open(&settings, std::sync::Arc::new(SystemClock)).unwrap();
    let all = books_of(&ledger);
    ledger.close();
    all
}

/// As `books`, of a ledger that is open.
#[track_caller]
pub(crate) fn books_of(ledger: &dyn Ledger) -> BTreeMap<u64, Vec<ChargeRecord>> {
    let mut all = BTreeMap::<u64, Vec<ChargeRecord>>::new();
    for document in ok(wait(ledger.accounts(None, 1_000))) {
        let charges = charges_of(ledger, &document.account);
        balanced(ledger, &document.account, &charges);
        for charge in charges {
            if charge.key.is_none() {
                // A reserve whose answer was lost and that never came to be, closed by a release.
                assert!(charge.state == ChargeState::Released && charge.charged.is_zero());
                continue;
            }
            let serial = charge.held.micro() % Amount::MICRO;
            all.entry(serial).or_default().push(charge);
        }
    }
    all
}

#[track_caller]
fn balanced(ledger: &dyn Ledger, account: &AccountId, charges: &[ChargeRecord]) {
    let view = ok(wait(ledger.view(account.clone(), Gates::default())));
    assert_eq!(view.open, [], "{account} has open charges");
    let mut spent = 0;
    for bucket in &view.buckets {
        assert!(bucket.balances(), "{bucket:?}");
        assert!(bucket.held.is_zero(), "{bucket:?}");
        spent += bucket.spent.micro();
    }
    let charged: u64 = charges.iter().map(|charge| charge.charged.micro()).sum();
    assert_eq!(charged, spent, "{account}: what was charged is not what was spent");
}

/// All charges of an account.
pub(crate) fn charges_of(ledger: &dyn Ledger, account: &AccountId) -> Vec<ChargeRecord> {
    let mut all: Vec<ChargeRecord> = Vec::new();
    loop {
        let before = all.last().map(|charge| charge.charge);
        let page = ok(wait(ledger.charges(account.clone(), before, 100)));
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
