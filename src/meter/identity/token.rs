//! Tokens of declared issuers: JWT (RFC 7519) in compact form (RFC 7515), read by the advice of RFC 8725.
//!
//! The signature is checked by `jsonwebtoken` over aws-lc, which binds each algorithm to its family of keys;
//! header and claims are read here, because that crate takes the wall clock for its own and would let a name
//! stand twice in an object.
//!
//! Invariant: nothing that a token says is believed before its signature was right, and of its header only the
//! algorithm, among those declared, and the name of a key, among those of the declared set.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use sha2::{Digest, Sha256};

use super::key_set::{KeySet, Signed};
use super::rules::Issuer;
use super::shown::ACCOUNT_MAX;
use crate::observe::{Fact, Picked, Pointer, strict};
use crate::seam::Timestamp;

/// The longest token, in bytes.
pub(super) const TOKEN_MAX: usize = 16 * 1024;
/// The longest name of a key, in bytes.
const KEY_NAME_MAX: usize = 256;
/// The longest value of a tag; what is longer is cut.
const TAG_MAX: usize = 128;
/// What `typ` may be (RFC 8725 §3.11): a token of another type was made for something else.
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// What a token says beyond the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The plan that prices and gates the request.
    pub plan: Option<String>,
    /// What receipts show.
    pub tags: BTreeMap<String, String>,
}

/// A token that was found to be right.
#[derive(Clone, Debug)]
pub(super) struct Believed {
    /// The account's id or reference.
    pub(super) account: Arc<str>,
    pub(super) said: Arc<Said>,
    /// When it is over, with the leeway.
    pub(super) ends: Timestamp,
}

/// Why a token is not believed; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is wrong.
    Wrong(&'static str),
    /// A key set that is newer may have its key.
    UnknownKey,
}

type Checked<T> = Result<T, Doubt>;

/// Whether a text looks like a token: three parts, the first of which begins an object.
pub(super) fn is_one(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// A token, cut and decoded; nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    message: &'a [u8],
    signature: &'a str,
    algorithm: String,
    key: Option<String>,
    claims: Vec<u8>,
    /// Who it says has made it.
    pub(super) issuer: String,
}

impl<'a> Token<'a> {
    /// Cuts and decodes a token.
    pub(super) fn read(text: &'a str) -> Checked<Self> {
        let cut = |text: &'a str| text.rsplit_once('.').ok_or(Doubt::Wrong("it has no parts"));
        let (message, signature) = cut(text)?;
        let (header, claims) = cut(message)?;
        if signature.is_empty() {
            return Err(Doubt::Wrong("it is not signed"));
        }
        let plain = |text: &str, why| {
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Doubt::Wrong(why))
        };
        plain(signature, "its signature is not base64url")?;
        let header = plain(header, "its header is not base64url")?;
        let (algorithm, key) = head(&header)?;
        let claims = plain(claims, "its claims are not base64url")?;
        let issuer = text_at(&picked(&claims, &["/iss"])?, 0)?;
        let issuer = issuer.ok_or(Doubt::Wrong("it names no issuer"))?;
        Ok(Self { message: message.as_bytes(), signature, algorithm, key, claims, issuer })
    }

    /// Checks it against its issuer and the issuer's keys.
    pub(super) fn check(&self, issuer: &Issuer, set: &KeySet, now: Timestamp) -> Checked<Believed> {
        let known = |algorithm: &&Algorithm| format!("{algorithm:?}") == self.algorithm;
        let algorithm = issuer.algorithms.iter().find(known);
        let algorithm = *algorithm.ok_or(Doubt::Wrong("its algorithm is not a declared one"))?;
        let (message, signature) = (self.message, self.signature);
        let key = self.key.as_deref();
        match set.check(&Signed { algorithm, key, message, signature }) {
            Some(true) => self.claims(issuer, now),
            Some(false) => Err(Doubt::Wrong("its signature is wrong")),
            None => Err(Doubt::UnknownKey),
        }
    }

    fn claims(&self, issuer: &Issuer, now: Timestamp) -> Checked<Believed> {
        let ends = lifetime(&picked(&self.claims, &["/exp", "/nbf", "/iat"])?, issuer, now)?;
        audience(&picked(&self.claims, &["/aud", "/aud/*"])?, issuer)?;
        let mut wanted = vec![issuer.account.clone()];
        wanted.extend(issuer.plan.clone());
        let first_tag = wanted.len();
        wanted.extend(issuer.tags.iter().map(|(_, pointer)| pointer.clone()));
        let found = strict(&self.claims, &wanted).map_err(|_| Doubt::Wrong("ambiguous claims"))?;
        let account = word_at(&found, 0).filter(|text| (1..=ACCOUNT_MAX).contains(&text.len()));
        let account = account.ok_or(Doubt::Wrong("its account claim is not one text"))?;
        let plan = match &issuer.plan {
            Some(_) => text_at(&found, 1)?,
            None => None,
        };
        let tags = issuer.tags.iter().enumerate().filter_map(|(number, (name, _))| {
            let value = word_at(&found, first_tag.saturating_add(number))?;
            Some((name.to_string(), value.chars().take(TAG_MAX).collect()))
        });
        let said = Arc::new(Said { plan, tags: tags.collect() });
        Ok(Believed { account: account.into(), said, ends })
    }
}

