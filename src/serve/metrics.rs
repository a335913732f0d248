//! What an instance tells Prometheus: the counters of its cores, summed when somebody asks.
//!
//! Invariant: which series there are is decided by the configuration, before the first request; none is made
//! or lost by what clients send.

use std::sync::Arc;

use super::connection::DoorCounts;
use super::families::{self, Sums};
use super::reload::InForce;
use super::tls::Certificates;
use crate::ledger::{Ledger, Measured, Setbacks, StoreTally, StreamGauges};
use crate::meter::{Rules, Tally};
use crate::seam::{Clock, Tasks, Timestamp};
use crate::telemetry::Exposition;

/// What one core counts.
#[derive(Clone, Debug)]
pub(super) struct CoreTally {
    /// Decisions, credits, settlements.
    pub(super) tally: Arc<Tally>,
    /// Its calls of the store.
    pub(super) store: Arc<StoreTally>,
    /// Its client connections.
    pub(super) connections: Tasks,
    /// The connections that came to nothing.
    pub(super) door: Arc<DoorCounts>,
}

impl CoreTally {
    /// Nothing counted yet.
    pub(super) fn new(rules: &Rules, clock: &Arc<dyn Clock>) -> Self {
        Self {
            tally: Arc::new(Tally::new(rules, clock.clone())),
            store: Arc::new(StoreTally::new(clock.clone())),
            connections: Tasks::default(),
            door: Arc::default(),
        }
    }

    /// The store as this core calls it.
    pub(super) fn measured(&self, ledger: &Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        measured(ledger, &self.store)
    }
}

/// `ledger`, counted in `tally`.
pub(super) fn measured(ledger: &Arc<dyn Ledger>, tally: &Arc<StoreTally>) -> Arc<dyn Ledger> {
    Arc::new(Measured::new(ledger.clone(), tally.clone()))
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) cores: Vec<CoreTally>,
    /// The calls of the store by operators, the sweeper and whoever else is no core.
    pub(super) beside: Arc<StoreTally>,
    /// The ledger's stream.
    pub(super) stream: StreamGauges,
    /// Accounts whose ledger has gone back, where it could.
    pub(super) setbacks: Option<Setbacks>,
    /// What is in force.
    pub(super) in_force: InForce,
    /// What the listeners speak TLS with.
    pub(super) certificates: Vec<Arc<Certificates>>,
    pub(super) started: Timestamp,
    pub(super) clock: Arc<dyn Clock>,
}

impl Metrics {
    /// The text of this moment.
    pub(super) fn text(&self, ready: bool) -> String {
        let mut text = Exposition::default();
        families::instance(&mut text, self, ready);
        let sums = Sums::of(self.cores.iter().map(|core| &*core.tally));
        families::decisions(&mut text, &sums);
        families::credits(&mut text, &sums);
        families::jobs(&mut text, &sums);
        families::charges(&mut text, &sums, self.clock.now());
        families::load(&mut text, self, &sums);
        families::listeners(&mut text, self);
        let stores = self.cores.iter().map(|core| &core.store).chain([&self.beside]);
        families::store(&mut text, &stores.map(|tally| &**tally).collect::<Vec<_>>());
        families::stream(&mut text, &self.stream);
        if let Some(setbacks) = &self.setbacks {
            families::setbacks(&mut text, setbacks);
        }
        text.text()
    }
}
