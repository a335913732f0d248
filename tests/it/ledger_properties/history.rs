//! One random history: what is asked at each step, of whom, and what is compared after it.
//!
//! A step is a number and a seed; all that it asks follows from these and from what the model knows, so that
//! any part of a history can be played again by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use tollgate::credit::{AccountId, Amount, BucketId, ChargeId, KeyId, Kind};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock};

use super::dice::Dice;
use super::stores::{Judged, On};
use crate::ledger_world::{LEASE, NOON, key_of, wait};

/// What is asked at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: usize,
    pub(crate) seed: u64,
}

pub(crate) type Tally = BTreeMap<String, u64>;
/// Why a history failed, and where.
pub(crate) type Fault = (usize, String);

pub(crate) struct History {
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) model: ModelLedger,
    pub(super) stores: Vec<Judged>,
    pub(super) accounts: Vec<AccountId>,
    pub(super) keys: Vec<KeyId>,
    /// All steps, those that are left out included: what a step speaks of does not depend on these.
    pub(super) whole: Arc<Vec<Step>>,
    pub(super) ids: BTreeMap<usize, ChargeId>,
    /// Calls whose ids are used again.
    pub(super) grants: BTreeMap<BucketId, Grant>,
    pub(super) settles: BTreeMap<ChargeId, (AccountId, Amount)>,
    /// What each charge took in the end: the ledger forgets after 30 days, the reckoning does not.
    charged: BTreeMap<ChargeId, (AccountId, Kind, Amount)>,
    /// Purchases whose payment had failed.
    pub(super) reversed: BTreeSet<(AccountId, BucketId)>,
    /// How often each verb was asked, and how often each answer came: refusals by name.
    pub(crate) seen: Tally,
    pub(crate) calls: u64,
    /// What was asked and answered, if somebody wants to read it.
    pub(crate) story: Option<Vec<String>>,
}

/// Asks all and compares.
macro_rules! ask {
    ($h:expr, $verb:ident ( $($argument:expr),* )) => {{
        let asked = || format!("{}{:?}", stringify!($verb), ($(&$argument,)*));
        let judged = wait($h.model.$verb($($argument.clone()),*));
        $h.note(stringify!($verb), &asked, &judged)?;
        let refused = matches!(judged, Answer::Refused(_));
        for place in 0..$h.stores.len() {
            if refused {
                $h.stores[place].before_refusal();
            }
            let answer = wait($h.stores[place].ledger().$verb($($argument.clone()),*));
            let name = $h.stores[place].name();
            if answer != judged && !$h.stores[place].may_differ(stringify!($verb)) {
                return Err(format!("{}: {name} says {answer:#?}, the model {judged:#?}", asked()));
            }
            $h.stores[place].after(refused).map_err(|why| format!("{}: {name}: {why}", asked()))?;
        }
        judged
    }};
}
pub(super) use ask;

impl History {
    pub(crate) fn new(whole: &Arc<Vec<Step>>, on: On) -> Self {
        Self::over(whole, |clock| on.stores(clock))
    }

    /// On stores that are opened with the history's clock.
    pub(crate) fn over(
        whole: &Arc<Vec<Step>>,
        stores: impl FnOnce(&Arc<SimulatedClock>) -> Vec<Judged>,
    ) -> Self {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let model = ModelLedger::new(Arc::clone(&clock) as Arc<dyn Clock>, LEASE);
        let accounts: Vec<AccountId> =
            ["acct_ana", "acct_bob"].map(|id| id.parse().unwrap()).to_vec();
        // Keys 0 and 2 are the first account's, 1 and 3 the second's.
        let keys = (0..4).map(|n| key_of(&accounts[usize::from(n % 2)], n)).collect();
        Self {
            stores: stores(&clock),
            clock,
            model,
            accounts,
            keys,
            whole: Arc::clone(whole),
            ids: BTreeMap::new(),
            grants: BTreeMap::new(),
            settles: BTreeMap::new(),
            charged: BTreeMap::new(),
            reversed: BTreeSet::new(),
            seen: Tally::new(),
            calls: 0,
            story: None,
        }
    }

