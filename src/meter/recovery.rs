//! After a start: what the last run of this instance had begun and not ended.
//!
//! Runs before the sweeper and before the first request. A hold without a `forwarding` mark was never
//! forwarded and is released; one with a mark is unknown, and the route's own policy decides in time.
//!
//! Invariant: idempotent. Killed at any point and run again, it comes to the same end.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::journal::Marks;
use super::receipt::Explanation;
use crate::ledger::{Answer, ChargeState, Doubt, Ledger, OpenRef, Refusal, Release};
use crate::seam::Disk;

const RETRY: Duration = Duration::from_millis(200);

/// What recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Holds that were never forwarded.
    pub released: usize,
    /// Holds whose outcome nobody knows.
    pub unknown: usize,
}

/// Goes through the open charges of `instance`; its journals lie in `folder`.
///
/// # Errors
/// When the journals cannot be read or removed, or the ledger refuses for good.
pub async fn recover(
    ledger: &dyn Ledger,
    disk: &dyn Disk,
    folder: &Path,
    instance: &str,
) -> io::Result<Recovered> {
    let marks = Marks::read(disk, folder)?;
    if marks == Marks::Any {
        tracing::error!("a journal is damaged: every open charge is taken for forwarded");
    }
    let mut done = Recovered::default();
    let open = ask(|| ledger.open_of(instance.to_owned())).await?;
    for charge in open.iter().filter(|open| open.state == ChargeState::Held) {
        if marks.forwarded(charge.charge) {
            doubt(ledger, charge).await?;
            done.unknown = done.unknown.saturating_add(1);
        } else {
            release(ledger, charge).await?;
            done.released = done.released.saturating_add(1);
        }
    }
    Marks::clear(disk, folder)?;
    Ok(done)
}

async fn doubt(ledger: &dyn Ledger, open: &OpenRef) -> io::Result<()> {
    let explanation = explain("unknown", "The gateway stopped while the upstream was at work.");
    let (account, charge) = (open.account.clone(), open.charge);
    let call = Doubt { account, charge, explanation };
    ask(|| ledger.doubt(call.clone())).await
}

async fn release(ledger: &dyn Ledger, open: &OpenRef) -> io::Result<()> {
    let explanation = explain("failed", "The gateway stopped before anything was forwarded.");
    let (account, charge) = (open.account.clone(), open.charge);
    let call = Release { account, charge, explanation };
    ask(|| ledger.release(call.clone())).await.map(|_| ())
}

fn explain(outcome: &str, why: &str) -> Vec<u8> {
    let (outcome, why) = (outcome.to_owned(), why.to_owned());
    Explanation { outcome, why, ..Explanation::default() }.bytes()
}

/// Asks until the ledger has answered.
async fn ask<T>(call: impl Fn() -> crate::ledger::Reply<T>) -> io::Result<T> {
    loop {
        match call().await {
            Answer::Applied(value) => return Ok(value),
            Answer::Refused(Refusal::Unavailable(why)) | Answer::Unknown(why) => {
                tracing::warn!(why, "recovery waits for the ledger");
                tokio::time::sleep(RETRY).await;
            }
            Answer::Refused(refusal) => {
                return Err(io::Error::other(format!("recovery: the ledger says {refusal:?}")));
            }
        }
    }
}
