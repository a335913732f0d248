//! The families of metrics: name, help, labels, and which counters they are the sum of.
//!
//! Invariant: every family begins with `tollgate_` and says its base unit; credits are exact decimals.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connection::DoorCounts;
use super::metrics::Metrics;
use crate::count::{Counter, Rows, Spread};
use crate::ledger::{Said, Setbacks, StoreTally, StreamGauges, Verb};
use crate::meter::{Code, Hundred, JobTally, KindTally, RouteTally, Tally};
use crate::seam::Timestamp;
use crate::telemetry::{Exposition, Millionths, Type};

const US_PER_MS: u128 = 1_000;

/// The cores' counters, together by name.
pub(super) struct Sums<'a> {
    cores: Vec<&'a Tally>,
    routes: BTreeMap<String, Vec<Arc<RouteTally>>>,
    kinds: BTreeMap<String, Vec<Arc<KindTally>>>,
    jobs: BTreeMap<String, Vec<Arc<JobTally>>>,
}

impl<'a> Sums<'a> {
    pub(super) fn of(cores: impl Iterator<Item = &'a Tally>) -> Self {
        let cores: Vec<_> = cores.collect();
        let routes = together(cores.iter().map(|core| &core.routes));
        let mut kinds = together(cores.iter().map(|core| &core.kinds));
        // Every price has a kind, and every kind of a price has a row.
        kinds.remove(Rows::<KindTally>::NAMELESS);
        let jobs = together(cores.iter().map(|core| &core.jobs));
        Self { cores, routes, kinds, jobs }
    }

    fn total(&self, of: impl Fn(&Tally) -> u64) -> u128 {
        self.cores.iter().map(|core| u128::from(of(core))).sum()
    }
}

fn together<'a, T: Default + 'a>(
    cores: impl Iterator<Item = &'a Rows<T>>,
) -> BTreeMap<String, Vec<Arc<T>>> {
    let mut all: BTreeMap<String, Vec<Arc<T>>> = BTreeMap::new();
    for (name, row) in cores.flat_map(Rows::all) {
        all.entry(name).or_default().push(row);
    }
    all
}

fn sum<T>(rows: &[Arc<T>], of: impl Fn(&T) -> &Counter) -> u128 {
    rows.iter().map(|row| u128::from(of(row).value())).sum()
}

/// What this instance is and since when.
pub(super) fn instance(text: &mut Exposition, all: &Metrics, ready: bool) {
    let help = "The version of the program and the revision of its configuration; always 1.";
    let settings = all.in_force.settings();
    let revision = settings.rules.revision.as_str();
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("revision", revision)];
    text.family("tollgate_build_info", Type::Gauge, help).sample(&labels, 1);
    let help = "When this instance started, in seconds since 1970.";
    let started = Millionths(u128::from(all.started.0) * US_PER_MS);
    text.family("tollgate_start_time_seconds", Type::Gauge, help).sample(&[], started);
    let help = "Whether this instance takes requests: 1, or 0 while it drains or has no ledger.";
    text.family("tollgate_ready", Type::Gauge, help).sample(&[], u8::from(ready));
}

/// What became of requests.
pub(super) fn decisions(text: &mut Exposition, sums: &Sums<'_>) {
    let help = "Requests by route and decision: forwarded, answered here, left by the client before a \
                decision, or the code of the refusal.";
    let mut family = text.family("tollgate_decisions_total", Type::Counter, help);
    for (route, rows) in &sums.routes {
        for code in Code::ALL {
            let count = sum(rows, |row| row.decisions(code));
            family.sample(&[("route", route), ("code", code.word())], count);
        }
    }
    let help = "Forwarded requests by route and the first digit of the upstream's status; none: no answer.";
    let mut family = text.family("tollgate_upstream_responses_total", Type::Counter, help);
    for (route, rows) in &sums.routes {
        for class in Hundred::ALL {
            let count = sum(rows, |row| row.responses(class));
            family.sample(&[("route", route), ("class", class.word())], count);
        }
    }
}

