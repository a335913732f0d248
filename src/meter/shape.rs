//! How a key's text may look: some clients check it before they send anything.
//!
//! A declared shape is a prefix and a fixed number of characters of one alphabet. The first of them are one
//! number, the key's id and its 256 random bits; the rest are digits of a hash of what stands before them, so
//! that keys from elsewhere which happen to look the same are told apart.
//!
//! Invariant: a shape without room for id and secret does not come into being.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::credit::KeyId;

/// Bytes of an id.
const ID_BYTES: usize = 16;
/// Bytes of a secret.
pub(super) const SECRET_BYTES: usize = 32;
/// How many times 64 bits id and secret are.
const LIMBS: usize = (ID_BYTES + SECRET_BYTES) / 8;
/// The fewest symbols of an alphabet.
const SYMBOLS_MIN: usize = 2;
/// What keys of the default shape begin with.
pub(super) const PREFIX: &str = "tk_";
/// The longest prefix, in bytes.
const PREFIX_MAX: usize = 32;
/// The most characters behind the prefix.
pub const SHAPE_LENGTH_MAX: usize = 512;

/// The symbols that a key may be written with, in the order of their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alphabet(Vec<u8>);

/// Why a shape cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No symbols that a header and a query both carry as they are.
    #[error(
        "an alphabet is `hex`, `lower`, `alphanumeric`, or its symbols: letters, digits, `-`, `.`, `_` or `~`, each once"
    )]
    Alphabet,
    /// The same for the prefix; or it is the default's.
    #[error(
        "a prefix has 1 to 32 letters, digits, `-`, `.`, `_` or `~`, and does not begin with `tk_`"
    )]
    Prefix,
    /// Too short.
    #[error(
        "a key needs room for 384 bits: with {symbols} symbols that is from {needed} to {SHAPE_LENGTH_MAX} characters behind the prefix"
    )]
    Room {
        /// How many symbols the alphabet has.
        symbols: usize,
        /// How many characters would do.
        needed: usize,
    },
}

/// A prefix and so many characters of an alphabet.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyShape {
    prefix: String,
    length: usize,
    alphabet: Alphabet,
    /// How many of the characters are id and secret.
    digits: usize,
}

impl fmt::Debug for KeyShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShape({}…, {})", self.prefix, self.length)
    }
}

/// What passes through headers and queries as it is (RFC 3986 §2.3).
const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

impl FromStr for Alphabet {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let lower = || b'a'..=b'z';
        let symbols: Vec<u8> = match text {
            "hex" => (b'0'..=b'9').chain(b'a'..=b'f').collect(),
            "lower" => (b'0'..=b'9').chain(lower()).collect(),
            "alphanumeric" => (b'0'..=b'9').chain(b'A'..=b'Z').chain(lower()).collect(),
            text => text.bytes().collect(),
        };
        let once = |(at, byte): (usize, &u8)| symbols.iter().position(|it| it == byte) == Some(at);
        let good = symbols.len() >= SYMBOLS_MIN
            && symbols.iter().all(|byte| unreserved(*byte))
            && symbols.iter().enumerate().all(once);
        if good { Ok(Self(symbols)) } else { Err(ShapeError::Alphabet) }
    }
}

impl Alphabet {
    fn size(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    fn symbol(&self, digit: u64) -> char {
        let at = usize::try_from(digit).ok().and_then(|digit| self.0.get(digit));
        at.map_or('0', |byte| char::from(*byte))
    }

    fn digit(&self, symbol: u8) -> Option<u64> {
        let at = self.0.iter().position(|it| *it == symbol)?;
        u64::try_from(at).ok()
    }
}

impl KeyShape {
    /// A shape with `length` characters behind the prefix.
    ///
    /// # Errors
    /// When the prefix is none, or there is too little room.
    pub fn new(prefix: &str, length: usize, alphabet: Alphabet) -> Result<Self, ShapeError> {
        let fits = (1..=PREFIX_MAX).contains(&prefix.len()) && prefix.bytes().all(unreserved);
        if !fits || prefix.starts_with(PREFIX) {
            return Err(ShapeError::Prefix);
        }
        let digits = digits([u64::MAX; LIMBS], alphabet.size()).len();
        if !(digits..=SHAPE_LENGTH_MAX).contains(&length) {
            return Err(ShapeError::Room { symbols: alphabet.0.len(), needed: digits });
        }
        Ok(Self { prefix: prefix.to_owned(), length, alphabet, digits })
    }

