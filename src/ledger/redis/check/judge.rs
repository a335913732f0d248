//! What a server says of itself, judged: from facts to findings, without asking anybody.
//!
//! Invariant: what is not known is a warning, never taken for well.

use super::facts::Facts;
use crate::ledger::finding::{Finding, UNREACHABLE};
use crate::ledger::redis::settings::{Settings, Topology};

/// The oldest version whose scripts can do what ours do.
const VERSION_MIN: (u32, u32) = (7, 0);
/// From this part of its memory on, in percent, a server is nearly full.
const NEARLY_FULL: u64 = 80;
/// The clocks' difference that is remarkable, and the one with which nothing is served, in milliseconds.
const SKEW_MS: u64 = 1_000;
const SKEW_MAX_MS: u64 = 5 * 60_000;
/// A usual answer that takes longer than this is slow, in milliseconds.
const SLOW_MS: u64 = 5;
/// The slots of a cluster.
const SLOTS: u64 = 16_384;

const LOST_ON_CRASH: &str = "if the machine loses power or the server is killed";

/// Everything about one primary.
pub(super) fn server(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let name = &facts.name;
    if let Some(why) = &facts.away {
        let advice = "is it running, and do address, TLS, user and password fit?";
        return vec![Finding::error(UNREACHABLE, name, why, advice)];
    }
    let mut found = vec![version(facts)];
    found.extend(role(facts));
    found.push(memory(facts));
    found.push(policy(facts));
    found.extend(persistence(facts));
    found.push(replicas(facts));
    found.extend(took_over(facts));
    found.push(clock(facts));
    found.push(latency(facts, settings.deadlines.reserve_ms));
    found.extend(cluster(facts, &settings.topology));
    found
}

fn unknown(facts: &Facts, setting: &str, wanted: &str) -> Finding {
    let found = format!("{setting} is unknown: the server does not say");
    let advice = format!("check by hand that it is {wanted}, or allow `CONFIG GET` and `INFO`");
    Finding::warning("unknown_setting", &facts.name, found, &advice)
}

fn version(facts: &Facts) -> Finding {
    let Some((product, version)) = facts.version() else {
        return unknown(facts, "the version", "7.0 or later");
    };
    let found = format!("{product} {version}");
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let numbers = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if numbers < VERSION_MIN {
        let advice = "use Redis or Valkey 7.0 or later";
        return Finding::error("version_too_old", &facts.name, found, advice);
    }
    let hours = facts.number("uptime_in_seconds").map(|seconds| seconds / 3_600);
    let up = hours.map_or(String::new(), |hours| format!(", up for {hours} h"));
    Finding::ok("version", &facts.name, found + &up)
}

/// What keeps it from taking writes at all.
fn role(facts: &Facts) -> Option<Finding> {
    if facts.info("loading") == Some("1") {
        let advice = "wait until it has read its data, and look again";
        return Some(Finding::error("loading", &facts.name, "it is loading its data", advice));
    }
    let replica = facts.info("role") == Some("slave");
    let advice = "name the primary, or let Sentinels name it";
    replica.then(|| Finding::error("not_primary", &facts.name, "it is a replica", advice))
}

fn memory(facts: &Facts) -> Finding {
    let (Some(used), Some(most)) = (facts.number("used_memory"), facts.number("maxmemory")) else {
        return unknown(facts, "maxmemory", "well above what is used");
    };
    let used_mib = used >> 20;
    if most == 0 {
        let found = format!("{used_mib} MiB used, without a limit");
        let advice = "set `maxmemory` below what the machine has: a full machine kills the server, \
                      a full server refuses and forgets nothing";
        return Finding::warning("no_memory_limit", &facts.name, found, advice);
    }
    let found = format!("{used_mib} of {} MiB used", most >> 20);
    if used.saturating_mul(100) > most.saturating_mul(NEARLY_FULL) {
        let advice = "give it more memory, or keep ended charges for a shorter time; a full server \
                      refuses requests";
        return Finding::warning("nearly_full", &facts.name, found, advice);
    }
    Finding::ok("memory", &facts.name, found)
}

fn policy(facts: &Facts) -> Finding {
    let policy = facts.info("maxmemory_policy").or_else(|| facts.setting("maxmemory-policy"));
    match policy {
        Some("noeviction") => Finding::ok("eviction", &facts.name, "noeviction"),
        Some(other) => {
            let found = format!("maxmemory-policy is {other}: a full server forgets money");
            let advice = "set `maxmemory-policy noeviction`; nothing is served before";
            Finding::error("evicts", &facts.name, found, advice)
        }
        None => unknown(facts, "maxmemory-policy", "noeviction"),
    }
}

/// What survives the server's end.
fn persistence(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![log(facts)];
    for (status, code, what) in [
        ("aof_last_write_status", "log_failing", "the last write of the log failed"),
        ("aof_last_bgrewrite_status", "log_failing", "the last rewrite of the log failed"),
        ("rdb_last_bgsave_status", "snapshot_failing", "the last snapshot failed"),
    ] {
        if facts.info(status).is_some_and(|status| status != "ok") {
            let advice = "look into the server's own log; often its disk is full";
            found.push(Finding::error(code, &facts.name, what, advice));
        }
    }
    if facts.setting("no-appendfsync-on-rewrite") == Some("yes") {
        let what = "while the log is rewritten nothing is synced";
        let advice = "set `no-appendfsync-on-rewrite no`";
        found.push(Finding::warning("fsync_pauses", &facts.name, what, advice));
    }
    found
}

