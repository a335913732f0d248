//! A ledger that is timed: it passes every call on and counts how long the answer took and what it was.
//!
//! Each core has one around the same store, with counters of its own.
//!
//! Invariant: changes no call and no answer, nor their order: a call is handed on before its future is
//! returned.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{
    AccountChange, Adjust, Adjusted, Alias, Answer, Books, ChargeRecord, Document, Doubt, Extend,
    Extended, FreeClaim, Freeze, Gates, Grant, Granted, HandOver, HandedOver, Job, JobName,
    KeyChange, Ledger, NewAccount, NewKey, NoteJob, Noted, OpenRef, Quoted, Refund, Refunded,
    Refusal, Release, Released, Reply, Reserve, Reserved, Settle, Settled, View, WatchedJob,
    Withdraw, Withdrawn,
};
use crate::count::{Counter, Histogram, words};
use crate::credit::{AccountId, AliasId, Bucket, ChargeId, KeyId};
use crate::seam::Clock;

words! {
    /// What a ledger can be asked.
    Verb {
        /// `reserve`.
        Reserve => "reserve",
        /// `quote`.
        Quote => "quote",
        /// `settle`.
        Settle => "settle",
        /// `release`.
        Release => "release",
        /// `doubt`.
        Doubt => "doubt",
        /// `extend`.
        Extend => "extend",
        /// `tick`.
        Tick => "tick",
        /// `due`.
        Due => "due",
        /// `hand_over`.
        HandOver => "hand_over",
        /// `job`.
        Job => "job",
        /// `note_job`.
        NoteJob => "note_job",
        /// `watch_jobs`.
        WatchJobs => "watch_jobs",
        /// `grant`.
        Grant => "grant",
        /// `refund`.
        Refund => "refund",
        /// `adjust`.
        Adjust => "adjust",
        /// `withdraw`.
        Withdraw => "withdraw",
        /// `freeze`.
        Freeze => "freeze",
        /// `claim_free`.
        ClaimFree => "claim_free",
        /// `claims`.
        Claims => "claims",
        /// `view`.
        View => "view",
        /// `books`.
        Books => "books",
        /// `charge`.
        Charge => "charge",
        /// `charges`.
        Charges => "charges",
        /// `open_of`.
        OpenOf => "open_of",
        /// `create_account`.
        CreateAccount => "create_account",
        /// `change_account`.
        ChangeAccount => "change_account",
        /// `create_key`.
        CreateKey => "create_key",
        /// `change_key`.
        ChangeKey => "change_key",
        /// `document`.
        Document => "document",
        /// `document_of_key`.
        DocumentOfKey => "document_of_key",
        /// `create_alias`.
        CreateAlias => "create_alias",
        /// `remove_alias`.
        RemoveAlias => "remove_alias",
        /// `alias`.
        Alias => "alias",
        /// `accounts`.
        Accounts => "accounts",
    }
}

words! {
    /// What became of a call, in one word.
    Said {
        /// Done and durable.
        Applied => "applied",
        /// Not done: a rule said no.
        Refused => "refused",
        /// Not done: the caller's view was old.
        Stale => "stale",
        /// Not done: due work comes first.
        Tick => "tick",
        /// Not done: the store cannot be reached.
        Unavailable => "unavailable",
        /// Not done: a record contradicts itself.
        Broken => "broken",
        /// Not done: the wall clock has jumped.
        ClockJump => "clock_jump",
        /// Nobody knows whether it was done.
        Unknown => "unknown",
        /// Whoever asked left before the answer came.
        Unheard => "unheard",
    }
}

impl Said {
    const fn of<T>(answer: &Answer<T>) -> Self {
        match answer {
            Answer::Applied(_) => Self::Applied,
            Answer::Unknown(_) => Self::Unknown,
            Answer::Refused(Refusal::Stale { .. }) => Self::Stale,
            Answer::Refused(Refusal::Tick) => Self::Tick,
            Answer::Refused(Refusal::Unavailable(_)) => Self::Unavailable,
            Answer::Refused(Refusal::Broken(_)) => Self::Broken,
            Answer::Refused(Refusal::ClockJump) => Self::ClockJump,
            Answer::Refused(_) => Self::Refused,
        }
    }
}

