//! All orders of {reserve, expire, void, settle a part, release, refund} on two buckets, against expectations that a
//! small book of the written rules works out by itself (DESIGN, section 5). It knows nothing of the ledger's code:
//! whole credits, two buckets and what came back, one charge.

use std::sync::Arc;

use tollgate::credit::{AccountId, Amount, ChargeId, Class, KeyId, Partition, Ranks};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock, Timestamp};

use crate::ledger_redis::RedisStore;
use crate::ledger_world::{
    HOUR, LEASE, MINUTE, NOON, Store, bucket, credits, embedded_in_memory, kind, new_account, ok,
    wait,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Reserve,
    Expire,
    Void,
    Settle,
    Release,
    Refund,
}

const ACTS: [Act; 6] =
    [Act::Reserve, Act::Expire, Act::Void, Act::Settle, Act::Release, Act::Refund];
/// What is reserved, charged, and refunded.
const HOLD: u64 = 8;
const ACTUAL: u64 = 5;
const BACK: u64 = 3;
/// What the first bucket has. It is the one that ends.
const FIRST: u64 = 6;

/// What differs between cases beside the order.
#[derive(Clone, Copy, Debug)]
struct Variant {
    /// Whether the first bucket was bought; else it was given for free.
    bought: bool,
    /// What the second has.
    second: u64,
    /// Which bucket is taken back: 0 or 1.
    voided: usize,
}

fn variants() -> Vec<Variant> {
    let mut all = Vec::new();
    for bought in [true, false] {
        for second in [10, 4] {
            for voided in [0, 1] {
                all.push(Variant { bought, second, voided });
            }
        }
    }
    all
}

fn orders() -> Vec<Vec<Act>> {
    fn extend(so_far: &[Act], all: &mut Vec<Vec<Act>>) {
        if so_far.len() == ACTS.len() {
            all.push(so_far.to_vec());
        }
        for act in ACTS.into_iter().filter(|act| !so_far.contains(act)) {
            extend(&[so_far, &[act]].concat(), all);
        }
    }
    let mut all = Vec::new();
    extend(&[], &mut all);
    all
}

/// A bucket in the book: available, held, spent, expired, voided.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    sums: [u64; 5],
    ended: bool,
    taken: bool,
    lives_on: bool,
}

const AVAILABLE: usize = 0;
const HELD: usize = 1;
const SPENT: usize = 2;
const EXPIRED: usize = 3;
const VOIDED: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Charge {
    Unseen,
    /// Its id was closed before it was used.
    Closed,
    Held(Vec<(usize, u64)>),
    Released,
    Settled(Vec<(usize, u64)>),
}

/// Buckets 0 and 1, and 2: what came back to a bought bucket that had ended.
struct Book {
    variant: Variant,
    pages: [Page; 3],
    charge: Charge,
}

impl Book {
    fn new(variant: Variant) -> Self {
        let page =
            |amount, lives_on| Page { sums: [amount, 0, 0, 0, 0], lives_on, ..Page::default() };
        let pages = [page(FIRST, variant.bought), page(variant.second, true), page(0, false)];
        Self { variant, pages, charge: Charge::Unseen }
    }

    /// In which order buckets pay. Free credits are ranked first here; what was bought comes after good will, and
    /// what ends before what does not.
    const fn order(&self) -> [usize; 3] {
        if self.variant.bought { [2, 0, 1] } else { [0, 2, 1] }
    }

    fn draw(&mut self, amount: u64, to: usize) -> Vec<(usize, u64)> {
        let (mut need, mut legs) = (amount, Vec::new());
        for at in self.order() {
            let page = &mut self.pages[at];
            let take = need.min(page.sums[AVAILABLE]);
            if take > 0 {
                page.sums[AVAILABLE] -= take;
                page.sums[to] += take;
                need -= take;
                legs.push((at, take));
            }
        }
        legs
    }

    /// Where credits go that come back: void is void; ended is expired, and what was bought lives on.
    fn give_back(&mut self, legs: &[(usize, u64)], from: usize) {
        for (at, amount) in legs {
            let page = &mut self.pages[*at];
            page.sums[from] -= amount;
            if page.taken {
                page.sums[VOIDED] += amount;
            } else if page.ended {
                page.sums[EXPIRED] += amount;
                if page.lives_on {
                    self.pages[2].sums[AVAILABLE] += amount;
                }
            } else {
                page.sums[AVAILABLE] += amount;
            }
        }
    }

    /// The first so much of the legs, and the rest.
    fn split(legs: &[(usize, u64)], keep: u64) -> [Vec<(usize, u64)>; 2] {
        let (mut left, mut parts) = (keep, [Vec::new(), Vec::new()]);
        for (at, amount) in legs {
            let stays = left.min(*amount);
            left -= stays;
            for (part, amount) in parts.iter_mut().zip([stays, amount - stays]) {
                if amount > 0 {
                    part.push((*at, amount));
                }
            }
        }
        parts
    }

