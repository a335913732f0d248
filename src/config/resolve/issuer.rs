//! Issuers of tokens, and where their keys are.

use std::collections::HashSet;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};

use super::server::HOUR;
use super::{Resolver, or};
use crate::config::defaults;
use crate::config::format::Millis;
use crate::config::mirror;
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::meter::{Issuer, KeySet, KeySource, SetPlace};

/// The longest difference of clocks.
const LEEWAY_MAX: Millis = Millis(10 * 60_000);
/// How often a key set may be read.
const REFRESH: std::ops::RangeInclusive<u64> = 1_000..=(24 * HOUR.0);
/// The shortest secret in bytes, for HS256 (RFC 7518 §3.2).
const SECRET_MIN: usize = 32;
/// The most claims that receipts show.
const TAGS_MAX: usize = 16;

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn issuers(&mut self) -> Option<Vec<Arc<Issuer>>> {
        let mut seen = HashSet::new();
        for (name, issuer) in &self.file.issuers.0 {
            if !seen.insert(issuer.issuer.value.as_str()) {
                let message = format!("another issuer has the same `iss` as `{}`", name.value);
                self.findings
                    .error("duplicate_issuer", issuer.issuer.place, message)
                    .help("its tokens could be checked by either: join the two");
            }
        }
        let issuers = self.file.issuers.0.iter();
        let resolved: Vec<_> = issuers.map(|(name, issuer)| self.issuer(name, issuer)).collect();
        resolved.into_iter().collect()
    }

    fn issuer(&mut self, name: &At<String>, issuer: &mirror::Issuer) -> Option<Arc<Issuer>> {
        let algorithms: Vec<Algorithm> = issuer.algorithms.iter().map(|at| at.value).collect();
        let source = self.key_source(issuer, &algorithms);
        let leeway_ms = self.millis(issuer.leeway.as_ref(), defaults::LEEWAY_MS, LEEWAY_MAX);
        let claims = &issuer.claims;
        if let Some((at, _)) = claims.tags.0.get(TAGS_MAX) {
            let message = format!("receipts show at most {TAGS_MAX} tags");
            self.findings.error("out_of_range", at.place, message);
        }
        let tags: Vec<_> = claims
            .tags
            .0
            .iter()
            .map(|(name, pointer)| Some((self.name(name)?, pointer.value.clone())))
            .collect();
        Some(Arc::new(Issuer {
            name: self.name(name)?,
            issuer: issuer.issuer.value.clone(),
            audience: issuer.audience.iter().map(|at| at.value.clone()).collect(),
            algorithms,
            source: source?,
            leeway_ms,
            account: claims.account.value.clone(),
            plan: claims.plan.as_ref().map(|at| at.value.clone()),
            tags: tags.into_iter().collect::<Option<_>>()?,
        }))
    }

    fn key_source(
        &mut self,
        issuer: &mirror::Issuer,
        algorithms: &[Algorithm],
    ) -> Option<KeySource> {
        let shared = algorithms.contains(&Algorithm::HS256);
        let place = issuer.algorithms.first().map_or(issuer.issuer.place, |at| at.place);
        if shared && (algorithms.iter().any(|it| *it != Algorithm::HS256) || issuer.jwks.is_some())
        {
            let message = "HS256 stands alone, with a `secret`: a public key must never be one";
            self.findings.error("mixed_algorithms", place, message);
            return None;
        }
        match (&issuer.jwks, &issuer.secret) {
            (Some(set), None) => self.key_set(set, algorithms, issuer.issuer.place),
            (None, Some(secret)) if shared => self.shared_secret(secret),
            _ => {
                let wanted = if shared { "a `secret`" } else { "`jwks`" };
                let message =
                    format!("an issuer with these algorithms has {wanted}, and only that");
                self.findings.error("no_key_source", issuer.issuer.place, message);
                None
            }
        }
    }

    fn shared_secret(&mut self, secret: &mirror::Secret) -> Option<KeySource> {
        let (text, place) = self.secret(secret)?;
        if text.len() < SECRET_MIN {
            let message = format!("the secret has fewer than {SECRET_MIN} bytes");
            self.findings
                .error("weak_secret", place, message)
                .help("make one with `openssl rand -hex 32`");
        }
        Some(KeySource::Secret(DecodingKey::from_secret(text.as_bytes())))
    }

    pub(super) fn key_set(
        &mut self,
        set: &mirror::KeySet,
        algorithms: &[Algorithm],
        issuer: Place,
    ) -> Option<KeySource> {
        let place = set.refresh.as_ref().filter(|at| !REFRESH.contains(&at.value.0));
        if let Some(at) = place {
            self.findings.error("out_of_range", at.place, "a key set is read every 1s to 24h");
        }
        let day = Millis(*REFRESH.end());
        let unknown = set.unknown_key.as_ref();
        Some(KeySource::Set {
            at: self.set_place(set, algorithms, issuer)?,
            refresh_ms: or(set.refresh.as_ref(), Millis(defaults::KEY_SET_MS)).0,
            unknown_every_ms: self.millis(unknown, defaults::UNKNOWN_KEY_MS, day),
        })
    }

    fn set_place(
        &mut self,
        set: &mirror::KeySet,
        algorithms: &[Algorithm],
        issuer: Place,
    ) -> Option<SetPlace> {
        match (&set.file, &set.url) {
            (Some(path), None) => {
                let bytes = self.read_file(path)?;
                let read = KeySet::read(&bytes, algorithms);
                if let Some(error) = read.err().filter(|_| !self.environment.assumes()) {
                    self.findings.error("bad_key_set", path.place, error.to_string());
                    return None;
                }
                Some(SetPlace::File(self.path(path)))
            }
            (None, Some(url)) => {
                if let Some(path) = &set.ca_file {
                    self.read_file(path);
                }
                self.in_clear(url);
                let ca_file = set.ca_file.as_ref().map(|path| self.path(path));
                Some(SetPlace::Url { url: url.value.0.clone(), ca_file })
            }
            (both, _) => {
                let place = both.as_ref().map_or(issuer, |at| at.place);
                let message = "a key set lies in a `file` or behind a `url`: name one of the two";
                self.findings.error("no_key_source", place, message);
                None
            }
        }
    }

    /// Whoever can change a key set on its way can make tokens.
    fn in_clear(&mut self, url: &At<crate::config::format::DocumentUrl>) {
        let uri = &url.value.0;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if uri.scheme_str() == Some("http") && !here {
            let message = "this key set comes in clear: whoever stands on its way can make tokens";
            self.findings.warning("key_set_in_clear", url.place, message).help("use https://");
        }
    }
}
