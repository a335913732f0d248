//! The names of things that own or move credits.
//!
//! Made ids are 16 bytes. A key's (`key_…`): six of birth time in milliseconds, two of partition, eight random. A
//! charge's (`chg_…`): six of birth time, four of its account's hash, six random. They sort by age and say where in the
//! ledger their record lies.
//!
//! Invariant: a charge's id is of one account, which it names by 32 bits: no verb takes it for another's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::seam::{Entropy, Timestamp};

/// How many parts the ledger has. Fixed for ever: ids and key texts carry theirs.
pub const PARTITIONS: u16 = 1_024;

/// The longest account id, bucket id or kind, in bytes.
const TEXT_MAX: usize = 128;

/// One of the fixed parts of the ledger, from 0 to 1023.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u16);

impl Partition {
    /// The part where an account's records lie: the first two bytes of the SHA-256 of its id, big-endian,
    /// modulo 1,024.
    #[must_use]
    pub fn of(account: &AccountId) -> Self {
        Self::of_text(account.as_str())
    }

    /// The part where it is remembered which account a grant's id was used for, so that none is given twice.
    #[must_use]
    pub fn of_grant(id: &BucketId) -> Self {
        Self::of_text(id.as_str())
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }

    fn of_text(text: &str) -> Self {
        let [first, second, ..] = head_of(text);
        Self::of_head([first, second])
    }

    const fn of_head(two: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(two) % PARTITIONS)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The first four bytes of the SHA-256 of a text.
fn head_of(text: &str) -> [u8; 4] {
    let hash = Sha256::digest(text.as_bytes());
    hash.first_chunk::<4>().copied().unwrap_or_default()
}

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if text.len() <= TEXT_MAX && check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError(format!("{text:?} is not {}", $what)))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn plain(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    !text.is_empty() && text.bytes().all(ok)
}

fn printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

text_id!(
    /// Who pays: `acct_` and lower-case letters, digits, `_` or `-`.
    AccountId,
    "an account id: acct_ followed by lower-case letters, digits, _ or -",
    |text| text.strip_prefix("acct_").is_some_and(plain)
);
text_id!(
    /// What one grant gave: the grant's own id, `grant@period` for an allowance, `debt:chg_…` for a debt.
    /// Any printable ASCII without spaces, since a purchase carries its payment's id.
    BucketId,
    "a grant id: 1 to 128 printable ASCII characters without spaces",
    printable
);
text_id!(
    /// A sort of credit, such as `credits` or `scans`; never mixed with another.
    Kind,
    "a kind of credit: lower-case letters, digits, _ or -",
    plain
);
text_id!(
    /// The name of a plan, route, feature, cap, price or quantity, as it stands in the configuration.
    Name,
    "a name: lower-case letters, digits, _, - or .",
    |text| !text.is_empty() && text.split('.').all(plain)
);

/// The hash of another name for an account or key; see [`AliasId::of`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AliasId([u8; 32]);

impl AliasId {
    /// The alias `name` of a sort of names: SHA-256 of the sort, a zero byte and the name, so that two
    /// sorts never meet.
    #[must_use]
    pub fn of(sort: &str, name: &[u8]) -> Self {
        Self(
            Sha256::new().chain_update(sort).chain_update([0]).chain_update(name).finalize().into(),
        )
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The part of the ledger that remembers it: the first two bytes, big-endian, modulo 1,024.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of_head(self.0.first_chunk::<2>().copied().unwrap_or_default())
    }
}

impl fmt::Display for AliasId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for AliasId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Crockford's base 32 in lower case: no padding, sorts like the bytes.
#[expect(clippy::expect_used, reason = "a constant specification; a test covers it")]
fn base32() -> &'static Encoding {
    static ENCODING: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
        specification.encoding().expect("32 symbols")
    });
    &ENCODING
}

/// Bytes as this project writes them in ids and key texts.
#[must_use]
pub(crate) fn encode(bytes: &[u8]) -> String {
    base32().encode(bytes)
}

/// The bytes that `encode` wrote, if `text` is exactly what it would write.
#[must_use]
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    base32().decode(text.as_bytes()).ok()
}

