//! From what a request shows to an account's document: one way for the proxy, the client plane and quotes.
//!
//! Nothing is cached here but key sets: whoever asks often keeps what he got ([`super::Directory`]).
//!
//! Invariant: unknown, malformed, wrong and revoked get one answer; the log alone is told why.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::key_set::{KeySet, KeySets};
use super::shown::Shown;
use super::token::{Believed, Doubt, Said, Token};
use crate::credit::{AccountId, AliasId, KeyId, Partition, Zone};
use crate::ledger::{Alias, Answer, Document, KeyRecord, Ledger, NewKey, Refusal};
use crate::meter::Rules;
use crate::meter::key::PresentedKey;
use crate::meter::rejection::Rejection;
use crate::seam::{Clock, Timestamp};

/// Whom a request names, and what the account's record of it must be. What a token says was checked.
#[derive(Clone, Debug)]
pub struct Named {
    who: Who,
    /// The hash of the key record that speaks.
    hash: [u8; 32],
    /// What a token says beyond the account.
    pub said: Option<Arc<Said>>,
}

/// How it is named; equal ones name the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// By the public half of a key.
    Key(KeyId),
    /// By a key that was made elsewhere.
    Imported(AliasId),
    /// By an account's id or reference, through an issuer or a header.
    Account {
        /// The id or reference.
        text: Arc<str>,
        /// What speaks for it: `jwt main`, `header x-account-id`.
        through: Arc<str>,
    },
}

/// Whether a document bears out what a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    Speaks(KeyId),
    /// The secret is another one.
    Wrong,
    /// Not at present: the key is disabled, has ended or is not there, or the account is called otherwise.
    Silent,
}

impl Named {
    /// A key by its public half and the hash of its text.
    #[must_use]
    pub const fn key(id: KeyId, hash: [u8; 32]) -> Self {
        Self { who: Who::Key(id), hash, said: None }
    }

    pub(super) const fn who(&self) -> &Who {
        &self.who
    }

    /// Whether `document` bears it out at `now`. Secrets are compared in constant time.
    pub(super) fn stands(&self, document: &Document, now: Timestamp) -> Standing {
        let same = |record: &KeyRecord| bool::from(record.hash.ct_eq(&self.hash));
        let record = match &self.who {
            Who::Key(id) => document.key(*id),
            // An import that lost a race leaves a revoked record of the same hash.
            Who::Imported(_) => {
                let mut records = document.keys.iter().filter(|record| same(record));
                let speaks = |record: &&KeyRecord| record.speaks(now);
                records.clone().find(speaks).or_else(|| records.next())
            }
            Who::Account { text, .. } if is_called(document, text) => {
                document.key(speaker(document, &self.hash))
            }
            Who::Account { .. } => None,
        };
        match record {
            Some(record) if !same(record) => Standing::Wrong,
            Some(record) if record.speaks(now) => Standing::Speaks(record.id),
            Some(_) | None => Standing::Silent,
        }
    }
}

impl Named {
    /// Whether the document is of an account that is not, or no longer, called so.
    pub(super) fn is_another(&self, document: &Document) -> bool {
        matches!(&self.who, Who::Account { text, .. } if !is_called(document, text))
    }
}

fn is_called(document: &Document, text: &str) -> bool {
    document.account.as_str() == text || document.reference.as_deref() == Some(text)
}

/// The id of the key that speaks for an account through an issuer or a header: the same for ever, so that it
/// can be revoked like any other.
fn speaker(document: &Document, hash: &[u8; 32]) -> KeyId {
    let mut bytes = [0; 16];
    let (head, tail) = bytes.split_at_mut(8);
    let partition = u64::from(Partition::of(&document.account).number());
    head.copy_from_slice(&((document.created.0 << 16) | partition).to_be_bytes());
    tail.copy_from_slice(hash.split_at(8).0);
    KeyId::from_bytes(bytes)
}

/// See the module. Clones of its handle share it.
pub struct Finder {
    ledger: Arc<dyn Ledger>,
    rules: Arc<Rules>,
    key_sets: Arc<KeySets>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Finder({:?})", self.key_sets)
    }
}

