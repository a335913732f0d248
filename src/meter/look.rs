//! Looking at an account: its money and counters under its plan and in its zone, without changing them.

use crate::credit::{AccountId, Name, Plan, Zone};
use crate::ledger::{Answer, Document, Gates, Ledger, Refusal, View};
use crate::seam::Timestamp;

use super::{Place, Rules, gates};
use crate::credit::KeyId;

/// How often a look that finds work due is tried before it is given up.
const TRIES: usize = 64;

/// Whose money is looked at, and by which rules.
#[derive(Debug)]
pub struct Sight<'a> {
    /// The account as the directory has it.
    pub document: &'a Document,
    /// Its plan; `None` if this configuration does not have it.
    pub plan: Option<&'a Plan>,
    /// Its time zone.
    pub zone: Zone,
    /// The key that looks; `None`: an operator does, and sees what is of any key or member.
    pub key: Option<KeyId>,
    /// What is gated: for every route that the plan allows.
    pub gates: Gates,
    /// Its money and counters.
    pub view: View,
}

/// Looks at an account. With a key, limits per key are included.
pub async fn look<'a>(
    ledger: &dyn Ledger,
    rules: &'a Rules,
    document: &'a Document,
    key: Option<KeyId>,
    mut now: Timestamp,
) -> Answer<Sight<'a>> {
    let plan = rules.plan(&document.plan);
    let zone = match document.zone.parse::<Zone>() {
        Ok(zone) => zone,
        Err(error) => return Answer::Refused(Refusal::Invalid(error.to_string())),
    };
    let routes = rules.routes_of(plan);
    let member = key.and_then(|key| document.key(key)?.member.as_deref());
    let place = Place { key, member, routes: &routes };
    for _ in 0..TRIES {
        let gates = match plan.map(|plan| gates(plan, document, &zone, now, &place)).transpose() {
            Ok(gates) => gates.unwrap_or_default(),
            Err(error) => return Answer::Refused(Refusal::Invalid(error.to_string())),
        };
        match ledger.view(document.account.clone(), gates.clone()).await {
            Answer::Applied(view) => {
                return Answer::Applied(Sight { document, plan, zone, key, gates, view });
            }
            Answer::Refused(Refusal::Tick) => tick(ledger, &document.account).await,
            // The store's clock is elsewhere than ours: ask with the periods of its own.
            Answer::Refused(Refusal::Stale { now: theirs, .. }) if theirs != now => now = theirs,
            Answer::Refused(refusal) => return Answer::Refused(refusal),
            Answer::Unknown(why) => return Answer::Unknown(why),
        }
    }
    Answer::Refused(Refusal::Tick)
}

/// One part of an account's due work; whether it was done shows at the next look.
async fn tick(ledger: &dyn Ledger, account: &AccountId) {
    match ledger.tick(account.clone()).await {
        Answer::Applied(_) | Answer::Refused(_) | Answer::Unknown(_) => (),
    }
}

impl Rules {
    /// The plan of this name.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name.as_str() == name).map(AsRef::as_ref)
    }

    /// The routes with their features that a plan allows; without a plan, none.
    #[must_use]
    pub fn routes_of(&self, plan: Option<&Plan>) -> Vec<(&Name, Option<&Name>)> {
        let routes = self.routes.iter().filter(|route| {
            plan.is_some_and(|plan| plan.rights.include(&route.name, route.feature.as_ref()))
        });
        routes.map(|route| (&route.name, route.feature.as_ref())).collect()
    }
}
