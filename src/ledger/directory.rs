//! The directory: who may owe. Lies in the ledger beside the money, so that a revoked key or a changed plan
//! binds at the next reserve.

use serde::{Deserialize, Serialize};

use super::Scope;
use crate::credit::{AccountId, AliasId, KeyId};
use crate::seam::Timestamp;

/// An account and its keys, as callers cache them. `version` grows with every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Which account.
    pub account: AccountId,
    /// Grows with every change of this document; reserve compares it.
    pub version: u64,
    /// Whether it may spend.
    pub status: AccountStatus,
    /// The name of its plan.
    pub plan: String,
    /// The IANA name of its time zone.
    pub zone: String,
    /// Where its billing cycles start.
    pub anchor: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// What people call it; may be empty.
    pub label: String,
    /// Its keys, revoked ones included.
    pub keys: Vec<KeyRecord>,
    /// Why its status is what it is, for the person who asks; may be empty.
    pub reason: String,
    /// The human behind it, as the operator's systems call that person.
    pub person: Option<String>,
    /// What the operator's own systems call it. That no other account is called so is an alias's to say.
    pub reference: Option<String>,
    /// Until when it may not spend though it is active; a time that is over restricts nothing.
    pub restricted_until: Option<Timestamp>,
    /// Whether it may have its person's free credits.
    pub free: FreeCredits,
    /// Raises and cuts of its limits and prices; those that have ended leave with the next change.
    pub overrides: Vec<Override>,
}

/// Whether an account has a right to free credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreeCredits {
    /// Nobody has asked yet.
    #[default]
    Unclaimed,
    /// It has.
    Granted,
    /// Its person's other accounts have them.
    Refused,
}

/// What an override changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// A limit per day or month.
    Cap,
    /// A limit on what runs at once.
    Concurrency,
    /// The price of a route, or of every route of a feature.
    Price,
}

/// How a limit or price is changed. Of several that apply at a time the last `Set` counts, then all `Multiply`, then
/// `Add` and `Cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// So much more: a number of requests or generations, or micro-credits; of a price in its own kind.
    Add(u64),
    /// So much less, not below nothing.
    Cut(u64),
    /// This, whatever the plan says.
    Set(u64),
    /// So many thousandths of it: a limit rounded down, a price up.
    Multiply(u64),
}

/// A raise or cut of one limit or price of one account, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its id, `ov_…`, or as the caller chose.
    pub id: String,
    /// Of what.
    pub limited: Limited,
    /// The limit's name in the plan; of a price, the route or feature.
    pub name: String,
    /// Only where it counts over this, a price only for this key or member; `None`: everywhere.
    pub scope: Option<Scope>,
    /// How it is changed.
    pub adjustment: Adjustment,
    /// From when on.
    pub starts: Timestamp,
    /// The first moment at which it does not hold any more; `None`: it holds until it is ended.
    pub ends: Option<Timestamp>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// A change of an account's overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideChange {
    /// A new one. The same again changes nothing; another content of the same id is a conflict.
    Put(Override),
    /// It ends now.
    End(String),
}

impl Document {
    /// The key of this id, whatever its status.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// Whether an account may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It may.
    Active,
    /// Not until it is active again; nothing is lost.
    Suspended,
    /// Never again.
    Closed,
}

/// A key as the ledger keeps it: the secret only as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its public half.
    pub id: KeyId,
    /// SHA-256 of the key's whole text, which carries 256 random bits: no slow hash is needed.
    pub hash: [u8; 32],
    /// Whether it speaks for the account.
    pub status: KeyStatus,
    /// What people call it; may be empty.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ceases to speak for the account; `None`: never by itself.
    pub ends: Option<Timestamp>,
    /// The member of the account's team whom it belongs to.
    pub member: Option<String>,
    /// The routes that it may use; empty: all that the plan allows.
    pub routes: Vec<String>,
}

impl KeyRecord {
    /// Whether it speaks for its account at `now`.
    #[must_use]
    pub fn speaks(&self, now: Timestamp) -> bool {
        self.status == KeyStatus::Active && self.ends.is_none_or(|end| now < end)
    }
}

