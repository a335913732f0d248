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

mod back;
mod connect;
mod errors;
mod handle;
mod job;
mod node;
mod pause;
pub(super) mod plain;
mod replies;
mod route;
mod sentinel;
mod session;
mod slots;
#[cfg(test)]
mod tests;
mod tls;
mod told;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use connect::Place;
use handle::Handle;
use job::{Job, ROOM};
use route::{Route, Stray};
use sentinel::Watched;

use super::settings::{Settings, Topology};
use crate::credit::Partition;
use crate::seam::Tasks;

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

/// Makes the call that runs for each partition of a server that was away.
pub(super) type Returned = Arc<dyn Fn(Partition) -> Call + Send + Sync>;

/// The connections of one core. Cheap to clone; they end with the last clone.
#[derive(Clone)]
pub(super) struct Link(Arc<Outer>);

struct Outer {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("topology", &self.0.shared.settings.topology).finish()
    }
}

impl Link {
    /// Starts to connect, on the current runtime; calls wait for the connection within their deadlines.
    /// `returned` makes the call that runs for each partition of a server that was away.
    pub(super) fn open(settings: Arc<Settings>, scripts: &[Script], returned: Returned) -> Self {
        let (strays, astray) = mpsc::channel(ROOM);
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            scripts: scripts.iter().map(Prepared::from).collect(),
            returned,
            returns: watch::Sender::new(0),
            route: Mutex::default(),
            strays,
            refresh: Notify::new(),
            tasks: Tasks::default(),
            stop: stop.clone(),
            settings,
        });
        match &shared.settings.topology {
            Topology::Single { address, database } => {
                let place = Place::At(address.clone());
                shared.start_only(address.to_string(), place, *database);
            }
            Topology::Sentinel { sentinels, login, name, database } => {
                let (sentinels, login) = (sentinels.clone(), login.clone());
                let place = Place::Named(Watched { sentinels, login, name: name.clone() });
                shared.start_only(name.clone(), place, *database);
            }
            Topology::Cluster { seeds } => {
                route::start(&shared, seeds.clone(), astray);
            }
        }
        Self(Arc::new(Outer { shared, _stop: stop.drop_guard() }))
    }

    /// Hands a call over, before this returns; the outcome comes later. The call is made even if nobody waits
    /// for its outcome, as long as the link lives.
    pub(super) fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        let shared = &self.0.shared;
        let Call { what, partition, deadline_ms } = call;
        let (job, later) = Job::new(&what, Some(partition), deadline_ms, &shared.scripts);
        shared.submit(job);
        self.outcome(later)
    }

    /// Runs a plain command on every primary; the names are for people.
    pub(super) fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        let shared = &self.0.shared;
        let what = What::Command(command);
        let handles = shared.route().primaries();
        if handles.is_empty() {
            let why = "the nodes of the cluster are not known yet".to_owned();
            let none = vec![("cluster".to_owned(), Outcome::NotDone(why))];
            return std::future::ready(none).boxed();
        }
        let all = handles.into_iter().map(|handle| {
            let (job, later) = Job::new(&what, None, deadline_ms, &shared.scripts);
            handle.run(job);
            self.outcome(later).map(move |outcome| (handle.name.clone(), outcome))
        });
        join_all(all.collect::<Vec<_>>()).boxed()
    }

    /// Counts how often a server has come back after an outage.
    pub(super) fn returns(&self) -> watch::Receiver<u64> {
        self.0.shared.returns.subscribe()
    }

    /// The connections live at least until the outcome is known.
    fn outcome(
        &self,
        later: tokio::sync::oneshot::Receiver<Outcome>,
    ) -> BoxFuture<'static, Outcome> {
        let link = self.clone();
        async move {
            let outcome = later.await;
            drop(link);
            outcome.unwrap_or_else(|_| Outcome::Unknown("the connections have ended".to_owned()))
        }
        .boxed()
    }
}

/// A script and the name under which a server keeps it.
#[derive(Debug)]
struct Prepared {
    name: &'static str,
    text: String,
    sha: String,
}

impl From<&Script> for Prepared {
    fn from(script: &Script) -> Self {
        let sha = sha1_smol::Sha1::from(&script.text).digest().to_string();
        Self { name: script.name, text: script.text.clone(), sha }
    }
}

/// What the tasks of one link share.
struct Shared {
    settings: Arc<Settings>,
    scripts: Vec<Prepared>,
    returned: Returned,
    returns: watch::Sender<u64>,
    route: Mutex<Route>,
    /// Calls that a node could not run; only a cluster's router takes them.
    strays: mpsc::Sender<Stray>,
    /// Somebody thinks that the map of the cluster has changed.
    refresh: Notify,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Shared {
    fn start_only(self: &Arc<Self>, name: String, place: Place, database: u32) {
        let handle = Arc::new(Handle::start(self, name, place, database));
        *self.route() = Route::only(handle);
    }

    fn route(&self) -> MutexGuard<'_, Route> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a call to the server that has its partition.
    fn submit(&self, job: Job) {
        let handle = job.partition.and_then(|partition| self.route().owner(partition));
        match handle {
            Some(handle) => handle.run(job),
            None => self.stray(Stray::Homeless(job)),
        }
    }

    fn stray(&self, stray: Stray) {
        if !matches!(self.settings.topology, Topology::Cluster { .. }) {
            return stray
                .into_job()
                .refuse("this Redis is a cluster, but configured as one server");
        }
        use mpsc::error::TrySendError::{Closed, Full};
        if let Err(Full(stray) | Closed(stray)) = self.strays.try_send(stray) {
            stray.into_job().refuse("too many calls wait for the cluster");
        }
    }

    /// The partitions that a server has.
    fn owned(&self, name: &str) -> Vec<Partition> {
        self.route().owned(name)
    }
}
