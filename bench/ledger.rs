//! What the embedded ledger carries: reserve and settle in pairs, each durable before it is answered.
//!
//! `cargo bench --bench ledger` prints a table; ratios within one run mean something, absolute figures only
//! together with the machine's disk. Times are taken here and nowhere in a test.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench, not a library")]
#![expect(clippy::disallowed_methods, reason = "it measures time itself")]

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tollgate::credit::{AccountId, Amount, ChargeId, Class, KeyId, Partition};
use tollgate::ledger::embedded::{EmbeddedLedger, Settings};
use tollgate::ledger::{
    Answer, Gates, Grant, Ledger, NewAccount, NewKey, OnUnknown, OverRun, Reserve, Settle,
};
use tollgate::seam::{Clock, SystemClock, SystemEntropy};

const PAIRS: usize = 2_000;

struct Bench {
    ledger: EmbeddedLedger,
    account: AccountId,
    key: KeyId,
    version: u64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("| callers | pairs | pairs/s | ms a pair |");
    println!("|---|---|---|---|");
    for callers in [1, 8, 64, 256] {
        let folder = tempfile::tempdir().unwrap();
        let took = runtime.block_on(async {
            let bench = Bench::open(folder.path()).await;
            let started = Instant::now();
            join_all((0..callers).map(|_| bench.pairs(PAIRS / callers))).await;
            started.elapsed()
        });
        let pairs = (PAIRS / callers) * callers;
        let us = took.as_micros() / pairs as u128;
        let rate = 1_000_000 / us.max(1);
        println!("| {callers} | {pairs} | {rate} | {}.{:03} |", us / 1_000, us % 1_000);
    }
}

impl Bench {
    async fn open(folder: &std::path::Path) -> Self {
        let settings = Settings::at(folder.join("ledger.redb"));
        let ledger = EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap();
        let account: AccountId = "acct_bench".parse().unwrap();
        let key = KeyId::make(SystemClock.now(), Partition::of(&account), &SystemEntropy).unwrap();
        let new = NewAccount {
            account: account.clone(),
            plan: "bench".to_owned(),
            zone: "UTC".to_owned(),
            anchor: None,
            label: String::new(),
            person: None,
            reference: None,
        };
        applied(ledger.create_account(new).await);
        let (own, label) = (account.clone(), String::new());
        let document = applied(
            ledger
                .create_key(NewKey {
                    member: None,
                    routes: Vec::new(),
                    account: own,
                    id: key,
                    hash: [0; 32],
                    label,
                    ends: None,
                })
                .await,
        );
        let grant = Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: account.clone(),
            id: "bench".parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: Class::Purchased,
            amount: Amount::from_credits(1_000_000).unwrap(),
            priority: 0,
            effective: None,
            expires: None,
            reason: "bench".to_owned(),
        };
        applied(ledger.grant(grant).await);
        Self { ledger, account, key, version: document.version }
    }

    async fn pairs(&self, count: usize) {
        for _ in 0..count {
            let charge = ChargeId::make(SystemClock.now(), &self.account, &SystemEntropy).unwrap();
            applied(self.ledger.reserve(self.reserve(charge)).await);
            let actual = Amount::from_credits(1).unwrap();
            let (account, explanation) = (self.account.clone(), b"{}".to_vec());
            applied(self.ledger.settle(Settle { account, charge, actual, explanation }).await);
        }
    }

    fn reserve(&self, charge: ChargeId) -> Reserve {
        Reserve {
            member: None,
            account: self.account.clone(),
            charge,
            fingerprint: [0; 32],
            key: self.key,
            document_version: self.version,
            revision: String::new(),
            kind: "credits".parse().unwrap(),
            amount: Amount::from_credits(2).unwrap(),
            route: "bench".to_owned(),
            feature: None,
            gates: Gates::default(),
            instance: "bench".to_owned(),
            timeout_ms: 60_000,
            reconcile_ms: 60_000,
            on_unknown: OnUnknown::Release,
            over_run: OverRun::Absorb,
            max_debt: None,
            note: b"{}".to_vec(),
        }
    }
}

fn applied<T: std::fmt::Debug>(answer: Answer<T>) -> T {
    match answer {
        Answer::Applied(value) => value,
        other => unreachable!("{other:?}"),
    }
}
