//! Many gateways, one ledger: the rules as scripts inside Redis or Valkey, 7.0 or later.
//!
//! The verbs of every request are decided by scripts, the second opinion beside `model`. Documents of accounts
//! and rare verbs (refund, adjust, withdraw, freeze) are decided by the model's own rules here and written by a
//! script if nothing that was decided with has changed meanwhile; readers fetch an account's records in one
//! step and look at them with the model's rules. Reserve and settle have a usual path before their rules, written
//! for speed alone: it does what the rules would, or leaves it to them.
//!
//! Invariant: what is written is written by one script, all or nothing. A verb of every request is one round
//! trip.

mod aliases;
mod amend;
mod asking;
mod assemble;
mod auditing;
mod bytes;
mod calls;
mod check;
mod create;
mod directory;
mod entry;
mod epoch;
mod export;
mod jobs;
mod keys;
mod known;
mod link;
mod looking;
mod records;
mod replies;
mod scripts;
mod settings;

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use self::asking::{Desk, Heard};
use self::bytes::Writer;
pub use self::check::examine;
pub use self::create::{CreateError, create};
pub use self::export::Export;
use self::scripts::Verb;
pub use self::settings::{Address, Deadlines, Login, Settings, Tls, Topology};
use super::model::{Stop, own, sound_grant};
use super::teller::answered;
use super::{
    AccountChange, Alias, ChargeRecord, Document, Doubt, Extend, Extended, Gates, Grant, Granted,
    KeyChange, Ledger, NewAccount, NewKey, OpenRef, Quoted, Refusal, Release, Released, Reply,
    Reserve, Reserved, Setbacks, Settle, Settled, View,
};
use super::{Adjust, Adjusted, Books, FreeClaim, Freeze, Refund, Refunded, Withdraw, Withdrawn};
use super::{HandOver, HandedOver, Job, JobName, NoteJob, Noted, WatchedJob};
use crate::credit::{AccountId, AliasId, Bucket, ChargeId, KeyId, Partition};
use crate::seam::Clock;

/// The most leases that one call renews.
const EXTEND_MAX: usize = 1_024;

/// A ledger in Redis or Valkey, as one core sees it.
pub struct RedisLedger(Arc<Desk>);

impl RedisLedger {
    /// Starts to connect, on the current runtime, which has to go on as long as the ledger is used.
    #[must_use]
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Desk::open(Arc::new(settings), clock)))
    }

    /// As `open`, for a ledger that was made for tests: `clock` decides in place of the server's.
    #[must_use]
    pub fn for_tests(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self::for_tests_beside(settings, clock, "")
    }

    /// As `for_tests`, with scripts that end in `remark`, as another version's would differ.
    #[must_use]
    pub fn for_tests_beside(settings: Settings, clock: Arc<dyn Clock>, remark: &str) -> Self {
        let make = scripts::Make { remark, ..scripts::AS_USED };
        Self(Arc::new(Desk::for_tests(Arc::new(settings), clock, make)))
    }

    /// As `for_tests`, with every request taken by the rules: what usual paths write is compared with it.
    #[must_use]
    pub fn for_tests_by_rules(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let make = scripts::Make { usual: false, ..scripts::AS_USED };
        Self(Arc::new(Desk::for_tests(Arc::new(settings), clock, make)))
    }

    /// What it sees of accounts that have gone back is told there, beside what others see.
    #[must_use]
    pub fn telling(self, setbacks: &Setbacks) -> Self {
        self.0.tell(setbacks);
        self
    }

    /// On a ledger that was made for tests, does what a restart of the store does: no lease lapses for one
    /// lease length.
    pub fn restart(&self, clock: Arc<dyn Clock>) {
        self.0.restart(clock);
    }

    /// Counts how often the store has come back after an outage: leases are to be renewed at once.
    #[must_use]
    pub fn returns(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.link.returns()
    }

    /// Writes the ledger's stream to files until `stop`, then what is left of it.
    pub fn export(
        &self,
        export: Export,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        export::run(self.0.clone(), export, stop)
    }

    /// All that is kept of an account, readably, for a person who has to look.
    pub fn inspect(&self, account: AccountId) -> Reply<String> {
        let desk = self.0.clone();
        async move { answered(looking::inspect(&desk, &account).await) }.boxed()
    }

    /// Checks an account's records against the rules and against each other.
    pub fn audit(&self, account: AccountId) -> Reply<()> {
        let desk = self.0.clone();
        async move { answered(auditing::audit(&desk, &account).await) }.boxed()
    }

    /// Asks, and reads the reply.
    fn told<T: 'static + Send>(
        &self,
        verb: Verb,
        account: &AccountId,
        more: Vec<Vec<u8>>,
        arg: Result<Vec<u8>, Stop>,
        read: impl FnOnce(&Heard) -> Result<T, Stop> + Send + 'static,
    ) -> Reply<T> {
        let heard = self.0.ask(verb, account, more, arg);
        async move { answered(heard.await.and_then(|heard| read(&heard))) }.boxed()
    }

    fn ending<T: 'static + Send>(
        &self,
        verb: Verb,
        account: &AccountId,
        charge: ChargeId,
        actual: u64,
        explanation: &[u8],
        read: impl FnOnce(&Heard) -> Result<T, Stop> + Send + 'static,
    ) -> Reply<T> {
        let keys = vec![self.0.keys.charge(charge), self.0.keys.texts(charge)];
        let arg = own(charge, account)
            .map_err(|_| Refusal::UnknownCharge.into())
            .and_then(|()| calls::ending(charge, actual, explanation, &self.0.settings));
        self.told(verb, account, keys, arg, read)
    }
}

