//! `Idempotency-Key`: a call that is sent again does nothing twice, on whichever instance and whenever.
//!
//! Nothing is kept but a claim in the ledger: an alias from the key to the SHA-256 of what was asked, with an
//! id that was made for the first call. Whatever the call makes gets that id, so the same call again finds it.
//! The claim is made after a call was understood, so a slip of the pen does not use a key up; it is never
//! forgotten, like the id of a grant.
//!
//! Invariant: one key, one content: another content is refused before anything is done.

use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use super::problem::{Problem, applied};
use super::{Parts, Result};
use crate::credit::{AccountId, AliasId, KeyId, Partition};
use crate::ledger::{Alias, Answer, Refusal};

const HEADER: &str = "idempotency-key";
/// The longest key in bytes.
const KEY_MAX: usize = 255;

/// What a call's `Idempotency-Key` says; without one, nothing.
#[derive(Debug)]
pub(super) struct Once(Option<Claim>);

#[derive(Debug)]
struct Claim {
    id: AliasId,
    /// A hash of what is asked, in the shape of what an alias points to.
    content: AccountId,
}

/// The id for what a call makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// The id; the same for the same `Idempotency-Key`.
    pub(super) id: KeyId,
    /// Whether the same was asked before; what became of it then must be looked at.
    pub(super) repeated: bool,
}

impl Once {
    /// Reads the header of a call that asks `body` of `method` and `path`.
    pub(super) fn read(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Self> {
        let mut keys = headers.get_all(HEADER).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(key), None) => key.as_bytes(),
            (Some(_), Some(_)) => return Err(malformed()),
        };
        if key.is_empty() || key.len() > KEY_MAX || !key.iter().all(u8::is_ascii_graphic) {
            return Err(malformed());
        }
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let content = format!("acct_{}", data_encoding::HEXLOWER.encode(&hash.finalize()));
        let content = content.parse().map_err(|_| malformed())?;
        Ok(Self(Some(Claim { id: AliasId::of("idempotency", key), content })))
    }

    /// The id for what this call makes in `partition`.
    pub(super) async fn turn(&self, parts: &Parts, partition: Partition) -> Result<Turn> {
        let id = made(parts, partition)?;
        let Some(claim) = &self.0 else { return Ok(Turn { id, repeated: false }) };
        let own = Alias { id: claim.id, account: claim.content.clone(), key: Some(id) };
        match parts.ledger.create_alias(own).await {
            Answer::Refused(Refusal::Exists) => {}
            answer => return applied(answer).map(|()| Turn { id, repeated: false }),
        }
        let earlier = applied(parts.ledger.alias(claim.id).await)?;
        if earlier.account != claim.content {
            let detail = "This Idempotency-Key was used for another call: use a new one, or send \
                          what was sent first.";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                detail,
            ));
        }
        Ok(Turn { id: earlier.key.unwrap_or(id), repeated: true })
    }

    /// Claims the key for a call that makes nothing of its own: whether it was asked before.
    pub(super) async fn claim(&self, parts: &Parts) -> Result<bool> {
        match self.0 {
            Some(_) => Ok(self.turn(parts, Partition::default()).await?.repeated),
            None => Ok(false),
        }
    }
}

/// A fresh id.
pub(super) fn made(parts: &Parts, partition: Partition) -> Result<KeyId> {
    KeyId::make(parts.clock.now(), partition, &*parts.entropy).map_err(|error| {
        tracing::error!(%error, "an id cannot be made");
        let detail = "The machine has no randomness to make an id from.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_entropy", detail)
    })
}

fn malformed() -> Problem {
    let detail =
        format!("Idempotency-Key is said once, with 1 to {KEY_MAX} visible ASCII characters.");
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
        .with("param", "Idempotency-Key")
}
