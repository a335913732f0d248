//! Whether a call comes from the upstream that it says: by the signature that the upstream puts on it.
//!
//! Standard Webhooks (standardwebhooks.com, spec 1.0): `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64,
//! perhaps several; the secret is base64 behind `whsec_`. Black Forest Labs: `sha256=` and the HMAC of the body in hex.
//! ElevenLabs: `t=time,v0=` and the HMAC of `time.body` in hex. fal: Ed25519, in hex, over request id, user id, time and
//! the SHA-256 of the body in hex, a line each (fal.ai/docs/model-apis/webhooks); which key it was is not said.
//!
//! Black Forest Labs signs no time: its calls never get old, and one that comes again proves as much as the first. fal
//! signs for all its customers with the same keys: a call proves fal, and not whose account there it was.
//!
//! Invariant: compared in constant time; a signed time that is too far off is no proof.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE as HEX};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use super::job::{HookSecret, Verify};
use crate::seam::Timestamp;

/// How old a call may be, or how far clocks may be apart, in seconds; as the specification's libraries have it.
const TOLERANCE_S: u64 = 5 * 60;
/// The same for ElevenLabs, whose own libraries allow so much.
const ELEVENLABS_S: u64 = 30 * 60;

/// Why a call proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// A header is missing, twice there or malformed.
    #[error("it carries no signature that can be read")]
    Unsigned,
    /// Signed too long ago, or in the future.
    #[error("its signature is too old")]
    Old,
    /// Not by the secret.
    #[error("its signature is wrong")]
    Wrong,
}

/// The header with an id that the signature covers; `None`: it covers no id but what the body says.
#[must_use]
pub const fn signed_id(how: Verify) -> Option<HeaderName> {
    match how {
        Verify::Standard => Some(HeaderName::from_static("webhook-id")),
        Verify::Fal => Some(HeaderName::from_static("x-fal-webhook-request-id")),
        Verify::None | Verify::Bfl | Verify::Elevenlabs => None,
    }
}

