//! The keys of issuers: sets (RFC 7517) that somebody else fetches, and secrets.
//!
//! Whoever checks a token takes the set as it is; a token with an unknown key asks for a newer one, at most
//! once in a declared time, and waits for it a bounded while.
//!
//! Invariant: a set that cannot be read leaves the old one in force. A symmetric key never comes out of a set:
//! else a public one could be used as a secret.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::rules::{HookKeys, Issuer, KeySource};
use crate::seam::Clock;

/// The largest key set, in bytes.
pub const KEY_SET_MAX: usize = 256 * 1024;
/// The most keys of a set; others are left out.
const KEYS_MAX: usize = 256;
/// How many keys of the same name are tried.
const TRIED_MAX: usize = 4;
/// How many keys are tried for a signature that does not say whose it is.
const NAMELESS_MAX: usize = 16;
/// How long a request waits for a newer set.
const PATIENCE: Duration = Duration::from_secs(3);

/// Keys that can check signatures.
#[derive(Debug)]
pub struct KeySet(Vec<SetKey>);

#[derive(Debug)]
struct SetKey {
    name: Option<String>,
    /// The algorithms that it is for.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a key set is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, or without `keys`.
    #[error("not a key set: a JSON object with a list `keys` (RFC 7517) is wanted")]
    Malformed,
    /// No key in it can check a signature with the algorithms that are declared.
    #[error("no key in it is for one of the declared algorithms")]
    NoKey,
    /// Larger than it may be.
    #[error("larger than {KEY_SET_MAX} bytes")]
    TooLarge,
}

impl KeySet {
    /// Reads a key set. Keys that are not for signatures by `algorithms` are left out, as are malformed ones.
    ///
    /// # Errors
    /// When nothing of it can be used.
    pub fn read(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        if bytes.len() > KEY_SET_MAX {
            return Err(KeySetError::TooLarge);
        }
        let set: Value = serde_json::from_slice(bytes).map_err(|_| KeySetError::Malformed)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Malformed)?;
        let usable = |key: &Value| usable(serde_json::from_value(key.clone()).ok()?, algorithms);
        let keys: Vec<_> = keys.iter().take(KEYS_MAX).filter_map(usable).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self(keys)) }
    }

    fn of_secret(key: &DecodingKey) -> Self {
        let key = key.clone();
        Self(vec![SetKey { name: None, algorithms: vec![Algorithm::HS256], key }])
    }

    /// Whether a key of the set has signed `message`; `None`: no key could have.
    pub(super) fn check(&self, signed: &Signed<'_>) -> Option<bool> {
        let fits = |key: &&SetKey| {
            key.algorithms.contains(&signed.algorithm)
                && (key.name.is_none() && key.key.family() == jsonwebtoken::AlgorithmFamily::Hmac
                    || signed.key.is_none_or(|name| key.name.as_deref() == Some(name)))
        };
        let mut found = self.0.iter().filter(fits).take(TRIED_MAX).peekable();
        found.peek()?;
        // A token that does not name its key is only believed where there is no choice.
        if signed.key.is_none() && self.0.iter().filter(fits).nth(1).is_some() {
            return Some(false);
        }
        let right = |key: &SetKey| {
            crypto::verify(signed.signature, signed.message, &key.key, signed.algorithm)
        };
        Some(found.any(|key| right(key).unwrap_or(false)))
    }
}

impl KeySet {
    /// Whether a key of the set has signed `message` by Ed25519; the signature does not say which.
    fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let mut keys = self.0.iter().filter(|key| key.algorithms.contains(&Algorithm::EdDSA));
        keys.by_ref().take(NAMELESS_MAX).any(|key| {
            crypto::verify(signature, message, &key.key, Algorithm::EdDSA).unwrap_or(false)
        })
    }
}

/// What a token shows of its signature.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) algorithm: Algorithm,
    /// The name of the key.
    pub(super) key: Option<&'a str>,
    pub(super) message: &'a [u8],
    /// As it stands in the token, in base 64.
    pub(super) signature: &'a str,
}

fn usable(key: Jwk, declared: &[Algorithm]) -> Option<SetKey> {
    if key.common.public_key_use.as_ref().is_some_and(|it| *it != PublicKeyUse::Signature) {
        return None;
    }
    let own = key.common.key_algorithm;
    let mut algorithms = family(&key.algorithm).to_vec();
    algorithms
        .retain(|it| declared.contains(it) && own.is_none_or(|own| own == KeyAlgorithm::from(*it)));
    if algorithms.is_empty() {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some(SetKey { name: key.common.key_id, algorithms, key: decoding })
}

/// The algorithms that a key of this type can be for (RFC 7518 §3.1, RFC 8037).
const fn family(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if matches!(key.curve, EllipticCurve::Ed25519) => {
            &[EdDSA]
        }
        _ => &[],
    }
}

