//! The clients' view: whose it is, what it says, what it never says.

use serde_json::{Value, json};
use tollgate::credit::Zone;
use tollgate::meter::{Place, gates};

use super::panes::{NOON, Panes, tiny};

#[test]
fn a_balance_adds_up_in_draw_order() {
    let panes = Panes::new();
    let (secret, key) = panes.account("acct_lea", "tiny");
    panes.give("acct_lea", "pay_1", "10");
    let body = json!({ "id": "late", "amount": "7", "reason": "r", "class": "bonus",
                       "effective_at": "2026-12-01T00:00:00Z" });
    panes.operator("POST", "/accounts/acct_lea/grants", Some(body)).ok();
    let tiny = tiny();
    let zone: Zone = "America/Sao_Paulo".parse().unwrap();
    let name = "images".parse().unwrap();
    let place = Place { member: None, key: Some(key.parse().unwrap()), routes: &[(&name, None)] };
    panes.hold(
        "acct_lea",
        &key,
        5,
        gates(&tiny, &panes.document("acct_lea"), &zone, NOON, &place).unwrap(),
    );

    let reply = panes.client(&secret, "GET", "/balance", "");
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert!(reply.headers.contains_key("request-id"));
    let balance = reply.ok();
    assert_eq!(balance["object"], "balance");
    assert_eq!(balance["as_of"], "2026-11-22T12:00:00.000Z");
    let credits = &balance["balances"][0];
    assert_eq!(credits["kind"], "credits");
    assert_eq!(credits["available"], "8");
    assert_eq!(credits["held"], "5");
    assert_eq!(credits["total"], "13");
    assert_eq!(credits["owed"], "0");
    let grants: Vec<(&str, &str, &str)> = credits["by_grant"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| {
            let text = |name: &str| grant[name].as_str().unwrap();
            (text("id"), text("available"), text("held"))
        })
        .collect();
    assert_eq!(grants, [("daily@2026-11-22", "0", "3"), ("pay_1", "8", "2")]);
    assert_eq!(credits["upcoming"][0]["id"], "late");
    assert_eq!(
        credits["next_refill"],
        json!({ "allowance": "daily", "amount": "3", "at": "2026-11-23T00:00:00-03:00",
                "time_zone": "America/Sao_Paulo" })
    );
    // Operators see the same.
    let theirs = panes.operator("GET", "/accounts/acct_lea/balance", None).ok();
    assert_eq!(theirs, balance);
}

#[test]
fn an_account_with_nothing_still_has_a_balance() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_maria", "studio");
    let balance = panes.client(&secret, "GET", "/balance", "").ok();
    assert_eq!(balance["balances"][0]["total"], "0");
    assert_eq!(balance["balances"][0]["next_refill"], Value::Null);
}

#[test]
fn limits_say_what_is_used_and_when_it_resets() {
    let panes = Panes::new();
    let (secret, key) = panes.account("acct_lea", "tiny");
    let tiny = tiny();
    let zone: Zone = "America/Sao_Paulo".parse().unwrap();
    let name = "images".parse().unwrap();
    let place = Place { member: None, key: Some(key.parse().unwrap()), routes: &[(&name, None)] };
    panes.hold(
        "acct_lea",
        &key,
        1,
        gates(&tiny, &panes.document("acct_lea"), &zone, NOON, &place).unwrap(),
    );
    let limits = panes.client(&secret, "GET", "/limits", "").ok();
    assert_eq!(
        limits["caps"],
        json!([{ "name": "two-a-day", "scope": "account", "measure": "requests", "kind": null,
                 "limit": "2", "base_limit": "2", "overrides": [], "used": "1", "remaining": "1", "period": "2026-11-22",
                 "starts_at": "2026-11-22T00:00:00-03:00",
                 "resets_at": "2026-11-23T00:00:00-03:00" }])
    );
    assert_eq!(
        limits["concurrency"],
        json!([{ "name": "one-at-a-time", "scope": "account", "limit": 1,
                 "base_limit": 1, "overrides": [], "in_use": 1, "remaining": 0 }])
    );
    assert_eq!(
        limits["rates"],
        json!([{ "name": "per-key", "scope": format!("key:{key}"), "requests": 60,
                 "per_ms": 60_000, "burst": 5 }])
    );
    // Operators see no key's own limits, since there may be many keys.
    let theirs = panes.operator("GET", "/accounts/acct_lea/limits", None).ok();
    assert_eq!(theirs["caps"], limits["caps"]);
    assert_eq!(theirs["rates"], json!([]));
}

#[test]
fn a_day_later_the_counters_are_new() {
    let panes = Panes::new();
    let (secret, key) = panes.account("acct_lea", "tiny");
    let tiny = tiny();
    let zone: Zone = "America/Sao_Paulo".parse().unwrap();
    let name = "images".parse().unwrap();
    let place = Place { member: None, key: Some(key.parse().unwrap()), routes: &[(&name, None)] };
    let charge = panes.hold(
        "acct_lea",
        &key,
        1,
        gates(&tiny, &panes.document("acct_lea"), &zone, NOON, &place).unwrap(),
    );
    panes.settle("acct_lea", charge, 1);
    panes.clock.advance(24 * 60 * 60 * 1_000);
    let limits = panes.client(&secret, "GET", "/limits", "").ok();
    assert_eq!(limits["caps"][0]["used"], "0");
    let balance = panes.client(&secret, "GET", "/balance", "").ok();
    assert_eq!(balance["balances"][0]["available"], "3");
    assert_eq!(balance["balances"][0]["by_grant"][0]["id"], "daily@2026-11-23");
}

