//! Calls of upstreams that call one URL for all their jobs. Whose job it is, the ledger knows by its id.
//!
//! A call about a job that nobody here has begun is answered 404: the upstream calls again, and if it was only faster than
//! its own answer the job is known by then.
//!
//! Invariant: a call that is not proven does nothing; of one that is, what its signature does not cover does nothing.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::core::Core;
use super::hooks::{act, answered, believe, covered, heard, id_of, read};
use super::stage::Stop;
use super::watcher::ask_once;
use crate::meter::{By, Kept, Receiver, Rejection, Report};
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
    let headers = covered(receiver.proof.how, &head.headers);
    if let Some(id) = id_of(&receiver.id, &headers, &bytes) {
        let Some(kept) = core.meter.job_named(&receiver.jobs, &id).await? else {
            tracing::info!(receiver = whose, "a webhook is about a job that was not begun here");
            return Ok(answered(StatusCode::NOT_FOUND));
        };
        judge(&core, receiver, kept, &headers, &bytes).await?;
    } else {
        tracing::info!(receiver = whose, "a webhook names no job");
    }
    let status = match (&receiver.forward_to, &core.forwarder) {
        (Some(url), Some(caller)) => caller.pass_on(Some(url), whose, head, bytes).await,
        _ => StatusCode::OK,
    };
    drop(room);
    Ok(answered(status))
}

/// Acts on what the call says of its job; what it does not say, the upstream is asked. An end that is proven stands whatever
/// comes of the asking: what it used may still be heard later.
async fn judge(
    core: &Rc<Core>,
    receiver: &Receiver,
    kept: Kept,
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Result<(), Rejection> {
    let there = receiver.at.as_ref().map(|place| part(bytes, place));
    if there == Some(None) {
        let (receiver, charge) = (&receiver.name, &kept.charge);
        tracing::warn!(%receiver, %charge, "a webhook has no job where `at` says");
    }
    let told = there.flatten().map(|part| heard(core, &kept, headers, part));
    let asks = kept.job.watching.is_some() && kept.record.end.is_none();
    if let Some(report) = told.as_ref().filter(|report| !asks || is_whole(&kept, report)) {
        let report = report.clone();
        return act(core, kept, report, By::Webhook).await;
    }
    if !asks {
        return Ok(());
    }
    let end = told.filter(Report::is_end);
    let (report, by) = match (ask_once(core, &kept).await, end) {
        (Ok(report), None) => (report, By::Watcher),
        (Ok(report), Some(_)) if report.is_end() => (report, By::Watcher),
        (_, Some(end)) => (end, By::Webhook),
        (Err(why), None) => return Err(Rejection::metering_unavailable(why)),
    };
    act(core, kept, report, by).await
}

/// Whether a call says all that there is to know at its time.
fn is_whole(kept: &Kept, report: &Report) -> bool {
    match report.is_end() {
        true => report.missing.iter().all(|name| kept.record.stated.contains(name)),
        false => report.word.is_some(),
    }
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
