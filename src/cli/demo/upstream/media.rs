//! Images and dubbing: one JSON document for one JSON document.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Number, Value, json};

use super::Sample;
use super::answer::{self, Ask};
use crate::seam::{Clock, SystemClock};

/// What a dubbing lasts if nobody says.
const SECONDS: f64 = 60.0;
/// The most images of one request.
const IMAGES_MAX: u64 = 100;

/// `POST /v1/images/generations`: as many images as `n` says.
pub(super) async fn images(
    State(sample): State<Sample>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer::either(make_images(&sample, &headers, &body).await)
}

async fn make_images(
    sample: &Sample,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Box<Response>> {
    let mut ask = Ask::read(sample, "images", headers, body)?;
    let count = ask.json["n"].as_u64().unwrap_or(1).min(IMAGES_MAX);
    ask.unit.count("images", count);
    let ask = ask.endure().await?;
    let created = SystemClock.now().0 / 1_000;
    let image =
        |index: u64| json!({ "url": format!("https://images.example/{created}-{index}.png") });
    let data: Vec<Value> = (0..count).map(image).collect();
    Ok(ask.hand_over(&json!({ "created": created, "data": data })))
}

/// `POST /v1/dubbing`: the answer says how many seconds it was.
pub(super) async fn dubbing(
    State(sample): State<Sample>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer::either(dub(&sample, &headers, &body).await)
}

async fn dub(sample: &Sample, headers: &HeaderMap, body: &[u8]) -> Result<Response, Box<Response>> {
    let mut ask = Ask::read(sample, "dubbing", headers, body)?;
    let seconds = ask.switches.seconds.or(ask.json["seconds"].as_f64()).unwrap_or(SECONDS);
    let Some(number) = shortest(seconds) else {
        let message = "seconds must be a number";
        return Err(answer::error(StatusCode::BAD_REQUEST, "invalid_request_error", message));
    };
    ask.unit.count("seconds", number.clone());
    let ask = ask.endure().await?;
    let id = format!("dub_{}", SystemClock.now().0);
    Ok(ask.hand_over(
        &json!({ "dubbing_id": id, "expected_duration_sec": seconds, "seconds": number }),
    ))
}

/// A number as people write it: `95`, not `95.0`.
fn shortest(number: f64) -> Option<Number> {
    serde_json::from_str(&number.to_string()).ok()
}
