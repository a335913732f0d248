//! The sweeper: ends what nobody touches. Every touch of an account does its due work anyway; the sweeper
//! only sees to it that an idle account's does not wait for ever.

use crate::ledger::{Answer, Ledger};

/// How many accounts one round looks after.
const AT_ONCE: usize = 64;

/// One round: the answer is how many accounts were looked after.
pub async fn sweep(ledger: &dyn Ledger) -> usize {
    let Answer::Applied(due) = ledger.due(AT_ONCE).await else { return 0 };
    for account in &due {
        if let Answer::Unknown(why) = ledger.tick(account.clone()).await {
            tracing::warn!(%account, why, "due work perhaps not done");
        }
    }
    due.len()
}
