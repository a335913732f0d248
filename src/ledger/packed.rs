//! Records as bytes: one version byte, then postcard.
//!
//! Invariant: bytes of a version that this program does not know are an error that names it, never a
//! guess. A change of a packed shape comes with a new version byte.

mod who;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) use who::{pack_who, unpack_who};

use crate::ledger::model::Stop;

/// The version that is written.
const VERSION: u8 = 2;

/// Packs a record.
pub(super) fn pack<T: Serialize>(record: &T) -> Result<Vec<u8>, Stop> {
    pack_as(VERSION, record)
}

fn pack_as<T: Serialize>(version: u8, record: &T) -> Result<Vec<u8>, Stop> {
    postcard::to_extend(record, vec![version])
        .map_err(|error| Stop::Failed(format!("a record cannot be packed: {error}")))
}

/// Unpacks a record; `what` names it in errors.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Stop> {
    unpack_as(VERSION, bytes, what)
}

fn unpack_as<T: DeserializeOwned>(known: u8, bytes: &[u8], what: &str) -> Result<T, Stop> {
    let (version, body) = bytes.split_first().unwrap_or((&0, &[]));
    if *version != known {
        return Err(Stop::Broken(format!("{what} has version {version}, known is {known}")));
    }
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok(_) => Err(Stop::Broken(format!("{what} has bytes behind its end"))),
        Err(error) => Err(Stop::Broken(format!("{what} cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::{
        Amount, Bucket, ChargeId, Class, KeyId, Leg, Measure, Paid, Ranks, Standing,
    };
    use crate::ledger::model::{
        Adjustment, Counted, Counter, Ended, Given, Kept, Money, Open, Pace, Purse, Span,
    };
    use crate::ledger::{
        AllowanceState, ChargeState, Grant, Granted, OnUnknown, OverRun, RefundPart, Scope,
    };
    use crate::seam::Timestamp;

    fn leg(bucket: &str, micro: u64) -> Leg {
        Leg { bucket: bucket.parse().unwrap(), amount: Amount::from_micro(micro).unwrap() }
    }

    fn money() -> Money {
        let amount = |micro| Amount::from_micro(micro).unwrap();
        let bucket = Bucket {
            standing: Standing::Frozen,
            only: vec!["image".parse().unwrap()],
            paid: Some(Paid { amount: amount(9), currency: "USD".into() }),
            parent: Some("pay_0".parse().unwrap()),
            id: "pay_1".parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: Class::Purchased,
            priority: 3,
            effective: Timestamp(1),
            expires: Some(Timestamp(300)),
            granted: amount(15),
            available: amount(1),
            held: amount(2),
            spent: amount(3),
            expired: amount(4),
            voided: amount(5),
        };
        let repaid_by = vec![leg("x", 7)];
        let purse = Purse {
            carry: Some(Kept { min: amount(1), max: amount(2), percent: 50, until: Timestamp(3) }),
            bucket,
            fresh: true,
            touched: Timestamp(2),
            hold: amount(6),
            repaid_by,
        };
        let span = Span { period: "2026-11".into(), end: Timestamp(9), used: 8 };
        let counter = Counter {
            name: "cap".into(),
            scope: Scope::Key(KeyId::from_bytes([7; 16])),
            measure: Measure::Credits,
            spans: vec![span],
        };
        let pace = Pace { name: "pace".into(), scope: Scope::Account, tat_us: 11 };
        let sums = [amount(10), amount(4), amount(3), amount(3)];
        let archived = [("scans".parse().unwrap(), sums)].into();
        Money {
            allowances: vec![AllowanceState {
                name: "n".into(),
                period: "p".into(),
                end: Timestamp(4),
                amount: amount(5),
            }],
            postings: Vec::new(),
            ranks: Ranks([5, 4, 3, 2, 1, 0]),
            purses: vec![purse],
            counters: vec![counter],
            paces: vec![pace],
            archived,
        }
    }

    fn open() -> Open {
        Open {
            adjusts: vec![Adjustment {
                id: "a".parse().unwrap(),
                wanted: Amount::MAX,
                short: Amount::ZERO,
            }],
            member: Some("ana".into()),
            account: "acct_a".parse().unwrap(),
            charge: ChargeId::from_bytes([1; 16]),
            fingerprint: [2; 32],
            key: KeyId::from_bytes([3; 16]),
            kind: "credits".parse().unwrap(),
            held: Amount::from_micro(5).unwrap(),
            legs: vec![leg("b", 5)],
            route: "image".into(),
            feature: None,
            revision: "r".into(),
            instance: "i".into(),
            begun: Timestamp(1),
            lease_end: Timestamp(2),
            timeout_ms: 3,
            reconcile_ms: 4,
            on_unknown: OnUnknown::Hold,
            over_run: OverRun::Debt,
            max_debt: Some(Amount::MAX),
            unknown: true,
            deadline: Some(Timestamp(5)),
            counted: vec![Counted {
                name: "cap".into(),
                scope: Scope::Route("image".into()),
                measure: Measure::Requests,
                period: "p".into(),
                amount: 1,
                refundable: false,
            }],
        }
    }

    fn ended() -> Ended {
        Ended {
            refunds: vec![RefundPart {
                id: "rf".parse().unwrap(),
                amount: Amount::MAX,
                at: Timestamp(7),
                reason: "r".into(),
            }],
            account: "acct_a".parse().unwrap(),
            charge: ChargeId::from_bytes([1; 16]),
            open: Some(open()),
            state: ChargeState::Settled,
            actual: Amount::from_micro(1).unwrap(),
            charged: Amount::from_micro(2).unwrap(),
            returned: Amount::from_micro(3).unwrap(),
            debt: Amount::from_micro(4).unwrap(),
            absorbed: Amount::from_micro(5).unwrap(),
            legs: vec![leg("b", 2)],
            at: Timestamp(6),
            by_deadline: true,
            late: false,
        }
    }

    fn given() -> Given {
        let bucket = money().purses.remove(0).bucket;
        let call = Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: "acct_a".parse().unwrap(),
            id: "pay_1".parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: Class::Purchased,
            amount: Amount::from_micro(15).unwrap(),
            priority: 3,
            effective: None,
            expires: Some(Timestamp(300)),
            reason: "bought".into(),
        };
        Given { call, answer: Granted { bonus: None, bucket, repaid: Amount::ZERO } }
    }

    fn fixed<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        record: &T,
        length: usize,
        checksum: u32,
    ) {
        let bytes = pack(record).unwrap();
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (length, checksum), "{record:?}");
        assert_eq!(unpack::<T>(&bytes, "record").unwrap(), *record);
    }

    /// These bytes lie in people's files: if this fails, a shape has changed and needs a new version.
    #[test]
    fn the_format_of_version_2_is_fixed() {
        fixed(&money(), 127, 0x1e357003);
        fixed(&open(), 148, 0x304dfe25);
        fixed(&ended(), 200, 0xed2e8894);
        fixed(&given(), 88, 0x7182b3e4);
    }

    #[test]
    fn what_is_not_known_is_never_guessed() {
        let mut bytes = pack(&open()).unwrap();
        bytes.push(0);
        let longer = unpack::<Open>(&bytes, "charge x");
        assert_eq!(longer, Err(Stop::Broken("charge x has bytes behind its end".into())));
        bytes[0] = 9;
        let newer = unpack::<Open>(&bytes, "charge x");
        assert_eq!(newer, Err(Stop::Broken("charge x has version 9, known is 2".into())));
        assert!(matches!(unpack::<Open>(&[], "x"), Err(Stop::Broken(_))));
        assert!(matches!(unpack::<Open>(&[1, 2, 3], "x"), Err(Stop::Broken(_))));
    }

    #[test]
    fn an_amount_out_of_range_is_not_read() {
        let bytes = pack(&(Amount::MAX.micro() + 1)).unwrap();
        assert!(matches!(unpack::<Amount>(&bytes, "amount"), Err(Stop::Broken(_))));
    }
}
