//! Calls of upstreams that call one URL for all their jobs. Whose job it is, the ledger knows by its id.
//!
//! A call about a job that nobody here has begun is answered 404: the upstream calls again, and if it was only faster than
//! its own answer the job is known by then.
//!
//! Invariant: a call that is not proven does nothing.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::core::Core;
use super::hooks::{answered, believe, heard, id_of, read};
use super::jobs::tell;
use super::stage::Stop;
use super::watcher::ask_once;
use crate::meter::{By, Kept, Receiver, Rejection};
use crate::observe::{Pointer, Spot, spot};

/// See the module.
pub(super) async fn received(
    core: Rc<Core>,
    receiver: &Arc<Receiver>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Stop> {
    if request.method() != Method::POST {
        let mut answer = answered(StatusCode::METHOD_NOT_ALLOWED);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(answer);
    }
    let whose = receiver.name.as_str();
    let (head, bytes, room) = read(&core, request).await?;
    believe(&core, &receiver.proof, whose, &head.headers, &bytes).await?;
    if let Some(id) = id_of(&receiver.id, &head.headers, &bytes) {
        let Some(kept) = core.meter.job_named(&receiver.jobs, &id).await? else {
            tracing::info!(receiver = whose, "a webhook is about a job that was not begun here");
            return Ok(answered(StatusCode::NOT_FOUND));
        };
        judge(&core, receiver, kept, &head, &bytes).await?;
    }
    let status = match (&receiver.forward_to, &core.forwarder) {
        (Some(url), Some(caller)) => caller.pass_on(Some(url), whose, head, bytes).await,
        _ => StatusCode::OK,
    };
    drop(room);
    Ok(answered(status))
}

/// Acts on what the call says of its job; what it does not say, the upstream is asked.
async fn judge(
    core: &Rc<Core>,
    receiver: &Receiver,
    kept: Kept,
    head: &Parts,
    bytes: &Bytes,
) -> Result<(), Rejection> {
    let told = receiver.at.as_ref().and_then(|place| part(bytes, place));
    let told = told.map(|part| heard(core, &kept, head, part));
    let asks = kept.job.watching.is_some() && kept.record.end.is_none();
    if let Some(report) = told {
        let used = |name| kept.record.stated.contains(name);
        let says = match report.is_end() {
            true => report.missing.iter().all(used),
            false => report.word.is_some(),
        };
        if says || !asks {
            tell(core, kept, report, By::Webhook).await;
            return Ok(());
        }
    }
    if !asks {
        return Ok(());
    }
    let report = ask_once(core, &kept).await.map_err(Rejection::metering_unavailable)?;
    tell(core, kept, report, By::Watcher).await;
    Ok(())
}

/// The part of a call that stands at a place.
fn part<'a>(bytes: &'a [u8], place: &Pointer) -> Option<&'a [u8]> {
    if place.steps().is_empty() {
        return Some(bytes);
    }
    match spot(bytes, place)? {
        Spot::There { value, .. } => bytes.get(value),
        Spot::Absent { .. } | Spot::Other { .. } => None,
    }
}
