//! Who asks: what a request shows becomes an account's document.
//!
//! Each core caches documents with their version. That is safe for paid requests, because reserve compares
//! the version and answers `stale` with the new document; so a revoked key, a suspension or a new plan binds
//! at the next reserve; what is refused before it looks again. Free routes, which reserve nothing, may be at most five seconds behind.
//!
//! Invariant: unknown, malformed, wrong and revoked keys get one answer; none of them is told apart.

mod finder;
mod key_set;
mod rules;
mod shown;
mod token;

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use lru::LruCache;

use super::rejection::Rejection;
use crate::credit::{KeyId, Plan, Zone};
use crate::ledger::{AccountStatus, Document, Refusal};
use crate::seam::Timestamp;

use finder::{Standing, Who};

pub use finder::{Finder, Named};
pub use key_set::{KEY_SET_MAX, KeySet, KeySetError, KeySets};
pub use rules::{
    AccountHeader, HookKeys, IdentityRules, Issuer, KEY_HEADERS, KEY_SCHEMES, KeyRules, KeySource,
    SetPlace, Way, Ways,
};
pub use shown::Shown;
pub use token::Said;

/// How many names of accounts one core remembers.
const KNOWN: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// How many unknown ones one core remembers.
const UNKNOWN: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// How many tokens one core remembers.
const TOKENS: NonZeroUsize = NonZeroUsize::new(8_192).unwrap();
/// For how long what is unknown stays so, and a key silent, in milliseconds.
const UNKNOWN_MS: u64 = 1_000;
/// For how long a token is believed unread: so soon does a key that its issuer has withdrawn bind.
const BELIEVED_MS: u64 = 60_000;
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
    /// The plan that prices and gates; `None`: this instance's configuration lacks it.
    pub plan: Option<Arc<Plan>>,
    /// How the request has named the account.
    pub named: Rc<Named>,
}

impl Identity {
    /// The name of the plan that prices and gates: a token's word goes before the account's own plan.
    #[must_use]
    pub fn plan_name(&self) -> &str {
        plan_name(&self.named, &self.document)
    }

    /// What receipts show, as a token says it.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        self.named.said.as_deref()
    }
}

fn plan_name<'a>(named: &'a Named, document: &'a Document) -> &'a str {
    let said = named.said.as_ref().and_then(|said| said.plan.as_deref());
    said.unwrap_or(&document.plan)
}

/// A document that was read, and when.
#[derive(Clone)]
struct Known {
    document: Rc<Document>,
    zone: Zone,
    read: Timestamp,
}

/// Whom a token names, and until when that holds.
type Believed = (Rc<Named>, Timestamp);

/// The documents that one core knows.
pub struct Directory {
    finder: Arc<Finder>,
    known: RefCell<LruCache<Who, Known>>,
    unknown: RefCell<LruCache<Who, Timestamp>>,
    /// Tokens that were believed, by their hash, and until when that holds.
    tokens: RefCell<LruCache<[u8; 32], Believed>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} names)", self.known.borrow().len())
    }
}

impl Directory {
    /// An empty cache before `finder`.
    #[must_use]
    pub fn new(finder: Arc<Finder>) -> Self {
        Self {
            finder,
            known: RefCell::new(LruCache::new(KNOWN)),
            unknown: RefCell::new(LruCache::new(UNKNOWN)),
            tokens: RefCell::new(LruCache::new(TOKENS)),
        }
    }

    /// Whose a paid request is: as old as it may be, reserve will tell.
    ///
    /// # Errors
    /// `invalid_key`, or `metering_unavailable` when the ledger cannot be asked.
    pub async fn payer(&self, shown: &Shown) -> Result<Identity, Rejection> {
        let named = self.named(shown).await?;
        self.known(named, u64::MAX).await
    }

    /// Whose a free request is: at most five seconds old, and allowed to ask.
    ///
    /// # Errors
    /// `invalid_key`, `account_suspended`, or `metering_unavailable`.
    pub async fn guest(&self, shown: &Shown) -> Result<Identity, Rejection> {
        let named = self.named(shown).await?;
        let identity = self.known(named, FREE_BEHIND_MS).await?;
        match identity.document.status {
            AccountStatus::Active => Ok(identity),
            status => {
                let refusal = Refusal::AccountStatus(status);
                Err(Rejection::from_ledger(refusal, &identity.zone, self.finder.now()))
            }
        }
    }

