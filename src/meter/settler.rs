//! The settler: what a charge owes reaches the ledger exactly once, off the response path, retried until the
//! ledger has it.
//!
//! One for each core. A permit is taken before the reserve, so what waits here is bounded, and nothing is
//! ever dropped: a ticket that cannot be settled now keeps its permit, and a core without permits refuses.
//!
//! Invariant: every permit is given back by an end that the ledger acknowledged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::journal::Journal;
use super::receipt::Explanation;
use super::tally::{Stake, Tally};
use crate::credit::{AccountId, ChargeId};
use crate::ledger::{
    Adjust, Adjusted, Answer, Doubt, Extend, Extended, HandOver, HandedOver, Ledger, Refusal,
    Release, Released, Settle, Settled,
};
use crate::seam::{Disk, Tasks};

/// How many leases one call renews.
const RENEW_AT_ONCE: usize = 1_024;
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// A core's settler.
#[derive(Clone, Debug)]
pub struct Settler(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    ledger: Arc<dyn Ledger>,
    tasks: Tasks,
    permits: Arc<Semaphore>,
    journal: RefCell<Journal>,
    tally: Arc<Tally>,
    /// The charges whose exchange is running: their leases are renewed.
    live: RefCell<BTreeMap<ChargeId, AccountId>>,
    /// Told when leases are renewed: ends that wait for the ledger are tried again then. Nobody renews their
    /// leases any more, and after an outage they are given no more than one lease to be told in.
    again: Notify,
}

/// The right to begin one charge: a place in the settler's queue.
#[derive(Debug)]
pub struct Permit(
    #[expect(dead_code, reason = "held, given back by its drop")] OwnedSemaphorePermit,
);

/// How a charge ends, as far as its exchange can tell.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Take what was due.
    Settle(Settle),
    /// Give everything back.
    Release(Release),
    /// Nobody knows.
    Doubt(Doubt),
    /// The exchange is over and the job is not: the charge waits for its end.
    HandOver(Option<Adjust>, Box<HandOver>),
}

