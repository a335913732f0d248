//! The file's tables, as records of the rules.
//!
//! Invariant: indexes change in the same call as the record that they are of, so the two cannot disagree.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadableTable, StorageError, Table, TableDefinition, TableError, WriteTransaction};

use super::jobs::Jobs;
use super::stream::{Keeping, Stream, Waiting};
use crate::credit::{AccountId, AliasId, BucketId, ChargeId, KeyId};
use crate::ledger::Alias;
use crate::ledger::model::{
    Account, Ended, Given, JobRecord, Money, Open, Records, Stop, Told, ended_purge, next_due,
};
use crate::ledger::packed::{pack, pack_who, unpack, unpack_who};
use crate::ledger::verbs::JobKey;
use crate::seam::Timestamp;

/// The format of the tables; a change of their meaning raises it. Files of an earlier one have told no stream, so
/// nothing could be rebuilt from what they would tell from now on.
pub(super) const FORMAT: u64 = 3;

type Id = [u8; 16];

/// What tells a ledger from every other one.
pub(super) type LedgerId = [u8; 16];

/// What the file says of itself beside numbers.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// Where the ledger's own id lies there.
const LEDGER: &str = "ledger";
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
const MONEY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("money");
const OPEN: TableDefinition<'_, (&str, Id), &[u8]> = TableDefinition::new("open");
const DUE: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("due");
const KEYS: TableDefinition<'_, Id, &str> = TableDefinition::new("keys");
const OWNERS: TableDefinition<'_, Id, &str> = TableDefinition::new("owners");
const HISTORY: TableDefinition<'_, (&str, Id), ()> = TableDefinition::new("history");
const ENDED: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("ended");
const PURGES: TableDefinition<'_, (u64, Id), ()> = TableDefinition::new("purges");
const NOTES: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("notes");
const EXPLANATIONS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("explanations");
const ALIASES: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("aliases");
const GRANTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("grants");
/// Person → the accounts that have the person's free credits.
const CLAIMS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("claims");
/// All tables within one transaction.
pub(super) struct Tables<'t> {
    meta: Table<'t, &'static str, u64>,
    accounts: Table<'t, &'static str, &'static [u8]>,
    money: Table<'t, &'static str, &'static [u8]>,
    open: Table<'t, (&'static str, Id), &'static [u8]>,
    due: Table<'t, (u64, &'static str), ()>,
    keys: Table<'t, Id, &'static str>,
    aliases: Table<'t, [u8; 32], &'static [u8]>,
    owners: Table<'t, Id, &'static str>,
    history: Table<'t, (&'static str, Id), ()>,
    ended: Table<'t, Id, &'static [u8]>,
    purges: Table<'t, (u64, Id), ()>,
    notes: Table<'t, Id, &'static [u8]>,
    explanations: Table<'t, Id, &'static [u8]>,
    grants: Table<'t, &'static str, &'static [u8]>,
    claims: Table<'t, &'static str, &'static [u8]>,
    jobs: Jobs<'t>,
    stream: Stream<'t>,
    /// Accounts as this transaction left them: calls of one group often come from one account. It ends
    /// with the transaction, so it can never be older than the file.
    loaded: RefCell<BTreeMap<AccountId, Account>>,
    /// Whether anything was written since somebody set it back.
    pub(super) written: bool,
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl<'t> Tables<'t> {
    /// All of them; those that are missing are made.
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        keeping: Keeping,
    ) -> Result<Self, String> {
        Self::all(transaction, keeping).map_err(|error| error.to_string())
    }

    fn all(transaction: &'t WriteTransaction, keeping: Keeping) -> Result<Self, TableError> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            accounts: transaction.open_table(ACCOUNTS)?,
            money: transaction.open_table(MONEY)?,
            open: transaction.open_table(OPEN)?,
            due: transaction.open_table(DUE)?,
            keys: transaction.open_table(KEYS)?,
            aliases: transaction.open_table(ALIASES)?,
            owners: transaction.open_table(OWNERS)?,
            history: transaction.open_table(HISTORY)?,
            ended: transaction.open_table(ENDED)?,
            purges: transaction.open_table(PURGES)?,
            notes: transaction.open_table(NOTES)?,
            explanations: transaction.open_table(EXPLANATIONS)?,
            grants: transaction.open_table(GRANTS)?,
            claims: transaction.open_table(CLAIMS)?,
            jobs: Jobs::open(transaction)?,
            stream: Stream::open(transaction, keeping)?,
            loaded: RefCell::default(),
            written: false,
        })
    }

    /// Makes it a ledger of this format.
    pub(super) fn set_format(&mut self, for_tests: bool) -> Result<(), String> {
        let mut set = |name, value| {
            self.meta.insert(name, value).map(|_| ()).map_err(|error| error.to_string())
        };
        set("for_tests", u64::from(for_tests))?;
        set("format", FORMAT)
    }

    /// Whether it was made for tests.
    pub(super) fn is_for_tests(&self) -> Result<bool, String> {
        Ok(self.number("for_tests")?.unwrap_or(0) != 0)
    }

    /// The latest time that anything was written with.
    pub(super) fn mark(&self) -> Result<Timestamp, String> {
        Ok(Timestamp(self.number("mark")?.unwrap_or(0)))
    }

    pub(super) fn set_mark(&mut self, mark: Timestamp) -> Result<(), String> {
        self.meta.insert("mark", mark.0).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Takes entries of the stream out by name, and reads the oldest of those that are left.
    pub(super) fn turn(&mut self, names: &[String], limit: usize) -> Result<Waiting, Stop> {
        if self.stream.take_out(names)? > 0 {
            self.written = true;
        }
        self.stream.waiting(&self.meta, limit)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let found = self.meta.get(name).map_err(|error| error.to_string())?;
        Ok(found.map(|value| value.value()))
    }

    fn open_charges(&self, id: &str) -> Result<BTreeMap<ChargeId, Arc<Open>>, Stop> {
        let range = self.open.range((id, [0; 16])..=(id, [0xff; 16]))?;
        range
            .map(|row| {
                let (key, value) = row?;
                let charge = ChargeId::from_bytes(key.value().1);
                let open = unpack(value.value(), &format!("charge {charge}"))?;
                Ok((charge, Arc::new(open)))
            })
            .collect()
    }

    /// Writes the open charges that differ.
    fn save_open(&mut self, before: Option<&Account>, after: &Account) -> Result<(), Stop> {
        let id = after.document.account.as_str();
        let was = |charge| before.and_then(|before| before.open.get(charge));
        for (charge, open) in &after.open {
            if was(charge) != Some(open) {
                self.open.insert((id, *charge.as_bytes()), pack(open.as_ref())?.as_slice())?;
            }
        }
        for charge in before.into_iter().flat_map(|before| before.open.keys()) {
            if !after.open.contains_key(charge) {
                self.open.remove((id, *charge.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Moves the account within the index of what is due.
    fn save_due(&mut self, before: Option<&Account>, after: &Account) -> Result<(), Stop> {
        let id = after.document.account.as_str();
        let (was, is) = (before.and_then(next_due), next_due(after));
        if was == is {
            return Ok(());
        }
        if let Some(was) = was {
            self.due.remove((was.0, id))?;
        }
        if let Some(is) = is {
            self.due.insert((is.0, id), ())?;
        }
        Ok(())
    }
}

/// The file's format; `None` in a new file.
pub(super) fn format(transaction: &WriteTransaction) -> Result<Option<u64>, String> {
    let meta = transaction.open_table(META).map_err(|error| error.to_string())?;
    let found = meta.get("format").map_err(|error| error.to_string())?;
    Ok(found.map(|value| value.value()))
}

/// The ledger's own id; `None` in a new file.
pub(super) fn ledger_id(transaction: &WriteTransaction) -> Result<Option<LedgerId>, String> {
    let about = transaction.open_table(ABOUT).map_err(|error| error.to_string())?;
    let found = about.get(LEDGER).map_err(|error| error.to_string())?;
    let read = |bytes: &[u8]| LedgerId::try_from(bytes).map_err(|error| error.to_string());
    found.map(|bytes| read(bytes.value())).transpose()
}

/// Gives a new ledger its id.
pub(super) fn set_ledger_id(transaction: &WriteTransaction, id: &LedgerId) -> Result<(), String> {
    let mut about = transaction.open_table(ABOUT).map_err(|error| error.to_string())?;
    about.insert(LEDGER, id.as_slice()).map(|_| ()).map_err(|error| error.to_string())
}

fn account_id(text: &str) -> Result<AccountId, Stop> {
    text.parse().map_err(|error| Stop::Broken(format!("{error}")))
}

impl Records for Tables<'_> {
    fn account(&self, id: &AccountId) -> Result<Option<Account>, Stop> {
        if let Some(account) = self.loaded.borrow().get(id) {
            return Ok(Some(account.clone()));
        }
        let Some(who) = self.accounts.get(id.as_str())? else { return Ok(None) };
        let (origin, document) = unpack_who(who.value(), &format!("account {id}"))?;
        let money = match self.money.get(id.as_str())? {
            Some(money) => unpack(money.value(), &format!("money of {id}"))?,
            None => Money::default(),
        };
        let open = self.open_charges(id.as_str())?;
        let account = Account { origin, document, money, open };
        self.loaded.borrow_mut().insert(id.clone(), account.clone());
        Ok(Some(account))
    }

    fn tell(&mut self, told: Told) -> Result<(), Stop> {
        self.written = true;
        self.stream.add(&mut self.meta, told)
    }

    fn told(&self, account: &AccountId) -> Result<Option<crate::ledger::Told>, Stop> {
        self.stream.told(account).map(Some)
    }

    fn save(&mut self, before: Option<&Account>, after: &Account) -> Result<(), Stop> {
        self.written = true;
        let id = after.document.account.as_str();
        if before.map(|before| &before.document) != Some(&after.document) {
            let who = pack_who(&after.origin, &after.document)?;
            self.accounts.insert(id, who.as_slice())?;
        }
        if before.map(|before| &before.money) != Some(&after.money) {
            self.money.insert(id, pack(&after.money)?.as_slice())?;
        }
        self.save_open(before, after)?;
        self.save_due(before, after)?;
        self.loaded.borrow_mut().insert(after.document.account.clone(), after.clone());
        Ok(())
    }

    fn accounts(&self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>, Stop> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str()));
        let range = self.accounts.range::<&str>((from, Bound::Unbounded))?;
        range.take(limit).map(|row| account_id(row?.0.value())).collect()
    }

    fn key_owner(&self, key: KeyId) -> Result<Option<AccountId>, Stop> {
        let owner = self.keys.get(key.as_bytes())?;
        owner.map(|owner| account_id(owner.value())).transpose()
    }

    fn save_key_owner(&mut self, key: KeyId, account: &AccountId) -> Result<(), Stop> {
        self.written = true;
        self.keys.insert(key.as_bytes(), account.as_str())?;
        Ok(())
    }

    fn alias(&self, id: AliasId) -> Result<Option<Alias>, Stop> {
        let alias = self.aliases.get(id.as_bytes())?;
        alias.map(|alias| unpack(alias.value(), &format!("alias {id}"))).transpose()
    }

    fn save_alias(&mut self, alias: &Alias) -> Result<(), Stop> {
        self.written = true;
        self.aliases.insert(alias.id.as_bytes(), pack(alias)?.as_slice())?;
        Ok(())
    }

    fn remove_alias(&mut self, id: AliasId) -> Result<(), Stop> {
        self.written = true;
        self.aliases.remove(id.as_bytes())?;
        Ok(())
    }

    fn charge_owner(&self, charge: ChargeId) -> Result<Option<AccountId>, Stop> {
        let owner = self.owners.get(charge.as_bytes())?;
        owner.map(|owner| account_id(owner.value())).transpose()
    }

    fn save_charge(&mut self, charge: ChargeId, owner: &AccountId) -> Result<(), Stop> {
        self.written = true;
        self.owners.insert(charge.as_bytes(), owner.as_str())?;
        self.history.insert((owner.as_str(), *charge.as_bytes()), ())?;
        Ok(())
    }

    fn ended(&self, charge: ChargeId) -> Result<Option<Ended>, Stop> {
        let ended = self.ended.get(charge.as_bytes())?;
        ended.map(|ended| unpack(ended.value(), &format!("ended charge {charge}"))).transpose()
    }

    fn save_ended(&mut self, ended: &Ended) -> Result<(), Stop> {
        self.written = true;
        let id = ended.charge.as_bytes();
        self.ended.insert(id, pack(ended)?.as_slice())?;
        self.purges.insert((ended_purge(ended.at).0, *id), ())?;
        Ok(())
    }

    fn texts(&self, charge: ChargeId) -> Result<[Vec<u8>; 2], Stop> {
        let note = self.notes.get(charge.as_bytes())?;
        let explanation = self.explanations.get(charge.as_bytes())?;
        Ok([note, explanation].map(|text| text.map(|t| t.value().to_vec()).unwrap_or_default()))
    }

    fn save_note(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop> {
        self.written = true;
        self.notes.insert(charge.as_bytes(), text)?;
        Ok(())
    }

    fn save_explanation(&mut self, charge: ChargeId, text: &[u8]) -> Result<(), Stop> {
        self.written = true;
        self.explanations.insert(charge.as_bytes(), text)?;
        Ok(())
    }

    fn given(&self, grant: &BucketId) -> Result<Option<Given>, Stop> {
        let given = self.grants.get(grant.as_str())?;
        given.map(|given| unpack(given.value(), &format!("grant {grant}"))).transpose()
    }

    fn save_given(&mut self, given: &Given) -> Result<(), Stop> {
        self.written = true;
        self.grants.insert(given.call.id.as_str(), pack(given)?.as_slice())?;
        Ok(())
    }

    fn claims(&self, person: &str) -> Result<Vec<AccountId>, Stop> {
        let found = self.claims.get(person)?;
        let what = "a person's free credits";
        found.map(|found| unpack(found.value(), what)).transpose().map(Option::unwrap_or_default)
    }

    fn save_claims(&mut self, person: &str, accounts: &[AccountId]) -> Result<(), Stop> {
        self.written = true;
        self.claims.insert(person, pack(&accounts)?.as_slice())?;
        Ok(())
    }

    fn job(&self, key: JobKey) -> Result<Option<JobRecord>, Stop> {
        self.jobs.get(key)
    }

    fn save_job(
        &mut self,
        key: JobKey,
        before: Option<&JobRecord>,
        after: &JobRecord,
    ) -> Result<(), Stop> {
        self.written = true;
        self.jobs.save(key, before, after)
    }

    fn watches(&self, now: Timestamp, limit: usize) -> Result<Vec<JobKey>, Stop> {
        self.jobs.waiting(now, limit)
    }

    fn due(&self, now: Timestamp, skip: usize, limit: usize) -> Result<Vec<AccountId>, Stop> {
        let range = self.due.range(..(now.0.saturating_add(1), ""))?;
        range.skip(skip).take(limit).map(|row| account_id(row?.0.value().1)).collect()
    }

    fn is_indexed(&self, account: &Account) -> Result<bool, Stop> {
        let Some(at) = next_due(account) else { return Ok(true) };
        Ok(self.due.get((at.0, account.document.account.as_str()))?.is_some())
    }

    fn charges_of(
        &self,
        account: &AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Result<Vec<ChargeId>, Stop> {
        let id = account.as_str();
        let to = before.map_or(Bound::Included((id, [0xff; 16])), |before| {
            Bound::Excluded((id, *before.as_bytes()))
        });
        let range = self.history.range((Bound::Included((id, [0; 16])), to))?;
        range.rev().take(limit).map(|row| Ok(ChargeId::from_bytes(row?.0.value().1))).collect()
    }

    fn open_of(&self, instance: &str) -> Result<Vec<Open>, Stop> {
        let mut found = Vec::new();
        for row in self.open.iter()? {
            let (key, value) = row?;
            let charge = ChargeId::from_bytes(key.value().1);
            match unpack::<Open>(value.value(), &format!("charge {charge}")) {
                Ok(open) if open.instance == instance => found.push(open),
                Ok(_) => {}
                // Its account cannot be loaded either; the others' charges must not wait for it.
                Err(why) => tracing::error!(?why, "an open charge is left out"),
            }
        }
        Ok(found)
    }

    fn purge(&mut self, now: Timestamp, limit: usize) -> Result<(), Stop> {
        let over: Vec<(u64, Id)> = self
            .purges
            .range(..(now.0.saturating_add(1), [0; 16]))?
            .take(limit)
            .map(|row| Ok(row?.0.value()))
            .collect::<Result<_, StorageError>>()?;
        for (at, charge) in over {
            self.purges.remove((at, charge))?;
            // An id may have been closed again after it was forgotten: then its time has begun again.
            let ended = self.ended(ChargeId::from_bytes(charge))?;
            if ended.is_some_and(|ended| ended_purge(ended.at) > now) {
                continue;
            }
            self.ended.remove(charge)?;
            self.notes.remove(charge)?;
            self.explanations.remove(charge)?;
            let owner = self.owners.remove(charge)?.map(|owner| owner.value().to_owned());
            if let Some(owner) = owner {
                self.history.remove((owner.as_str(), charge))?;
            }
        }
        self.jobs.purge(now, limit)
    }
}
