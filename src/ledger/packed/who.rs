//! Accounts and their keys as bytes. Version 2 is written; version 1, which knew no person, reference,
//! reason and end of a key, is read as having none.
//!
//! Invariant: an account that an earlier version wrote means what it meant then.

use serde::{Deserialize, Serialize};

use super::{pack_as, unpack_as, version_of};
use crate::credit::{AccountId, KeyId};
use crate::ledger::model::Stop;
use crate::ledger::{AccountStatus, Document, KeyRecord, KeyStatus, NewAccount};
use crate::seam::Timestamp;

/// The version that is written.
const VERSION: u8 = 2;

/// Packs an account's document and the call that made it.
pub(in crate::ledger) fn pack_who(
    origin: &NewAccount,
    document: &Document,
) -> Result<Vec<u8>, Stop> {
    pack_as(VERSION, &(origin, document))
}

/// Unpacks them; `what` names them in errors.
pub(in crate::ledger) fn unpack_who(
    bytes: &[u8],
    what: &str,
) -> Result<(NewAccount, Document), Stop> {
    if version_of(bytes) == 1 {
        let (origin, document): (Origin1, Document1) = unpack_as(1, bytes, what)?;
        return Ok((origin.into(), document.into()));
    }
    unpack_as(VERSION, bytes, what)
}

/// A new account as version 1 had it.
#[derive(Serialize, Deserialize)]
struct Origin1 {
    account: AccountId,
    plan: String,
    zone: String,
    anchor: Option<Timestamp>,
    label: String,
}

impl From<Origin1> for NewAccount {
    fn from(old: Origin1) -> Self {
        let Origin1 { account, plan, zone, anchor, label } = old;
        Self { account, plan, zone, anchor, label, person: None, reference: None }
    }
}

/// A document as version 1 had it.
#[derive(Serialize, Deserialize)]
struct Document1 {
    account: AccountId,
    version: u64,
    status: AccountStatus,
    plan: String,
    zone: String,
    anchor: Timestamp,
    created: Timestamp,
    label: String,
    keys: Vec<Key1>,
}

impl From<Document1> for Document {
    fn from(old: Document1) -> Self {
        Self {
            account: old.account,
            version: old.version,
            status: old.status,
            plan: old.plan,
            zone: old.zone,
            anchor: old.anchor,
            created: old.created,
            label: old.label,
            keys: old.keys.into_iter().map(Into::into).collect(),
            reason: String::new(),
            person: None,
            reference: None,
        }
    }
}

/// A key as version 1 had it.
#[derive(Serialize, Deserialize)]
struct Key1 {
    id: KeyId,
    hash: [u8; 32],
    status: KeyStatus,
    label: String,
    created: Timestamp,
}

impl From<Key1> for KeyRecord {
    fn from(old: Key1) -> Self {
        let Key1 { id, hash, status, label, created } = old;
        Self { id, hash, status, label, created, ends: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> (NewAccount, Document) {
        let account: AccountId = "acct_a".parse().unwrap();
        let origin = NewAccount {
            account: account.clone(),
            plan: "pro".into(),
            zone: "UTC".into(),
            anchor: None,
            label: "l".into(),
            person: Some("p".into()),
            reference: None,
        };
        let key = KeyRecord {
            id: KeyId::from_bytes([3; 16]),
            hash: [4; 32],
            status: KeyStatus::Revoked,
            label: "k".into(),
            created: Timestamp(1),
            ends: Some(Timestamp(5)),
        };
        let document = Document {
            account,
            version: 2,
            status: AccountStatus::Suspended,
            plan: "pro".into(),
            zone: "UTC".into(),
            anchor: Timestamp(3),
            created: Timestamp(4),
            label: "l".into(),
            keys: vec![key],
            reason: "r".into(),
            person: Some("p".into()),
            reference: Some("crm-1".into()),
        };
        (origin, document)
    }

    fn old() -> (Origin1, Document1) {
        let (origin, document) = who();
        let key = |key: KeyRecord| Key1 {
            id: key.id,
            hash: key.hash,
            status: key.status,
            label: key.label,
            created: key.created,
        };
        let NewAccount { account, plan, zone, anchor, label, .. } = origin;
        let old = Document1 {
            account: document.account,
            version: document.version,
            status: document.status,
            plan: document.plan,
            zone: document.zone,
            anchor: document.anchor,
            created: document.created,
            label: document.label,
            keys: document.keys.into_iter().map(key).collect(),
        };
        (Origin1 { account, plan, zone, anchor, label }, old)
    }

    /// These bytes lie in people's files: if this fails, a shape has changed and needs a new version.
    #[test]
    fn the_formats_are_fixed() {
        let (origin, document) = who();
        let bytes = pack_who(&origin, &document).unwrap();
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (111, 0xd753_ca71));
        assert_eq!(unpack_who(&bytes, "x").unwrap(), (origin, document));
        let bytes = pack_as(1, &old()).unwrap();
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (93, 0x973c_3448));
    }

    #[test]
    fn what_version_1_wrote_is_read() {
        let (mut origin, mut document) = who();
        let read = unpack_who(&pack_as(1, &old()).unwrap(), "x").unwrap();
        (origin.person, document.person, document.reference) = (None, None, None);
        document.reason.clear();
        document.keys[0].ends = None;
        assert_eq!(read, (origin, document));
    }

    #[test]
    fn a_newer_version_is_named() {
        let newer = unpack_who(&[3, 0], "account acct_a");
        assert_eq!(newer, Err(Stop::Broken("account acct_a has version 3, known is 2".into())));
    }
}
