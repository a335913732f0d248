//! Asks the servers; judges nothing.
//!
//! Invariant: nothing here writes; a server that does not answer one question is asked the next.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use redis::Value;

use super::Servers;
use super::facts::{Facts, Skew, lines, pairs, text, time_ms};
use super::whole::Census;
use crate::credit::Partition;
use crate::ledger::redis::keys::Keys;
use crate::ledger::redis::link::{Call, Outcome, What};
use crate::ledger::redis::settings::Settings;
use crate::seam::Clock;

/// How often the way is measured.
const PINGS: usize = 20;

/// The settings that are asked for. Never `*`: passwords are settings too.
const ASKED: [&str; 5] = [
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "maxmemory-policy",
];

/// What all primaries say of themselves, by their names.
pub(super) async fn facts(
    servers: &dyn Servers,
    deadline_ms: u64,
    clock: &dyn Clock,
) -> Vec<Facts> {
    let mut all: BTreeMap<String, Facts> = BTreeMap::new();
    for (name, outcome) in servers.everywhere(words(&["INFO"]), deadline_ms).await {
        let own = all.entry(name.clone()).or_insert(Facts { name, ..Facts::default() });
        match outcome {
            Outcome::Done(value) => own.info.extend(lines(&text(&value).unwrap_or_default())),
            // What it forbids is unknown; what does not come is away.
            Outcome::Broken(_) => {}
            Outcome::NotDone(why) | Outcome::Unknown(why) => own.away = Some(why),
        }
    }
    if all.values().any(|facts| facts.info("cluster_enabled") == Some("1")) {
        for (facts, value) in ask(servers, &mut all, &["CLUSTER", "INFO"], deadline_ms).await {
            facts.info.extend(lines(&text(&value).unwrap_or_default()));
        }
    }
    for name in ASKED {
        for (facts, value) in ask(servers, &mut all, &["CONFIG", "GET", name], deadline_ms).await {
            facts.settings.extend(pairs(&value));
        }
    }
    clocks(servers, &mut all, deadline_ms, clock).await;
    pings(servers, &mut all, deadline_ms, clock).await;
    all.into_values().collect()
}

async fn clocks(
    servers: &dyn Servers,
    all: &mut BTreeMap<String, Facts>,
    deadline_ms: u64,
    clock: &dyn Clock,
) {
    let (before, started) = (clock.now(), clock.uptime_ms());
    let replies = ask(servers, all, &["TIME"], deadline_ms).await;
    // Somewhere between question and answer; the wall clock may be set meanwhile.
    let half = clock.uptime_ms().saturating_sub(started) / 2;
    for (facts, value) in replies {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        facts.clock = time_ms(&value).map(|theirs| Skew {
            ahead_ms: signed(theirs).saturating_sub(signed(before.plus_ms(half).0)),
            within_ms: half.saturating_add(1),
        });
    }
}

/// All primaries are asked at once, so each is counted as slow as the slowest.
async fn pings(
    servers: &dyn Servers,
    all: &mut BTreeMap<String, Facts>,
    deadline_ms: u64,
    clock: &dyn Clock,
) {
    for _ in 0..PINGS {
        let started = clock.uptime_ms();
        let replies = ask(servers, all, &["PING"], deadline_ms).await;
        let took = clock.uptime_ms().saturating_sub(started);
        for (facts, _) in replies {
            facts.pings_ms.push(took);
        }
    }
}

/// What those answer that are known and there.
async fn ask<'a>(
    servers: &dyn Servers,
    all: &'a mut BTreeMap<String, Facts>,
    command: &[&str],
    deadline_ms: u64,
) -> Vec<(&'a mut Facts, Value)> {
    let replies = servers.everywhere(words(command), deadline_ms).await;
    let mut replies: BTreeMap<String, Outcome> = replies.into_iter().collect();
    let answered = all.iter_mut().filter_map(|(name, facts)| match replies.remove(name) {
        Some(Outcome::Done(value)) => Some((facts, value)),
        _ => None,
    });
    answered.collect()
}

/// What is read of every partition's epoch.
pub(in crate::ledger::redis) async fn census(servers: &dyn Servers, settings: &Settings) -> Census {
    let keys = Keys::new(&settings.prefix);
    let asked = Partition::all().map(|partition| {
        let call = Call {
            what: What::Command(vec![b"GET".to_vec(), keys.epoch(partition)]),
            partition,
            deadline_ms: settings.deadlines.other_ms,
        };
        let reply = servers.run(call);
        async move { (partition.number(), reply.await) }
    });
    Census::of(join_all(asked).await.into_iter())
}

/// A command of texts.
pub(in crate::ledger::redis) fn words(command: &[&str]) -> Vec<Vec<u8>> {
    command.iter().map(|word| word.as_bytes().to_vec()).collect()
}