#[test]
fn receipts_are_for_their_own_account() {
    let panes = Panes::new();
    let (maria, key) = panes.account("acct_maria", "studio");
    let (joao, _) = panes.account("acct_joao", "studio");
    panes.give("acct_maria", "pay_1", "100");
    let charges: Vec<_> = (0..3)
        .map(|_| {
            panes.clock.advance(10);
            let charge = panes.hold("acct_maria", &key, 10, Default::default());
            panes.settle("acct_maria", charge, 10);
            charge.to_string()
        })
        .collect();
    let path = format!("/charges/{}", charges[0]);
    assert_eq!(panes.client(&maria, "GET", &path, "").ok()["charged"], "10");
    let others = panes.client(&joao, "GET", &path, "");
    assert_eq!(others.problem(), (404, "unknown_charge"));
    let never = panes.client(&joao, "GET", "/charges/chg_00000000000000000000000000", "");
    assert_eq!(never.problem(), (404, "unknown_charge"));
    assert_eq!(panes.client(&joao, "GET", "/charges", "").ok()["data"], json!([]));

    let first = panes.client(&maria, "GET", "/charges?limit=2", "").ok();
    assert_eq!(first["data"][0]["id"], charges[2].as_str());
    let next = first["next"].as_str().unwrap();
    let second = panes.client(&maria, "GET", &format!("/charges?starting_after={next}"), "").ok();
    assert_eq!(second["data"][0]["id"], charges[0].as_str());
    assert_eq!(second["has_more"], false);
}

#[test]
fn one_answer_for_every_wrong_key() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_maria", "studio");
    let (other, _) = panes.account("acct_joao", "studio");
    // Maria's id with João's secret.
    let id = secret.rsplit_once('_').unwrap().0;
    let mixed = format!("{id}_{}", other.rsplit_once('_').unwrap().1);
    let answers: Vec<Value> = ["", "x", "tk_x_y", &mixed, &secret.to_uppercase()]
        .iter()
        .flat_map(|key| ["/balance", "/limits", "/charges", "/charges/chg_x"].map(|p| (*key, p)))
        .map(|(key, path)| {
            let reply = panes.client(key, "GET", path, "");
            assert_eq!(reply.problem(), (401, "invalid_key"), "{key} {path}");
            assert_eq!(reply.headers["content-type"], "application/json");
            assert_eq!(reply.headers["x-should-retry"], "false");
            let mut body = reply.body;
            body.as_object_mut().unwrap().remove("instance");
            body
        })
        .collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(panes.client("", "POST", "/quote", "{}").problem(), (401, "invalid_key"));
}

#[test]
fn who_may_not_spend_may_read() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_maria", "studio");
    panes.give("acct_maria", "pay_1", "1");
    for status in ["suspended", "closed"] {
        let change = Some(json!({ "status": status }));
        panes.operator("PATCH", "/accounts/acct_maria", change).ok();
        let balance = panes.client(&secret, "GET", "/balance", "").ok();
        assert_eq!(balance["balances"][0]["available"], "1", "{status}");
    }
}

#[test]
fn quotes_are_handed_on_byte_for_byte() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_maria", "studio");
    let ask =
        r#"{"method":"POST","path":"/v1/x?a=1","headers":{"X-Size":"big"},"body":{"n": 1.10}}"#;
    assert_eq!(panes.client(&secret, "POST", "/quote", ask).ok()["path"], "/v1/x?a=1");
    let asked = panes.quotes.0.lock().unwrap().pop().unwrap();
    assert_eq!(asked.method, "POST");
    assert_eq!(&asked.body[..], br#"{"n": 1.10}"#);
    assert_eq!(asked.headers["x-size"], "big");
    assert_eq!(asked.headers["content-type"], "application/json");
    for (wrong, param) in [
        (r#"{"path":"/v1/x"}"#, "method"),
        (r#"{"method":"POST","path":"v1/x"}"#, "path"),
        (r#"{"method":"POST","path":"/v1/x","colour":1}"#, "colour"),
        (r#"{"method":"POST","path":"/","headers":{"x-api-key":"tk_"}}"#, "headers"),
        (r#"{"method":"POST","path":"/","headers":{"Authorization":"x"}}"#, "headers"),
    ] {
        let reply = panes.client(&secret, "POST", "/quote", wrong);
        assert_eq!(reply.problem(), (400, "bad_request"), "{wrong}");
        assert_eq!(reply.body["param"], param, "{wrong} {}", reply.body);
    }
    assert!(panes.quotes.0.lock().unwrap().is_empty());
    let large = format!(r#"{{"body":"{}"}}"#, "x".repeat(1_100_000));
    assert_eq!(panes.client(&secret, "POST", "/quote", &large).problem(), (413, "too_large"));
}

#[test]
fn other_paths_methods_and_parameters_are_refused() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_maria", "studio");
    assert_eq!(panes.client(&secret, "GET", "/nothing", "").problem(), (404, "unknown_route"));
    let post = panes.client(&secret, "POST", "/balance", "");
    assert_eq!(post.problem(), (405, "method_not_allowed"));
    let odd = panes.client(&secret, "GET", "/balance?at=now", "");
    assert_eq!(odd.problem(), (400, "bad_request"));
    assert_eq!(odd.body["param"], "at");
}
