//! What is measured once, beside the clock: memory of open streams, system calls, allocations.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::counted::{self, Count};
use crate::figures::{Figure, Figures, Noise};
use crate::load;
use crate::peers::{Form, Peer, Up};
use crate::process::{cpu, free_port, memory, signal};
use crate::upstream;

/// How many streams are open at once.
const OPEN: usize = 1_000;
/// Connections while calls are counted.
const CONNECTIONS: usize = 64;
/// How long they are counted.
const SECONDS: f64 = 2.0;
/// How long it is watched while nobody asks: several of its rounds, of which the longest is two seconds.
const IDLE: f64 = 4.0;
/// How many kinds of system calls are named.
const NAMED: usize = 7;

/// Measures a peer in these ways and puts down what came of it.
pub(crate) fn run(peer: Peer, upstream: &upstream::Started, figures: &mut Figures) {
    if peer == Peer::Direct {
        return;
    }
    let up = Up::start(peer, upstream, Form::Release);
    load::saturate(up.port, &up.keys, CONNECTIONS, 0.5);
    let calls = calls(&up.processes(upstream), || {
        load::saturate(up.port, &up.keys, CONNECTIONS, SECONDS).good as f64
    });
    figures.put(peer, Figure::Calls, calls.each, Noise::default());
    figures.put(peer, Figure::Locks, calls.locks, Noise::default());
    figures.frequent.insert(peer, calls.frequent);
    idle(peer, &up, upstream, figures);
    figures.put(peer, Figure::Held, held(&up, upstream), Noise::default());
    drop(up);
    if peer.is_gateway() && peer != Peer::RedisOther {
        let (times, bytes) = allocations(peer, upstream);
        figures.put(peer, Figure::Allocations, times, Noise::default());
        figures.put(peer, Figure::Allocated, bytes, Noise::default());
    }
}

/// What it uses while nobody asks: sweeping, looking, exporting.
fn idle(peer: Peer, up: &Up, upstream: &upstream::Started, figures: &mut Figures) {
    let own = || cpu(&up.processes(upstream));
    let redis = || up.redis.as_ref().map(|redis| cpu(&redis.process.tree()));
    let (before, of_redis) = (own(), redis());
    std::thread::sleep(Duration::from_secs_f64(IDLE));
    figures.put(peer, Figure::Idle, (own() - before) * 1_000.0 / IDLE, Noise::default());
    if let (Some(after), Some(before)) = (redis(), of_redis) {
        let idle = (after - before) * 1_000.0 / IDLE;
        figures.put(peer, Figure::RedisIdle, idle, Noise::default());
    }
}

/// KiB that each of many open streams takes up.
fn held(up: &Up, upstream: &upstream::Started) -> f64 {
    let of = || memory(&up.processes(upstream), "VmRSS");
    let before = of();
    let open = load::hold(up.port, &up.keys, OPEN);
    std::thread::sleep(Duration::from_millis(200));
    let more = of() - before;
    drop(open);
    more / OPEN as f64
}

/// Calls to the system, for each request.
struct Calls {
    each: f64,
    locks: f64,
    frequent: String,
}

/// Counts the calls of all threads of these processes while `load` runs and says how much was answered.
fn calls(ids: &[u32], load: impl FnOnce() -> f64) -> Calls {
    let mut command = Command::new("strace");
    command.args(["-c", "-f", "-q"]);
    for id in ids {
        command.args(["-p", &id.to_string()]);
    }
    let strace = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It says nothing when it has taken hold of all threads.
    std::thread::sleep(Duration::from_millis(500));
    let answered = load();
    signal(strace.id(), Signal::INT);
    let told = strace.wait_with_output().unwrap().stderr;
    let told = String::from_utf8_lossy(&told);
    let mut counts: Vec<(f64, &str)> = told.lines().filter_map(count).collect();
    counts.sort_by(|one, other| other.0.total_cmp(&one.0));
    let each = counts.iter().map(|(count, _)| count).sum::<f64>() / answered;
    let locks = counts.iter().find(|(_, name)| *name == "futex").map_or(0.0, |it| it.0 / answered);
    let word = |(count, name): &(f64, &str)| format!("{name} {:.2}", count / answered);
    let frequent = counts.iter().take(NAMED).map(word).collect::<Vec<_>>().join(", ");
    Calls { each, locks, frequent }
}

/// A line of the summary: `% time, seconds, usecs/call, calls, [errors,] syscall`.
fn count(line: &str) -> Option<(f64, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let name = *words.last()?;
    words.first()?.parse::<f64>().ok()?;
    let calls = words.get(3)?.parse().ok()?;
    (name != "total" && words.len() > 4).then_some((calls, name))
}

/// Allocations and their bytes, for each request; without those of the work that goes on while nobody asks.
fn allocations(peer: Peer, upstream: &upstream::Started) -> (f64, f64) {
    let port = free_port();
    let up = Up::start(peer, upstream, Form::Counted(port));
    load::saturate(up.port, &up.keys, CONNECTIONS, 0.5);
    let idle = counted::ask(port);
    std::thread::sleep(Duration::from_secs_f64(2.0 * SECONDS));
    let before = counted::ask(port);
    let answered = load::saturate(up.port, &up.keys, CONNECTIONS, 2.0 * SECONDS).good as f64;
    let after = counted::ask(port);
    let each = |of: fn(&Count) -> f64| {
        let beside = of(&before) - of(&idle);
        (of(&after) - of(&before) - beside) / answered
    };
    (each(|count| count.times), each(|count| count.bytes))
}
