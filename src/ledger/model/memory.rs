//! The ledger without a disk: the rules over plain maps. The judge of every other store, and what tests
//! use that need a ledger but no file.
//!
//! Invariant: answers exactly as a store on disk would, step by step, restarts included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;

use super::desk::{self, Outcome};
use super::jobs::JobRecord;
use super::records::{Given, Records, ended_purge};
use super::state::{Account, Context, Ended, Open};
use super::stop::Stop;
use super::{invariants, next_due};
use crate::credit::{AccountId, AliasId, BucketId, ChargeId, KeyId};
use crate::ledger::teller::{Teller, answered};
use crate::ledger::verbs::JobKey;
use crate::ledger::watch::Watch;
use crate::ledger::{Alias, Answer, Refusal, Reply};
use crate::seam::{Clock, Timestamp};

/// A ledger in memory.
#[derive(Debug)]
pub struct ModelLedger {
    clock: Arc<dyn Clock>,
    lease_ms: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    watch: Watch,
    mark: Timestamp,
    records: Memory,
}

impl ModelLedger {
    /// An empty ledger with leases of `lease_ms` milliseconds.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, lease_ms: u64) -> Self {
        let watch = Watch::start(Arc::clone(&clock), lease_ms);
        let inner = Inner { watch, mark: Timestamp::default(), records: Memory::default() };
        Self { clock, lease_ms, inner: Mutex::new(inner) }
    }

    /// Does what a restart does: everything is kept, and no lease lapses for one lease length.
    pub fn restart(&self) {
        self.with(|inner| inner.watch = Watch::start(Arc::clone(&self.clock), self.lease_ms));
    }

    /// Checks every account.
    ///
    /// # Errors
    /// The first thing that does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        self.with(|inner| inner.records.accounts.values().try_for_each(invariants))
    }

    /// All that is kept of an account, readably, for a person who has to look.
    pub fn inspect(&self, account: AccountId) -> Reply<String> {
        self.tell(move |records, _| desk::inspect(records, &account))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Teller for ModelLedger {
    fn tell<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut dyn Records, &Context) -> Outcome<T> + Send + 'static,
    ) -> Reply<T> {
        let answer = self.with(|inner| {
            let Some(context) = inner.watch.context(inner.mark) else {
                return Answer::Refused(Refusal::ClockJump);
            };
            inner.records.written = false;
            let outcome = step(&mut inner.records, &context);
            if inner.records.written {
                inner.mark = context.now;
            }
            answered(outcome)
        });
        std::future::ready(answer).boxed()
    }
}

#[derive(Debug, Default)]
struct Memory {
    accounts: BTreeMap<AccountId, Account>,
    keys: BTreeMap<KeyId, AccountId>,
    aliases: BTreeMap<AliasId, Alias>,
    owners: BTreeMap<ChargeId, AccountId>,
    history: BTreeSet<(AccountId, ChargeId)>,
    ended: BTreeMap<ChargeId, Ended>,
    purges: BTreeSet<(Timestamp, ChargeId)>,
    texts: BTreeMap<ChargeId, [Vec<u8>; 2]>,
    grants: BTreeMap<BucketId, Given>,
    claims: BTreeMap<String, Vec<AccountId>>,
    jobs: BTreeMap<JobKey, JobRecord>,
    written: bool,
}

impl Records for Memory {
    fn account(&self, id: &AccountId) -> Result<Option<Account>, Stop> {
        Ok(self.accounts.get(id).cloned())
    }

    fn save(&mut self, _before: Option<&Account>, after: &Account) -> Result<(), Stop> {
        self.written = true;
        self.accounts.insert(after.document.account.clone(), after.clone());
        Ok(())
    }

