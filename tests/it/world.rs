//! A whole little world in one process: the sample upstream, the gateway in front of it on real sockets,
//! accounts that were made through the admin API.
//!
//! Invariant: what tests learn about money comes through the public interface: balance, limits, receipts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::cli::demo::upstream::{Options, SECRET, SampleUpstream};
use tollgate::config::{Environment, Settings, load_text};
use tollgate::seam::{Clock, SystemClock};
use tollgate::serve::{self, Running};

use super::redis_server::pki::Pki;
use super::wire::{Ask, Reply, Wire};

/// What operators show.
pub(crate) const TOKEN: &str = "an-admin-token-for-tests";
/// How long something is waited for that must come.
const PATIENCE_MS: u64 = 30_000;
/// How long to wait between two looks.
const BETWEEN: Duration = Duration::from_millis(5);
/// Where images are made.
pub(crate) const IMAGES: &str = "/v1/images/generations";
/// Where chats are completed.
pub(crate) const CHAT: &str = "/v1/chat/completions";
/// Where films are dubbed.
pub(crate) const DUBBING: &str = "/v1/dubbing";

/// Where clients connect, in the configuration.
const LISTEN: &str = "listen: 127.0.0.1:0\n";
/// The configuration that tests change.
const YAML: &str = r#"
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { head: 5s, body: 2s, drain: 10s }
flood: { per_address: 1000000, failures: 1000000 }
upstreams:
  sample:
    url: UPSTREAM
    credentials: { bearer: { env: SECRET } }
    timeouts: { connect: 1s, first_byte: 20s, idle: 20s, total: 40s }
plans:
  studio: {}
  other: {}
  single: { concurrency: [{ name: one-at-a-time, limit: 1 }] }
  crowded: { concurrency: [{ name: crowd, limit: 100000 }] }
  rationed: { caps: [{ name: daily, measure: requests, limit: 2, every: day }] }
  thrifty: { caps: [{ name: budget, measure: credits, limit: 10, every: day }] }
  slow: { rate: [{ name: pace, requests: 1, per: 30s, burst: 2 }] }
  slower: { rate: [{ name: pace, requests: 1, per: 1h, burst: 1 }] }
  walled: { routes: [dubbing, models] }
  starter: { allowances: [{ name: monthly, amount: 3, every: month }] }
prices:
  images:
    lines:
      - label: Images
        quantities: [n]
        table:
          by: [quality]
          rows:
            - { when: [low], rate: 1 }
            - { when: [medium], rate: 5 }
            - { when: [high], rate: 10 }
            - { when: [gift], rate: 0 }
  dubbing:
    minimum: 10
    lines: [{ label: Minutes, quantities: [seconds], per: 60, rounding: started, rate: 10 }]
  chat:
    lines:
      - { label: Prompt, quantities: [prompt_tokens], per: 1000, rate: 0.5 }
      - { label: Completion, quantities: [completion_tokens], per: 1000, rate: 2 }
routes:
  - name: images
    match: POST /v1/images/generations
    upstream: sample
    price: images
    body_limit: 64KiB
    quantities:
      n:
        { type: integer, request: [{ json: /n }], default: 1, minimum: 1, maximum: 10, response: [{ items: /data }] }
      quality:
        { type: text, request: [{ json: /quality }], default: medium, one_of: [low, medium, high, gift] }
    outcomes:
      - status: [400]
        body: { at: /error/code, equals: content_policy_violation }
        class: blocked
        charge: none
    on_unknown: release # images
    on_disconnect: finish # images
    reconcile: 1s # images
  - name: dubbing
    match: POST /v1/dubbing
    upstream: sample
    price: dubbing
    body_limit: 64KiB
    quantities:
      seconds: { type: seconds, hold: 300, maximum: 600, response: [{ json: /seconds }] }
    on_unknown: release # dubbing
    on_disconnect: finish # dubbing
    reconcile: 1s
    over_run: debt
  - name: chat
    match: POST /v1/chat/completions
    upstream: sample
    price: chat
    quantities:
      prompt_tokens:
        { type: integer, hold: 8000, maximum: 8000, response: [{ json: /usage/prompt_tokens }] }
      completion_tokens:
        type: integer
        request: [{ json: /max_tokens }]
        default: 1000
        minimum: 1
        maximum: 4000
        response: [{ json: /usage/completion_tokens }]
    stream: { end: "[DONE]" }
    on_unknown: release # chat
    on_disconnect: finish # chat
    reconcile: 1s
    over_run: debt
  - { name: models, match: GET /v1/models, upstream: sample, free: true }
