//! The operators' API: accounts and what finds them, on every store.

use serde_json::{Value, json};
use tollgate::credit::{AccountId, AliasId};
use tollgate::ledger::{AccountChange, Alias, Answer, Refusal};

use super::panes::{Panes, Reply, wait};

fn list(panes: &Panes, query: &str) -> Vec<String> {
    let listed = panes.operator("GET", &format!("/accounts?{query}"), None).ok();
    let ids = listed["data"].as_array().unwrap().iter();
    ids.map(|account| account["id"].as_str().unwrap().to_owned()).collect()
}

fn make(panes: &Panes, id: &str, more: Value) -> Reply {
    let mut body = json!({ "id": id, "plan": "studio" });
    let Value::Object(more) = more else { panic!("{more}") };
    body.as_object_mut().unwrap().extend(more);
    panes.operator("POST", "/accounts", Some(body))
}

fn change(panes: &Panes, id: &str, body: Value) -> Reply {
    panes.operator("PATCH", &format!("/accounts/{id}"), Some(body))
}

/// The alias of a reference, as the contract says it.
fn alias(reference: &str, account: &str) -> Alias {
    let id = AliasId::of("reference", reference.as_bytes());
    Alias { id, account: account.parse().unwrap(), key: None }
}

#[test]
fn an_account_is_found_by_its_reference_and_no_two_have_the_same() {
    Panes::on_every_store(|panes| {
        let made = make(panes, "acct_a", json!({ "reference": "crm/7 é", "person": "ada" })).ok();
        assert_eq!((&made["reference"], &made["person"]), (&json!("crm/7 é"), &json!("ada")));
        assert_eq!(list(panes, "reference=crm%2F7%20%C3%A9"), ["acct_a"]);
        assert_eq!(list(panes, "reference=crm"), [""; 0]);
        // By its reference wherever an account is named.
        let path = "/accounts/ref:crm%2F7%20%C3%A9";
        assert_eq!(panes.operator("GET", path, None).ok(), made);
        let key = panes.operator("POST", &format!("{path}/keys"), Some(json!({}))).ok();
        assert_eq!(key["account"], "acct_a");
        let nobody = panes.operator("GET", "/accounts/ref:crm", None);
        assert_eq!(nobody.problem(), (404, "unknown_account"));

        let taken = make(panes, "acct_b", json!({ "reference": "crm/7 é" }));
        assert_eq!(taken.problem(), (409, "reference_taken"));
        assert_eq!(taken.body["account"], "acct_a");
        let never = panes.operator("GET", "/accounts/acct_b", None);
        assert_eq!(never.problem(), (404, "unknown_account"));
        // The same call again is the same account.
        let again = make(panes, "acct_a", json!({ "reference": "crm/7 é", "person": "ada" })).ok();
        assert_eq!(again["id"], "acct_a");

        make(panes, "acct_b", json!({ "reference": "b" })).ok();
        let taken = change(panes, "acct_b", json!({ "reference": "crm/7 é" }));
        assert_eq!(taken.problem(), (409, "reference_taken"));
        assert_eq!(list(panes, "reference=b"), ["acct_b"]);
        // A new name frees the old one; `null` takes it away.
        change(panes, "acct_a", json!({ "reference": "a" })).ok();
        assert_eq!(list(panes, "reference=a"), ["acct_a"]);
        change(panes, "acct_b", json!({ "reference": "crm/7 é" })).ok();
        assert_eq!(list(panes, "reference=crm%2F7%20%C3%A9"), ["acct_b"]);
        assert_eq!(list(panes, "reference=b"), [""; 0]);
        let cleared = change(panes, "acct_b", json!({ "reference": null, "person": null })).ok();
        assert_eq!(cleared["reference"], Value::Null);
        assert_eq!(list(panes, "reference=crm%2F7%20%C3%A9"), [""; 0]);
        make(panes, "acct_c", json!({ "reference": "crm/7 é" })).ok();
        assert_eq!(list(panes, "reference=crm%2F7%20%C3%A9"), ["acct_c"]);
    });
}

