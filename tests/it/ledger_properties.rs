//! Random histories: the embedded ledger, Redis and the model must agree answer by answer, through restarts
//! and clock steps; the invariants must hold after each step, and what Redis refuses leaves no trace in it.
//!
//! `TOLLGATE_CASES` is the number of histories, `TOLLGATE_SEED` the seed of the first; a failure names both
//! and the call.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use tollgate::credit::{
    AccountId, AliasId, Amount, ChargeId, Class, Every, KeyId, Kind, Measure, Partition, Zone,
};
use tollgate::ledger::embedded::{EmbeddedLedger, Opener, Settings};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, Entropy, SeededEntropy, SimulatedClock, Timestamp};

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_redis::RedisStore;
use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, NOON, key_of, wait};

/// Calls of one history.
const STEPS: u32 = 500;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

type Tally = BTreeMap<String, u32>;
type Open = Box<dyn Fn() -> EmbeddedLedger>;

struct History {
    seed: u64,
    step: u32,
    random: SeededEntropy,
    ids: SeededEntropy,
    clock: Arc<SimulatedClock>,
    model: ModelLedger,
    embedded: Option<EmbeddedLedger>,
    open: Open,
    redis: Option<RedisStore>,
    /// What was in Redis after the latest call.
    digest: String,
    /// Calls of all verbs.
    calls: u64,
    accounts: Vec<AccountId>,
    keys: Vec<KeyId>,
    charges: Vec<(AccountId, ChargeId)>,
    /// What each charge took in the end: the ledger forgets after 30 days, the audit does not.
    charged: BTreeMap<ChargeId, (AccountId, Kind, Amount)>,
    /// How often each answer came: refusals by name.
    seen: Tally,
}

/// Asks both and compares.
macro_rules! both {
    ($h:expr, $verb:ident ( $($argument:expr),* )) => {{
        let asked = format!("{}{:?}", stringify!($verb), ($(&$argument,)*));
        let judged = wait($h.model.$verb($($argument.clone()),*));
        let answer = wait($h.embedded.as_ref().unwrap().$verb($($argument.clone()),*));
        assert_eq!(answer, judged, "seed {} step {}: {asked}", $h.seed, $h.step);
        if $h.redis.is_some() {
            let redis = &$h.redis.as_ref().unwrap().ledger;
            let answer = wait(redis.$verb($($argument.clone()),*));
            assert!(answer == judged, "seed {} step {}: {asked}: Redis says {answer:#?}, the model {judged:#?}", $h.seed, $h.step);
            $h.look_for_traces(&asked, matches!(answer, Answer::Refused(_)));
        }
        $h.tally(&judged);
        judged
    }};
}

impl History {
    fn new(seed: u64, open: impl Fn(&Arc<SimulatedClock>) -> EmbeddedLedger + 'static) -> Self {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let model = ModelLedger::new(Arc::clone(&clock) as Arc<dyn Clock>, LEASE);
        let shared = Arc::clone(&clock);
        let open: Open = Box::new(move || open(&shared));
        let accounts = ["acct_ana", "acct_bob"].map(|id| id.parse().unwrap()).to_vec();
        // Keys 0 and 2 are the first account's, 1 and 3 the second's.
        let keys = (0..4).map(|n| key_of(&accounts[usize::from(n % 2)], n)).collect();
        Self {
            seed,
            step: 0,
            random: SeededEntropy::new(seed),
            ids: SeededEntropy::new(!seed),
            clock,
            model,
            embedded: Some(open()),
            open,
            redis: None,
            digest: String::new(),
            calls: 0,
            accounts,
            keys,
            charges: Vec::new(),
            charged: BTreeMap::new(),
            seen: Tally::new(),
        }
    }

    /// A third store beside the two.
    fn with_redis(mut self) -> Self {
        self.redis = Some(RedisStore::start(&self.clock));
        self
    }

    /// What was refused has changed nothing, to the last byte.
    fn look_for_traces(&mut self, asked: &str, refused: bool) {
        let Some(store) = &self.redis else { return };
        let digest = store.digest();
        if refused {
            assert_eq!(
                digest, self.digest,
                "seed {} step {}: {asked} left a trace",
                self.seed, self.step
            );
        }
        self.digest = digest;
    }

