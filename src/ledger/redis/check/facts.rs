//! What a server says of itself.
//!
//! Invariant: what it did not say is absent, never a default.

use std::collections::BTreeMap;

use redis::Value;

/// What one primary says of itself, and how long it takes to say it.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Its name, for people.
    pub(super) name: String,
    /// Why it says nothing.
    pub(super) away: Option<String>,
    /// What `INFO` and `CLUSTER INFO` say.
    pub(super) info: BTreeMap<String, String>,
    /// What `CONFIG GET` says; it may be forbidden.
    pub(super) settings: BTreeMap<String, String>,
    /// Its clock beside ours.
    pub(super) clock: Option<Skew>,
    /// How long each of some `PING` took, in milliseconds.
    pub(super) pings_ms: Vec<u64>,
}

/// How far a server's clock is ahead of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    /// Milliseconds; negative: behind.
    pub(super) ahead_ms: i64,
    /// What the way of question and answer makes uncertain, in milliseconds.
    pub(super) within_ms: u64,
}

impl Skew {
    /// What is certain of it, whichever direction.
    pub(super) const fn certain_ms(self) -> u64 {
        self.ahead_ms.unsigned_abs().saturating_sub(self.within_ms)
    }
}

impl Facts {
    pub(super) fn info(&self, name: &str) -> Option<&str> {
        self.info.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.info(name)?.parse().ok()
    }

    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Its version, and whose.
    pub(super) fn version(&self) -> Option<(&'static str, &str)> {
        // Valkey gives the version of Redis that it is compatible with as well.
        let valkey = self.info("valkey_version").map(|version| ("Valkey", version));
        valkey.or_else(|| self.info("redis_version").map(|version| ("Redis", version)))
    }

    /// The middle and the longest of its pings, in milliseconds.
    pub(super) fn latency(&self) -> Option<(u64, u64)> {
        let mut sorted = self.pings_ms.clone();
        sorted.sort_unstable();
        Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
    }
}

/// `name:value` on each line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.trim_end().split_once(':')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair)
}

/// The names and values of `CONFIG GET`, in either protocol.
pub(super) fn pairs(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => {
            let pairs = items.chunks_exact(2);
            pairs.filter_map(|pair| Some((text(pair.first()?)?, text(pair.get(1)?)?))).collect()
        }
        Value::Map(pairs) => {
            pairs.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
        }
        _ => Vec::new(),
    }
}

/// The milliseconds since 1970 that `TIME` says.
pub(super) fn time_ms(value: &Value) -> Option<u64> {
    let Value::Array(parts) = value else { return None };
    let number = |at: usize| text(parts.get(at)?)?.parse::<u64>().ok();
    number(0)?.checked_mul(1_000)?.checked_add(number(1)? / 1_000)
}

/// A reply that is a text.
pub(in crate::ledger::redis) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Okay => Some("OK".to_owned()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn replies_of_both_protocols() {
        let read: Vec<_> =
            lines("# Server\r\nredis_version:7.0.15\r\n\r\nrun_id:a:b\r\n").collect();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(read, [pair("redis_version", "7.0.15"), pair("run_id", "a:b")]);
        let two = Value::Array(vec![bulk("appendfsync"), bulk("always")]);
        let three = Value::Map(vec![(bulk("appendfsync"), bulk("always"))]);
        assert_eq!(pairs(&two), pairs(&three));
        assert_eq!(pairs(&two), [pair("appendfsync", "always")]);
        assert_eq!(pairs(&Value::Nil), []);
        let time = Value::Array(vec![bulk("1790000000"), bulk("123999")]);
        assert_eq!(time_ms(&time), Some(1_790_000_000_123));
        assert_eq!(time_ms(&Value::Array(vec![bulk("1")])), None);
    }

    #[test]
    fn the_middle_and_the_longest() {
        let facts = Facts { pings_ms: vec![9, 1, 2], ..Facts::default() };
        assert_eq!(facts.latency(), Some((2, 9)));
        assert_eq!(Facts::default().latency(), None);
    }

    #[test]
    fn what_is_uncertain_of_a_clock_is_not_held_against_it() {
        assert_eq!(Skew { ahead_ms: -1_200, within_ms: 300 }.certain_ms(), 900);
        assert_eq!(Skew { ahead_ms: 100, within_ms: 300 }.certain_ms(), 0);
    }
}