#[test]
fn whatever_a_crash_leaves_of_a_reference_is_harmless() {
    Panes::on_every_store(|panes| {
        let ledger = &panes.ledger;
        // Claimed, and the account never made: it finds nothing, and the next one gets it.
        wait(ledger.create_alias(alias("x", "acct_never")));
        assert_eq!(list(panes, "reference=x"), [""; 0]);
        make(panes, "acct_a", json!({ "reference": "x" })).ok();
        assert_eq!(list(panes, "reference=x"), ["acct_a"]);
        // Claimed by an account that says another name, or none.
        make(panes, "acct_b", json!({})).ok();
        wait(ledger.create_alias(alias("y", "acct_b")));
        assert_eq!(list(panes, "reference=y"), [""; 0]);
        change(panes, "acct_a", json!({ "reference": "y" })).ok();
        assert_eq!(list(panes, "reference=y"), ["acct_a"]);
        // The document was changed, the old claim not taken back.
        wait(ledger.create_alias(alias("x", "acct_a")));
        assert_eq!(list(panes, "reference=x"), [""; 0]);
        make(panes, "acct_c", json!({ "reference": "x" })).ok();
        // A claim whose own creation goes on after all finds that it has lost the name.
        let id: AccountId = "acct_c".parse().unwrap();
        let lost = AccountChange { reference: Some(Some("y".into())), ..AccountChange::of(id) };
        wait(ledger.change_account(lost));
        assert_eq!(list(panes, "reference=y"), ["acct_a"]);
        // What was refused leaves no claim behind.
        change(panes, "acct_b", json!({ "status": "closed" })).ok();
        let refused = change(panes, "acct_b", json!({ "reference": "z" }));
        assert_eq!(refused.problem(), (409, "account_closed"));
        let there = super::ledger_world::wait(ledger.alias(alias("z", "acct_b").id));
        assert!(matches!(there, Answer::Refused(Refusal::UnknownAlias)), "{there:?}");
    });
}

#[test]
fn lists_are_filtered_and_go_on_where_they_stopped() {
    Panes::on_every_store(|panes| {
        for n in 0..9 {
            let plan = if n % 3 == 0 { "tiny" } else { "studio" };
            let person = (n == 8).then_some("ada");
            make(panes, &format!("acct_{n}"), json!({ "plan": plan, "person": person })).ok();
        }
        let suspend = json!({ "reason": "chargeback 4711" });
        panes.operator("POST", "/accounts/acct_3/suspend", Some(suspend)).ok();
        assert_eq!(list(panes, "plan=tiny"), ["acct_0", "acct_3", "acct_6"]);
        assert_eq!(list(panes, "plan=tiny&status=active"), ["acct_0", "acct_6"]);
        assert_eq!(list(panes, "status=suspended"), ["acct_3"]);
        assert_eq!(list(panes, "person=ada"), ["acct_8"]);
        assert_eq!(list(panes, "person=ada&plan=tiny"), [""; 0]);
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let path = format!("/accounts?plan=studio&limit=2{after}");
            let page = panes.operator("GET", &path, None).ok();
            let data = page["data"].as_array().unwrap().clone();
            assert!(data.len() <= 2);
            seen.extend(data.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
            assert_eq!(page["has_more"], page["next"] != Value::Null);
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&starting_after={next}");
        }
        assert_eq!(seen, ["acct_1", "acct_2", "acct_4", "acct_5", "acct_7", "acct_8"]);
        for (query, param) in [
            ("status=gone", "status"),
            ("plan=a&plan=b", "plan"),
            ("colour=red", "colour"),
            ("limit=0&plan=a", "limit"),
        ] {
            let reply = panes.operator("GET", &format!("/accounts?{query}"), None);
            assert_eq!((reply.status.as_u16(), &reply.body["param"]), (400, &json!(param)));
        }
    });
}