/// What became of credits.
pub(super) fn credits(text: &mut Exposition, sums: &Sums<'_>) {
    type Of = fn(&KindTally) -> &Counter;
    let families: [(&str, &str, Of); 5] = [
        ("tollgate_held_credits_total", "Credits held by reserves.", |kind| &kind.held),
        ("tollgate_settled_credits_total", "Credits charged, debt included.", |kind| &kind.settled),
        ("tollgate_returned_credits_total", "Held credits given back.", |kind| &kind.returned),
        ("tollgate_debt_credits_total", "Credits advanced as debt.", |kind| &kind.debt),
        ("tollgate_absorbed_credits_total", "Credits of work done that nobody pays.", |kind| {
            &kind.absorbed
        }),
    ];
    for (name, help, of) in families {
        let mut family = text.family(name, Type::Counter, help);
        for (kind, rows) in &sums.kinds {
            family.sample(&[("kind", kind)], Millionths(sum(rows, of)));
        }
    }
}

/// What became of jobs.
pub(super) fn jobs(text: &mut Exposition, sums: &Sums<'_>) {
    type Of = fn(&JobTally) -> &Counter;
    let families: [(&str, &str, Of); 4] = [
        ("tollgate_jobs_begun_total", "Jobs that this instance has begun.", |job| &job.begun),
        (
            "tollgate_jobs_ended_total",
            "Jobs whose end this instance was the first to hear of.",
            |job| &job.ended,
        ),
        (
            "tollgate_job_unknown_words_total",
            "Answers about jobs with a status word that the configuration does not know; such a job goes on.",
            |job| &job.odd_words,
        ),
        (
            "tollgate_job_contradictions_total",
            "Reports that contradict the end of a job; they move no money.",
            |job| &job.contradicted,
        ),
    ];
    for (name, help, of) in families {
        let mut family = text.family(name, Type::Counter, help);
        for (job, rows) in &sums.jobs {
            family.sample(&[("job", job)], sum(rows, of));
        }
    }
}

/// Charges that have not ended.
pub(super) fn charges(text: &mut Exposition, sums: &Sums<'_>, now: Timestamp) {
    let help = "Charges of this instance whose exchange is running.";
    let open = sums.total(|core| core.open.value());
    text.family("tollgate_open_charges", Type::Gauge, help).sample(&[], open);
    let help = "The age of the oldest of them; 0: there is none.";
    let oldest = sums.cores.iter().filter_map(|core| core.oldest()).min();
    let age_ms = oldest.map_or(0, |born| now.ms_since(born));
    text.family("tollgate_oldest_open_charge_seconds", Type::Gauge, help)
        .sample(&[], Millionths(u128::from(age_ms) * US_PER_MS));
    let help = "Charges whose exchange has ended and whose end the ledger has not acknowledged.";
    let waiting = sums.total(|core| core.waiting.value());
    text.family("tollgate_settlements_waiting", Type::Gauge, help).sample(&[], waiting);
    let help =
        "Ends that the ledger will not take, since the charge had ended otherwise. See the log.";
    let refused = sums.total(|core| core.refused.value());
    text.family("tollgate_settlements_refused_total", Type::Counter, help).sample(&[], refused);
    let help = "From the end of an exchange to the ledger's acknowledgement.";
    let mut lag = Spread::default();
    sums.cores.iter().for_each(|core| lag.add(&core.lag));
    text.family("tollgate_settle_lag_seconds", Type::Histogram, help).times(&[], &lag);
}

/// What runs, and how much may.
pub(super) fn load(text: &mut Exposition, all: &Metrics, sums: &Sums<'_>) {
    let mut gauge = |name, help, value: u128| {
        text.family(name, Type::Gauge, help).sample(&[], value);
    };
    let whole = |count: usize| u128::try_from(count).unwrap_or(u128::MAX);
    let cores = whole(all.cores.len());
    let connections = all.cores.iter().map(|core| whole(core.connections.running())).sum();
    let running = sums.total(|core| core.exchanges.value());
    let limits = all.in_force.settings().proxy.limits;
    let may = |each: usize| whole(each).saturating_mul(cores);
    gauge("tollgate_exchanges", "Exchanges with upstreams that are running.", running);
    gauge(
        "tollgate_exchanges_limit",
        "How many paid exchanges may run at once.",
        may(limits.exchanges),
    );
    gauge("tollgate_connections", "Connections of clients.", connections);
    gauge(
        "tollgate_connections_limit",
        "How many connections there may be at once.",
        may(limits.connections),
    );
}

