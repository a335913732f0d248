//! The directory: who may owe. Lies in the ledger beside the money, so that a revoked key or a changed plan
//! binds at the next reserve.

use serde::{Deserialize, Serialize};

use crate::credit::{AccountId, KeyId};
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
}

/// Whether a key speaks for its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It does.
    Active,
    /// Never again.
    Revoked,
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
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Which key.
    pub id: KeyId,
    /// Its new status. `Revoked` is for ever.
    pub status: KeyStatus,
}
