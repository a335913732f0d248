//! The operators' API: raises and cuts of limits, and what clients see of them.

use serde_json::{Value, json};

use super::panes::{Panes, Reply};
use super::shop::DAY;

const OVERRIDES: &str = "/accounts/acct_a/overrides";

fn make(panes: &Panes, body: Value) -> Reply {
    panes.operator("POST", OVERRIDES, Some(body))
}

fn wanted(more: &Value) -> Value {
    let mut body = json!({ "limit": "cap", "name": "two-a-day", "reason": "launch week" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn an_override_raises_a_limit_until_it_ends() {
    Panes::on_own_stores(|panes| {
        let (secret, _) = panes.account("acct_a", "tiny");
        let limits = || panes.client(&secret, "GET", "/limits", "").ok();
        assert_eq!(limits()["caps"][0]["limit"], "2");
        let ends = "2026-11-23T12:00:00Z";
        let body = wanted(&json!({ "id": "ov_week", "add": 8, "ends_at": ends }));
        let made = make(panes, body.clone());
        assert_eq!(made.status, 201);
        let made = made.body;
        for (name, value) in [
            ("id", json!("ov_week")),
            ("limit", json!("cap")),
            ("name", json!("two-a-day")),
            ("scope", Value::Null),
            ("measure", json!("requests")),
            ("change", json!({ "add": 8 })),
            ("state", json!("active")),
            ("starts_at", json!("2026-11-22T12:00:00.000Z")),
            ("author", json!("a-owner")),
        ] {
            assert_eq!(made[name], value, "{name}");
        }
        // The same again is the same, though it begins when it began.
        panes.clock.advance(1_000);
        assert_eq!(make(panes, body).ok(), made);
        let other = wanted(&json!({ "id": "ov_week", "add": 9, "ends_at": ends }));
        assert_eq!(make(panes, other).problem(), (409, "conflict"));

        let cap = &limits()["caps"][0];
        assert_eq!((&cap["limit"], &cap["base_limit"]), (&json!("10"), &json!("2")));
        assert_eq!(
            cap["overrides"],
            json!([{ "id": "ov_week", "change": { "add": 8 }, "reason": "launch week",
                     "ends_at": "2026-11-23T09:00:00-03:00" }])
        );
        // It ends by itself.
        panes.clock.advance(DAY);
        let cap = &limits()["caps"][0];
        assert_eq!((&cap["limit"], &cap["overrides"]), (&json!("2"), &json!([])));
        let all = panes.operator("GET", OVERRIDES, None).ok();
        assert_eq!(all["data"][0]["state"], "ended");
    });
}

#[test]
fn overrides_are_of_every_sort_and_end_by_hand() {
    Panes::on_own_stores(|panes| {
        let (secret, _) = panes.account("acct_a", "club");
        let body = json!({ "member": "ana" });
        let ana = panes.operator("POST", "/accounts/acct_a/keys", Some(body)).ok();
        let ana = ana["secret"].as_str().unwrap();
        let make = |body: Value| make(panes, body).ok();
        let spend = |more: Value| {
            let mut body = json!({ "limit": "cap", "name": "spend", "reason": "r" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let limit = |key: &str, name: &str| {
            let limits = panes.client(key, "GET", "/limits", "").ok();
            let caps = limits["caps"].as_array().unwrap().clone();
            caps.iter().find(|cap| cap["name"] == name).map(|cap| cap["limit"].clone())
        };
        assert_eq!(limit(&secret, "spend"), Some(json!("20")));
        assert_eq!(make(spend(json!({ "set": "30.5" })))["change"], json!({ "set": "30.5" }));
        let half = make(spend(json!({ "multiply": "0.5" })));
        assert_eq!(half["change"], json!({ "multiply": "0.5" }));
        make(spend(json!({ "cut": "0.25" })));
        assert_eq!(limit(&secret, "spend"), Some(json!("15")));
        let later = make(spend(json!({ "add": "1", "starts_at": "2026-11-22T13:00:00Z" })));
        assert_eq!(later["state"], "upcoming");
        assert_eq!(limit(&secret, "spend"), Some(json!("15")));
        panes.clock.advance(60 * 60 * 1_000);
        assert_eq!(limit(&secret, "spend"), Some(json!("16")));
        let path = format!("{OVERRIDES}/{}/end", half["id"].as_str().unwrap());
        let ended = panes.operator("POST", &path, None).ok();
        assert_eq!((&ended["state"], &ended["id"]), (&json!("ended"), &half["id"]));
        assert_eq!(panes.operator("POST", &path, None).ok(), ended, "again changes nothing");
        assert_eq!(limit(&secret, "spend"), Some(json!("31.25")));

        // Of one member alone, who sees the member's cap; other keys have none.
        let each = json!({ "limit": "cap", "name": "each", "scope": "member:ana", "set": "7",
                           "reason": "r" });
        assert_eq!(make(each)["scope"], "member:ana");
        assert_eq!((limit(ana, "each"), limit(&secret, "each")), (Some(json!("7")), None));
        let all = panes.operator("GET", OVERRIDES, None).ok();
        let first = panes.operator("GET", &format!("{OVERRIDES}?limit=2"), None).ok();
        let next = first["next"].as_str().unwrap();
        let path = format!("{OVERRIDES}?starting_after={next}");
        let rest = panes.operator("GET", &path, None).ok();
        let count = |list: &Value| list["data"].as_array().unwrap().len();
        assert_eq!((count(&first) + count(&rest), count(&first)), (count(&all), 2));
        let none = panes.operator("POST", &format!("{OVERRIDES}/ov_none/end"), None);
        assert_eq!(none.problem(), (404, "unknown_override"));
    });
}

#[test]
fn concurrency_can_be_stopped_and_calls_are_done_once() {
    let panes = Panes::new();
    let (secret, _) = panes.account("acct_a", "tiny");
    let body = json!({ "limit": "concurrency", "name": "one-at-a-time", "set": 0, "reason": "r" });
    let made = panes.once("k1", OVERRIDES, &body).ok();
    assert!(made["id"].as_str().unwrap().starts_with("ov_"));
    panes.clock.advance(5_000);
    assert_eq!(panes.once("k1", OVERRIDES, &body).ok(), made);
    let limits = panes.client(&secret, "GET", "/limits", "").ok();
    let slot = &limits["concurrency"][0];
    assert_eq!((&slot["limit"], &slot["base_limit"]), (&json!(0), &json!(1)));
    assert_eq!(slot["overrides"][0]["change"], json!({ "set": 0 }));
    let all = panes.operator("GET", OVERRIDES, None).ok();
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
}

#[test]
fn what_an_override_cannot_be_is_said() {
    let panes = Panes::new();
    panes.account("acct_a", "tiny");
    let unknown = make(&panes, wanted(&json!({ "name": "two-a-dya", "add": 1 })));
    assert_eq!(unknown.problem(), (422, "unknown_limit"));
    assert_eq!(
        (&unknown.body["caps"], &unknown.body["param"]),
        (&json!(["two-a-day"]), &json!("name"))
    );
    assert_eq!(unknown.body["concurrency"], json!(["one-at-a-time"]));
    let sort = make(&panes, wanted(&json!({ "limit": "concurrency", "add": 1 })));
    assert_eq!(sort.problem(), (422, "unknown_limit"));
    for (more, status, param) in [
        (json!({}), 400, "add"),
        (json!({ "add": 1, "cut": 1 }), 400, "add"),
        (json!({ "add": "1.5" }), 400, "add"),
        (json!({ "add": "+1" }), 400, "add"),
        (json!({ "add": -1 }), 400, "add"),
        (json!({ "cut": 1.5 }), 400, "cut"),
        (json!({ "set": 9_007_199_254_740_992_u64 }), 400, "set"),
        (json!({ "multiply": 2 }), 400, "multiply"),
        (json!({ "multiply": "1.2345" }), 400, "multiply"),
        (json!({ "multiply": "-1" }), 400, "multiply"),
        (json!({ "add": 1, "limit": "rate" }), 400, "limit"),
        (json!({ "add": 1, "scope": "mars" }), 400, "scope"),
        (json!({ "add": 1, "scope": "route:images" }), 422, "scope"),
        (json!({ "add": 1, "ends_at": "2026-11-22T11:00:00Z" }), 422, "ends_at"),
        (
            json!({ "add": 1, "starts_at": "2026-11-25T00:00:00Z", "ends_at": "2026-11-24T00:00:00Z" }),
            422,
            "ends_at",
        ),
        (json!({ "add": 1, "author": "me" }), 400, "author"),
        (json!({ "add": 1, "reason": null }), 400, "reason"),
    ] {
        let reply = make(&panes, wanted(&more));
        let told = (reply.status.as_u16(), &reply.body["param"]);
        assert_eq!(told, (status, &json!(param)), "{more} {}", reply.body);
    }
    assert_eq!(panes.operator("GET", OVERRIDES, None).ok()["data"], json!([]));
}

#[test]
fn an_override_that_has_ended_is_not_made_again_by_a_call_that_comes_late() {
    Panes::on_every_store(|panes| {
        panes.account("acct_a", "tiny");
        let body = json!({ "limit": "cap", "name": "two-a-day", "add": 8, "reason": "r" });
        let own = wanted(&json!({ "id": "ov_own", "add": 1 }));
        let made = panes.once("k1", OVERRIDES, &body).ok();
        make(panes, own.clone()).ok();
        for id in [made["id"].as_str().unwrap(), "ov_own"] {
            panes.operator("POST", &format!("{OVERRIDES}/{id}/end"), None).ok();
        }
        // While it is listed, the same call again finds it, ended.
        assert_eq!(panes.once("k1", OVERRIDES, &body).ok()["state"], "ended");
        panes.clock.advance(1_000);
        make(panes, wanted(&json!({ "id": "ov_next", "add": 2 }))).ok();
        let listed = || {
            let all = panes.operator("GET", OVERRIDES, None).ok();
            let ids = all["data"].as_array().unwrap().iter().map(|one| one["id"].clone());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(listed(), [json!("ov_next")]);
        let late = panes.once("k1", OVERRIDES, &body);
        assert_eq!(late.problem(), (409, "override_ended"));
        assert_eq!(late.body["id"], made["id"]);
        assert_eq!(make(panes, own.clone()).problem(), (409, "override_ended"));
        assert_eq!(listed(), [json!("ov_next")]);
        // Another account's ids are its own.
        panes.account("acct_b", "tiny");
        panes.operator("POST", "/accounts/acct_b/overrides", Some(own.clone())).ok();
    });
}
