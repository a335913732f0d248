//! A call on its way, and calls that wait for a connection.
//!
//! Invariant: a job is answered once, and `NotDone` if it was never written.
//! Invariant: as many jobs wait as were promised room, never more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Outcome, Prepared, What};
use crate::credit::Partition;

/// How many calls wait for one server, and how many are on the way to it.
pub(super) const ROOM: usize = 8_192;

/// No call takes longer than an hour, whatever it asks for.
const LONGEST_MS: u64 = 60 * 60 * 1_000;

/// A call on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Arc<redis::Cmd>,
    /// Its script, if it is one.
    pub(super) script: Option<usize>,
    /// `None`: for whichever server it was handed to.
    pub(super) partition: Option<Partition>,
    pub(super) deadline: Instant,
    pub(super) allowed: Duration,
    /// How often it was sent again because a server did not have its script.
    pub(super) reloads: u8,
    /// How often it was sent on because another node has its keys.
    pub(super) hops: u8,
    /// Sent to a node that is about to get the slot.
    pub(super) asking: bool,
    reply: oneshot::Sender<Outcome>,
}

impl Job {
    pub(super) fn new(
        what: &What,
        partition: Option<Partition>,
        deadline_ms: u64,
        scripts: &[Prepared],
    ) -> (Self, oneshot::Receiver<Outcome>) {
        let (reply, later) = oneshot::channel();
        let allowed = Duration::from_millis(deadline_ms.min(LONGEST_MS));
        let job = Self {
            command: Arc::new(command(what, scripts)),
            script: match what {
                What::Script { script, .. } => Some(*script),
                What::Command(_) => None,
            },
            partition,
            deadline: Instant::now() + allowed,
            allowed,
            reloads: 0,
            hops: 0,
            asking: false,
            reply,
        };
        (job, later)
    }

    /// Answers it. Whoever asked may have left.
    pub(super) fn end(self, outcome: Outcome) {
        drop(self.reply.send(outcome));
    }

    /// Answers one that was never written.
    pub(super) fn refuse(self, why: &str) {
        self.end(Outcome::NotDone(why.to_owned()));
    }
}

/// The words of a call.
pub(super) fn command(what: &What, scripts: &[Prepared]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    match what {
        What::Script { script, keys, args } => {
            // A place that does not exist makes a call that the server refuses.
            let sha = scripts.get(*script).map_or("", |script| script.sha.as_str());
            command.arg("EVALSHA").arg(sha).arg(keys.len());
            for word in keys.iter().chain(args) {
                command.arg(word.as_slice());
            }
        }
        What::Command(words) => {
            for word in words {
                command.arg(word.as_slice());
            }
        }
    }
    command
}

/// Calls that wait for a connection, in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    jobs: VecDeque<Job>,
    soonest: Option<Instant>,
}

impl Waiting {
    pub(super) fn push(&mut self, job: Job) {
        if self.jobs.len() >= ROOM {
            return job.refuse("too many calls wait for Redis");
        }
        self.soonest = Some(self.soonest.map_or(job.deadline, |soonest| soonest.min(job.deadline)));
        self.jobs.push_back(job);
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front();
        if self.jobs.is_empty() {
            self.soonest = None;
        }
        job
    }

    /// Refuses all.
    pub(super) fn refuse(&mut self, why: &str) {
        while let Some(job) = self.pop() {
            job.refuse(why);
        }
    }

    /// Waits until the first deadline has passed, and refuses whose has; for ever if nothing waits.
    pub(super) async fn lapse(&mut self, why: &str) {
        match self.soonest {
            Some(soonest) => tokio::time::sleep_until(soonest).await,
            None => std::future::pending().await,
        }
        let now = Instant::now();
        for job in std::mem::take(&mut self.jobs) {
            if job.deadline <= now {
                job.refuse(why);
            } else {
                self.jobs.push_back(job);
            }
        }
        self.soonest = self.jobs.iter().map(|job| job.deadline).min();
    }
}
