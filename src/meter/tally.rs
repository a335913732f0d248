//! What one core has decided, held, settled and given back, for whoever shows metrics.
//!
//! Nothing is counted per frame: a handful of additions for each request, and none is awaited.
//!
//! Invariant: amounts are whole micro-credits. What is counted is what the ledger has acknowledged to this
//! instance; what the ledger ends by itself, by a deadline, is not here.
//! Invariant: labels are routes and kinds of the configuration and words of this program. Never an account, a
//! key, a path or a model.

use std::sync::Arc;

use super::code::{Code, Hundred};
use super::settings::{Rules, Work};
use crate::count::{Counter, Gauge, Histogram, Rows};
use crate::credit::{Amount, Kind};
use crate::ledger::{Released, Settled};
use crate::seam::{Clock, Timestamp};

/// One core's counters.
#[derive(Debug)]
pub struct Tally {
    clock: Arc<dyn Clock>,
    /// By route.
    pub routes: Rows<RouteTally>,
    /// By kind of credit.
    pub kinds: Rows<KindTally>,
    /// By sort of job.
    pub jobs: Rows<JobTally>,
    /// Exchanges with an upstream that have begun and not ended.
    pub exchanges: Gauge,
    /// Charges whose exchange is running.
    pub open: Gauge,
    /// When the oldest of them was born, in milliseconds since 1970; 0: there is none.
    oldest_ms: Gauge,
    /// Ends that the ledger has not acknowledged yet.
    pub waiting: Gauge,
    /// From the end of an exchange to the ledger's acknowledgement.
    pub lag: Histogram,
    /// Ends that the ledger will never take, because the charge had ended otherwise.
    pub refused: Counter,
}

/// What became of one route's requests.
#[derive(Debug, Default)]
pub struct RouteTally {
    decisions: [Counter; Code::ALL.len()],
    responses: [Counter; Hundred::ALL.len()],
}

impl RouteTally {
    /// How often this was decided.
    #[must_use]
    pub const fn decisions(&self, code: Code) -> &Counter {
        &self.decisions[code as usize]
    }

    /// How often the upstream answered so.
    #[must_use]
    pub const fn responses(&self, class: Hundred) -> &Counter {
        &self.responses[class as usize]
    }
}

/// What became of one kind of credit, in micro-credits.
#[derive(Debug, Default)]
pub struct KindTally {
    /// Held by reserves.
    pub held: Counter,
    /// Charged in the end; debt is a part of it.
    pub settled: Counter,
    /// Given back of what was held.
    pub returned: Counter,
    /// Advanced as debt, because work cost more than there was.
    pub debt: Counter,
    /// Let go, because work cost more than there was.
    pub absorbed: Counter,
}

/// What became of one sort of job.
#[derive(Debug, Default)]
pub struct JobTally {
    /// Handed over by the exchange that began them.
    pub begun: Counter,
    /// Ended, by whoever reported first to this instance.
    pub ended: Counter,
    /// Reports with a status word that nobody has declared.
    pub odd_words: Counter,
    /// Reports that contradict an earlier end.
    pub contradicted: Counter,
}

/// The counters that one charge moves, and whether its hold has been counted.
#[derive(Clone, Debug)]
pub struct Stake {
    kind: Arc<KindTally>,
    counted: bool,
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(rules: &Rules, clock: Arc<dyn Clock>) -> Self {
        let tally = Self {
            clock,
            routes: Rows::default(),
            kinds: Rows::default(),
            jobs: Rows::default(),
            exchanges: Gauge::default(),
            open: Gauge::default(),
            oldest_ms: Gauge::default(),
            waiting: Gauge::default(),
            lag: Histogram::default(),
            refused: Counter::default(),
        };
        tally.learn(rules);
        tally
    }

    /// Makes places for the routes and kinds of these rules; those of earlier rules keep theirs.
    pub fn learn(&self, rules: &Rules) {
        self.routes.add(rules.routes.iter().map(|route| route.name.as_str()));
        self.kinds.add(rules.routes.iter().filter_map(|route| match &route.work {
            Work::Paid(due) => Some(due.price.kind.as_str()),
            Work::Free => None,
        }));
        self.jobs.add(rules.jobs.iter().map(|job| job.name.as_str()));
    }

    /// A charge of this kind that was begun earlier, perhaps by another instance, is about to end.
    pub(super) fn stake_held(&self, kind: &Kind) -> Stake {
        Stake { counted: true, ..self.stake(kind) }
    }

    /// A charge of this kind is about to begin.
    #[must_use]
    pub fn stake(&self, kind: &Kind) -> Stake {
        Stake { kind: self.kinds.row(kind.as_str()), counted: false }
    }

    /// An exchange begins; it has ended when the answer is dropped.
    #[must_use]
    pub fn exchange(self: &Arc<Self>) -> Running {
        self.exchanges.up();
        Running(self.clone())
    }

    /// The charges whose exchange is running: how many, and when the oldest was born.
    pub(super) fn live(&self, count: usize, oldest: Option<Timestamp>) {
        self.open.set(u64::try_from(count).unwrap_or(u64::MAX));
        self.oldest_ms.set(oldest.map_or(0, |born| born.0));
    }

    /// When the oldest charge whose exchange is running was born.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        Some(self.oldest_ms.value()).filter(|ms| *ms > 0).map(Timestamp)
    }

    /// An end is on its way to the ledger; the answer tells when it set out.
    pub(super) fn end_begins(&self) -> u64 {
        self.waiting.up();
        self.clock.uptime_us()
    }

    /// The ledger has acknowledged an end that set out then.
    pub(super) fn end_is_known(&self, began_us: u64) {
        self.waiting.down();
        self.lag.took(self.clock.uptime_us().saturating_sub(began_us));
    }
}

impl Stake {
    /// The ledger holds this.
    pub(super) fn held(&mut self, amount: Amount) {
        self.counted = true;
        self.kind.held.add(amount.micro());
    }

    /// The ledger has settled.
    pub(super) fn settled(&self, settled: &Settled) {
        let kind = &self.kind;
        kind.settled.add(settled.charged.micro());
        kind.returned.add(settled.returned.micro());
        kind.debt.add(settled.debt.micro());
        kind.absorbed.add(settled.absorbed.micro());
    }

    /// The ledger has given everything back. A hold whose reserve nobody heard of shows itself only now.
    pub(super) fn released(&self, released: &Released) {
        let micro = released.returned.micro();
        if !self.counted {
            self.kind.held.add(micro);
        }
        self.kind.returned.add(micro);
    }
}

/// An exchange that is under way.
#[derive(Debug)]
pub struct Running(Arc<Tally>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.exchanges.down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_that_nobody_heard_of_shows_when_it_is_given_back() {
        let released = Released { returned: Amount::MAX, available: Amount::ZERO };
        for (heard, held) in [(false, Amount::MAX.micro()), (true, 5)] {
            let mut stake = Stake { kind: Arc::default(), counted: false };
            if heard {
                stake.held(Amount::from_micro(5).unwrap());
            }
            stake.released(&released);
            assert_eq!(stake.kind.held.value(), held);
            assert_eq!(stake.kind.returned.value(), Amount::MAX.micro());
        }
    }
}
