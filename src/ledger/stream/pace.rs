//! How fast one round of an export follows the other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The shortest pause between two rounds that had something to do, and the first of those that had nothing.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the last rounds of a stop may take.
pub(in crate::ledger) const LAST_ROUNDS: Duration = Duration::from_secs(5);
/// And what comes after them.
pub(in crate::ledger) const LAST_STEP: Duration = PAUSE_MAX;

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Round {
    /// Somebody else exports.
    Aside,
    /// Nothing was there.
    Nothing,
    /// Something was.
    Some,
    /// More is there.
    More,
}

/// The pause before the next round.
#[derive(Debug)]
pub(in crate::ledger) struct Pace {
    pause: Duration,
    longest: Duration,
}

impl Pace {
    /// Pauses of at most `longest`, and never of more than two seconds.
    pub(in crate::ledger) fn new(longest: Duration) -> Self {
        Self { pause: PAUSE, longest: PAUSE_MAX.min(longest) }
    }

    /// Waits after a round; `None`: something hindered it. `false`: it was told to stop.
    pub(in crate::ledger) async fn rest(
        &mut self,
        round: Option<Round>,
        stop: &CancellationToken,
    ) -> bool {
        self.pause = match round {
            Some(Round::More) => Duration::ZERO,
            Some(Round::Some) => PAUSE,
            Some(Round::Nothing | Round::Aside) | None => (self.pause * 2).clamp(PAUSE, PAUSE_MAX),
        }
        .min(self.longest);
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = tokio::time::sleep(self.pause) => true,
        }
    }
}