/// How one core's calls went.
#[derive(Debug)]
pub struct StoreTally {
    clock: Arc<dyn Clock>,
    verbs: [VerbTally; Verb::ALL.len()],
}

/// How calls of one verb went.
#[derive(Debug, Default)]
pub struct VerbTally {
    /// From the call to its answer; calls whose answer nobody heard are not timed.
    pub took: Histogram,
    said: [Counter; Said::ALL.len()],
}

impl VerbTally {
    /// How many calls came to this.
    #[must_use]
    pub const fn said(&self, said: Said) -> &Counter {
        &self.said[said as usize]
    }
}

impl StoreTally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, verbs: std::array::from_fn(|_| VerbTally::default()) }
    }

    /// The calls of this verb.
    #[must_use]
    pub const fn verb(&self, verb: Verb) -> &VerbTally {
        &self.verbs[verb as usize]
    }
}

/// A call under way; counted when it is dropped, with or without its answer.
struct Call {
    tally: Arc<StoreTally>,
    verb: Verb,
    began_us: u64,
    said: Said,
}

impl Call {
    fn heard(mut self, said: Said) {
        self.said = said;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let own = self.tally.verb(self.verb);
        own.said(self.said).one();
        if self.said != Said::Unheard {
            own.took.took(self.tally.clock.uptime_us().saturating_sub(self.began_us));
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Measured {
    ledger: Arc<dyn Ledger>,
    tally: Arc<StoreTally>,
}

impl Measured {
    /// `ledger`, counted in `tally`.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, tally: Arc<StoreTally>) -> Self {
        Self { ledger, tally }
    }

    fn count<T: Send + 'static>(
        &self,
        verb: Verb,
        ask: impl FnOnce(&dyn Ledger) -> Reply<T>,
    ) -> Reply<T> {
        let tally = self.tally.clone();
        let began_us = tally.clock.uptime_us();
        let call = Call { tally, verb, began_us, said: Said::Unheard };
        let reply = ask(&*self.ledger);
        async move {
            let answer = reply.await;
            call.heard(Said::of(&answer));
            answer
        }
        .boxed()
    }
}

impl Ledger for Measured {
    fn reserve(&self, call: Reserve) -> Reply<Reserved> {
        self.count(Verb::Reserve, |ledger| ledger.reserve(call))
    }

    fn quote(&self, call: Reserve) -> Reply<Quoted> {
        self.count(Verb::Quote, |ledger| ledger.quote(call))
    }

    fn settle(&self, call: Settle) -> Reply<Settled> {
        self.count(Verb::Settle, |ledger| ledger.settle(call))
    }

    fn release(&self, call: Release) -> Reply<Released> {
        self.count(Verb::Release, |ledger| ledger.release(call))
    }

    fn doubt(&self, call: Doubt) -> Reply<()> {
        self.count(Verb::Doubt, |ledger| ledger.doubt(call))
    }

    fn extend(&self, call: Extend) -> Reply<Vec<Extended>> {
        self.count(Verb::Extend, |ledger| ledger.extend(call))
    }

    fn tick(&self, account: AccountId) -> Reply<u32> {
        self.count(Verb::Tick, |ledger| ledger.tick(account))
    }

    fn due(&self, limit: usize) -> Reply<Vec<AccountId>> {
        self.count(Verb::Due, |ledger| ledger.due(limit))
    }

    fn hand_over(&self, call: HandOver) -> Reply<HandedOver> {
        self.count(Verb::HandOver, |ledger| ledger.hand_over(call))
    }

    fn job(&self, account: AccountId, job: JobName, upstream_id: String) -> Reply<Job> {
        self.count(Verb::Job, |ledger| ledger.job(account, job, upstream_id))
    }