impl fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLedger").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

fn done<T>(stop: Result<T, Stop>) -> Reply<T>
where
    T: Send + 'static,
{
    std::future::ready(answered(stop)).boxed()
}

impl Ledger for RedisLedger {
    fn reserve(&self, call: Reserve) -> Reply<Reserved> {
        let keys = vec![self.0.keys.charge(call.charge)];
        let arg =
            own(call.charge, &call.account).and_then(|()| calls::reserve(&call, &self.0.settings));
        let account = call.account.clone();
        self.told(Verb::Reserve, &account, keys, arg, move |heard| replies::reserved(heard, &call))
    }

    fn quote(&self, call: Reserve) -> Reply<Quoted> {
        let keys = vec![self.0.keys.charge(call.charge)];
        let arg =
            own(call.charge, &call.account).and_then(|()| calls::reserve(&call, &self.0.settings));
        let account = call.account.clone();
        self.told(Verb::Quote, &account, keys, arg, move |heard| {
            Ok(Quoted { reserved: replies::reserved(heard, &call)? })
        })
    }

    fn settle(&self, call: Settle) -> Reply<Settled> {
        let Settle { account, charge, actual, explanation } = &call;
        let actual = actual.micro();
        self.ending(Verb::Settle, account, *charge, actual, explanation, replies::settled)
    }

    fn release(&self, call: Release) -> Reply<Released> {
        let Release { account, charge, explanation } = &call;
        self.ending(Verb::Release, account, *charge, 0, explanation, replies::released)
    }

    fn doubt(&self, call: Doubt) -> Reply<()> {
        let Doubt { account, charge, explanation } = &call;
        self.ending(Verb::Doubt, account, *charge, 0, explanation, |heard| {
            replies::applied(heard, None).map(|_| ())
        })
    }

    fn extend(&self, call: Extend) -> Reply<Vec<Extended>> {
        if call.charges.len() > EXTEND_MAX {
            let why = "at most 1024 leases a call".to_owned();
            return done(Err(Refusal::TooMany(why).into()));
        }
        let asked = looking::extend(&self.0, &call);
        async move { answered(asked.await) }.boxed()
    }

    fn tick(&self, account: AccountId) -> Reply<u32> {
        let arg = calls::tick(&self.0.settings);
        self.told(Verb::Tick, &account, Vec::new(), Ok(arg), |heard| {
            replies::applied(heard, None)?.long()
        })
    }

    fn due(&self, limit: usize) -> Reply<Vec<AccountId>> {
        let desk = self.0.clone();
        async move { answered(looking::due(&desk, limit).await) }.boxed()
    }

    fn hand_over(&self, call: HandOver) -> Reply<HandedOver> {
        let desk = self.0.clone();
        async move { answered(jobs::hand_over(&desk, &call).await) }.boxed()
    }

    fn job(&self, account: AccountId, job: JobName, upstream_id: String) -> Reply<Job> {
        let desk = self.0.clone();
        async move { answered(jobs::job(&desk, &account, &job, &upstream_id).await) }.boxed()
    }

    fn note_job(&self, call: NoteJob) -> Reply<Noted> {
        let desk = self.0.clone();
        async move { answered(jobs::note_job(&desk, &call).await) }.boxed()
    }

    fn watch_jobs(&self, limit: usize, lease_ms: u64) -> Reply<Vec<WatchedJob>> {
        let desk = self.0.clone();
        async move { answered(jobs::watch_jobs(&desk, limit, lease_ms).await) }.boxed()
    }

    fn grant(&self, call: Grant) -> Reply<Granted> {
        let desk = self.0.clone();
        async move { answered(grant(&desk, call).await) }.boxed()
    }

    fn refund(&self, call: Refund) -> Reply<Refunded> {
        let desk = self.0.clone();
        async move { answered(amend::refund(&desk, &call).await) }.boxed()
    }

    fn adjust(&self, call: Adjust) -> Reply<Adjusted> {
        let desk = self.0.clone();
        async move { answered(amend::adjust(&desk, &call).await) }.boxed()
    }

