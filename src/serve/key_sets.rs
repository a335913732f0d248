//! Keeps the key sets of trusted issuers, and of those who sign webhooks, fresh: each is read at the start, on a timer, and when a token names a
//! key that it lacks.
//!
//! Invariant: a set that cannot be had or read leaves the old one in force, and says so in the log.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::Algorithm;

use super::Shared;
use crate::meter::{KEY_SET_MAX, KeySet, KeySource, SetPlace};
use crate::proxy::Fetcher;

/// How soon a set that could not be read is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// One set: whose, where, and for which algorithms.
struct Own<'a> {
    number: usize,
    name: &'a str,
    source: &'a KeySource,
    algorithms: &'a [Algorithm],
}

/// Keeps all sets, for ever.
pub(super) async fn keep(shared: &Shared) {
    let issuers = shared.settings.rules.identity.issuers.iter().enumerate().map(|(number, own)| {
        let (name, source) = (own.name.as_str(), &own.source);
        Own { number, name, source, algorithms: &own.algorithms }
    });
    let hooks = shared.key_sets.hooks().map(|(number, own)| {
        let (name, source) = (own.name.as_str(), &own.source);
        Own { number, name, source, algorithms: &[Algorithm::EdDSA] }
    });
    join_all(issuers.chain(hooks).map(|own| one(shared, own))).await;
}

async fn one(shared: &Shared, own: Own<'_>) {
    let KeySource::Set { at, refresh_ms, .. } = own.source else { return };
    loop {
        let read = read(at, own.algorithms).await;
        let pause = match &read {
            Ok(_) => Duration::from_millis(*refresh_ms),
            Err(why) => {
                tracing::warn!(whose = own.name, why, "no newer key set; the old one stays");
                AGAIN.min(Duration::from_millis(*refresh_ms))
            }
        };
        shared.key_sets.tried(own.number, read.ok());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.key_sets.asked(own.number) => {}
        }
    }
}

async fn read(at: &SetPlace, algorithms: &[Algorithm]) -> Result<KeySet, String> {
    let bytes = match at {
        SetPlace::File(path) => file(path)?,
        SetPlace::Url { url, ca_file } => {
            let fetcher = Fetcher::open(ca_file.as_deref()).map_err(|error| error.to_string())?;
            fetcher.get(url, KEY_SET_MAX).await?.to_vec()
        }
    };
    KeySet::read(&bytes, algorithms).map_err(|error| error.to_string())
}

fn file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