    fn sum(legs: &[(usize, u64)]) -> u64 {
        legs.iter().map(|(_, amount)| amount).sum()
    }

    /// What the ledger must answer.
    fn act(&mut self, act: Act) -> &'static str {
        match (act, self.charge.clone()) {
            (Act::Expire, _) => {
                let page = &mut self.pages[0];
                page.ended = true;
                page.sums[EXPIRED] += std::mem::take(&mut page.sums[AVAILABLE]);
                ""
            }
            (Act::Void, _) => {
                let page = &mut self.pages[self.variant.voided];
                page.taken = true;
                page.sums[VOIDED] += std::mem::take(&mut page.sums[AVAILABLE]);
                "Applied"
            }
            (Act::Reserve, Charge::Unseen) => {
                if self.pages.iter().map(|page| page.sums[AVAILABLE]).sum::<u64>() < HOLD {
                    return "Insufficient";
                }
                self.charge = Charge::Held(self.draw(HOLD, HELD));
                "Applied"
            }
            (Act::Reserve, _) => "Ended",
            (Act::Settle, Charge::Held(legs)) => {
                let [head, tail] = Self::split(&legs, ACTUAL);
                for (at, amount) in &head {
                    self.pages[*at].sums[HELD] -= amount;
                    self.pages[*at].sums[SPENT] += amount;
                }
                self.give_back(&tail, HELD);
                self.charge = Charge::Settled(head);
                "Applied"
            }
            // A late success: like an over-run of nothing; what is missing is let go.
            (Act::Settle, Charge::Released) => {
                let legs = self.draw(ACTUAL, SPENT);
                self.charge = Charge::Settled(legs);
                "Applied"
            }
            (Act::Settle, Charge::Closed) => "Ended",
            (Act::Release, Charge::Held(legs)) => {
                self.give_back(&legs, HELD);
                self.charge = Charge::Released;
                "Applied"
            }
            (Act::Release, Charge::Unseen) => {
                self.charge = Charge::Closed;
                "Applied"
            }
            (Act::Release, _) => "Ended",
            (Act::Refund, Charge::Settled(legs)) => {
                let charged = Self::sum(&legs);
                if charged < BACK {
                    return "RefundTooLarge";
                }
                let [_, tail] = Self::split(&legs, charged - BACK);
                self.give_back(&tail, SPENT);
                "Applied"
            }
            (Act::Refund, Charge::Held(_)) => "Invalid",
            (Act::Refund, Charge::Released | Charge::Closed) => "RefundTooLarge",
            (Act::Refund | Act::Settle, Charge::Unseen) => "UnknownCharge",
            (Act::Settle, Charge::Settled(_)) => "",
        }
    }
}

struct Desk {
    clock: Arc<SimulatedClock>,
    store: Store,
}

impl Desk {
    fn all() -> [Self; 3] {
        let clock = || Arc::new(SimulatedClock::at(NOON));
        let (one, two, three) = (clock(), clock(), clock());
        let shared = Arc::clone(&one) as Arc<dyn Clock>;
        let model = Store::Model(Box::new(ModelLedger::new(shared, LEASE)));
        let embedded = Store::Embedded(embedded_in_memory(&two));
        let redis = Store::Redis(Box::new(RedisStore::start(&three)));
        [(one, model), (two, embedded), (three, redis)].map(|(clock, store)| Self { clock, store })
    }

    fn play(&self, number: usize, variant: Variant, order: &[Act]) {
        // Every case has an account of its own.
        self.clock.advance(2 * LEASE);
        let account: AccountId = format!("acct_o{number}").parse().unwrap();
        let case = Case::begin(self, account, variant, number);
        let mut book = Book::new(variant);
        for (place, act) in order.iter().enumerate() {
            let expected = book.act(*act);
            let said = case.act(*act);
            let why = format!("{variant:?} {order:?} at {place}");
            assert_eq!(said, expected, "{why}");
            for (id, page) in ["first", "second"].iter().zip(&book.pages) {
                assert_eq!(case.columns(number, id), page.sums, "{why}: {id}");
            }
            assert_eq!(case.good_will(), book.pages[2].sums, "{why}: good will");
        }
    }
}

struct Case<'a> {
    desk: &'a Desk,
    account: AccountId,
    variant: Variant,
    number: usize,
    key: KeyId,
    charge: ChargeId,
    ends: Timestamp,
    version: u64,
}