/// What one token is remembered by.
pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The algorithm and the name of the key.
fn head(header: &[u8]) -> Checked<(String, Option<String>)> {
    let found = picked(header, &["/alg", "/kid", "/typ", "/crit"])?;
    // No extension is understood here, so none that is critical may be there (RFC 7515 §4.1.11).
    if !found.at(3).is_empty() {
        return Err(Doubt::Wrong("it has critical extensions"));
    }
    let kind = text_at(&found, 2)?;
    if kind.is_some_and(|kind| !TYPES.contains(&kind.to_ascii_lowercase().as_str())) {
        return Err(Doubt::Wrong("its type is another one"));
    }
    let algorithm = text_at(&found, 0)?.ok_or(Doubt::Wrong("it names no algorithm"))?;
    let key = text_at(&found, 1)?;
    if key.as_ref().is_some_and(|name| name.len() > KEY_NAME_MAX) {
        return Err(Doubt::Wrong("the name of its key is too long"));
    }
    Ok((algorithm, key))
}

/// When it is over, if it is valid now. `exp` must be there; leeway counts on both sides.
fn lifetime(found: &Picked<'_>, issuer: &Issuer, now: Timestamp) -> Checked<Timestamp> {
    let leeway = issuer.leeway_ms;
    let ends = moment(found, 0)?.ok_or(Doubt::Wrong("it never ends"))?.plus_ms(leeway);
    if now >= ends {
        return Err(Doubt::Wrong("it is over"));
    }
    for claim in [1, 2] {
        if moment(found, claim)?.is_some_and(|begins| begins > now.plus_ms(leeway)) {
            return Err(Doubt::Wrong("it is not valid yet"));
        }
    }
    Ok(ends)
}

/// A number of seconds since 1970 (RFC 7519 §2); what stands behind the point is left out.
fn moment(found: &Picked<'_>, claim: usize) -> Checked<Option<Timestamp>> {
    let wrong = Doubt::Wrong("its times are not numbers of seconds");
    match found.at(claim) {
        [] => Ok(None),
        [Fact::Number(text)] => {
            let whole = text.split_once('.').map_or(*text, |(whole, _)| whole);
            let plain = !text.contains(['e', 'E']);
            let seconds = whole.parse::<u32>().ok().filter(|_| plain).ok_or(wrong)?;
            Ok(Some(Timestamp(u64::from(seconds).saturating_mul(1_000))))
        }
        _ => Err(wrong),
    }
}

/// One of the declared audiences is in `aud`, which is a text or a list of texts.
fn audience(found: &Picked<'_>, issuer: &Issuer) -> Checked<()> {
    let ours = |fact: &Fact<'_>| match fact {
        Fact::Text(text) => issuer.audience.iter().any(|one| one == text),
        _ => false,
    };
    let named = found.at(0).iter().chain(found.at(1));
    if named.into_iter().any(ours) { Ok(()) } else { Err(Doubt::Wrong("it is meant for others")) }
}

fn picked<'a>(json: &'a [u8], pointers: &[&str]) -> Checked<Picked<'a>> {
    let wrong = |_| Doubt::Wrong("it is not JSON with one reading");
    let wanted: Result<Vec<Pointer>, _> = pointers.iter().map(|text| text.parse()).collect();
    let wanted = wanted.map_err(|_| Doubt::Wrong("a pointer is malformed"))?;
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(Doubt::Wrong("it is not an object"));
    }
    strict(json, &wanted).map_err(wrong)
}

/// The text at a place; anything else there is wrong.
fn text_at(found: &Picked<'_>, number: usize) -> Checked<Option<String>> {
    match found.at(number) {
        [] => Ok(None),
        [Fact::Text(text)] => Ok(Some(text.clone().into_owned())),
        _ => Err(Doubt::Wrong("a claim is not a text")),
    }
}

/// A text, a whole number or a flag, as a word.
fn word_at(found: &Picked<'_>, number: usize) -> Option<String> {
    match found.at(number) {
        [Fact::Text(text)] => Some(text.clone().into_owned()),
        [Fact::Number(text)] if text.bytes().all(|b| b.is_ascii_digit()) => {
            Some((*text).to_owned())
        }
        [Fact::Flag(flag)] => Some(flag.to_string()),
        _ => None,
    }
}
