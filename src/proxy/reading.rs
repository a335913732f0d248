//! Reading a body before its request is priced, and how large it may be.
//!
//! Invariant: what is read has room that was taken before, and an end in bytes and in time.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::Sending;
use super::core::Core;
use super::headers::Taken;
use super::hops::trailers_outward;
use super::spool::{MEMORY_MAX, Room, Spool};
use super::upload::{Fault, Upload};
use super::upstream::chain;
use crate::meter::{
    BodyLimit, Detail, Due, Identity, Passed, Passing, PutIn, Rejection, Route, TakeOut, body_limit,
};

/// Room for a body of the declared length, or of any that the route allows.
pub(super) fn room(
    core: &Core,
    length: Option<u64>,
    limit: u64,
) -> Result<OwnedSemaphorePermit, Rejection> {
    let length = length.unwrap_or(limit).min(limit);
    taken(&core.room, length)
        .ok_or_else(|| Rejection::metering_unavailable("no room for another body: limits.bodies"))
}

/// Room for an upstream's call of the declared length, or of the largest; it is not that of the bodies of requests.
pub(super) fn call_room(
    core: &Core,
    length: Option<u64>,
    limit: u64,
) -> Result<OwnedSemaphorePermit, Rejection> {
    let length = length.unwrap_or(limit).min(limit);
    taken(&core.calls, length)
        .ok_or_else(|| Rejection::metering_unavailable("too many webhooks at once"))
}

/// What is put into this body on the client's behalf, and what is taken out of the answer for it.
pub(super) fn asking(
    due: &Due,
    headers: &http::HeaderMap,
    body: &[u8],
) -> Option<(PutIn, Option<TakeOut>)> {
    let ask = due.stream.ask.as_ref()?;
    Some((ask.put_in(headers, body)?, ask.take_out.clone()))
}

fn taken(room: &Arc<Semaphore>, bytes: u64) -> Option<OwnedSemaphorePermit> {
    let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
    room.clone().try_acquire_many_owned(kib).ok()
}

/// The same for a body that is spooled: a bounded part of it in memory, the rest on the disk.
pub(super) fn spool_room(core: &Core, length: Option<u64>, limit: u64) -> Result<Room, Rejection> {
    let length = length.unwrap_or(limit).min(limit);
    let memory = room(core, Some(length.min(MEMORY_MAX)), limit)?;
    let full = || Rejection::metering_unavailable("no room for another body: limits.spool");
    let disk = match length.saturating_sub(MEMORY_MAX) {
        0 => None,
        rest => Some(taken(&core.spool.room, rest).ok_or_else(full)?),
    };
    Ok(Room { _memory: memory, _disk: disk })
}

/// Reads a body into a spool, and shows it to `passing` on its way. What cannot be read is not read to its end:
/// such a request is never forwarded.
pub(super) async fn spool(
    core: &Core,
    upload: Upload,
    passing: Passing,
    room: Room,
    taken: &Taken,
) -> Result<(Sending, Passed), Rejection> {
    let (faults, limit) = (upload.faults(), upload.limit().clone());
    let allowed = Duration::from_millis(core.settings.limits.upload_ms);
    let spooled = tokio::time::timeout(allowed, take(core, upload, passing, room)).await;
    match (spooled, faults.found()) {
        (Err(_), _) | (_, Some(Fault::TooSlow)) => Err(Rejection::too_slow()),
        (_, Some(Fault::TooLarge)) => Err(Rejection::too_large(&limit)),
        (Ok(Ok((spool, passed, trailers))), _) => {
            let trailers = trailers.map(|mut trailers| {
                trailers_outward(&mut trailers, taken);
                trailers
            });
            let trailers = trailers.filter(|trailers| !trailers.is_empty());
            Ok((Sending::spooled(spool.into_body(trailers)), passed))
        }
        (Ok(Err(rejection)), _) => Err(rejection),
    }
}

async fn take(
    core: &Core,
    mut upload: Upload,
    mut passing: Passing,
    room: Room,
) -> Result<(Spool, Passed, Option<http::HeaderMap>), Rejection> {
    let (mut spool, mut trailers) = (Spool::new(room), None);
    while let Some(frame) = upload.frame().await {
        let frame = frame
            .map_err(|error| Rejection::bad_request(Detail::BrokenBody).because(chain(&*error)))?;
        match frame.into_data() {
            Ok(bytes) if !passing.feed(&bytes) => break,
            Ok(bytes) => {
                let taken = spool.take(&bytes, &*core.spool.disk, &core.spool.folder);
                taken.map_err(|error| {
                    Rejection::metering_unavailable(format!("limits.spool_folder: {error}"))
                })?;
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((spool, passing.finish(), trailers))
}

/// The account, and how much it may send: as it is remembered or, where plans differ in that and it might be too
/// much, as the ledger has it.
pub(super) async fn fitting(
    core: &Core,
    identity: Identity,
    route: &Route,
    headers: &http::HeaderMap,
    nothing: bool,
) -> Result<(Identity, BodyLimit), Rejection> {
    let limit = body_limit(&identity, route);
    let fits = declared_length(headers, &limit);
    let known = nothing || headers.contains_key(CONTENT_LENGTH);
    if (fits.is_ok() && known) || !core.meter.rules.sizes_by_plan(route) {
        return fits.map(|()| (identity, limit));
    }
    let identity = core.meter.newest(&identity).await?.unwrap_or(identity);
    let limit = body_limit(&identity, route);
    declared_length(headers, &limit)?;
    Ok((identity, limit))
}

fn declared_length(headers: &http::HeaderMap, limit: &BodyLimit) -> Result<(), Rejection> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match declared.and_then(|text| text.parse::<u64>().ok()) {
        Some(length) if length > limit.bytes => Err(Rejection::too_large(limit)),
        _ => Ok(()),
    }
}

/// Reads a body to its end.
pub(super) async fn collect(
    upload: Upload,
    ms: u64,
    taken: &Taken,
) -> Result<(bytes::Bytes, Option<http::HeaderMap>), Rejection> {
    let (faults, limit) = (upload.faults(), upload.limit().clone());
    let collected = tokio::time::timeout(Duration::from_millis(ms), upload.collect()).await;
    match (collected, faults.found()) {
        (Err(_), _) | (_, Some(Fault::TooSlow)) => Err(Rejection::too_slow()),
        (_, Some(Fault::TooLarge)) => Err(Rejection::too_large(&limit)),
        (Ok(Ok(whole)), _) => {
            let trailers = whole.trailers().cloned().map(|mut trailers| {
                trailers_outward(&mut trailers, taken);
                trailers
            });
            Ok((whole.to_bytes(), trailers.filter(|trailers| !trailers.is_empty())))
        }
        (Ok(Err(error)), _) => {
            Err(Rejection::bad_request(Detail::BrokenBody).because(chain(&*error)))
        }
    }
}
