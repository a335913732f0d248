//! Webhooks: the client's URL in a request that begins a job is replaced by one of ours, and what the upstream calls
//! there is judged and passed on.
//!
//! The upstream gets the client's own answer, so that it calls again when the client could not be reached.
//!
//! Invariant: a call at one job's URL does nothing without our seal. Without a declared proof it is no more than a reason to
//! ask, wherever the upstream can be asked.
//! Invariant: of a proven call nothing is believed but what its signature covers.
//! Invariant: one string of the request changes, and no other byte.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{Body, Sending, whole};
use super::core::Core;
use super::headers::Taken;
use super::jobs::tell;
use super::reading::{call_room, collect};
use super::receiving::received;
use super::rewriting::replaced;
use super::stage::{Onward, Stop};
use super::upload::Upload;
use super::watcher::ask_once;
use crate::credit::{AccountId, ChargeId};
use crate::ledger::{Answer, ChargeState};
use crate::meter::{
    BodyLimit, By, Due, End, HookPlace, IdPlace, Job, Kept, Proof, Rejection, Report, Sealed,
    Unproven, Verify, Webhook, fal_signed, open, parameter, proven, seal, signed_id,
};
use crate::observe::{Fact, response, string_at, strings};

/// Behind the client plane's prefix: where upstreams call.
const PATH: &str = "/v1/webhooks/";
/// The largest call, in bytes.
const CALL_MAX: u64 = 4 << 20;
/// The most bytes of calls that are read at once by one core, before anybody has proven anything: sixteen that do not say
/// how long they are. Their own room, so that strangers do not fill that of paying requests.
pub const CALLS_MAX: u64 = 16 * CALL_MAX;

/// How a route's webhook is wrapped, if it is.
fn wrapping<'a>(core: &Core, due: &'a Due) -> Option<(&'a Job, &'a Webhook)> {
    let job = due.job.as_deref()?;
    core.settings.webhooks.as_ref()?;
    Some((job, job.webhook.as_ref()?))
}

/// Whether the body must be read to wrap the client's URL.
pub(super) fn reads_body(core: &Core, due: &Due) -> bool {
    wrapping(core, due).is_some_and(|(_, hook)| matches!(hook.url, HookPlace::Json(_)))
}

/// Replaces the client's URL by ours, where there is one.
pub(super) fn wrap(
    core: &Core,
    due: &Due,
    (account, charge): (&AccountId, ChargeId),
    (head, onward): (&mut Parts, &mut Onward),
    (body, bytes): (Sending, Option<&Bytes>),
) -> Sending {
    let Some((job, hook)) = wrapping(core, due) else { return body };
    let ours = |url: String| {
        let scheme = url.parse::<Uri>().ok()?.scheme_str()?.to_owned();
        if !matches!(scheme.as_str(), "http" | "https") {
            return None;
        }
        let (account, job) = (account.clone(), job.name.clone());
        let webhooks = core.settings.webhooks.as_ref()?;
        let token = seal(&webhooks.secret, &Sealed { account, charge, job, url })?;
        let here = core.settings.public_url.as_ref()?;
        Some(format!("{here}{}{PATH}{token}", core.settings.client_prefix))
    };
    match &hook.url {
        HookPlace::Json(place) => {
            let Some(bytes) = bytes else { return body };
            let edits = strings(bytes, place).into_iter().filter_map(|span| {
                let url = ours(string_at(bytes, span.clone())?)?;
                Some((span, serde_json::to_vec(&url).ok()?))
            });
            let edits: Vec<_> = edits.collect();
            match replaced(bytes, &edits) {
                Some(new) if !edits.is_empty() => Sending { body: whole(new), ..body },
                _ => body,
            }
        }
        HookPlace::Query(name) => {
            let turned = |target: &PathAndQuery| in_query(target, name, &ours);
            if let Some(new) = onward.target.as_ref().and_then(turned) {
                onward.target = Some(new);
            } else if onward.target.is_none()
                && let Some(new) = head.uri.path_and_query().and_then(turned)
            {
                onward.target = Some(new);
            }
            body
        }
    }
}

