//! The right to export, which one process at a time has.
//!
//! Invariant: it is taken to end when it may have ended at the earliest: counted from before it was asked
//! for, on a clock that never goes back.

use std::sync::Arc;

use crate::credit::Partition;
use crate::ledger::model::Stop;
use crate::ledger::redis::asking::Desk;
use crate::ledger::redis::bytes::Writer;
use crate::ledger::redis::replies;
use crate::ledger::redis::scripts::Verb;
use crate::seam::Clock;

/// See the module.
#[derive(Debug)]
pub(super) struct Lease {
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    name: String,
    ms: u64,
    /// Until when it surely is ours, on the clock of this machine's uptime.
    until_ms: u64,
}

impl Lease {
    /// Nobody's yet; `name` is this process's alone.
    pub(super) const fn new(desk: Arc<Desk>, clock: Arc<dyn Clock>, name: String, ms: u64) -> Self {
        Self { desk, clock, name, ms, until_ms: 0 }
    }

    /// Takes it or renews it where it is time to. `false`: somebody else has it.
    pub(super) async fn hold(&mut self) -> Result<bool, Stop> {
        let now = self.clock.uptime_ms();
        if self.until_ms > now.saturating_add(self.ms.saturating_mul(2) / 3) {
            return Ok(true);
        }
        let ours = self.ask(self.ms).await? == self.name.as_bytes();
        self.until_ms = if ours { now.saturating_add(self.ms) } else { 0 };
        Ok(ours)
    }

    /// Whether it is ours for long enough to write something.
    pub(super) fn is_sure(&self) -> bool {
        self.until_ms > self.clock.uptime_ms().saturating_add(self.ms / 4)
    }

    /// Gives it up, so that nobody has to wait for its end.
    pub(super) async fn give_up(&mut self) {
        if self.until_ms > 0 {
            self.until_ms = 0;
            drop(self.ask(0).await);
        }
    }

    /// The answer is who has it now.
    async fn ask(&self, ms: u64) -> Result<Vec<u8>, Stop> {
        let first = Partition::default();
        let mut keys = vec![self.desk.keys.epoch(first); 9];
        keys.push(self.desk.keys.lease());
        let arg = Writer::default().word(&self.name)?.number(ms).done();
        let heard = self.desk.ask_with(Verb::Lease, first, keys, "", Ok(arg)).await?;
        Ok(replies::applied(&heard, None)?.word()?.to_vec())
    }
}