    /// Remembers a newer document of the account, as `stale` brought it.
    ///
    /// # Errors
    /// `invalid_key` if what the request showed does not speak for the account any more.
    pub fn renew(&self, identity: &Identity, document: Document) -> Result<Identity, Rejection> {
        let named = identity.named.clone();
        let known = self.keep(&named, document)?;
        if named.is_another(&known.document) {
            // The next look finds the account that is called so now.
            return Err(Rejection::metering_unavailable("the account is called otherwise now"));
        }
        self.borne_out(known, named)
    }

    /// Forgets every document.
    pub fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    fn borne_out(&self, known: Known, named: Rc<Named>) -> Result<Identity, Rejection> {
        match named.stands(&known.document, self.finder.now()) {
            Standing::Speaks(key) => Ok(self.identity(key, known, named)),
            Standing::Wrong | Standing::Silent => Err(Rejection::invalid_key()),
        }
    }

    async fn named(&self, shown: &Shown) -> Result<Rc<Named>, Rejection> {
        let Shown::Token(text) = shown else {
            return self.finder.named(shown).await.map(|(named, _)| Rc::new(named));
        };
        let (digest, now) = (token::digest(text), self.finder.now());
        let cached = self.tokens.borrow_mut().get(&digest).cloned();
        if let Some((named, _)) = cached.filter(|(_, until)| now < *until) {
            return Ok(named);
        }
        let (named, ends) = self.finder.named(shown).await?;
        let named = Rc::new(named);
        let until = now.plus_ms(BELIEVED_MS).min(ends.unwrap_or(now));
        self.tokens.borrow_mut().put(digest, (named.clone(), until));
        Ok(named)
    }

    /// What is known of whom a request names, if it is not older than this; else what the ledger says.
    async fn known(&self, named: Rc<Named>, oldest_ms: u64) -> Result<Identity, Rejection> {
        let cached = self.known.borrow_mut().get(named.who()).cloned();
        let now = self.finder.now();
        if let Some(known) = cached {
            let age = now.ms_since(known.read);
            let another = named.is_another(&known.document);
            match named.stands(&known.document, now) {
                Standing::Speaks(key) if age <= oldest_ms => {
                    return Ok(self.identity(key, known, named));
                }
                // Whoever tries secrets must not make us ask the ledger for each.
                Standing::Wrong => return Err(Rejection::invalid_key()),
                // A key may be enabled again, a reference move to another account.
                Standing::Silent if age <= UNKNOWN_MS && !another => {
                    return Err(Rejection::invalid_key());
                }
                Standing::Speaks(_) | Standing::Silent => {}
            }
        }
        self.read(named).await
    }

    async fn read(&self, named: Rc<Named>) -> Result<Identity, Rejection> {
        let now = self.finder.now();
        if self.unknown.borrow_mut().get(named.who()).is_some_and(|until| now < *until) {
            return Err(Rejection::invalid_key());
        }
        match self.finder.look(&named).await {
            // Kept also if the secret is wrong: the public half must not be enough to lock its owner out.
            Ok(document) => {
                let known = self.keep(&named, document)?;
                self.borne_out(known, named)
            }
            Err(rejection) => {
                if rejection.status() == http::StatusCode::UNAUTHORIZED {
                    let until = self.finder.now().plus_ms(UNKNOWN_MS);
                    self.unknown.borrow_mut().put(named.who().clone(), until);
                }
                Err(rejection)
            }
        }
    }

    fn keep(&self, named: &Named, document: Document) -> Result<Known, Rejection> {
        let zone = document.zone.parse().map_err(|error| {
            Rejection::metering_unavailable(format!("{}: {error}", document.account))
        })?;
        let known = Known { document: Rc::new(document), zone, read: self.finder.now() };
        self.known.borrow_mut().put(named.who().clone(), known.clone());
        Ok(known)
    }

    fn identity(&self, key: KeyId, known: Known, named: Rc<Named>) -> Identity {
        let Known { document, zone, .. } = known;
        let name = plan_name(&named, &document);
        let plan = self.finder.rules().plans.iter().find(|plan| plan.name.as_str() == name);
        Identity { key, plan: plan.cloned(), zone, document, named }
    }
}