"#;

/// The secrets that the configuration names.
#[derive(Debug)]
struct Secrets;

impl Environment for Secrets {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "ADMIN" => Some(TOKEN.to_owned()),
            "SECRET" => Some(SECRET.to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn cores(&self) -> usize {
        2
    }
}

/// Whoever pays.
#[derive(Clone, Debug)]
pub(crate) struct Payer {
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
}

impl Payer {
    /// A request with this key.
    pub(crate) fn get(&self, path: &str) -> Ask {
        Ask::new("GET", path).key(&self.key)
    }

    /// A request of JSON with this key.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Ask {
        Ask::new("POST", path).key(&self.key).json(body)
    }

    /// A request for `n` images of a quality.
    pub(crate) fn images(&self, n: u64, quality: &str) -> Ask {
        self.post(IMAGES, &json!({ "n": n, "quality": quality }))
    }
}

/// What an account has, in credits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Purse {
    pub(crate) available: String,
    pub(crate) held: String,
    pub(crate) owed: String,
}

/// See the module.
pub(crate) struct World {
    pub(crate) upstream: SampleUpstream,
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Who vouches for the clients' listener, if it speaks TLS.
    trusted: Option<PathBuf>,
    running: Option<Running>,
    folder: TempDir,
    yaml: String,
    made: AtomicU64,
}

impl World {
    /// A world whose configuration differs in these texts.
    #[track_caller]
    pub(crate) fn start(changes: &[(&str, &str)]) -> Self {
        Self::of(YAML, changes)
    }

    /// A world of another configuration, with these texts changed.
    #[track_caller]
    pub(crate) fn of(yaml: &str, changes: &[(&str, &str)]) -> Self {
        Self::seeded_of(yaml, changes, |_| {})
    }

    /// A world with something done in its folder before the gateway starts.
    #[track_caller]
    pub(crate) fn seeded(changes: &[(&str, &str)], seed: impl FnOnce(&Path)) -> Self {
        Self::seeded_of(YAML, changes, seed)
    }

    #[track_caller]
    pub(crate) fn seeded_of(
        yaml: &str,
        changes: &[(&str, &str)],
        seed: impl FnOnce(&Path),
    ) -> Self {
        let options = Options { check_secret: true, log: None };
        let upstream = SampleUpstream::start("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        seed(folder.path());
        let running =
            serve::start(settings(yaml, folder.path(), &upstream.url(), changes)).unwrap();
        let (data, admin) = (running.data_addr, running.admin_addr.unwrap());
        let (made, trusted) = (AtomicU64::new(0), None);
        let yaml = yaml.to_owned();
        Self { upstream, data, admin, trusted, running: Some(running), folder, yaml, made }
    }

    /// The same with TLS for clients, by a certificate of `pki`; `more` stands in the block `tls`.
    #[track_caller]
    pub(crate) fn start_tls(pki: &Pki, more: &str, changes: &[(&str, &str)]) -> Self {
        let (certificate, key) = pki.certify(&["127.0.0.1", "localhost"]);
        Self::start_with_certificate(pki, &(certificate, key), more, changes)
    }

    /// The same with this certificate.
    #[track_caller]
    pub(crate) fn start_with_certificate(
        pki: &Pki,
        (certificate, key): &(PathBuf, PathBuf),
        more: &str,
        changes: &[(&str, &str)],
    ) -> Self {
        let block = format!(
            "{LISTEN}tls: {{ certificate_file: {}, key_file: {}{more} }}\n",
            certificate.display(),
            key.display()
        );
        let mut world = Self::start(&[&[(LISTEN, block.as_str())], changes].concat());
        world.trust(pki);
        world
    }

    /// Its clients' listener speaks TLS, by certificates of `pki`.
    pub(crate) fn trust(&mut self, pki: &Pki) {
        self.trusted = Some(pki.ca_file());
    }

    /// Drains and ends the gateway and starts another one on the same ledger.
    #[track_caller]
    pub(crate) fn restart(&mut self, changes: &[(&str, &str)]) {
        self.running.take().unwrap().stop();
        self.start_again(changes);
    }

    /// Starts another gateway on the ledger of the one that has ended.
    #[track_caller]
    pub(crate) fn start_again(&mut self, changes: &[(&str, &str)]) {
        let settings = settings(&self.yaml, self.folder.path(), &self.upstream.url(), changes);
        let running = serve::start(settings).unwrap();
        (self.data, self.admin) = (running.data_addr, running.admin_addr.unwrap());
        self.running = Some(running);
    }

    /// Begins to drain, on another thread; joined by whoever wants to know when it is done.
    pub(crate) fn drain(&mut self) -> std::thread::JoinHandle<()> {
        let running = self.running.take().unwrap();
        tollgate::seam::thread("drain", move || running.stop()).unwrap()
    }

    /// Who vouches for the clients' listener; nobody, if it speaks no TLS.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.trusted.clone().unwrap_or_default()
    }

