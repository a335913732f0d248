//! A running program whose ledger exports its stream, with accounts that things happen to.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tollgate::seam::{Entropy, SeededEntropy, Timestamp};

use crate::processes::{BIN, Proxy, Reply, Site, TOKEN, ask, eventually};
use crate::redis_server::RedisServer;

/// A store that exports: what it runs on, and the line of the configuration.
pub(super) type Begin = fn() -> (Option<RedisServer>, String);

/// Every store that exports its stream.
pub(super) const STORES: [(&str, Begin); 2] = [("redis", redis), ("embedded", embedded)];

fn embedded() -> (Option<RedisServer>, String) {
    (None, "store: { embedded: { path: data, lease: 1s, test_clock: true } }".to_owned())
}

fn redis() -> (Option<RedisServer>, String) {
    let server = RedisServer::start(&[]);
    crate::ledger_redis::create(&server, true);
    let url = format!("redis://127.0.0.1:{}", server.port());
    let patient = "deadlines: { reserve: 10s, other: 10s }";
    let store =
        format!("{{ url: \"{url}\", state: data, lease: 1s, test_clock: true, {patient} }}");
    (Some(server), format!("store: {{ redis: {store} }}"))
}

/// Where the program exports to, seen from where it runs.
pub(super) const STREAM: &str = "data/ledger-stream";
const PLANS: &str = "plans:
  studio:
    max_debt: 50
    allowances:
      - { name: daily, amount: 7, every: day, rollover: { max: 4, percent: 50, cycles: 1 } }
      - { name: spare, amount: 5, every: day, class: free, when: paid_exhausted }
    caps: [{ name: many, measure: credits, limit: 100000, every: day }]
";
pub(super) const ACCOUNTS: [&str; 3] = ["acct_a", "acct_b", "acct_c"];

pub(super) struct Rig {
    pub(super) site: Site,
    pub(super) proxy: Proxy,
    _server: Option<RedisServer>,
    keys: Vec<String>,
    random: SeededEntropy,
    grants: Vec<(&'static str, String)>,
    refunds: u64,
    pub(super) done: u64,
}

impl Rig {
    pub(super) fn start(begin: Begin, seed: u64) -> Self {
        let (server, store) = begin();
        let site = Site::new();
        let yaml = std::fs::read_to_string(site.config()).unwrap();
        let debt = "stream: { end: '[DONE]' }\n    over_run: debt";
        let yaml = yaml
            .replace("store: { embedded: { path: data, lease: 1s } }", &store)
            .replace("plans: { studio: {} }\n", PLANS)
            .replace("stream: { end: '[DONE]' }", debt);
        std::fs::write(site.config(), yaml).unwrap();
        let proxy = site.start();
        let keys = ACCOUNTS.iter().map(|account| proxy.account(account, 0)).collect();
        let random = SeededEntropy::new(seed);
        let (grants, refunds, done) = (Vec::new(), 0, 0);
        Self { site, proxy, _server: server, keys, random, grants, refunds, done }
    }

    fn below(&self, bound: u64) -> u64 {
        let mut word = [0; 8];
        self.random.fill(&mut word).unwrap();
        u64::from_le_bytes(word) % bound
    }

    fn place(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Asks the operators' API, which may refuse.
    fn operate(&mut self, path: &str, body: &Value) -> Option<Value> {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str())];
        let path = format!("/admin/v1{path}");
        let reply = ask(self.proxy.admin, "POST", &path, &headers, &body.to_string()).unwrap();
        assert!(reply.status < 500, "{path} {body}: {}", reply.body);
        let done = (200..300).contains(&reply.status).then(|| reply.json());
        self.done += u64::from(done.is_some());
        done
    }

    fn now(&self) -> Timestamp {
        let told = self.proxy.operator("GET", "/test_clock", &Value::Null);
        told["now"].as_str().unwrap().parse().unwrap()
    }

