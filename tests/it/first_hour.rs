//! The first hour of a new operator: what goes wrong, and what is said then; then what goes right.

use std::process::Command;

use serde_json::Value;

use super::crash::{IMAGES, body, headers};
use super::processes::{BIN, Process, Proxy, Reply, Site, TOKEN, ask};

/// Runs a command to its end: code, output, errors.
fn tollgate(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(BIN);
    command.args(args).env_remove("TOLLGATE_ADMIN_TOKEN").env_remove("TOLLGATE_ADMIN_URL");
    let mut process = Process::start(command.envs(env.iter().copied()));
    let code = process.wait();
    (code, process.printed(), process.told())
}

/// An operator at a terminal, who knows where the server is.
struct Terminal {
    url: String,
}

impl Terminal {
    fn at(proxy: &Proxy) -> Self {
        Self { url: format!("http://{}", proxy.admin) }
    }

    fn run(&self, line: &str) -> (Option<i32>, String, String) {
        let args: Vec<&str> = line.split(' ').collect();
        let env = [("TOLLGATE_ADMIN_URL", self.url.as_str()), ("TOLLGATE_ADMIN_TOKEN", TOKEN)];
        tollgate(&args, &env)
    }

    #[track_caller]
    fn table(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
        println!("$ tollgate {line}\n{out}\n");
        out
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let (code, out, err) = self.run(&format!("{line} -o json"));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
        serde_json::from_str(&out).unwrap()
    }