    fn note_job(&self, call: NoteJob) -> Reply<Noted> {
        self.count(Verb::NoteJob, |ledger| ledger.note_job(call))
    }

    fn watch_jobs(&self, limit: usize, lease_ms: u64) -> Reply<Vec<WatchedJob>> {
        self.count(Verb::WatchJobs, |ledger| ledger.watch_jobs(limit, lease_ms))
    }

    fn grant(&self, call: Grant) -> Reply<Granted> {
        self.count(Verb::Grant, |ledger| ledger.grant(call))
    }

    fn refund(&self, call: Refund) -> Reply<Refunded> {
        self.count(Verb::Refund, |ledger| ledger.refund(call))
    }

    fn adjust(&self, call: Adjust) -> Reply<Adjusted> {
        self.count(Verb::Adjust, |ledger| ledger.adjust(call))
    }

    fn withdraw(&self, call: Withdraw) -> Reply<Withdrawn> {
        self.count(Verb::Withdraw, |ledger| ledger.withdraw(call))
    }

    fn freeze(&self, call: Freeze) -> Reply<Bucket> {
        self.count(Verb::Freeze, |ledger| ledger.freeze(call))
    }

    fn claim_free(&self, call: FreeClaim) -> Reply<bool> {
        self.count(Verb::ClaimFree, |ledger| ledger.claim_free(call))
    }

    fn claims(&self, person: String) -> Reply<Vec<AccountId>> {
        self.count(Verb::Claims, |ledger| ledger.claims(person))
    }

    fn view(&self, account: AccountId, gates: Gates) -> Reply<View> {
        self.count(Verb::View, |ledger| ledger.view(account, gates))
    }

    fn books(&self, account: AccountId) -> Reply<Books> {
        self.count(Verb::Books, |ledger| ledger.books(account))
    }

    fn charge(&self, charge: ChargeId) -> Reply<ChargeRecord> {
        self.count(Verb::Charge, |ledger| ledger.charge(charge))
    }

    fn charges(
        &self,
        account: AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Reply<Vec<ChargeRecord>> {
        self.count(Verb::Charges, |ledger| ledger.charges(account, before, limit))
    }

    fn open_of(&self, instance: String) -> Reply<Vec<OpenRef>> {
        self.count(Verb::OpenOf, |ledger| ledger.open_of(instance))
    }

    fn create_account(&self, call: NewAccount) -> Reply<Document> {
        self.count(Verb::CreateAccount, |ledger| ledger.create_account(call))
    }

    fn change_account(&self, call: AccountChange) -> Reply<Document> {
        self.count(Verb::ChangeAccount, |ledger| ledger.change_account(call))
    }

    fn create_key(&self, call: NewKey) -> Reply<Document> {
        self.count(Verb::CreateKey, |ledger| ledger.create_key(call))
    }

    fn change_key(&self, call: KeyChange) -> Reply<Document> {
        self.count(Verb::ChangeKey, |ledger| ledger.change_key(call))
    }

    fn document(&self, account: AccountId) -> Reply<Document> {
        self.count(Verb::Document, |ledger| ledger.document(account))
    }

    fn document_of_key(&self, key: KeyId) -> Reply<Document> {
        self.count(Verb::DocumentOfKey, |ledger| ledger.document_of_key(key))
    }

    fn create_alias(&self, call: Alias) -> Reply<()> {
        self.count(Verb::CreateAlias, |ledger| ledger.create_alias(call))
    }

    fn remove_alias(&self, call: Alias) -> Reply<()> {
        self.count(Verb::RemoveAlias, |ledger| ledger.remove_alias(call))
    }

    fn alias(&self, id: AliasId) -> Reply<Alias> {
        self.count(Verb::Alias, |ledger| ledger.alias(id))
    }

    fn accounts(&self, after: Option<AccountId>, limit: usize) -> Reply<Vec<Document>> {
        self.count(Verb::Accounts, |ledger| ledger.accounts(after, limit))
    }
}
