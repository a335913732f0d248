//! What was measured: every figure of every peer, round by round.

use std::collections::BTreeMap;

use crate::peers::Peer;

/// The most of a processor that the host may take away within a measurement.
pub(crate) const STEAL_MAX: f64 = 0.12;
/// The most of a processor that others may use within it.
pub(crate) const FOREIGN_MAX: f64 = 0.25;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Requests a second, 64 connections.
    Throughput,
    /// µs of the peer's processor time a request, at saturation.
    Cpu,
    /// The same of its Redis.
    RedisCpu,
    /// Of both.
    AllCpu,
    /// The same of the load.
    LoadCpu,
    /// Scripts a request.
    Scripts,
    /// µs within a script.
    Script,
    /// µs within all scripts of a request.
    Inside,
    /// µs within a script that does nothing.
    Empty,
    /// µs from the due instant to the answer's end, at a fixed rate.
    P50,
    /// Likewise.
    P99,
    /// µs of the peer's processor time a request, at a fixed rate.
    PacedCpu,
    /// µs from the due instant to a stream's first byte.
    First,
    /// µs from the upstream's time in a chunk to its arrival.
    Chunk,
    /// µs of the peer's processor time a chunk.
    ChunkCpu,
    /// MiB after all this.
    Peak,
    /// ms from the start to the first answer.
    Start,
    /// KiB for each of a thousand open streams.
    Held,
    /// ms of the peer's processor time a second while nobody asks.
    Idle,
    /// The same of its Redis.
    RedisIdle,
    /// System calls a request.
    Calls,
    /// Of these, of the locks between threads.
    Locks,
    /// Allocations a request.
    Allocations,
    /// Bytes of them.
    Allocated,
}

/// How quiet the machine was, in processors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    /// What the host took away.
    pub(crate) steal: f64,
    /// What neither the peer nor anything of this bench used.
    pub(crate) foreign: f64,
}

impl Noise {
    fn is_too_much(self) -> bool {
        self.steal > STEAL_MAX || self.foreign > FOREIGN_MAX
    }
}

/// The middle of some rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// How many rounds.
    pub(crate) rounds: usize,
    /// Whether no round was quiet, so that noisy ones had to do.
    pub(crate) is_noisy: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    all: BTreeMap<(Peer, Figure), Vec<(f64, Noise)>>,
    /// Answers that were not 200, with those that never came.
    pub(crate) bad: BTreeMap<Peer, u64>,
    /// The calls to the system that were most frequent, in words.
    pub(crate) frequent: BTreeMap<Peer, String>,
}

impl Figures {
    pub(crate) fn put(&mut self, peer: Peer, figure: Figure, value: f64, noise: Noise) {
        self.all.entry((peer, figure)).or_default().push((value, noise));
    }

    /// Of the quiet rounds; of all, where none was quiet.
    pub(crate) fn of(&self, peer: Peer, figure: Figure) -> Option<Spread> {
        let all = self.all.get(&(peer, figure))?;
        let quiet: Vec<f64> =
            all.iter().filter(|(_, noise)| !noise.is_too_much()).map(|(value, _)| *value).collect();
        let is_noisy = quiet.is_empty();
        let mut values = if is_noisy { all.iter().map(|(it, _)| *it).collect() } else { quiet };
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: middle(&values),
            least: *values.first()?,
            most: *values.last()?,
            rounds: values.len(),
            is_noisy,
        })
    }

    pub(crate) fn median(&self, peer: Peer, figure: Figure) -> Option<f64> {
        self.of(peer, figure).map(|spread| spread.median)
    }

    /// How many measurements there were, and how many of them were too noisy.
    pub(crate) fn noisy(&self) -> (usize, usize) {
        // One figure of each measurement stands for it.
        let of = [Figure::Throughput, Figure::P50, Figure::Chunk];
        let each = || {
            let own = self.all.iter().filter(|((_, figure), _)| of.contains(figure));
            own.flat_map(|(_, values)| values)
        };
        (each().count(), each().filter(|(_, noise)| noise.is_too_much()).count())
    }
}

fn middle(ascending: &[f64]) -> f64 {
    let half = ascending.len() / 2;
    if ascending.len() % 2 == 1 {
        return ascending[half];
    }
    f64::midpoint(ascending[half - 1], ascending[half])
}

/// The value below which this many of a hundred values lie.
pub(crate) fn percentile(ascending: &[u64], hundredths: usize) -> f64 {
    let at = ascending.len() * hundredths / 100;
    ascending.get(at.min(ascending.len().saturating_sub(1))).map_or(f64::NAN, |value| *value as f64)
}
