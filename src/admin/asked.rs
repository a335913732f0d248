//! What a call says, read strictly.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::StatusCode;
use http::request::Parts as Head;

use super::problem::Problem;
use super::{BODY_MAX, Result};
use crate::credit::AccountId;
use crate::meter::{Fault, Members, Misread, Page};

/// The members of a call's body. Calls with a body have no parameters.
#[derive(Debug)]
pub(super) struct Asked(pub(super) Members);

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Page::none(&pairs(request.uri())?)?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("The body is larger than {BODY_MAX} bytes.");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
            } else {
                Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "The body broke off.")
            }
        })?;
        Ok(Self(Members::read(&body)?))
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

/// A call for a page of a list.
#[derive(Debug)]
pub(super) struct Paged(pub(super) Page);

impl<S: Send + Sync> FromRequestParts<S> for Paged {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Result<Self> {
        Ok(Self(Page::read(&pairs(&head.uri)?)?))
    }
}

fn pairs(uri: &http::Uri) -> Result<Vec<(String, String)>> {
    let Query(pairs) = Query::try_from_uri(uri)
        .map_err(|_| Problem::from(Misread { name: None, fault: Fault::Query }))?;
    Ok(pairs)
}

/// The account that a path names. One that cannot be is one that is not.
pub(super) fn account(text: &str) -> Result<AccountId> {
    text.parse().map_err(|_| Problem::unknown("unknown_account", &format!("account {text}")))
}