impl Settler {
    /// The settler of `core`: at most `places` charges at once, its journal in `folder`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        tasks: Tasks,
        places: usize,
        disk: Arc<dyn Disk>,
        folder: &Path,
        core: usize,
        tally: Arc<Tally>,
    ) -> std::io::Result<Self> {
        let journal = RefCell::new(Journal::start(disk, folder, core)?);
        let permits = Arc::new(Semaphore::new(places));
        let (live, again) = (RefCell::default(), Notify::new());
        Ok(Self(Rc::new(Inner { ledger, tasks, permits, journal, tally, live, again })))
    }

    /// A place in the queue, if there is one.
    #[must_use]
    pub fn permit(&self) -> Option<Permit> {
        self.0.permits.clone().try_acquire_owned().ok().map(Permit)
    }

    /// Marks that a charge is about to be forwarded.
    ///
    /// # Errors
    /// When the mark cannot be written: nothing may be forwarded then.
    pub(super) fn forwarding(&self, charge: ChargeId) -> std::io::Result<()> {
        self.0.journal.borrow_mut().forwarding(charge)
    }

    /// Renews this charge's lease from now on.
    pub(super) fn begin(&self, charge: ChargeId, account: AccountId) {
        self.change_live(|live| _ = live.insert(charge, account));
    }

    /// Queues an end. The ledger is called before this returns, so a reserve that follows comes after it.
    pub(super) fn end(&self, charge: ChargeId, end: Ending, permit: Permit, stake: Stake) {
        self.change_live(|live| _ = live.remove(&charge));
        let began_us = self.0.tally.end_begins();
        let first = Call::of(&*self.0.ledger, &end);
        let settler = self.clone();
        self.0.tasks.spawn(async move {
            settler.finish(charge, end, first, &stake).await;
            settler.0.tally.end_is_known(began_us);
            settler.0.journal.borrow_mut().done(charge);
            drop(permit);
        });
    }

    /// Queues the end of an exchange whose job goes on; the answer comes when the ledger has it, with the version
    /// of the job's record. None: the charge had ended, or the job is another charge's.
    pub(super) fn hand_over(
        &self,
        adjust: Option<Adjust>,
        call: HandOver,
        permit: Permit,
        stake: Stake,
    ) -> oneshot::Receiver<u64> {
        let charge = call.charge;
        self.change_live(|live| _ = live.remove(&charge));
        let began_us = self.0.tally.end_begins();
        let end = Ending::HandOver(adjust, Box::new(call));
        let first = Call::of(&*self.0.ledger, &end);
        let (told, heard) = oneshot::channel();
        let settler = self.clone();
        self.0.tasks.spawn(async move {
            let version = settler.finish(charge, end, first, &stake).await;
            settler.0.tally.end_is_known(began_us);
            settler.0.journal.borrow_mut().done(charge);
            drop(permit);
            if let Some(version) = version {
                let _ = told.send(version);
            }
        });
        heard
    }

    /// Ends a charge whose exchange is long over. Comes back when the ledger has it.
    pub(super) async fn close(&self, charge: ChargeId, end: Ending, stake: Stake) {
        let began_us = self.0.tally.end_begins();
        let first = Call::of(&*self.0.ledger, &end);
        self.finish(charge, end, first, &stake).await;
        self.0.tally.end_is_known(began_us);
    }

    /// Asks until the ledger has answered, by the same id: that is what makes asking again harmless.
    async fn finish(
        &self,
        charge: ChargeId,
        mut end: Ending,
        first: Call,
        stake: &Stake,
    ) -> Option<u64> {
        let mut call = first;
        let mut wait = RETRY_FIRST;
        loop {
            match call.answer(charge, stake).await {
                Outcome::Ended => return None,
                Outcome::HandedOver(version) => return Some(version),
                Outcome::Refused(refusal) => match end.instead(&refusal) {
                    Some(other) => end = other,
                    None => {
                        self.0.tally.refused.one();
                        end.refused(charge, &refusal);
                        return None;
                    }
                },
                Outcome::Tick => _ = self.0.ledger.tick(end.account().clone()).await,
                Outcome::Again(why) => {
                    tracing::warn!(%charge, why, "settlement waits for the ledger");
                    drop(tokio::time::timeout(wait, self.0.again.notified()).await);
                    wait = wait.saturating_mul(2).min(RETRY_LAST);
                }
            }
            call = Call::of(&*self.0.ledger, &end);
        }
    }

    /// Renews the leases of all running exchanges once, and tries again what waits for the ledger.
    pub async fn renew(&self) {
        self.0.again.notify_waiters();
        let live: Vec<_> =
            self.0.live.borrow().iter().map(|(charge, who)| (who.clone(), *charge)).collect();
        for charges in live.chunks(RENEW_AT_ONCE) {
            let call = Extend { charges: charges.to_vec() };
            match self.0.ledger.extend(call).await {
                Answer::Applied(renewed) => self.drop_ended(charges, &renewed),
                Answer::Refused(refusal) => tracing::warn!(?refusal, "leases not renewed"),
                Answer::Unknown(why) => tracing::warn!(why, "leases perhaps not renewed"),
            }
        }
    }

    /// An ended charge is not asked about again; its exchange runs on and settles as a late success.
    fn drop_ended(&self, charges: &[(AccountId, ChargeId)], renewed: &[Extended]) {
        let pairs = charges.iter().zip(renewed);
        let ended = pairs.filter(|(_, extended)| **extended == Extended::Ended);
        self.change_live(|live| ended.for_each(|((_, charge), _)| _ = live.remove(charge)));
    }

    /// Changes what runs and says so. Ids sort by age: the first is the oldest.
    fn change_live(&self, change: impl FnOnce(&mut BTreeMap<ChargeId, AccountId>)) {
        let mut live = self.0.live.borrow_mut();
        change(&mut live);
        self.0.tally.live(live.len(), live.keys().next().map(|charge| charge.born()));
    }

    /// How many charges have begun and not ended.
    #[must_use]
    pub fn waiting(&self, places: usize) -> usize {
        places.saturating_sub(self.0.permits.available_permits())
    }
}

impl Ending {
    const fn account(&self) -> &AccountId {
        match self {
            Self::Settle(call) => &call.account,
            Self::Release(call) => &call.account,
            Self::Doubt(call) => &call.account,
            Self::HandOver(_, call) => &call.account,
        }
    }

    /// What is said instead when the ledger will not take this: a job of that id is another charge's already, so
    /// nobody can tell what this one's upstream has done.
    fn instead(&self, refusal: &Refusal) -> Option<Self> {
        let Self::HandOver(_, call) = self else { return None };
        if !matches!(refusal, Refusal::Exists | Refusal::Invalid(_) | Refusal::TooMany(_)) {
            return None;
        }
        tracing::error!(charge = %call.charge, job = %call.job, ?refusal, "a job is nobody's");
        let why = "The service named a job that is another request's.".to_owned();
        let outcome = "unknown".to_owned();
        let explanation = Explanation { outcome, why, ..Explanation::default() }.bytes();
        let (account, charge) = (call.account.clone(), call.charge);
        Some(Self::Doubt(Doubt { account, charge, explanation }))
    }
}

