//! Accounts and their keys as bytes.
//!
//! Invariant: an account that another version wrote is an error that names the version, never a guess.

use super::{pack_as, unpack_as};
use crate::ledger::model::Stop;
use crate::ledger::{Document, NewAccount};

/// The version that is written.
const VERSION: u8 = 3;

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
    unpack_as(VERSION, bytes, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::{AccountId, KeyId};
    use crate::ledger::{
        AccountStatus, Adjustment, FreeCredits, KeyRecord, KeyStatus, Limited, Override, Scope,
    };
    use crate::seam::Timestamp;

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
            status: KeyStatus::Disabled,
            label: "k".into(),
            created: Timestamp(5),
            ends: Some(Timestamp(6)),
            member: Some("ana".into()),
            routes: vec!["image".into()],
        };
        let raise = Override {
            id: "ov_1".into(),
            limited: Limited::Cap,
            name: "daily".into(),
            scope: Some(Scope::Account),
            adjustment: Adjustment::Add(7),
            starts: Timestamp(8),
            ends: Some(Timestamp(9)),
            author: "f".into(),
            reason: "campaign".into(),
        };
        let document = Document {
            account,
            version: 300,
            status: AccountStatus::Suspended,
            plan: "pro".into(),
            zone: "UTC".into(),
            anchor: Timestamp(1),
            created: Timestamp(2),
            label: "l".into(),
            keys: vec![key],
            reason: "r".into(),
            person: Some("p".into()),
            reference: Some("x".into()),
            restricted_until: Some(Timestamp(10)),
            free: FreeCredits::Granted,
            overrides: vec![raise],
        };
        (origin, document)
    }

    /// These bytes lie in people's files: if this fails, a shape has changed and needs a new version.
    #[test]
    fn the_format_of_version_3_is_fixed() {
        let (origin, document) = who();
        let bytes = pack_who(&origin, &document).unwrap();
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (154, 312_311_143));
        assert_eq!(unpack_who(&bytes, "account").unwrap(), (origin, document));
    }

    #[test]
    fn another_version_is_named() {
        let (origin, document) = who();
        let mut bytes = pack_who(&origin, &document).unwrap();
        bytes[0] = 4;
        let newer = unpack_who(&bytes, "account a");
        assert_eq!(newer, Err(Stop::Broken("account a has version 4, known is 3".into())));
    }
}
