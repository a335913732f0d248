//! One connection while it lasts: what is on the way, in which order, until when.
//!
//! Invariant: calls are written in the order of `send`; all of one turn of the loop share a write.
//! Invariant: a call whose deadline passes is forgotten here; its reply, if one comes, is thrown away.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::time::{Instant, timeout_at};

use super::connect::{Wire, load};
use super::job::Job;
use super::{Prepared, errors};

/// How long the server may take to answer a `PING`.
const PONG_WITHIN: Duration = Duration::from_secs(1);

/// What came back.
pub(super) struct Landed {
    /// `None`: a `PING`.
    pub(super) job: Option<Job>,
    /// `None`: nothing within the deadline.
    pub(super) reply: Option<RedisResult<Value>>,
    /// How often its script had been loaded when it was sent.
    loads: u32,
}

/// A connection and what is on the way.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// When the server last said anything.
    pub(super) heard: Instant,
    /// Whether a call was answered on it.
    pub(super) proven: bool,
    loads: Vec<u32>,
}

impl Session {
    pub(super) fn new(wire: Wire, scripts: usize) -> Self {
        let flights = FuturesUnordered::new();
        Self { wire, flights, heard: Instant::now(), proven: false, loads: vec![0; scripts] }
    }

    /// Sends a call.
    pub(super) fn send(&mut self, job: Job) {
        let asking = job.asking.then(|| redis::cmd("ASKING"));
        self.send_behind(asking, job);
    }

    /// Sends a call again whose script the server did not have, behind the script unless that is under way
    /// already. `None`: it was not a call of that kind.
    pub(super) fn send_again(&mut self, mut job: Job, sent_at: u32, scripts: &[Prepared]) {
        job.reloads = job.reloads.saturating_add(1);
        let place = job.script.unwrap_or(usize::MAX);
        let (Some(script), Some(loads)) = (scripts.get(place), self.loads.get_mut(place)) else {
            return job.refuse("no such script");
        };
        if job.asking || *loads != sent_at {
            return self.send(job);
        }
        *loads += 1;
        self.send_behind(Some(load(script)), job);
    }

    fn send_behind(&mut self, first: Option<Cmd>, job: Job) {
        let loads = job.script.and_then(|place| self.loads.get(place)).copied().unwrap_or(0);
        let mut sender = self.wire.sender.clone();
        let flight = async move {
            let answer = async {
                let Some(first) = first else {
                    return sender.send_packed_command(&job.command).await;
                };
                let mut both = Pipeline::new();
                both.add_command(first).add_command(Cmd::clone(&job.command));
                let answers = sender.send_packed_commands(&both, 0, 2).await?;
                Ok(answers.into_iter().last().unwrap_or(Value::Nil))
            };
            let reply = timeout_at(job.deadline, answer).await.ok();
            Landed { job: Some(job), reply, loads }
        };
        // What yields to others in the middle of a turn would let later calls overtake it.
        self.flights.push(Box::pin(tokio::task::unconstrained(flight)));
    }

    /// Asks an idle server whether it is there.
    pub(super) fn ping(&mut self) {
        let mut sender = self.wire.sender.clone();
        let until = Instant::now() + PONG_WITHIN;
        self.flights.push(Box::pin(async move {
            let ping = redis::cmd("PING");
            let reply = timeout_at(until, sender.send_packed_command(&ping)).await.ok();
            Landed { job: None, reply, loads: 0 }
        }));
    }

    /// Whether the server has been silent for longer than a call with this deadline may suffer.
    pub(super) fn is_silent(&self, allowed: Option<Duration>) -> bool {
        const LEAST: Duration = Duration::from_secs(2);
        self.heard.elapsed() >= LEAST.max(allowed.unwrap_or(PONG_WITHIN) * 2)
    }
}

impl Landed {
    /// How often the script of a call had been loaded when it was sent.
    pub(super) fn sent_at(&self) -> u32 {
        self.loads
    }
}

/// Whether a `PING` was answered.
pub(super) fn is_pong(reply: Option<RedisResult<Value>>) -> bool {
    reply.is_some_and(|reply| matches!(errors::judge(reply), errors::Verdict::Done(_)))
}