fn log(facts: &Facts) -> Finding {
    let advice = "set `appendonly yes` and `appendfsync always`";
    match (facts.info("aof_enabled"), facts.setting("appendfsync")) {
        (None, _) => unknown(facts, "appendonly", "yes, with `appendfsync always`"),
        (Some("0"), _) => {
            let lost = "all holds and charges since the last snapshot are lost";
            let found = format!("no log is written: {lost} {LOST_ON_CRASH}");
            Finding::warning("not_persistent", &facts.name, found, advice)
        }
        (_, None) => unknown(facts, "appendfsync", "always"),
        (_, Some("always")) => {
            Finding::ok("persistence", &facts.name, "each write is synced before it is answered")
        }
        (_, Some("everysec")) => {
            let lost = "up to two seconds of holds and charges are lost";
            let found = format!("appendfsync is everysec: {lost} {LOST_ON_CRASH}");
            Finding::warning("fsync_everysec", &facts.name, found, advice)
        }
        (_, Some(other)) => {
            let lost = "half a minute of holds and charges may be lost";
            let found = format!("appendfsync is {other}: {lost} {LOST_ON_CRASH}");
            Finding::warning("fsync_no", &facts.name, found, advice)
        }
    }
}

fn replicas(facts: &Facts) -> Finding {
    let Some(replicas) = facts.number("connected_slaves") else {
        return unknown(facts, "the number of replicas", "at least 1");
    };
    if replicas == 0 {
        let found = "it has no replica: the ledger is as safe as this machine's disk";
        let advice = "give it one, or keep copies of its log elsewhere";
        return Finding::warning("no_replicas", &facts.name, found, advice);
    }
    let found = format!("{replicas} connected");
    match facts.setting("min-replicas-to-write") {
        None => unknown(facts, "min-replicas-to-write", "at least 1"),
        Some("0") => {
            let found = found
                + ", but writes go on without them: a primary that is cut off takes \
                         writes that a failover forgets";
            let advice = "set `min-replicas-to-write 1` and `min-replicas-max-lag 10`";
            Finding::warning("replicas_not_needed", &facts.name, found, advice)
        }
        Some(least) => {
            let lag = facts.setting("min-replicas-max-lag").unwrap_or("?");
            let found = format!("{found}; writes need {least}, at most {lag} s behind");
            Finding::ok("replicas", &facts.name, found)
        }
    }
}

/// Whether it was a replica and another primary's history ends in its own: since its start, as far as it knows.
fn took_over(facts: &Facts) -> Option<Finding> {
    facts.number("second_repl_offset")?;
    let found = "it has taken over from another primary: what that one had acknowledged and not passed on is \
                 lost; `tollgate audit` of each instance names accounts that have gone back";
    Some(Finding::ok("took_over", &facts.name, found))
}

fn clock(facts: &Facts) -> Finding {
    let Some(skew) = facts.clock else {
        return unknown(facts, "its clock", "the same as here");
    };
    let way = if skew.ahead_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("{} ms {way} this machine's", skew.ahead_ms.unsigned_abs());
    let advice = "let both machines' clocks be set by NTP; above 5 minutes nothing is served";
    match skew.certain_ms() {
        apart if apart > SKEW_MAX_MS => Finding::error("clock_skew", &facts.name, found, advice),
        apart if apart > SKEW_MS => Finding::warning("clock_skew", &facts.name, found, advice),
        _ => Finding::ok("clock", &facts.name, found),
    }
}

fn latency(facts: &Facts, reserve_ms: u64) -> Finding {
    let Some((middle, longest)) = facts.latency() else {
        return unknown(facts, "how fast it answers", "well below 1 ms away");
    };
    let pings = facts.pings_ms.len();
    let ms = |ms: u64| if ms == 0 { "less than 1 ms".to_owned() } else { format!("{ms} ms") };
    let found = format!("{} as a rule, {} at most, of {pings}", ms(middle), ms(longest));
    if middle > SLOW_MS || longest > reserve_ms / 2 {
        let advice = "each request waits for it once: bring both nearer, look for slow commands \
                      (`SLOWLOG GET`), or raise `deadlines.reserve`";
        return Finding::warning("slow", &facts.name, found, advice);
    }
    Finding::ok("latency", &facts.name, found)
}

fn cluster(facts: &Facts, topology: &Topology) -> Option<Finding> {
    let wanted = matches!(topology, Topology::Cluster { .. });
    match (wanted, facts.info("cluster_enabled")) {
        (false, Some("1")) => {
            let advice = "write `cluster: [host:port]` instead of `url` or `sentinel`";
            let found = "it belongs to a cluster";
            return Some(Finding::error("is_cluster", &facts.name, found, advice));
        }
        (true, Some("0")) => {
            let found = "it belongs to no cluster";
            let advice = "write `url: redis://host:port` instead of `cluster`";
            return Some(Finding::error("not_cluster", &facts.name, found, advice));
        }
        (false, _) => return None,
        (true, _) => {}
    }
    let (Some(state), Some(slots)) =
        (facts.info("cluster_state"), facts.number("cluster_slots_ok"))
    else {
        return Some(unknown(facts, "the cluster's state", "ok, with all slots covered"));
    };
    let found = format!("state {state}, {slots} of {SLOTS} slots");
    if state == "ok" && slots == SLOTS {
        return Some(Finding::ok("cluster", &facts.name, found));
    }
    let advice =
        "bring the missing primaries back, or let replicas take over; see `CLUSTER SHARDS`";
    Some(Finding::error("slots_missing", &facts.name, found, advice))
}

#[cfg(test)]
mod tests;
