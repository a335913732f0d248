//! Whether a Redis keeps what it is given: facts are collected, then judged.
//!
//! Invariant: an examination writes nothing, and reads no setting that may hold a password.
//! Invariant: judging asks nobody; collecting judges nothing.

mod collect;
mod facts;
mod judge;
mod whole;

use futures_util::future::BoxFuture;

use super::link::plain::{self, Plain};
use super::link::{Call, Link, Outcome};
use super::settings::{Settings, Topology};
use crate::ledger::finding::Finding;
use crate::seam::Clock;

pub(super) use collect::{census, words};
pub(super) use facts::text;

/// The primaries of a ledger, as `Link` has them.
pub(super) trait Servers {
    /// Runs one call where its partition lies.
    fn run(&self, call: Call) -> BoxFuture<'static, Outcome>;

    /// Runs a plain command on every primary; the names are for people.
    fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>>;
}

impl Servers for Link {
    fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        self.run(call)
    }

    fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        self.everywhere(command, deadline_ms)
    }
}

/// Looks at everything that the ledger's safety depends on.
pub async fn examine(settings: &Settings, clock: &dyn Clock) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Topology::Sentinel { name, .. } = &settings.topology {
        let said = plain::ask_sentinels(settings).await;
        found.extend(whole::sentinels(name, &said));
        if said.iter().all(|(_, primary)| !matches!(primary, Ok(Some(_)))) {
            return found;
        }
    }
    match Plain::open(settings).await {
        Ok(servers) => found.extend(examine_servers(&servers, settings, clock).await),
        Err(finding) => found.push(finding),
    }
    found
}

/// As `examine`, of servers that are connected.
pub(super) async fn examine_servers(
    servers: &dyn Servers,
    settings: &Settings,
    clock: &dyn Clock,
) -> Vec<Finding> {
    let facts = collect::facts(servers, settings.deadlines.other_ms, clock).await;
    let mut found: Vec<_> = facts.iter().flat_map(|one| judge::server(one, settings)).collect();
    // What nobody answers is said once, not for each partition.
    if facts.iter().any(|one| one.away.is_none()) {
        found.extend(census(servers, settings).await.findings(clock.now()));
    }
    found
}