    fn withdraw(&self, call: Withdraw) -> Reply<Withdrawn> {
        let desk = self.0.clone();
        async move { answered(amend::withdraw(&desk, &call).await) }.boxed()
    }

    fn freeze(&self, call: Freeze) -> Reply<Bucket> {
        let desk = self.0.clone();
        async move { answered(amend::freeze(&desk, &call).await) }.boxed()
    }

    fn claim_free(&self, call: FreeClaim) -> Reply<bool> {
        let desk = self.0.clone();
        async move { answered(amend::claim_free(&desk, &call).await) }.boxed()
    }

    fn claims(&self, person: String) -> Reply<Vec<AccountId>> {
        let desk = self.0.clone();
        async move { answered(amend::claims(&desk, &person).await) }.boxed()
    }

    fn view(&self, account: AccountId, gates: Gates) -> Reply<View> {
        let desk = self.0.clone();
        async move { answered(looking::view(&desk, &account, &gates).await) }.boxed()
    }

    fn books(&self, account: AccountId) -> Reply<Books> {
        let desk = self.0.clone();
        async move { answered(auditing::books(&desk, &account).await) }.boxed()
    }

    fn charge(&self, charge: ChargeId) -> Reply<ChargeRecord> {
        let desk = self.0.clone();
        async move { answered(looking::charge(&desk, charge).await) }.boxed()
    }

    fn charges(
        &self,
        account: AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Reply<Vec<ChargeRecord>> {
        let desk = self.0.clone();
        async move { answered(looking::charges(&desk, &account, before, limit).await) }.boxed()
    }

    fn open_of(&self, instance: String) -> Reply<Vec<OpenRef>> {
        let desk = self.0.clone();
        async move { answered(looking::open_of(&desk, &instance).await) }.boxed()
    }

    fn create_account(&self, call: NewAccount) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::create_account(&desk, &call).await) }.boxed()
    }

    fn change_account(&self, call: AccountChange) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::change_account(&desk, &call).await) }.boxed()
    }

    fn create_key(&self, call: NewKey) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::create_key(&desk, &call).await) }.boxed()
    }

    fn change_key(&self, call: KeyChange) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::change_key(&desk, &call).await) }.boxed()
    }

    fn document(&self, account: AccountId) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::document(&desk, &account).await) }.boxed()
    }

    fn document_of_key(&self, key: KeyId) -> Reply<Document> {
        let desk = self.0.clone();
        async move { answered(directory::document_of_key(&desk, key).await) }.boxed()
    }

    fn create_alias(&self, call: Alias) -> Reply<()> {
        let desk = self.0.clone();
        async move { answered(aliases::point(&desk, &call, true).await) }.boxed()
    }

    fn remove_alias(&self, call: Alias) -> Reply<()> {
        let desk = self.0.clone();
        async move { answered(aliases::point(&desk, &call, false).await) }.boxed()
    }

    fn alias(&self, id: AliasId) -> Reply<Alias> {
        let desk = self.0.clone();
        async move { answered(aliases::alias(&desk, id).await) }.boxed()
    }

    fn accounts(&self, after: Option<AccountId>, limit: usize) -> Reply<Vec<Document>> {
        let desk = self.0.clone();
        async move { answered(directory::accounts(&desk, after.as_ref(), limit).await) }.boxed()
    }
}

/// Claims the id wherever it belongs, then gives. What was refused gives its claim up again.
async fn grant(desk: &Arc<Desk>, call: Grant) -> Result<Granted, Stop> {
    desk.about_now()?;
    sound_grant(&call)?;
    let fingerprint: [u8; 32] = Sha256::digest(super::packed::pack(&call)?).into();
    claim(desk, &call, true).await?;
    let keys = vec![desk.keys.grant(&call.account, &call.id)];
    let arg = calls::grant(&call, &fingerprint, &desk.settings);
    let heard = desk.ask(Verb::Grant, &call.account, keys, arg).await;
    let granted = heard.and_then(|heard| replies::granted(&heard));
    if let Err(Stop::Refused(_)) = &granted {
        // If this fails, the id stays this account's: nobody else can use it, which is safe.
        drop(claim(desk, &call, false).await);
    }
    granted
}

async fn claim(desk: &Arc<Desk>, call: &Grant, take: bool) -> Result<(), Stop> {
    let partition = Partition::of_grant(&call.id);
    let epoch = desk.keys.epoch(partition);
    let mut keys = vec![epoch; 9];
    keys.push(desk.keys.claim(&call.id));
    let arg = Writer::default().flag(take).done();
    let account = call.account.as_str();
    let heard = desk.ask_with(Verb::Claim, partition, keys, account, Ok(arg)).await?;
    replies::applied(&heard, None).map(drop)
}
