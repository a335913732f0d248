//! Refusals as clients see them: one stable code each, what it means, what it cost (nothing), what to do.
//!
//! What the client is told and what the log is told are two fields, so a store's address can never leak by
//! accident.
//!
//! Invariant: `code` is stable and never translated. 402 is for what waiting cannot mend, 429 for what it
//! can; a `Retry-After` is never longer than a minute, since several SDKs would sleep through it.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::credit::{Amount, ChargeId, Zone};
use crate::ledger::{AccountStatus, CapState, Refusal};
use crate::seam::Timestamp;

/// The longest `Retry-After` that is ever sent, in seconds.
const RETRY_MAX_S: u64 = 60;
/// How long a client should wait for a running generation to end, in seconds.
const SLOT_RETRY_S: u64 = 2;
/// How long a client should wait for the ledger, in seconds.
const STORE_RETRY_S: u64 = 1;

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// What kind of refusal it is, in a few words.
    pub title: &'static str,
    /// What happened and what to do next, for the person at the client.
    pub detail: String,
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
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            inner: String::new(),
            retry_after_s: None,
            should_retry: false,
            members: Map::new(),
            charge: None,
        }
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

    /// The body: the problem members (RFC 9457) and OpenAI's `error` object beside each other.
    #[must_use]
    pub fn body(&self, request_id: &str) -> Value {
        let mut body = Map::new();
        let kind =
            if self.code == "insufficient_credits" { "insufficient_quota" } else { self.code };
        body.insert(
            "error".to_owned(),
            json!({ "message": self.detail, "type": kind, "code": self.code,
                    "param": self.members.get("pointer") }),
        );
        body.insert("type".to_owned(), format!("urn:tollgate:problem:{}", self.code).into());
        body.insert("title".to_owned(), self.title.into());
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("detail".to_owned(), self.detail.clone().into());
        body.insert("code".to_owned(), self.code.into());
        body.insert("instance".to_owned(), request_id.into());
        body.insert("charged".to_owned(), "0".into());
        if let Some(charge) = self.charge {
            body.insert("charge".to_owned(), charge.to_string().into());
        }
        body.extend(self.members.clone());
        Value::Object(body)
    }

    /// The whole answer. `request` is what the client asked, for its `Accept`.
    #[must_use]
    pub fn response(&self, request_id: &str, request: &HeaderMap) -> Response<Vec<u8>> {
        const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
        const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
        const CHARGE_ID: HeaderName = HeaderName::from_static("credits-charge-id");
        let mut response = Response::new(self.body(request_id).to_string().into_bytes());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(request)));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry = if self.should_retry { "true" } else { "false" };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, value);
        }
        let charge = self.charge.map(|charge| HeaderValue::from_str(&charge.to_string()));
        if let Some(Ok(value)) = charge {
            headers.insert(CHARGE_ID, value);
        }
        response
    }

    /// The request cannot be read in one way only.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request", detail)
    }

    /// The body is larger than the route allows.
    #[must_use]
    pub fn too_large(limit: u64) -> Self {
        let detail = format!("The body is larger than the {limit} bytes that this route allows.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large", detail)
            .with("limit_bytes", limit)
    }

    /// The body did not come in time.
    #[must_use]
    pub fn too_slow() -> Self {
        let detail = "The body did not arrive in time. Send it faster, or in smaller requests.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "Request too slow", detail)
    }

    /// Missing, malformed, unknown, wrong or revoked: always the same answer.
    #[must_use]
    pub fn invalid_key() -> Self {
        let detail = "A valid key is needed: send it as \"Authorization: Bearer tk_…\".";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_key", "Invalid key", detail)
    }

    /// No charge of this id, or another account's: which of the two is nobody's business.
    #[must_use]
    pub fn unknown_charge(charge: &str) -> Self {
        let detail = format!("This account has no charge {charge}. Is the id whole?");
        Self::new(StatusCode::NOT_FOUND, "unknown_charge", "Unknown charge", detail)
    }

    /// No route matches.
    #[must_use]
    pub fn unknown_route(method: &str, path: &str) -> Self {
        let detail = format!("There is no route for {method} {path}.");
        Self::new(StatusCode::NOT_FOUND, "unknown_route", "Unknown route", detail)
    }

    /// The plan has no right to the route.
    #[must_use]
    pub fn route_not_in_plan(route: &str, plan: &str) -> Self {
        let detail = format!("The plan {plan} does not include {route}.");
        Self::new(StatusCode::FORBIDDEN, "route_not_in_plan", "Not in this plan", detail)
            .with("plan", plan)
            .with("route", route)
    }

    /// The account's plan is not in this instance's configuration.
    #[must_use]
    pub fn plan_unknown_here(plan: &str) -> Self {
        let detail =
            format!("The account's plan {plan} is not known here. Please tell the operator.");
        Self::new(StatusCode::FORBIDDEN, "plan_unknown_here", "Unknown plan", detail)
            .with("plan", plan)
    }

    /// A quantity that the price names is missing, of the wrong type, out of range or ambiguous.
    pub fn unpriceable(pointer: &str, why: &str) -> Self {
        let place = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
        let detail = format!("The request cannot be priced{place}: {why}.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "unpriceable_request", "The request cannot be priced", detail)
            .with("pointer", pointer)
    }

    /// The hold would be above the caller's `Credits-Max`.
    #[must_use]
    pub fn max_charge_exceeded(hold: Amount, limit: Amount) -> Self {
        let detail = format!("This request would hold {hold} credits; Credits-Max allows {limit}.");
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new(status, "max_charge_exceeded", "Above Credits-Max", detail)
            .with("required", hold.to_string())
            .with("limit", limit.to_string())
    }

    /// The local flood guard has had enough.
    #[must_use]
    pub fn flood(retry_after_s: u64) -> Self {
        let detail = "Too many requests from this address. Please slow down.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests", detail)
            .with("scope", "address")
            .retry_after(retry_after_s.clamp(1, RETRY_MAX_S))
    }

    /// The ledger cannot be asked: nothing is forwarded.
    pub fn metering_unavailable(inner: impl Into<String>) -> Self {
        let detail =
            "Metering is not available at the moment, so nothing was forwarded. Try again soon.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "metering_unavailable", "Metering unavailable", detail)
            .because(inner)
            .retry_after(STORE_RETRY_S)
    }

    /// This instance is about to stop.
    #[must_use]
    pub fn draining() -> Self {
        let detail = "This instance is about to stop. Try again on a new connection.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "Draining", detail)
            .retry_after(STORE_RETRY_S)
    }

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
            Refusal::RateLimited { name, scope, retry_at } => {
                rate_limited(&name, &scope.to_string(), retry_at.ms_since(now))
            }
            Refusal::SlotsFull { name, scope, limit } => {
                slots_full(&name, &scope.to_string(), limit)
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
            | Refusal::Exists
            | Refusal::TooMany(_)
            | Refusal::Invalid(_) => Self::metering_unavailable(format!("{refusal:?}")),
        }
    }
}

