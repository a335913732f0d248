//! A ledger for tests, whose clock operators set forward; others, whose clock nobody sets.

use serde_json::{Value, json};

use super::processes::{Proxy, Site};
use super::redis_server::RedisServer;

const DAILY: &str = "  studio: { allowances: [{ name: daily, amount: 3, every: day }] }";

/// A site whose store is this, and whose plan has a daily allowance.
fn site(store: &str) -> Site {
    let site = Site::new();
    let yaml = std::fs::read_to_string(site.config()).unwrap();
    let yaml = yaml
        .replace("store: { embedded: { path: data, lease: 1s } }", store)
        .replace("plans: { studio: {} }", &format!("plans:\n{DAILY}"));
    std::fs::write(site.config(), yaml).unwrap();
    site
}

const TESTS: &str = "store: { embedded: { path: data, lease: 1s, test_clock: true } }";
const MONEY: &str = "store: { embedded: { path: data, lease: 1s } }";

fn periods(proxy: &Proxy) -> Vec<String> {
    let grants = proxy.operator("GET", "/accounts/acct_a/grants", &Value::Null);
    let all = grants["data"].as_array().unwrap();
    all.iter().map(|grant| grant["id"].as_str().unwrap().to_owned()).collect()
}

fn spend(proxy: &Proxy, secret: &str) {
    let bearer = format!("Bearer {secret}");
    let body = json!({ "n": 1, "serial": 0 }).to_string();
    let headers = [("authorization", bearer.as_str())];
    let reply =
        super::processes::ask(proxy.data, "POST", "/v1/images/generations", &headers, &body);
    assert_eq!(reply.unwrap().status, 200);
}

fn a_day_passes(site: &Site) {
    let proxy = site.start();
    let secret = proxy.account("acct_a", 0);
    spend(&proxy, &secret);
    let first = periods(&proxy);
    assert_eq!(first.len(), 1);
    let before = proxy.operator("GET", "/test_clock", &Value::Null);
    let after = proxy.operator("POST", "/test_clock/advance", &json!({ "by": "24h" }));
    assert!(after["now"].as_str().unwrap() > before["now"].as_str().unwrap());
    spend(&proxy, &secret);
    let second = periods(&proxy);
    assert!(second.len() >= 2 && second[0] != first[0], "{first:?} {second:?}");
    proxy.stop();
    // A restart does not turn time back.
    let proxy = site.start();
    let again = proxy.operator("GET", "/test_clock", &Value::Null);
    assert!(again["now"].as_str().unwrap() >= after["now"].as_str().unwrap());
    spend(&proxy, &secret);
    proxy.stop();
}

#[test]
fn a_day_passes_when_an_owner_says_so() {
    let site = site(TESTS);
    a_day_passes(&site);
    // What was made for tests is not served as money, nor the other way round.
    std::fs::write(site.config(), yaml_with(&site, TESTS, MONEY)).unwrap();
    assert!(refusal(&site).contains("the ledger was made for tests"));
}

fn yaml_with(site: &Site, old: &str, new: &str) -> String {
    std::fs::read_to_string(site.config()).unwrap().replace(old, new)
}

fn refusal(site: &Site) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["serve", "--config"]).arg(site.config());
    match Proxy::perhaps(&mut command) {
        Ok(_) => panic!("it is served"),
        Err(ended) => ended.told(),
    }
}

#[test]
fn the_clock_of_money_is_nobodys_to_set() {
    let site = site(MONEY);
    let proxy = site.start();
    let bearer = format!("Bearer {}", super::processes::TOKEN);
    let headers = [("authorization", bearer.as_str())];
    let path = "/admin/v1/test_clock/advance";
    let reply = super::processes::ask(proxy.admin, "POST", path, &headers, r#"{"by":"1h"}"#);
    let reply = reply.unwrap();
    assert_eq!((reply.status, &reply.json()["code"]), (409, &json!("no_test_clock")));
    proxy.stop();
    std::fs::write(site.config(), yaml_with(&site, MONEY, TESTS)).unwrap();
    assert!(refusal(&site).contains("the ledger is not for tests"));
}

#[test]
fn in_redis_too() {
    for for_tests in [true, false] {
        let server = RedisServer::start(&[]);
        let url = format!("redis://127.0.0.1:{}", server.port());
        let store = format!(
            "store: {{ redis: {{ url: \"{url}\", state: data, lease: 1s, test_clock: true }} }}"
        );
        let site = site(&store);
        super::ledger_redis::create(&server, for_tests);
        if for_tests {
            a_day_passes(&site);
        } else {
            assert!(refusal(&site).contains("the ledger is not for tests"));
        }
    }
}