/// The key sets of all issuers, in their order, and behind them those of webhooks. All cores share them.
pub struct KeySets {
    kept: Vec<Kept>,
    issuers: usize,
    hooks: Vec<Arc<HookKeys>>,
    clock: Arc<dyn Clock>,
}

/// One issuer's set.
struct Kept {
    state: watch::Sender<State>,
    asked: Mutex<Asked>,
    /// Rings when somebody asks for a newer set.
    bell: Notify,
    unknown_every_ms: u64,
}

#[derive(Debug)]
struct State {
    /// `None`: none has ever been read.
    set: Option<Arc<KeySet>>,
    /// How often it was tried to read one.
    tried: u64,
}

/// When a newer set was asked for last.
#[derive(Debug, Default)]
struct Asked {
    /// The try that was asked for.
    wanted: u64,
    at_ms: Option<u64>,
}

impl fmt::Debug for KeySets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySets({})", self.kept.len())
    }
}

impl KeySets {
    /// What is known before anything was read: the secrets.
    #[must_use]
    pub fn new(issuers: &[Arc<Issuer>], hooks: Vec<Arc<HookKeys>>, clock: Arc<dyn Clock>) -> Self {
        let sources = issuers.iter().map(|issuer| &issuer.source);
        let sources = sources.chain(hooks.iter().map(|own| &own.source));
        let kept = sources.map(Kept::of).collect();
        Self { kept, issuers: issuers.len(), hooks, clock }
    }

    /// The keys that webhooks are signed with, each with the number of its set.
    pub fn hooks(&self) -> impl Iterator<Item = (usize, &Arc<HookKeys>)> {
        (self.issuers..).zip(&self.hooks)
    }

    /// Whether one of these keys has signed `message` by Ed25519; a signature that fits none makes it look for a
    /// newer set, once. `None`: no set has been read yet.
    pub async fn has_signed(
        &self,
        keys: &HookKeys,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let (number, _) = self.hooks().find(|(_, own)| own.name == keys.name)?;
        let signature = BASE64URL_NOPAD.encode(signature);
        let fits = |set: Arc<KeySet>| set.has_signed(message, &signature);
        match self.now(number).map(fits) {
            Some(true) => Some(true),
            first => self.newer(number).await.map(fits).or(first),
        }
    }

    /// The set of the issuer of this number, as it is now.
    pub(super) fn now(&self, issuer: usize) -> Option<Arc<KeySet>> {
        self.kept.get(issuer)?.state.borrow().set.clone()
    }

    /// The set after another try, if one is due: waits for it a bounded while.
    pub(super) async fn newer(&self, issuer: usize) -> Option<Arc<KeySet>> {
        let kept = self.kept.get(issuer)?;
        let mut states = kept.state.subscribe();
        let tried = states.borrow_and_update().tried;
        if !kept.ask(tried, self.clock.uptime_ms()) {
            return None;
        }
        let done = async { states.wait_for(|state| state.tried > tried).await.is_ok() };
        let done = tokio::time::timeout(PATIENCE, done).await;
        if done.is_ok_and(|done| done) { self.now(issuer) } else { None }
    }

    /// Waits until somebody asks for a newer set of this issuer.
    pub async fn asked(&self, issuer: usize) {
        match self.kept.get(issuer) {
            Some(kept) => kept.bell.notified().await,
            None => std::future::pending().await,
        }
    }

    /// A set was read, or could not be: then the old one stays.
    pub fn tried(&self, issuer: usize, read: Option<KeySet>) {
        if let Some(kept) = self.kept.get(issuer) {
            kept.state.send_modify(|state| {
                state.tried = state.tried.saturating_add(1);
                if let Some(set) = read {
                    state.set = Some(Arc::new(set));
                }
            });
        }
    }
}

impl Kept {
    fn of(source: &KeySource) -> Self {
        let (set, unknown_every_ms) = match source {
            KeySource::Secret(key) => (Some(Arc::new(KeySet::of_secret(key))), u64::MAX),
            KeySource::Set { unknown_every_ms, .. } => (None, *unknown_every_ms),
        };
        Self {
            state: watch::Sender::new(State { set, tried: 0 }),
            asked: Mutex::default(),
            bell: Notify::new(),
            unknown_every_ms,
        }
    }

    /// Asks for another try after this one; `false`: it is too early.
    fn ask(&self, tried: u64, now_ms: u64) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.wanted > tried {
            return true;
        }
        if asked.at_ms.is_some_and(|at| now_ms.saturating_sub(at) < self.unknown_every_ms) {
            return false;
        }
        *asked = Asked { wanted: tried.saturating_add(1), at_ms: Some(now_ms) };
        self.bell.notify_one();
        true
    }
}