impl<'a> Case<'a> {
    fn begin(desk: &'a Desk, account: AccountId, variant: Variant, number: usize) -> Self {
        let ledger = desk.store.ledger();
        ok(wait(ledger.create_account(new_account(&account))));
        let (now, partition) = (desk.clock.now(), Partition::of(&account));
        let entropy = SeededEntropy::new(number as u64);
        let id = KeyId::make(now, partition, &entropy).unwrap();
        let key = NewKey {
            account: account.clone(),
            id,
            hash: [1; 32],
            label: String::new(),
            ends: None,
            member: None,
            routes: Vec::new(),
        };
        let version = ok(wait(ledger.create_key(key))).version;
        let charge = ChargeId::make(now, &account, &entropy).unwrap();
        let ends = now.plus_ms(MINUTE / 2);
        let first = if variant.bought { Class::Purchased } else { Class::Free };
        let grants = [
            ("first", first, FIRST, Some(ends)),
            ("second", Class::Purchased, variant.second, None),
        ];
        for (name, class, amount, expires) in grants {
            ok(wait(ledger.grant(Grant {
                account: account.clone(),
                id: bucket(&format!("{name}{number}")),
                kind: kind(),
                class,
                amount: credits(amount),
                priority: 0,
                effective: None,
                expires,
                reason: String::new(),
                only: Vec::new(),
                paid: None,
                bonus: None,
            })));
        }
        let case = Self { desk, account, variant, number, key: id, charge, ends, version };
        case.rank();
        case
    }

    /// Tells the account in which order its classes pay, by a request that costs nothing.
    fn rank(&self) {
        let entropy = SeededEntropy::new(!(self.number as u64));
        let now = self.desk.clock.now();
        let charge = ChargeId::make(now, &self.account, &entropy).unwrap();
        let call = self.reserve(charge, 0);
        ok(wait(self.desk.store.ledger().reserve(call)));
    }

    fn reserve(&self, charge: ChargeId, amount: u64) -> Reserve {
        Reserve {
            account: self.account.clone(),
            charge,
            fingerprint: [0; 32],
            key: self.key,
            document_version: self.version,
            revision: String::new(),
            kind: kind(),
            amount: credits(amount),
            route: "image".into(),
            feature: None,
            member: None,
            gates: Gates { ranks: Ranks([1, 2, 3, 4, 5, 0]), ..Gates::default() },
            instance: "i1".into(),
            timeout_ms: HOUR,
            reconcile_ms: HOUR,
            on_unknown: OnUnknown::Hold,
            over_run: OverRun::Absorb,
            max_debt: None,
            note: Vec::new(),
        }
    }

    fn act(&self, act: Act) -> String {
        let (ledger, account, charge) =
            (self.desk.store.ledger(), self.account.clone(), self.charge);
        let (explanation, reason) = (Vec::new(), String::new());
        match act {
            Act::Expire => {
                let left = self.ends.ms_since(self.desk.clock.now());
                self.desk.clock.advance(left);
                String::new()
            }
            Act::Void => {
                let id = ["first", "second"][self.variant.voided];
                let bucket = bucket(&format!("{id}{}", self.number));
                let how = Withdrawal::Void;
                said(wait(ledger.withdraw(Withdraw { account, bucket, how, reason })))
            }
            Act::Reserve => said(wait(ledger.reserve(self.reserve(charge, HOLD)))),
            Act::Settle => {
                let actual = credits(ACTUAL);
                said(wait(ledger.settle(Settle { account, charge, actual, explanation })))
            }
            Act::Release => said(wait(ledger.release(Release { account, charge, explanation }))),
            Act::Refund => {
                let (id, amount) = (bucket("r"), credits(BACK));
                said(wait(ledger.refund(Refund { account, charge, id, amount, reason })))
            }
        }
    }

    fn sums(&self, id: &str) -> [u64; 5] {
        let view = ok(wait(self.desk.store.ledger().view(self.account.clone(), Gates::default())));
        let found = view.buckets.iter().find(|bucket| bucket.id.as_str() == id);
        found.map_or([0; 5], |b| {
            [b.available, b.held, b.spent, b.expired, b.voided].map(|a| a.micro() / Amount::MICRO)
        })
    }

    fn columns(&self, number: usize, id: &str) -> [u64; 5] {
        self.sums(&format!("{id}{number}"))
    }

    fn good_will(&self) -> [u64; 5] {
        self.sums(&format!("gw:{}", self.charge))
    }
}

fn said<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    match answer {
        Answer::Applied(_) => "Applied".to_owned(),
        Answer::Refused(refusal) => {
            let text = format!("{refusal:?}");
            text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
        }
        Answer::Unknown(why) => panic!("{why}"),
    }
}

#[test]
fn all_orders_end_as_the_rules_say() {
    let cases: Vec<_> = variants()
        .into_iter()
        .flat_map(|variant| orders().into_iter().map(move |order| (variant, order)))
        .collect();
    assert_eq!(cases.len(), 8 * 720);
    let desks = Desk::all();
    let mut played = [0; 3];
    for (number, (variant, order)) in cases.iter().enumerate() {
        // All on the model; parts that have every variant and every beginning on the others.
        let on = [true, number % 7 == 0, number % 13 == 0];
        for (place, _) in on.into_iter().enumerate().filter(|(_, on)| *on) {
            desks[place].play(number, *variant, order);
            played[place] += 1;
        }
    }
    println!("played on the model, embedded and Redis: {played:?}");
    assert_eq!(played, [5_760, 823, 444]);
}
