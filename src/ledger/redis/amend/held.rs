//! One account's records, read in one step, as the rules want them.
//!
//! Invariant: what could not be written back byte by byte is not decided about.
//! Invariant: nothing is asked for here and nothing is written: what a verb writes is kept to be committed.

use std::sync::Arc;

use super::super::records::{self, Beside, Head, Tomb};
use crate::credit::{AccountId, AliasId, BucketId, ChargeId, KeyId};
use crate::ledger::Alias;
use crate::ledger::model::{Account, Ended, Given, JobRecord, Open, Records, Stop, Told};
use crate::ledger::verbs::JobKey;
use crate::seam::Timestamp;

/// What was read of an account and of the charge that a verb is about.
#[derive(Debug)]
pub(super) struct Held {
    /// The account's record as it was read.
    pub(super) bytes: Vec<u8>,
    /// The account and what its record says beside it; `None`: there is none.
    pub(super) account: Option<(Account, Head)>,
    /// The charge that was asked about, if there is something of it.
    pub(super) charge: Option<Seen>,
    /// What the verb has left.
    pub(super) left: Left,
}

/// The record of a charge as it was read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: ChargeId,
    pub(super) owner: AccountId,
    pub(super) bytes: Vec<u8>,
    pub(super) what: What,
}

/// Where a charge's record lies, and what it says.
#[derive(Debug)]
pub(super) enum What {
    /// Among the account's open charges.
    Open(Beside),
    /// A record of its own.
    Ended(Box<Tomb>),
    /// Among those that a deadline has ended.
    Lapsed(Box<Tomb>),
}

/// What a verb writes.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) account: Option<Account>,
    pub(super) ended: Vec<Ended>,
    pub(super) told: Option<Told>,
}

