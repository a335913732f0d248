//! A whole instance whose ledger goes back: it says so, and holds to what the ledger says now.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::loss::Servers;
use crate::ledger_redis::make;
use crate::processes::{BIN, Proxy, TOKEN, ask, eventually};
use crate::redis_server::sentinels::{Sentinels, WATCHED};

const MORE: &str = "\
admin: { listen: 127.0.0.1:0, token: { env: TOLLGATE_ADMIN_TOKEN } }
cores: 1
upstreams: { generator: { url: http://127.0.0.1:9000 } }
plans: { studio: {}, barred: { routes: [other] } }
prices:
  image: { lines: [{ label: Image, rate: 5 }] }
routes:
  - { name: image, match: POST /v1/images, upstream: generator, price: image, on_unknown: release }
  - { name: other, match: POST /v1/others, upstream: generator, price: image, on_unknown: release }
";

/// An instance where Sentinels watch.
struct Instance {
    proxy: Proxy,
    servers: Servers,
    file: PathBuf,
    _folder: TempDir,
}

impl Instance {
    fn start() -> Self {
        let all = Sentinels::start();
        let hosts: Vec<_> = all.ports().iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let folder = tempfile::tempdir().unwrap();
        let (hosts, here) = (hosts.join(", "), folder.path().display());
        let sentinel = format!("sentinel: {{ addresses: [{hosts}], name: {WATCHED} }}");
        let store = format!("store: {{ redis: {{ {sentinel}, state: {here}/data }} }}");
        let file = folder.path().join("tollgate.yaml");
        std::fs::write(&file, format!("listen: 127.0.0.1:0\n{store}\n{MORE}")).unwrap();
        let servers = Servers::Sentinels(all);
        make(&servers.settings(), false);
        let mut command = Command::new(BIN);
        command.args(["serve", "--config"]).arg(&file).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
        Self { proxy: Proxy::by(&mut command), servers, file, _folder: folder }
    }

    fn ask(&self, path: &str) -> Option<String> {
        let bearer = format!("Bearer {TOKEN}");
        let reply = ask(self.proxy.admin, "GET", path, &[("authorization", &bearer)], "").ok()?;
        (reply.status == 200).then_some(reply.body)
    }

    fn setbacks(&self) -> String {
        let text = self.ask("/metrics").unwrap();
        let name = "tollgate_ledger_setbacks_total ";
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.expect("the metric is there")
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let address = format!("http://{}", self.proxy.admin);
        let mut command = Command::new(BIN);
        command.args(words).env("TOLLGATE_ADMIN_URL", address).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
        let Output { status, stdout, .. } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap())
    }

    /// The primary dies, and the instance has found the other.
    fn fail_over(&mut self, account: &str) {
        self.servers.fail_over();
        let path = format!("/admin/v1/accounts/{account}/balance");
        eventually("it answers again", || self.ask(&path));
    }

    fn change_plan(&self, account: &str, plan: &str) {
        self.proxy.operator("PATCH", &format!("/accounts/{account}"), &json!({ "plan": plan }));
    }

    /// What a quote for a request with this key decides.
    fn quote(&self, key: &str) -> &'static str {
        let bearer = format!("Bearer {key}");
        let head = [
            ("authorization", bearer.as_str()),
            ("prefer", "metering=quote"),
            ("content-type", "application/json"),
        ];
        let reply = ask(self.proxy.data, "POST", "/v1/images", &head, "{}").unwrap();
        match reply.body.as_str() {
            body if body.contains("route_not_in_plan") => "barred",
            body if body.contains("\"allow\"") => "allowed",
            body if body.contains("metering_unavailable") => "unavailable",
            body => panic!("{} {body}", reply.status),
        }
    }
}

#[test]
fn an_instance_tells_that_its_ledger_has_gone_back() {
    let mut all = Instance::start();
    all.proxy.account("acct_ana", 100);
    let audited = |all: &Instance| all.run(&["audit", "acct_ana"]);
    assert_eq!((all.setbacks().as_str(), audited(&all).0), ("0", Some(0)));
    all.servers.cut_off();
    let body = json!({ "id": "pay_lost", "amount": "50", "reason": "a test" });
    all.proxy.operator("POST", "/accounts/acct_ana/grants", &body);
    assert_eq!(all.proxy.balance("acct_ana").0, "150");
    all.fail_over("acct_ana");
    assert_eq!((all.proxy.balance("acct_ana").0.as_str(), all.setbacks().as_str()), ("100", "1"));
    for _ in 0..2 {
        all.proxy.operator("POST", "/accounts/acct_ana/grants", &body);
        assert_eq!(all.proxy.balance("acct_ana").0, "150");
    }
    let (code, said) = audited(&all);
    assert!(code == Some(1) && said.contains("I10") && said.contains("gone back"), "{said}");
    let told = all.proxy.process.told();
    let line = told.lines().find(|line| line.contains("ledger_went_back")).expect("it is logged");
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["level"], &line["account"]), (&json!("ERROR"), &json!("acct_ana")));
    let (_, said) = all.run(&["doctor", "--config", all.file.to_str().unwrap()]);
    assert!(said.contains("taken over from another primary"), "{said}");
    all.proxy.stop();
}

/// A change of an account is lost after a core has seen it: what the ledger says now is what binds, at once.
#[test]
fn a_change_that_is_lost_binds_no_core() {
    let mut all = Instance::start();
    let keys = ["acct_ana", "acct_bob"].map(|id| all.proxy.account(id, 100));
    let another = all.proxy.account("acct_cyd", 100);
    for id in ["acct_ana", "acct_bob"] {
        all.change_plan(id, "barred");
    }
    assert_eq!(keys.each_ref().map(|key| all.quote(key)), ["barred", "barred"]);
    all.servers.cut_off();
    for id in ["acct_ana", "acct_bob"] {
        all.change_plan(id, "studio");
    }
    assert_eq!(keys.each_ref().map(|key| all.quote(key)), ["allowed", "allowed"]);
    all.fail_over("acct_ana");
    eventually("the core's own way is back", || (all.quote(&another) == "allowed").then_some(()));
    // Another change of the same account has the lost one's version.
    all.proxy.operator("PATCH", "/accounts/acct_bob", &json!({ "label": "Bob" }));
    let plan = |id: &str| {
        let path = format!("/accounts/{id}");
        all.proxy.operator("GET", &path, &Value::Null)["plan"].as_str().unwrap().to_owned()
    };
    assert_eq!((plan("acct_ana"), plan("acct_bob")), ("barred".to_owned(), "barred".to_owned()));
    assert_eq!(keys.each_ref().map(|key| all.quote(key)), ["barred", "barred"]);
    all.proxy.stop();
}
