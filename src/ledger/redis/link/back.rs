//! What has to run first after an outage.
//!
//! Invariant: when in doubt a server was away: `returned` once too often only lets leases run longer.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::What;
use super::connect::{self, Identity};
use super::errors::{self, Verdict};
use super::job::command;
use super::node::{End, Node};
use super::session::Session;
use crate::credit::Partition;

/// How long all `returned` calls together may take.
const RETURN_WITHIN: Duration = Duration::from_secs(10);

impl Node {
    /// Whether leases may have ended unseen: the server is another one, or was silent for long.
    pub(super) fn was_away(&self, identity: &Identity) -> bool {
        let lease = Duration::from_millis(self.shared.settings.lease_ms);
        let Some(run_id) = &self.run_id else {
            return identity.up_for < lease;
        };
        *run_id != identity.run_id || self.answered.is_none_or(|at| at.elapsed() > lease / 4)
    }

    /// Runs `returned` for every partition that is owed.
    pub(super) async fn pay(&mut self, session: &mut Session) -> Result<(), End> {
        if self.owed.is_empty() {
            return Ok(());
        }
        let partitions: Vec<_> = self.owed.iter().copied().collect();
        let (commands, loads, within) = self.returned(&partitions);
        let asked = timeout(within, session.wire.ask_all(&commands));
        let answers = match self.attend(asked).await {
            None => return Err(End::Closed),
            Some(Err(_)) => return Err(End::Away("Redis was too slow after an outage".to_owned())),
            Some(Ok(Err(error))) => return Err(End::Away(errors::short(&error.to_string()))),
            Some(Ok(Ok(answers))) => answers,
        };
        for (partition, answer) in partitions.iter().zip(answers.into_iter().skip(loads)) {
            match errors::judge(Ok(answer)) {
                Verdict::Done(_) => {}
                // Another node's by now, which will be told so itself.
                Verdict::Moved(_) => self.shared.refresh.notify_one(),
                other => return Err(End::Away(other.words())),
            }
            self.owed.remove(partition);
        }
        session.heard = Instant::now();
        self.shared.returns.send_modify(|count| *count += 1);
        Ok(())
    }

    /// The `returned` calls behind the scripts that they need, the number of those, and the time for all.
    fn returned(&self, partitions: &[Partition]) -> (redis::Pipeline, usize, Duration) {
        let scripts = &self.shared.scripts;
        let calls: Vec<_> = partitions.iter().map(|at| (self.shared.returned)(*at)).collect();
        let needed: BTreeSet<usize> = calls
            .iter()
            .filter_map(|call| match call.what {
                What::Script { script, .. } => Some(script),
                What::Command(_) => None,
            })
            .collect();
        let mut commands = redis::Pipeline::new();
        let needed: Vec<_> = needed.iter().filter_map(|place| scripts.get(*place)).collect();
        for script in &needed {
            commands.add_command(connect::load(script));
        }
        for call in &calls {
            commands.add_command(command(&call.what, scripts));
        }
        let longest = calls.iter().map(|call| call.deadline_ms).max().unwrap_or(0);
        (commands, needed.len(), RETURN_WITHIN.max(Duration::from_millis(longest)))
    }
}