    /// The text of a key.
    pub(super) fn write(&self, id: KeyId, secret: &[u8; SECRET_BYTES]) -> String {
        let mut number = [0; LIMBS];
        let bytes = [id.as_bytes().as_slice(), secret].concat();
        for (limb, eight) in number.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = eight.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight));
        }
        let written = digits(number, self.alphabet.size());
        let zeros = std::iter::repeat_n(0, self.digits.saturating_sub(written.len()));
        let mut text = self.prefix.clone();
        text.extend(
            zeros.chain(written.into_iter().rev()).map(|digit| self.alphabet.symbol(digit)),
        );
        let check = self.check(&text);
        text + &check
    }

    /// The id in a key's text; `None`: it is not of this shape.
    pub(super) fn read(&self, text: &str) -> Option<KeyId> {
        let rest = text.strip_prefix(self.prefix.as_str())?;
        if rest.len() != self.length || !rest.is_ascii() {
            return None;
        }
        let (number, check) = rest.split_at_checked(self.digits)?;
        let number = self.number(number)?;
        let before = text.len().checked_sub(check.len())?;
        if self.check(text.get(..before)?) != check {
            return None;
        }
        let [high, low, ..] = number;
        let mut id = [0; ID_BYTES];
        let (head, tail) = id.split_at_mut(8);
        head.copy_from_slice(&high.to_be_bytes());
        tail.copy_from_slice(&low.to_be_bytes());
        Some(KeyId::from_bytes(id))
    }

    /// The number that these digits write, if it has at most 384 bits.
    fn number(&self, digits: &str) -> Option<[u64; LIMBS]> {
        let mut number = [0_u64; LIMBS];
        for symbol in digits.bytes() {
            let mut carry = u128::from(self.alphabet.digit(symbol)?);
            for limb in number.iter_mut().rev() {
                let next = u128::from(*limb) * u128::from(self.alphabet.size()) + carry;
                *limb = u64::try_from(next & u128::from(u64::MAX)).ok()?;
                carry = next >> 64;
            }
            if carry != 0 {
                return None;
            }
        }
        Some(number)
    }

    /// The characters behind `text`, which fill the shape.
    fn check(&self, text: &str) -> String {
        let hash = Sha256::digest(text.as_bytes());
        let bytes = hash.iter().cycle().take(self.length.saturating_sub(self.digits));
        bytes.map(|byte| self.alphabet.symbol(u64::from(*byte) % self.alphabet.size())).collect()
    }
}

/// The digits of a number, the lowest first, without zeros at its head.
fn digits(mut number: [u64; LIMBS], size: u64) -> Vec<u64> {
    let mut digits = Vec::new();
    while number.iter().any(|limb| *limb != 0) {
        let mut rest = 0_u128;
        for limb in &mut number {
            let whole = (rest << 64) | u128::from(*limb);
            *limb = u64::try_from(whole / u128::from(size.max(1))).unwrap_or(0);
            rest = whole % u128::from(size.max(1));
        }
        digits.push(u64::try_from(rest).unwrap_or(0));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(prefix: &str, length: usize, alphabet: &str) -> Result<KeyShape, ShapeError> {
        KeyShape::new(prefix, length, alphabet.parse()?)
    }

    #[test]
    fn what_is_written_is_read() {
        let id = |byte| KeyId::from_bytes([byte; 16]);
        for shape in [
            shape("key_", 128, "hex"),
            shape("sk-", 65, "alphanumeric"),
            shape("r8_", 96, "hex"),
            shape("b", 384, "01"),
            shape("k", 200, "ZYX-._~"),
        ] {
            let shape = shape.unwrap();
            for (id, secret) in [(id(0), [0; 32]), (id(255), [255; 32]), (id(7), [200; 32])] {
                let text = shape.write(id, &secret);
                assert_eq!(text.len(), shape.prefix.len() + shape.length);
                assert_eq!(shape.read(&text), Some(id), "{text}");
                assert_eq!(shape.read(&text[1..]), None);
                assert_eq!(shape.read(&format!("{text}0")), None);
            }
        }
    }

    #[test]
    fn keys_from_elsewhere_that_look_the_same_are_told_apart() {
        let shape = shape("key_", 128, "hex").unwrap();
        let other = format!("key_{}", "0123456789abcdef".repeat(8));
        assert_eq!(shape.read(&other), None);
        assert_eq!(shape.read(&other.to_uppercase()), None);
    }

    #[test]
    fn what_is_no_shape() {
        assert_eq!(shape("sk_", 48, "hex"), Err(ShapeError::Room { symbols: 16, needed: 96 }));
        assert_eq!(
            shape("sk_", 64, "alphanumeric"),
            Err(ShapeError::Room { symbols: 62, needed: 65 })
        );
        assert!(matches!(shape("sk_", 513, "hex"), Err(ShapeError::Room { .. })));
        for prefix in ["", "tk_", "tk_live_", "a b", "clé", &"k".repeat(33)] {
            assert_eq!(shape(prefix, 128, "hex"), Err(ShapeError::Prefix), "{prefix}");
        }
        for alphabet in ["", "a", "aba", "ab c", "a&b", "é1"] {
            assert_eq!(alphabet.parse::<Alphabet>(), Err(ShapeError::Alphabet), "{alphabet}");
        }
    }
}
