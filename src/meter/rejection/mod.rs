//! Refusals: what was refused, why, what it cost (nothing), what to do. Facts here; words in [`texts`], one
//! file for each language; the shapes that SDKs read in [`dialect`].
//!
//! What the client is told and what the log is told are two fields, so a store's address can never leak by
//! accident.
//!
//! Invariant: a `Retry-After` is never longer than a minute, since several SDKs would sleep through it.

mod answer;
mod cause;
mod dialect;
mod language;
mod ledger;
mod message;
mod texts;

use http::StatusCode;
use serde_json::{Map, Value};

pub use answer::{Manner, Media};
pub use cause::Cause;
pub use dialect::Dialect;
pub use language::Language;
pub use message::Detail;

use super::rights::BodyLimit;
use super::why::Why;
use crate::credit::{Amount, ChargeId};

/// The longest `Retry-After` that is ever sent, in seconds.
const RETRY_MAX_S: u64 = 60;
/// How long a client should wait for the ledger, in seconds.
const STORE_RETRY_S: u64 = 1;

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// What kind of refusal it is: its code and status.
    pub cause: Cause,
    /// What happened and what to do next, for the person at the client.
    pub detail: Detail,
    /// What happened, for the log; empty: the code says it all.
    pub inner: String,
    /// In how many seconds another try makes sense.
    pub retry_after_s: Option<u64>,
    /// Whether another try of the same request makes sense at all.
    pub should_retry: bool,
    /// More members of the body: numbers, scopes, instants.
    pub members: Map<String, Value>,
    /// The charge that was begun, if one was.
    pub charge: Option<ChargeId>,
}

impl Rejection {
    /// A refusal that another try will not mend.
    #[must_use]
    pub fn new(cause: Cause, detail: Detail) -> Self {
        Self {
            cause,
            detail,
            inner: String::new(),
            retry_after_s: None,
            should_retry: false,
            members: Map::new(),
            charge: None,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.cause.code()
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.cause.status()
    }

    /// The same with another member in its body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a word for the log.
    #[must_use]
    pub fn because(mut self, inner: impl Into<String>) -> Self {
        self.inner = inner.into();
        self
    }

    /// The same, about a charge that was begun.
    #[must_use]
    pub const fn of(mut self, charge: ChargeId) -> Self {
        self.charge = Some(charge);
        self
    }

    /// The same, to be tried again in `seconds`; more than a minute is not said.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.should_retry = seconds <= RETRY_MAX_S;
        self.retry_after_s = self.should_retry.then_some(seconds.max(1));
        self
    }

    /// The request cannot be read in one way only.
    #[must_use]
    pub fn bad_request(detail: Detail) -> Self {
        Self::new(Cause::BadRequest, detail)
    }

    /// The body is larger than the plan or the route allows.
    #[must_use]
    pub fn too_large(limit: &BodyLimit) -> Self {
        let (bytes, plan) = (limit.bytes, limit.plan.as_ref().map(ToString::to_string));
        let detail = Detail::LargeBody { limit: bytes, plan: plan.clone() };
        let rejection = Self::new(Cause::TooLarge, detail).with("limit_bytes", bytes);
        match plan {
            Some(plan) => rejection.with("plan", plan),
            None => rejection,
        }
    }

    /// The body did not come in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(Cause::TooSlow, Detail::SlowBody)
    }

    /// Missing, malformed, unknown, wrong or revoked: always the same answer.
    #[must_use]
    pub fn invalid_key() -> Self {
        Self::new(Cause::InvalidKey, Detail::Key)
    }

    /// No job of this id, or another account's: which of the two is nobody's business.
    #[must_use]
    pub fn unknown_job() -> Self {
        Self::new(Cause::UnknownJob, Detail::Job)
    }

    /// No charge of this id, or another account's: which of the two is nobody's business.
    #[must_use]
    pub fn unknown_charge(charge: &str) -> Self {
        Self::new(Cause::UnknownCharge, Detail::Charge { id: charge.to_owned() })
    }

    /// No route matches.
    #[must_use]
    pub fn unknown_route(method: &str, path: &str) -> Self {
        let detail = Detail::Route { method: method.to_owned(), path: path.to_owned() };
        Self::new(Cause::UnknownRoute, detail)
    }

    /// The plan has no right to the route.
    #[must_use]
    pub fn route_not_in_plan(route: &str, plan: &str) -> Self {
        let detail = Detail::NotInPlan { route: route.to_owned(), plan: plan.to_owned() };
        Self::new(Cause::RouteNotInPlan, detail).with("plan", plan).with("route", route)
    }

    /// The key is for other routes.
    #[must_use]
    pub fn not_for_key(route: &str) -> Self {
        let detail = Detail::NotForKey { route: route.to_owned() };
        Self::new(Cause::RouteNotInPlan, detail).with("scope", "key").with("route", route)
    }

    /// The plan has no right to this value of a quantity.
    #[must_use]
    pub fn option_not_in_plan(quantity: &str, value: String, plan: &str) -> Self {
        let (said, quantity, plan) = (value.clone(), quantity.to_owned(), plan.to_owned());
        let members = [("plan", plan.clone()), ("quantity", quantity.clone()), ("value", said)];
        let detail = Detail::OptionNotInPlan { quantity, value, plan };
        let rejection = Self::new(Cause::OptionNotInPlan, detail);
        members.into_iter().fold(rejection, |rejection, (name, value)| rejection.with(name, value))
    }

    /// The account's plan is not in this instance's configuration.
    #[must_use]
    pub fn plan_unknown_here(plan: &str) -> Self {
        let detail = Detail::PlanUnknown { plan: plan.to_owned() };
        Self::new(Cause::PlanUnknownHere, detail).with("plan", plan)
    }

    /// A quantity that the price names is missing, of the wrong type, out of range or ambiguous.
    #[must_use]
    pub fn unpriceable(pointer: String, why: Why) -> Self {
        let place = pointer.clone();
        Self::new(Cause::UnpriceableRequest, Detail::Unpriceable { pointer, why })
            .with("pointer", place)
    }

    /// The hold would be above the caller's `Credits-Max`.
    #[must_use]
    pub fn max_charge_exceeded(hold: Amount, limit: Amount) -> Self {
        Self::new(Cause::MaxChargeExceeded, Detail::AboveMax { hold, limit })
            .with("required", hold.to_string())
            .with("limit", limit.to_string())
    }

    /// The local flood guard has had enough.
    #[must_use]
    pub fn flood(retry_after_s: u64) -> Self {
        Self::new(Cause::RateLimited, Detail::Flood)
            .with("scope", "address")
            .retry_after(retry_after_s.clamp(1, RETRY_MAX_S))
    }

    /// The ledger cannot be asked: nothing is forwarded.
    pub fn metering_unavailable(inner: impl Into<String>) -> Self {
        Self::new(Cause::MeteringUnavailable, Detail::Unavailable)
            .because(inner)
            .retry_after(STORE_RETRY_S)
    }

    /// This instance is about to stop.
    #[must_use]
    pub fn draining() -> Self {
        Self::new(Cause::Draining, Detail::Draining).retry_after(STORE_RETRY_S)
    }
}
