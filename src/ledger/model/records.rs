//! What a store must be able to keep, and nothing about how.
//!
//! Invariant: a verb reads all that it needs before its first write here, so whatever it refuses has left
//! no trace.

use serde::{Deserialize, Serialize};

use super::jobs::JobRecord;
use super::state::{Account, Ended, Open};
use super::stop::Stop;
use super::told::Told;
use crate::credit::{AccountId, AliasId, BucketId, ChargeId, KeyId};
use crate::ledger::verbs::JobKey;
use crate::ledger::{Alias, Grant, Granted};
use crate::seam::Timestamp;

/// How long the record of an ended charge is kept, in milliseconds.
pub(crate) const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// When the record of a charge that ended at `at` may be forgotten.
pub(crate) const fn ended_purge(at: Timestamp) -> Timestamp {
    at.plus_ms(KEPT_MS)
}

/// A grant that was given: the call and its answer. Never forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) call: Grant,
    pub(crate) answer: Granted,
}

/// The records of a ledger, within one atomic step.
pub(crate) trait Records {
    /// An account with its money and its open charges.
    fn account(&self, id: &AccountId) -> Result<Option<Account>, Stop>;
    /// Hears, once all else of an operation is written, what it tells the ledger's stream. A store that keeps
    /// none lets it go.
    fn tell(&mut self, _told: Told) -> Result<(), Stop> {
        Ok(())
    }
    /// How far an account's part of the ledger's stream has come; `None`: the store keeps none.
    fn told(&self, _account: &AccountId) -> Result<Option<crate::ledger::Told>, Stop> {
        Ok(None)
    }
    /// Writes an account; `before` is what was loaded.
    fn save(&mut self, before: Option<&Account>, after: &Account) -> Result<(), Stop>;
    /// At most `limit` documents' accounts after `after`.
    fn accounts(&self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>, Stop>;
    /// Whose key this is.
    fn key_owner(&self, key: KeyId) -> Result<Option<AccountId>, Stop>;
    /// Remembers whose key this is.
    fn save_key_owner(&mut self, key: KeyId, account: &AccountId) -> Result<(), Stop>;
    /// Where an alias points.
    fn alias(&self, id: AliasId) -> Result<Option<Alias>, Stop>;
    /// Remembers an alias.
    fn save_alias(&mut self, alias: &Alias) -> Result<(), Stop>;
    /// Forgets an alias.
    fn remove_alias(&mut self, id: AliasId) -> Result<(), Stop>;
    /// Whose charge this is, open or ended.
    fn charge_owner(&self, charge: ChargeId) -> Result<Option<AccountId>, Stop>;
    /// Remembers whose charge this is and what was said at reserve.
    fn save_charge(&mut self, charge: ChargeId, owner: &AccountId) -> Result<(), Stop>;
    /// The tombstone of a charge.
    fn ended(&self, charge: ChargeId) -> Result<Option<Ended>, Stop>;
    /// Writes a tombstone.
    fn save_ended(&mut self, ended: &Ended) -> Result<(), Stop>;
    /// What was said of a charge at reserve and at its end.
    fn texts(&self, charge: ChargeId) -> Result<[Vec<u8>; 2], Stop>;
    /// Keeps what was said of a charge at reserve.
    fn save_note(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop>;
    /// Keeps what was said of a charge at its end.
    fn save_explanation(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop>;
    /// A grant by its id.
    fn given(&self, grant: &BucketId) -> Result<Option<Given>, Stop>;
    /// Remembers a grant.
    fn save_given(&mut self, given: &Given) -> Result<(), Stop>;
    /// The accounts that have their person's free credits, in the order in which they asked.
    fn claims(&self, person: &str) -> Result<Vec<AccountId>, Stop>;
    /// Remembers them.
    fn save_claims(&mut self, person: &str, accounts: &[AccountId]) -> Result<(), Stop>;
    /// A job's record.
    fn job(&self, key: JobKey) -> Result<Option<JobRecord>, Stop>;
    /// Writes a job's record; `before` is what lies there.
    fn save_job(
        &mut self,
        key: JobKey,
        before: Option<&JobRecord>,
        after: &JobRecord,
    ) -> Result<(), Stop>;
    /// Jobs that somebody is to ask about at `now` or before, those first that wait longest.
    fn watches(&self, now: Timestamp, limit: usize) -> Result<Vec<JobKey>, Stop>;
    /// Accounts with something due at `now` or before, those first that wait longest, after the first
    /// `skip`.
    fn due(&self, now: Timestamp, skip: usize, limit: usize) -> Result<Vec<AccountId>, Stop>;
    /// Whether the index of due work has the account where it belongs.
    fn is_indexed(&self, account: &Account) -> Result<bool, Stop>;
    /// An account's charges, newest first, older than `before`.
    fn charges_of(
        &self,
        account: &AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Result<Vec<ChargeId>, Stop>;
    /// All open charges of an instance.
    fn open_of(&self, instance: &str) -> Result<Vec<Open>, Stop>;
    /// Forgets at most `limit` ended charges and as many jobs whose time is over.
    fn purge(&mut self, now: Timestamp, limit: usize) -> Result<(), Stop>;
}