    pub(super) fn count(&mut self, what: &str, happened: bool) {
        *self.seen.entry(what.to_owned()).or_default() += u64::from(happened);
    }

    pub(super) fn note<T: Debug>(
        &mut self,
        verb: &str,
        asked: &dyn Fn() -> String,
        answer: &Answer<T>,
    ) -> Result<(), String> {
        self.calls += 1;
        self.count(&format!("verb {verb}"), true);
        if let Some(story) = &mut self.story {
            story.push(format!("{} -> {answer:?}", asked()));
        }
        let name = match answer {
            Answer::Applied(_) => {
                self.count(&format!("applied {verb}"), true);
                "Applied".to_owned()
            }
            Answer::Refused(Refusal::Broken(why)) => return Err(format!("{}: {why}", asked())),
            Answer::Refused(refusal) => {
                let text = format!("{refusal:?}");
                text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
            }
            Answer::Unknown(why) => return Err(format!("{}: {why}", asked())),
        };
        self.count(&name, true);
        Ok(())
    }

    /// Plays these of its steps.
    pub(crate) fn play(&mut self, steps: &[Step]) -> Result<(), Fault> {
        self.play_while(steps, |_| true)
    }

    /// The same as long as `goes_on` with the number of the step says so.
    pub(crate) fn play_while(
        &mut self,
        steps: &[Step],
        goes_on: impl Fn(u64) -> bool,
    ) -> Result<(), Fault> {
        self.begin().map_err(|why| (0, why))?;
        for (place, step) in steps.iter().enumerate() {
            let end = !goes_on(place as u64) || place + 1 == steps.len();
            let done = self.take(*step).and_then(|()| self.look(*step, end));
            done.map_err(|why| (step.at, why))?;
            if end {
                break;
            }
        }
        self.reckon().map_err(|why| (steps.len(), why))
    }

    fn begin(&mut self) -> Result<(), String> {
        for account in self.accounts.clone() {
            let plan = super::plans::PLANS[usize::from(account.as_str() == "acct_bob")].to_owned();
            let call = NewAccount { plan, ..crate::ledger_world::new_account(&account) };
            let _ = ask!(self, create_account(call));
        }
        for place in 0..self.keys.len() {
            let call = self.new_key(place);
            let _ = ask!(self, create_key(call));
        }
        Ok(())
    }

    pub(super) fn new_key(&self, place: usize) -> NewKey {
        NewKey {
            account: self.accounts[place % 2].clone(),
            id: self.keys[place],
            hash: [1; 32],
            label: String::new(),
            ends: None,
            member: (place < 2).then(|| "ana".to_owned()),
            routes: Vec::new(),
        }
    }

