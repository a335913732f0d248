//! Random histories: the embedded ledger and the model must agree answer by answer, through restarts and
//! clock steps, and the invariants must hold after each step.
//!
//! `TOLLGATE_CASES` is the number of histories, `TOLLGATE_SEED` the seed of the first; a failure names both
//! and the call.

use std::sync::Arc;

use tollgate::credit::{
    AccountId, Amount, ChargeId, Class, Every, KeyId, Kind, Measure, Partition, Zone,
};
use tollgate::ledger::embedded::{EmbeddedLedger, Opener, Settings};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, Entropy, SeededEntropy, SimulatedClock, Timestamp};

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, NOON, wait};

/// Calls of one history.
const STEPS: u32 = 500;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

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
    accounts: Vec<AccountId>,
    keys: Vec<KeyId>,
    charges: Vec<ChargeId>,
    /// Time that may still pass: the records of ended charges must not be purged before the audit.
    time_left: u64,
    applied: u32,
}

/// Asks both and compares.
macro_rules! both {
    ($h:expr, $verb:ident ( $($argument:expr),* )) => {{
        let asked = format!("{}{:?}", stringify!($verb), ($(&$argument,)*));
        let judged = wait($h.model.$verb($($argument.clone()),*));
        let answer = wait($h.embedded.as_ref().unwrap().$verb($($argument.clone()),*));
        assert_eq!(answer, judged, "seed {} step {}: {asked}", $h.seed, $h.step);
        if matches!(judged, Answer::Applied(_)) {
            $h.applied += 1;
        }
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
        Self {
            seed,
            step: 0,
            random: SeededEntropy::new(seed),
            ids: SeededEntropy::new(!seed),
            clock,
            model,
            embedded: Some(open()),
            open,
            accounts,
            keys: (0..4).map(|n| KeyId::from_bytes([n; 16])).collect(),
            charges: Vec::new(),
            time_left: 29 * DAY,
            applied: 0,
        }
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

    /// A charge that was seen lately, or sometimes one that never was.
    fn charge(&self, account: &AccountId) -> ChargeId {
        if self.charges.is_empty() || self.one_in(20) {
            return self.new_charge(account);
        }
        let recent = self.charges.len().saturating_sub(12);
        *self.pick(&self.charges[recent..])
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
                interval_us: 1 + self.below(2_000_000),
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
        let account = self.account();
        let known = self.one_in(5);
        let charge =
            if known { self.charge(&account) } else { self.new_charge(&account) };
        let document = match wait(self.model.document(account.clone())) {
            Answer::Applied(document) => document.version,
            _ => 0,
        };
        let wrong = self.one_in(15);
        Reserve {
            account,
            charge,
            fingerprint: [u8::from(self.one_in(15)); 32],
            key: *self.pick(&self.keys),
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
            0 => self.below(DAY),
            1 | 2 => self.below(HOUR),
            3..=5 => self.below(2 * MINUTE),
            6 => {
                // Somebody sets the wall back; time stands still at the mark.
                let back = self.clock.now().0.saturating_sub(self.below(4 * MINUTE));
                self.clock.set_wall(Timestamp(back));
                0
            }
            7 => {
                let ahead = self.clock.now().plus_ms(self.below(6 * MINUTE));
                self.clock.set_wall(ahead);
                0
            }
            _ => self.below(3_000),
        };
        let step = step.min(self.time_left);
        self.time_left -= step;
        self.clock.advance(step);
    }

    fn restart(&mut self) {
        self.embedded = None;
        self.model.restart();
        self.embedded = Some((self.open)());
    }

    fn directory(&mut self) {
        let account = self.account();
        match self.below(4) {
            0 => {
                let status = *self.pick(&[
                    AccountStatus::Active,
                    AccountStatus::Active,
                    AccountStatus::Suspended,
                ]);
                let plan = self.one_in(2).then(|| "other".to_owned());
                let zone = self.one_in(5).then(|| "Nowhere".to_owned());
                let status = Some(status);
                let call = AccountChange { account, plan, zone, status, label: None };
                let _ = both!(self, change_account(call));
            }
            1 => {
                let id = *self.pick(&self.keys);
                let call = NewKey { account, id, hash: [1; 32], label: String::new() };
                let _ = both!(self, create_key(call));
            }
            2 => {
                // Rarely for ever: new keys come in their place.
                if self.one_in(4) {
                    let place = usize::try_from(self.below(4)).unwrap();
                    let call = KeyChange { id: self.keys[place], status: KeyStatus::Revoked };
                    let _ = both!(self, change_key(call));
                    let mut fresh = [0; 16];
                    self.ids.fill(&mut fresh).unwrap();
                    self.keys[place] = KeyId::from_bytes(fresh);
                }
            }
            _ => {
                let _ = both!(self, document(account));
                let key = *self.pick(&self.keys);
                let _ = both!(self, document_of_key(key));
                let (none, limit) = (None::<AccountId>, 9_usize);
                let _ = both!(self, accounts(none, limit));
            }
        }
    }

    fn money(&mut self) {
        let account = self.account();
        let charge = self.charge(&account);
        let explanation = b"said".to_vec();
        match self.below(22) {
            0..=7 => {
                let call = self.reserve();
                if self.one_in(6) {
                    let _ = both!(self, quote(call));
                }
                self.charges.push(call.charge);
                let _ = both!(self, reserve(call));
            }
            8..=11 => {
                let call = Settle { account, charge, actual: self.amount(), explanation };
                let _ = both!(self, settle(call));
            }
            12 | 13 => {
                let call = Release { account, charge, explanation };
                let _ = both!(self, release(call));
                self.charges.push(charge);
            }
            14 => {
                let call = Doubt { account, charge, explanation };
                let _ = both!(self, doubt(call));
            }
            15 => {
                let mut charges: Vec<_> = Vec::new();
                for _ in 0..3 {
                    let account = self.account();
                    charges.push((account.clone(), self.charge(&account)));
                }
                let call = Extend { charges };
                let _ = both!(self, extend(call));
            }
            16 | 17 => {
                let call = self.grant();
                let _ = both!(self, grant(call));
            }
            18 => {
                let limit = 5_usize;
                let _ = both!(self, due(limit));
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
        let instance = "i1".to_owned();
        let _ = both!(self, open_of(instance));
    }

    fn play(&mut self) {
        for account in self.accounts.clone() {
            let call = crate::ledger_world::new_account(&account);
            let _ = both!(self, create_account(call));
        }
        for (place, id) in self.keys.clone().into_iter().enumerate() {
            let account = self.accounts[place % 2].clone();
            let call = NewKey { account, id, hash: [1; 32], label: String::new() };
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
            if step % 25 == 0 || step + 1 == STEPS {
                self.compare_everything();
            }
        }
        self.audit();
    }

    fn compare_everything(&mut self) {
        for account in self.accounts.clone() {
            let _ = both!(self, inspect(account));
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
        let charged: Amount = records
            .iter()
            .filter(|record| record.kind.as_ref() == Some(kind))
            .map(|record| record.charged)
            .sum();
        let gates = Gates::default();
        let Answer::Applied(view) = both!(self, view(account, gates)) else { panic!("no view") };
        let listed = view.buckets.iter().filter(|b| b.kind == *kind).map(|b| b.spent);
        let archived = view.archived.iter().filter(|(k, _)| k == kind).map(|(_, sums)| sums[1]);
        let spent: Amount = listed.chain(archived).sum();
        assert_eq!(spent, charged, "seed {}: {account} {kind}", self.seed);
    }
}

fn open_with(opener: Opener, clock: &Arc<SimulatedClock>) -> EmbeddedLedger {
    EmbeddedLedger::open_with(opener, LEASE, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

#[test]
fn embedded_and_model_agree_on_random_histories() {
    let (cases, first) = (setting("TOLLGATE_CASES", 12), setting("TOLLGATE_SEED", 1));
    let mut applied = 0;
    for seed in first..first + cases {
        let disk = SimulatedDisk::default();
        let mut history = History::new(seed, move |clock| open_with(disk.opener(), clock));
        history.play();
        applied += history.applied;
    }
    println!("{cases} histories from seed {first}: {applied} calls applied");
    assert!(u64::from(applied) >= cases * 420, "only {applied} calls were applied");
}

#[test]
fn a_real_file_agrees_too() {
    let seed = setting("TOLLGATE_SEED", 99);
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { path: folder.path().join("ledger.redb"), lease_ms: LEASE };
    let mut history = History::new(seed, move |clock| {
        EmbeddedLedger::open(&settings, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
    });
    history.play();
    assert!(history.applied >= 400, "only {} calls were applied", history.applied);
}
