//! The URL by which an upstream calls us back: it carries what is to be done, sealed, so that nobody can make one up.
//!
//! The seal is an HMAC-SHA256 over the payload (RFC 2104). The payload is readable to the upstream, which has been
//! told the job and would have been told the client's URL anyway.
//!
//! Invariant: what is opened was sealed by us, to the last bit.

use data_encoding::BASE64URL_NOPAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::job::HookSecret;
use crate::credit::{AccountId, ChargeId, Name};

/// The longest client URL that is wrapped, in bytes.
const URL_MAX: usize = 2_048;
/// The longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 4_096;
/// What is sealed beside the payload, so that no seal of another use fits.
const USE: &[u8] = b"tollgate webhook 1\0";

/// What a webhook URL says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose job it is.
    #[serde(rename = "a")]
    pub account: AccountId,
    /// Its charge.
    #[serde(rename = "c")]
    pub charge: ChargeId,
    /// Its sort.
    #[serde(rename = "j")]
    pub job: Name,
    /// Where the client wants to be called.
    #[serde(rename = "u")]
    pub url: String,
}

/// The token of a webhook URL; `None`: the client's URL is too long for one.
#[must_use]
pub fn seal(secret: &HookSecret, what: &Sealed) -> Option<String> {
    if what.url.len() > URL_MAX {
        return None;
    }
    let payload = serde_json::to_vec(what).ok()?;
    let mac = mac(secret, &payload)?.finalize().into_bytes();
    Some(format!("{}.{}", BASE64.encode(&payload), BASE64.encode(&mac)))
}

/// What a token says; `None`: it is none of ours.
#[must_use]
pub fn open(secret: &HookSecret, token: &str) -> Option<Sealed> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (payload, seal) = token.split_once('.')?;
    let payload = BASE64.decode(payload.as_bytes()).ok()?;
    let seal = BASE64.decode(seal.as_bytes()).ok()?;
    mac(secret, &payload)?.verify_slice(&seal).ok()?;
    serde_json::from_slice(&payload).ok()
}

fn mac(secret: &HookSecret, payload: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).ok()?;
    mac.update(USE);
    mac.update(payload);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_is_opened() {
        let secret = HookSecret(vec![7; 32]);
        let what = Sealed {
            account: "acct_1".parse().unwrap(),
            charge: ChargeId::from_bytes([3; 16]),
            job: "replicate".parse().unwrap(),
            url: "https://client.example.com/hook?x=1".to_owned(),
        };
        let token = seal(&secret, &what).unwrap();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        assert_eq!(open(&secret, &token), Some(what.clone()));
        assert_eq!(open(&HookSecret(vec![8; 32]), &token), None);
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(open(&secret, &String::from_utf8(other).unwrap()), None, "{at}");
        }
        for token in ["", ".", "a.b", &token[1..], &token.replace('.', "")] {
            assert_eq!(open(&secret, token), None, "{token}");
        }
        let long = Sealed { url: "x".repeat(URL_MAX + 1), ..what };
        assert_eq!(seal(&secret, &long), None);
    }
}