/// The target with one parameter of its query replaced; `None`: it stays as it is.
fn in_query(
    target: &PathAndQuery,
    name: &str,
    ours: &impl Fn(String) -> Option<String>,
) -> Option<PathAndQuery> {
    let mut changed = false;
    let pairs: Vec<String> = target
        .query()?
        .split('&')
        .map(|pair| {
            let url = pair
                .split_once('=')
                .filter(|(key, _)| parameter(key).as_deref() == Some(name))
                .and_then(|(key, value)| Some((key, ours(parameter(value)?)?)));
            match url {
                Some((key, url)) => {
                    changed = true;
                    format!("{key}={}", url.replace(':', "%3A").replace('/', "%2F"))
                }
                None => pair.to_owned(),
            }
        })
        .collect();
    let query = pairs.join("&");
    format!("{}?{query}", target.path()).parse().ok().filter(|_| changed)
}

/// What stands behind the path where upstreams call.
pub(super) fn behind<'a>(core: &Core, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(core.settings.client_prefix.as_str())?.strip_prefix(PATH)
}

/// Takes an upstream's call: at the URL of one job, or at one for all jobs.
pub(super) async fn called(
    core: Rc<Core>,
    behind: String,
    request: Request<Incoming>,
) -> Result<Response<Body>, Stop> {
    let mut receivers = core.settings.receivers.iter();
    if let Some(receiver) = receivers.find(|receiver| receiver.name.as_str() == behind).cloned() {
        return received(core, &receiver, request).await;
    }
    let webhooks = core.settings.webhooks.as_ref();
    let sealed = webhooks.and_then(|own| open(&own.secret, &behind));
    let sealed = sealed.ok_or_else(Rejection::unknown_job)?;
    let (head, bytes, room) = read(&core, request).await?;
    let job = core.meter.rules.jobs.iter().find(|job| job.name == sealed.job).cloned();
    if let Some(job) = &job
        && let Some(hook) = &job.webhook
    {
        let proven = hook.proof.how != Verify::None && hook.proof.is_there();
        let headers = if proven {
            believe(&core, &hook.proof, job.name.as_str(), &head.headers, &bytes).await?;
            covered(hook.proof.how, &head.headers)
        } else {
            let mut headers = head.headers.clone();
            headers.remove(CONTENT_LENGTH);
            headers
        };
        judge(&core, job, &sealed, proven, (&headers, &bytes)).await?;
    }
    let status = match &core.caller {
        Some(caller) => {
            let url = sealed.url.parse::<Uri>();
            caller.pass_on(url.ok().as_ref(), &sealed.charge.to_string(), head, bytes).await
        }
        None => StatusCode::BAD_GATEWAY,
    };
    drop(room);
    Ok(answered(status))
}

/// What the upstream gets.
pub(super) fn answered(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(whole(""));
    *answer.status_mut() = status;
    answer
}

/// Reads a call; the room that its body takes is given back at the end.
pub(super) async fn read(
    core: &Core,
    request: Request<Incoming>,
) -> Result<(Parts, Bytes, OwnedSemaphorePermit), Stop> {
    let (head, body) = request.into_parts();
    let length = http_body::Body::size_hint(&body).exact();
    let room = call_room(core, length, CALL_MAX)?;
    let limit = BodyLimit { bytes: CALL_MAX, plan: None };
    let (limits, clock) = (&core.settings.limits, core.meter.clock.clone());
    let upload = Upload::new(body, limit, limits.body_rate, clock);
    let (bytes, _) = collect(upload, limits.body_ms, &Taken::new([])).await?;
    Ok((head, bytes, room))
}

/// Refuses a call that is not proven. One whose proof needs keys that nobody could read yet is not believed either,
/// and the upstream is asked to call again.
pub(super) async fn believe(
    core: &Core,
    proof: &Proof,
    whose: &str,
    head: &HeaderMap,
    bytes: &[u8],
) -> Result<(), Rejection> {
    let now = core.meter.clock.now();
    let proven = match &proof.keys {
        None => proven(proof.how, &proof.secret, head, bytes, now),
        Some(keys) => match fal_signed(head, bytes, now) {
            Ok((message, signature)) => {
                match core.key_sets.has_signed(keys, &message, &signature).await {
                    Some(true) => Ok(()),
                    Some(false) => Err(Unproven::Wrong),
                    None => {
                        let why = format!("the keys of webhooks of {whose} have not been read yet");
                        return Err(Rejection::metering_unavailable(why));
                    }
                }
            }
            Err(why) => Err(why),
        },
    };
    proven.map_err(|why| {
        tracing::warn!(whose, %why, "a webhook is not believed");
        Rejection::invalid_key().because(why.to_string())
    })
}

