//! After a start: what the last run of this instance had begun and not ended.
//!
//! Runs before the sweeper and before the first request. A hold without a `forwarding` mark was never
//! forwarded and is released; one with a mark is unknown, and the route's own policy decides in time.
//!
//! Invariant: idempotent. Killed at any point and run again, it comes to the same end.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::journal::Marks;
use super::receipt::Explanation;
use crate::credit::{AccountId, ChargeId};
use crate::ledger::{Answer, ChargeState, Doubt, Ledger, OpenRef, Refusal, Release, Released};
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
    let mut done = Recovered::default();
    let open = ask(|| ledger.open_of(instance.to_owned()), async || ()).await?.unwrap_or_default();
    let held = || open.iter().filter(|open| open.state == ChargeState::Held);
    for charge in held() {
        if marks.forwarded(charge.charge) {
            let doubted = doubt(ledger, charge).await?;
            done.unknown = done.unknown.saturating_add(usize::from(doubted.is_some()));
        } else {
            let released = release(ledger, charge).await?;
            done.released = done.released.saturating_add(usize::from(released.is_some()));
        }
    }
    let marked: Vec<ChargeId> = match &marks {
        Marks::These(marked) => marked.iter().copied().collect(),
        Marks::Any => held().map(|open| open.charge).collect(),
    };
    let mut left = BTreeSet::new();
    for charge in marked {
        if unreadable(ledger, charge).await? {
            left.insert(charge);
        }
    }
    Marks::clear(disk, folder, &left)?;
    Ok(done)
}

/// Whether a charge could not be dealt with, because a record of its account is broken. Its mark is kept:
/// once a person has repaired the account, it must not look as if it had never been forwarded.
async fn unreadable(ledger: &dyn Ledger, charge: ChargeId) -> io::Result<bool> {
    loop {
        match ledger.charge(charge).await {
            Answer::Refused(Refusal::Broken(_)) => return Ok(true),
            Answer::Applied(_) | Answer::Refused(Refusal::UnknownCharge) => return Ok(false),
            Answer::Refused(Refusal::Unavailable(why)) | Answer::Unknown(why) => {
                tracing::warn!(why, "recovery waits for the ledger");
                tokio::time::sleep(RETRY).await;
            }
            Answer::Refused(refusal) => return Err(refused(&refusal)),
        }
    }
}

async fn doubt(ledger: &dyn Ledger, open: &OpenRef) -> io::Result<Option<()>> {
    let explanation = explain("unknown", "The gateway stopped while the upstream was at work.");
    let (account, charge) = (open.account.clone(), open.charge);
    let call = Doubt { account, charge, explanation };
    ask(|| ledger.doubt(call.clone()), async || tick(ledger, &call.account).await).await
}

async fn release(ledger: &dyn Ledger, open: &OpenRef) -> io::Result<Option<Released>> {
    let explanation = explain("failed", "The gateway stopped before anything was forwarded.");
    let (account, charge) = (open.account.clone(), open.charge);
    let call = Release { account, charge, explanation };
    ask(|| ledger.release(call.clone()), async || tick(ledger, &call.account).await).await
}

/// One part of an account's due work; whether it was done shows when the ledger is asked again.
async fn tick(ledger: &dyn Ledger, account: &AccountId) {
    match ledger.tick(account.clone()).await {
        Answer::Applied(_) | Answer::Refused(_) | Answer::Unknown(_) => (),
    }
}

fn explain(outcome: &str, why: &str) -> Vec<u8> {
    let (outcome, why) = (outcome.to_owned(), why.to_owned());
    Explanation { outcome, why, ..Explanation::default() }.bytes()
}

/// Asks until the ledger has answered; `None`: the charge has ended meanwhile, or the account is broken, and
/// asking again does not help. The others must not wait for it.
async fn ask<T>(
    call: impl Fn() -> crate::ledger::Reply<T>,
    tick: impl AsyncFn(),
) -> io::Result<Option<T>> {
    loop {
        match call().await {
            Answer::Applied(value) => return Ok(Some(value)),
            Answer::Refused(Refusal::Tick) => tick().await,
            // Its deadline was first.
            Answer::Refused(Refusal::Ended(_)) => return Ok(None),
            Answer::Refused(Refusal::Broken(why)) => {
                tracing::error!(why, "recovery leaves a broken account alone");
                return Ok(None);
            }
            Answer::Refused(Refusal::Unavailable(why)) | Answer::Unknown(why) => {
                tracing::warn!(why, "recovery waits for the ledger");
                tokio::time::sleep(RETRY).await;
            }
            Answer::Refused(refusal) => return Err(refused(&refusal)),
        }
    }
}

fn refused(refusal: &Refusal) -> io::Error {
    io::Error::other(format!("recovery: the ledger says {refusal:?}"))
}
