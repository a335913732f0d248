//! Findings from facts that were written by hand.

use super::super::facts::{Skew, lines};
use super::*;
use crate::ledger::finding::Level;
use crate::ledger::redis::settings::Address;

const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:260000\r\n\
    # Memory\r\nused_memory:104857600\r\nmaxmemory:1073741824\r\nmaxmemory_policy:noeviction\r\n\
    # Persistence\r\nloading:0\r\naof_enabled:1\r\naof_last_write_status:ok\r\n\
    aof_last_bgrewrite_status:ok\r\nrdb_last_bgsave_status:ok\r\n\
    # Replication\r\nrole:master\r\nconnected_slaves:2\r\n# Cluster\r\ncluster_enabled:0\r\n";

const CONFIG: [(&str, &str); 4] = [
    ("appendfsync", "always"),
    ("no-appendfsync-on-rewrite", "no"),
    ("min-replicas-to-write", "1"),
    ("min-replicas-max-lag", "10"),
];

/// A server as it should be.
fn good() -> Facts {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Facts {
        name: "a:1".to_owned(),
        away: None,
        info: lines(INFO).collect(),
        settings: CONFIG.iter().map(own).collect(),
        clock: Some(Skew { ahead_ms: -12, within_ms: 1 }),
        pings_ms: vec![0, 0, 1, 1, 2],
    }
}

fn said(facts: &Facts) -> Vec<(Level, &'static str)> {
    let found = server(facts, &Settings::at("a", 1));
    for finding in &found {
        assert_eq!(finding.level == Level::Ok, finding.advice.is_empty(), "{finding:?}");
        assert_eq!(finding.place, "a:1");
    }
    found.into_iter().map(|finding| (finding.level, finding.code)).collect()
}

/// What is not well.
fn unwell(facts: &Facts) -> Vec<(Level, &'static str)> {
    said(facts).into_iter().filter(|(level, _)| *level != Level::Ok).collect()
}

fn with(pairs: &[(&str, &str)]) -> Facts {
    let mut facts = good();
    for (name, value) in pairs {
        let map = if name.contains('-') || *name == "appendfsync" {
            &mut facts.settings
        } else {
            &mut facts.info
        };
        map.insert((*name).to_owned(), (*value).to_owned());
    }
    facts
}

#[test]
fn a_server_as_it_should_be() {
    let codes: Vec<_> = said(&good()).into_iter().map(|(_, code)| code).collect();
    let all = ["version", "memory", "eviction", "persistence", "replicas", "clock", "latency"];
    assert_eq!(codes, all);
    assert_eq!(unwell(&good()), []);
    let found = server(&good(), &Settings::at("a", 1));
    let words: Vec<_> = found.iter().map(|finding| finding.found.as_str()).collect();
    assert_eq!(
        words,
        [
            "Redis 7.0.15, up for 72 h",
            "100 of 1024 MiB used",
            "noeviction",
            "each write is synced before it is answered",
            "2 connected; writes need 1, at most 10 s behind",
            "12 ms behind this machine's",
            "1 ms as a rule, 2 ms at most, of 5",
        ]
    );
}

/// What differs from a good server, and what is said of it.
type Row = (&'static [(&'static str, &'static str)], Level, &'static str);

