//! What identity's tests share: a service that tells what reached it, accounts that are made before the
//! gateway starts, on each store.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tollgate::credit::{AccountId, AliasId, KeyId};
use tollgate::ledger::embedded::{EmbeddedLedger, Settings as FileSettings};
use tollgate::ledger::{Alias, Ledger, NewAccount, NewKey};
use tollgate::meter::ImportedKey;
use tollgate::seam::SystemClock;

use crate::ledger_redis::{make, open_served, settings};
use crate::ledger_world::{key_of, ok, wait};
use crate::redis_server::RedisServer;
use crate::wire::{Ask, Reply};
use crate::world::World;

/// Where the service of the team listens, in configurations.
pub(crate) const TEAM: &str = "TEAM";
/// The store in the configuration that tests change.
const STORE: &str = "store: { embedded: { path: ledger, lease: 3s } }";

/// The service of a team: remembers the head of every request and answers two images.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) addr: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Team {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        // It ends with the test's process.
        drop(tollgate::seam::thread("team", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = seen.clone();
                drop(tollgate::seam::thread("team-one", move || serve(stream, &seen)));
            }
        }));
        Self { addr, heads }
    }

    /// How many requests have come.
    pub(crate) fn count(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    /// The head of the last request, as it came.
    #[track_caller]
    pub(crate) fn last(&self) -> String {
        self.heads.lock().unwrap().last().expect("a request").clone()
    }

    /// Everything that ever came.
    pub(crate) fn all(&self) -> String {
        self.heads.lock().unwrap().join("\n")
    }

    /// The value of a header of the last request.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let last = self.last();
        let mut lines = last.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    while let Some(head) = request(&mut stream) {
        seen.lock().unwrap().push(head);
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n";
        drop(stream.write_all(format!("{answer}{{\"data\":[1,2]}}").as_bytes()));
    }
}

/// Reads one request with its body: its head; `None`: the peer has closed.
pub(crate) fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(head);
            }
        }
        match stream.read(&mut part) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

/// Makes accounts and keys before a gateway starts.
pub(crate) struct Seed<'a>(pub(crate) &'a dyn Ledger);

impl Seed<'_> {
    /// A new account of the plan `studio`; `reference`: what the team calls it.
    pub(crate) fn account(&self, id: &str, reference: Option<&str>) -> AccountId {
        let account: AccountId = id.parse().unwrap();
        let call = NewAccount {
            account: account.clone(),
            plan: "studio".into(),
            zone: "UTC".into(),
            anchor: None,
            label: String::new(),
            person: None,
            reference: reference.map(str::to_owned),
        };
        ok(wait(self.0.create_account(call)));
        if let Some(text) = reference {
            let id = AliasId::of("reference", text.as_bytes());
            self.alias(id, &account, None);
        }
        account
    }

    /// A key that was made elsewhere, as an operator imports it: by its hash.
    pub(crate) fn import(&self, account: &AccountId, number: u8, text: &str) -> KeyId {
        let (id, hash) = (key_of(account, number), <[u8; 32]>::from(Sha256::digest(text)));
        let account_id = account.clone();
        let label = "imported".to_owned();
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account_id,
            id,
            hash,
            label,
            ends: None,
        };
        ok(wait(self.0.create_key(call)));
        self.alias(ImportedKey::alias_of(&hash), account, Some(id));
        id
    }

    pub(crate) fn alias(&self, id: AliasId, account: &AccountId, key: Option<KeyId>) {
        ok(wait(self.0.create_alias(Alias { id, account: account.clone(), key })));
    }
}

/// A gateway before the sample upstream and a team's service, on a ledger that was seeded.
pub(crate) struct Place {
    pub(crate) world: World,
    pub(crate) team: Team,
    redis: Option<RedisServer>,
}

impl Place {
    /// On a file.
    #[track_caller]
    pub(crate) fn on_file(changes: &[(&str, &str)], seed: impl FnOnce(&Seed<'_>)) -> Self {
        Self::start(None, changes, seed)
    }

    /// In Redis.
    #[track_caller]
    pub(crate) fn on_redis(
        server: RedisServer,
        changes: &[(&str, &str)],
        seed: impl FnOnce(&Seed<'_>),
    ) -> Self {
        Self::start(Some(server), changes, seed)
    }

    /// The server that the ledger lies in.
    #[track_caller]
    pub(crate) fn redis(&self) -> &RedisServer {
        self.redis.as_ref().expect("a ledger in Redis")
    }

    /// The same story on a file and in Redis.
    #[track_caller]
    pub(crate) fn on_both(
        changes: &[(&str, &str)],
        seed: impl Fn(&Seed<'_>),
        story: impl Fn(&Self),
    ) {
        story(&Self::start(None, changes, &seed));
        story(&Self::start(Some(RedisServer::start(&[])), changes, &seed));
    }

    #[track_caller]
    fn start(
        redis: Option<RedisServer>,
        changes: &[(&str, &str)],
        seed: impl FnOnce(&Seed<'_>),
    ) -> Self {
        let team = Team::start();
        let at = format!("http://{}", team.addr);
        let put = |text: &str| text.replace(TEAM, &at);
        let mut changes: Vec<(String, String)> =
            changes.iter().map(|(from, to)| ((*from).to_owned(), put(to))).collect();
        if let Some(server) = &redis {
            let store = "store: { redis: { url: 'redis://127.0.0.1:PORT', state: ledger, lease: 3s, \
                         deadlines: { reserve: 10s, other: 10s } } }";
            changes.push((STORE.into(), store.replace("PORT", &server.port().to_string())));
        }
        let changes: Vec<_> = changes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let world = World::seeded(&changes, |folder| match &redis {
            None => seed(&Seed(&file(folder))),
            Some(server) => {
                make(&settings(server), false);
                seed(&Seed(&open_served(&settings(server))));
            }
        });
        Self { world, team, redis }
    }

    /// Sends a request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, ask: &Ask) -> Reply {
        self.world.send(ask)
    }
}

fn file(folder: &Path) -> EmbeddedLedger {
    let folder = folder.join("ledger");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = FileSettings { lease_ms: 3_000, ..FileSettings::at(folder.join("ledger.redb")) };
    EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap()
}

/// A request for two images, with nothing that names an account.
pub(crate) fn images(path: &str) -> Ask {
    Ask::new("POST", path).json(&serde_json::json!({ "n": 2, "quality": "low" }))
}

/// The team's service beside the sample upstream, and a priced route to it, with these words in each.
pub(crate) fn team_route(upstream: &str, route: &str) -> [(&'static str, String); 2] {
    let upstreams = format!("  team: {{ url: {TEAM}{upstream} }}\nplans:\n  studio: {{}}");
    let routes = format!(
        "routes:\n  - {{ name: team, match: POST /team/images, upstream: team, price: images, \
         on_unknown: release, quantities: {{ n: {{ type: integer, request: [{{ json: /n }}], \
         default: 1, minimum: 1, maximum: 10 }}, quality: {{ type: text, request: [{{ json: /quality }}], default: low }} }}{route} }}\n"
    );
    [("plans:\n  studio: {}", upstreams), ("routes:\n", routes)]
}
