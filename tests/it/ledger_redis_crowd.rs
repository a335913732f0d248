//! Two gateways' ways to one ledger, with many calls at once, by the server's own clock: whatever the order
//! in which the calls met, the records agree with each other and with what the charges say.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use tollgate::credit::{AccountId, Amount, BucketId, ChargeId, Class, Every, KeyId, Measure, Zone};
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, Entropy, SeededEntropy, SystemClock};

use crate::ledger_redis::{create, open_by_server, settings};
use crate::ledger_world::{bucket, key_of, kind, new_account, ok, wait};
use crate::redis_server::RedisServer;

const SLOTS: u32 = 40;
const CAP: u64 = 4_000;

struct Crowd {
    seed: u64,
    random: SeededEntropy,
    handles: [RedisLedger; 2],
    accounts: Vec<(AccountId, KeyId, u64)>,
    charges: Vec<(usize, ChargeId, [u8; 32])>,
    said: BTreeMap<String, usize>,
    calls: usize,
    _server: RedisServer,
}

impl Crowd {
    fn new(seed: u64) -> Self {
        let server = RedisServer::start(&[]);
        create(&server, false);
        let handles = [(); 2].map(|()| open_by_server(&settings(&server), Arc::new(SystemClock)));
        let mut accounts = Vec::new();
        for (name, number) in [("acct_ana", 1), ("acct_bob", 2), ("acct_cy", 3)] {
            let account: AccountId = name.parse().unwrap();
            let id = key_of(&account, number);
            ok(wait(handles[0].create_account(new_account(&account))));
            let call = NewKey {
                member: None,
                routes: Vec::new(),
                account: account.clone(),
                id,
                hash: [1; 32],
                label: "".into(),
                ends: None,
            };
            let version = ok(wait(handles[1].create_key(call))).version;
            accounts.push((account, id, version));
        }
        let (random, charges) = (SeededEntropy::new(seed), Vec::new());
        let (said, calls) = (BTreeMap::new(), 0);
        Self { seed, random, handles, accounts, charges, said, calls, _server: server }
    }

    fn below(&self, bound: usize) -> usize {
        let mut word = [0; 8];
        self.random.fill(&mut word).unwrap();
        usize::try_from(u64::from_le_bytes(word) % bound as u64).unwrap()
    }

    fn gates() -> Gates {
        let periods = Every::Day.periods(&Zone::UTC, SystemClock.now()).unwrap();
        let cap = |name: &str, measure| CapCheck {
            name: name.into(),
            scope: Scope::Account,
            measure,
            kind: None,
            limit: CAP,
            refundable: true,
            periods: periods.clone(),
        };
        let slot = SlotCheck { name: "all".into(), scope: Scope::Account, limit: SLOTS };
        let caps = vec![cap("credits", Measure::Credits), cap("requests", Measure::Requests)];
        Gates { caps, slots: vec![slot], ..Gates::default() }
    }

    fn reserve(&mut self) -> Reserve {
        let place = self.below(self.accounts.len());
        let (account, key, document_version) = self.accounts[place].clone();
        let known = self.charges.iter().filter(|(at, ..)| *at == place).count();
        // Now and then a charge that is known already, on either way.
        let (charge, fingerprint) = if known > 0 && self.below(4) == 0 {
            let (_, charge, print) = *self
                .charges
                .iter()
                .filter(|(at, ..)| *at == place)
                .nth(self.below(known))
                .unwrap();
            (charge, print)
        } else {
            let charge = ChargeId::make(SystemClock.now(), &account, &self.random).unwrap();
            let print = [u8::try_from(self.below(200)).unwrap(); 32];
            self.charges.push((place, charge, print));
            (charge, print)
        };
        Reserve {
            member: None,
            account,
            charge,
            fingerprint,
            key,
            document_version,
            revision: "r1".into(),
            kind: kind(),
            amount: self.amount(),
            route: "image".into(),
            feature: None,
            gates: Self::gates(),
            instance: "i1".into(),
            timeout_ms: 600_000,
            reconcile_ms: 600_000,
            on_unknown: OnUnknown::Release,
            over_run: if self.below(2) == 0 { OverRun::Debt } else { OverRun::Absorb },
            max_debt: None,
            note: b"{}".to_vec(),
        }
    }

    fn amount(&self) -> Amount {
        Amount::from_micro(self.below(40) as u64).unwrap()
    }