macro_rules! made_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id that these bytes are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            fn head(self) -> u64 {
                self.0.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head))
            }

            /// When it was made.
            #[must_use]
            pub fn born(self) -> Timestamp {
                Timestamp(self.head() >> 16)
            }

            /// Where its record lies.
            #[must_use]
            pub fn partition(self) -> Partition {
                let [first, second] = *self.0[6..].first_chunk().unwrap_or(&[0; 2]);
                Partition::of_head([first, second])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(decode)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| IdError(format!("{text:?} is not an id of the form {}…", $prefix)))
            }
        }

        impl Serialize for $name {
            /// Its text for people; its bytes in packed records.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; 16]>::deserialize(deserializer).map(Self);
                }
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

made_id!(
    /// The public half of a key: `key_…`.
    KeyId,
    "key_"
);
made_id!(
    /// The life of one paid request: `chg_…`.
    ChargeId,
    "chg_"
);

/// Sixteen bytes: when it was born, `of` behind that, and the rest random.
fn made<const N: usize>(
    now: Timestamp,
    of: [u8; N],
    entropy: &dyn Entropy,
) -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    let (birth, rest) = bytes.split_at_mut(6);
    birth.copy_from_slice(&(now.0 << 16).to_be_bytes()[..6]);
    let (home, random) = rest.split_at_mut(N);
    home.copy_from_slice(&of);
    entropy.fill(random)?;
    Ok(bytes)
}

impl KeyId {
    /// A new id, born at `now`, whose record lies in `partition`.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn make(
        now: Timestamp,
        partition: Partition,
        entropy: &dyn Entropy,
    ) -> std::io::Result<Self> {
        made(now, partition.0.to_be_bytes(), entropy).map(Self)
    }
}

impl ChargeId {
    /// A new id of a charge of `account`, born at `now`.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn make(
        now: Timestamp,
        account: &AccountId,
        entropy: &dyn Entropy,
    ) -> std::io::Result<Self> {
        made(now, head_of(account.as_str()), entropy).map(Self)
    }

    /// Whether it was made for this account: two accounts look the same here once in four thousand
    /// million.
    #[must_use]
    pub fn is_of(self, account: &AccountId) -> bool {
        self.0[6..].first_chunk() == Some(&head_of(account.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::SeededEntropy;

    #[test]
    fn made_ids_carry_time_and_partition_and_sort_by_age() {
        let account: AccountId = "acct_maria".parse().unwrap();
        let partition = Partition::of(&account);
        let entropy = SeededEntropy::new(1);
        let old = ChargeId::make(Timestamp(1_790_000_000_000), &account, &entropy).unwrap();
        let new = ChargeId::make(Timestamp(1_790_000_000_001), &account, &entropy).unwrap();
        assert!(old.to_string() < new.to_string());
        assert_eq!(old.to_string().parse::<ChargeId>().unwrap(), old);
        assert_eq!(old.born(), Timestamp(1_790_000_000_000));
        assert_eq!(old.partition(), partition);
        assert_eq!(old.to_string().len(), "chg_".len() + 26);
        let key = KeyId::make(Timestamp(1_790_000_000_000), partition, &entropy).unwrap();
        assert_eq!((key.born(), key.partition()), (old.born(), partition));
    }

    #[test]
    fn a_charge_is_of_the_account_that_it_was_made_for_even_in_one_partition() {
        let accounts: Vec<AccountId> =
            (0..4_000).map(|n| format!("acct_{n}").parse().unwrap()).collect();
        let (mut same, entropy) = (0, SeededEntropy::new(1));
        let charge = ChargeId::make(Timestamp(1_790_000_000_000), &accounts[0], &entropy).unwrap();
        for other in &accounts[1..] {
            same += u32::from(Partition::of(other) == charge.partition());
            assert!(!charge.is_of(other), "{other}");
        }
        assert!(charge.is_of(&accounts[0]) && same > 0, "{same} in its partition");
    }

    #[test]
    fn an_id_has_one_text_only() {
        let zero = KeyId::from_bytes([0; 16]).to_string();
        assert!(zero.to_uppercase().parse::<KeyId>().is_err());
        // The last symbol carries two spare bits, which must be zero.
        assert!(format!("{}1", &zero[..zero.len() - 1]).parse::<KeyId>().is_err());
    }

    #[test]
    fn what_is_no_account() {
        for text in ["", "acct_", "maria", "acct_Maria", "acct_a/b", "acct_a b"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn partitions_are_fixed() {
        // SHA-256("acct_maria") begins with these two bytes for ever; other programs compute the same.
        let head = Sha256::digest(b"acct_maria");
        let number = (u16::from(head[0]) << 8 | u16::from(head[1])) % 1_024;
        assert_eq!(Partition::of(&"acct_maria".parse().unwrap()).number(), number);
    }
}
