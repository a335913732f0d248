//! The operators' API: who gets in, what it does, how it refuses.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::panes::{Panes, Reply, TOKEN, call, names};

fn raw(panes: &Panes, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    call(&panes.admin, request.body(Body::empty()).unwrap())
}

#[test]
fn nothing_answers_without_the_token() {
    let panes = Panes::new();
    let right = format!("Bearer {TOKEN}");
    let longer = format!("Bearer {TOKEN}x");
    let host = ("host", "localhost:8081");
    let path = "/admin/v1/accounts";
    assert_eq!(raw(&panes, path, &[host, ("authorization", &right)]).status, 200);
    for wrong in ["", "Bearer", "Bearer x", &longer, &format!("Basic {TOKEN}"), TOKEN] {
        let reply = raw(&panes, path, &[host, ("authorization", wrong)]);
        assert_eq!(reply.problem(), (401, "unauthorized"), "{wrong}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    // Neither which paths there are, nor which methods they know.
    assert_eq!(raw(&panes, "/admin/v1/nothing", &[host]).status, 401);
    assert_eq!(raw(&panes, "/admin/v1/keys/k/revoke", &[host]).status, 401);
    assert_eq!(raw(&panes, "/", &[host]).status, 401);
    let twice = [host, ("authorization", right.as_str()), ("authorization", right.as_str())];
    assert_eq!(raw(&panes, path, &twice).status, 401);
}

#[test]
fn web_pages_do_not_get_in() {
    let panes = Panes::new();
    let bearer = format!("Bearer {TOKEN}");
    let ask = |host: &str, origin: Option<&str>| {
        let mut headers = vec![("host", host), ("authorization", bearer.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let reply = raw(&panes, "/admin/v1/accounts", &headers);
        (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default().to_owned())
    };
    for host in ["127.0.0.1:8081", "localhost", "LOCALHOST:1", "[::1]:8081", "10.0.0.7"] {
        assert_eq!(ask(host, None).0, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:8081", "localhost.evil", ""] {
        assert_eq!(ask(host, None), (403, "forbidden_host".to_owned()), "{host}");
    }
    assert_eq!(ask("localhost:1", Some("http://localhost:1")).0, 200);
    for origin in ["http://evil.example", "null", "http://localhost:2"] {
        let refused = (403, "forbidden_origin".to_owned());
        assert_eq!(ask("localhost:1", Some(origin)), refused, "{origin}");
    }
}

#[test]
fn probes_need_no_token() {
    let panes = Panes::new();
    assert_eq!(raw(&panes, "/livez", &[]).status, 200);
    assert_eq!(raw(&panes, "/readyz", &[]).status, 200);
    panes.ready.store(false, Ordering::SeqCst);
    assert_eq!(raw(&panes, "/livez", &[]).status, 200);
    let reply = raw(&panes, "/readyz", &[]);
    assert_eq!(reply.status, 503);
    assert_eq!(reply.body["detail"], "draining");
}

#[test]
fn an_account_is_made_shown_changed_and_listed() {
    let panes = Panes::new();
    let body = json!({ "id": "acct_maria", "plan": "studio", "zone": "America/Sao_Paulo",
                       "label": "Maria", "anchor": "2026-01-31T00:00:00-03:00" });
    let made = panes.operator("POST", "/accounts", Some(body.clone()));
    assert_eq!(made.status, 201);
    assert!(made.headers["request-id"].to_str().unwrap().starts_with("req_"));
    let made = made.body;
    assert_eq!(made["anchor"], "2026-01-31T03:00:00.000Z");
    assert_eq!(
        names(&made),
        [
            "anchor",
            "created",
            "free_credits",
            "id",
            "keys",
            "label",
            "object",
            "person",
            "plan",
            "reason",
            "reference",
            "restricted_until",
            "status",
            "version",
            "zone"
        ]
    );
    // The same again is the same account; other content is a conflict.
    assert_eq!(panes.operator("POST", "/accounts", Some(body)).ok(), made);
    let other = json!({ "id": "acct_maria", "plan": "tiny" });
    let refused = panes.operator("POST", "/accounts", Some(other));
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(refused.body["id"], "acct_maria");

    let change = json!({ "plan": "tiny", "status": "suspended" });
    let changed = panes.operator("PATCH", "/accounts/acct_maria", Some(change)).ok();
    assert_eq!(changed["plan"], "tiny");
    assert_eq!(changed["status"], "suspended");
    assert_eq!(changed["label"], "Maria");
    assert_eq!(panes.operator("GET", "/accounts/acct_maria", None).ok(), changed);
    assert_eq!(
        panes.operator("GET", "/accounts/acct_nobody", None).problem(),
        (404, "unknown_account")
    );
    let odd = panes.operator("GET", "/accounts/nobody", None);
    assert_eq!(odd.problem(), (404, "unknown_account"));
}

#[test]
fn ids_are_made_where_none_is_given_and_lists_have_pages() {
    let panes = Panes::new();
    let made: Vec<String> = (0..3)
        .map(|_| {
            let made = panes.operator("POST", "/accounts", Some(json!({ "plan": "studio" }))).ok();
            assert_eq!(made["zone"], "UTC");
            made["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let first = panes.operator("GET", "/accounts?limit=2", None).ok();
    assert_eq!(first["object"], "list");
    assert_eq!(first["has_more"], true);
    let next = first["next"].as_str().unwrap();
    let second = panes.operator("GET", &format!("/accounts?starting_after={next}"), None).ok();
    assert_eq!(second["has_more"], false);
    assert_eq!(second["next"], Value::Null);
    let items = first["data"].as_array().unwrap().iter().chain(second["data"].as_array().unwrap());
    let mut seen: Vec<&str> = items.map(|item| item["id"].as_str().unwrap()).collect();
    let mut made: Vec<&str> = made.iter().map(String::as_str).collect();
    made.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, made);
}

#[test]
fn what_is_not_understood_is_named() {
    let panes = Panes::new();
    panes.account("acct_maria", "studio");
    let grants = "/accounts/acct_maria/grants";
    let grant = |more: Value| {
        let mut body = json!({ "id": "g", "amount": "1", "reason": "r" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (method, path, body, status, param) in [
        ("POST", "/accounts", json!({}), 400, "plan"),
        ("POST", "/accounts", json!({ "plan": "gold" }), 422, "plan"),
        ("POST", "/accounts", json!({ "plan": "studio", "zone": "Mars" }), 422, "zone"),
        ("POST", "/accounts", json!({ "plan": "studio", "colour": 1 }), 400, "colour"),
        ("POST", "/accounts", json!({ "plan": "studio", "id": "maria" }), 400, "id"),
        ("POST", "/accounts", json!({ "plan": "studio", "anchor": "today" }), 422, "anchor"),
        ("POST", "/accounts?dry_run=1", json!({ "plan": "studio" }), 400, "dry_run"),
        ("PATCH", "/accounts/acct_maria", json!({ "status": "gone" }), 400, "status"),
        ("POST", grants, json!({ "amount": "1", "reason": "r" }), 400, "id"),
        ("POST", grants, grant(json!({ "amount": 1 })), 400, "amount"),
        ("POST", grants, grant(json!({ "amount": "-1" })), 422, "amount"),
        ("POST", grants, grant(json!({ "amount": "1e3" })), 400, "amount"),
        ("POST", grants, grant(json!({ "class": "debt" })), 400, "class"),
        ("POST", grants, grant(json!({ "expires_at": "soon" })), 422, "expires_at"),
        ("POST", grants, grant(json!({ "reason": "" })), 422, "reason"),
        ("POST", grants, grant(json!({ "expire_at": "2027-01-01T00:00:00Z" })), 400, "expire_at"),
        ("POST", "/accounts/acct_maria/keys", json!({ "scopes": [] }), 400, "scopes"),
        ("GET", "/accounts?limit=0", json!({}), 400, "limit"),
        ("GET", "/accounts?starting_after=x", json!({}), 400, "starting_after"),
        ("GET", "/accounts/acct_maria?expand=keys", json!({}), 400, "expand"),
        ("GET", "/accounts/acct_maria/balance?at=now", json!({}), 400, "at"),
    ] {
        let reply = panes.operator(method, path, Some(body.clone()));
        assert_eq!(reply.status.as_u16(), status, "{path} {body} {}", reply.body);
        assert_eq!(reply.body["param"], param, "{path} {body} {}", reply.body);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
    assert_eq!(panes.operator("PUT", "/accounts", None).problem(), (405, "method_not_allowed"));
    assert_eq!(panes.operator("GET", "/acounts", None).problem(), (404, "unknown_path"));
    let large = json!({ "plan": "x".repeat(70_000) });
    assert_eq!(panes.operator("POST", "/accounts", Some(large)).problem(), (413, "too_large"));
    let zero = grant(json!({ "amount": "0" }));
    assert_eq!(panes.operator("POST", grants, Some(zero)).problem(), (422, "invalid"));
}

#[test]
fn keys_show_their_secret_once_and_can_be_revoked() {
    let panes = Panes::new();
    let (secret, id) = panes.account("acct_maria", "studio");
    assert!(secret.starts_with("tk_"));
    let path = "/accounts/acct_maria/keys";
    let second = panes.operator("POST", path, Some(json!({ "label": "laptop" })));
    assert_eq!(second.headers["cache-control"], "no-store");
    assert_eq!(second.body["label"], "laptop");
    let listed = panes.operator("GET", path, None).ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(&secret) && !listed.to_string().contains("hash"));
    assert_eq!(panes.client(&secret, "GET", "/balance", "").status, 200);

    let revoked = panes.operator("POST", &format!("/keys/{id}/revoke"), Some(json!({}))).ok();
    assert_eq!(revoked["status"], "revoked");
    // An empty body says the same, and so does the same again.
    assert_eq!(panes.operator("POST", &format!("/keys/{id}/revoke"), None).status, 200);
    assert_eq!(panes.client(&secret, "GET", "/balance", "").problem(), (401, "invalid_key"));
    let unknown = panes.operator("POST", "/keys/key_x/revoke", None);
    assert_eq!(unknown.problem(), (404, "unknown_key"));
    let nobody = panes.operator("POST", "/accounts/acct_nobody/keys", Some(json!({})));
    assert_eq!(nobody.problem(), (404, "unknown_account"));
}

#[test]
fn a_grant_gives_once() {
    let panes = Panes::new();
    panes.account("acct_maria", "studio");
    let given = panes.give("acct_maria", "pay_1", "12.5");
    assert_eq!(given["class"], "purchased");
    assert_eq!(given["available"], "12.5");
    assert_eq!(given["repaid"], "0");
    assert_eq!(panes.give("acct_maria", "pay_1", "12.5")["available"], "12.5");
    let other = json!({ "id": "pay_1", "amount": "13", "reason": "a test" });
    let path = "/accounts/acct_maria/grants";
    let conflict = panes.operator("POST", path, Some(other));
    assert_eq!(conflict.problem(), (409, "conflict"));
    assert_eq!(conflict.body["id"], "pay_1");
    let balance = panes.operator("GET", "/accounts/acct_maria/balance", None).ok();
    assert_eq!(balance["balances"][0]["available"], "12.5");
}

#[test]
fn charges_are_explained() {
    let panes = Panes::new();
    let (_, key) = panes.account("acct_maria", "studio");
    panes.give("acct_maria", "pay_1", "100");
    let charge = panes.hold("acct_maria", &key, 10, Default::default());
    let open = panes.operator("GET", &format!("/charges/{charge}"), None).ok();
    assert_eq!(open["status"], "held");
    panes.settle("acct_maria", charge, 8);
    let receipt = panes.operator("GET", &format!("/charges/{charge}"), None).ok();
    assert_eq!(receipt["status"], "settled");
    assert_eq!(receipt["charged"], "8");
    assert_eq!(receipt["returned"], "2");
    assert_eq!(receipt["request"]["id"], tollgate::meter::request_of(charge));
    let listed = panes.operator("GET", "/accounts/acct_maria/charges?limit=1", None).ok();
    assert_eq!(listed["data"][0], receipt);
    assert_eq!(panes.operator("GET", "/charges/chg_x", None).problem(), (404, "unknown_charge"));
}
