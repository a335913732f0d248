//! The stores that are judged.

use std::sync::Arc;

use tollgate::credit::AccountId;
use tollgate::ledger::embedded::{EmbeddedLedger, Opener, Settings};
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock};

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_failover::patient::Patient;
use crate::ledger_redis::RedisStore;
use crate::ledger_world::{LEASE, wait};

/// One refusal in so many is looked at for traces.
const TRACES: u32 = 8;

type Open = Box<dyn Fn() -> EmbeddedLedger>;

/// A store beside the model.
pub(crate) enum Judged {
    Embedded {
        ledger: Option<EmbeddedLedger>,
        open: Open,
    },
    Redis {
        store: Box<RedisStore>,
        digest: Option<String>,
        refusals: u32,
    },
    /// A Redis whose servers die now and then.
    Mortal(Patient),
}

/// Which stores a history is played on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// A real file.
    File,
    /// A file in memory and a real Redis.
    MemoryAndRedis,
    /// A file in memory, but its leases are a millisecond longer: what the rig has to notice.
    Wrong,
}

fn embedded(open: Open) -> Judged {
    Judged::Embedded { ledger: Some(open()), open }
}

fn in_memory(clock: &Arc<SimulatedClock>, lease: u64) -> Judged {
    let (disk, clock) = (SimulatedDisk::default(), Arc::clone(clock));
    embedded(Box::new(move || {
        let (opener, clock): (Opener, _) = (disk.opener(), Arc::clone(&clock) as Arc<dyn Clock>);
        EmbeddedLedger::open_with(opener, lease, clock).unwrap()
    }))
}

fn in_file(clock: &Arc<SimulatedClock>) -> Judged {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::clone(clock));
    embedded(Box::new(move || {
        let settings =
            Settings { lease_ms: LEASE, ..Settings::at(folder.path().join("ledger.redb")) };
        EmbeddedLedger::open(&settings, Arc::clone(&clock) as Arc<dyn Clock>).unwrap()
    }))
}

impl On {
    pub(crate) fn stores(self, clock: &Arc<SimulatedClock>) -> Vec<Judged> {
        match self {
            Self::Wrong => vec![in_memory(clock, LEASE + 1)],
            Self::File => vec![in_file(clock)],
            Self::MemoryAndRedis => {
                let store = Box::new(RedisStore::start(clock));
                vec![in_memory(clock, LEASE), Judged::Redis { store, digest: None, refusals: 0 }]
            }
        }
    }
}

impl Judged {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => "embedded",
            Self::Redis { .. } | Self::Mortal(_) => "redis",
        }
    }

    pub(crate) fn ledger(&self) -> &dyn Ledger {
        match self {
            Self::Embedded { ledger, .. } => ledger.as_ref().unwrap(),
            Self::Redis { store, .. } => &store.ledger,
            Self::Mortal(ledger) => ledger,
        }
    }

    pub(crate) fn restart(&mut self, clock: &Arc<SimulatedClock>) {
        match self {
            Self::Embedded { ledger, open } => {
                *ledger = None;
                *ledger = Some(open());
            }
            Self::Redis { store, .. } => {
                store.ledger.restart(Arc::clone(clock) as Arc<dyn Clock>);
            }
            Self::Mortal(ledger) => ledger.restart(Arc::clone(clock) as Arc<dyn Clock>),
        }
    }

    /// Whether the answer may be another than the model's: the call was repeated since its answer was unknown, and
    /// it is one that says how much was left to do, or that something is there already.
    pub(crate) fn may_differ(&self, verb: &str) -> bool {
        const SECOND: [&str; 4] = ["tick", "create_account", "create_key", "extend"];
        matches!(self, Self::Mortal(ledger) if ledger.repeated() && SECOND.contains(&verb))
    }

    /// The model refuses what comes next: what is there is noted, to the last byte. Not each time: it takes
    /// longer than the call.
    pub(crate) fn before_refusal(&mut self) {
        let Self::Redis { store, digest, refusals } = self else { return };
        *refusals += 1;
        *digest = refusals.is_multiple_of(TRACES).then(|| store.digest());
    }

    /// What was refused has changed nothing.
    pub(crate) fn after(&mut self, refused: bool) -> Result<(), String> {
        let Self::Redis { store, digest, .. } = self else { return Ok(()) };
        let Some(before) = digest.take().filter(|_| refused) else { return Ok(()) };
        let same = before == store.digest();
        if same { Ok(()) } else { Err("what was refused left a trace".to_owned()) }
    }

    /// What the store itself finds wrong with an account.
    pub(crate) fn audit(&self, account: &AccountId) -> Result<(), String> {
        match self {
            Self::Embedded { .. } => Ok(()),
            Self::Mortal(ledger) => match wait(ledger.audit(account.clone())) {
                Answer::Refused(Refusal::Broken(why)) => Err(why),
                _ => Ok(()),
            },
            Self::Redis { store, .. } => match wait(store.ledger.audit(account.clone())) {
                Answer::Refused(Refusal::Broken(why)) => Err(why),
                _ => Ok(()),
            },
        }
    }

    /// All that is kept of an account, and how much of it the model has to show too.
    pub(crate) fn inspect(&self, account: &AccountId) -> Answer<String> {
        match self {
            Self::Embedded { ledger, .. } => {
                wait(ledger.as_ref().unwrap().inspect(account.clone()))
            }
            Self::Redis { store, .. } => wait(store.ledger.inspect(account.clone())),
            Self::Mortal(ledger) => wait(ledger.inspect(account.clone())),
        }
    }

    /// Redis shows a charge's record otherwise; the account itself must be the same.
    pub(crate) fn shown(&self, all: &str) -> String {
        match self {
            Self::Embedded { .. } => all.to_owned(),
            Self::Redis { .. } | Self::Mortal(_) => {
                all.split("\n}\n").next().unwrap_or_default().to_owned()
            }
        }
    }
}
