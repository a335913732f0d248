//! Quotes as clients see them: the price, line by line, and what the ledger would decide at this moment.

use serde_json::{Value, json};

use super::pricing::Held;
use super::rejection::Rejection;
use crate::credit::{Amount, Measure, Zone};
use crate::ledger::{CapState, Quoted};

/// The answer to a quote; a request that would be refused is answered with the refusal inside.
#[must_use]
pub fn quote_body(
    route: &str,
    zone: &Zone,
    quoted: Result<(Held, Quoted), (Option<Held>, Box<Rejection>)>,
) -> Value {
    match quoted {
        Ok((held, quoted)) => allowed(route, zone, &held, &quoted),
        Err((held, why)) => json!({
            "object": "quote",
            "decision": "block",
            "route": route,
            "code": why.code,
            "status": why.status.as_u16(),
            "detail": why.detail,
            "hold": held.as_ref().map(|held| held.priced.total),
            "inputs": held.as_ref().map(|held| &held.facts),
            "lines": held.as_ref().map(|held| &held.priced.lines),
            "limits": why.members,
            "charged": "0",
        }),
    }
}

fn allowed(route: &str, zone: &Zone, held: &Held, quoted: &Quoted) -> Value {
    let then = &quoted.reserved;
    let hold = held.priced.total;
    json!({
        "object": "quote",
        "decision": "allow",
        "route": route,
        "hold": hold,
        "inputs": held.facts,
        "lines": held.priced.lines,
        "legs": then.legs,
        "available": then.available.saturating_add(hold),
        "available_after": then.available,
        "caps": then.caps.iter().map(|cap| headroom(cap, zone)).collect::<Vec<_>>(),
        "concurrency": then.slots.iter().map(|slot| json!({
            "name": slot.name, "scope": slot.scope.to_string(),
            "limit": slot.limit, "in_use_after": slot.used,
        })).collect::<Vec<_>>(),
        "charged": "0",
        "as_of": then.at.to_string(),
    })
}

fn headroom(cap: &CapState, zone: &Zone) -> Value {
    let shown = |count: u64| match cap.measure {
        Measure::Requests => count.to_string(),
        Measure::Credits => Amount::from_micro(count).unwrap_or(Amount::MAX).to_string(),
    };
    json!({
        "name": cap.name,
        "scope": cap.scope.to_string(),
        "limit": shown(cap.limit),
        "used_after": shown(cap.used),
        "remaining_after": shown(cap.limit.saturating_sub(cap.used)),
        "resets_at": zone.show(cap.period.end),
        "time_zone": zone.name(),
    })
}
