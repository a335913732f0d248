//! One round of one peer: warm up, saturation, fixed rate, streams.

use crate::figures::{Figure, Figures, Noise, percentile};
use crate::load::{self, Done};
use crate::machine::now_us;
use crate::peers::{Form, Peer, Up};
use crate::process::{cpu, machine, memory};
use crate::upstream;

/// Connections at saturation.
const CONNECTIONS: usize = 64;
/// Requests a second at the fixed rate.
const RATE: u64 = 1_000;
/// Streams begun in a second.
const STREAMS: u64 = 50;
const KIB_A_MIB: f64 = 1_024.0;

/// What was used so far, in seconds of a processor.
struct Used {
    peer: f64,
    redis: f64,
    load: f64,
    upstream: f64,
    machine: f64,
    steal: f64,
    at_us: u64,
}

impl Used {
    fn now(up: &Up, upstream: &upstream::Started) -> Self {
        let (machine, steal) = machine();
        Self {
            peer: cpu(&up.processes(upstream)),
            redis: up.redis.as_ref().map_or(0.0, |redis| cpu(&redis.process.tree())),
            load: cpu(&[std::process::id()]),
            upstream: cpu(&[upstream.process.id()]),
            machine,
            steal,
            at_us: now_us(),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            peer: self.peer - before.peer,
            redis: self.redis - before.redis,
            load: self.load - before.load,
            upstream: self.upstream - before.upstream,
            machine: self.machine - before.machine,
            steal: self.steal - before.steal,
            at_us: self.at_us - before.at_us,
        }
    }

    fn noise(&self, peer: Peer) -> Noise {
        let seconds = self.at_us as f64 / 1e6;
        let between = if peer == Peer::Direct { 0.0 } else { self.peer };
        let own = between + self.redis + self.load + self.upstream;
        let foreign = ((self.machine - own) / seconds).max(0.0);
        Noise { steal: self.steal / seconds, foreign }
    }
}

/// One peer that is being measured.
struct Measuring<'a> {
    peer: Peer,
    up: Up,
    upstream: &'a upstream::Started,
    figures: &'a mut Figures,
}

/// Measures a peer once and puts down what came of it.
pub(crate) fn run(peer: Peer, upstream: &upstream::Started, seconds: u64, figures: &mut Figures) {
    let up = Up::start(peer, upstream, Form::Release);
    let mut own = Measuring { peer, up, upstream, figures };
    if let Some(start) = own.up.start_ms {
        own.put(Figure::Start, start, Noise::default());
    }
    load::saturate(own.up.port, &own.up.keys, CONNECTIONS, 1.0);
    own.saturation(seconds);
    let peak = memory(&own.up.processes(upstream), "VmHWM") / KIB_A_MIB;
    own.put(Figure::Peak, peak, Noise::default());
    own.fixed_rate(seconds);
    if peer.is_whole() {
        own.streams(seconds);
    }
}

impl Measuring<'_> {
    fn put(&mut self, figure: Figure, value: f64, noise: Noise) {
        self.figures.put(self.peer, figure, value, noise);
    }

    /// Runs a load. The answer is what came of it, what it used, and how quiet it was.
    fn loaded(&mut self, load: impl FnOnce(u16, &[String]) -> Done) -> (Done, Used, Noise) {
        let before = Used::now(&self.up, self.upstream);
        let done = load(self.up.port, &self.up.keys);
        let used = Used::now(&self.up, self.upstream).since(&before);
        *self.figures.bad.entry(self.peer).or_default() += done.bad;
        assert!(done.good > done.bad, "{}: {} bad answers", self.peer.name(), done.bad);
        let noise = used.noise(self.peer);
        let Noise { steal, foreign } = noise;
        println!("  {} answered; steal {steal:.2}, foreign {foreign:.2}", done.good);
        (done, used, noise)
    }

    fn saturation(&mut self, seconds: u64) {
        if let Some(redis) = &mut self.up.redis {
            redis.forget();
        }
        let (done, used, noise) =
            self.loaded(|port, keys| load::saturate(port, keys, CONNECTIONS, seconds as f64));
        let good = done.good as f64;
        let us = |seconds: f64| seconds * 1e6 / good;
        self.put(Figure::Throughput, good * 1e6 / used.at_us as f64, noise);
        self.put(Figure::Cpu, us(used.peer), noise);
        self.put(Figure::AllCpu, us(used.peer + used.redis), noise);
        self.put(Figure::LoadCpu, us(used.load), noise);
        if let Some(redis) = &mut self.up.redis {
            let scripts = redis.scripts();
            let empty = redis.empty_script();
            self.put(Figure::RedisCpu, us(used.redis), noise);
            self.put(Figure::Scripts, scripts.calls / good, noise);
            self.put(Figure::Script, scripts.usec / scripts.calls, noise);
            self.put(Figure::Inside, scripts.usec / good, noise);
            self.put(Figure::Empty, empty, noise);
        }
    }

    fn fixed_rate(&mut self, seconds: u64) {
        let (done, used, noise) = self.loaded(|port, keys| load::paced(port, keys, RATE, seconds));
        self.put(Figure::P50, percentile(&done.took, 50), noise);
        self.put(Figure::P99, percentile(&done.took, 99), noise);
        self.put(Figure::PacedCpu, used.peer * 1e6 / done.good as f64, noise);
    }

    fn streams(&mut self, seconds: u64) {
        let (done, used, noise) =
            self.loaded(|port, keys| load::streams(port, keys, STREAMS, seconds));
        let chunks = done.chunks.len();
        assert_eq!(chunks as u64, done.good * upstream::CHUNKS as u64, "chunks were lost");
        self.put(Figure::First, percentile(&done.first, 50), noise);
        self.put(Figure::Chunk, percentile(&done.chunks, 50), noise);
        self.put(Figure::ChunkCpu, used.peer * 1e6 / chunks as f64, noise);
    }
}
