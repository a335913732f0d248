//! Records as bytes: one version byte, then postcard.
//!
//! Invariant: bytes of a version that this program does not know are an error that names it, never a
//! guess. A change of a packed shape comes with a new version byte.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ledger::model::Stop;

/// The version that is written.
const VERSION: u8 = 1;

/// Packs a record.
pub(super) fn pack<T: Serialize>(record: &T) -> Result<Vec<u8>, Stop> {
    postcard::to_extend(record, vec![VERSION])
        .map_err(|error| Stop::Failed(format!("a record cannot be packed: {error}")))
}

/// Unpacks a record; `what` names it in errors.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Stop> {
    let (version, body) = bytes.split_first().unwrap_or((&0, &[]));
    if *version != VERSION {
        return Err(Stop::Broken(format!("{what} has version {version}, known is {VERSION}")));
    }
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok(_) => Err(Stop::Broken(format!("{what} has bytes behind its end"))),
        Err(error) => Err(Stop::Broken(format!("{what} cannot be read: {error}"))),
    }
}