impl Finder {
    /// Looks into `ledger`, by the ways that `rules` declare.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        rules: Arc<Rules>,
        key_sets: Arc<KeySets>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { ledger, rules, key_sets, clock }
    }

    pub(super) const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whom a request names. The time is until when that holds by itself, for a token.
    ///
    /// # Errors
    /// `invalid_key` for a token that is not believed; `metering_unavailable` while there is no key set.
    pub(super) async fn named(
        &self,
        shown: &Shown,
    ) -> Result<(Named, Option<Timestamp>), Rejection> {
        match shown {
            Shown::Key(PresentedKey { id, hash }) => Ok((Named::key(*id, *hash), None)),
            Shown::Imported(key) => {
                let who = Who::Imported(key.alias);
                Ok((Named { who, hash: key.hash, said: None }, None))
            }
            Shown::Account(text) => {
                let header = self.rules.identity.header.as_ref();
                let header = header.map_or("", |header| header.name.as_str());
                Ok((through("header", header, text.clone(), None), None))
            }
            Shown::Token(text) => {
                let (believed, issuer) = self.believe(text).await?;
                let Believed { account, said, ends } = believed;
                Ok((through("jwt", issuer, account, Some(said)), Some(ends)))
            }
        }
    }

    /// Checks a token. An unknown key makes it look for a newer key set, once.
    async fn believe(&self, text: &str) -> Result<(Believed, &str), Rejection> {
        let token = Token::read(text).map_err(refused)?;
        let mut issuers = self.rules.identity.issuers.iter().enumerate();
        let found = issuers.find(|(_, issuer)| issuer.issuer == token.issuer);
        let unknown = Doubt::Wrong("its issuer is not a declared one");
        let (number, issuer) = found.ok_or_else(|| refused(unknown))?;
        let name = issuer.name.as_str();
        let check = |set: &KeySet| token.check(issuer, set, self.clock.now());
        let first = self.key_sets.now(number).map(|set| check(&set));
        let checked = match first {
            Some(checked) if checked.as_ref().err() != Some(&Doubt::UnknownKey) => checked,
            first => match (self.key_sets.newer(number).await, first) {
                (Some(set), _) => check(&set),
                (None, Some(checked)) => checked,
                (None, None) => {
                    let why = format!("the key set of the issuer {name} has not been read yet");
                    return Err(Rejection::metering_unavailable(why));
                }
            },
        };
        Ok((checked.map_err(refused)?, name))
    }

    /// Reads the account that a request names; whether its document bears the request out is not said.
    ///
    /// # Errors
    /// `invalid_key` when there is none, or `metering_unavailable` when the ledger cannot be asked.
    pub(super) async fn look(&self, named: &Named) -> Result<Document, Rejection> {
        match &named.who {
            Who::Key(id) => self.applied(self.ledger.document_of_key(*id).await),
            Who::Imported(alias) => self.behind(*alias).await,
            Who::Account { text, through } => {
                let document = self.account(text).await?;
                let speaker = speaker(&document, &named.hash);
                if named.is_another(&document) || document.key(speaker).is_some() {
                    return Ok(document);
                }
                self.first_seen(named.hash, speaker, document.account, through).await
            }
        }
    }

    async fn behind(&self, alias: AliasId) -> Result<Document, Rejection> {
        let Alias { account, .. } = self.applied(self.ledger.alias(alias).await)?;
        self.applied(self.ledger.document(account).await)
    }

    /// An account by its id or its reference; what has the form of an id is one.
    async fn account(&self, text: &str) -> Result<Document, Rejection> {
        match text.parse::<AccountId>() {
            Ok(account) => self.applied(self.ledger.document(account).await),
            Err(_) => self.behind(AliasId::of("reference", text.as_bytes())).await,
        }
    }

    /// Makes the key that speaks for an account through an issuer or a header, so that it can be disabled and
    /// revoked like any other. The same call again changes nothing.
    async fn first_seen(
        &self,
        hash: [u8; 32],
        id: KeyId,
        account: AccountId,
        through: &str,
    ) -> Result<Document, Rejection> {
        let call = NewKey {
            account,
            id,
            hash,
            label: through.to_owned(),
            ends: None,
            member: None,
            routes: Vec::new(),
        };
        self.applied(self.ledger.create_key(call).await)
    }

    /// Whose a request is, read from the ledger, whatever the account's status: its document, under the plan
    /// that prices and gates this request, and the key that speaks.
    ///
    /// # Errors
    /// `invalid_key`, or `metering_unavailable`.
    pub async fn find(&self, shown: &Shown) -> Result<(Document, KeyId), Rejection> {
        let (named, _) = self.named(shown).await?;
        let mut document = self.look(&named).await?;
        let Standing::Speaks(key) = named.stands(&document, self.now()) else {
            return Err(Rejection::invalid_key());
        };
        if let Some(plan) = named.said.as_ref().and_then(|said| said.plan.clone()) {
            document.plan = plan;
        }
        Ok((document, key))
    }

    fn applied<T>(&self, answer: Answer<T>) -> Result<T, Rejection> {
        match answer {
            Answer::Applied(value) => Ok(value),
            Answer::Refused(Refusal::UnknownAlias) => Err(Rejection::invalid_key()),
            Answer::Refused(why) => Err(Rejection::from_ledger(why, &Zone::UTC, self.now())),
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }
}

fn through(sort: &str, by: &str, text: Arc<str>, said: Option<Arc<Said>>) -> Named {
    let hash = Sha256::new().chain_update(sort).chain_update([0]).chain_update(by).finalize();
    let who = Who::Account { text, through: format!("{sort} {by}").into() };
    Named { who, hash: hash.into(), said }
}

fn refused(doubt: Doubt) -> Rejection {
    let why = match doubt {
        Doubt::Wrong(why) => why,
        Doubt::UnknownKey => "no key of its issuer has signed it",
    };
    Rejection::invalid_key().because(format!("a token is not believed: {why}"))
}
