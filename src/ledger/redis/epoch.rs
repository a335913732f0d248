//! The epoch: a record in each partition that says that a ledger is there, and which.
//!
//! Redis forgets without a word: a server that comes back empty looks like one that never had anything.
//! The epoch tells the two apart, since nothing but `ledger create` ever writes it.
//!
//! Invariant: all partitions of a ledger have the same id; a partition without it has lost its data.

use crate::seam::Timestamp;

/// The format that is read and written.
const FORMAT: u8 = 4;
/// How long a record is; the first format's had the same length.
const LENGTH: usize = 34;
/// What a ledger that was made for tests carries: its clock may be a test's.
const FOR_TESTS: u8 = 1;

/// A partition's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    /// Whether the ledger was made for tests.
    pub(super) for_tests: bool,
    /// Which ledger: random, the same in all partitions.
    pub(super) id: [u8; 16],
    /// Until when nothing is ended, since its holders could not speak for themselves.
    pub(super) grace_until: Timestamp,
    /// When the ledger was made.
    pub(super) created: Timestamp,
}

impl Epoch {
    /// Its 34 bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT, if self.for_tests { FOR_TESTS } else { 0 }];
        bytes.extend(self.id);
        bytes.extend(self.grace_until.0.to_le_bytes());
        bytes.extend(self.created.0.to_le_bytes());
        bytes
    }

    /// The record that these bytes are.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (grace, rest) = rest.split_first_chunk::<8>()?;
        let (created, []) = rest.split_first_chunk::<8>()? else { return None };
        let for_tests = match head {
            [FORMAT, 0] => false,
            [FORMAT, FOR_TESTS] => true,
            _ => return None,
        };
        Some(Self {
            for_tests,
            id: *id,
            grace_until: Timestamp(u64::from_le_bytes(*grace)),
            created: Timestamp(u64::from_le_bytes(*created)),
        })
    }

    /// Whether these bytes are the record of a ledger that an earlier version has made.
    pub(super) fn is_earlier(bytes: &[u8]) -> bool {
        matches!(bytes, [format, 0 | FOR_TESTS, ..] if (1..FORMAT).contains(format))
            && bytes.len() == LENGTH
    }

    /// The id as people see it.
    pub(super) fn name(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_four_bytes_in_this_order() {
        let epoch = Epoch {
            for_tests: true,
            id: *b"0123456789abcdef",
            grace_until: Timestamp(0x0102),
            created: Timestamp(0x0a0b_0c0d),
        };
        let bytes = epoch.bytes();
        assert_eq!(bytes.len(), LENGTH);
        assert_eq!(bytes[..2], [4, 1]);
        assert_eq!(&bytes[2..18], b"0123456789abcdef");
        assert_eq!(bytes[18..26], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[26..], [0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0]);
        assert_eq!(Epoch::read(&bytes), Some(epoch));
        assert_eq!(epoch.name(), "30313233343536373839616263646566");
    }

    #[test]
    fn anything_else_is_none() {
        let good = Epoch {
            for_tests: false,
            id: [7; 16],
            grace_until: Timestamp(0),
            created: Timestamp(1),
        };
        let good = good.bytes();
        assert!(Epoch::read(&good).is_some());
        for (at, byte) in [(0, 0), (0, 1), (0, 3), (0, 5), (1, 2)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(Epoch::read(&bad), None);
        }
        for earlier in [1, 2, 3] {
            assert!(Epoch::is_earlier(&[&[earlier], &good[1..]].concat()));
        }
        for other in [good.clone(), [&[0], &good[1..]].concat(), [&[5], &good[1..]].concat()] {
            assert!(!Epoch::is_earlier(&other));
        }
        assert!(!Epoch::is_earlier(&[1, 0]) && !Epoch::is_earlier(&[]));
        assert_eq!(Epoch::read(&good[..33]), None);
        assert_eq!(Epoch::read(&[good.as_slice(), &[0]].concat()), None);
        assert_eq!(Epoch::read(&[]), None);
    }
}