/// Two official SDKs lose the message of anything but `application/json`, so only who asks gets the other.
fn content_type(request: &HeaderMap) -> &'static str {
    const PROBLEM: &str = "application/problem+json";
    let asked = request.get_all(ACCEPT).iter().any(|value| {
        let ranges = value.to_str().unwrap_or_default().split(',');
        let mut names = ranges.filter_map(|range| range.split(';').next());
        names.any(|name| name.trim().eq_ignore_ascii_case(PROBLEM))
    });
    if asked { PROBLEM } else { "application/json" }
}

fn account_status(status: AccountStatus) -> Rejection {
    let detail = match status {
        AccountStatus::Closed => "This account is closed.",
        AccountStatus::Suspended | AccountStatus::Active => {
            "This account is suspended. Please contact support."
        }
    };
    Rejection::new(StatusCode::FORBIDDEN, "account_suspended", "Account suspended", detail)
}

fn rate_limited(name: &str, scope: &str, wait_ms: u64) -> Rejection {
    let detail = format!("Requests come faster than the limit {name} allows.");
    Rejection::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests", detail)
        .with("limit_name", name)
        .with("scope", scope)
        .retry_after(seconds(wait_ms))
}

fn slots_full(name: &str, scope: &str, limit: u32) -> Rejection {
    let detail =
        format!("{limit} generations are running, as many as the limit {name} allows at once.");
    let status = StatusCode::TOO_MANY_REQUESTS;
    Rejection::new(status, "concurrency_exceeded", "Too many at once", detail)
        .with("limit_name", name)
        .with("scope", scope)
        .with("limit", limit)
        .retry_after(SLOT_RETRY_S)
}

fn cap_exceeded(cap: &CapState, required: u64, zone: &Zone, now: Timestamp) -> Rejection {
    let shown = |count: u64| cap.measure.show(count);
    let unit = cap.measure.unit();
    let resets_at = zone.show(cap.period.end);
    let detail = format!(
        "The cap {} allows {} {unit}; {} are used and this request needs {}. It resets at {resets_at}.",
        cap.name,
        shown(cap.limit),
        shown(cap.used),
        shown(required),
    );
    Rejection::new(StatusCode::TOO_MANY_REQUESTS, "cap_exceeded", "Cap reached", detail)
        .with("limit_name", cap.name.as_str())
        .with("scope", cap.scope.to_string())
        .with("measure", unit)
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
    let numbers = format!("This request needs {required} credits; {available} are available");
    let mut rejection = match freed_at {
        Some(moment) => {
            let detail =
                format!("{numbers} and {held} are held by requests that end within a minute.");
            let status = StatusCode::TOO_MANY_REQUESTS;
            Rejection::new(status, "credits_on_hold", "Credits on hold", detail)
                .retry_after(seconds(moment.ms_since(now)))
        }
        None => {
            let detail = format!("{numbers} and {held} are held by running requests.");
            let status = StatusCode::PAYMENT_REQUIRED;
            Rejection::new(status, "insufficient_credits", "Not enough credits", detail)
        }
    };
    rejection = rejection
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_what_clients_go_by() {
        let mut request = HeaderMap::new();
        let refusal = Rejection::metering_unavailable("store at 10.0.0.7");
        let answer = refusal.response("req_1", &request);
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["x-should-retry"], "true");
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["request-id"], "req_1");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(!String::from_utf8_lossy(answer.body()).contains("10.0.0.7"));

        request
            .insert(ACCEPT, HeaderValue::from_static("text/html, application/problem+json;q=0.9"));
        let charge = ChargeId::from_bytes([0; 16]);
        let answer = Rejection::invalid_key().of(charge).response("req_2", &request);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-should-retry"], "false");
        assert!(!answer.headers().contains_key("retry-after"));
        assert_eq!(answer.headers()["credits-charge-id"], charge.to_string().as_str());
    }
}