    /// One random call, handed over now, answered later; the answer in short.
    fn call(&mut self, number: usize) -> BoxFuture<'static, String> {
        let which = self.below(2);
        let verb = self.below(12);
        if verb < 5 || self.charges.is_empty() {
            let call = self.reserve();
            return short("reserve", self.handles[which].reserve(call));
        }
        // Most calls are about the latest charges, so that they cross each other.
        let latest = self.charges.len().saturating_sub(30);
        let (place, charge, _) = self.charges[latest + self.below(self.charges.len() - latest)];
        let account = self.accounts[place].0.clone();
        let (actual, explanation) = (self.amount(), b"{}".to_vec());
        let ledger = &self.handles[which];
        match verb {
            5 | 6 => {
                short("settle", ledger.settle(Settle { account, charge, actual, explanation }))
            }
            7 => short("release", ledger.release(Release { account, charge, explanation })),
            8 => short("doubt", ledger.doubt(Doubt { account, charge, explanation })),
            9 => short("extend", ledger.extend(Extend { charges: vec![(account, charge)] })),
            10 => short("tick", ledger.tick(account)),
            _ => {
                // The same id from both ways, sometimes with another content.
                let id: BucketId = bucket(&format!("{account}-{}", number / 24));
                let amount = Amount::from_micro(100 + self.below(2) as u64).unwrap();
                let (reason, class) = (String::new(), Class::Purchased);
                let (priority, effective, expires) = (0, None, None);
                let call = Grant {
                    bonus: None,
                    only: Vec::new(),
                    paid: None,
                    account,
                    id,
                    kind: kind(),
                    class,
                    amount,
                    priority,
                    effective,
                    expires,
                    reason,
                };
                short("grant", ledger.grant(call))
            }
        }
    }

    fn burst(&mut self) {
        let count = 10 + self.below(60);
        let first = self.calls;
        let asked: Vec<_> = (0..count).map(|n| self.call(first + n)).collect();
        for said in wait(join_all(asked)) {
            assert!(
                !said.contains("Broken") && !said.contains("Unknown "),
                "seed {}: {said}",
                self.seed
            );
            *self.said.entry(said).or_default() += 1;
        }
        self.calls += count;
        for (account, ..) in self.accounts.clone() {
            self.check(&account);
        }
    }

    fn records(&self, account: &AccountId) -> Vec<ChargeRecord> {
        let (mut before, mut all) = (None, Vec::new());
        loop {
            let page = ok(wait(self.handles[1].charges(account.clone(), before, 1_000)));
            let Some(last) = page.last() else { return all };
            before = Some(last.charge);
            all.extend(page);
        }
    }

    /// What the account says against what its charges say.
    fn check(&self, account: &AccountId) {
        let why = format!("seed {} after {} calls: {account}", self.seed, self.calls);
        assert_eq!(wait(self.handles[0].audit(account.clone())), Answer::Applied(()), "{why}");
        let view = ok(wait(self.handles[0].view(account.clone(), Self::gates())));
        let records = self.records(account);
        let (mut held, mut running, mut requests, mut counted, mut charged) =
            (BTreeMap::<BucketId, Amount>::new(), 0, 0, Amount::ZERO, Amount::ZERO);
        for record in &records {
            match record.state {
                ChargeState::Held | ChargeState::Unknown => {
                    running += u32::from(record.state == ChargeState::Held);
                    requests += 1;
                    counted = counted.saturating_add(record.held);
                    for leg in &record.legs {
                        let sum = held.entry(leg.bucket.clone()).or_default();
                        *sum = sum.saturating_add(leg.amount);
                    }
                }
                ChargeState::Settled => {
                    requests += 1;
                    counted =
                        counted.saturating_add(record.charged).saturating_add(record.absorbed);
                    charged = charged.saturating_add(record.charged);
                }
                _ => {}
            }
        }
        let mut spent = Amount::ZERO;
        for bucket in &view.buckets {
            assert!(bucket.balances(), "{why}: {bucket:?}");
            assert_eq!(
                held.remove(&bucket.id).unwrap_or_default(),
                bucket.held,
                "{why}: {bucket:?}"
            );
            spent = spent.saturating_add(bucket.spent);
        }
        assert!(held.is_empty(), "{why}: {held:?}");
        for (_, [_, gone, ..]) in view.archived {
            spent = spent.saturating_add(gone);
        }
        assert_eq!(spent, charged, "{why}: spent and charged");
        assert_eq!(view.slots[0].used, running, "{why}: slots");
        assert_eq!(
            (view.caps[0].used, view.caps[1].used),
            (counted.micro(), requests),
            "{why}: caps"
        );
        assert!(running <= SLOTS && requests <= CAP, "{why}");
    }
}

/// An answer's beginning: what was said, without the numbers.
fn short<T: std::fmt::Debug + Send + 'static>(
    verb: &'static str,
    reply: Reply<T>,
) -> BoxFuture<'static, String> {
    Box::pin(async move {
        let text = format!("{:?}", reply.await);
        let end = text.match_indices(['(', ' ', '{']).nth(1).map_or(text.len(), |(at, _)| at);
        format!("{verb} {}", &text[..end])
    })
}

#[test]
fn calls_that_cross_leave_records_that_agree() {
    let mut calls = 0;
    for seed in 1..=4 {
        let mut crowd = Crowd::new(seed);
        while crowd.calls < 1_500 {
            crowd.burst();
        }
        println!(
            "seed {seed}: {} calls, {} charges: {:?}",
            crowd.calls,
            crowd.charges.len(),
            crowd.said
        );
        for what in
            ["reserve Applied", "settle Applied", "settle Refused(Conflict", "grant Applied"]
        {
            let times: usize =
                crowd.said.iter().filter(|(said, _)| said.starts_with(what)).map(|(_, n)| n).sum();
            assert!(times > 5, "seed {seed}: {what} {times} times");
        }
        calls += crowd.calls;
    }
    assert!(calls >= 6_000, "{calls} calls");
}
