//! Reading a body before its request is priced, and how large it may be.
//!
//! Invariant: what is read has room that was taken before, and an end in bytes and in time.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use super::core::Core;
use super::headers::Taken;
use super::hops::trailers_outward;
use super::upload::{Fault, Upload};
use super::upstream::chain;
use crate::meter::{
    BodyLimit, Detail, Due, Identity, PutIn, Quantity, Rejection, RequestSource, Route, TakeOut,
    body_limit,
};

/// Room for a body of the declared length, or of any that the route allows.
pub(super) fn room(
    core: &Core,
    length: Option<u64>,
    limit: u64,
) -> Result<OwnedSemaphorePermit, Rejection> {
    let length = length.unwrap_or(limit).min(limit);
    let kib = u32::try_from(length.div_ceil(1_024)).unwrap_or(u32::MAX);
    core.room
        .clone()
        .try_acquire_many_owned(kib)
        .map_err(|_| Rejection::metering_unavailable("no room for another body: limits.bodies"))
}

/// Whether a price reads the body, or something may be put into it.
pub(super) fn needs_body(due: &Due) -> bool {
    let asked = || due.quantities.iter().flat_map(Quantity::asked_places);
    due.stream.ask.is_some() || asked().any(RequestSource::needs_body)
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
