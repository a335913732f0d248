//! Who asks: a shown key becomes an account's document.
//!
//! Each core caches documents with their version. That is safe for paid requests, because reserve compares
//! the version and answers `stale` with the new document; so a revoked key, a suspension or a new plan binds
//! at the next reserve; what is refused before it looks again. Free routes, which reserve nothing, may be at most five seconds behind.
//!
//! Invariant: unknown, malformed, wrong and revoked keys get one answer; none of them is told apart.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use lru::LruCache;

use super::key::PresentedKey;
use super::rejection::Rejection;
use super::settings::Rules;
use crate::credit::{KeyId, Plan, Zone};
use crate::ledger::{AccountStatus, Answer, Document, KeyStatus, Ledger, Refusal};
use crate::seam::{Clock, Timestamp};

/// How many keys one core remembers.
const KEYS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// How many unknown keys one core remembers.
const UNKNOWN_KEYS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// For how long an unknown key stays unknown, in milliseconds.
const UNKNOWN_MS: u64 = 1_000;
/// How far behind a free route may be, in milliseconds.
const FREE_BEHIND_MS: u64 = 5_000;

/// An account as it stands, with what the configuration says of it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The key that speaks.
    pub key: KeyId,
    /// The account's document.
    pub document: Rc<Document>,
    /// Its time zone.
    pub zone: Zone,
    /// Its plan; `None`: this instance's configuration lacks it.
    pub plan: Option<Arc<Plan>>,
}

/// The documents that one core knows.
pub struct Directory {
    ledger: Arc<dyn Ledger>,
    rules: Arc<Rules>,
    clock: Arc<dyn Clock>,
    known: RefCell<LruCache<KeyId, (Identity, Timestamp)>>,
    unknown: RefCell<LruCache<KeyId, Timestamp>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} keys)", self.known.borrow().len())
    }
}

impl Directory {
    /// An empty cache before `ledger`.
    pub fn new(ledger: Arc<dyn Ledger>, rules: Arc<Rules>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger,
            rules,
            clock,
            known: RefCell::new(LruCache::new(KEYS)),
            unknown: RefCell::new(LruCache::new(UNKNOWN_KEYS)),
        }
    }

    /// Who speaks with this key, for a paid request: as old as it may be, reserve will tell.
    ///
    /// # Errors
    /// `invalid_key`, or `metering_unavailable` when the ledger cannot be asked.
    pub async fn payer(&self, shown: &PresentedKey) -> Result<Identity, Rejection> {
        let cached = self.known.borrow_mut().get(&shown.id).map(|(identity, _)| identity.clone());
        match cached {
            Some(identity) => checked(identity, shown),
            None => self.read(shown).await,
        }
    }

    /// Who speaks with this key, for a free request: at most five seconds old, and allowed to ask.
    ///
    /// # Errors
    /// `invalid_key`, `account_suspended`, or `metering_unavailable`.
    pub async fn guest(&self, shown: &PresentedKey) -> Result<Identity, Rejection> {
        let cached = self.known.borrow_mut().get(&shown.id).cloned();
        let identity = match cached {
            Some((identity, read)) if self.clock.now().ms_since(read) <= FREE_BEHIND_MS => {
                checked(identity, shown)?
            }
            _ => self.read(shown).await?,
        };
        match identity.document.status {
            AccountStatus::Active => Ok(identity),
            status => Err(self.refused(Refusal::AccountStatus(status), &identity.zone)),
        }
    }

    /// Remembers a newer document, as `stale` brought it.
    ///
    /// # Errors
    /// `invalid_key` if the document has no such active key any more.
    pub fn renew(&self, key: KeyId, document: Document) -> Result<Identity, Rejection> {
        let identity = self.identify(key, document)?;
        let active = identity.document.key(key).is_some_and(|key| key.status == KeyStatus::Active);
        let entry = (identity.clone(), self.clock.now());
        self.known.borrow_mut().put(key, entry);
        if active { Ok(identity) } else { Err(Rejection::invalid_key()) }
    }

    async fn read(&self, shown: &PresentedKey) -> Result<Identity, Rejection> {
        let now = self.clock.now();
        if self.unknown.borrow_mut().get(&shown.id).is_some_and(|until| now < *until) {
            return Err(Rejection::invalid_key());
        }
        match self.ledger.document_of_key(shown.id).await {
            Answer::Applied(document) => {
                let identity = self.identify(shown.id, document)?;
                self.known.borrow_mut().put(shown.id, (identity.clone(), self.clock.now()));
                checked(identity, shown)
            }
            Answer::Refused(Refusal::InvalidKey | Refusal::UnknownAccount) => {
                self.unknown.borrow_mut().put(shown.id, now.plus_ms(UNKNOWN_MS));
                Err(Rejection::invalid_key())
            }
            Answer::Refused(refusal) => Err(self.refused(refusal, &Zone::UTC)),
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }

    fn identify(&self, key: KeyId, document: Document) -> Result<Identity, Rejection> {
        let zone = document.zone.parse().map_err(|error| {
            Rejection::metering_unavailable(format!("{}: {error}", document.account))
        })?;
        let plan = self.rules.plans.iter().find(|plan| plan.name.as_str() == document.plan);
        Ok(Identity { key, plan: plan.cloned(), zone, document: Rc::new(document) })
    }

    fn refused(&self, refusal: Refusal, zone: &Zone) -> Rejection {
        Rejection::from_ledger(refusal, zone, self.clock.now())
    }
}

/// The identity, if the whole shown key is the one of the record and still speaks for the account.
fn checked(identity: Identity, shown: &PresentedKey) -> Result<Identity, Rejection> {
    let record = identity.document.key(shown.id);
    let right = record.is_some_and(|key| shown.is(&key.hash) && key.status == KeyStatus::Active);
    if right { Ok(identity) } else { Err(Rejection::invalid_key()) }
}
