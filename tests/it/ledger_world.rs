//! One account on one ledger with a clock that stands still: what the ledger's tests start from.

use std::future::Future;
use std::sync::Arc;

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_redis::RedisStore;
use redb::Database;
use redb::backends::InMemoryBackend;
use tollgate::credit::{
    AccountId, Amount, Bucket, BucketId, ChargeId, Class, Every, KeyId, Kind, Leg, Measure,
    Partition, Zone,
};
use tollgate::ledger::embedded::EmbeddedLedger;
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock, Timestamp};

/// 2026-11-22T12:00:00Z, a Sunday.
pub(crate) const NOON: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const LEASE: u64 = MINUTE;

pub(crate) enum Store {
    Model(Box<ModelLedger>),
    Embedded(EmbeddedLedger),
    Redis(Box<RedisStore>),
}

impl Store {
    pub(crate) fn ledger(&self) -> &dyn Ledger {
        match self {
            Self::Model(ledger) => ledger.as_ref(),
            Self::Embedded(ledger) => ledger,
            Self::Redis(store) => &store.ledger,
        }
    }

    pub(crate) fn inspect(&self, account: &AccountId) -> Answer<String> {
        match self {
            Self::Model(ledger) => wait(ledger.inspect(account.clone())),
            Self::Embedded(ledger) => wait(ledger.inspect(account.clone())),
            Self::Redis(store) => wait(store.ledger.inspect(account.clone())),
        }
    }

    /// As `inspect`, to the last byte that is kept.
    fn bytes(&self, account: &AccountId) -> Answer<String> {
        match self {
            Self::Redis(store) if !store.is_shared() => Answer::Applied(store.digest()),
            other => other.inspect(account),
        }
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) store: Store,
    pub(crate) account: AccountId,
    pub(crate) key: KeyId,
    pub(crate) version: u64,
    pub(crate) entropy: SeededEntropy,
}

/// Waits for an answer.
pub(crate) fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

/// Waits for what may sleep, for five seconds at most.
pub(crate) fn wait_timed<T>(answer: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let limit = std::time::Duration::from_secs(5);
    runtime.block_on(async { tokio::time::timeout(limit, answer).await.ok() })
}

/// The value of an answer that must be `Applied`.
#[track_caller]
pub(crate) fn ok<T: std::fmt::Debug>(answer: Answer<T>) -> T {
    match answer {
        Answer::Applied(value) => value,
        other => panic!("not applied: {other:?}"),
    }
}

/// The refusal of an answer that must be one.
#[track_caller]
pub(crate) fn no<T: std::fmt::Debug>(answer: Answer<T>) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn credits(whole: u64) -> Amount {
    Amount::from_credits(whole).unwrap()
}

pub(crate) fn kind() -> Kind {
    "credits".parse().unwrap()
}

pub(crate) fn bucket(id: &str) -> BucketId {
    id.parse().unwrap()
}

pub(crate) fn legs(pairs: &[(&str, u64)]) -> Vec<Leg> {
    pairs.iter().map(|(id, n)| Leg { bucket: bucket(id), amount: credits(*n) }).collect()
}

pub(crate) fn embedded_in_memory(clock: &Arc<SimulatedClock>) -> EmbeddedLedger {
    let opener = || Database::builder().create_with_backend(InMemoryBackend::new());
    let clock = Arc::clone(clock);
    EmbeddedLedger::open_with(Box::new(opener), LEASE, clock).unwrap()
}

pub(crate) fn world_on(disk: &SimulatedDisk) -> World {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger =
        EmbeddedLedger::open_with(disk.opener(), LEASE, Arc::clone(&clock) as Arc<dyn Clock>);
    World::with(Store::Embedded(ledger.unwrap()), clock)
}

/// Runs a story on every store there is; on named servers alone if somebody named some.
pub(crate) fn on_every_store(story: impl Fn(World)) {
    if let Some(settings) = crate::ledger_redis::elsewhere() {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let store = RedisStore::beside_others(&settings, &clock);
        return story(World::with(Store::Redis(Box::new(store)), clock));
    }
    let clock = || Arc::new(SimulatedClock::at(NOON));
    let (model, file) = (clock(), clock());
    let ledger = ModelLedger::new(Arc::clone(&model) as Arc<dyn Clock>, LEASE);
    story(World::with(Store::Model(Box::new(ledger)), model));
    let ledger = embedded_in_memory(&file);
    story(World::with(Store::Embedded(ledger), file));
    let redis = clock();
    let store = RedisStore::start(&redis);
    story(World::with(Store::Redis(Box::new(store)), redis));
}

/// Another account of the same partition.
pub(crate) fn neighbour(account: &AccountId) -> AccountId {
    let names = (0..).map(|n| format!("acct_bob{n}").parse::<AccountId>().unwrap());
    names.into_iter().find(|id| Partition::of(id) == Partition::of(account)).unwrap()
}

/// A key of an account, the same for the same number.
pub(crate) fn key_of(account: &AccountId, number: u8) -> KeyId {
    let mut bytes = [number; 16];
    bytes[6..8].copy_from_slice(&Partition::of(account).number().to_be_bytes());
    KeyId::from_bytes(bytes)
}

impl World {
    /// An account with one key, after the time of grace.
    pub(crate) fn with(store: Store, clock: Arc<SimulatedClock>) -> Self {
        let account: AccountId = "acct_maria".parse().unwrap();
        let key = key_of(&account, 7);
        ok(wait(store.ledger().create_account(new_account(&account))));
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account.clone(),
            id: key,
            hash: [1; 32],
            label: "".into(),
            ends: None,
        };
        let document = ok(wait(store.ledger().create_key(call)));
        clock.advance(LEASE);
        let (version, entropy) = (document.version, SeededEntropy::new(1));
        Self { clock, store, account, key, version, entropy }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn id(&self) -> ChargeId {
        self.id_of(&self.account)
    }

