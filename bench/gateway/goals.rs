//! The goals, as ratios within one run, beside what was measured.

use std::fmt::Write as _;

use crate::figures::{Figure, Figures};
use crate::peers::Peer;

/// One line: what, measured, its goal, and the gate if it has one.
struct Goal {
    name: &'static str,
    what: &'static str,
    measured: Option<f64>,
    unit: &'static str,
    /// Up to this it is reached; where `is_floor`, from this on.
    goal: f64,
    gate: Option<f64>,
    is_floor: bool,
}

impl Goal {
    const fn most(
        name: &'static str,
        what: &'static str,
        measured: Option<f64>,
        goal: f64,
    ) -> Self {
        Self { name, what, measured, unit: "×", goal, gate: None, is_floor: false }
    }

    const fn least(
        name: &'static str,
        what: &'static str,
        measured: Option<f64>,
        goal: f64,
    ) -> Self {
        Self { is_floor: true, ..Self::most(name, what, measured, goal) }
    }

    const fn gate(self, gate: f64) -> Self {
        Self { gate: Some(gate), ..self }
    }

    const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    fn line(&self) -> String {
        let Self { name, what, unit, goal, .. } = self;
        let sign = if self.is_floor { "≥" } else { "≤" };
        let gate = self.gate.map_or("–".to_owned(), |gate| format!("{sign} {gate} {unit}"));
        let Some(measured) = self.measured else {
            return format!(
                "| {name} | {what} | not measured | {sign} {goal} {unit} | {gate} | – |\n"
            );
        };
        let within = |limit: f64| if self.is_floor { measured >= limit } else { measured <= limit };
        let verdict = match self.gate {
            _ if within(*goal) => "reached",
            Some(gate) if within(gate) => "gate held",
            _ => "not reached",
        };
        format!(
            "| {name} | {what} | {measured:.2} {unit} | {sign} {goal} {unit} | {gate} | {verdict} |\n"
        )
    }
}

/// The table of goals.
pub(crate) fn table(figures: &Figures) -> String {
    let of = |peer: Peer, figure: Figure| figures.median(peer, figure);
    let ratio =
        |figure: Figure, one: Peer, other: Peer| Some(of(one, figure)? / of(other, figure)?);
    let added = |peer: Peer, figure: Figure| Some(of(peer, figure)? - of(Peer::Direct, figure)?);
    let added_ratio = |figure: Figure, other: Peer| {
        // What adds nothing at all cannot be divided by.
        let (own, others) = (added(Peer::Redis, figure)?, added(other, figure)?);
        (others > 0.0).then_some(own / others)
    };
    let (own, nginx, lua) = (Peer::Redis, Peer::Nginx, Peer::NginxLua);
    let more = ratio(Figure::RedisCpu, own, Peer::RedisNoLog);
    let goals = [
        Goal::most("G1", "CPU of the proxy, of nginx's", ratio(Figure::Cpu, own, nginx), 1.0)
            .gate(1.25),
        Goal::most(
            "G2",
            "CPU with Redis, of nginx + Lua + Redis",
            ratio(Figure::AllCpu, own, lua),
            0.25,
        )
        .gate(0.4),
        Goal::most("G3", "CPU of Redis", of(own, Figure::RedisCpu), 25.0).unit("µs"),
        Goal::most("G3", "within the scripts of a request", of(own, Figure::Inside), 20.0)
            .unit("µs"),
        Goal::least(
            "G4",
            "throughput, of nginx + Lua + Redis",
            ratio(Figure::Throughput, own, lua),
            3.3,
        ),
        Goal::least("G4", "throughput, of nginx", ratio(Figure::Throughput, own, nginx), 0.7),
        Goal::least("G4", "throughput, of one LiteLLM worker", None, 300.0),
        Goal::least("G4", "throughput, of Portkey", None, 40.0),
        Goal::most("G5", "added p50, of what nginx adds", added_ratio(Figure::P50, nginx), 1.5),
        Goal::most("G5", "added p50, of nginx + Lua + Redis", added_ratio(Figure::P50, lua), 0.6),
        Goal::most("G5", "added p50, of LiteLLM", None, 0.0133),
        Goal::most(
            "G6",
            "added per chunk, of what nginx adds",
            added_ratio(Figure::Chunk, nginx),
            1.0,
        ),
        Goal::most("G6", "CPU a chunk, of nginx's", ratio(Figure::ChunkCpu, own, nginx), 1.0),
        Goal::most(
            "G6",
            "added to the first byte, of what nginx adds",
            added_ratio(Figure::First, nginx),
            1.5,
        ),
        Goal::most("G7", "peak memory", of(own, Figure::Peak), 16.0).unit("MiB"),
        Goal::most("G7", "start to first answer", of(own, Figure::Start), 30.0).unit("ms"),
        Goal::most("G8", "CPU of Redis with its log, of that without", more, 1.4),
        Goal::most("gate", "system calls a request", of(own, Figure::Calls), 4.5).unit("calls"),
        Goal::most("gate", "allocations a request", of(own, Figure::Allocations), 20.0)
            .unit("times"),
    ];
    let mut text = String::new();
    text.push_str(
        "| # | the gateway on Redis | measured | goal | gate | |\n|---|---|---|---|---|---|\n",
    );
    for goal in &goals {
        write!(text, "{}", goal.line()).unwrap();
    }
    text
}
