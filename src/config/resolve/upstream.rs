//! Upstreams: URL, credential, certificates, timeouts.

use http::{HeaderName, HeaderValue};

use super::{Resolver, or};
use crate::config::defaults;
use crate::config::format::Millis;
use crate::config::mirror::{self, Secret};
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::credit::Name;
use crate::proxy::{ClientAddress, Credentials, HttpVersion, Timeouts, UpstreamSettings};

/// The longest timeout: below a day.
const TIMEOUT_MAX: Millis = Millis(23 * 3_600_000);

/// Headers that belong to the connection or to Tollgate.
const TAKEN: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn upstreams(&mut self) -> Option<Vec<UpstreamSettings>> {
        let upstreams = self.file.upstreams.0.iter();
        let resolved: Vec<_> =
            upstreams.map(|(name, upstream)| self.upstream(name, upstream)).collect();
        resolved.into_iter().collect()
    }

    fn upstream(
        &mut self,
        name: &At<String>,
        upstream: &mirror::Upstream,
    ) -> Option<UpstreamSettings> {
        let timeouts = self.timeouts(&upstream.timeouts);
        let credentials = match &upstream.credentials {
            Some(credentials) => self.credentials(credentials),
            None => Some(None),
        };
        let identity = self.upstream_tls(upstream);
        let identity_headers = self.identity_headers(&upstream.identity_headers);
        Some(UpstreamSettings {
            name: self.name(name)?,
            base: upstream.url.value.0.clone(),
            hosts: upstream.hosts.iter().map(|at| at.value.0.clone()).collect(),
            credentials: credentials?,
            ca_file: upstream.ca_file.as_ref().map(|path| self.path(path)),
            identity: identity?,
            http: or(upstream.http.as_ref(), HttpVersion::Auto),
            identity_headers,
            client_address: or(upstream.client_address.as_ref(), ClientAddress::None),
            timeouts,
        })
    }

    /// A name that was checked as a mapping's.
    pub(super) fn name(&mut self, at: &At<String>) -> Option<Name> {
        let name = at.value.parse();
        if name.is_err() {
            self.findings.error("malformed", at.place, format!("`{}` is not a name", at.value));
        }
        name.ok()
    }

    /// The operator's credential; the outer `None`: there is an error.
    fn credentials(&mut self, credentials: &mirror::Credentials) -> Option<Option<Credentials>> {
        match credentials {
            mirror::Credentials::Replace | mirror::Credentials::Pass => Some(None),
            mirror::Credentials::Bearer(secret) => {
                self.credential(http::header::AUTHORIZATION, secret, "Bearer ").map(Some)
            }
            mirror::Credentials::Header(header) => {
                self.refuse_header(&header.name.value, header.name.place);
                self.credential(header.name.value.clone(), &header.value, "").map(Some)
            }
        }
    }

    fn credential(
        &mut self,
        header: HeaderName,
        secret: &Secret,
        before: &str,
    ) -> Option<Credentials> {
        let (text, place) = self.secret(secret)?;
        match HeaderValue::from_str(&format!("{before}{text}")) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Some(Credentials { header, value })
            }
            Err(_) => {
                let message = "the secret has characters that a header cannot carry";
                self.findings
                    .error("bad_secret", place, message)
                    .help("look for a line break or a control character in it");
                None
            }
        }
    }

    /// Notes that a header cannot carry a key or a credential.
    pub(super) fn refuse_header(&mut self, header: &HeaderName, place: Place) {
        if TAKEN.contains(&header.as_str()) {
            let message = format!("`{header}` has another meaning in HTTP");
            self.findings
                .error("taken_header", place, message)
                .help("choose another one, such as `x-api-key`");
        }
    }

    fn timeouts(&mut self, written: &mirror::Timeouts) -> Timeouts {
        let timeouts = Timeouts {
            connect_ms: self.millis(written.connect.as_ref(), defaults::CONNECT_MS, TIMEOUT_MAX),
            first_byte_ms: self.millis(
                written.first_byte.as_ref(),
                defaults::FIRST_BYTE_MS,
                TIMEOUT_MAX,
            ),
            idle_ms: self.millis(written.idle.as_ref(), defaults::IDLE_MS, TIMEOUT_MAX),
            total_ms: self.millis(written.total.as_ref(), defaults::TOTAL_MS, TIMEOUT_MAX),
        };
        for (name, at) in [
            ("connect", &written.connect),
            ("first_byte", &written.first_byte),
            ("idle", &written.idle),
        ] {
            if let Some(at) = at.as_ref().filter(|at| at.value.0 > timeouts.total_ms) {
                let message =
                    format!("`{name}` is longer than `total`, which ends the exchange before");
                self.findings.warning("never_reached", at.place, message);
            }
        }
        timeouts
    }

    /// How long an exchange with the upstream of this name may take.
    pub(super) fn total_ms(&self, name: &str) -> Option<u64> {
        let index = self.file.upstreams.index(name)?;
        let (_, upstream) = self.file.upstreams.0.get(index)?;
        Some(or(upstream.timeouts.total.as_ref(), Millis(defaults::TOTAL_MS)).0)
    }
}
