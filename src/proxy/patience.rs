//! How long an exchange may last, and whose time it was.
//!
//! Time spent waiting for the client is not the upstream's: a slow reader must not turn finished work into
//! unknown work. Nor may it break an answer off and have it for nothing: an answer that breaks after the
//! client has let it wait is the client's doing.
//!
//! Invariant: an exchange ends within twice its upstream's `total`, however fast its frames come.

use std::sync::Arc;
use std::time::Duration;

use super::settings::Timeouts;
use crate::seam::Clock;

/// From how long a wait on an upstream may give up on us, and the client is to blame, in milliseconds.
const SLOW_MS: u64 = 1_000;

/// See the module.
pub(super) struct Patience {
    clock: Arc<dyn Clock>,
    timeouts: Timeouts,
    /// How long a client may leave a frame untaken before it counts as gone.
    stall_ms: u64,
    began_ms: u64,
    /// How long the client has been waited for, in all.
    client_ms: u64,
    /// The longest of these waits.
    longest_ms: u64,
}

impl Patience {
    /// The exchange begins.
    pub(super) fn begin(clock: Arc<dyn Clock>, timeouts: Timeouts, stall_ms: u64) -> Self {
        let began_ms = clock.uptime_ms();
        Self { clock, timeouts, stall_ms, began_ms, client_ms: 0, longest_ms: 0 }
    }

    /// How long to wait for the next part of the answer; `None`: the upstream has had its time.
    pub(super) fn with_upstream(&self) -> Option<Duration> {
        let passed_ms = self.clock.uptime_ms().saturating_sub(self.began_ms);
        let used_ms = passed_ms.saturating_sub(self.client_ms);
        let left_ms = self.timeouts.total_ms.checked_sub(used_ms).filter(|left| *left > 0)?;
        Some(Duration::from_millis(left_ms.min(self.timeouts.idle_ms)))
    }

    /// Waits for the client with `wait`; `None`: it took too long, now or in all.
    pub(super) async fn with_client<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let left_ms = self.timeouts.total_ms.saturating_sub(self.client_ms);
        let began_ms = self.clock.uptime_ms();
        let limit = Duration::from_millis(self.stall_ms.min(left_ms));
        let taken = tokio::time::timeout(limit, wait).await;
        let waited_ms = self.clock.uptime_ms().saturating_sub(began_ms);
        self.client_ms = self.client_ms.saturating_add(waited_ms);
        self.longest_ms = self.longest_ms.max(waited_ms);
        taken.ok()
    }

    /// Whether the client has let the answer wait so long that an upstream may have given up.
    pub(super) const fn client_was_slow(&self) -> bool {
        self.longest_ms >= SLOW_MS
    }
}
