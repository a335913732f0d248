//! The gateway against plain nginx and against nothing between, interleaved in one run on this machine.
//!
//! `cargo bench --bench gateway` starts everything by itself: a fast upstream, nginx, `redis-server`, the
//! release gateway on both stores, and a generator of load. It prints the tables and writes them with their
//! date to `bench/results/`. `ROUNDS`, `SECONDS` (of one measurement) and `PEERS` (names, with commas) make it shorter;
//! such a trial is written to the folder for temporary files instead. `OUT` names another file.
//!
//! Ratios within one run mean something; absolute figures belong to the machine that is named above them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench, not a library: it ends at the first surprise, and its load has tasks of its own"
)]

mod counted;
mod figures;
mod goals;
mod load;
mod machine;
mod once;
mod peers;
mod process;
mod round;
mod seed;
mod store;
mod tables;
mod upstream;
mod wire;

use std::path::PathBuf;

use figures::Figures;
use peers::Peer;

/// How much is measured.
#[derive(Clone, Debug)]
struct Plan {
    rounds: usize,
    /// Of one measurement.
    seconds: u64,
    peers: Vec<Peer>,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str, default: u64| {
            std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
        };
        let named = std::env::var("PEERS").unwrap_or_default();
        let wanted =
            |peer: &Peer| named.is_empty() || named.split(',').any(|name| name == peer.name());
        Self {
            rounds: usize::try_from(number("ROUNDS", 5)).unwrap(),
            seconds: number("SECONDS", 3),
            peers: Peer::ALL.into_iter().filter(wanted).filter(|peer| peer.is_here()).collect(),
        }
    }

    /// Whether it says too little to be kept.
    fn is_trial(&self) -> bool {
        self.rounds < 5 || self.seconds < 3 || std::env::var_os("PEERS").is_some()
    }

    fn out(&self) -> PathBuf {
        if let Some(named) = std::env::var_os("OUT") {
            return named.into();
        }
        if self.is_trial() {
            return [env!("CARGO_TARGET_TMPDIR"), "gateway-trial.md"].iter().collect();
        }
        let name = format!("{}-gateway.md", machine::today());
        [env!("CARGO_MANIFEST_DIR"), "bench", "results", &name].iter().collect()
    }
}

fn main() {
    // Cargo adds `--bench`; the other words are roles of this program's own children.
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["upstream", port] => upstream::run(port.parse().unwrap()),
        ["counted", config, port] => counted::run(config, port.parse().unwrap()),
        _ => measure(&Plan::of_environment()),
    }
}

fn measure(plan: &Plan) {
    process::raise_limits();
    let began = machine::uptime();
    let upstream = upstream::Started::start();
    let mut figures = Figures::default();
    for number in 1..=plan.rounds {
        for peer in &plan.peers {
            println!("round {number} of {}: {}", plan.rounds, peer.name());
            round::run(*peer, &upstream, plan.seconds, &mut figures);
        }
    }
    for peer in plan.peers.iter().filter(|peer| peer.is_whole()) {
        println!("once: {}", peer.name());
        once::run(*peer, &upstream, &mut figures);
    }
    let took = machine::uptime() - began;
    let text = tables::page(plan, &figures, took);
    let out = plan.out();
    std::fs::write(&out, &text).unwrap();
    println!("\n{text}\nwritten to {}", out.display());
}
