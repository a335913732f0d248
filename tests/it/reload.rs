//! Reload, by a signal and by an operator's call: new requests meet the new configuration, running ones keep
//! theirs, and a configuration that cannot come into force changes nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::processes::{BIN, Proxy, Reply, Site, TOKEN, YAML, answer, ask, eventually, send};
use super::wire::{Ask, Wire};

const DUBBING: &str = "/v1/dubbing";

/// A site whose dubbing costs `rate`, and what else is to differ.
fn priced(site: &Site, rate: u64, changes: &[(&str, &str)]) {
    let mut yaml = YAML.replace("UPSTREAM", &site.upstream.addr.to_string()).replace("MORE", "");
    yaml = yaml.replace("label: Dubbing, rate: 10", &format!("label: Dubbing, rate: {rate}"));
    for (old, new) in changes {
        assert!(yaml.contains(old), "{old}");
        yaml = yaml.replace(old, new);
    }
    std::fs::write(site.config(), yaml).unwrap();
}

fn revision(proxy: &Proxy) -> String {
    let config = proxy.operator("GET", "/config", &Value::Null);
    config["revision"].as_str().unwrap().to_owned()
}

/// Asks for a reload by the operators' API, whatever comes of it.
fn reload(proxy: &Proxy) -> Reply {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    ask(proxy.admin, "POST", "/admin/v1/config/reload", &headers, "{}").unwrap()
}

fn work(serial: u64) -> Value {
    json!({ "serial": serial, "seconds": 1 })
}

fn hang_up_until_changed(proxy: &Proxy, before: &str) -> String {
    proxy.process.signal(Signal::HUP);
    eventually("another revision is in force", || Some(revision(proxy)).filter(|now| now != before))
}