/// Connections that came to nothing, and certificates.
pub(super) fn listeners(text: &mut Exposition, all: &Metrics) {
    let sum = |of: fn(&DoorCounts) -> &Counter| -> u128 {
        all.cores.iter().map(|core| u128::from(of(&core.door).value())).sum()
    };
    let help = "Connections that were closed at once, since there were too many.";
    text.family("tollgate_connections_refused_total", Type::Counter, help)
        .sample(&[], sum(|door| &door.turned_away));
    let help = "Connections that were closed for a missing or broken PROXY header.";
    text.family("tollgate_proxy_headers_refused_total", Type::Counter, help)
        .sample(&[], sum(|door| &door.proxy_headers));
    let help = "Connections whose TLS handshake failed or took too long.";
    text.family("tollgate_handshakes_failed_total", Type::Counter, help)
        .sample(&[], sum(|door| &door.handshakes));
    if all.certificates.is_empty() {
        return;
    }
    let help = "When the certificate of a listener ends, in seconds since 1970.";
    let mut family = text.family("tollgate_certificate_end_time_seconds", Type::Gauge, help);
    for one in &all.certificates {
        family.sample(&[("listener", one.whose)], one.ends_s());
    }
    let help = "Whether newer files of a listener's certificate are broken: 1, or 0.";
    let mut family = text.family("tollgate_certificate_broken", Type::Gauge, help);
    for one in &all.certificates {
        family.sample(&[("listener", one.whose)], u8::from(one.broken()));
    }
}

/// Calls of the store.
pub(super) fn store(text: &mut Exposition, tallies: &[&StoreTally]) {
    let help = "From a call of the ledger to its answer.";
    let mut family = text.family("tollgate_store_seconds", Type::Histogram, help);
    for verb in Verb::ALL {
        let mut took = Spread::default();
        tallies.iter().for_each(|tally| took.add(&tally.verb(verb).took));
        family.times(&[("verb", verb.word())], &took);
    }
    let help = "Calls of the ledger by what they came to; unheard: nobody waited for the answer.";
    let mut family = text.family("tollgate_store_answers_total", Type::Counter, help);
    for verb in Verb::ALL {
        for said in Said::ALL {
            let of = |tally: &&StoreTally| u128::from(tally.verb(verb).said(said).value());
            let count: u128 = tallies.iter().map(of).sum();
            family.sample(&[("verb", verb.word()), ("answer", said.word())], count);
        }
    }
}

/// The ledger's stream.
pub(super) fn stream(text: &mut Exposition, stream: &StreamGauges) {
    let help = "Entries of the ledger's stream that lie in the store.";
    text.family("tollgate_ledger_stream_entries", Type::Gauge, help).sample(&[], stream.entries());
    let help = "Entries of the ledger's stream that this instance has exported.";
    text.family("tollgate_ledger_stream_exported_total", Type::Counter, help)
        .sample(&[], stream.exported());
    let help = "Entries of the ledger's stream that were dropped unexported, as too many waited.";
    text.family("tollgate_ledger_stream_dropped_total", Type::Counter, help)
        .sample(&[], stream.dropped());
}

/// What the store had acknowledged and lost.
pub(super) fn setbacks(text: &mut Exposition, setbacks: &Setbacks) {
    let help =
        "Accounts whose ledger has gone back behind what this instance had seen acknowledged.";
    text.family("tollgate_ledger_setbacks_total", Type::Counter, help)
        .sample(&[], setbacks.count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_shows_what_its_exporter_said() {
        let gauges = StreamGauges::default();
        let exporter = gauges.clone();
        exporter.set_entries(12);
        exporter.set_exported(34);
        exporter.set_dropped(5);
        let mut text = Exposition::default();
        stream(&mut text, &gauges);
        let text = text.text();
        assert!(text.contains("\ntollgate_ledger_stream_entries 12\n"), "{text}");
        assert!(text.contains("\ntollgate_ledger_stream_exported_total 34\n"), "{text}");
        assert!(text.contains("\ntollgate_ledger_stream_dropped_total 5\n"), "{text}");
    }
}
