//! Whose call it is.

use super::Portal;
use super::call::{Call, Refused};
use crate::credit::{KeyId, Zone};
use crate::ledger::{Answer, Document, Refusal};
use crate::meter::Rejection;

/// The account that speaks, and by which key.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) document: Document,
    pub(super) key: KeyId,
}

/// Finds the account that a call names, as paid requests are found. The account's status does not matter: who
/// may not spend may still read.
pub(super) async fn identify(portal: &Portal, call: &Call) -> Result<Identity, Refused> {
    let (document, key) = portal.finder.find(call.shown()?).await?;
    Ok(Identity { document, key })
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
