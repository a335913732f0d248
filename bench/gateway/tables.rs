//! The page of results.

use std::fmt::Write as _;

use crate::Plan;
use crate::figures::{FOREIGN_MAX, Figure, Figures, STEAL_MAX};
use crate::goals;
use crate::machine;
use crate::peers::Peer;
use crate::seed;

/// A column: its head, its figure, and how it is shown.
struct Column(&'static str, Figure, Shown);

#[derive(Clone, Copy)]
enum Shown {
    /// So many digits behind the point, with the least and the most.
    Plain(usize),
    /// What it is more than that of nothing between.
    Added,
    /// As a multiple of nginx's.
    OfNginx,
}

const SATURATION: [Column; 7] = [
    Column("requests/s", Figure::Throughput, Shown::Plain(0)),
    Column("× nginx", Figure::Throughput, Shown::OfNginx),
    Column("CPU µs/request", Figure::Cpu, Shown::Plain(1)),
    Column("× nginx", Figure::Cpu, Shown::OfNginx),
    Column("Redis CPU µs/request", Figure::RedisCpu, Shown::Plain(1)),
    Column("both", Figure::AllCpu, Shown::Plain(1)),
    Column("load CPU µs/request", Figure::LoadCpu, Shown::Plain(1)),
];
const RATE: [Column; 4] = [
    Column("p50 µs", Figure::P50, Shown::Plain(0)),
    Column("added p50", Figure::P50, Shown::Added),
    Column("p99 µs", Figure::P99, Shown::Plain(0)),
    Column("CPU µs/request", Figure::PacedCpu, Shown::Plain(0)),
];
const STREAMS: [Column; 5] = [
    Column("first byte p50 µs", Figure::First, Shown::Plain(0)),
    Column("added", Figure::First, Shown::Added),
    Column("chunk p50 µs", Figure::Chunk, Shown::Plain(0)),
    Column("added", Figure::Chunk, Shown::Added),
    Column("CPU µs/chunk", Figure::ChunkCpu, Shown::Plain(1)),
];
const SCRIPTS: [Column; 4] = [
    Column("scripts a request", Figure::Scripts, Shown::Plain(2)),
    Column("µs inside a script", Figure::Script, Shown::Plain(1)),
    Column("µs inside a request's scripts", Figure::Inside, Shown::Plain(1)),
    Column("µs inside an empty script", Figure::Empty, Shown::Plain(1)),
];
const SPACE: [Column; 9] = [
    Column("peak MiB", Figure::Peak, Shown::Plain(1)),
    Column("start ms", Figure::Start, Shown::Plain(0)),
    Column("KiB an open stream", Figure::Held, Shown::Plain(1)),
    Column("CPU ms/s while idle", Figure::Idle, Shown::Plain(0)),
    Column("of Redis", Figure::RedisIdle, Shown::Plain(0)),
    Column("system calls/request", Figure::Calls, Shown::Plain(1)),
    Column("of these futex", Figure::Locks, Shown::Plain(2)),
    Column("allocations/request", Figure::Allocations, Shown::Plain(0)),
    Column("bytes of them", Figure::Allocated, Shown::Plain(0)),
];

/// What the rows stand for.
const LEGEND: &str = "\
`direct`: the load asks the upstream itself (its CPU is the upstream's). `nginx`: `proxy_pass` with two workers, which meters \
nothing. `nginx-lua-redis`: nginx with a reserve and a settlement by two short scripts. `embedded`: the gateway, \
each group of calls to its ledger synced twice before it is answered; `embedded-in-memory`: the same where a sync \
costs nothing. `redis`: the gateway, Redis with `appendfsync everysec`; `redis-always`, `redis-no-log`: with \
`always`, without a log; `redis-told`: with a log line for each request and settlement (`TOLLGATE_LOG=info`, which is \
the default; the other rows have `warn`, as nginx has no access log); `redis-other`: another program, named by \
`OTHER`. The gateway checks a key of 100, which are of @ACCOUNTS@ accounts, reads and \
prices the request, checks a daily cap and a slot limit, reserves, forwards, reads `usage` out of the answer, \
settles at what it says, and counts.";

/// The whole page.
pub(crate) fn page(plan: &Plan, figures: &Figures, took_seconds: u64) -> String {
    let Plan { rounds, seconds, .. } = plan;
    let (measurements, noisy) = figures.noisy();
    let mut text = format!("# The gateway beside nginx, {}\n\n", machine::today());
    if plan.is_trial() {
        text.push_str("A trial: too short, or too few, to be kept.\n\n");
    }
    let steal = format!("{STEAL_MAX} of a processor for the host or {FOREIGN_MAX} for others");
    write!(
        text,
        "{}\n\nCommand: `ROUNDS={rounds} SECONDS={seconds} cargo bench --bench gateway`; it took {took_seconds} s. Load, upstream, peer \
         and Redis share the machine, on loopback, without TLS. {rounds} interleaved rounds; medians (least–most). \
         {noisy} of {measurements} measurements were dropped because more than {steal} went elsewhere meanwhile; † where all \
         were, and stand nevertheless. Answers that were not 200: {}.\n\n{}\n",
        machine::told(),
        bad(figures),
        LEGEND.replace("@ACCOUNTS@", &seed::accounts().to_string()),
    )
    .unwrap();
    let head = "64 connections, each asking again at once: 1 KiB of JSON";
    section(&mut text, plan, figures, head, &SATURATION);
    let head = "1,000 requests a second, counted from the instant at which each was due";
    section(&mut text, plan, figures, head, &RATE);
    let head = "50 streams begun a second, of 50 chunks 2 ms apart";
    section(&mut text, plan, figures, head, &STREAMS);
    section(&mut text, plan, figures, "Inside Redis, at 64 connections", &SCRIPTS);
    let head = "Memory after 64 connections, start to first answer, 1,000 open streams, and what a request asks for";
    section(&mut text, plan, figures, head, &SPACE);
    for (peer, frequent) in &figures.frequent {
        writeln!(text, "{}System calls a request of `{}`: {frequent}.", gap(&text), peer.name())
            .unwrap();
    }
    write!(text, "\n## Goals\n\n{}", goals::table(figures)).unwrap();
    text
}

/// An empty line behind a table, a line within a list.
fn gap(text: &str) -> &'static str {
    if text.ends_with("|\n") { "\n- " } else { "- " }
}