    /// A connection to the gateway.
    pub(crate) fn wire(&self) -> Wire {
        match &self.trusted {
            Some(ca) => Wire::open_tls(self.data, ca),
            None => Wire::open(self.data),
        }
    }

    /// Sends a request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, ask: &Ask) -> Reply {
        self.wire().ask(ask)
    }

    /// Sends a request to the upstream, past the gateway.
    #[track_caller]
    pub(crate) fn direct(&self, ask: &Ask) -> Reply {
        let mut ask = ask.clone();
        ask.headers.retain(|(name, _)| name != "authorization");
        Wire::open(self.upstream.addr).ask(&ask.key(SECRET))
    }

    /// A call of an operator.
    #[track_caller]
    pub(crate) fn operate(&self, method: &str, path: &str, body: &Value) -> Value {
        let ask = Ask::new(method, &format!("/admin/v1{path}")).key(TOKEN);
        let ask = if method == "GET" { ask } else { ask.json(body) };
        self.operator(&ask).ok().json()
    }

    /// Sends a request to the operators' listener, on a connection of its own.
    #[track_caller]
    pub(crate) fn operator(&self, ask: &Ask) -> Reply {
        let ask = ask.clone().header("connection", "close");
        // Operators name the host that they mean.
        let host = format!("Host: {}\r\n", self.admin);
        let text = String::from_utf8(ask.bytes()).unwrap();
        let mut wire = Wire::open(self.admin);
        wire.write(text.replacen("Host: gateway\r\n", &host, 1).as_bytes());
        wire.reply().unwrap()
    }

    /// A new account with a key and, if not "", credits.
    #[track_caller]
    pub(crate) fn payer(&self, plan: &str, credits: &str) -> Payer {
        let account = format!("acct_{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.operate("POST", "/accounts", &json!({ "id": account, "plan": plan }));
        let payer = self.another_key(&account);
        if !credits.is_empty() {
            self.grant(&payer, credits);
        }
        payer
    }

    /// Another key of an account.
    #[track_caller]
    pub(crate) fn another_key(&self, account: &str) -> Payer {
        let made = self.operate("POST", &format!("/accounts/{account}/keys"), &json!({}));
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Payer { account: account.to_owned(), key: text("secret"), key_id: text("id") }
    }

    /// Gives credits.
    #[track_caller]
    pub(crate) fn grant(&self, payer: &Payer, credits: &str) -> Value {
        let id = format!("grant-{}", self.made.fetch_add(1, Ordering::SeqCst));
        let body = json!({ "id": id, "amount": credits, "reason": "a test" });
        self.operate("POST", &format!("/accounts/{}/grants", payer.account), &body)
    }

    /// Changes an account.
    #[track_caller]
    pub(crate) fn change(&self, payer: &Payer, body: &Value) {
        self.operate("PATCH", &format!("/accounts/{}", payer.account), body);
    }

    /// What the client plane says about a path.
    #[track_caller]
    pub(crate) fn look(&self, payer: &Payer, path: &str) -> Value {
        self.send(&payer.get(&format!("/_credits/v1{path}"))).ok().json()
    }

    /// What the account has.
    #[track_caller]
    pub(crate) fn purse(&self, payer: &Payer) -> Purse {
        let all = self.look(payer, "/balance");
        let one = &all["balances"][0];
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        Purse { available: text("available"), held: text("held"), owed: text("owed") }
    }

    /// How many slots the account uses.
    #[track_caller]
    pub(crate) fn in_use(&self, payer: &Payer) -> u64 {
        let limits = self.look(payer, "/limits");
        let slots = limits["concurrency"].as_array().unwrap();
        slots.iter().map(|slot| slot["in_use"].as_u64().unwrap()).sum()
    }

    /// A charge as its account sees it.
    #[track_caller]
    pub(crate) fn receipt(&self, payer: &Payer, charge: &str) -> Value {
        self.look(payer, &format!("/charges/{charge}"))
    }

    /// The receipt of a charge, once it is in this state.
    #[track_caller]
    pub(crate) fn ended(&self, payer: &Payer, charge: &str, status: &str) -> Value {
        let receipt = || self.receipt(payer, charge);
        until("the charge ends", || receipt()["status"] == status);
        receipt()
    }

    /// All charges of an account, the newest first.
    #[track_caller]
    pub(crate) fn charges(&self, payer: &Payer) -> Vec<Value> {
        let mut found = Vec::new();
        let mut path = "/charges?limit=100".to_owned();
        loop {
            let page = self.look(payer, &path);
            found.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { return found };
            path = format!("/charges?limit=100&starting_after={next}");
        }
    }

    /// How many requests have reached the upstream.
    pub(crate) fn forwarded(&self) -> u64 {
        self.upstream.work.requests()
    }

    /// How many requests were decided with this code, on all routes.
    #[track_caller]
    pub(crate) fn decided(&self, code: &str) -> u64 {
        let text = self.operator(&Ask::new("GET", "/metrics").key(TOKEN)).ok().text();
        let word = format!("code=\"{code}\"");
        let lines = text.lines().filter(|line| line.starts_with("tollgate_decisions_total{"));
        let values = lines.filter(|line| line.contains(&word)).map(|line| {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<u64>().unwrap()
        });
        values.sum()
    }

    /// The headers of the last request that reached the upstream.
    pub(crate) fn last_headers(&self) -> Vec<(String, String)> {
        let reply = Wire::open(self.upstream.addr).ask(&Ask::new("GET", "/_headers"));
        serde_json::from_value(reply.ok().json()).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.hurry()();
            running.stop();
        }
    }
}