#[test]
fn an_account_is_suspended_resumed_and_closed_with_a_reason() {
    let panes = Panes::new();
    make(&panes, "acct_a", json!({})).ok();
    let verb = |verb: &str, body: Value| {
        panes.operator("POST", &format!("/accounts/acct_a/{verb}"), Some(body))
    };
    assert_eq!(verb("suspend", json!({})).body["param"], "reason");
    assert_eq!(verb("close", json!({ "reason": "" })).body["param"], "reason");
    let told = |reply: Reply| {
        let body = reply.ok();
        (body["status"].as_str().unwrap().to_owned(), body["reason"].as_str().unwrap().to_owned())
    };
    let is = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(told(verb("suspend", json!({ "reason": "why" }))), is("suspended", "why"));
    // Changing something else leaves the reason; becoming active takes it away.
    assert_eq!(told(change(&panes, "acct_a", json!({ "label": "l" }))), is("suspended", "why"));
    assert_eq!(told(verb("resume", json!({}))), is("active", ""));
    let both = json!({ "status": "suspended", "reason": "again" });
    assert_eq!(told(change(&panes, "acct_a", both)), is("suspended", "again"));
    assert_eq!(told(change(&panes, "acct_a", json!({ "status": "active" }))), is("active", ""));
    assert_eq!(told(verb("close", json!({ "reason": "asked to" }))), is("closed", "asked to"));
    assert_eq!(verb("resume", json!({})).problem(), (409, "account_closed"));
    let anchor = change(&panes, "acct_a", json!({ "anchor": "2026-01-31T00:00:00Z" }));
    assert_eq!(anchor.problem(), (409, "account_closed"));
}

#[test]
fn one_idempotency_key_makes_one_account() {
    Panes::on_every_store(|panes| {
        let body = json!({ "plan": "studio", "reference": "crm-1" });
        let first = panes.once("signup-1", "/accounts", &body);
        assert_eq!(first.status, 201);
        assert!(!first.headers.contains_key("idempotency-replayed"));
        panes.clock.advance(1_000);
        let again = panes.once("signup-1", "/accounts", &body);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.headers["idempotency-replayed"], "true");
        // Another content, and another path, are other calls.
        let other = panes.once("signup-1", "/accounts", &json!({ "plan": "tiny" }));
        assert_eq!(other.problem(), (422, "idempotency_mismatch"));
        let elsewhere = panes.once("signup-1", "/accounts/ref:crm-1/keys", &body);
        assert_eq!(elsewhere.body["param"], "plan", "what is misread is told first");
        let elsewhere = panes.once("signup-1", "/accounts/ref:crm-1/keys", &json!({}));
        assert_eq!(elsewhere.problem(), (422, "idempotency_mismatch"));
        assert_eq!(list(panes, "limit=100").len(), 1);
        // A call that was not understood has not used its key up.
        let slip = panes.once("signup-2", "/accounts", &json!({ "plan": "gold" }));
        assert_eq!(slip.problem(), (422, "invalid"));
        panes.once("signup-2", "/accounts", &json!({ "plan": "tiny" })).ok();
        assert_eq!(list(panes, "limit=100").len(), 2);
        for wrong in ["", "two words", &"x".repeat(256)] {
            let reply = panes.once(wrong, "/accounts", &body);
            assert_eq!(reply.body["param"], "Idempotency-Key", "{wrong:?}");
        }
    });
}

#[test]
fn of_many_that_want_one_reference_at_once_one_gets_it() {
    Panes::on_every_store(|panes| {
        for round in 0..12 {
            let name = format!("crm-{round}");
            // A claim that a crash left, which all of them would take over.
            wait(panes.ledger.create_alias(alias(&name, "acct_never")));
            let body = json!({ "reference": name });
            let want = |n: u32| make(panes, &format!("acct_{round}_{n}"), body.clone()).status;
            let made = std::thread::scope(|scope| {
                let all: Vec<_> = (0..6).map(|n| scope.spawn(move || want(n))).collect();
                let all = all.into_iter().map(|thread| thread.join().unwrap());
                all.filter(|status| *status == 201).count()
            });
            assert!(made <= 1, "{made} have {name}");
            let accounts = panes.operator("GET", "/accounts?limit=100", None).ok();
            let holders = accounts["data"].as_array().unwrap().iter();
            let holders: Vec<_> = holders.filter(|it| it["reference"] == name.as_str()).collect();
            assert!(holders.len() <= 1, "{holders:?}");
            // Whoever says the name is found by it.
            let found = list(panes, &format!("reference={name}"));
            assert_eq!(found.len(), holders.len(), "{found:?} {holders:?}");
        }
    });
}
