//! Whose call it is.

use http::HeaderMap;

use super::Portal;
use super::call::Refused;
use crate::credit::{KeyId, Zone};
use crate::ledger::{Answer, Document, Refusal};
use crate::meter::{PresentedKey, Rejection};

/// The account that speaks, and by which key.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) document: Document,
    pub(super) key: KeyId,
}

/// The well-formed key that a call shows.
pub(super) fn shown(portal: &Portal, headers: &HeaderMap) -> Result<PresentedKey, Refused> {
    let key = PresentedKey::of(headers, &portal.rules.key_headers);
    key.ok_or_else(|| Rejection::invalid_key().into())
}

/// Finds the account of the key that a call shows. Unknown, wrong and revoked look the same. The account's
/// status does not matter: who may not spend may still read.
pub(super) async fn identify(portal: &Portal, headers: &HeaderMap) -> Result<Identity, Refused> {
    let key = shown(portal, headers)?;
    let document = applied(portal, portal.ledger.document_of_key(key.id).await)?;
    let now = portal.clock.now();
    let record = document.key(key.id).filter(|record| record.speaks(now));
    match record {
        Some(record) if key.is(&record.hash) => Ok(Identity { document, key: key.id }),
        _ => Err(Rejection::invalid_key().into()),
    }
}

/// What the ledger applied; else the refusal.
pub(super) fn applied<T>(portal: &Portal, answer: Answer<T>) -> Result<T, Refused> {
    match answer {
        Answer::Applied(value) => Ok(value),
        Answer::Refused(refusal) => Err(refused(portal, refusal).into()),
        Answer::Unknown(why) => Err(Rejection::metering_unavailable(why).into()),
    }
}

/// A refusal of the ledger; reads are refused for no reason that has to do with the account's zone.
fn refused(portal: &Portal, refusal: Refusal) -> Rejection {
    Rejection::from_ledger(refusal, &Zone::UTC, portal.clock.now())
}