    #[track_caller]
    fn fails(&self, line: &str, code: i32, told: &str) {
        let (got, out, err) = self.run(line);
        assert_eq!(got, Some(code), "{line}: {err}");
        assert!(err.contains(told) && out.is_empty(), "{line}: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

/// What `serve` says when it cannot.
#[track_caller]
fn cannot_serve(config: &std::path::Path, code: i32, told: &[&str]) {
    let (got, out, err) = tollgate(&["serve", "--config", config.to_str().unwrap()], &[]);
    assert_eq!((got, out.as_str()), (Some(code), ""), "{err}");
    for told in told {
        assert!(err.contains(told), "{told:?} is not in: {err}");
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let site = Site::new();
    let file = |name: &str, text: &str| {
        let path = site.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = std::fs::read_to_string(site.config()).unwrap();
    // No file; no YAML; a slip of the pen, with its place; all of a file's problems at once.
    cannot_serve(&site.folder.path().join("none.yaml"), 78, &["none.yaml", "cannot be read"]);
    cannot_serve(site.folder.path(), 78, &["cannot be read", "directory"]);
    cannot_serve(&file("not.yaml", "listen: [127"), 78, &["not.yaml:1:"]);
    let slip = good
        .replace("on_unknown: charge", "on_unkown: charge")
        .replace("per_address", "peraddress");
    let told =
        ["did you mean `on_unknown`?", "did you mean `per_address`?", "slip.yaml:", "errors"];
    cannot_serve(&file("slip.yaml", &slip), 78, &told);
    // A secret that is not there is named, and its place.
    let secret = good.replace("{ file: admin-token }", "{ env: TOLLGATE_NO_SUCH_TOKEN }");
    cannot_serve(&file("secret.yaml", &secret), 78, &["`TOLLGATE_NO_SUCH_TOKEN` is not set"]);
    let secret = good.replace("{ file: admin-token }", "{ file: no-such-file }");
    cannot_serve(&file("secret.yaml", &secret), 78, &["no-such-file"]);
    // A folder that cannot be made, a ledger that is none.
    let folder = good.replace("path: data", "path: admin-token");
    let told = ["the ledger's folder", "admin-token", "cannot be made", "`store`"];
    cannot_serve(&file("folder.yaml", &folder), 1, &told);
    std::fs::create_dir(site.data()).unwrap();
    std::fs::write(site.data().join("ledger.redb"), "not a ledger").unwrap();
    cannot_serve(&site.config(), 1, &["ledger.redb", "is it a ledger, whole and writable?"]);
    std::fs::remove_file(site.data().join("ledger.redb")).unwrap();
    // An address in use: the clients' and the operators'.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let listen = good.replacen("listen: 127.0.0.1:0", &format!("listen: {addr}"), 1);
    let told = format!("cannot listen on {addr}: Address already in use");
    cannot_serve(&file("listen.yaml", &listen), 1, &[&told]);
    let admin = good.replace("admin: { listen: 127.0.0.1:0", &format!("admin: {{ listen: {addr}"));
    cannot_serve(&file("admin.yaml", &admin), 1, &[&told]);
}

#[test]
fn check_and_schema_need_no_server() {
    let site = Site::new();
    let config = site.config();
    let config = config.to_str().unwrap();
    let (code, out, err) = tollgate(&["check", config], &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("ok, 3 routes, 1 plan, revision rev_"), "{out}");
    assert!(err.contains("warning[short_reconcile]"), "{err}");
    assert_eq!(tollgate(&["check", config, "--deny-warnings"], &[]).0, Some(1));
    let (code, out, _) = tollgate(&["schema"], &[]);
    assert_eq!(code, Some(0));
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["title"], "Tollgate");
    assert!(!site.data().exists(), "neither makes a ledger");
}

#[test]
fn commands_without_a_server_or_a_token_say_what_to_do() {
    let site = Site::new();
    let proxy = site.start();
    let terminal = Terminal::at(&proxy);
    let url = terminal.url.as_str();
    let env = [("TOLLGATE_ADMIN_URL", url), ("TOLLGATE_ADMIN_TOKEN", "not-the-operators-token")];
    let (code, _, err) = tollgate(&["account", "list"], &env);
    assert_eq!(code, Some(78));
    assert!(err.contains("TOLLGATE_ADMIN_TOKEN or --token-file is not the server's"), "{err}");
    assert!(!err.contains("not-the-operators-token"));
    // The clients' listener is not the operators': said, not guessed.
    let data = format!("http://{}", proxy.data);
    let env = [("TOLLGATE_ADMIN_URL", data.as_str()), ("TOLLGATE_ADMIN_TOKEN", TOKEN)];
    let (code, _, err) = tollgate(&["account", "list"], &env);
    assert_eq!(code, Some(1), "{err}");
    proxy.stop();
    terminal.fails("account list", 75, "is `tollgate serve` running?");
    terminal.fails("health", 75, "no server at");
}

/// What the client was told finds the charge: both of its ids are one.
fn both_ids_find_it(terminal: &Terminal, reply: &Reply) {
    let header = |name: &str| {
        let line = reply.head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {}", reply.head)).to_owned()
    };
    let (request, charge) = (header("request-id: "), header("credits-charge-id: "));
    assert_eq!(request.replace("req_", "chg_"), charge);
    let found = terminal.json(&format!("charge show {request}"));
    assert_eq!((&found["id"], &found["request"]["id"]), (&charge.into(), &request.into()));
    assert!(terminal.table("hold list").contains("INSTANCE"));
}

#[test]
fn from_an_account_to_a_receipt_at_a_terminal() {
    let site = Site::new();
    let proxy = site.start();
    let terminal = Terminal::at(&proxy);
    assert_eq!(terminal.table("health"), "ready");
    terminal
        .table("account create acct_maria --plan studio --zone America/Sao_Paulo --label Maria");
    terminal.fails("account create acct_maria --plan studio", 1, "in use with another content");
    terminal.fails("account create acct_joao --plan gold", 1, "There are: studio.");
    terminal.fails("account show acct_nobody", 1, "no such account");
    terminal.fails("account change acct_maria", 2, "nothing to change: give --plan");
    let listed = terminal.table("account list");
    assert!(listed.lines().next().unwrap().starts_with("ID          STATUS  PLAN"), "{listed}");
    let made = terminal.json("key create acct_maria --label laptop");
    let (key, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let listed = terminal.table("key list acct_maria");
    assert!(listed.contains(key) && !listed.contains(secret), "{listed}");
    let bearer = format!("Bearer {secret}");
    let ask_for = |serial| {
        ask(proxy.data, "POST", IMAGES, &headers(&bearer, ""), &body(serial, false)).unwrap()
    };

    // Without credits, with them, with a key that is wrong.
    let refused = ask_for(1);
    assert_eq!((refused.status, &refused.json()["code"]), (402, &"insufficient_credits".into()));
    terminal.table("grant create acct_maria 100 --id pay_1 --reason order");
    terminal.table("grant create acct_maria 100 --id pay_1 --reason order");
    terminal.fails("grant create acct_maria 5 --id pay_1 --reason order", 1, "another content");
    terminal.fails("grant create acct_maria 0 --id pay_2 --reason order", 1, "above zero");
    let done = ask_for(2);
    assert_eq!(done.status, 200);
    proxy.settled("acct_maria");
    both_ids_find_it(&terminal, &done);
    let own = ask(proxy.data, "GET", "/_credits/v1/usage", &[("authorization", &bearer)], "");
    assert_eq!(own.unwrap().json()["totals"][0]["settled"], 1);
    assert!(terminal.table("usage acct_maria --period month").contains("images"));
    let wrong =
        ask(proxy.data, "POST", IMAGES, &headers("Bearer tk_x", ""), &body(3, false)).unwrap();
    assert_eq!((wrong.status, &wrong.json()["code"]), (401, &"invalid_key".into()));
    assert!(wrong.json()["detail"].as_str().unwrap().contains("Authorization: Bearer tk_"));

    let balance = terminal.table("balance acct_maria");
    assert!(balance.contains("credits  97.999998     0  97.999998"), "{balance}");
    let charges = terminal.json("charge list acct_maria");
    let charge = charges["data"][0]["id"].as_str().unwrap();
    assert_eq!(charges["data"].as_array().unwrap().len(), 1);
    let listed = terminal.table("charge list acct_maria");
    assert!(listed.contains(charge) && listed.contains("2.000002"), "{listed}");
    let receipt = terminal.table(&format!("charge show {charge}"));
    for told in ["2.000002 was held and 2.000002 was charged. The work was done.", "n 2", "settled"]
    {
        assert!(receipt.contains(told), "{told:?} is not in: {receipt}");
    }
    assert!(!receipt.contains('{') && !receipt.contains('['), "{receipt}");
    assert_eq!(terminal.json(&format!("charge show {charge}"))["charged"], "2.000002");

    terminal.table("account change acct_maria --status suspended");
    let refused = ask_for(4);
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"account_suspended".into()));
    terminal.table("account change acct_maria --status active");
    assert_eq!(ask_for(5).status, 200);
    let revoked = terminal.table(&format!("key revoke {key}"));
    assert!(revoked.contains("revoked"), "{revoked}");
    assert_eq!(ask_for(6).status, 401);
    assert_eq!(terminal.json("account show acct_maria")["label"], "Maria");
    proxy.stop();
    let nonces = site.upstream.units().into_iter().filter_map(|unit| unit.nonce);
    assert_eq!(nonces.collect::<Vec<_>>(), ["2", "5"]);
}

#[test]
fn operators_get_roles_and_names() {
    let site = Site::new();
    let create = |name: &str, role: &str| -> (String, String) {
        let args = ["token", "create", "--name", name, "--role", role, "-o", "json"];
        let made: Value = serde_json::from_str(&tollgate(&args, &[]).1).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("token"), text("line"))
    };
    let ((viewer, first), (support, second)) =
        (create("prometheus", "viewer"), create("sam", "support"));
    let config = std::fs::read_to_string(site.config()).unwrap();
    let admin = config.lines().find(|line| line.starts_with("admin:")).unwrap();
    let own = format!(
        "admin:\n  listen: 127.0.0.1:0\n  hosts: [tollgate.internal]\n  tokens:\n    {first}\n    {second}"
    );
    std::fs::write(site.config(), config.replace(admin, &own)).unwrap();
    let proxy = site.start();
    let get = |token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        ask(proxy.admin, "GET", path, &[("authorization", &bearer)], "").unwrap().status
    };
    assert_eq!((get(&viewer, "/metrics"), get(&support, "/admin/v1/accounts")), (200, 200));
    // Without `admin.token` there is no owner, and none by default.
    assert_eq!((get(TOKEN, "/metrics"), get("", "/metrics")), (401, 401));
    let url = format!("http://{}", proxy.admin);
    let env = [("TOLLGATE_ADMIN_URL", url.as_str()), ("TOLLGATE_ADMIN_TOKEN", support.as_str())];
    let (code, _, err) = tollgate(&["account", "create", "--plan", "studio"], &env);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("Your role is support; this needs the role owner. [forbidden_role]"),
        "{err}"
    );
    let told = proxy.process.told();
    let line = told.lines().find(|line| line.contains("\"message\":\"operator\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["operator"], &line["status"]), (&"sam".into(), &403.into()));
    assert!(!told.contains(&support) && !told.contains(&viewer));
    proxy.stop();
}

#[test]
fn a_dead_upstream_is_told_to_both_sides() {
    let site = Site::new();
    let config = std::fs::read_to_string(site.config()).unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = config.replace(&site.upstream.addr.to_string(), &nobody.to_string());
    std::fs::write(site.config(), config).unwrap();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    let reply = ask(proxy.data, "POST", IMAGES, &headers(&bearer, ""), &body(1, false)).unwrap();
    assert_eq!((reply.status, &reply.json()["hold"]), (502, &"released".into()));
    let charge = proxy.settled("acct_a");
    assert_eq!(charge["status"], "released");
    let events = charge["timeline"].as_array().unwrap().iter().map(|event| &event["event"]);
    // The receipt does not say that anything was forwarded.
    assert_eq!(events.collect::<Vec<_>>(), ["reserved", "released"]);
    assert!(proxy.process.told().contains("Connection refused"));
    proxy.stop();
}