impl Seen {
    /// `open` is what the account has of it, `tomb` the charge's own record, `lapsed` what a deadline has left of it;
    /// those that are not there are empty.
    pub(super) fn of(
        account: &AccountId,
        id: ChargeId,
        [open, tomb, lapsed]: [Vec<u8>; 3],
        is_kept: impl Fn(&Self) -> bool,
    ) -> Result<Option<Self>, Stop> {
        if !open.is_empty() {
            let (read, beside) = records::open(account, id, &open)?;
            let written = records::write_open(&read, &beside)?;
            records::same(&format!("charge {id}"), &open, &written)?;
            let (owner, what) = (account.clone(), What::Open(beside));
            return Ok(Some(Self { id, owner, bytes: open, what }));
        }
        for (bytes, what) in [(tomb, What::Ended as fn(_) -> _), (lapsed, What::Lapsed)] {
            if bytes.is_empty() {
                continue;
            }
            let read = whole_tomb(id, &bytes)?;
            let owner = read.ended.account.clone();
            let seen = Self { id, owner, bytes, what: what(Box::new(read)) };
            if is_kept(&seen) {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// Whether its record still counts: what has ended long ago only waits to be dropped.
    pub(super) fn is_kept(&self, now: Timestamp, kept_ms: u64) -> bool {
        self.ended().is_none_or(|ended| ended.at.plus_ms(kept_ms) > now)
    }

    fn ended(&self) -> Option<&Ended> {
        match &self.what {
            What::Ended(tomb) | What::Lapsed(tomb) => Some(&tomb.ended),
            What::Open(_) => None,
        }
    }
}

fn whole_tomb(id: ChargeId, bytes: &[u8]) -> Result<Tomb, Stop> {
    let tomb = records::tomb(id, bytes)?;
    records::same(&format!("charge {id}"), bytes, &records::write_tomb(&tomb)?)?;
    Ok(tomb)
}

/// The refusal of what no verb that is decided here may ask for.
fn beside<T>() -> Result<T, Stop> {
    Err(Stop::Broken("a verb has asked for more than was read".to_owned()))
}

impl Held {
    /// Whether due work has ended open charges or freed their slots: that is the scripts' to write.
    pub(super) fn has_ended_charges(&self) -> bool {
        let (Some((before, _)), Some(after)) = (&self.account, &self.left.account) else {
            return false;
        };
        let same = |(id, open): (&ChargeId, &Arc<Open>)| {
            after.open.get(id).is_some_and(|after| after.unknown == open.unknown)
        };
        !before.open.iter().all(same)
    }
}

impl Records for Held {
    fn account(&self, id: &AccountId) -> Result<Option<Account>, Stop> {
        let account = self.account.as_ref().map(|(account, _)| account);
        if account.is_some_and(|account| account.document.account != *id) {
            return beside();
        }
        Ok(account.cloned())
    }

    fn tell(&mut self, told: Told) -> Result<(), Stop> {
        self.left.told = Some(told);
        Ok(())
    }

    fn save(&mut self, _before: Option<&Account>, after: &Account) -> Result<(), Stop> {
        self.left.account = Some(after.clone());
        Ok(())
    }

    fn charge_owner(&self, charge: ChargeId) -> Result<Option<AccountId>, Stop> {
        let seen = self.charge.as_ref().filter(|seen| seen.id == charge);
        Ok(seen.map(|seen| seen.owner.clone()))
    }

    fn save_charge(&mut self, charge: ChargeId, owner: &AccountId) -> Result<(), Stop> {
        let open =
            self.account.as_ref().is_some_and(|(account, _)| account.open.contains_key(&charge));
        if open || self.charge_owner(charge)?.as_ref() == Some(owner) { Ok(()) } else { beside() }
    }

    fn ended(&self, charge: ChargeId) -> Result<Option<Ended>, Stop> {
        let seen = self.charge.as_ref().filter(|seen| seen.id == charge);
        Ok(seen.and_then(Seen::ended).cloned())
    }

    fn save_ended(&mut self, ended: &Ended) -> Result<(), Stop> {
        self.left.ended.push(ended.clone());
        Ok(())
    }

    fn purge(&mut self, _now: Timestamp, _limit: usize) -> Result<(), Stop> {
        // Records end by themselves.
        Ok(())
    }

    fn accounts(&self, _: Option<&AccountId>, _: usize) -> Result<Vec<AccountId>, Stop> {
        beside()
    }

    fn key_owner(&self, _: KeyId) -> Result<Option<AccountId>, Stop> {
        beside()
    }

    fn save_key_owner(&mut self, _: KeyId, _: &AccountId) -> Result<(), Stop> {
        beside()
    }

    fn job(&self, _: JobKey) -> Result<Option<JobRecord>, Stop> {
        beside()
    }

    fn save_job(&mut self, _: JobKey, _: Option<&JobRecord>, _: &JobRecord) -> Result<(), Stop> {
        beside()
    }

    fn watches(&self, _: Timestamp, _: usize) -> Result<Vec<JobKey>, Stop> {
        beside()
    }

    fn alias(&self, _: AliasId) -> Result<Option<Alias>, Stop> {
        beside()
    }

    fn save_alias(&mut self, _: &Alias) -> Result<(), Stop> {
        beside()
    }

    fn remove_alias(&mut self, _: AliasId) -> Result<(), Stop> {
        beside()
    }

    /// Asked for charges that due work has ended: then this attempt is thrown away, and a tick is asked for.
    fn texts(&self, _: ChargeId) -> Result<[Vec<u8>; 2], Stop> {
        Ok(<[Vec<u8>; 2]>::default())
    }

    fn save_note(&mut self, _: ChargeId, _: &[u8]) -> Result<(), Stop> {
        beside()
    }

    fn save_explanation(&mut self, _: ChargeId, _: &[u8]) -> Result<(), Stop> {
        beside()
    }

    fn given(&self, _: &BucketId) -> Result<Option<Given>, Stop> {
        beside()
    }

    fn save_given(&mut self, _: &Given) -> Result<(), Stop> {
        beside()
    }

    fn claims(&self, _: &str) -> Result<Vec<AccountId>, Stop> {
        beside()
    }

    fn save_claims(&mut self, _: &str, _: &[AccountId]) -> Result<(), Stop> {
        beside()
    }

    fn due(&self, _: Timestamp, _: usize, _: usize) -> Result<Vec<AccountId>, Stop> {
        beside()
    }

    fn is_indexed(&self, _account: &Account) -> Result<bool, Stop> {
        // An auditor looks at the scripts' own index.
        Ok(true)
    }

    fn charges_of(
        &self,
        _: &AccountId,
        _: Option<ChargeId>,
        _: usize,
    ) -> Result<Vec<ChargeId>, Stop> {
        beside()
    }

    fn open_of(&self, _: &str) -> Result<Vec<Open>, Stop> {
        beside()
    }
}
