//! Random lives of a few accounts, in a real Redis or in a file, so that there is something to export. The same seed
//! is the same life in both.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate::credit::{
    AccountId, Amount, BucketId, ChargeId, Class, Every, KeyId, Paid, When, Zone,
};
use tollgate::ledger::embedded::EmbeddedLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, Entropy, SeededEntropy, SimulatedClock, SystemClock};

use crate::ledger_redis::{create, open, open_served, settings};
use crate::ledger_world::{DAY, HOUR, LEASE, MINUTE, NOON, key_of, new_account, ok, wait};
use crate::redis_server::RedisServer;

/// Accounts, what happened to them, and where.
pub(crate) struct Story<S = RedisServer> {
    /// Where the ledger lies.
    pub(crate) store: S,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) seed: u64,
    /// Time passes by itself.
    real: bool,
    clock: Arc<SimulatedClock>,
    random: SeededEntropy,
    keys: Vec<(KeyId, u64)>,
    charges: Vec<(AccountId, ChargeId)>,
    granted: Vec<(AccountId, BucketId)>,
    grants: u64,
    /// Answers by what they were.
    pub(crate) answers: BTreeMap<&'static str, u64>,
}

impl Story {
    /// A server that forgets nothing, and accounts.
    pub(crate) fn begin(seed: u64) -> Self {
        let store = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        create(&store, true);
        let clock = Arc::new(SimulatedClock::at(NOON));
        let ledger = Arc::new(open(&settings(&store), &clock));
        Self::on(store, ledger, seed, clock, false)
    }

    /// The same on a ledger where the server's clock decides, beside other instances.
    pub(crate) fn begin_in_real_time(seed: u64) -> Self {
        let store = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        create(&store, false);
        let clock = Arc::new(SimulatedClock::at(SystemClock.now()));
        let ledger = Arc::new(open_served(&settings(&store)));
        Self::on(store, ledger, seed, clock, true)
    }