    /// The invariants of every account in Redis, and its records against each other.
    fn check_redis(&self) {
        let Some(store) = &self.redis else { return };
        for account in &self.accounts {
            if let Answer::Refused(Refusal::Broken(why)) = wait(store.ledger.audit(account.clone()))
            {
                panic!("seed {} step {}: {why}", self.seed, self.step);
            }
        }
    }

    fn tally<T: Debug>(&mut self, answer: &Answer<T>) {
        self.calls += 1;
        let name = match answer {
            Answer::Applied(_) => "Applied".to_owned(),
            Answer::Refused(refusal) => {
                let text = format!("{refusal:?}");
                text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
            }
            Answer::Unknown(why) => panic!("seed {} step {}: {why}", self.seed, self.step),
        };
        *self.seen.entry(name).or_default() += 1;
    }

    fn count(&mut self, what: &str, happened: bool) {
        *self.seen.entry(what.to_owned()).or_default() += u32::from(happened);
    }

    fn below(&self, bound: u64) -> u64 {
        let mut word = [0; 8];
        self.random.fill(&mut word).unwrap();
        u64::from_le_bytes(word) % bound
    }

    fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn account(&self) -> AccountId {
        self.pick(&self.accounts).clone()
    }

    fn amount(&self) -> Amount {
        let micro = match self.below(10) {
            0 => 0,
            1 => self.below(10),
            2 => self.below(100) * Amount::MICRO,
            _ => self.below(20 * Amount::MICRO),
        };
        Amount::from_micro(micro).unwrap()
    }

    fn kind(&self) -> Kind {
        if self.one_in(6) { "scans" } else { "credits" }.parse().unwrap()
    }

    /// A charge that was seen lately, or sometimes one that never was, or another account's.
    fn charge(&self) -> (AccountId, ChargeId) {
        if self.charges.is_empty() || self.one_in(20) {
            let account = self.account();
            return (account.clone(), self.new_charge(&account));
        }
        let recent = self.charges.len().saturating_sub(12);
        let (account, charge) = self.pick(&self.charges[recent..]).clone();
        if self.one_in(20) { (self.account(), charge) } else { (account, charge) }
    }

    /// A key, as a rule one of the account's.
    fn key(&self, account: &AccountId) -> KeyId {
        let own = usize::from(self.accounts[1] == *account);
        if self.one_in(20) {
            *self.pick(&self.keys)
        } else {
            self.keys[own + if self.one_in(2) { 0 } else { 2 }]
        }
    }

    fn new_charge(&self, account: &AccountId) -> ChargeId {
        ChargeId::make(self.clock.now(), Partition::of(account), &self.ids).unwrap()
    }

    fn gates(&self) -> Gates {
        let now = self.clock.now();
        let day = Every::Day.periods(&Zone::UTC, now).unwrap();
        let month = Every::Month.periods(&Zone::UTC, now).unwrap();
        let key = *self.pick(&self.keys);
        let scopes = [
            Scope::Account,
            Scope::Key(key),
            Scope::Route("image".into()),
            Scope::Feature("audio".into()),
        ];
        let mut gates = Gates::default();
        if self.one_in(3) {
            gates.rates.push(RateCheck {
                name: "pace".into(),
                scope: self.pick(&scopes).clone(),
                interval_us: 1 + self.below(60_000_000),
                burst: 1 + u32::try_from(self.below(3)).unwrap(),
            });
        }
        if self.one_in(2) {
            gates.slots.push(SlotCheck {
                name: "slots".into(),
                scope: self.pick(&scopes).clone(),
                limit: u32::try_from(self.below(9)).unwrap(),
            });
        }
        for (name, periods) in [("daily", &day), ("monthly", &month)] {
            if self.one_in(2) {
                continue;
            }
            let measure = *self.pick(&[Measure::Requests, Measure::Credits]);
            let limit = match measure {
                Measure::Requests => self.below(60),
                Measure::Credits => self.below(400 * Amount::MICRO),
            };
            gates.caps.push(CapCheck {
                name: name.into(),
                scope: self.pick(&scopes).clone(),
                measure,
                kind: self.one_in(3).then(|| self.kind()),
                limit,
                refundable: !self.one_in(3),
                periods: periods.clone(),
            });
        }
        if self.one_in(2) {
            gates.allowances.push(AllowanceCheck {
                carry: None,
                only: Vec::new(),
                when: Default::default(),
                name: "gift".into(),
                kind: "credits".parse().unwrap(),
                class: *self.pick(&[Class::Plan, Class::Free]),
                priority: 0,
                amount: Amount::from_credits(1 + self.below(15)).unwrap(),
                periods: day,
            });
        }
        gates
    }

