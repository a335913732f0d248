//! Keys as clients hold them: `tk_`, the key's id, `_`, and 256 random bits.
//!
//! The id carries its partition, so one look finds the account. The whole text is stored as a SHA-256 only:
//! a secret of full entropy needs no slow hash.
//!
//! Invariant: a key's text is shown once, where it is made, and never logged.

use std::fmt;
use std::io;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::credit::{AccountId, KeyId, Partition, decode, encode};
use crate::seam::{Clock, Entropy};

const PREFIX: &str = "tk_";
const ID_PREFIX: &str = "key_";
const SECRET_BYTES: usize = 32;

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
    /// A fresh key for `account`.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn make(account: &AccountId, clock: &dyn Clock, entropy: &dyn Entropy) -> io::Result<Self> {
        Self::of(KeyId::make(clock.now(), Partition::of(account), entropy)?, entropy)
    }

    /// A fresh key with this id, which lies in the partition of its account.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn of(id: KeyId, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        entropy.fill(&mut secret)?;
        let text = format!("{PREFIX}{}_{}", encode(id.as_bytes()), encode(&secret));
        let hash = hash(&text);
        Ok(Self { id, text, hash })
    }
}

impl fmt::Debug for NewKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKeyText({}, …)", self.id)
    }
}

/// A key that a client showed, well-formed but not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// The public half that it claims.
    pub id: KeyId,
    hash: [u8; 32],
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentedKey({}, …)", self.id)
    }
}

impl PresentedKey {
    /// Reads a key's text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        if decode(secret)?.len() != SECRET_BYTES {
            return None;
        }
        let id = format!("{ID_PREFIX}{id}").parse().ok()?;
        Some(Self { id, hash: hash(text) })
    }

    /// The one key that a request shows, in `Authorization: Bearer` or one of `headers`. Two of them, even
    /// the same one twice, are none: an upstream or a log might believe the other.
    #[must_use]
    pub fn of(request: &HeaderMap, headers: &[HeaderName]) -> Option<Self> {
        let bearer = request.get_all(AUTHORIZATION).iter().map(|value| {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim_start())
        });
        let declared = headers.iter().flat_map(|name| request.get_all(name));
        let mut shown = bearer.chain(declared.map(|value| value.to_str().ok()));
        match (shown.next(), shown.next()) {
            (Some(Some(text)), None) => Self::read(text),
            _ => None,
        }
    }

    /// Whether it is the key of this hash; takes the same time either way.
    #[must_use]
    pub fn is(&self, hash: &[u8; 32]) -> bool {
        self.hash.ct_eq(hash).into()
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{SeededEntropy, SimulatedClock, Timestamp};

    fn made() -> NewKeyText {
        let clock = SimulatedClock::at(Timestamp(1_790_000_000_000));
        NewKeyText::make(&"acct_maria".parse().unwrap(), &clock, &SeededEntropy::new(7)).unwrap()
    }

    #[test]
    fn a_made_key_is_read_back() {
        let key = made();
        let shown = PresentedKey::read(&key.text).unwrap();
        assert_eq!(shown.id, key.id);
        assert!(shown.is(&key.hash));
        assert!(!shown.is(&[0; 32]));
        assert!(!format!("{key:?}{shown:?}").contains(&key.text[40..]));
    }

    #[test]
    fn what_is_no_key() {
        let text = made().text;
        for wrong in
            ["", "tk_", "tk_a_b", &text[1..], &text[..text.len() - 1], &text.to_uppercase()]
        {
            assert!(PresentedKey::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn one_key_in_one_place() {
        let text = made().text;
        let own = [HeaderName::from_static("x-api-key")];
        let request = |pairs: &[(&'static str, String)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            PresentedKey::of(&headers, &own).is_some()
        };
        let bearer = || ("authorization", format!("Bearer {text}"));
        assert!(request(&[bearer()]));
        assert!(request(&[("authorization", format!("bearer  {text}"))]));
        assert!(request(&[("x-api-key", text.clone())]));
        assert!(!request(&[bearer(), ("x-api-key", text.clone())]));
        assert!(!request(&[bearer(), bearer()]));
        assert!(!request(&[("authorization", format!("Basic {text}"))]));
        assert!(!request(&[("x-other", text.clone())]));
        assert!(!request(&[]));
    }
}
