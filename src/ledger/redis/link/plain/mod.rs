//! Plain connections for commands of people: they show the server's own words, and end with the command.
//!
//! Invariant: nothing here carries a request; reaching a server, TLS and login are the link's own.

mod sentinel;

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

use super::connect::{Wire, within};
use super::slots::{self, Range};
use super::{Call, Outcome, What};
use crate::credit::Partition;
use crate::ledger::finding::{Finding, UNREACHABLE};
use crate::ledger::redis::check::Servers;
use crate::ledger::redis::settings::{Address, Login, Settings, Topology};
use crate::seam::Tasks;

pub(in crate::ledger::redis) use sentinel::ask_sentinels;

/// What an unreachable server's finding says to do.
const ADVICE: &str = "is it running, and do address, TLS, user and password fit?";

/// With these a server refuses what it may do later, or what another one does.
const LATER: [&str; 11] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "OOM",
    "READONLY",
    "TRYAGAIN",
];

/// The primaries, each with a connection of its own.
pub(in crate::ledger::redis) struct Plain {
    nodes: Vec<Node>,
}

/// A primary.
struct Node {
    name: String,
    /// `None`: all there are.
    slots: Option<Vec<Range>>,
    /// Or why there is none.
    connection: Result<MultiplexedConnection, String>,
}

impl Plain {
    /// Connects to the primaries.
    pub(in crate::ledger::redis) async fn open(settings: &Settings) -> Result<Self, Finding> {
        let (address, database) = match &settings.topology {
            Topology::Single { address, database } => (address.clone(), *database),
            Topology::Sentinel { database, .. } => (sentinel::primary(settings).await?, *database),
            Topology::Cluster { seeds } => return Self::open_cluster(settings, seeds).await,
        };
        let node = Node::open(settings, &address, database, None).await;
        match node.connection {
            Ok(_) => Ok(Self { nodes: vec![node] }),
            Err(why) => Err(Finding::error(UNREACHABLE, &node.name, why, ADVICE)),
        }
    }

    /// The first seed that answers names the primaries; of those some may be away.
    async fn open_cluster(settings: &Settings, seeds: &[Address]) -> Result<Self, Finding> {
        let mut last = Finding::error(UNREACHABLE, "", "no node is named", ADVICE);
        for seed in seeds {
            let known = match Node::open(settings, seed, 0, None).await.connection {
                Ok(connection) => primaries(connection, seed).await,
                Err(why) => Err(why),
            };
            match known {
                Ok(primaries) => {
                    let opened = primaries.into_iter().map(|(address, slots)| async move {
                        Node::open(settings, &address, 0, Some(slots)).await
                    });
                    return Ok(Self { nodes: join_all(opened).await });
                }
                Err(why) => last = Finding::error(UNREACHABLE, &seed.to_string(), why, ADVICE),
            }
        }
        Err(last)
    }

    fn node_of(&self, partition: Partition) -> Option<&Node> {
        let slot = slots::slot(partition);
        let has = |ranges: &Vec<Range>| ranges.iter().any(|range| range.contains(slot));
        self.nodes.iter().find(|node| node.slots.as_ref().is_none_or(has))
    }
}

impl Node {
    async fn open(
        settings: &Settings,
        address: &Address,
        database: u32,
        slots: Option<Vec<Range>>,
    ) -> Self {
        let connection = connect(settings, address, &settings.login, database).await;
        Self { name: address.to_string(), slots, connection }
    }

    fn ask(&self, words: Vec<Vec<u8>>, deadline_ms: u64) -> BoxFuture<'static, Outcome> {
        let connection = self.connection.clone();
        async move {
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(why) => return Outcome::NotDone(why),
            };
            let command = command(&words);
            let asked = command.query_async::<Value>(&mut connection);
            match tokio::time::timeout(Duration::from_millis(deadline_ms), asked).await {
                Ok(Ok(value)) => Outcome::Done(value),
                Ok(Err(error)) => refused(&error),
                Err(_) => Outcome::Unknown(format!("no answer within {deadline_ms} ms")),
            }
        }
        .boxed()
    }
}

impl Servers for Plain {
    fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        let refused = |why: &str| {
            let outcome = Outcome::NotDone(why.to_owned());
            async move { outcome }.boxed()
        };
        match (call.what, self.node_of(call.partition)) {
            (What::Command(words), Some(node)) => node.ask(words, call.deadline_ms),
            (What::Command(_), None) => refused("no primary has its slot"),
            (What::Script { .. }, _) => refused("scripts are not run by hand"),
        }
    }

    fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        let asked = self.nodes.iter().map(|node| {
            let (name, asked) = (node.name.clone(), node.ask(command.clone(), deadline_ms));
            async move { (name, asked.await) }
        });
        join_all(asked.collect::<Vec<_>>()).boxed()
    }
}

/// What an error says about whether the command was executed.
fn refused(error: &RedisError) -> Outcome {
    let why = error.to_string();
    match error.code() {
        Some(code) if LATER.contains(&code) => Outcome::NotDone(why),
        Some(_) => Outcome::Broken(why),
        None => Outcome::Unknown(why),
    }
}

/// Reaches a server and logs in. What drives the connection ends with its last handle.
async fn connect(
    settings: &Settings,
    address: &Address,
    login: &Login,
    database: u32,
) -> Result<MultiplexedConnection, String> {
    let work = async {
        let mut wire = Wire::open(address, settings.tls.as_ref()).await?;
        wire.log_in(login, database).await?;
        if let Some(driver) = wire.driver.take() {
            Tasks::default().spawn_free(driver);
        }
        Ok(wire.sender)
    };
    within(settings.deadlines.connect_ms, address, work).await
}

/// The primaries and their slots, as a node of the cluster knows them.
async fn primaries(
    mut connection: MultiplexedConnection,
    seed: &Address,
) -> Result<Vec<(Address, Vec<Range>)>, String> {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("SLOTS");
    let reply = ask.query_async::<Value>(&mut connection).await;
    let ranges = slots::read(&reply.map_err(|error| error.to_string())?, seed).unwrap_or_default();
    let mut primaries: Vec<(Address, Vec<Range>)> = Vec::new();
    for range in ranges {
        match primaries.iter_mut().find(|(known, _)| *known == range.primary) {
            Some((_, known)) => known.push(range),
            None => primaries.push((range.primary.clone(), vec![range])),
        }
    }
    if primaries.is_empty() {
        return Err("it knows of no primary: does it belong to a cluster?".to_owned());
    }
    Ok(primaries)
}

fn command(words: &[Vec<u8>]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}
