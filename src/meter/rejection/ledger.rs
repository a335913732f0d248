//! What the ledger refused, as a refusal to a client.

use super::{Cause, Detail, Rejection};
use crate::credit::{Amount, Zone};
use crate::ledger::{AccountStatus, CapState, Refusal};
use crate::seam::Timestamp;

/// How long a client should wait for a running generation to end, in seconds.
const SLOT_RETRY_S: u64 = 2;

impl Rejection {
    /// What the ledger refused, in the client's words. `zone` is the account's.
    #[must_use]
    pub fn from_ledger(refusal: Refusal, zone: &Zone, now: Timestamp) -> Self {
        match refusal {
            Refusal::Unavailable(why) | Refusal::Broken(why) => Self::metering_unavailable(why),
            Refusal::ClockJump => Self::metering_unavailable("the wall clock has jumped"),
            Refusal::Stale { .. } => Self::metering_unavailable("stale twice"),
            Refusal::Tick => Self::metering_unavailable("too much due work"),
            Refusal::UnknownAccount | Refusal::InvalidKey => Self::invalid_key(),
            Refusal::AccountStatus(status) => account_status(status),
            Refusal::AccountRestricted { until } => restricted(zone.show(until), zone),
            Refusal::RateLimited { name, scope, retry_at } => {
                rate_limited(name, &scope.to_string(), retry_at.ms_since(now))
            }
            Refusal::SlotsFull { name, scope, limit } => {
                slots_full(name, &scope.to_string(), limit)
            }
            Refusal::CapExceeded { cap, required } => cap_exceeded(&cap, required, zone, now),
            Refusal::Insufficient { required, available, held, freed_at, refill_at } => {
                insufficient([required, available, held], freed_at, refill_at, zone, now)
            }
            // A charge id is made here for each request: these can only be faults of our own.
            Refusal::Conflict
            | Refusal::TooOld { .. }
            | Refusal::Ended(_)
            | Refusal::UnknownCharge
            | Refusal::UnknownAlias
            | Refusal::UnknownJob
            | Refusal::UnknownBucket
            | Refusal::ChargeArchived
            | Refusal::RefundTooLarge { .. }
            | Refusal::Exists
            | Refusal::TooMany(_)
            | Refusal::Invalid(_) => Self::metering_unavailable(format!("{refusal:?}")),
        }
    }
}

fn account_status(status: AccountStatus) -> Rejection {
    let detail = match status {
        AccountStatus::Closed => Detail::Closed,
        AccountStatus::Suspended | AccountStatus::Active => Detail::Suspended,
    };
    Rejection::new(Cause::AccountSuspended, detail)
}

fn restricted(until: String, zone: &Zone) -> Rejection {
    let said = until.clone();
    Rejection::new(Cause::AccountRestricted, Detail::Restricted { until })
        .with("scope", "account")
        .with("until", said)
        .with("time_zone", zone.name())
}

fn rate_limited(name: String, scope: &str, wait_ms: u64) -> Rejection {
    let said = name.clone();
    Rejection::new(Cause::RateLimited, Detail::Rate { name })
        .with("limit_name", said)
        .with("scope", scope)
        .retry_after(seconds(wait_ms))
}

fn slots_full(name: String, scope: &str, limit: u32) -> Rejection {
    let said = name.clone();
    Rejection::new(Cause::ConcurrencyExceeded, Detail::Slots { name, limit })
        .with("limit_name", said)
        .with("scope", scope)
        .with("limit", limit)
        .retry_after(SLOT_RETRY_S)
}

fn cap_exceeded(cap: &CapState, required: u64, zone: &Zone, now: Timestamp) -> Rejection {
    let shown = |count: u64| cap.measure.show(count);
    let resets_at = zone.show(cap.period.end);
    let detail = Detail::Cap {
        name: cap.name.to_string(),
        measure: cap.measure,
        limit: cap.limit,
        used: cap.used,
        required,
        resets_at: resets_at.clone(),
    };
    Rejection::new(Cause::CapExceeded, detail)
        .with("limit_name", cap.name.as_str())
        .with("scope", cap.scope.to_string())
        .with("measure", cap.measure.unit())
        .with("limit", shown(cap.limit))
        .with("used", shown(cap.used))
        .with("required", shown(required))
        .with("resets_at", resets_at)
        .with("time_zone", zone.name())
        .retry_after(seconds(cap.period.end.ms_since(now)))
}

fn insufficient(
    [required, available, held]: [Amount; 3],
    freed_at: Option<Timestamp>,
    refill_at: Option<Timestamp>,
    zone: &Zone,
    now: Timestamp,
) -> Rejection {
    let rejection = match freed_at {
        Some(moment) => {
            Rejection::new(Cause::CreditsOnHold, Detail::OnHold { required, available, held })
                .retry_after(seconds(moment.ms_since(now)))
        }
        None => {
            let detail = Detail::Insufficient { required, available, held };
            Rejection::new(Cause::InsufficientCredits, detail)
        }
    };
    let rejection = rejection
        .with("scope", "account")
        .with("required", required.to_string())
        .with("available", available.to_string())
        .with("held", held.to_string())
        .with("shortfall", required.saturating_sub(available).to_string());
    match refill_at {
        Some(moment) => {
            rejection.with("next_refill_at", zone.show(moment)).with("time_zone", zone.name())
        }
        None => rejection,
    }
}

const fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000)
}