fn bad(figures: &Figures) -> String {
    let some = figures.bad.iter().filter(|(_, count)| **count > 0);
    let told: Vec<_> = some.map(|(peer, count)| format!("{count} of {}", peer.name())).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

fn section(text: &mut String, plan: &Plan, figures: &Figures, title: &str, columns: &[Column]) {
    let has = |peer: &Peer| columns.iter().any(|column| figures.of(*peer, column.1).is_some());
    let peers: Vec<_> = plan.peers.iter().copied().filter(has).collect();
    let heads: Vec<_> = columns.iter().map(|column| column.0).collect();
    write!(text, "\n## {title}\n\n| | {} |\n|---|", heads.join(" | ")).unwrap();
    text.push_str(&"---|".repeat(columns.len()));
    for peer in peers {
        let cells: Vec<_> = columns.iter().map(|column| cell(figures, peer, column)).collect();
        write!(text, "\n| {} | {} |", peer.name(), cells.join(" | ")).unwrap();
    }
    text.push('\n');
}

fn cell(figures: &Figures, peer: Peer, Column(_, figure, shown): &Column) -> String {
    let Some(spread) = figures.of(peer, *figure) else { return "–".to_owned() };
    let mark = if spread.is_noisy { " †" } else { "" };
    let against = |other: Peer| figures.median(other, *figure);
    match *shown {
        Shown::Plain(digits) if spread.rounds == 1 => format!("{:.digits$}{mark}", spread.median),
        Shown::Plain(digits) => {
            let (median, least, most) = (spread.median, spread.least, spread.most);
            format!("{median:.digits$} ({least:.digits$}–{most:.digits$}){mark}")
        }
        Shown::Added => against(Peer::Direct)
            .map_or("–".to_owned(), |it| format!("{:+.0}", spread.median - it)),
        Shown::OfNginx => {
            against(Peer::Nginx).map_or("–".to_owned(), |it| format!("{:.2}", spread.median / it))
        }
    }
}