/// What is believed of a proven call's head: the id that is signed, and that the body is JSON, since nothing else is read.
/// Whoever sends a signed body again may write whatever else he likes above it.
pub(super) fn covered(how: Verify, head: &HeaderMap) -> HeaderMap {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let id = signed_id(how).and_then(|name| Some((name.clone(), head.get(name)?.clone())));
    [Some(json), id].into_iter().flatten().collect()
}

/// Acts on what the call says of its job, in its body and in those `headers` that are believed.
async fn judge(
    core: &Rc<Core>,
    job: &std::sync::Arc<Job>,
    sealed: &Sealed,
    proven: bool,
    (headers, bytes): (&HeaderMap, &[u8]),
) -> Result<(), Rejection> {
    let Some(id) = id_of(&job.id, headers, bytes) else {
        tracing::warn!(job = %job.name, charge = %sealed.charge, "a webhook names no job");
        return Ok(());
    };
    let kept = match core.meter.job(&sealed.account, job, &id).await {
        Ok(kept) => kept,
        Err(rejection) if rejection.code() == "unknown_job" => {
            return not_yet(core, sealed).await;
        }
        Err(rejection) => return Err(rejection),
    };
    if kept.charge != sealed.charge {
        tracing::warn!(job = %job.name, charge = %sealed.charge, "a webhook names another job");
        return Ok(());
    }
    let told = heard(core, &kept, headers, bytes);
    if proven {
        return act(core, kept, told, By::Webhook).await;
    }
    unproven(core, kept, told).await
}

/// Acts on a call that nothing proves but our URL, which upstreams may show to their clients: it says that there is
/// something to ask for. Where nothing says how, it is believed, but for files: those may be somebody else's.
async fn unproven(core: &Rc<Core>, kept: Kept, told: Report) -> Result<(), Rejection> {
    if kept.record.end.is_some() {
        return Ok(());
    }
    if kept.job.watching.is_none() {
        let told = Report { files: Vec::new(), ..told };
        return act(core, kept, told, By::Webhook).await;
    }
    match ask_once(core, &kept).await {
        Ok(report) => act(core, kept, report, By::Watcher).await,
        Err(why) => {
            tracing::warn!(charge = %kept.charge, why, "after a webhook; the job's watcher asks again");
            Ok(())
        }
    }
}

/// Acts on a report. The upstream is asked to call again if the ledger does not have it for sure.
pub(super) async fn act(
    core: &Rc<Core>,
    kept: Kept,
    report: Report,
    by: By,
) -> Result<(), Rejection> {
    if tell(core, kept, report, by).await {
        return Ok(());
    }
    Err(Rejection::metering_unavailable("the ledger does not have what a webhook says"))
}

/// What a call says of its job, in its body and in those `headers` that are believed.
pub(super) fn heard(core: &Core, kept: &Kept, headers: &HeaderMap, bytes: &[u8]) -> Report {
    let mut sight = core.meter.sight(kept, false);
    let mut watch = sight.watch(StatusCode::OK.as_u16(), headers);
    watch.feed(bytes);
    sight.report(watch, End::Complete)
}

/// The upstream was faster than its own answer: it is asked to call again, as long as the exchange runs.
async fn not_yet(core: &Core, sealed: &Sealed) -> Result<(), Rejection> {
    match core.meter.ledger.charge(sealed.charge).await {
        Answer::Applied(record) if record.state == ChargeState::Held => {
            let why = "a webhook came before the answer that began its job";
            Err(Rejection::metering_unavailable(why))
        }
        Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        Answer::Applied(_) | Answer::Refused(_) => Ok(()),
    }
}

/// The id at this place of a call.
pub(super) fn id_of(place: &IdPlace, head: &HeaderMap, bytes: &[u8]) -> Option<String> {
    match place {
        IdPlace::Header(name) => head.get(name)?.to_str().ok().map(str::to_owned),
        IdPlace::Json(place) => match response(bytes, &[place]).ok()?.at(0) {
            [Fact::Text(id)] => Some(id.clone().into_owned()),
            [Fact::Number(id)] => Some((*id).to_owned()),
            _ => None,
        },
    }
}