    fn accounts(&self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>, Stop> {
        let ids = self.accounts.keys();
        Ok(ids.filter(|id| after.is_none_or(|after| *id > after)).take(limit).cloned().collect())
    }

    fn key_owner(&self, key: KeyId) -> Result<Option<AccountId>, Stop> {
        Ok(self.keys.get(&key).cloned())
    }

    fn save_key_owner(&mut self, key: KeyId, account: &AccountId) -> Result<(), Stop> {
        self.written = true;
        self.keys.insert(key, account.clone());
        Ok(())
    }

    fn alias(&self, id: AliasId) -> Result<Option<Alias>, Stop> {
        Ok(self.aliases.get(&id).cloned())
    }

    fn save_alias(&mut self, alias: &Alias) -> Result<(), Stop> {
        self.written = true;
        self.aliases.insert(alias.id, alias.clone());
        Ok(())
    }

    fn remove_alias(&mut self, id: AliasId) -> Result<(), Stop> {
        self.written = true;
        self.aliases.remove(&id);
        Ok(())
    }

    fn charge_owner(&self, charge: ChargeId) -> Result<Option<AccountId>, Stop> {
        Ok(self.owners.get(&charge).cloned())
    }

    fn save_charge(&mut self, charge: ChargeId, owner: &AccountId) -> Result<(), Stop> {
        self.written = true;
        self.owners.insert(charge, owner.clone());
        self.history.insert((owner.clone(), charge));
        Ok(())
    }

    fn ended(&self, charge: ChargeId) -> Result<Option<Ended>, Stop> {
        Ok(self.ended.get(&charge).cloned())
    }

    fn save_ended(&mut self, ended: &Ended) -> Result<(), Stop> {
        self.written = true;
        self.purges.insert((ended_purge(ended.at), ended.charge));
        self.ended.insert(ended.charge, ended.clone());
        Ok(())
    }

    fn texts(&self, charge: ChargeId) -> Result<[Vec<u8>; 2], Stop> {
        Ok(self.texts.get(&charge).cloned().unwrap_or_default())
    }

    fn save_note(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop> {
        self.written = true;
        let [note, _] = self.texts.entry(charge).or_default();
        *note = text.to_vec();
        Ok(())
    }

    fn save_explanation(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop> {
        self.written = true;
        let [_, explanation] = self.texts.entry(charge).or_default();
        *explanation = text.to_vec();
        Ok(())
    }

    fn given(&self, grant: &BucketId) -> Result<Option<Given>, Stop> {
        Ok(self.grants.get(grant).cloned())
    }

    fn save_given(&mut self, given: &Given) -> Result<(), Stop> {
        self.written = true;
        self.grants.insert(given.call.id.clone(), given.clone());
        Ok(())
    }

    fn claims(&self, person: &str) -> Result<Vec<AccountId>, Stop> {
        Ok(self.claims.get(person).cloned().unwrap_or_default())
    }

    fn save_claims(&mut self, person: &str, accounts: &[AccountId]) -> Result<(), Stop> {
        self.written = true;
        self.claims.insert(person.to_owned(), accounts.to_vec());
        Ok(())
    }

    fn job(&self, key: JobKey) -> Result<Option<JobRecord>, Stop> {
        Ok(self.jobs.get(&key).cloned())
    }

    fn save_job(
        &mut self,
        key: JobKey,
        _before: Option<&JobRecord>,
        after: &JobRecord,
    ) -> Result<(), Stop> {
        self.written = true;
        self.jobs.insert(key, after.clone());
        Ok(())
    }

    fn watches(&self, now: Timestamp, limit: usize) -> Result<Vec<JobKey>, Stop> {
        let waiting = self.jobs.iter().filter_map(|(key, job)| Some((job.watch_at?, *key)));
        let sorted: BTreeSet<_> = waiting.filter(|(at, _)| *at <= now).collect();
        Ok(sorted.into_iter().take(limit).map(|(_, key)| key).collect())
    }

    fn due(&self, now: Timestamp, skip: usize, limit: usize) -> Result<Vec<AccountId>, Stop> {
        let waiting = self.accounts.iter().filter_map(|(id, account)| {
            next_due(account).filter(|at| *at <= now).map(|at| (at, id))
        });
        let sorted: BTreeSet<_> = waiting.collect();
        Ok(sorted.into_iter().skip(skip).take(limit).map(|(_, id)| id.clone()).collect())
    }

    fn is_indexed(&self, _account: &Account) -> Result<bool, Stop> {
        // There is no index: `due` looks at every account.
        Ok(true)
    }

    fn charges_of(
        &self,
        account: &AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Result<Vec<ChargeId>, Stop> {
        let of_account = self.history.iter().rev().filter(|(owner, _)| owner == account);
        let older = of_account.filter(|(_, id)| before.is_none_or(|before| *id < before));
        Ok(older.take(limit).map(|(_, id)| *id).collect())
    }

    fn open_of(&self, instance: &str) -> Result<Vec<Open>, Stop> {
        let open = self.accounts.values().flat_map(|account| account.open.values());
        Ok(open.filter(|open| open.instance == instance).map(|open| (**open).clone()).collect())
    }

    fn purge(&mut self, now: Timestamp, limit: usize) -> Result<(), Stop> {
        let over = self.purges.iter().take_while(|(at, _)| *at <= now).take(limit);
        for (at, charge) in over.copied().collect::<Vec<_>>() {
            self.purges.remove(&(at, charge));
            // An id may have been closed again after it was forgotten: then its time has begun again.
            if self.ended.get(&charge).is_some_and(|ended| ended_purge(ended.at) > now) {
                continue;
            }
            self.ended.remove(&charge);
            self.texts.remove(&charge);
            if let Some(owner) = self.owners.remove(&charge) {
                self.history.remove(&(owner, charge));
            }
        }
        self.jobs.retain(|_, job| job.forget_at > now);
        Ok(())
    }
}
