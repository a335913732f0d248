//! Keys as clients hold them: `tk_`, the key's id, `_`, and 256 random bits; or a text of the shape that the
//! configuration declares; or a text that was made elsewhere and whose hash was imported.
//!
//! The id carries its partition, so one look finds the account. The whole text is stored as a SHA-256 only:
//! a secret of full entropy needs no slow hash.
//!
//! Invariant: a key's text is shown once, where it is made, and never logged.

use std::fmt;
use std::io;

use sha2::{Digest, Sha256};

use super::shape::{KeyShape, PREFIX, SECRET_BYTES};
use crate::credit::{AccountId, AliasId, KeyId, Partition, decode, encode};
use crate::seam::{Clock, Entropy};

const ID_PREFIX: &str = "key_";
/// The longest text of a key that was made elsewhere, in bytes.
const IMPORTED_MAX: usize = 512;
/// The sort of aliases that imported keys are.
const IMPORTED: &str = "key";

/// A new key, the only moment at which its text exists outside the client.
pub struct NewKeyText {
    /// Its public half.
    pub id: KeyId,
    /// The whole text.
    pub text: String,
    /// What the ledger keeps.
    pub hash: [u8; 32],
}

impl NewKeyText {
    /// A fresh key for `account`, of the declared shape or of the default one.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn make(
        account: &AccountId,
        shape: Option<&KeyShape>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> io::Result<Self> {
        Self::of(KeyId::make(clock.now(), Partition::of(account), entropy)?, shape, entropy)
    }

    /// A fresh key with this id, which lies in the partition of its account.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn of(id: KeyId, shape: Option<&KeyShape>, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        entropy.fill(&mut secret)?;
        let text = match shape {
            Some(shape) => shape.write(id, &secret),
            None => format!("{PREFIX}{}_{}", encode(id.as_bytes()), encode(&secret)),
        };
        let hash = hash(&text);
        Ok(Self { id, text, hash })
    }
}

impl fmt::Debug for NewKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKeyText({}, …)", self.id)
    }
}

/// A key of ours that a client showed, well-formed but not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// The public half that it claims.
    pub id: KeyId,
    pub(super) hash: [u8; 32],
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentedKey({}, …)", self.id)
    }
}

impl PresentedKey {
    /// Reads the text of a key of the default shape or of the declared one.
    #[must_use]
    pub fn read(text: &str, shape: Option<&KeyShape>) -> Option<Self> {
        let id = default_shape(text).or_else(|| shape?.read(text))?;
        Some(Self { id, hash: hash(text) })
    }
}

/// The id in a text of the default shape.
fn default_shape(text: &str) -> Option<KeyId> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    if decode(secret)?.len() != SECRET_BYTES {
        return None;
    }
    format!("{ID_PREFIX}{id}").parse().ok()
}

/// A key that was made elsewhere, as a client showed it: whether it was imported is for the ledger to say.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedKey {
    /// The name that the ledger knows it by.
    pub alias: AliasId,
    pub(super) hash: [u8; 32],
}

impl fmt::Debug for ImportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedKey(…)")
    }
}

impl ImportedKey {
    /// Any text of up to 512 visible ASCII characters may be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let fits = (1..=IMPORTED_MAX).contains(&text.len());
        let hash = hash(text);
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self { alias: Self::alias_of(&hash), hash })
    }

    /// The alias of the key whose text has this SHA-256.
    #[must_use]
    pub fn alias_of(hash: &[u8; 32]) -> AliasId {
        AliasId::of(IMPORTED, hash)
    }
}

pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{SeededEntropy, SimulatedClock, Timestamp};

    fn made(shape: Option<&KeyShape>) -> NewKeyText {
        let clock = SimulatedClock::at(Timestamp(1_790_000_000_000));
        let entropy = SeededEntropy::new(7);
        NewKeyText::make(&"acct_maria".parse().unwrap(), shape, &clock, &entropy).unwrap()
    }

    #[test]
    fn a_made_key_is_read_back() {
        let hex = KeyShape::new("key_", 128, "hex".parse().unwrap()).unwrap();
        for shape in [None, Some(&hex)] {
            let key = made(shape);
            let shown = PresentedKey::read(&key.text, Some(&hex)).unwrap();
            assert_eq!((shown.id, shown.hash), (key.id, key.hash));
            assert!(!format!("{key:?}{shown:?}").contains(&key.text[40..]));
        }
        assert!(PresentedKey::read(&made(Some(&hex)).text, None).is_none());
    }

    #[test]
    fn what_is_no_key() {
        let text = made(None).text;
        for wrong in
            ["", "tk_", "tk_a_b", &text[1..], &text[..text.len() - 1], &text.to_uppercase()]
        {
            assert!(PresentedKey::read(wrong, None).is_none(), "{wrong}");
        }
        for wrong in ["", "a b", "clé", "a\u{7f}", &"a".repeat(513)] {
            assert!(ImportedKey::read(wrong).is_none(), "{wrong}");
        }
        assert!(ImportedKey::read(&"a".repeat(512)).is_some());
    }
}
