//! Where the ledger lies.
//!
//! Invariant: no message quotes a URL or a password, whatever is wrong with it.

use std::path::Path;

use super::server::HOUR;
use super::{Resolver, or, shown};
use crate::config::defaults;
use crate::config::format::{Bytes, Format, Millis, Prefix, RedisUrl};
use crate::config::mirror::{self, Durability, Embedded, Redis, Secret, Store};
use crate::config::placed::{At, TextOr};
use crate::config::problem::Place;
use crate::config::settings::StoreSettings;
use crate::ledger::ExportSettings;
use crate::ledger::redis::{Deadlines, Login, Settings, Tls, Topology};

/// Below this a lease in Redis is warned of.
const LEASE_CALM: Millis = Millis(15_000);
const LEASE_MIN: Millis = Millis(1_000);
/// A late success takes up to an hour; the record of its charge must be there.
const REFUNDABLE_MIN: Millis = Millis(2 * HOUR.0);
const REFUNDABLE_MAX: Millis = Millis(400 * 24 * HOUR.0);
const DEADLINE_MAX: Millis = Millis(60_000);
/// The smallest size of an exported file, in bytes.
const ROTATE_MIN: Bytes = Bytes(1 << 20);

/// What one of `url`, `sentinel` and `cluster` says.
struct Whereabouts {
    topology: Topology,
    database: Option<u32>,
    tls: bool,
    login: Login,
    place: Place,
}

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn store(&mut self) -> Option<StoreSettings> {
        match &self.file.store {
            Store::Embedded(embedded) => Some(self.embedded(embedded)),
            Store::Redis(redis) => self.redis(redis),
        }
    }

    fn embedded(&mut self, embedded: &Embedded) -> StoreSettings {
        if let Some(at) = embedded.durability.as_ref().filter(|at| at.value == Durability::Process)
        {
            let message = "`durability: process` is not safe yet: it waits for the full journal";
            self.findings
                .error("not_safe_yet", at.place, message)
                .help("write `durability: power`, or nothing");
        }
        let lease_ms = self.lease(embedded.lease.as_ref());
        let test_clock = or(embedded.test_clock.as_ref(), false);
        let path = self.path(&embedded.path);
        let export = self.export(&embedded.export, &path);
        StoreSettings::Embedded { path, lease_ms, export, test_clock }
    }

    fn lease(&mut self, lease: Option<&At<Millis>>) -> u64 {
        if let Some(at) = lease.filter(|at| at.value.0 < LEASE_MIN.0) {
            let message =
                "a lease of at least 1s is wanted here: it is renewed three times in its life";
            self.findings.error("out_of_range", at.place, message);
        }
        self.millis(lease, defaults::LEASE_MS, HOUR)
    }

    /// A call that lay in the socket of a server that hung may then end what could not be renewed.
    fn warn_of_short(&mut self, lease: Option<&At<Millis>>) {
        let short = |at: &&At<Millis>| (LEASE_MIN.0..LEASE_CALM.0).contains(&at.value.0);
        if let Some(at) = lease.filter(short) {
            let message = "with a lease below 15s a server that hangs for some seconds makes running charges unknown";
            self.findings
                .warning("short_lease", at.place, message)
                .help("leave it at 60s; shorter ones are for tests");
        }
    }

    fn redis(&mut self, redis: &Redis) -> Option<StoreSettings> {
        let whereabouts = self.whereabouts(redis);
        let own = self.login(redis.user.as_ref(), redis.password.as_ref());
        let tls = redis.tls.as_ref().map(|tls| self.tls(tls));
        let (refundable_for_ms, explained_for_ms) = self.kept(redis);
        let lease_ms = self.lease(redis.lease.as_ref());
        self.warn_of_short(redis.lease.as_ref());
        let deadlines = self.deadlines(&redis.deadlines);
        let folder = self.path(&redis.state);
        let export = self.export(&redis.export, &folder);
        let (whereabouts, test_clock) = (whereabouts?, or(redis.test_clock.as_ref(), false));
        let redis = Settings {
            tls: tls.or_else(|| whereabouts.tls.then(Tls::default)),
            login: self.logins(redis, &whereabouts, own?),
            topology: self.database(redis, whereabouts),
            prefix: or(redis.prefix.as_ref(), Prefix(defaults::PREFIX.to_owned())).0,
            lease_ms,
            refundable_for_ms,
            explained_for_ms,
            deadlines,
        };
        Some(StoreSettings::Redis { redis: Box::new(redis), folder, export, test_clock })
    }

    /// Exactly one of the three says where the server is.
    fn whereabouts(&mut self, redis: &Redis) -> Option<Whereabouts> {
        let url = redis.url.as_ref().map(|url| ("url", url_place(url)));
        let sentinel = redis.sentinel.as_ref().map(|one| ("sentinel", one.name.place));
        let nodes = redis.cluster.as_ref();
        let cluster = nodes.and_then(|all| all.first()).map(|one| ("cluster", one.place));
        let named: Vec<_> = [url, sentinel, cluster].into_iter().flatten().collect();
        if let [(first, at), (second, too), ..] = named.as_slice() {
            let message = format!("`{second}` and `{first}` both say where the server is");
            self.findings.error("one_topology", *too, message).note(*at, "the first one");
        }
        if named.is_empty() {
            let message = "`redis` needs one of `url`, `sentinel` and `cluster`";
            self.findings
                .error("one_topology", redis.state.place, message)
                .help("write `url: redis://127.0.0.1:6379` for one server on this machine");
        }
        // Both are looked into, so that one error hides no other.
        let sentinel = redis.sentinel.as_ref().map(|sentinel| self.sentinel(sentinel));
        let url = redis.url.as_ref().map(|url| self.url(url));
        let cluster = nodes.map(|nodes| {
            let seeds = nodes.iter().map(|at| at.value.clone()).collect();
            cluster.map(|(_, place)| Whereabouts::plain(Topology::Cluster { seeds }, place))
        });
        url.or(sentinel).or(cluster)?
    }

    fn sentinel(&mut self, sentinel: &mirror::Sentinel) -> Option<Whereabouts> {
        let login = self.login(sentinel.user.as_ref(), sentinel.password.as_ref())?;
        if let Some(at) = sentinel.user.as_ref().filter(|_| login.password.is_none()) {
            self.no_password(at.place);
        }
        let sentinels = sentinel.addresses.iter().map(|at| at.value.clone()).collect();
        let name = sentinel.name.value.clone();
        let topology = Topology::Sentinel { sentinels, login, name, database: 0 };
        Some(Whereabouts::plain(topology, sentinel.name.place))
    }

    fn url(&mut self, url: &TextOr<RedisUrl, Secret>) -> Option<Whereabouts> {
        let (read, place) = match url {
            TextOr::Text(at) => {
                if at.value.login.password.is_some() {
                    let message = "a password does not stand in this file";
                    let help = "write `url: { env: NAME }` for the whole URL, or take the password \
                                out and write `password: { env: NAME }`";
                    self.findings.error("secret_in_file", at.place, message).help(help);
                }
                (at.value.clone(), at.place)
            }
            TextOr::Other(secret) => {
                let (text, place) = self.secret(secret)?;
                match RedisUrl::read(&text) {
                    Ok(read) => (read, place),
                    Err(say) => {
                        let message = format!("the secret is no URL of a Redis: {say}");
                        self.findings.error("bad_secret", place, message);
                        return None;
                    }
                }
            }
        };
        let RedisUrl { tls, login, address, database } = read;
        let topology = Topology::Single { address, database: 0 };
        Some(Whereabouts { topology, database, tls, login, place })
    }

    /// `None`: a secret cannot be read.
    fn login(&mut self, user: Option<&At<String>>, password: Option<&Secret>) -> Option<Login> {
        let password = match password {
            Some(secret) => Some(self.secret(secret)?.0),
            None => None,
        };
        Some(Login { user: user.map(|at| at.value.clone()), password })
    }

    /// What the URL says and what stands beside it, each once.
    fn logins(&mut self, redis: &Redis, whereabouts: &Whereabouts, own: Login) -> Login {
        let url = whereabouts.login.clone();
        if let Some(at) = redis.user.as_ref().filter(|_| url.user.is_some()) {
            self.twice("user", at.place);
        }
        if let Some(secret) = redis.password.as_ref().filter(|_| url.password.is_some()) {
            self.twice("password", secret.place());
        }
        let login = Login { user: url.user.or(own.user), password: url.password.or(own.password) };
        if login.user.is_some() && login.password.is_none() {
            self.no_password(redis.user.as_ref().map_or(whereabouts.place, |at| at.place));
        }
        login
    }

    /// The topology with the number of its database.
    fn database(&mut self, redis: &Redis, whereabouts: Whereabouts) -> Topology {
        let mut topology = whereabouts.topology;
        let written = redis.database.as_ref();
        if let Some(at) = written.filter(|_| whereabouts.database.is_some()) {
            self.twice("database", at.place);
        }
        match (&mut topology, written) {
            (Topology::Cluster { .. }, Some(at)) => {
                let message = "a cluster has database 0 only: `database` has no place here";
                self.findings.error("misplaced", at.place, message);
            }
            (Topology::Cluster { .. }, None) => {}
            (Topology::Single { database, .. } | Topology::Sentinel { database, .. }, written) => {
                let written = written.map(|at| at.value);
                *database = whereabouts.database.or(written).unwrap_or(0);
            }
        }
        topology
    }

    fn twice(&mut self, name: &str, place: Place) {
        let message = format!("the URL says a {name} already: `{name}` has no place here");
        self.findings.error("misplaced", place, message);
    }

    /// A user alone does not log in: the server would take us for `default`.
    fn no_password(&mut self, place: Place) {
        self.findings
            .error("missing_name", place, "a user needs a `password`")
            .help("write `password: { env: NAME }`");
    }

    fn tls(&mut self, tls: &mirror::Tls) -> Tls {
        for path in [&tls.ca_file, &tls.certificate_file, &tls.key_file].into_iter().flatten() {
            self.read_file(path);
        }
        let client = match (&tls.certificate_file, &tls.key_file) {
            (Some(certificate), Some(key)) => Some((self.path(certificate), self.path(key))),
            (Some(one), None) => self.half("certificate_file", "key_file", one.place),
            (None, Some(one)) => self.half("key_file", "certificate_file", one.place),
            (None, None) => None,
        };
        Tls { ca_file: tls.ca_file.as_ref().map(|path| self.path(path)), client }
    }

    /// Notes that a name is of no use without another.
    pub(super) fn half<T>(&mut self, name: &str, other: &str, place: Place) -> Option<T> {
        self.findings.error("missing_name", place, format!("`{name}` needs `{other}`"));
        None
    }

    /// How long ended charges and their explanations are kept, in milliseconds.
    fn kept(&mut self, redis: &Redis) -> (u64, u64) {
        let at = redis.refundable_for.as_ref();
        let refundable = self.millis(at, defaults::REFUNDABLE_MS, REFUNDABLE_MAX);
        if let Some(at) = at.filter(|at| at.value.0 < REFUNDABLE_MIN.0) {
            let message = "at least 2h is wanted here: a late success may take an hour";
            self.findings.error("out_of_range", at.place, message);
        }
        let explained = redis.explained_for.as_ref();
        if let Some(at) = explained.filter(|at| at.value.0 > refundable) {
            let record = shown(Millis(refundable));
            let message = format!("an explanation is kept no longer than its charge, {record}");
            self.findings.error("out_of_range", at.place, message);
        }
        let default = defaults::EXPLAINED_MS.min(refundable);
        (refundable, or(explained, Millis(default)).0)
    }

    fn deadlines(&mut self, written: &mirror::Deadlines) -> Deadlines {
        let mut ms =
            |at: &Option<At<Millis>>, default| self.millis(at.as_ref(), default, DEADLINE_MAX);
        let default = Deadlines::default();
        Deadlines {
            connect_ms: ms(&written.connect, default.connect_ms),
            reserve_ms: ms(&written.reserve, default.reserve_ms),
            other_ms: ms(&written.other, default.other_ms),
        }
    }

    fn export(&mut self, written: &mirror::Export, state: &Path) -> ExportSettings {
        if let Some(at) = written.rotate.as_ref().filter(|at| at.value.0 < ROTATE_MIN.0) {
            self.findings.error("out_of_range", at.place, "a file has at least 1MiB");
        }
        let default = || state.join(defaults::EXPORT_FOLDER);
        ExportSettings {
            folder: written.path.as_ref().map_or_else(default, |path| self.path(path)),
            rotate_bytes: or(written.rotate.as_ref(), Bytes(defaults::ROTATE_BYTES)).0,
            alarm: u64::from(or(written.alarm.as_ref(), defaults::ALARM)),
        }
    }
}

impl Whereabouts {
    /// What says neither who logs in nor whether with TLS.
    fn plain(topology: Topology, place: Place) -> Self {
        Self { topology, database: None, tls: false, login: Login::default(), place }
    }
}

fn url_place(url: &TextOr<RedisUrl, Secret>) -> Place {
    match url {
        TextOr::Text(at) => at.place,
        TextOr::Other(secret) => secret.place(),
    }
}