    fn reserve(&self) -> Reserve {
        let mut account = self.account();
        let mut charge = self.new_charge(&account);
        if self.one_in(5) {
            (account, charge) = self.charge();
        }
        let document = match wait(self.model.document(account.clone())) {
            Answer::Applied(document) => document.version,
            _ => 0,
        };
        let wrong = self.one_in(15);
        let key = self.key(&account);
        Reserve {
            member: None,
            account,
            charge,
            fingerprint: [u8::from(self.one_in(15)); 32],
            key,
            document_version: if wrong { document.wrapping_sub(1) } else { document },
            revision: "r1".into(),
            kind: self.kind(),
            amount: self.amount(),
            route: (*self.pick(&["image", "video"])).into(),
            feature: self.one_in(2).then(|| "audio".into()),
            gates: self.gates(),
            instance: (*self.pick(&["i1", "i2"])).into(),
            timeout_ms: self.below(2 * MINUTE),
            reconcile_ms: self.below(2 * HOUR),
            on_unknown: *self.pick(&[OnUnknown::Release, OnUnknown::Charge, OnUnknown::Hold]),
            over_run: *self.pick(&[OverRun::Debt, OverRun::Absorb]),
            max_debt: self.one_in(3).then(|| self.amount()),
            note: vec![b'n'; usize::try_from(self.below(40)).unwrap()],
        }
    }

