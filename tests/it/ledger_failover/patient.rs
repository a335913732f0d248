//! A caller that asks again by the same id until it knows.
//!
//! Invariant: what it passes on is what the ledger said at last; nothing is changed, and no call is left out.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tollgate::credit::{AccountId, AliasId, Bucket, ChargeId, KeyId};
use tollgate::ledger::redis::RedisLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SystemClock};

/// How long it asks before it takes what it hears for the answer.
const PATIENCE_MS: u64 = 90_000;
const PAUSE: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    ledger: Arc<RedisLedger>,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether the last call may have been applied more than once, for all the caller knew.
    repeated: AtomicBool,
    unknown: AtomicU64,
    unavailable: AtomicU64,
}

impl Patient {
    pub(crate) fn new(ledger: RedisLedger) -> Self {
        Self { ledger: Arc::new(ledger), inner: Arc::default() }
    }

    /// Whether the answer to the last call was once unknown.
    pub(crate) fn repeated(&self) -> bool {
        self.inner.repeated.load(Ordering::Relaxed)
    }

    /// How many answers were unknown, and how many calls were surely not applied because nobody was there.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.inner.unknown), of(&self.inner.unavailable))
    }

    pub(crate) fn restart(&self, clock: Arc<dyn Clock>) {
        self.ledger.restart(clock);
    }

    pub(crate) fn inspect(&self, account: AccountId) -> Reply<String> {
        self.ask(move |ledger| ledger.inspect(account.clone()))
    }

    pub(crate) fn audit(&self, account: AccountId) -> Reply<()> {
        self.ask(move |ledger| ledger.audit(account.clone()))
    }

    fn ask<T: Send + 'static, F>(
        &self,
        call: impl Fn(&RedisLedger) -> F + Send + 'static,
    ) -> Reply<T>
    where
        F: Future<Output = Answer<T>> + Send,
    {
        let Self { ledger, inner } = self.clone();
        async move {
            inner.repeated.store(false, Ordering::Relaxed);
            let began = SystemClock.uptime_ms();
            loop {
                let answer = call(&ledger).await;
                match &answer {
                    Answer::Unknown(_) => {
                        inner.unknown.fetch_add(1, Ordering::Relaxed);
                        inner.repeated.store(true, Ordering::Relaxed);
                    }
                    Answer::Refused(Refusal::Unavailable(_)) => {
                        inner.unavailable.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => return answer,
                }
                if SystemClock.uptime_ms() - began > PATIENCE_MS {
                    return answer;
                }
                std::thread::sleep(PAUSE);
            }
        }
        .boxed()
    }
}

macro_rules! passed_on {
    ($($verb:ident($call:ident: $of:ty) -> $answer:ty;)*) => {
        $(fn $verb(&self, $call: $of) -> Reply<$answer> {
            self.ask(move |ledger| ledger.$verb($call.clone()))
        })*
    };
}

impl Ledger for Patient {
    passed_on! {
        reserve(call: Reserve) -> Reserved;
        quote(call: Reserve) -> Quoted;
        settle(call: Settle) -> Settled;
        release(call: Release) -> Released;
        doubt(call: Doubt) -> ();
        extend(call: Extend) -> Vec<Extended>;
        tick(account: AccountId) -> u32;
        due(limit: usize) -> Vec<AccountId>;
        hand_over(call: HandOver) -> HandedOver;
        note_job(call: NoteJob) -> Noted;
        grant(call: Grant) -> Granted;
        refund(call: Refund) -> Refunded;
        adjust(call: Adjust) -> Adjusted;
        withdraw(call: Withdraw) -> Withdrawn;
        freeze(call: Freeze) -> Bucket;
        claim_free(call: FreeClaim) -> bool;
        claims(person: String) -> Vec<AccountId>;
        books(account: AccountId) -> Books;
        charge(charge: ChargeId) -> ChargeRecord;
        open_of(instance: String) -> Vec<OpenRef>;
        create_account(call: NewAccount) -> Document;
        change_account(call: AccountChange) -> Document;
        create_key(call: NewKey) -> Document;
        change_key(call: KeyChange) -> Document;
        document(account: AccountId) -> Document;
        document_of_key(key: KeyId) -> Document;
        create_alias(call: Alias) -> ();
        remove_alias(call: Alias) -> ();
        alias(id: AliasId) -> Alias;
    }

    fn job(&self, account: AccountId, job: JobName, upstream_id: String) -> Reply<Job> {
        self.ask(move |ledger| ledger.job(account.clone(), job.clone(), upstream_id.clone()))
    }

    fn watch_jobs(&self, limit: usize, lease_ms: u64) -> Reply<Vec<WatchedJob>> {
        self.ask(move |ledger| ledger.watch_jobs(limit, lease_ms))
    }

    fn view(&self, account: AccountId, gates: Gates) -> Reply<View> {
        self.ask(move |ledger| ledger.view(account.clone(), gates.clone()))
    }

    fn charges(
        &self,
        account: AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Reply<Vec<ChargeRecord>> {
        self.ask(move |ledger| ledger.charges(account.clone(), before, limit))
    }

    fn accounts(&self, after: Option<AccountId>, limit: usize) -> Reply<Vec<Document>> {
        self.ask(move |ledger| ledger.accounts(after.clone(), limit))
    }
}
