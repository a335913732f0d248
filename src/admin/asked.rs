//! What a call says, read strictly.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::StatusCode;
use http::request::Parts as Head;

use super::once::Once;
use super::problem::Problem;
use super::{BODY_MAX, Parts, Result, references};
use crate::credit::AccountId;
use crate::meter::{Fault, Members, Misread, Page};
use crate::seam::Timestamp;

/// The longest label in bytes.
const LABEL_MAX: usize = 200;
/// The longest reason in bytes.
pub(super) const REASON_MAX: usize = 500;
/// The longest name of a person or reference in bytes.
const NAME_MAX: usize = 200;
/// The longest duration that a call may say.
const DURATION_MAX_MS: u64 = 366 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The members of a call's body, and its `Idempotency-Key`. Calls with a body have no parameters.
#[derive(Debug)]
pub(super) struct Asked(pub(super) Members, pub(super) Once);

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Page::none(&pairs(request.uri())?)?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("The body is larger than {BODY_MAX} bytes.");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
            } else {
                Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "The body broke off.")
            }
        })?;
        let once = Once::read(method.as_str(), &path, &headers, &body)?;
        Ok(Self(Members::read(&body)?, once))
    }
}

/// A call that has no parameters.
#[derive(Debug)]
pub(super) struct Bare;

impl<S: Send + Sync> FromRequestParts<S> for Bare {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Result<Self> {
        Page::none(&pairs(&head.uri)?)?;
        Ok(Self)
    }
}

/// The parameters of a call, those that have not been read yet.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Result<Self> {
        pairs(&head.uri).map(Self)
    }
}

impl Parameters {
    /// Reads a parameter that need not be there.
    pub(super) fn optional(&mut self, name: &str) -> Result<Option<String>> {
        let (own, others) = std::mem::take(&mut self.0).into_iter().partition(|(it, _)| it == name);
        self.0 = others;
        let mut own: Vec<(String, String)> = own;
        let said = own.pop();
        match own.pop() {
            Some(_) => Err(misread(name, "this parameter is said twice")),
            None => Ok(said.map(|(_, value)| value)),
        }
    }

    /// The page that the rest asks for.
    pub(super) fn page(self) -> Result<Page> {
        Ok(Page::read(&self.0)?)
    }

    /// Ends the reading: nothing may be left.
    pub(super) fn end(self) -> Result<()> {
        Ok(Page::none(&self.0)?)
    }
}

fn pairs(uri: &http::Uri) -> Result<Vec<(String, String)>> {
    let Query(pairs) = Query::try_from_uri(uri)
        .map_err(|_| Problem::from(Misread { name: None, fault: Fault::Query }))?;
    Ok(pairs)
}

/// A member or parameter is not what it should be.
pub(super) fn misread(name: &str, detail: &str) -> Problem {
    Misread::of(name, Fault::Malformed(detail.to_owned())).into()
}

/// The account that a path names, by its id or as `ref:` and its reference. One that cannot be is one that
/// is not.
pub(super) async fn account(parts: &Parts, text: &str) -> Result<AccountId> {
    let unknown = || Problem::unknown("unknown_account", &format!("account {text}"));
    match text.strip_prefix("ref:") {
        Some(reference) => {
            let found = references::find(&*parts.ledger, reference).await?;
            found.map(|document| document.account).ok_or_else(unknown)
        }
        None => text.parse().map_err(|_| unknown()),
    }
}

/// A moment that a member says.
pub(super) fn moment(name: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error| {
        Problem::invalid(
            name,
            format!("{name} must be a time such as 2026-11-22T06:00:00Z: {error}"),
        )
    })
}

/// A moment that a member may say.
pub(super) fn time(asked: &mut Members, name: &str) -> Result<Option<Timestamp>> {
    asked.optional::<String>(name)?.map(|text| moment(name, &text)).transpose()
}

/// A moment that is to come.
pub(super) fn to_come(parts: &Parts, name: &str, moment: Timestamp) -> Result<Timestamp> {
    if moment <= parts.clock.now() {
        return Err(Problem::invalid(name, format!("{name} must lie in the future")));
    }
    Ok(moment)
}

/// A duration such as `90s`, `10m`, `24h` or `7d`, in milliseconds.
pub(super) fn duration(name: &str, text: &str) -> Result<u64> {
    let units = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', DAY_MS)];
    let read = units.into_iter().find_map(|(unit, ms)| {
        let number = text.strip_suffix(unit)?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(ms)
    });
    read.filter(|ms| *ms <= DURATION_MAX_MS).ok_or_else(|| {
        Problem::invalid(name, format!("{name} must be a duration such as 0s, 10m, 24h or 7d"))
    })
}

/// The label that a call gives.
pub(super) fn label(asked: &mut Members) -> Result<Option<String>> {
    let label = asked.optional::<String>("label")?;
    if label.as_ref().is_some_and(|label| label.len() > LABEL_MAX) {
        return Err(Problem::invalid("label", format!("label has at most {LABEL_MAX} bytes")));
    }
    Ok(label)
}

/// The reason that a call gives.
pub(super) fn reason(asked: &mut Members) -> Result<Option<String>> {
    let reason = asked.optional::<String>("reason")?;
    if reason.as_ref().is_some_and(|it| it.is_empty() || it.len() > REASON_MAX) {
        return Err(Problem::invalid("reason", format!("reason has 1 to {REASON_MAX} bytes")));
    }
    Ok(reason)
}

/// The reason that a call must give.
pub(super) fn needed_reason(asked: &mut Members) -> Result<String> {
    reason(asked)?.ok_or_else(|| misread("reason", "this member is missing"))
}

/// The name of a person or a reference.
pub(super) fn name(member: &str, text: String) -> Result<String> {
    if (1..=NAME_MAX).contains(&text.len()) && !text.contains(char::is_control) {
        return Ok(text);
    }
    let detail = format!("{member} has 1 to {NAME_MAX} bytes, none of them a control character");
    Err(Problem::invalid(member, detail))
}
