//! Acts on an account's money, after its due work if there is much of it.

use crate::credit::AccountId;
use crate::ledger::{Answer, Ledger, Refusal, Reply};

/// How often an account with due work is worked off before an act is given up.
const TRIES: usize = 64;

/// Acts; the act is its own id's, so asking again does nothing twice.
pub(super) async fn worked_off<T>(
    ledger: &dyn Ledger,
    account: &AccountId,
    act: impl Fn(&dyn Ledger) -> Reply<T> + Send,
) -> Answer<T> {
    for _ in 0..TRIES {
        match act(ledger).await {
            Answer::Refused(Refusal::Tick) => match ledger.tick(account.clone()).await {
                Answer::Applied(_) => (),
                Answer::Refused(refusal) => return Answer::Refused(refusal),
                Answer::Unknown(why) => return Answer::Unknown(why),
            },
            answer => return answer,
        }
    }
    Answer::Refused(Refusal::Tick)
}