    pub(crate) fn id_of(&self, account: &AccountId) -> ChargeId {
        ChargeId::make(self.now(), account, &self.entropy).unwrap()
    }

    /// A reserve of this much, for a new charge, without gates.
    pub(crate) fn call(&self, amount: u64) -> Reserve {
        self.call_for(self.id(), amount)
    }

    pub(crate) fn call_for(&self, charge: ChargeId, amount: u64) -> Reserve {
        Reserve {
            member: None,
            account: self.account.clone(),
            charge,
            fingerprint: [9; 32],
            key: self.key,
            document_version: self.version,
            revision: "r1".into(),
            kind: kind(),
            amount: credits(amount),
            route: "image".into(),
            feature: None,
            gates: Gates::default(),
            instance: "i1".into(),
            timeout_ms: 10 * MINUTE,
            reconcile_ms: HOUR,
            on_unknown: OnUnknown::Release,
            over_run: OverRun::Debt,
            max_debt: None,
            note: b"{}".to_vec(),
        }
    }

    pub(crate) fn reserve(&self, call: &Reserve) -> Answer<Reserved> {
        wait(self.store.ledger().reserve(call.clone()))
    }

    pub(crate) fn settle(&self, charge: ChargeId, actual: u64) -> Answer<Settled> {
        let (account, actual) = (self.account.clone(), credits(actual));
        let call = Settle { account, charge, actual, explanation: b"{}".to_vec() };
        wait(self.store.ledger().settle(call))
    }

    pub(crate) fn release(&self, charge: ChargeId) -> Answer<Released> {
        let call = Release { account: self.account.clone(), charge, explanation: Vec::new() };
        wait(self.store.ledger().release(call))
    }

    pub(crate) fn doubt(&self, charge: ChargeId) -> Answer<()> {
        let call = Doubt { account: self.account.clone(), charge, explanation: Vec::new() };
        wait(self.store.ledger().doubt(call))
    }

    pub(crate) fn extend(&self, charge: ChargeId) -> Extended {
        let call = Extend { charges: vec![(self.account.clone(), charge)] };
        ok(wait(self.store.ledger().extend(call)))[0]
    }

    pub(crate) fn tick(&self) -> u32 {
        ok(wait(self.store.ledger().tick(self.account.clone())))
    }

    pub(crate) fn charge(&self, charge: ChargeId) -> Answer<ChargeRecord> {
        wait(self.store.ledger().charge(charge))
    }

    pub(crate) fn granting(&self, id: &str, class: Class, amount: u64) -> Grant {
        Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: self.account.clone(),
            id: bucket(id),
            kind: kind(),
            class,
            amount: credits(amount),
            priority: 0,
            effective: None,
            expires: None,
            reason: "test".into(),
        }
    }

    pub(crate) fn grant(&self, call: &Grant) -> Answer<Granted> {
        wait(self.store.ledger().grant(call.clone()))
    }

    /// Buys credits that never end.
    pub(crate) fn buy(&self, id: &str, amount: u64) -> Granted {
        ok(self.grant(&self.granting(id, Class::Purchased, amount)))
    }

    pub(crate) fn view(&self, gates: &Gates) -> View {
        ok(wait(self.store.ledger().view(self.account.clone(), gates.clone())))
    }

    /// A bucket's available, held, spent, expired and voided, in whole credits.
    pub(crate) fn columns(&self, id: &str) -> [u64; 5] {
        let view = self.view(&Gates::default());
        let found = view.buckets.iter().find(|b| b.id.as_str() == id).expect("the bucket");
        columns(found)
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.view(&Gates::default()).buckets.iter().any(|b| b.id.as_str() == id)
    }

    pub(crate) fn cap(&self, name: &str, measure: Measure, limit: u64) -> CapCheck {
        CapCheck {
            name: name.into(),
            scope: Scope::Account,
            measure,
            kind: None,
            limit,
            refundable: true,
            periods: Every::Day.periods(&Zone::UTC, self.now()).unwrap(),
        }
    }

    pub(crate) fn allowance(&self, name: &str, amount: u64) -> AllowanceCheck {
        AllowanceCheck {
            carry: None,
            only: Vec::new(),
            when: Default::default(),
            name: name.into(),
            kind: kind(),
            class: Class::Plan,
            priority: 0,
            amount: credits(amount),
            periods: Every::Day.periods(&Zone::UTC, self.now()).unwrap(),
        }
    }

    /// Everything that is kept of the account, as a person reads it.
    pub(crate) fn readable(&self) -> String {
        ok(self.store.inspect(&self.account))
    }

    /// Everything that is kept, to the last byte.
    pub(crate) fn everything(&self) -> String {
        ok(self.store.bytes(&self.account))
    }
}

pub(crate) fn columns(bucket: &Bucket) -> [u64; 5] {
    assert!(bucket.balances(), "{bucket:?}");
    [bucket.available, bucket.held, bucket.spent, bucket.expired, bucket.voided]
        .map(|amount| amount.micro() / Amount::MICRO)
}

pub(crate) fn new_account(account: &AccountId) -> NewAccount {
    NewAccount {
        account: account.clone(),
        plan: "pro".into(),
        zone: "UTC".into(),
        anchor: None,
        label: String::new(),
        person: None,
        reference: None,
    }
}