/// Whether a key speaks for its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It does.
    Active,
    /// Never again.
    Revoked,
    /// Not until it is active again.
    Disabled,
}

/// A new account. The same call again answers the same document; another content is a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its id, chosen by the caller.
    pub account: AccountId,
    /// The name of its plan.
    pub plan: String,
    /// The IANA name of its time zone.
    pub zone: String,
    /// Where its billing cycles start; `None`: now.
    pub anchor: Option<Timestamp>,
    /// What people call it; may be empty.
    pub label: String,
    /// The human behind it.
    pub person: Option<String>,
    /// What the operator's own systems call it.
    pub reference: Option<String>,
}

/// A change of an account; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Which account.
    pub account: AccountId,
    /// A new plan.
    pub plan: Option<String>,
    /// A new time zone.
    pub zone: Option<String>,
    /// A new status. `Closed` is for ever.
    pub status: Option<AccountStatus>,
    /// A new label.
    pub label: Option<String>,
    /// Another start of its billing cycles.
    pub anchor: Option<Timestamp>,
    /// Why the status is what it is.
    pub reason: Option<String>,
    /// Another human behind it; `Some(None)`: nobody is named any more.
    pub person: Option<Option<String>>,
    /// Another name in the operator's own systems; `Some(None)`: none.
    pub reference: Option<Option<String>>,
    /// Until when it may not spend; `Some(None)`: it may again.
    pub restricted_until: Option<Option<Timestamp>>,
    /// Whether it may have free credits.
    pub free: Option<FreeCredits>,
    /// A change of its overrides.
    pub overrides: Option<OverrideChange>,
}

impl AccountChange {
    /// A change of `account` that changes nothing yet.
    #[must_use]
    pub const fn of(account: AccountId) -> Self {
        Self {
            account,
            plan: None,
            zone: None,
            status: None,
            label: None,
            anchor: None,
            reason: None,
            person: None,
            reference: None,
            restricted_until: None,
            free: None,
            overrides: None,
        }
    }
}

/// A new key. The same id and hash again answer the same document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Whose.
    pub account: AccountId,
    /// Its public half.
    pub id: KeyId,
    /// SHA-256 of its whole text.
    pub hash: [u8; 32],
    /// What people call it; may be empty.
    pub label: String,
    /// When it ceases to speak for the account; `None`: never by itself.
    pub ends: Option<Timestamp>,
    /// The member of the account's team whom it belongs to.
    pub member: Option<String>,
    /// The routes that it may use; empty: all that the plan allows. At most 64.
    pub routes: Vec<String>,
}

/// A change of a key; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Which key.
    pub id: KeyId,
    /// Its new status. `Revoked` is for ever.
    pub status: Option<KeyStatus>,
    /// A new label.
    pub label: Option<String>,
    /// Another end; `Some(None)`: it does not end by itself.
    pub ends: Option<Option<Timestamp>>,
    /// Another member whom it belongs to; `Some(None)`: none.
    pub member: Option<Option<String>>,
    /// Other routes that it may use.
    pub routes: Option<Vec<String>>,
}

impl KeyChange {
    /// A change of the key `id` that changes nothing yet.
    #[must_use]
    pub const fn of(id: KeyId) -> Self {
        Self { id, status: None, label: None, ends: None, member: None, routes: None }
    }

    /// The end of the key `id`, for ever.
    #[must_use]
    pub fn revoke(id: KeyId) -> Self {
        Self { status: Some(KeyStatus::Revoked), ..Self::of(id) }
    }
}

/// Another name for an account or for one of its keys: an imported key's hash, a subject of a trusted
/// issuer, what the operator's own systems call it. It lies in the partition of its own hash and only points:
/// whether the key may speak is said by the account's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The hash of the name.
    pub id: AliasId,
    /// Whose it is.
    pub account: AccountId,
    /// The key that speaks when this name is shown; `None`: it only names the account.
    pub key: Option<KeyId>,
}
