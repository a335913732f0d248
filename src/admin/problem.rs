//! What operators are told when something is not done: problem JSON with a stable `code`.
//!
//! Invariant: what the ledger said for the log is logged, never sent.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::role::Role;
use crate::credit::ChargeId;
use crate::ledger::{AccountStatus, Answer, Refusal};
use crate::meter::Misread;

/// In how many seconds an unavailable ledger should be asked again.
const RETRY_S: u64 = 1;

/// Why a call was not done.
#[derive(Debug)]
pub(super) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem of this kind.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (members, headers) = (Map::new(), HeaderMap::new());
        Self(Box::new(Inner { status, code, detail: detail.into(), members, headers }))
    }

    /// The same with another member in its body.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same with another header.
    pub(super) fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.insert(name, value.into());
        self
    }

    /// A member or parameter says something that cannot be.
    pub(super) fn invalid(param: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).with("param", param)
    }

    /// No such thing.
    pub(super) fn unknown(code: &'static str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("There is no {id}."))
    }

    /// Whether its code is this.
    pub(super) fn is(&self, code: &str) -> bool {
        self.0.code == code
    }

    /// The same about a charge: one that is archived names the goodwill that may be given instead.
    pub(super) fn of_charge(self, charge: ChargeId) -> Self {
        if self.is("charge_archived") {
            return self.with("goodwill", format!("gw:{charge}"));
        }
        self
    }

    /// The operator's role is not one of those that may.
    pub(super) fn forbidden(own: Role, needed: &[Role]) -> Self {
        let names: Vec<&str> = needed.iter().map(|role| role.name()).collect();
        let detail = format!("Your role is {own}; this needs the role {}.", names.join(" or "));
        Self::new(StatusCode::FORBIDDEN, "forbidden_role", detail)
            .with("role", own.name())
            .with("needed", names)
    }

    /// The ledger's clock or load stands in the way for a moment.
    fn unavailable(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).header(RETRY_AFTER, RETRY_S)
    }
}

impl From<Misread> for Problem {
    fn from(misread: Misread) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", misread.to_string());
        match misread.name {
            Some(name) => problem.with("param", name),
            None => problem,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let conflict = |code, detail| Self::new(StatusCode::CONFLICT, code, detail);
        let unprocessable =
            |code, detail| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        let missing = |code, detail: &str| Self::new(StatusCode::NOT_FOUND, code, detail);
        match refusal {
            Refusal::Unavailable(why) => {
                tracing::warn!(%why, "the ledger is not available");
                let detail = "The ledger cannot be reached; nothing was done. Try again.";
                Self::unavailable("ledger_unavailable", detail)
            }
            Refusal::Broken(why) => {
                tracing::error!(%why, "a record needs a person");
                let detail = "A record of this account cannot be read, so the account is left alone. \
                              Nothing was done; the log says which record.";
                Self::unavailable("record_broken", detail)
            }
            Refusal::ClockJump => Self::unavailable(
                "clock_jump",
                "The machine's clock has jumped; nothing is decided until it is right.",
            ),
            Refusal::Stale { .. } | Refusal::Tick => Self::unavailable(
                "busy",
                "The account is changing faster than it can be read. Try again.",
            ),
            Refusal::UnknownAccount => missing("unknown_account", "There is no such account."),
            Refusal::InvalidKey => missing("unknown_key", "There is no such key."),
            Refusal::UnknownJob => missing("unknown_job", "The account has no such job."),
            Refusal::UnknownAlias => missing("unknown_alias", "Nothing has this name."),
            Refusal::UnknownCharge => missing("unknown_charge", "There is no such charge."),
            Refusal::AccountStatus(AccountStatus::Closed) => {
                conflict("account_closed", "The account is closed for ever.".to_owned())
            }
            Refusal::AccountStatus(AccountStatus::Suspended | AccountStatus::Active) => {
                conflict("account_suspended", "The account is suspended.".to_owned())
            }
            Refusal::AccountRestricted { until } => {
                conflict("account_restricted", format!("The account may not spend until {until}."))
            }
            Refusal::UnknownBucket => missing("unknown_grant", "The account has no such grant."),
            Refusal::ChargeArchived => archived(),
            Refusal::RefundTooLarge { left } => unprocessable(
                "refund_too_large",
                format!("Of this charge {left} may still be refunded."),
            )
            .with("left", left.to_string()),
            Refusal::Conflict => {
                conflict("conflict", "This id is in use with another content: choose another, or send what was sent first.".to_owned())
            }
            Refusal::Exists => conflict("exists", "This id is taken.".to_owned()),
            Refusal::Ended(_) => conflict("charge_ended", "The charge has ended.".to_owned()),
            Refusal::TooOld { .. } => {
                unprocessable("too_old", "This id was made too long ago. Use a new one.".to_owned())
            }
            Refusal::TooMany(what) => unprocessable("too_many", what),
            Refusal::Invalid(what) => unprocessable("invalid", what),
            // Gates are for paid requests; operators' calls pass none.
            Refusal::RateLimited { .. }
            | Refusal::SlotsFull { .. }
            | Refusal::CapExceeded { .. }
            | Refusal::Insufficient { .. } => {
                conflict("limit_reached", "A limit of the account stands in the way.".to_owned())
            }
        }
    }
}

/// What is known of a charge was archived.
pub(super) fn archived() -> Problem {
    let detail = "The charge ended too long ago to be refunded. Give goodwill instead, with the id gw: \
                  followed by the charge's id, so that it is given once.";
    Problem::new(StatusCode::CONFLICT, "charge_archived", detail)
}

/// What the ledger applied; else the problem.
pub(super) fn applied<T>(answer: Answer<T>) -> Result<T, Problem> {
    match answer {
        Answer::Applied(value) => Ok(value),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Unknown(why) => {
            tracing::warn!(%why, "the ledger's answer was lost");
            let detail = "Nobody knows whether it was done. Ask again with the same id.";
            Err(Problem::unavailable("outcome_unknown", detail))
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let inner = *self.0;
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("urn:tollgate:problem:{}", inner.code).into());
        body.insert("title".to_owned(), inner.code.replace('_', " ").into());
        body.insert("status".to_owned(), inner.status.as_u16().into());
        body.insert("code".to_owned(), inner.code.into());
        body.insert("detail".to_owned(), inner.detail.into());
        body.extend(inner.members);
        let mut response = (inner.status, Value::Object(body).to_string()).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().extend(inner.headers);
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response
    }
}
