//! The clock of a ledger that was made for tests.
//!
//! Invariant: without such a ledger, nobody sets a clock here.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Parameters, duration, moment};
use super::done::Done;
use super::problem::Problem;
use super::{Advance, Parts, Result, Shared};

/// The furthest that one call sets it forward, in milliseconds: four hundred days.
const FURTHEST_MS: u64 = 400 * 24 * 60 * 60 * 1_000;

/// `GET /test_clock`.
pub(super) async fn show(State(parts): Shared, parameters: Parameters) -> Result<Json<Value>> {
    parameters.end()?;
    set_by(&parts)?;
    Ok(Json(shown(&parts)))
}

/// `POST /test_clock/advance`: by so long, or to a moment.
pub(super) async fn advance(State(parts): Shared, Asked(mut asked, once): Asked) -> Result<Done> {
    let by = asked.optional::<String>("by")?.map(|text| duration("by", &text)).transpose()?;
    let to = asked.optional::<String>("to")?.map(|text| moment("to", &text)).transpose()?;
    asked.end()?;
    let advance = set_by(&parts)?;
    let now = parts.clock.now();
    let ms = match (by, to) {
        (Some(ms), None) => ms,
        (None, Some(to)) if to > now => to.ms_since(now),
        (None, Some(_)) => {
            return Err(Problem::invalid("to", "a test's clock only goes forward"));
        }
        _ => return Err(Problem::invalid("by", "give one of by and to")),
    };
    if ms > FURTHEST_MS {
        return Err(Problem::invalid("to", "at most 400 days a call"));
    }
    let repeated = once.claim(&parts).await?;
    let done = if repeated { Ok(()) } else { advance(ms) };
    done.map_err(|error| {
        let detail = format!("The clock could not be noted: {error}.");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "clock_not_noted", detail)
    })?;
    Ok(Done::changed("test_clock", shown(&parts)).repeated(repeated))
}

fn shown(parts: &Parts) -> Value {
    json!({ "object": "test_clock", "now": parts.clock.now().to_string() })
}

fn set_by(parts: &Parts) -> Result<&Advance> {
    parts.advance.as_ref().ok_or_else(|| {
        let detail = "This ledger is not for tests: its clock is the machine's. `store.test_clock` makes a \
                      new ledger with a clock that may be set.";
        Problem::new(StatusCode::CONFLICT, "no_test_clock", detail)
    })
}
