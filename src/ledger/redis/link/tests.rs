//! The link against real servers, and against a proxy that cuts connections.

mod broken;
mod calls;
mod cluster;
mod cutter;
#[path = "../../../../tests/it/redis_server/mod.rs"]
#[expect(dead_code, reason = "the ledger's own tests need more of it")]
mod redis_server;
mod sentinel;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::Value;
use redis_server::RedisServer;

use super::*;
use crate::ledger::redis::settings::{Address, Login};

/// Adds one to a counter and says what it was.
const COUNT: usize = 0;
/// Appends to a list.
const APPEND: usize = 1;
/// Reads.
const READ: usize = 2;
/// Runs for a second or so.
const SPIN: usize = 3;
/// Writes, and then fails.
const FAIL: usize = 4;
/// Notes that the partition's server came back.
const BACK: usize = 5;
/// May write when memory is short.
const SAVE: usize = 6;

fn scripts() -> Arc<[Script]> {
    let texts = [
        ("count", "#!lua\nreturn redis.call('INCR', KEYS[1])"),
        ("append", "#!lua\nreturn redis.call('RPUSH', KEYS[1], ARGV[1])"),
        ("read", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])"),
        (
            "spin",
            "#!lua\nlocal n = 0\nfor i = 1, 3e8 do n = n + i end\nreturn redis.call('INCR', KEYS[1])",
        ),
        ("fail", "#!lua\nredis.call('SET', KEYS[1], 'x')\nreturn redis.call('INCR', KEYS[1])"),
        ("back", "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])"),
        ("save", "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], ARGV[1])"),
    ];
    texts.map(|(name, text)| Script { name, text: text.to_owned() }).into()
}

fn partition(number: usize) -> Partition {
    Partition::all().nth(number).unwrap()
}

fn key(partition: Partition, rest: &str) -> Vec<u8> {
    format!("t:{{{:04}}}:{rest}", partition.number()).into_bytes()
}

fn call(script: usize, partition: Partition, rest: &str, args: &[&str], deadline_ms: u64) -> Call {
    let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    let what = What::Script { script, keys: vec![key(partition, rest)], args };
    Call { what, partition, deadline_ms }
}

/// How often a `returned` call was made.
#[derive(Clone, Debug, Default)]
struct Backs(Arc<AtomicU64>);

fn open(settings: Settings) -> (Link, Backs) {
    let backs = Backs::default();
    let count = Arc::clone(&backs.0);
    let returned: Returned = Arc::new(move |partition| {
        count.fetch_add(1, Ordering::SeqCst);
        call(BACK, partition, "back", &[], 2_000)
    });
    (Link::open(Arc::new(settings), &scripts(), returned), backs)
}

/// No leases: a server that has just started was not away for as long as one.
fn settings(port: u16) -> Settings {
    let mut settings = Settings::at("127.0.0.1", port);
    settings.lease_ms = 0;
    settings
}

async fn count(link: &Link, deadline_ms: u64) -> Outcome {
    link.run(call(COUNT, partition(417), "n", &[], deadline_ms)).await
}

/// Asks until the answer is of the kind that is waited for; at most 20 s.
async fn until(link: &Link, what: &str, good: impl Fn(&Outcome) -> bool) -> Outcome {
    for _ in 0..1_000 {
        let outcome = link.run(call(READ, partition(417), "n", &[], 1_000)).await;
        if good(&outcome) {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain until {what}");
}

fn done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(_))
}

#[track_caller]
fn not_done(outcome: Outcome, word: &str) {
    match outcome {
        Outcome::NotDone(why) if why.contains(word) => {}
        other => panic!("{other:?} has no {word:?}"),
    }
}

fn number(server: &RedisServer, key: &[u8]) -> u64 {
    redis::from_redis_value::<Option<u64>>(server.command(&[b"GET", key])).unwrap().unwrap_or(0)
}

/// Runs blocking work of a test while the link goes on.
async fn meanwhile<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, hears) = tokio::sync::oneshot::channel();
    drop(crate::seam::thread("meanwhile", move || drop(told.send(work()))).unwrap());
    hears.await.unwrap()
}