/// The settings of a gateway in front of `upstream`.
#[track_caller]
fn settings(yaml: &str, folder: &Path, upstream: &str, changes: &[(&str, &str)]) -> Settings {
    let mut yaml = yaml.to_owned();
    for (from, to) in changes {
        assert!(yaml.contains(from), "the configuration has no {from:?}");
        yaml = yaml.replace(from, to);
    }
    let yaml = yaml.replace("UPSTREAM", upstream);
    let name = folder.join("tollgate.yaml");
    match load_text(name.to_str().unwrap(), &yaml, &Secrets) {
        Ok((settings, _)) => settings,
        Err(report) => panic!("{report}"),
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = SystemClock.uptime_ms();
    while !so() {
        let passed = SystemClock.uptime_ms() - began;
        assert!(passed < PATIENCE_MS, "waited {passed} ms in vain: {what}");
        std::thread::sleep(BETWEEN);
    }
}

/// A seed of this run, printed, or the one in `TOLLGATE_SEED`.
pub(crate) fn seed(of: &str) -> u64 {
    let given = std::env::var("TOLLGATE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| SystemClock.now().0);
    println!("{of}: TOLLGATE_SEED={seed}");
    seed
}

/// Random numbers from a seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// A place among `places`.
    pub(crate) fn pick(&mut self, places: usize) -> usize {
        usize::try_from(self.below(places as u64)).unwrap()
    }
}
