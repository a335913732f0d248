//! What operators show, and who they are by it.
//!
//! Invariant: a token's text is never kept: only its hash, which a configuration may hold as well.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::role::Role;

/// An operator's secret, kept as a hash: a comparison of hashes tells nothing about length or content. It has
/// 256 random bits or is at least 16 characters long, so no slow hash is needed.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    role: Role,
    hash: [u8; 32],
}

impl Token {
    /// The token of this text.
    #[must_use]
    pub fn new(name: &str, role: Role, text: &str) -> Self {
        Self::of_hash(name, role, hash(text))
    }

    /// The token whose text has this SHA-256.
    #[must_use]
    pub fn of_hash(name: &str, role: Role, hash: [u8; 32]) -> Self {
        Self { name: name.into(), role, hash }
    }

    /// SHA-256 of its text.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The operator who shows `text`. Takes the same time whichever it is.
    pub(super) fn find<'a>(tokens: &'a [Self], text: &str) -> Option<&'a Self> {
        let shown = hash(text);
        let matches = |token: &Self| -> bool { token.hash.ct_eq(&shown).into() };
        tokens.iter().fold(None, |found, token| if matches(token) { Some(token) } else { found })
    }

    /// Who speaks with it, in the call with this request id.
    pub(super) fn operator(&self, request: &str) -> Operator {
        Operator { name: self.name.clone(), role: self.role, request: request.to_owned() }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {}, …)", self.name, self.role)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    /// As the configuration calls the token.
    pub(super) name: Arc<str>,
    /// What it is for.
    pub(super) role: Role,
    /// The id of this call.
    pub(super) request: String,
}
