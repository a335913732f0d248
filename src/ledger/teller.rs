//! From the trait's verbs to steps over records: whoever can run a step is a ledger.
//!
//! Invariant: a step is handed over before the future is returned, in the order of the calls.

use super::model::desk::{self, Outcome};
use super::model::{Context, Records, Stop};
use super::{
    AccountChange, Adjust, Adjusted, Alias, Answer, Books, ChargeRecord, Document, Doubt, Extend,
    Extended, FreeClaim, Freeze, Gates, Grant, Granted, HandOver, HandedOver, Job, JobName,
    KeyChange, Ledger, NewAccount, NewKey, NoteJob, Noted, OpenRef, Quoted, Refund, Refunded,
    Refusal, Release, Released, Reply, Reserve, Reserved, Settle, Settled, View, WatchedJob,
    Withdraw, Withdrawn,
};
use crate::credit::{AccountId, AliasId, Bucket, ChargeId, KeyId};

/// Runs steps over a store's records, one after the other, each whole or not at all.
pub(crate) trait Teller: Send + Sync + std::fmt::Debug {
    /// Runs `step`, now or soon; the answer comes later.
    fn tell<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut dyn Records, &Context) -> Outcome<T> + Send + 'static,
    ) -> Reply<T>;
}

/// The answer to a step whose store has kept its word.
pub(crate) fn answered<T>(outcome: Outcome<T>) -> Answer<T> {
    match outcome {
        Ok(value) => Answer::Applied(value),
        Err(Stop::Refused(refusal)) => Answer::Refused(*refusal),
        Err(Stop::Broken(why)) => {
            tracing::error!(%why, "a record contradicts itself; its account is left alone");
            Answer::Refused(Refusal::Broken(why))
        }
        Err(Stop::Newer(why)) => Answer::Refused(Refusal::Unavailable(why)),
        Err(Stop::Failed(why)) => Answer::Unknown(why),
    }
}

impl<S: Teller> Ledger for S {
    fn reserve(&self, call: Reserve) -> Reply<Reserved> {
        self.tell(move |records, context| desk::reserve(records, context, &call))
    }

    fn quote(&self, call: Reserve) -> Reply<Quoted> {
        self.tell(move |records, context| desk::quote(records, context, &call))
    }

    fn settle(&self, call: Settle) -> Reply<Settled> {
        self.tell(move |records, context| desk::settle(records, context, &call))
    }

    fn release(&self, call: Release) -> Reply<Released> {
        self.tell(move |records, context| desk::release(records, context, &call))
    }

    fn doubt(&self, call: Doubt) -> Reply<()> {
        self.tell(move |records, context| desk::doubt(records, context, &call))
    }

    fn extend(&self, call: Extend) -> Reply<Vec<Extended>> {
        self.tell(move |records, context| desk::extend(records, context, &call))
    }

    fn tick(&self, account: AccountId) -> Reply<u32> {
        self.tell(move |records, context| desk::tick(records, context, &account))
    }

    fn due(&self, limit: usize) -> Reply<Vec<AccountId>> {
        self.tell(move |records, context| desk::due_accounts(records, context, limit))
    }

    fn hand_over(&self, call: HandOver) -> Reply<HandedOver> {
        self.tell(move |records, context| desk::hand_over(records, context, &call))
    }

    fn job(&self, account: AccountId, job: JobName, upstream_id: String) -> Reply<Job> {
        self.tell(move |records, context| desk::job(records, context, &account, &job, &upstream_id))
    }

    fn note_job(&self, call: NoteJob) -> Reply<Noted> {
        self.tell(move |records, context| desk::note_job(records, context, &call))
    }

    fn watch_jobs(&self, limit: usize, lease_ms: u64) -> Reply<Vec<WatchedJob>> {
        self.tell(move |records, context| desk::watch_jobs(records, context, limit, lease_ms))
    }

    fn grant(&self, call: Grant) -> Reply<Granted> {
        self.tell(move |records, context| desk::grant(records, context, &call))
    }

    fn refund(&self, call: Refund) -> Reply<Refunded> {
        self.tell(move |records, context| desk::refund(records, context, &call))
    }

    fn adjust(&self, call: Adjust) -> Reply<Adjusted> {
        self.tell(move |records, context| desk::adjust(records, context, &call))
    }

    fn withdraw(&self, call: Withdraw) -> Reply<Withdrawn> {
        self.tell(move |records, context| desk::withdraw(records, context, &call))
    }

    fn freeze(&self, call: Freeze) -> Reply<Bucket> {
        self.tell(move |records, context| desk::freeze(records, context, &call))
    }

    fn claim_free(&self, call: FreeClaim) -> Reply<bool> {
        self.tell(move |records, _| desk::claim_free(records, &call))
    }

    fn claims(&self, person: String) -> Reply<Vec<AccountId>> {
        self.tell(move |records, _| desk::claims(records, &person))
    }

    fn view(&self, account: AccountId, gates: Gates) -> Reply<View> {
        self.tell(move |records, context| desk::view(records, context, &account, &gates))
    }

    fn books(&self, account: AccountId) -> Reply<Books> {
        self.tell(move |records, context| desk::books(records, context, &account))
    }

    fn charge(&self, charge: ChargeId) -> Reply<ChargeRecord> {
        self.tell(move |records, context| desk::charge(records, context, charge))
    }

    fn charges(
        &self,
        account: AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Reply<Vec<ChargeRecord>> {
        self.tell(move |records, context| desk::charges(records, context, &account, before, limit))
    }

    fn open_of(&self, instance: String) -> Reply<Vec<OpenRef>> {
        self.tell(move |records, _| desk::open_of(records, &instance))
    }

    fn create_account(&self, call: NewAccount) -> Reply<Document> {
        self.tell(move |records, context| desk::create_account(records, context, &call))
    }

    fn change_account(&self, call: AccountChange) -> Reply<Document> {
        self.tell(move |records, context| desk::change_account(records, context, &call))
    }

    fn create_key(&self, call: NewKey) -> Reply<Document> {
        self.tell(move |records, context| desk::create_key(records, context, &call))
    }

    fn change_key(&self, call: KeyChange) -> Reply<Document> {
        self.tell(move |records, context| desk::change_key(records, context, &call))
    }

    fn document(&self, account: AccountId) -> Reply<Document> {
        self.tell(move |records, _| desk::document(records, &account))
    }

    fn document_of_key(&self, key: KeyId) -> Reply<Document> {
        self.tell(move |records, _| desk::document_of_key(records, key))
    }

    fn create_alias(&self, call: Alias) -> Reply<()> {
        self.tell(move |records, _| desk::create_alias(records, &call))
    }

    fn remove_alias(&self, call: Alias) -> Reply<()> {
        self.tell(move |records, _| desk::remove_alias(records, &call))
    }

    fn alias(&self, id: AliasId) -> Reply<Alias> {
        self.tell(move |records, _| desk::alias(records, id))
    }

    fn accounts(&self, after: Option<AccountId>, limit: usize) -> Reply<Vec<Document>> {
        self.tell(move |records, _| desk::accounts(records, after.as_ref(), limit))
    }
}
