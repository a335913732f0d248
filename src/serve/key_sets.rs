//! Keeps the key sets of trusted issuers fresh: each is read at the start, on a timer, and when a token names a
//! key that it lacks.
//!
//! Invariant: a set that cannot be had or read leaves the old one in force, and says so in the log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::Shared;
use crate::meter::{Issuer, KEY_SET_MAX, KeySet, KeySource, SetPlace};
use crate::proxy::Fetcher;

/// How soon a set that could not be read is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps all sets, for ever.
pub(super) async fn keep(shared: &Shared) {
    let issuers = &shared.settings.rules.identity.issuers;
    join_all(issuers.iter().enumerate().map(|(number, issuer)| one(shared, number, issuer))).await;
}

async fn one(shared: &Shared, number: usize, issuer: &Arc<Issuer>) {
    let KeySource::Set { at, refresh_ms, .. } = &issuer.source else { return };
    loop {
        let read = read(at, issuer).await;
        let pause = match &read {
            Ok(_) => Duration::from_millis(*refresh_ms),
            Err(why) => {
                tracing::warn!(issuer = %issuer.name, why, "no newer key set; the old one stays");
                AGAIN.min(Duration::from_millis(*refresh_ms))
            }
        };
        shared.key_sets.tried(number, read.ok());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.key_sets.asked(number) => {}
        }
    }
}

async fn read(at: &SetPlace, issuer: &Issuer) -> Result<KeySet, String> {
    let bytes = match at {
        SetPlace::File(path) => file(path)?,
        SetPlace::Url { url, ca_file } => {
            let fetcher = Fetcher::open(ca_file.as_deref()).map_err(|error| error.to_string())?;
            fetcher.get(url, KEY_SET_MAX).await?.to_vec()
        }
    };
    KeySet::read(&bytes, &issuer.algorithms).map_err(|error| error.to_string())
}

fn file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
