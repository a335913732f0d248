//! The operators' API: grants, holds, releases and use, on every store.

use serde_json::{Value, json};
use tollgate::credit::ChargeId;
use tollgate::ledger::{Answer, Refusal};
use tollgate::seam::{Clock, Timestamp};

use super::panes::Panes;

const HOUR: u64 = 60 * 60 * 1_000;

fn get(panes: &Panes, path: &str) -> Value {
    panes.operator("GET", path, None).ok()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[test]
fn grants_are_listed_with_their_columns() {
    Panes::on_every_store(|panes| {
        let (_, key) = panes.account("acct_a", "tiny");
        panes.give("acct_a", "pay/1", "10");
        let give = |class: &str, id: &str| {
            let body = json!({ "id": id, "amount": "1.5", "reason": "r", "class": class });
            panes.operator("POST", "/accounts/acct_a/grants", Some(body)).ok()
        };
        assert_eq!(give("adjustment", "fix-1")["class"], "goodwill");
        assert_eq!(give("bonus", "b-1")["class"], "bonus");
        give("free", "f-1");
        let charge = panes.hold("acct_a", &key, 2, Default::default());
        panes.settle("acct_a", charge, 1);
        panes.hold("acct_a", &key, 2, Default::default());
        let all = get(panes, "/accounts/acct_a/grants");
        assert_eq!(ids(&all), ["daily@2026-11-22", "fix-1", "b-1", "pay/1", "f-1"]);
        assert_eq!(all["archived"], json!([]));
        let columns = ["granted", "available", "held", "spent", "expired", "voided"];
        let micro = |text: &Value| {
            text.as_str().unwrap().parse::<tollgate::credit::Amount>().unwrap().micro()
        };
        for grant in all["data"].as_array().unwrap() {
            let [granted, rest @ ..] = columns.map(|name| micro(&grant[name]));
            assert_eq!(granted, rest.iter().sum::<u64>(), "{grant}");
        }
        let first = get(panes, "/accounts/acct_a/grants?limit=2");
        assert_eq!((ids(&first).len(), &first["next"]), (2, &json!("fix-1")));
        let rest = get(panes, "/accounts/acct_a/grants?starting_after=fix-1");
        assert_eq!((ids(&rest), &rest["has_more"]), (vec!["b-1", "pay/1", "f-1"], &json!(false)));
        assert_eq!(get(panes, "/accounts/acct_a/grants/pay%2F1"), all["data"][3]);
        let none = panes.operator("GET", "/accounts/acct_a/grants/pay_2", None);
        assert_eq!(none.problem(), (404, "unknown_grant"));
    });
}

#[test]
fn what_a_grant_cannot_be_is_said() {
    let panes = Panes::new();
    panes.account("acct_a", "studio");
    let give = |more: Value| {
        let mut body = json!({ "id": "g", "amount": "1", "reason": "r" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        panes.operator("POST", "/accounts/acct_a/grants", Some(body))
    };
    let negative = give(json!({ "amount": "-5", "class": "adjustment" }));
    assert_eq!(negative.problem(), (422, "negative_amount"));
    assert!(negative.body["detail"].as_str().unwrap().contains("/void"));
    for class in ["debt", "plan", "rollover", "purchase", "top_up"] {
        let reply = give(json!({ "class": class }));
        assert_eq!(
            (reply.status.as_u16(), &reply.body["param"]),
            (400, &json!("class")),
            "{class}"
        );
    }
    // The grant's id is what gives once; another key for the same grant gives nothing more.
    let body = json!({ "id": "pay_1", "amount": "5", "reason": "r" });
    for key in ["i1", "i2", "i1"] {
        assert_eq!(panes.once(key, "/accounts/acct_a/grants", &body).ok()["available"], "5");
    }
    let other = json!({ "id": "pay_2", "amount": "5", "reason": "r" });
    let mismatch = panes.once("i1", "/accounts/acct_a/grants", &other);
    assert_eq!(mismatch.problem(), (422, "idempotency_mismatch"));
}

#[test]
fn open_charges_are_listed_and_a_stuck_one_is_released() {
    Panes::on_every_store(|panes| {
        let (secret, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "100");
        let charges: Vec<ChargeId> = (0..3)
            .map(|_| {
                panes.clock.advance(10_000);
                panes.hold("acct_a", &key, 10, Default::default())
            })
            .collect();
        let named: Vec<String> = charges.iter().map(ToString::to_string).collect();
        let all = get(panes, "/accounts/acct_a/holds");
        assert_eq!(ids(&all), named);
        let oldest = &all["data"][0];
        assert_eq!(oldest["age_s"], 20);
        for (name, value) in
            [("state", "held"), ("held", "10"), ("instance", "test"), ("route", "images")]
        {
            assert_eq!(oldest[name], value, "{name}");
        }
        let old = get(panes, "/accounts/acct_a/holds?older_than=15s");
        assert_eq!(ids(&old), [named[0].as_str()]);
        let page = get(panes, "/holds?limit=2");
        assert_eq!((ids(&page).len(), &page["instance"]), (2, &json!("test")));
        let path =
            format!("/holds?starting_after={}&instance=test", page["next"].as_str().unwrap());
        assert_eq!(ids(&get(panes, &path)), [named[2].as_str()]);
        assert_eq!(ids(&get(panes, "/holds?instance=ins_other")), [""; 0]);

        let release = |id: &str, body: Value| {
            panes.operator("POST", &format!("/charges/{id}/release"), Some(body))
        };
        assert_eq!(release(&named[0], json!({})).body["param"], "reason");
        let why = json!({ "reason": "lost, ticket 4711" });
        let receipt = release(&named[0], why.clone()).ok();
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("released"), &json!("0")));
        assert_eq!(receipt["returned"], "10");
        assert_eq!(receipt["flags"], json!(["released_by_operator"]));
        let told = receipt["why"].as_str().unwrap();
        assert!(told.ends_with("Released by an operator: lost, ticket 4711"), "{told}");
        // Again: the same receipt, and nobody is given anything twice.
        assert_eq!(release(&named[0], why.clone()).ok(), receipt);
        let balance = get(panes, "/accounts/acct_a/balance");
        assert_eq!(balance["balances"][0]["available"], "80");
        // Its exchange ran after all: a late success, drawn up to what was held.
        panes.settle("acct_a", charges[0], 7);
        let late = panes.client(&secret, "GET", &format!("/charges/{}", named[0]), "").ok();
        assert_eq!((&late["status"], &late["charged"]), (&json!("settled"), &json!("7")));
        let ended = release(&named[0], why.clone());
        assert_eq!(ended.problem(), (409, "charge_ended"));

        // By the id of the request, which is the charge's under another name.
        let request = named[1].replace("chg_", "req_");
        assert_eq!(release(&request, why.clone()).ok()["id"], named[1].as_str());
        // An id that never was is not closed: it could still be reserved.
        let mut bytes = *charges[1].as_bytes();
        bytes[15] ^= 1;
        let never = ChargeId::from_bytes(bytes);
        assert_eq!(release(&never.to_string(), why).problem(), (404, "unknown_charge"));
        let there = super::ledger_world::wait(panes.ledger.charge(never));
        assert_eq!(there, Answer::Refused(Refusal::UnknownCharge));
    });
}

#[test]
fn a_charge_is_found_by_the_id_of_its_request_by_its_own_account() {
    let panes = Panes::new();
    let (maria, key) = panes.account("acct_a", "studio");
    let (joao, _) = panes.account("acct_b", "studio");
    panes.give("acct_a", "pay_1", "100");
    let charge = panes.hold("acct_a", &key, 10, Default::default()).to_string();
    let path = format!("/charges/{}", charge.replace("chg_", "req_"));
    assert_eq!(get(&panes, &path)["id"], charge.as_str());
    assert_eq!(panes.client(&maria, "GET", &path, "").ok()["id"], charge.as_str());
    assert_eq!(panes.client(&joao, "GET", &path, "").problem(), (404, "unknown_charge"));
    for id in ["req_x", "req_00000000000000000000000000", "chatcmpl-9", "tk_x", "%F0%9F%92%A9"] {
        let reply = panes.operator("GET", &format!("/charges/{id}"), None);
        assert_eq!(reply.problem(), (404, "unknown_charge"), "{id}");
        assert!(reply.body["detail"].as_str().unwrap().contains("an upstream's own ids"));
    }
}

#[test]
fn use_is_counted_in_the_accounts_own_day_and_month() {
    Panes::on_every_store(|panes| {
        // São Paulo: noon UTC is nine in the morning.
        let (secret, key) = panes.account("acct_a", "studio");
        let second = panes.operator("POST", "/accounts/acct_a/keys", Some(json!({}))).ok();
        let second = second["id"].as_str().unwrap();
        panes.give("acct_a", "pay_1", "1000");
        let usage = |period: &str| get(panes, &format!("/accounts/acct_a/usage?period={period}"));
        let total = |usage: &Value| {
            let row = &usage["totals"][0];
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            let count = |name: &str| row[name].as_u64().unwrap_or(0);
            let counts = [count("requests"), count("open"), count("settled"), count("released")];
            (counts, text("reserved"), text("held"), text("charged"))
        };
        let is = |counts: [u64; 4], reserved: &str, held: &str, charged: &str| {
            (counts, reserved.to_owned(), held.to_owned(), charged.to_owned())
        };
        assert_eq!(usage("today")["totals"], json!([]));
        // 21 November at 23:30 would be yesterday; the account was made at noon, so the day before is empty.
        let first = panes.hold("acct_a", &key, 10, Default::default());
        panes.settle("acct_a", first, 8);
        panes.clock.advance(HOUR);
        let stuck = panes.hold("acct_a", second, 5, Default::default());
        let open = panes.hold("acct_a", second, 3, Default::default());
        let path = format!("/charges/{stuck}/release");
        panes.operator("POST", &path, Some(json!({ "reason": "r" }))).ok();
        let today = usage("today");
        assert_eq!(total(&today), is([3, 1, 1, 1], "18", "3", "8"));
        assert_eq!(today["complete"], true);
        assert_eq!(today["starts_at"], "2026-11-22T00:00:00-03:00");
        assert_eq!(today["counted_from"], "2026-11-22T09:00:00-03:00", "since it was made");
        assert_eq!(today["by_route"][0]["route"], "images");
        assert_eq!(today["by_feature"][0]["feature"], Value::Null);
        let keys: Vec<_> = today["by_key"].as_array().unwrap().iter().collect();
        assert_eq!(keys.len(), 2);
        let by = |id: &str| keys.iter().find(|row| row["key"] == *id).unwrap();
        assert_eq!((&by(&key)["charged"], &by(second)["requests"]), (&json!("8"), &json!(2)));
        // Clients see the same.
        assert_eq!(panes.client(&secret, "GET", "/usage?period=today", "").ok(), today);

        // 23:30 in São Paulo, then 00:30: another day of the same month.
        panes.clock.advance(13 * HOUR + HOUR / 2);
        let late = panes.hold("acct_a", &key, 2, Default::default());
        panes.settle("acct_a", late, 2);
        assert_eq!(total(&usage("today")).0[0], 4);
        panes.clock.advance(HOUR);
        assert_eq!(usage("today")["totals"], json!([]));
        assert_eq!(total(&usage("month")).0[0], 4);
        panes.settle("acct_a", open, 3);
        let month = usage("month");
        assert_eq!(total(&month), is([4, 0, 3, 1], "20", "0", "13"));
        assert_eq!((&month["period"], &month["complete"]), (&json!("2026-11"), &json!(true)));
        // What is older than charges are kept cannot be counted, and that is said.
        panes.clock.advance(38 * 24 * HOUR);
        let month = usage("month");
        assert_eq!((&month["period"], &month["complete"]), (&json!("2026-12"), &json!(false)));
        assert_ne!(month["counted_from"], month["starts_at"]);
        let wrong = panes.operator("GET", "/accounts/acct_a/usage?period=week", None);
        assert_eq!((wrong.status.as_u16(), &wrong.body["param"]), (400, &json!("period")));
    });
}

#[test]
fn many_charges_are_counted_page_by_page() {
    Panes::on_every_store(|panes| {
        let (_, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "1000");
        for n in 0..450 {
            panes.clock.advance(1);
            let charge = panes.hold("acct_a", &key, 2, Default::default());
            panes.settle("acct_a", charge, n % 3);
        }
        let usage = get(panes, "/accounts/acct_a/usage?period=month");
        assert_eq!(usage["totals"][0]["requests"], 450);
        assert_eq!(usage["totals"][0]["charged"], "450");
        assert_eq!(usage["complete"], true);
    });
}

#[test]
fn a_key_is_told_who_it_is() {
    let panes = Panes::new();
    let (secret, key) = panes.account("acct_a", "studio");
    let me = panes.client(&secret, "GET", "/me", "").ok();
    assert_eq!((&me["id"], &me["account"]["id"]), (&json!(key), &json!("acct_a")));
    assert_eq!(me["account"]["time_zone"], "America/Sao_Paulo");
    assert!(!me.to_string().contains("hash"));
    let wrong = panes.client(&secret, "GET", "/usage?period=today&colour=red", "");
    assert_eq!((wrong.problem(), &wrong.body["param"]), ((400, "bad_request"), &json!("colour")));
    let wrong = panes.client(&secret, "GET", "/usage?period=week", "");
    assert_eq!((wrong.problem(), &wrong.body["param"]), ((400, "bad_request"), &json!("period")));
}

#[test]
fn more_charges_than_one_answer_looks_at_are_counted_exactly_from_a_moment_that_it_says() {
    let panes = Panes::new();
    let (_, key) = panes.account("acct_a", "studio");
    let most = tollgate::meter::usage::CHARGES_MAX;
    let mut begun = Vec::new();
    for _ in 0..most + 400 {
        panes.clock.advance(5_000);
        begun.push(panes.clock.now());
        let charge = panes.hold("acct_a", &key, 0, Default::default());
        panes.settle("acct_a", charge, 0);
    }
    let usage = get(&panes, "/accounts/acct_a/usage?period=month");
    assert_eq!(usage["complete"], false);
    let from: Timestamp = usage["counted_from"].as_str().unwrap().parse().unwrap();
    let counted = begun.iter().filter(|moment| from <= **moment).count();
    assert_eq!(usage["totals"][0]["requests"], json!(counted));
    assert!(most - 300 < counted && counted < most, "{counted}");
}