    fn grant(&self) -> Grant {
        let now = self.clock.now();
        let classes =
            [Class::Purchased, Class::Purchased, Class::Bonus, Class::Goodwill, Class::Free];
        let begins = self.one_in(4).then(|| now.plus_ms(self.below(DAY)));
        Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: self.account(),
            id: format!("g{}", self.below(60)).parse().unwrap(),
            kind: self.kind(),
            class: *self.pick(&classes),
            amount: self.amount(),
            priority: u8::try_from(self.below(2)).unwrap(),
            effective: begins,
            expires: self.one_in(2).then(|| now.plus_ms(self.below(3 * DAY))),
            reason: "property".into(),
        }
    }

    fn clock_step(&mut self) {
        let step = match self.below(12) {
            0 if self.one_in(3) => self.below(35 * DAY),
            0 => self.below(2 * DAY),
            1 | 2 => self.below(HOUR),
            3..=5 => self.below(2 * MINUTE),
            6 => {
                // Somebody sets the wall back; time stands still at the mark.
                let back = self.clock.now().0.saturating_sub(self.below(4 * MINUTE));
                self.clock.set_wall(Timestamp(back));
                0
            }
            7 if self.one_in(3) => {
                let ahead = self.clock.now().plus_ms(self.below(6 * MINUTE));
                self.clock.set_wall(ahead);
                0
            }
            _ => self.below(3_000),
        };
        self.clock.advance(step);
    }

    fn restart(&mut self) {
        self.count("restart", true);
        self.embedded = None;
        self.model.restart();
        self.embedded = Some((self.open)());
        if let Some(store) = &self.redis {
            store.ledger.restart(Arc::clone(&self.clock) as Arc<dyn Clock>);
        }
    }

    fn directory(&mut self) {
        let account = self.account();
        match self.below(5) {
            0 => {
                let status = *self.pick(&[
                    AccountStatus::Active,
                    AccountStatus::Active,
                    AccountStatus::Suspended,
                ]);
                let plan = self.one_in(2).then(|| "other".to_owned());
                let zone = self.one_in(5).then(|| "Nowhere".to_owned());
                let status = Some(status);
                let call = AccountChange { plan, zone, status, ..AccountChange::of(account) };
                let _ = both!(self, change_account(call));
            }
            1 => {
                let id = self.key(&account);
                let call = NewKey {
                    member: None,
                    routes: Vec::new(),
                    account,
                    id,
                    hash: [1; 32],
                    label: String::new(),
                    ends: None,
                };
                let _ = both!(self, create_key(call));
            }
            2 => {
                // Rarely for ever: new keys come in their place.
                if self.one_in(4) {
                    let place = usize::try_from(self.below(4)).unwrap();
                    let call = KeyChange::revoke(self.keys[place]);
                    let _ = both!(self, change_key(call));
                    let account = self.accounts[place % 2].clone();
                    let partition = Partition::of(&account);
                    let id = KeyId::make(self.clock.now(), partition, &self.ids).unwrap();
                    self.keys[place] = id;
                    let call = NewKey {
                        member: None,
                        routes: Vec::new(),
                        account,
                        id,
                        hash: [1; 32],
                        label: String::new(),
                        ends: None,
                    };
                    let _ = both!(self, create_key(call));
                }
            }
            3 => {
                let id = AliasId::of("key", &[u8::try_from(self.below(3)).unwrap()]);
                let call = Alias { id, account, key: self.one_in(2).then(|| self.keys[0]) };
                let _ = match self.below(3) {
                    0 => both!(self, create_alias(call)),
                    _ => both!(self, remove_alias(call)),
                };
                let _ = both!(self, alias(id));
            }
            _ => {
                let _ = both!(self, document(account));
                let key = *self.pick(&self.keys);
                let _ = both!(self, document_of_key(key));
                // Those that go through all partitions cost as much as a hundred others.
                if self.one_in(4) {
                    let (none, limit) = (None::<AccountId>, 9_usize);
                    let _ = both!(self, accounts(none, limit));
                }
            }
        }
    }

    fn money(&mut self) {
        let (account, charge) = self.charge();
        let explanation = b"said".to_vec();
        match self.below(22) {
            0..=7 => {
                let call = self.reserve();
                if self.one_in(6) {
                    let _ = both!(self, quote(call));
                }
                let id = (call.account.clone(), call.charge);
                let reserved = both!(self, reserve(call));
                if matches!(reserved, Answer::Applied(_)) || self.one_in(9) {
                    self.charges.push(id);
                }
            }
            8..=11 => {
                let call = Settle { account, charge, actual: self.amount(), explanation };
                if let Answer::Applied(settled) = both!(self, settle(call)) {
                    self.count("late", settled.late);
                    self.count("debt", !settled.debt.is_zero());
                    self.count("absorbed", !settled.absorbed.is_zero());
                }
            }
            12 | 13 => {
                self.charges.push((account.clone(), charge));
                let call = Release { account, charge, explanation };
                let _ = both!(self, release(call));
            }
            14 => {
                let call = Doubt { account, charge, explanation };
                let _ = both!(self, doubt(call));
            }
            15 => {
                let charges: Vec<_> = (0..3).map(|_| self.charge()).collect();
                let call = Extend { charges };
                let _ = both!(self, extend(call));
            }
            16 | 17 => {
                let call = self.grant();
                if let Answer::Applied(granted) = both!(self, grant(call)) {
                    self.count("repaid", !granted.repaid.is_zero());
                }
            }
            18 => {
                if self.one_in(4) {
                    let limit = 5_usize;
                    let _ = both!(self, due(limit));
                }
                let _ = both!(self, tick(account));
            }
            _ => self.reads(&account, charge),
        }
    }

    fn reads(&mut self, account: &AccountId, charge: ChargeId) {
        let gates = self.gates();
        let _ = both!(self, view(account, gates));
        let _ = both!(self, charge(charge));
        let before = self.one_in(2).then_some(charge);
        let limit = 1 + usize::try_from(self.below(9)).unwrap();
        let _ = both!(self, charges(account, before, limit));
        if self.one_in(6) {
            let instance = "i1".to_owned();
            let _ = both!(self, open_of(instance));
        }
    }

    fn play(&mut self) {
        for account in self.accounts.clone() {
            let call = crate::ledger_world::new_account(&account);
            let _ = both!(self, create_account(call));
        }
        for (place, id) in self.keys.clone().into_iter().enumerate() {
            let account = self.accounts[place % 2].clone();
            let call = NewKey {
                member: None,
                routes: Vec::new(),
                account,
                id,
                hash: [1; 32],
                label: String::new(),
                ends: None,
            };
            let _ = both!(self, create_key(call));
        }
        for step in 0..STEPS {
            self.step = step;
            match self.below(40) {
                0 => self.restart(),
                1..=6 => self.clock_step(),
                7 => self.directory(),
                _ => self.money(),
            }
            self.model.check().unwrap_or_else(|why| panic!("seed {}: {why}", self.seed));
            self.check_redis();
            self.remember();
            if step % 25 == 0 || step + 1 == STEPS {
                self.compare_everything();
            }
        }
        self.audit();
    }

    /// Notes what the latest charges took.
    fn remember(&mut self) {
        for account in self.accounts.clone() {
            let answer = wait(self.model.charges(account.clone(), None, 100));
            let Answer::Applied(records) = answer else { return };
            for record in records {
                if let Some(kind) = record.kind {
                    let entry = (account.clone(), kind, record.charged);
                    self.charged.insert(record.charge, entry);
                }
            }
        }
    }

    fn compare_everything(&mut self) {
        for account in self.accounts.clone() {
            let judged = wait(self.model.inspect(account.clone()));
            let answer = wait(self.embedded.as_ref().unwrap().inspect(account.clone()));
            assert_eq!(answer, judged, "seed {} step {}: inspect", self.seed, self.step);
            let Some(store) = &self.redis else { continue };
            let (Answer::Applied(all), Answer::Applied(judged)) =
                (wait(store.ledger.inspect(account)), judged)
            else {
                continue;
            };
            let first = |text: &str| text.split("\n}\n").next().unwrap_or_default().to_owned();
            assert_eq!(first(&all), first(&judged), "seed {} step {}", self.seed, self.step);
        }
    }

    /// What was charged is what was spent, to the micro-credit.
    fn audit(&mut self) {
        // A jump, if there is one, ends here.
        self.restart();
        for account in self.accounts.clone() {
            for kind in ["credits", "scans"] {
                let kind: Kind = kind.parse().unwrap();
                self.audit_kind(&account, &kind);
            }
        }
    }

    fn audit_kind(&mut self, account: &AccountId, kind: &Kind) {
        while matches!(both!(self, tick(account)), Answer::Applied(1..)) {}
        let (none, limit) = (None::<ChargeId>, 1_000_usize);
        let Answer::Applied(records) = both!(self, charges(account, none, limit)) else {
            panic!("no charges");
        };
        self.remember();
        let charged: Amount = self
            .charged
            .values()
            .filter(|(owner, of, _)| owner == account && of == kind)
            .map(|(_, _, amount)| *amount)
            .sum();
        let gates = Gates::default();
        let Answer::Applied(view) = both!(self, view(account, gates)) else { panic!("no view") };
        let bought_back = view.buckets.iter().any(|b| b.id.as_str().starts_with("gw:"));
        self.count("good will", bought_back);
        self.count("archived", !view.archived.is_empty());
        self.count("by deadline", records.iter().any(|record| record.by_deadline));
        let listed = view.buckets.iter().filter(|b| b.kind == *kind).map(|b| b.spent);
        let archived = view.archived.iter().filter(|(k, _)| k == kind).map(|(_, sums)| sums[1]);
        let spent: Amount = listed.chain(archived).sum();
        assert_eq!(spent, charged, "charged is not spent: seed {}: {account} {kind}", self.seed);
    }
}