impl Ending {
    /// The charge has ended by its deadline or an earlier word, and what was said first stands. An amount
    /// that came too late is for a person to look at.
    fn refused(&self, charge: ChargeId, refusal: &Refusal) {
        match self {
            Self::Settle(call) => {
                let (account, actual) = (&call.account, call.actual);
                tracing::error!(%charge, %account, %actual, ?refusal, "settled too late: not charged");
            }
            Self::Release(_) | Self::Doubt(_) | Self::HandOver(..) => {
                tracing::warn!(%charge, ?refusal, "the charge had already ended");
            }
        }
    }
}

/// One try to tell the ledger.
enum Call {
    Settle(crate::ledger::Reply<Settled>),
    Release(crate::ledger::Reply<Released>),
    Doubt(crate::ledger::Reply<()>),
    HandOver(Option<crate::ledger::Reply<Adjusted>>, crate::ledger::Reply<HandedOver>),
}

/// What a try came to.
enum Outcome {
    /// The ledger has it.
    Ended,
    /// The ledger has it, and the job's record with this version.
    HandedOver(u64),
    /// The ledger will never take it.
    Refused(Refusal),
    /// Due work comes first.
    Tick,
    /// Nobody knows, or not now.
    Again(String),
}

impl Call {
    fn of(ledger: &dyn Ledger, end: &Ending) -> Self {
        match end {
            Ending::Settle(call) => Self::Settle(ledger.settle(call.clone())),
            Ending::Release(call) => Self::Release(ledger.release(call.clone())),
            Ending::Doubt(call) => Self::Doubt(ledger.doubt(call.clone())),
            // In this order: whoever finds the job finds its hold adjusted.
            Ending::HandOver(adjust, call) => Self::HandOver(
                adjust.clone().map(|adjust| ledger.adjust(adjust)),
                ledger.hand_over((**call).clone()),
            ),
        }
    }

    async fn answer(self, charge: ChargeId, stake: &Stake) -> Outcome {
        match self {
            Self::Settle(reply) => outcome(reply.await, |settled| {
                stake.settled(&settled);
                tracing::info!(
                    %charge, charged = %settled.charged, returned = %settled.returned, debt = %settled.debt,
                    absorbed = %settled.absorbed, late = settled.late, "settled"
                );
            }),
            Self::Release(reply) => outcome(reply.await, |released| {
                stake.released(&released);
                tracing::info!(%charge, returned = %released.returned, "released");
            }),
            Self::HandOver(adjust, reply) => {
                if let Some(adjust) = adjust
                    && let Some(again) = adjusted(charge, adjust.await)
                {
                    return again;
                }
                match reply.await {
                    Answer::Applied(handed) => Outcome::HandedOver(handed.version),
                    answer => outcome(answer, |_| ()),
                }
            }
            Self::Doubt(reply) => {
                outcome(reply.await, |()| tracing::warn!(%charge, "outcome unknown"))
            }
        }
    }
}

/// What keeps an adjusted hold from counting as told; a refusal leaves the hold as it is.
fn adjusted(charge: ChargeId, answer: Answer<Adjusted>) -> Option<Outcome> {
    match outcome(answer, |adjusted| {
        tracing::info!(%charge, held = %adjusted.held, short = %adjusted.short, "adjusted");
    }) {
        Outcome::Ended | Outcome::HandedOver(_) => None,
        Outcome::Refused(refusal) => {
            tracing::warn!(%charge, ?refusal, "the hold was not adjusted");
            None
        }
        again => Some(again),
    }
}

fn outcome<T>(answer: Answer<T>, applied: impl FnOnce(T)) -> Outcome {
    match answer {
        Answer::Applied(value) => applied(value),
        Answer::Refused(Refusal::Tick) => return Outcome::Tick,
        Answer::Refused(Refusal::Unavailable(why) | Refusal::Broken(why))
        | Answer::Unknown(why) => return Outcome::Again(why),
        Answer::Refused(Refusal::ClockJump) => {
            return Outcome::Again("the wall clock has jumped".to_owned());
        }
        Answer::Refused(refusal) => return Outcome::Refused(refusal),
    }
    Outcome::Ended
}
