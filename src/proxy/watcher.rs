//! Our own watcher of jobs: asks upstreams how the jobs are that nobody asks about.
//!
//! The ledger says which are due, each to one instance at a time. It needs no client: it works after a restart, and
//! when an instance has died another one goes on.
//!
//! Invariant: what is asked at once, how long it takes and what is read have bounds.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::body::{Sending, whole};
use super::core::Core;
use super::upload::Faults;
use crate::meter::{End, JobAsked, Kept, Look, Question, Report};

/// How many jobs one instance asks about at once.
pub const AT_ONCE: usize = 64;
/// For how long a job is this instance's to ask about; longer than the asking takes.
const LEASE_MS: u64 = 60_000;
/// How long an upstream may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take while somebody waits for what we learn.
const PATIENCE_ONCE: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes.
const BODY_MAX: usize = 4 << 20;

/// Asks about what is due, as far as there is `room`. Comes back when the asking has begun.
pub async fn watch_jobs(core: &Rc<Core>, room: &Arc<Semaphore>) {
    let free = room.available_permits();
    if core.meter.rules.jobs.is_empty() || free == 0 {
        return;
    }
    for kept in core.meter.due_jobs(free, LEASE_MS).await {
        let Ok(permit) = room.clone().try_acquire_owned() else { return };
        let (own, cut) = (core.clone(), core.cut.clone());
        core.tasks.spawn(async move {
            // Cut at the end of the drain time: the lease ends, and another instance asks.
            cut.run_until_cancelled(Box::pin(look(&own, kept))).await;
            drop(permit);
        });
    }
}

async fn look(core: &Core, kept: Kept) {
    let Look::Ask(question) = core.meter.look_at(&kept).await else { return };
    let asked = match tokio::time::timeout(PATIENCE, ask(core, &kept, &question)).await {
        Ok(Ok(report)) => JobAsked::Answered(Box::new(report)),
        Ok(Err(why)) => failed(&kept, &why),
        Err(_) => failed(&kept, "no answer in time"),
    };
    core.meter.watched(kept, asked).await;
}

/// Asks about a job now, whenever it is due.
///
/// # Errors
/// Why there is no answer, for the log.
pub(super) async fn ask_once(core: &Core, kept: &Kept) -> Result<Report, String> {
    let question = core.meter.question(kept).ok_or("nothing says how it is asked about")?;
    let asked = tokio::time::timeout(PATIENCE_ONCE, ask(core, kept, &question)).await;
    asked.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

fn failed(kept: &Kept, why: &str) -> JobAsked {
    tracing::warn!(job = %kept.job.name, charge = %kept.charge, why, "a job could not be asked about");
    JobAsked::Failed
}

/// What the upstream says; `Err`: why it says nothing.
async fn ask(core: &Core, kept: &Kept, question: &Question) -> Result<Report, String> {
    let Question { method, path, result, .. } = question;
    let rules = &core.meter.rules;
    let route = rules.routes.iter().find(|route| route.name == kept.record.route);
    let upstream = route.and_then(|route| core.upstreams.get(route.upstream));
    let upstream = upstream.ok_or("its route is gone")?;
    let asked: PathAndQuery = path.parse().map_err(|error| format!("{path}: {error}"))?;
    let target = upstream
        .target(Some(&asked), kept.record.host.as_deref())
        .map_err(|error| error.to_string())?;
    let body = match &question.body {
        Some(json) => whole(json.clone()),
        None if method == Method::POST => whole(""),
        None => Sending::nothing().body,
    };
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method.clone(), target);
    let headers = request.headers_mut();
    if question.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.1"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(credentials) = upstream.credentials() {
        headers.insert(credentials.header.clone(), credentials.value.clone());
    }
    let sent = upstream.send(request, &Faults::default()).await;
    let (head, mut body) = sent.map_err(|error| format!("{error:?}"))?.into_parts();
    let mut sight = core.meter.sight(kept, *result);
    let mut watch = sight.watch(head.status.as_u16(), &head.headers);
    let long = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let (mut end, mut read) = (End::Complete, 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        if let Some(data) = frame.data_ref() {
            watch.feed(data);
            read = read.saturating_add(data.len());
        }
        if let Some(trailers) = frame.trailers_ref() {
            watch.trailers(trailers);
        }
        // A film, and no word about one: what the head says is enough, or nothing is.
        if read > BODY_MAX || long.is_some_and(|long: usize| long > BODY_MAX) {
            end = if *result { End::Complete } else { End::Broken };
            break;
        }
    }
    let report = sight.report(watch, end);
    if report.is_end() || head.status.is_success() {
        return Ok(report);
    }
    Err(format!("it answered {}", head.status))
}
