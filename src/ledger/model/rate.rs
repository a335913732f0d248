//! How fast requests may come: the generic cell rate algorithm, in microseconds.
//!
//! Invariant: a refused request does not move a limit; the caller discards the change.

use super::state::{Money, Pace};
use super::stop::Stop;
use crate::ledger::{RateCheck, Refusal};
use crate::seam::Timestamp;

const US_PER_MS: u64 = 1_000;
/// The longest interval and burst that are computed with, in microseconds: about a century.
pub(crate) const LONGEST_US: u64 = 4_000_000_000_000_000;

/// Lets one request pass every limit, or says when it would pass the first that refuses.
pub(super) fn pass(money: &mut Money, checks: &[RateCheck], now: Timestamp) -> Result<(), Stop> {
    let now_us = now.0.saturating_mul(US_PER_MS);
    money.paces.retain(|pace| pace.tat_us > now_us);
    for check in checks {
        let interval = check.interval_us.clamp(1, LONGEST_US);
        let burst_us = interval.saturating_mul(u64::from(check.burst.max(1))).min(LONGEST_US);
        let tat = tat(money, check, now_us).min(now_us.saturating_add(burst_us));
        let next = tat.saturating_add(interval);
        let earliest = next.saturating_sub(burst_us);
        if earliest > now_us {
            return Err(Refusal::RateLimited {
                name: check.name.clone(),
                scope: check.scope.clone(),
                retry_at: Timestamp(earliest.div_ceil(US_PER_MS)),
            }
            .into());
        }
        set(money, check, next);
    }
    Ok(())
}

/// Where the limit stands: never before now.
fn tat(money: &Money, check: &RateCheck, now_us: u64) -> u64 {
    let same = |pace: &&Pace| pace.name == check.name && pace.scope == check.scope;
    money.paces.iter().find(same).map_or(now_us, |pace| pace.tat_us.max(now_us))
}

fn set(money: &mut Money, check: &RateCheck, tat_us: u64) {
    let same = |pace: &&mut Pace| pace.name == check.name && pace.scope == check.scope;
    match money.paces.iter_mut().find(same) {
        Some(pace) => pace.tat_us = tat_us,
        None => {
            money.paces.push(Pace { name: check.name.clone(), scope: check.scope.clone(), tat_us })
        }
    }
}
