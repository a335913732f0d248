//! Everything about connections: where the servers are, login, TLS, deadlines, loading of scripts, what
//! an error says about whether a call was executed.
//!
//! One link for each core, on the runtime that opened it: one connection to each primary, multiplexed;
//! calls that are handed over in one turn of the loop share a write.
//!
//! Invariant: a call that may have been executed is never sent a second time from here. It is sent again
//! only when the server has said that it did not execute it (`NOSCRIPT`, `MOVED`, `ASK`).
//! Invariant: calls are written in the order in which they were handed over.
//! Invariant: after an outage the `returned` call of every partition of the server runs before any other.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::settings::Settings;
use crate::credit::Partition;

/// A script as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// Its verb.
    pub(super) name: &'static str,
    /// Its whole text, shebang first.
    pub(super) text: String,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What is to be done.
    pub(super) what: What,
    /// Where all its keys lie; they carry `Partition::tag` in braces.
    pub(super) partition: Partition,
    /// How long it may take, waiting included.
    pub(super) deadline_ms: u64,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A script by its place in the list that the link was opened with.
    Script { script: usize, keys: Vec<Vec<u8>>, args: Vec<Vec<u8>> },
    /// A plain command, such as `ZRANGE`.
    Command(Vec<Vec<u8>>),
}

/// What is known of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Executed; this was the reply.
    Done(redis::Value),
    /// Surely not executed: no connection, `LOADING`, `READONLY`, `OOM`, `NOAUTH`, `BUSY`, `CLUSTERDOWN`…
    NotDone(String),
    /// The server refused what the record holds (`WRONGTYPE`, a script's own error): asking again does not
    /// help.
    Broken(String),
    /// Perhaps executed: the deadline passed or the connection broke after it was written.
    Unknown(String),
}

/// The connections of one core. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Link {}

impl Link {
    /// Starts to connect, on the current runtime; calls wait for the connection within their deadlines.
    /// `returned` makes the call that runs for each partition of a server that was away.
    pub(super) fn open(
        settings: Arc<Settings>,
        scripts: Arc<[Script]>,
        returned: Arc<dyn Fn(Partition) -> Call + Send + Sync>,
    ) -> Self {
        let _ = (settings, scripts, returned);
        unimplemented!()
    }

    /// Hands a call over, before this returns; the outcome comes later.
    pub(super) fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        let _ = call;
        unimplemented!()
    }

    /// Runs a plain command on every primary; the names are for people.
    pub(super) fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        let _ = (command, deadline_ms);
        unimplemented!()
    }

    /// Counts how often a server has come back after an outage.
    pub(super) fn returns(&self) -> tokio::sync::watch::Receiver<u64> {
        unimplemented!()
    }
}