    /// What must hold after each step, and what is looked at only now and then because it takes long.
    fn look(&mut self, step: Step, end: bool) -> Result<(), String> {
        self.model.check()?;
        if !end && !step.at.is_multiple_of(25) {
            return Ok(());
        }
        for account in &self.accounts {
            for store in &self.stores {
                store.audit(account).map_err(|why| format!("{}: {why}", store.name()))?;
            }
            let judged = wait(self.model.inspect(account.clone()));
            for store in &self.stores {
                let answer = store.inspect(account);
                let same = match (&answer, &judged) {
                    (Answer::Applied(one), Answer::Applied(other)) => {
                        store.shown(one) == store.shown(other)
                    }
                    (one, other) => one == other,
                };
                if !same {
                    return Err(format!(
                        "{} keeps {answer:#?}, the model {judged:#?}",
                        store.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Notes what charges took; before time passes in which they might be forgotten.
    pub(super) fn remember(&mut self) {
        for account in self.accounts.clone() {
            let Answer::Applied(records) = wait(self.model.charges(account.clone(), None, 1_000))
            else {
                return;
            };
            for record in records {
                self.count("by deadline", record.by_deadline);
                self.count("a member's", record.member.is_some());
                if let Some(kind) = record.kind {
                    self.charged.insert(record.charge, (account.clone(), kind, record.charged));
                }
            }
        }
    }

    /// What was charged is what was spent, to the micro-credit; what was spent of purchases whose payment had
    /// failed was spent twice, once of the purchase and once as a debt.
    fn reckon(&mut self) -> Result<(), String> {
        // A jump, if there is one, ends here.
        self.restart();
        for account in self.accounts.clone() {
            while matches!(ask!(self, tick(account)), Answer::Applied(1..)) {}
            self.remember();
            let gates = Gates::default();
            let Answer::Applied(view) = ask!(self, view(account, gates)) else {
                return Err("no view".to_owned());
            };
            self.count("good will", view.buckets.iter().any(|b| b.id.as_str().starts_with("gw:")));
            self.count(
                "rollover",
                view.buckets.iter().any(|b| b.id.as_str().ends_with("rollover")),
            );
            self.count("archived", !view.archived.is_empty());
            for kind in ["credits", "scans"] {
                self.reckon_kind(&account, &kind.parse().unwrap(), &view)?;
            }
        }
        Ok(())
    }

    fn reckon_kind(&mut self, account: &AccountId, kind: &Kind, view: &View) -> Result<(), String> {
        let of_kind = self.charged.values().filter(|(owner, of, _)| owner == account && of == kind);
        let charged: Amount = of_kind.map(|(_, _, amount)| *amount).sum();
        let mut twice = Amount::ZERO;
        for (_, id) in self.reversed.iter().filter(|(owner, _)| owner == account) {
            match view.buckets.iter().find(|bucket| bucket.id == *id) {
                Some(bucket) if bucket.kind == *kind => {
                    twice = twice.checked_add(bucket.spent).unwrap();
                }
                Some(_) => {}
                // It left the list, and with it what is known of it.
                None => {
                    self.count("not reckoned", true);
                    return Ok(());
                }
            }
        }
        let listed = view.buckets.iter().filter(|b| b.kind == *kind).map(|b| b.spent);
        let archived = view.archived.iter().filter(|(k, _)| k == kind).map(|(_, sums)| sums[1]);
        let spent: Amount = listed.chain(archived).sum();
        self.count("reckoned", true);
        if Some(spent) == charged.checked_add(twice) {
            return Ok(());
        }
        Err(format!("{account} {kind}: spent {spent}, charged {charged}, of reversed {twice}"))
    }

    pub(super) fn restart(&mut self) {
        self.count("restart", true);
        self.model.restart();
        for store in &mut self.stores {
            store.restart(&self.clock);
        }
    }

    pub(super) fn is_mortal(&self) -> bool {
        self.stores.iter().any(|store| matches!(store, Judged::Mortal(_)))
    }

    /// The charge that this step is about, if it reserves one.
    pub(super) fn charge_of(&mut self, step: Step) -> (AccountId, ChargeId) {
        let account = self.accounts[usize::from(step.seed & 4 != 0)].clone();
        let (now, entropy) = (self.clock.now(), SeededEntropy::new(step.seed));
        let make = || ChargeId::make(now, &account, &entropy).unwrap();
        let charge = *self.ids.entry(step.at).or_insert_with(make);
        (account, charge)
    }

    /// A charge of a step shortly before this one, rarely named as another account's.
    pub(super) fn earlier(&mut self, step: Step, dice: &Dice) -> (AccountId, ChargeId) {
        let reserving = self.whole[..step.at].iter().rev().filter(|step| step.reserves()).take(14);
        let recent: Vec<Step> = reserving.copied().collect();
        if recent.is_empty() {
            return self.charge_of(step);
        }
        // The latest ones most often.
        let place = dice.below(recent.len() as u64).min(dice.below(recent.len() as u64));
        let (account, charge) = self.charge_of(recent[usize::try_from(place).unwrap()]);
        if dice.one_in(25) {
            (dice.pick(&self.accounts).clone(), charge)
        } else {
            (account, charge)
        }
    }
}