    fn grant(&mut self, at: usize, amount: u64, more: &Value) -> String {
        let id = format!("g{}", self.grants.len());
        let mut body = json!({ "id": id, "amount": amount.to_string(), "reason": "a \"test\"" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.operate(&format!("/accounts/{}/grants", ACCOUNTS[at]), &body).unwrap();
        self.grants.push((ACCOUNTS[at], id.clone()));
        id
    }

    fn spend(&mut self, at: usize, path: &str, told: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {}", self.keys[at]);
        let headers = [("authorization", bearer.as_str()), ("x-sample", told)];
        let reply = ask(self.proxy.data, "POST", path, &headers, &body.to_string()).unwrap();
        self.done += u64::from(reply.status == 200);
        reply
    }

    fn chat(&mut self, at: usize, tokens: u64) -> u16 {
        let told = format!("usage=1,{tokens}");
        self.spend(at, "/v1/chat/completions", &told, &json!({ "serial": 1 })).status
    }

    fn images(&mut self, at: usize, n: u64, told: &str) -> u16 {
        let body = json!({ "n": n, "serial": 2 });
        self.spend(at, "/v1/images/generations", told, &body).status
    }

    fn refund(&mut self, at: usize, amount: &str) -> bool {
        let id = self.proxy.settled(ACCOUNTS[at])["id"].as_str().map(str::to_owned);
        let Some(id) = id else { return false };
        self.refunds += 1;
        let body =
            json!({ "id": format!("r{}", self.refunds), "amount": amount, "reason": "late" });
        self.operate(&format!("/charges/{id}/refund"), &body).is_some()
    }

    fn act(&mut self, (account, grant): (&str, &str), how: &str) -> bool {
        let path = format!("/accounts/{account}/grants/{grant}/{how}");
        self.operate(&path, &json!({ "reason": "by hand" })).is_some()
    }

    fn pass(&mut self, by: &str) {
        self.operate("/test_clock/advance", &json!({ "by": by })).unwrap();
    }

    /// Changes what a request holds while it runs.
    fn adjust(&mut self, at: usize) {
        let (data, bearer) = (self.proxy.data, format!("Bearer {}", self.keys[at]));
        let run = move || {
            let headers = [("authorization", bearer.as_str()), ("x-sample", "hang=1")];
            let body = json!({ "n": 3, "serial": 3 }).to_string();
            ask(data, "POST", "/v1/images/generations", &headers, &body).unwrap().status
        };
        let running = tollgate::seam::thread("request", run).unwrap();
        let path = format!("/accounts/{}/holds", ACCOUNTS[at]);
        let id = eventually("it is held", || {
            let holds = self.proxy.operator("GET", &path, &Value::Null);
            holds["data"][0]["charge"]
                .as_str()
                .or(holds["data"][0]["id"].as_str())
                .map(str::to_owned)
        });
        for (id_of, held) in [("down", "1"), ("up", "4")] {
            let body = json!({ "id": id_of, "held": held });
            self.operate(&format!("/charges/{id}/adjust"), &body).unwrap();
        }
        assert_eq!(running.join().unwrap(), 200);
    }

    /// Every verb at least once, with what it may meet.
    pub(super) fn every_verb(&mut self) {
        let ends = self.now().plus_ms(3 * 3_600_000).to_string();
        let bonus = json!({ "amount": "6", "expires_at": ends });
        let paid = json!({ "amount": "9.99", "currency": "USD" });
        let bought = self.grant(0, 40, &json!({ "paid": paid, "bonus": bonus }));
        let gift = self.grant(
            0,
            15,
            &json!({ "class": "goodwill", "expires_at": ends, "only": ["images"] }),
        );
        assert_eq!((self.images(0, 2, ""), self.chat(0, 5)), (200, 200));
        assert!(self.refund(0, "1.5") && self.refund(0, "0.5"));
        assert_eq!(self.images(0, 1, "fail"), 500);
        self.adjust(0);
        // 20 are held, 45 are due: what is there is drawn, the rest is owed up to the hold.
        self.grant(1, 16, &json!({}));
        assert_eq!(self.chat(1, 45), 200);
        let over_run = self.proxy.settled("acct_b");
        assert_ne!(over_run["debt"], "0", "{over_run}");
        let repays = self.grant(1, 30, &json!({}));
        assert!(self.act(("acct_a", &gift), "freeze") && self.act(("acct_a", &gift), "thaw"));
        self.pass("4h");
        assert_eq!(self.images(0, 1, ""), 200);
        assert!(self.act(("acct_a", &bought), "refund"));
        assert!(self.act(("acct_b", &repays), "reverse"));
        let wrong = self.grant(2, 5, &json!({ "class": "goodwill" }));
        assert!(self.act(("acct_c", &wrong), "void"));
        let old = self.grant(2, 5, &json!({}));
        // What a client sees of an answer that breaks off is the transport's matter.
        let bearer = format!("Bearer {}", self.keys[2]);
        let headers = [("authorization", bearer.as_str()), ("x-sample", "cut")];
        let body = json!({ "n": 2, "serial": 2 }).to_string();
        drop(ask(self.proxy.data, "POST", "/v1/images/generations", &headers, &body));
        self.pass("25h");
        assert!(self.act(("acct_c", &old), "expire"));
        assert_eq!(self.images(2, 1, ""), 200);
        // Nobody touches this one again.
        let ends = self.now().plus_ms(3_600_000).to_string();
        self.grant(0, 5, &json!({ "expires_at": ends }));
        self.pass("50h");
        assert_eq!(self.images(2, 1, ""), 200);
        // Free credits cover what is missing.
        self.proxy.operator("PATCH", "/accounts/acct_c", &json!({ "person": "ada" }));
        assert_eq!(self.images(2, 9, ""), 200);
    }

    pub(super) fn random_step(&mut self) {
        let at = self.place(ACCOUNTS.len());
        match self.below(16) {
            0..=1 => {
                let ends = self.now().plus_ms(1 + self.below(90 * 3_600_000)).to_string();
                let more = match self.below(4) {
                    0 => json!({}),
                    1 => json!({ "expires_at": ends }),
                    2 => json!({ "class": "bonus", "expires_at": ends, "only": ["chat"] }),
                    _ => {
                        json!({ "bonus": { "amount": "3" }, "paid": { "amount": "5", "currency": "EUR" } })
                    }
                };
                let amount = 1 + self.below(25);
                self.grant(at, amount, &more);
            }
            2..=5 => {
                let tokens = self.below(40);
                self.chat(at, tokens);
            }
            6..=8 => {
                let (n, told) = (1 + self.below(5), ["", "", "fail", "block"][self.place(4)]);
                self.images(at, n, told);
            }
            9..=10 => {
                let amount = format!("0.{}", 1 + self.below(9));
                self.refund(at, &amount);
            }
            11..=13 if !self.grants.is_empty() => {
                let (account, grant) = self.grants[self.place(self.grants.len())].clone();
                let how = ["void", "refund", "reverse", "expire", "freeze", "thaw", "thaw"]
                    [self.place(7)];
                self.act((account, &grant), how);
            }
            14 => self.pass(&format!("{}m", 1 + self.below(1_500))),
            _ => {}
        }
    }

    pub(super) fn cli(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(BIN)
            .args(args)
            .current_dir(self.site.folder.path())
            .env("TOLLGATE_ADMIN_URL", format!("http://{}", self.proxy.admin))
            .env("TOLLGATE_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The audit of a folder as JSON, and the exit code.
    pub(super) fn rebuilt(&self, folder: &str, more: &[&str]) -> (i32, Value) {
        let args = [&["audit", "--rebuild", folder, "-o", "json"], more].concat();
        let (code, out, err) = self.cli(&args);
        (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{args:?} {out} {err}")))
    }

    /// Waits until all is exported, and everything holds.
    #[track_caller]
    pub(super) fn holds(&self, more: &[&str]) -> Value {
        let found = eventually("all is exported", || {
            let (code, found) = self.rebuilt(STREAM, more);
            assert_eq!((code, &found["breaches"]), (0, &json!([])), "{found:#}");
            (found["rebuild"]["waiting"] == 0).then_some(found)
        });
        assert_eq!(found["rebuild"]["compared"], ACCOUNTS.len());
        let totals = found["rebuild"]["totals"].as_array().unwrap();
        assert!(totals.len() == 2 && totals[0]["in"] == "ledger" && totals[1]["in"] == "files");
        for column in ["granted", "available_and_held", "spent", "expired", "voided"] {
            assert_eq!(totals[0][column], totals[1][column]);
        }
        found
    }

    pub(super) fn stream(&self) -> PathBuf {
        self.site.folder.path().join(STREAM)
    }
}
