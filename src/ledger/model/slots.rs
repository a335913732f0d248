//! What runs at once: open charges whose lease has not lapsed.
//!
//! Invariant: a slot is never counted on its own; it is the open charge, so the two cannot disagree.

use super::state::{Account, Open};
use super::stop::Stop;
use crate::ledger::{Refusal, Scope, SlotCheck, SlotState};

/// The most open charges of one account, whatever its plan says: each verb looks at all of them.
const OPEN_MAX: usize = 4_096;

/// Refuses if one more would be too many. Due work must have been done, so that lapsed leases are gone.
pub(super) fn gate(account: &Account, checks: &[SlotCheck]) -> Result<(), Stop> {
    if account.open.len() >= OPEN_MAX {
        let name = "open charges".to_owned();
        let limit = u32::try_from(OPEN_MAX).unwrap_or(u32::MAX);
        return Err(Refusal::SlotsFull { name, scope: Scope::Account, limit }.into());
    }
    for check in checks {
        let slot = state(account, check);
        if slot.used >= slot.limit {
            return Err(Refusal::SlotsFull {
                name: slot.name,
                scope: slot.scope,
                limit: slot.limit,
            }
            .into());
        }
    }
    Ok(())
}

/// A limit as it stands.
pub(super) fn state(account: &Account, check: &SlotCheck) -> SlotState {
    let running = account.open.values().filter(|open| !open.unknown);
    let used = running.filter(|open| covers(&check.scope, open)).count();
    SlotState {
        name: check.name.clone(),
        scope: check.scope.clone(),
        limit: check.limit,
        used: u32::try_from(used).unwrap_or(u32::MAX),
    }
}

fn covers(scope: &Scope, open: &Open) -> bool {
    match scope {
        Scope::Account => true,
        Scope::Key(key) => open.key == *key,
        Scope::Route(route) => open.route == *route,
        Scope::Feature(feature) => open.feature.as_ref() == Some(feature),
        Scope::Member(member) => open.member.as_ref() == Some(member),
    }
}
