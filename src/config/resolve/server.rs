//! Limits, and what stands beside the listeners.

use ipnet::IpNet;

use super::{Resolver, or};
use crate::config::defaults;
use crate::config::format::{Bytes, Millis, canonical};
use crate::config::mirror::Route;
use crate::config::placed::At;
use crate::credit::Name;
use crate::meter::Dialect;
use crate::proxy::{FloodSettings, Limits, ProxySettings};

/// The longest that a client may take for a head or a body, and a shutdown for its exchanges.
pub(super) const HOUR: Millis = Millis(3_600_000);
/// The smallest and largest head of a request, in bytes.
const HEAD_BYTES: std::ops::RangeInclusive<u64> = (8 << 10)..=(1 << 20);

impl Resolver<'_, '_> {
    pub(super) fn cores(&self) -> usize {
        self.file
            .cores
            .as_ref()
            .map_or_else(|| self.environment.cores().max(1), |at| size(at.value))
    }

    /// The dialect of refusals where no route says another.
    pub(super) fn dialect(&self) -> Dialect {
        or(self.file.dialect.as_ref(), defaults::DIALECT)
    }

    /// `None`: there is an error.
    pub(super) fn proxy(&mut self) -> Option<ProxySettings> {
        let trusted_proxies: Vec<_> = self.file.trusted_proxies.iter().map(|at| at.value).collect();
        for at in self.file.trusted_proxies.iter().filter(|at| at.value.prefix_len() == 0) {
            let message = "every address is a trusted proxy: any client can claim to be any other";
            self.findings.warning("trusts_everyone", at.place, message);
        }
        let (limits, flood) = (self.limits(), self.flood());
        let client_prefix = self.client_prefix();
        let (webhooks, receivers) = (self.webhooks(), self.receivers());
        let upstreams = self.upstreams()?;
        let via = or(self.file.via.as_ref(), stated(defaults::VIA)?);
        let told = upstreams.iter().flat_map(|upstream| upstream.identity_headers.names());
        let identity_headers = told.cloned().collect();
        Some(ProxySettings {
            upstreams,
            limits,
            flood,
            spool_folder: self.file.limits.spool_folder.as_ref().map(|at| self.path(at)),
            trusted_proxies,
            via,
            client_prefix,
            identity_headers,
            tls: self.file.tls.is_some(),
            public_url: self.file.public_url.as_ref().map(|at| at.value.0.clone()),
            webhooks: webhooks?,
            receivers: receivers?,
        })
    }

    pub(super) fn proxy_protocol(&mut self) -> Vec<IpNet> {
        let Some(declared) = &self.file.proxy_protocol else { return Vec::new() };
        for at in declared.from.iter().filter(|at| at.value.prefix_len() == 0) {
            let message = "every address may say who it is: any client can claim to be any other";
            self.findings.warning("trusts_everyone", at.place, message);
        }
        declared.from.iter().map(|at| at.value).collect()
    }

    fn client_prefix(&mut self) -> String {
        let Some(at) = &self.file.client_plane.prefix else {
            return defaults::CLIENT_PREFIX.to_owned();
        };
        if let Err(say) = canonical(&at.value) {
            self.findings.error("malformed", at.place, format!("`prefix`: {say}"));
        }
        at.value.clone()
    }

    fn limits(&mut self) -> Limits {
        let limits = &self.file.limits;
        let head_bytes = or(limits.head_bytes.as_ref(), Bytes(defaults::HEAD_BYTES)).0;
        if let Some(at) = limits.head_bytes.as_ref().filter(|at| !HEAD_BYTES.contains(&at.value.0))
        {
            self.findings.error("out_of_range", at.place, "a head has from 8KiB to 1MiB");
        }
        Limits {
            handshake_ms: self.millis(limits.handshake.as_ref(), defaults::HANDSHAKE_MS, HOUR),
            head_ms: self.millis(limits.head.as_ref(), defaults::HEAD_MS, HOUR),
            idle_ms: self.millis(limits.idle.as_ref(), defaults::KEEP_MS, HOUR),
            stall_ms: self.millis(limits.stall.as_ref(), defaults::STALL_MS, HOUR),
            body_rate: or(limits.body_rate.as_ref(), Bytes(defaults::BODY_RATE)).0,
            body_ms: self.millis(limits.body.as_ref(), defaults::BODY_MS, HOUR),
            upload_ms: self.millis(limits.upload.as_ref(), defaults::UPLOAD_MS, HOUR),
            head_bytes: usize::try_from(head_bytes).unwrap_or(usize::MAX),
            headers: size(or(limits.headers.as_ref(), defaults::HEADERS)),
            requests: size(or(limits.requests.as_ref(), defaults::REQUESTS)),
            streams: or(limits.streams.as_ref(), defaults::STREAMS),
            resets: size(or(limits.resets.as_ref(), defaults::RESETS)),
            stream_errors: size(or(limits.stream_errors.as_ref(), defaults::STREAM_ERRORS)),
            ping_ms: self.millis(limits.ping.as_ref(), defaults::PING_MS, HOUR),
            exchanges: size(or(limits.exchanges.as_ref(), defaults::EXCHANGES)),
            connections: size(or(limits.connections.as_ref(), defaults::CONNECTIONS)),
            bodies: self.room_for_bodies(limits.bodies.as_ref(), defaults::BODIES),
            spool: self.room_for_bodies(limits.spool.as_ref(), defaults::SPOOL),
            drain_ms: self.millis(limits.drain.as_ref(), defaults::DRAIN_MS, HOUR),
        }
    }

    /// What does not fit one body would refuse it for ever.
    fn room_for_bodies(&mut self, written: Option<&At<Bytes>>, default: u64) -> u64 {
        let limit = |route: &Route| or(route.body_limit.as_ref(), Bytes(defaults::BODY_LIMIT)).0;
        let plans = self.file.plans.0.iter();
        let by_plan =
            plans.flat_map(|(_, plan)| plan.body_limits.0.iter().map(|(_, at)| at.value.0));
        let largest = self.file.routes.iter().map(limit).chain(by_plan).max().unwrap_or(0);
        let Some(at) = written else {
            return default.max(largest);
        };
        if at.value.0 < largest {
            let message = "this is less than the largest `body_limit` of a route or plan";
            self.findings.error("out_of_range", at.place, message);
        }
        at.value.0
    }

    fn flood(&self) -> FloodSettings {
        let flood = &self.file.flood;
        FloodSettings {
            per_address: or(flood.per_address.as_ref(), defaults::PER_ADDRESS),
            failures: or(flood.failures.as_ref(), defaults::FAILURES),
            entries: size(or(flood.entries.as_ref(), defaults::ENTRIES)),
        }
    }
}

/// A name that is written here; `None` cannot be.
fn stated(name: &str) -> Option<Name> {
    name.parse().ok()
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