#[test]
fn each_thing_that_is_not_well() {
    use Level::{Error, Warning};
    let rows: [Row; 21] = [
        (&[("redis_version", "6.2.14")], Error, "version_too_old"),
        (&[("valkey_version", "6.9.0")], Error, "version_too_old"),
        (&[("redis_version", "")], Error, "version_too_old"),
        (&[("loading", "1")], Error, "loading"),
        (&[("role", "slave")], Error, "not_primary"),
        (&[("maxmemory", "0")], Warning, "no_memory_limit"),
        (&[("used_memory", "1000000000")], Warning, "nearly_full"),
        (&[("maxmemory", "unknown")], Warning, "unknown_setting"),
        (&[("maxmemory_policy", "allkeys-lru")], Error, "evicts"),
        (&[("maxmemory_policy", "volatile-ttl")], Error, "evicts"),
        (&[("aof_enabled", "0")], Warning, "not_persistent"),
        (&[("appendfsync", "everysec")], Warning, "fsync_everysec"),
        (&[("appendfsync", "no")], Warning, "fsync_no"),
        (&[("aof_last_write_status", "err")], Error, "log_failing"),
        (&[("aof_last_bgrewrite_status", "err")], Error, "log_failing"),
        (&[("rdb_last_bgsave_status", "err")], Error, "snapshot_failing"),
        (&[("no-appendfsync-on-rewrite", "yes")], Warning, "fsync_pauses"),
        (&[("connected_slaves", "0")], Warning, "no_replicas"),
        (&[("connected_slaves", "")], Warning, "unknown_setting"),
        (&[("min-replicas-to-write", "0")], Warning, "replicas_not_needed"),
        (&[("cluster_enabled", "1")], Error, "is_cluster"),
    ];
    for (pairs, level, code) in rows {
        assert_eq!(unwell(&with(pairs)), [(level, code)], "{pairs:?}");
    }
    let valkey = with(&[("redis_version", "7.2.4"), ("valkey_version", "8.1.1")]);
    assert_eq!(unwell(&valkey), []);
}

#[test]
fn what_may_not_be_asked_is_unknown_and_not_well() {
    let mut facts = good();
    facts.settings.clear();
    let unknown = (Level::Warning, "unknown_setting");
    assert_eq!(unwell(&facts), [unknown, unknown], "appendfsync and min-replicas-to-write");
    let silent = Facts { name: "a:1".to_owned(), ..Facts::default() };
    assert_eq!(unwell(&silent), [unknown; 7]);
}

#[test]
fn clocks_and_latency() {
    let apart = |ahead_ms, within_ms| {
        let mut facts = good();
        facts.clock = Some(Skew { ahead_ms, within_ms });
        unwell(&facts)
    };
    assert_eq!(apart(1_000, 0), []);
    assert_eq!(apart(-1_500, 600), [], "what is uncertain is not held against it");
    assert_eq!(apart(-1_500, 400), [(Level::Warning, "clock_skew")]);
    assert_eq!(apart(300_001, 0), [(Level::Error, "clock_skew")]);
    let slow = |pings_ms: &[u64]| {
        let mut facts = good();
        facts.pings_ms = pings_ms.to_vec();
        unwell(&facts)
    };
    assert_eq!(slow(&[5, 5, 125]), []);
    assert_eq!(slow(&[6, 6, 6]), [(Level::Warning, "slow")]);
    assert_eq!(slow(&[1, 1, 126]), [(Level::Warning, "slow")], "half of the deadline");
}

#[test]
fn a_cluster_covers_all_slots() {
    let address = Address { host: "a".to_owned(), port: 1 };
    let topology = Topology::Cluster { seeds: vec![address] };
    let settings = Settings { topology, ..Settings::at("a", 1) };
    let said = |pairs: &[(&str, &str)]| {
        server(&with(pairs), &settings).pop().map(|finding| (finding.level, finding.code))
    };
    let on = ("cluster_enabled", "1");
    let (ok, all) = (("cluster_state", "ok"), ("cluster_slots_ok", "16384"));
    assert_eq!(said(&[on, ok, all]), Some((Level::Ok, "cluster")));
    let missing = Some((Level::Error, "slots_missing"));
    assert_eq!(said(&[on, ok, ("cluster_slots_ok", "16000")]), missing);
    assert_eq!(said(&[on, ("cluster_state", "fail"), all]), missing);
    assert_eq!(said(&[on]), Some((Level::Warning, "unknown_setting")));
    assert_eq!(said(&[]), Some((Level::Error, "not_cluster")));
}

#[test]
fn a_server_that_is_away_is_all_there_is_to_say() {
    let mut facts = good();
    facts.away = Some("connection refused".to_owned());
    assert_eq!(said(&facts), [(Level::Error, UNREACHABLE)]);
}

#[test]
fn who_has_taken_over_says_so() {
    let first = with(&[("master_replid2", "0000000000000000"), ("second_repl_offset", "-1")]);
    assert!(!said(&first).contains(&(Level::Ok, "took_over")));
    let second = with(&[("second_repl_offset", "4711")]);
    assert!(said(&second).contains(&(Level::Ok, "took_over")));
    assert!(unwell(&second).is_empty());
}