    /// Calls until every verb passes again.
    pub(crate) fn wait_for_the_server(&self) {
        let began = SystemClock.uptime_ms();
        while !matches!(wait(self.ledger.due(0)), Answer::Applied(_)) {
            assert!(SystemClock.uptime_ms() - began < 30_000, "the server does not come back");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// How many entries lie in the streams.
    pub(crate) fn waiting(&self) -> u64 {
        let script = b"local n = 0
            for p = 0, 1023 do n = n + redis.call('XLEN', string.format('tollgate:{%04d}:stream', p)) end
            return n";
        ::redis::from_redis_value(self.store.command(&[b"EVAL", script, b"0"])).unwrap()
    }

    /// What the end of a lease does, only sooner.
    pub(crate) fn free_the_lease(&self) {
        self.store.command(&[b"DEL", b"tollgate:{0000}:exporter"]);
    }
}

impl Story<Arc<EmbeddedLedger>> {
    /// The same in a ledger that `open` opens with this clock.
    pub(crate) fn begin_in_file(
        seed: u64,
        open: impl FnOnce(Arc<dyn Clock>) -> EmbeddedLedger,
    ) -> Self {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let store = Arc::new(open(clock.clone()));
        Self::on(store.clone(), store, seed, clock, false)
    }
}

impl<S> Story<S> {
    fn on(
        store: S,
        ledger: Arc<dyn Ledger>,
        seed: u64,
        clock: Arc<SimulatedClock>,
        real: bool,
    ) -> Self {
        let names = ["ana", "bob", "cyd", "dora", "eve"];
        let accounts = names.map(|name| format!("acct_{name}").parse().unwrap()).to_vec();
        let key = |account: &AccountId| {
            ok(wait(ledger.create_account(new_account(account))));
            let (id, account) = (key_of(account, 7), account.clone());
            let call = NewKey {
                member: None,
                routes: Vec::new(),
                account,
                id,
                hash: [1; 32],
                label: String::new(),
                ends: None,
            };
            (id, ok(wait(ledger.create_key(call))).version)
        };
        let keys = accounts.iter().map(key).collect();
        if !real {
            clock.advance(LEASE);
        }
        Self {
            store,
            ledger,
            accounts,
            seed,
            real,
            clock,
            random: SeededEntropy::new(seed),
            keys,
            charges: Vec::new(),
            granted: Vec::new(),
            grants: 0,
            answers: BTreeMap::new(),
        }
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut word = [0; 8];
        self.random.fill(&mut word).unwrap();
        u64::from_le_bytes(word) % bound
    }

    fn place(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn amount(&self) -> Amount {
        Amount::from_micro(self.below(20 * Amount::MICRO)).unwrap()
    }

    fn note<T>(&mut self, answer: &Answer<T>) {
        let what = match answer {
            Answer::Applied(_) => "applied",
            Answer::Refused(Refusal::Unavailable(_)) => "unavailable",
            Answer::Refused(_) => "refused",
            Answer::Unknown(_) => "unknown",
        };
        *self.answers.entry(what).or_default() += 1;
    }

    fn note_as<T>(&mut self, verb: &'static str, answer: &Answer<T>) {
        self.note(answer);
        if matches!(answer, Answer::Applied(_)) {
            *self.answers.entry(verb).or_default() += 1;
        }
    }

    /// One of the buckets that were granted last.
    fn bucket(&self) -> (AccountId, BucketId) {
        match self.granted.len() {
            0 => (self.accounts[0].clone(), "none".parse().unwrap()),
            length => self.granted[length - 1 - self.place(length.min(12))].clone(),
        }
    }

    /// So much later.
    pub(crate) fn pass_time(&self, ms: u64) {
        self.clock.advance(ms);
    }

    /// So many calls.
    pub(crate) fn go_on(&mut self, calls: u32) {
        for _ in 0..calls {
            self.step();
        }
    }

    fn step(&mut self) {
        match self.below(20) {
            _ if self.real => {}
            0 => self.clock.advance(self.below(DAY)),
            1..=2 => self.clock.advance(self.below(HOUR)),
            3 => self.clock.advance(self.below(2 * MINUTE)),
            _ => {}
        }
        let (account, charge) = match self.charges.len() {
            0 => (self.accounts[0].clone(), self.id(0)),
            length => self.charges[length - 1 - self.place(length.min(12))].clone(),
        };
        let explanation = self.explanation();
        match self.below(18) {
            12.. => self.amend(account, charge),
            0..=3 => {
                let call = self.reserve();
                self.charges.push((call.account.clone(), call.charge));
                let answer = wait(self.ledger.reserve(call.clone()));
                if matches!(answer, Answer::Refused(Refusal::Tick)) {
                    let ticked = wait(self.ledger.tick(call.account));
                    self.note(&ticked);
                }
                self.note(&answer);
            }
            4..=6 => {
                let call = Settle { account, charge, actual: self.amount(), explanation };
                let answer = wait(self.ledger.settle(call));
                self.note(&answer);
            }
            7 => {
                let answer = wait(self.ledger.release(Release { account, charge, explanation }));
                self.note(&answer);
            }
            8 => {
                let answer = wait(self.ledger.doubt(Doubt { account, charge, explanation }));
                self.note(&answer);
            }
            9 => {
                let place = self.place(self.accounts.len());
                let answer = wait(self.ledger.tick(self.accounts[place].clone()));
                self.note(&answer);
            }
            _ => {
                let call = self.grant();
                let answer = wait(self.ledger.grant(call));
                self.note(&answer);
            }
        }
    }

    /// Redis does due work that ends charges in an operation of its own before what is done by hand, a file in
    /// one: here both do it before.
    fn swept(&mut self, account: &AccountId) {
        let answer = wait(self.ledger.tick(account.clone()));
        self.note(&answer);
    }

    /// What is done by hand.
    fn amend(&mut self, account: AccountId, charge: ChargeId) {
        match self.below(6) {
            0..=1 => {
                let id = format!("r{}", self.below(4)).parse().unwrap();
                let reason = "an \"odd\" reason\n".to_owned();
                let amount = Amount::from_micro(self.below(4 * Amount::MICRO)).unwrap();
                self.swept(&account);
                let call = Refund { account, charge, id, amount, reason };
                let answer = wait(self.ledger.refund(call));
                self.note_as("refund", &answer);
            }
            2..=3 => {
                let id = format!("j{}", self.below(4)).parse().unwrap();
                self.swept(&account);
                let call = Adjust { account, charge, id, held: self.amount() };
                let answer = wait(self.ledger.adjust(call));
                self.note_as("adjust", &answer);
            }
            4 => {
                let ways = [
                    Withdrawal::Void,
                    Withdrawal::Refund,
                    Withdrawal::Reversal,
                    Withdrawal::Expire,
                ];
                let (account, bucket) = self.bucket();
                self.swept(&account);
                let (how, reason) = (ways[self.place(4)], "by hand".to_owned());
                let answer = wait(self.ledger.withdraw(Withdraw { account, bucket, how, reason }));
                self.note_as("withdraw", &answer);
            }
            _ => {
                let (account, bucket) = self.bucket();
                self.swept(&account);
                let later = self.clock.now().plus_ms(1 + self.below(2 * DAY));
                let ends = [None, Some(None), Some(Some(later))];
                let (frozen, expires) = (self.below(2) == 0, ends[self.place(3)]);
                let reason = "by hand".to_owned();
                let call = Freeze { account, bucket, frozen, expires, reason };
                let answer = wait(self.ledger.freeze(call));
                self.note_as("freeze", &answer);
            }
        }
    }

    /// JSON as a rule, with ends of lines now and then; sometimes none at all.
    fn explanation(&self) -> Vec<u8> {
        match self.below(5) {
            0 => b"said \xff\n".to_vec(),
            1 => b"{\n  \"a\":\r\n \"b\\n\"\n}\n".to_vec(),
            2 => Vec::new(),
            n => format!("{{\"n\":{n},\"x\":1.50}}").into_bytes(),
        }
    }

    fn id(&self, place: usize) -> ChargeId {
        ChargeId::make(self.clock.now(), &self.accounts[place], &self.random).unwrap()
    }

    fn reserve(&self) -> Reserve {
        let place = self.place(self.accounts.len());
        let mut gates = Gates::default();
        if self.below(2) == 0 {
            gates.allowances.push(AllowanceCheck {
                carry: (self.below(2) == 0).then(|| Carry {
                    min: Amount::ZERO,
                    max: Amount::from_credits(5).unwrap(),
                    percent: 50,
                    until: [1, 2].map(|days| self.clock.now().plus_ms((1 + days) * DAY)),
                }),
                only: Vec::new(),
                when: [When::Always, When::PaidExhausted][self.place(2)],
                name: "gift".into(),
                kind: "credits".parse().unwrap(),
                class: [Class::Plan, Class::Free][self.place(2)],
                priority: 0,
                amount: Amount::from_credits(1 + self.below(15)).unwrap(),
                periods: Every::Day.periods(&Zone::UTC, self.clock.now()).unwrap(),
            });
        }
        let ends = [OnUnknown::Release, OnUnknown::Charge, OnUnknown::Hold];
        Reserve {
            member: None,
            account: self.accounts[place].clone(),
            charge: self.id(place),
            fingerprint: [9; 32],
            key: self.keys[place].0,
            document_version: self.keys[place].1,
            revision: "r1".into(),
            kind: if self.below(6) == 0 { "scans" } else { "credits" }.parse().unwrap(),
            amount: self.amount(),
            route: "image".into(),
            feature: (self.below(2) == 0).then(|| "audio".into()),
            gates,
            instance: "i1".into(),
            timeout_ms: self.below(2 * MINUTE),
            reconcile_ms: self.below(2 * HOUR) + if self.real { HOUR } else { 0 },
            on_unknown: ends[self.place(3)],
            over_run: [OverRun::Debt, OverRun::Absorb][self.place(2)],
            max_debt: None,
            note: b"{\"asked\": true}".to_vec(),
        }
    }

    fn grant(&mut self) -> Grant {
        let now = self.clock.now();
        let classes = [Class::Purchased, Class::Bonus, Class::Goodwill, Class::Free];
        self.grants += 1;
        let class = classes[self.place(4)];
        let bought = class == Class::Purchased;
        let only: [&[&str]; 3] = [&[], &["image", "video"], &["audio"]];
        let account = self.accounts[self.place(self.accounts.len())].clone();
        let id: BucketId = format!("g{}", self.grants).parse().unwrap();
        self.granted.push((account.clone(), id.clone()));
        let bonus = Bonus {
            amount: Amount::from_credits(1 + self.below(5)).unwrap(),
            expires: (self.below(2) == 0).then(|| now.plus_ms(2 * DAY)),
        };
        let paid = Paid { amount: self.amount(), currency: "USD".into() };
        Grant {
            bonus: (bought && self.below(2) == 0).then_some(bonus),
            only: only[self.place(3)].iter().map(|name| name.parse().unwrap()).collect(),
            paid: (bought && self.below(2) == 0).then_some(paid),
            account,
            id,
            kind: if self.below(6) == 0 { "scans" } else { "credits" }.parse().unwrap(),
            class,
            amount: Amount::from_credits(1 + self.below(40)).unwrap(),
            priority: u8::try_from(self.below(2)).unwrap(),
            effective: (self.below(4) == 0).then(|| now.plus_ms(self.below(DAY))),
            expires: (self.below(2) == 0).then(|| now.plus_ms(DAY + self.below(3 * DAY))),
            reason: "an \"odd\" reason\n".into(),
        }
    }

    /// Does what time has brought, until nothing is left of it.
    pub(crate) fn settle_down(&self) {
        for account in &self.accounts {
            while ok(wait(self.ledger.tick(account.clone()))) > 0 {}
        }
    }
}