/// Runs a command of the operators': code, output, errors.
fn command(proxy: &Proxy, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(BIN);
    command.args(words).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
    let output = command.env("TOLLGATE_ADMIN_URL", format!("http://{}", proxy.admin)).output();
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn running_requests_keep_their_price_and_new_ones_meet_the_new_one() {
    let site = Site::new();
    let proxy = site.start();
    let key = format!("Bearer {}", proxy.account("acct_a", 1_000));
    let before = revision(&proxy);
    // A connection that lives through it, and a request that does.
    let mut wire = Wire::open(proxy.data);
    let first = Ask::new("POST", DUBBING).header("authorization", &key).json(&work(1));
    let first = wire.ask(&first).ok().charge();
    let headers = [("authorization", key.as_str()), ("x-sample", "hang=1.5")];
    let running = send(proxy.data, "POST", DUBBING, &headers, &work(2).to_string()).unwrap();
    eventually("it runs", || (site.upstream.state()["running"] == 1).then_some(()));
    priced(&site, 20, &[]);
    let after = hang_up_until_changed(&proxy, &before);
    let third = Ask::new("POST", DUBBING).header("authorization", &key).json(&work(3));
    let third = wire.ask(&third).ok().charge();
    assert_eq!(site.upstream.state()["running"], 1, "it still runs");
    let second = answer(running).unwrap();
    assert_eq!(second.status, 200, "{}", second.body);
    proxy.settled("acct_a");
    let charges = proxy.operator("GET", "/accounts/acct_a/charges", &Value::Null);
    let mut seen = BTreeMap::new();
    for charge in charges["data"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let made = (text(&charge["id"]), text(&charge["decision"]["revision"]));
        seen.insert(text(&charge["charged"]), made);
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["10.000001", "10.000002", "20.000003"]);
    assert_eq!(seen["10.000001"], (first, before.clone()));
    assert_eq!(seen["10.000002"].1, before);
    assert_eq!(seen["20.000003"], (third, after.clone()));
    let metrics =
        ask(proxy.admin, "GET", "/metrics", &[("authorization", &format!("Bearer {TOKEN}"))], "");
    let metrics = metrics.unwrap().body;
    assert!(metrics.contains(&format!("revision=\"{after}\"")), "{metrics}");
    let forwarded = "tollgate_decisions_total{route=\"dubbing\",code=\"forwarded\"} 3";
    assert!(metrics.contains(forwarded), "counters go on: {metrics}");
    proxy.stop();
}

#[test]
fn a_wrong_file_changes_nothing_and_says_so() {
    let site = Site::new();
    let proxy = site.start();
    let key = proxy.account("acct_a", 100);
    let before = revision(&proxy);
    let dub = |serial| {
        let headers = [("authorization", format!("Bearer {key}"))];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(proxy.data, "POST", DUBBING, &headers, &work(serial).to_string()).unwrap().status
    };
    priced(&site, 20, &[("on_unknown: charge", "on_unknwon: charge")]);
    let told = reload(&proxy);
    assert_eq!(told.status, 422, "{}", told.body);
    let told = told.json();
    assert_eq!(told["code"], "invalid_configuration");
    let problems = told["problems"].as_array().unwrap();
    let named = problems.iter().find(|problem| problem["code"] == "unknown_name").unwrap();
    assert!(named["line"].as_u64().unwrap() > 30 && named["message"].is_string(), "{told}");
    // A price is only as good as its whole file, and no file at all is no configuration.
    proxy.process.signal(Signal::HUP);
    eventually("the log tells", || {
        proxy.process.told().contains("not reloaded: the old configuration stays").then_some(())
    });
    std::fs::remove_file(site.config()).unwrap();
    assert_eq!(reload(&proxy).status, 422);
    assert_eq!(revision(&proxy), before);
    assert_eq!(dub(7), 200);
    assert_eq!(proxy.settled("acct_a")["charged"], "10.000007");
    // The command says which line, as well.
    priced(&site, 20, &[("on_unknown: charge", "on_unknwon: charge")]);
    let (code, _, err) = command(&proxy, &["config", "reload"]);
    assert!(code == Some(1) && err.contains("on_unknwon") && err.contains("line "), "{err}");
    // Mended, it is taken.
    priced(&site, 20, &[]);
    let (code, out, err) = command(&proxy, &["config", "reload"]);
    assert!(code == Some(0) && out.contains("true"), "{out}{err}");
    let told = reload(&proxy);
    assert_eq!((told.status, &told.json()["changed"]), (200, &json!(false)), "{}", told.body);
    assert_eq!(dub(8), 200);
    assert_eq!(proxy.settled("acct_a")["charged"], "20.000008");
    proxy.stop();
}

#[test]
fn what_only_a_restart_can_change_is_named_and_nothing_changes() {
    let site = Site::new();
    let proxy = site.start();
    let before = revision(&proxy);
    let secret = "secret: { file: token-secret }";
    let issuer = format!(
        "issuers: {{ main: {{ issuer: us, audience: [us], algorithms: [HS256], {secret}, claims: {{ account: /sub }} }} }}\n"
    );
    std::fs::write(site.folder.path().join("token-secret"), "s".repeat(64)).unwrap();
    let table = [
        ("\nlisten: 127.0.0.1:0", "\nlisten: 127.0.0.2:0", "listen"),
        ("path: data", "path: other", "store"),
        ("lease: 1s", "lease: 2s", "store"),
        ("listen: 127.0.0.1:0, token", "listen: 127.0.0.2:0, token", "admin.listen"),
        ("plans:", "cores: 7\nplans:", "cores"),
        ("plans:", "limits: { exchanges: 9 }\nplans:", "limits.exchanges"),
        ("plans:", "proxy_protocol: { from: [10.0.0.0/8] }\nplans:", "proxy_protocol"),
        ("plans:", &format!("{issuer}plans:"), "issuers"),
    ];
    for (old, new, name) in table {
        priced(&site, 20, &[(old, new)]);
        let told = reload(&proxy);
        assert_eq!((told.status, &told.json()["code"]), (409, &json!("restart_needed")), "{name}");
        assert!(told.json()["detail"].as_str().unwrap().contains(name), "{}", told.body);
    }
    assert_eq!(revision(&proxy), before);
    // A certificate file that cannot be read fits no core.
    let broken = [("    timeouts:", "    ca_file: nowhere.pem\n    timeouts:")];
    priced(&site, 20, &broken);
    assert_eq!(reload(&proxy).status, 422);
    assert_eq!(revision(&proxy), before);
    proxy.stop();
}

#[test]
fn an_operators_new_token_counts_and_the_old_one_no_more() {
    let site = Site::new();
    let proxy = site.start();
    std::fs::write(site.folder.path().join("admin-token"), "another-operators-token").unwrap();
    assert_eq!(reload(&proxy).status, 200);
    assert_eq!(reload(&proxy).status, 401);
    let bearer = [("authorization", "Bearer another-operators-token")];
    let seen = ask(proxy.admin, "GET", "/admin/v1/config", &bearer, "").unwrap();
    assert_eq!(seen.status, 200);
    proxy.stop();
}

#[test]
fn no_request_fails_while_prices_change_and_each_is_charged_by_its_revision() {
    const CLIENTS: u64 = 4;
    const ROUNDS: u64 = 12;
    let site = Site::new();
    let proxy = site.start();
    let key = format!("Bearer {}", proxy.account("acct_a", 1_000_000));
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut rates = BTreeMap::from([(revision(&proxy), 10)]);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut wire = Wire::open(proxy.data);
                while !over.load(Ordering::SeqCst) {
                    let serial = sent.fetch_add(1, Ordering::SeqCst);
                    let ask = Ask::new("POST", DUBBING).header("authorization", &key);
                    assert_eq!(wire.ask(&ask.json(&work(serial % 1_000_000))).status, 200);
                }
            });
        }
        for round in 0..ROUNDS {
            let rate = 11 + round;
            priced(&site, rate, &[]);
            assert_eq!(reload(&proxy).status, 200);
            rates.insert(revision(&proxy), rate);
            let seen = sent.load(Ordering::SeqCst);
            eventually("requests come", || (sent.load(Ordering::SeqCst) > seen + 8).then_some(()));
        }
        over.store(true, Ordering::SeqCst);
    });
    proxy.settled("acct_a");
    let (mut after, mut counted) = (String::new(), 0);
    loop {
        let path = format!("/accounts/acct_a/charges?limit=100{after}");
        let page = proxy.operator("GET", &path, &Value::Null);
        for charge in page["data"].as_array().unwrap() {
            let whole: u64 =
                charge["charged"].as_str().unwrap().split('.').next().unwrap().parse().unwrap();
            assert_eq!(
                Some(&whole),
                rates.get(charge["decision"]["revision"].as_str().unwrap()),
                "{charge}"
            );
            counted += 1;
            after = format!("&starting_after={}", charge["id"].as_str().unwrap());
        }
        if page["has_more"] == json!(false) {
            break;
        }
    }
    let sent = sent.load(Ordering::SeqCst);
    assert_eq!((counted, rates.len()), (sent, 1 + usize::try_from(ROUNDS).unwrap()));
    assert!(sent >= CLIENTS * ROUNDS, "{sent}");
    proxy.stop();
}