/// Whether a call is proven by a secret.
///
/// # Errors
/// Why not. By `None` and `Fal` a secret proves nothing.
pub fn proven(
    how: Verify,
    secret: &HookSecret,
    head: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unproven> {
    match how {
        _ if secret.0.is_empty() => Err(Unproven::Wrong),
        Verify::None | Verify::Fal => Err(Unproven::Wrong),
        Verify::Standard => standard(secret, head, body, now),
        Verify::Bfl => {
            let text = one(head, "x-bfl-signature")?;
            let hex = text.strip_prefix("sha256=").ok_or(Unproven::Unsigned)?;
            fits(&secret.0, &[body], &unhex(hex)?)
        }
        Verify::Elevenlabs => elevenlabs(secret, head, body, now),
    }
}

/// What a call of fal's says was signed, and the signature, which one of fal's keys must have made.
///
/// # Errors
/// Why it proves nothing, whatever the keys are.
pub fn fal_signed(
    head: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(Vec<u8>, Vec<u8>), Unproven> {
    let request = one(head, "x-fal-webhook-request-id")?;
    let user = one(head, "x-fal-webhook-user-id")?;
    let time = one(head, "x-fal-webhook-timestamp")?;
    let signature = unhex(one(head, "x-fal-webhook-signature")?)?;
    fresh(time, now, TOLERANCE_S)?;
    let hash = HEX.encode(&Sha256::digest(body));
    Ok((format!("{request}\n{user}\n{time}\n{hash}").into_bytes(), signature))
}

fn standard(
    secret: &HookSecret,
    head: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unproven> {
    let (id, time) = (one(head, "webhook-id")?, one(head, "webhook-timestamp")?);
    fresh(time, now, TOLERANCE_S)?;
    let text = secret.0.strip_prefix(b"whsec_").unwrap_or(&secret.0);
    let key = BASE64.decode(text).unwrap_or_else(|_| text.to_vec());
    let signed: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let mut found = Unproven::Unsigned;
    for signature in one(head, "webhook-signature")?.split(' ') {
        let Some(text) = signature.strip_prefix("v1,") else { continue };
        let Ok(mac) = BASE64.decode(text.as_bytes()) else { continue };
        match fits(&key, &signed, &mac) {
            Ok(()) => return Ok(()),
            Err(why) => found = why,
        }
    }
    Err(found)
}

fn elevenlabs(
    secret: &HookSecret,
    head: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unproven> {
    let text = one(head, "elevenlabs-signature")?;
    let part = |name: &str| {
        text.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let (Some(time), Some(hex)) = (part("t"), part("v0")) else { return Err(Unproven::Unsigned) };
    fresh(time, now, ELEVENLABS_S)?;
    fits(&secret.0, &[time.as_bytes(), b".", body], &unhex(hex)?)
}

fn one<'a>(head: &'a HeaderMap, name: &str) -> Result<&'a str, Unproven> {
    let mut values = head.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Unproven::Unsigned),
        _ => Err(Unproven::Unsigned),
    }
}

fn fresh(seconds: &str, now: Timestamp, tolerance_s: u64) -> Result<(), Unproven> {
    let then: u64 = seconds.parse().map_err(|_| Unproven::Unsigned)?;
    let now = now.0 / 1_000;
    if now.abs_diff(then) <= tolerance_s { Ok(()) } else { Err(Unproven::Old) }
}

fn unhex(text: &str) -> Result<Vec<u8>, Unproven> {
    HEX.decode(text.as_bytes()).map_err(|_| Unproven::Unsigned)
}

fn fits(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> Result<(), Unproven> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Unproven::Wrong)?;
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(signature).map_err(|_| Unproven::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    /// The example of the specification's own libraries (svix).
    #[test]
    fn the_specifications_example() {
        let secret = HookSecret(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec());
        let now = Timestamp(1_614_265_330_000);
        let body = br#"{"test": 2432232314}"#;
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let signed = |signature: &str, time: &str| {
            head(&[
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", time),
                ("webhook-signature", signature),
            ])
        };
        let check =
            |head: &HeaderMap, body: &[u8], now| proven(Verify::Standard, &secret, head, body, now);
        let time = "1614265330";
        assert_eq!(check(&signed(good, time), body, now), Ok(()));
        let several = format!("v1,AAAA v2,xxx {good}");
        assert_eq!(check(&signed(&several, time), body, now), Ok(()));
        assert_eq!(check(&signed(good, time), b"{}", now), Err(Unproven::Wrong));
        assert_eq!(check(&signed(good, "1614265331"), body, now), Err(Unproven::Wrong));
        assert_eq!(check(&signed("v2,x", time), body, now), Err(Unproven::Unsigned));
        assert_eq!(check(&HeaderMap::new(), body, now), Err(Unproven::Unsigned));
        assert_eq!(check(&signed(good, time), body, now.plus_ms(301_000)), Err(Unproven::Old));
    }

    #[test]
    fn other_houses_and_none() {
        let secret = HookSecret(b"s3cret".to_vec());
        let body = b"payload";
        let mac = |parts: &[&[u8]]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
            parts.iter().for_each(|part| mac.update(part));
            data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
        };
        let now = Timestamp(1_700_000_000_000);
        let bfl = format!("sha256={}", mac(&[body]));
        let eleven = format!("t=1700000000,v0={}", mac(&[b"1700000000.", body]));
        for (how, name, value) in [
            (Verify::Bfl, "x-bfl-signature", &bfl),
            (Verify::Elevenlabs, "elevenlabs-signature", &eleven),
        ] {
            let good = head(&[(name, value)]);
            assert_eq!(proven(how, &secret, &good, body, now), Ok(()));
            assert_eq!(proven(how, &secret, &good, b"other", now), Err(Unproven::Wrong));
            assert_eq!(proven(how, &secret, &HeaderMap::new(), body, now), Err(Unproven::Unsigned));
            let none = HookSecret::default();
            assert_eq!(proven(how, &none, &good, body, now), Err(Unproven::Wrong));
        }
    }
}