fn open_with(opener: Opener, clock: &Arc<SimulatedClock>) -> EmbeddedLedger {
    EmbeddedLedger::open_with(opener, LEASE, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

/// What every run of the default length must have come across, or it has not tested much.
const MUST_SEE: [&str; 23] = [
    "Exists",
    "UnknownAlias",
    "Stale",
    "ClockJump",
    "InvalidKey",
    "UnknownCharge",
    "AccountStatus",
    "Conflict",
    "TooOld",
    "Ended",
    "RateLimited",
    "SlotsFull",
    "CapExceeded",
    "Insufficient",
    "Invalid",
    "late",
    "debt",
    "absorbed",
    "repaid",
    "good will",
    "archived",
    "by deadline",
    "restart",
];

#[test]
#[expect(clippy::print_stdout, reason = "says how much was tried, and from which seed")]
fn all_stores_agree_on_random_histories() {
    let (cases, first) = (setting("TOLLGATE_CASES", 36), setting("TOLLGATE_SEED", 1));
    let (mut seen, mut calls) = (Tally::new(), 0);
    for seed in first..first + cases {
        let disk = SimulatedDisk::default();
        let mut history =
            History::new(seed, move |clock| open_with(disk.opener(), clock)).with_redis();
        history.play();
        calls += history.calls;
        for (what, times) in history.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    println!("{cases} histories from seed {first}, {calls} calls: {seen:?}");
    let of = |what: &str| u64::from(seen.get(what).copied().unwrap_or(0));
    assert!(of("Applied") >= cases * 330, "only {} calls were applied", of("Applied"));
    if cases >= 36 {
        assert!(calls >= 20_000, "only {calls} calls");
        let missing: Vec<_> = MUST_SEE.iter().filter(|what| of(what) == 0).collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

#[test]
fn a_real_file_agrees_too() {
    let seed = setting("TOLLGATE_SEED", 99);
    let folder = tempfile::tempdir().unwrap();
    let settings =
        Settings { for_tests: false, path: folder.path().join("ledger.redb"), lease_ms: LEASE };
    let mut history = History::new(seed, move |clock| {
        EmbeddedLedger::open(&settings, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
    });
    history.play();
    let applied = history.seen.get("Applied").copied().unwrap_or(0);
    assert!(applied >= 250, "only {applied} calls were applied");
}

/// What a reader sees of the money, without the charges.
fn money_of(history: &History, account: &AccountId) -> String {
    let Answer::Applied(view) = wait(history.model.view(account.clone(), Gates::default())) else {
        panic!("no view");
    };
    format!("{:?} {:?}", view.buckets, view.archived)
}

/// A history with some buckets of one account, the same for the same seed.
fn with_buckets(seed: u64) -> History {
    let mut history = History::new(seed, crate::ledger_world::embedded_in_memory);
    let account = history.accounts[0].clone();
    let call = crate::ledger_world::new_account(&account);
    let _ = both!(history, create_account(call));
    let id = history.keys[0];
    let call = NewKey {
        member: None,
        routes: Vec::new(),
        account: account.clone(),
        id,
        hash: [1; 32],
        label: String::new(),
        ends: None,
    };
    let _ = both!(history, create_key(call));
    for _ in 0..6 {
        let call = Grant {
            account: account.clone(),
            kind: "credits".parse().unwrap(),
            effective: None,
            ..history.grant()
        };
        let _ = both!(history, grant(call));
    }
    history
}

#[test]
fn settling_less_and_releasing_are_as_if_less_had_been_reserved() {
    let mut compared = 0;
    for seed in 1..200 {
        // The same buckets twice: once `more` is reserved and `less` settled, once only `less`.
        let (mut one, mut two) = (with_buckets(seed), with_buckets(seed));
        let (a, b) = (one.amount(), one.amount());
        let (less, more) = (a.min(b), a.max(b));
        let account = one.accounts[0].clone();
        let before = money_of(&one, &account);
        let released = one.new_charge(&account);
        let base = Reserve {
            account: account.clone(),
            charge: released,
            fingerprint: [0; 32],
            key: one.keys[0],
            document_version: 2,
            kind: "credits".parse().unwrap(),
            gates: Gates::default(),
            over_run: OverRun::Absorb,
            ..one.reserve()
        };
        let charge = one.new_charge(&account);
        let explanation = Vec::new();
        let settle = Settle { account: account.clone(), charge, actual: less, explanation };
        let first = Reserve { amount: more, ..base.clone() };
        if !matches!(both!(one, reserve(first)), Answer::Applied(_)) {
            continue;
        }
        let explanation = Vec::new();
        let release = Release { account: account.clone(), charge: released, explanation };
        let _ = both!(one, release(release));
        assert_eq!(money_of(&one, &account), before, "seed {seed}: reserve and release");

        for (history, amount) in [(&mut one, more), (&mut two, less)] {
            let call = Reserve { charge, amount, ..base.clone() };
            let answer = both!(history, reserve(call));
            assert!(matches!(answer, Answer::Applied(_)), "seed {seed}: {answer:?}");
            let _ = both!(history, settle(settle));
        }
        assert_eq!(money_of(&one, &account), money_of(&two, &account), "seed {seed}");
        compared += 1;
    }
    assert!(compared >= 80, "only {compared} pairs were compared");
}
