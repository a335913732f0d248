//! The operators' API: persons and their free credits, restrictions, members of teams.

use serde_json::{Value, json};
use tollgate::ledger::{Answer, FreeClaim};

use super::ledger_world;
use super::panes::Panes;

fn made(panes: &Panes, id: &str, plan: &str, person: &str) -> Value {
    let body = json!({ "id": id, "plan": plan, "person": person });
    panes.operator("POST", "/accounts", Some(body)).ok()
}

fn changed(panes: &Panes, id: &str, body: Value) -> Value {
    panes.operator("PATCH", &format!("/accounts/{id}"), Some(body)).ok()
}

fn key(panes: &Panes, id: &str) -> String {
    let made = panes.operator("POST", &format!("/accounts/{id}/keys"), Some(json!({}))).ok();
    made["secret"].as_str().unwrap().to_owned()
}

#[test]
fn the_third_account_of_a_person_is_told_that_it_has_no_free_credits() {
    Panes::on_own_stores(|panes| {
        for id in ["acct_a", "acct_b"] {
            assert_eq!(made(panes, id, "starter", "ada")["free_credits"], "granted");
        }
        let third = made(panes, "acct_c", "starter", "ada");
        assert_eq!(third["free_credits"], "refused");
        // The same call again, and a look, say the same.
        assert_eq!(made(panes, "acct_c", "starter", "ada"), third);
        assert_eq!(panes.operator("GET", "/accounts/acct_c", None).ok(), third);
        assert_eq!(made(panes, "acct_d", "starter", "bob")["free_credits"], "granted");
        let of_ada = panes.operator("GET", "/accounts?person=ada", None).ok();
        let told: Vec<_> = of_ada["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["id"].as_str().unwrap(), one["free_credits"].as_str().unwrap()))
            .collect();
        let expected = [("acct_a", "granted"), ("acct_b", "granted"), ("acct_c", "refused")];
        assert_eq!(told, expected);

        for (id, amount, status) in [("acct_a", "3", "granted"), ("acct_c", "0", "refused")] {
            let key = key(panes, id);
            let balance = panes.client(&key, "GET", "/balance", "").ok();
            assert_eq!(balance["balances"][0]["available"], amount, "{id}");
            assert_eq!(balance["free_credits"]["status"], status, "{id}");
            let me = panes.client(&key, "GET", "/me", "").ok();
            assert_eq!(me["account"]["free_credits"], balance["free_credits"], "{id}");
        }
        // Closing an account does not free its claim.
        let why = json!({ "reason": "r" });
        panes.operator("POST", "/accounts/acct_a/close", Some(why)).ok();
        assert_eq!(made(panes, "acct_e", "starter", "ada")["free_credits"], "refused");
        let claim =
            FreeClaim { person: "ada".to_owned(), account: "acct_f".parse().unwrap(), limit: 2 };
        let asked = ledger_world::wait(panes.ledger.claim_free(claim));
        assert_eq!(asked, Answer::Applied(false));
    });
}

#[test]
fn a_person_is_seen_with_every_claim_and_every_account() {
    Panes::on_every_store(|panes| {
        let person = |rest: &str| panes.operator("GET", &format!("/persons/{rest}"), None);
        let nobody = person("ada").ok();
        assert_eq!(
            nobody,
            json!({ "object": "person", "id": "ada",
                    "free_credits": { "limit": 2, "claimed": [], "left": 2 },
                    "accounts": { "object": "list", "data": [], "has_more": false, "next": null } })
        );
        // In another order than that of their ids.
        for id in ["acct_b", "acct_a", "acct_c"] {
            made(panes, id, "starter", "ada");
        }
        made(panes, "acct_d", "studio", "ada");
        made(panes, "acct_e", "starter", "bob");
        let ada = person("ada").ok();
        assert_eq!(
            ada["free_credits"],
            json!({ "limit": 2, "claimed": ["acct_a", "acct_b"], "left": 0 })
        );
        let told = |ada: &Value| {
            let accounts = ada["accounts"]["data"].as_array().unwrap().iter();
            let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
            let of = |one: &Value| {
                let said = (one["claimed"].as_bool().unwrap(), one["flagged"].as_bool().unwrap());
                (text(one, "id"), text(one, "status"), text(one, "free_credits"), said)
            };
            accounts.map(of).collect::<Vec<_>>()
        };
        let line = |id: &str, status: &str, free: &str, said| {
            (id.to_owned(), status.to_owned(), free.to_owned(), said)
        };
        assert_eq!(
            told(&ada),
            [
                line("acct_a", "active", "granted", (true, false)),
                line("acct_b", "active", "granted", (true, false)),
                line("acct_c", "active", "refused", (false, true)),
                line("acct_d", "active", "unclaimed", (false, false)),
            ]
        );
        // A claim outlives the account, and stays when the account is somebody else's.
        let why = json!({ "reason": "r" });
        panes.operator("POST", "/accounts/acct_a/close", Some(why)).ok();
        changed(panes, "acct_b", json!({ "person": "bob" }));
        let ada = person("ada").ok();
        assert_eq!(ada["free_credits"]["claimed"], json!(["acct_a", "acct_b"]));
        assert_eq!(told(&ada)[0], line("acct_a", "closed", "granted", (true, false)));
        assert_eq!(told(&ada)[1].0, "acct_c");
        assert_eq!(
            person("bob").ok()["free_credits"]["claimed"],
            json!(["acct_b", "acct_e"]),
            "who came to Bob has claimed there too"
        );
        // Page by page.
        let first = person("ada?limit=1").ok();
        let next = first["accounts"]["next"].as_str().unwrap();
        assert_eq!((told(&first).len(), told(&first)[0].0.as_str()), (1, "acct_a"));
        let rest = person(&format!("ada?starting_after={next}")).ok();
        assert_eq!(told(&rest).len(), 2);
        assert_eq!(rest["accounts"]["has_more"], false);
        // Names are names, whatever is in them.
        made(panes, "acct_f", "starter", "Ada/ Lovelace?");
        let odd = person("Ada%2F%20Lovelace%3F").ok();
        assert_eq!((&odd["id"], told(&odd).len()), (&json!("Ada/ Lovelace?"), 1));
        let long = person(&"x".repeat(201));
        assert_eq!((long.status.as_u16(), &long.body["param"]), (422, &json!("person")));
    });
}

#[test]
fn a_claim_is_made_when_a_person_or_such_a_plan_comes() {
    Panes::on_own_stores(|panes| {
        let none = made(panes, "acct_a", "studio", "ada");
        assert_eq!(none["free_credits"], "unclaimed", "its plan has no free credits");
        let plan = json!({ "plan": "starter" });
        assert_eq!(changed(panes, "acct_a", plan.clone())["free_credits"], "granted");
        let body = json!({ "id": "acct_b", "plan": "starter" });
        let nobody = panes.operator("POST", "/accounts", Some(body)).ok();
        assert_eq!(nobody["free_credits"], "unclaimed");
        let ada = json!({ "person": "ada" });
        assert_eq!(changed(panes, "acct_b", ada.clone())["free_credits"], "granted");
        made(panes, "acct_c", "starter", "bob");
        // Another person's account is counted anew: Ada has two, whatever Bob had.
        let moved = changed(panes, "acct_c", ada);
        assert_eq!((&moved["person"], &moved["free_credits"]), (&json!("ada"), &json!("refused")));
        // The claim for Bob stays, so coming back finds it.
        let back = changed(panes, "acct_c", json!({ "person": "bob" }));
        assert_eq!(back["free_credits"], "granted");
        // Another change leaves it as it is.
        assert_eq!(changed(panes, "acct_c", json!({ "label": "x" }))["free_credits"], "granted");
        let alone = changed(panes, "acct_c", json!({ "person": null }));
        assert_eq!(alone["free_credits"], "unclaimed");
    });
}

#[test]
fn a_restriction_has_an_end_and_a_reason_and_can_be_lifted() {
    Panes::on_own_stores(|panes| {
        let (secret, _) = panes.account("acct_a", "studio");
        let path = "/accounts/acct_a";
        let restriction = || {
            let me = panes.client(&secret, "GET", "/me", "").ok();
            me["account"]["restriction"].clone()
        };
        assert_eq!(restriction(), Value::Null);
        for (body, status, param) in [
            (json!({ "restricted_until": "2026-11-23T12:00:00Z" }), 400, "reason"),
            (
                json!({ "restricted_until": "2026-11-21T12:00:00Z", "reason": "r" }),
                422,
                "restricted_until",
            ),
            (json!({ "restricted_until": "soon", "reason": "r" }), 422, "restricted_until"),
        ] {
            let reply = panes.operator("PATCH", path, Some(body));
            assert_eq!((reply.status.as_u16(), &reply.body["param"]), (status, &json!(param)));
        }
        let body = json!({ "restricted_until": "2026-11-23T12:00:00Z", "reason": "fair use" });
        let restricted = changed(panes, "acct_a", body.clone());
        assert_eq!(restricted["status"], "active");
        assert_eq!(restricted["restricted_until"], "2026-11-23T12:00:00.000Z");
        assert_eq!(
            restriction(),
            json!({ "until": "2026-11-23T09:00:00-03:00", "time_zone": "America/Sao_Paulo",
                    "reason": "fair use" })
        );
        let lifted = changed(panes, "acct_a", json!({ "restricted_until": null }));
        assert_eq!((&lifted["restricted_until"], &lifted["reason"]), (&Value::Null, &json!("")));
        assert_eq!(restriction(), Value::Null);
        // One that is over says nothing more.
        changed(panes, "acct_a", body);
        panes.clock.advance(2 * super::shop::DAY);
        assert_eq!(restriction(), Value::Null);
        // The reason of a suspension is not the restriction's to clear.
        let why = json!({ "reason": "chargeback" });
        panes.operator("POST", "/accounts/acct_a/suspend", Some(why)).ok();
        let lifted = changed(panes, "acct_a", json!({ "restricted_until": null }));
        assert_eq!(lifted["reason"], "chargeback");
    });
}

#[test]
fn keys_have_members_and_routes_and_keep_them_when_rotated() {
    Panes::on_own_stores(|panes| {
        panes.account("acct_a", "club");
        let keys = "/accounts/acct_a/keys";
        let body = json!({ "member": "ana", "routes": ["images"] });
        let made = panes.operator("POST", keys, Some(body)).ok();
        assert_eq!((&made["member"], &made["routes"]), (&json!("ana"), &json!(["images"])));
        let id = made["id"].as_str().unwrap();
        let rotated = panes.operator("POST", &format!("/keys/{id}/rotate"), Some(json!({}))).ok();
        assert_eq!((&rotated["member"], &rotated["routes"]), (&made["member"], &made["routes"]));
        let secret = rotated["secret"].as_str().unwrap();
        let me = panes.client(secret, "GET", "/me", "").ok();
        assert_eq!((&me["member"], &me["routes"]), (&made["member"], &made["routes"]));
        let path = format!("/keys/{}", rotated["id"].as_str().unwrap());
        let body = json!({ "member": null, "routes": [] });
        let freed = panes.operator("PATCH", &path, Some(body)).ok();
        assert_eq!((&freed["member"], &freed["routes"]), (&Value::Null, &json!([])));
        let sha256 = "ab".repeat(32);
        let body = json!({ "sha256": sha256, "member": "bo", "routes": ["images"] });
        let imported = panes.operator("POST", &format!("{keys}/import"), Some(body)).ok();
        assert_eq!((&imported["member"], &imported["routes"]), (&json!("bo"), &json!(["images"])));
        for (body, param) in
            [(json!({ "routes": ["imgs"] }), "routes"), (json!({ "member": "" }), "member")]
        {
            for (method, path) in [("POST", keys), ("PATCH", path.as_str())] {
                let reply = panes.operator(method, path, Some(body.clone()));
                assert_eq!((reply.status.as_u16(), &reply.body["param"]), (422, &json!(param)));
            }
        }
    });
}
