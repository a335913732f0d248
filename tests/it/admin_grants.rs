//! The operators' API: packs, purchases with a price and a bonus, and grants taken back.

use serde_json::{Value, json};

use super::panes::{Panes, Reply};
use super::shop::DAY;

const GRANTS: &str = "/accounts/acct_a/grants";

fn give(panes: &Panes, body: Value) -> Reply {
    panes.operator("POST", GRANTS, Some(body))
}

fn act(panes: &Panes, grant: &str, verb: &str) -> Reply {
    let body = json!({ "reason": "ticket 4711" });
    panes.operator("POST", &format!("{GRANTS}/{grant}/{verb}"), Some(body))
}

fn grant(panes: &Panes, id: &str) -> Value {
    panes.operator("GET", &format!("{GRANTS}/{id}"), None).ok()
}

fn available(panes: &Panes) -> Value {
    let balance = panes.operator("GET", "/accounts/acct_a/balance", None).ok();
    balance["balances"][0]["available"].clone()
}

#[test]
fn packs_are_listed_and_given_by_their_name() {
    Panes::on_own_stores(|panes| {
        panes.account("acct_a", "studio");
        let all = panes.operator("GET", "/packs", None).ok();
        assert_eq!(all["data"][0]["name"], "small");
        assert_eq!(all["data"][0]["paid"], json!({ "amount": "5", "currency": "USD" }));
        assert_eq!(all["data"][1]["only"], json!(["images"]));
        let first = panes.operator("GET", "/packs?limit=1", None).ok();
        assert_eq!(first["next"], "small");
        let rest = panes.operator("GET", "/packs?starting_after=small", None).ok();
        assert_eq!(rest["data"], json!([all["data"][1]]));

        let body = json!({ "pack": "small", "id": "pay_1", "reason": "order 1" });
        let made = give(panes, body.clone());
        assert_eq!(made.status, 201);
        let made = made.body;
        for (name, value) in [
            ("granted", json!("500")),
            ("class", json!("purchased")),
            ("paid", json!({ "amount": "5", "currency": "USD" })),
            ("expires_at", json!("2027-11-22T12:00:00.000Z")),
        ] {
            assert_eq!(made[name], value, "{name}");
        }
        assert_eq!(made["bonus"]["id"], "pay_1@bonus");
        assert_eq!(made["bonus"]["parent"], "pay_1");
        assert_eq!(made["bonus"]["expires_at"], "2026-12-22T12:00:00.000Z");
        // Told again a week later, the payment gives nothing more, and ends when it ended.
        panes.clock.advance(7 * DAY);
        let again = give(panes, body.clone()).ok();
        assert_eq!((&again["id"], &again["expires_at"]), (&made["id"], &made["expires_at"]));
        assert_eq!(available(panes), "550");
        // Its id means this pack for ever.
        let other = json!({ "pack": "large", "id": "pay_1", "reason": "order 1" });
        assert_eq!(give(panes, other).problem(), (409, "conflict"));
        assert_eq!(available(panes), "550");
    });
}

#[test]
fn what_a_pack_says_is_not_said_twice() {
    let panes = Panes::new();
    panes.account("acct_a", "studio");
    let with = |more: Value| {
        let mut body = json!({ "pack": "small", "id": "pay_1", "reason": "r" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        give(&panes, body)
    };
    for (name, value) in [
        ("amount", json!("5")),
        ("kind", json!("scans")),
        ("paid", json!({ "amount": "1", "currency": "USD" })),
        ("bonus", json!({ "amount": "1" })),
        ("only", json!(["images"])),
        ("expires_at", json!("2099-01-01T00:00:00Z")),
        ("class", json!("goodwill")),
    ] {
        let mut more = json!({});
        more[name] = value;
        let reply = with(more);
        assert_eq!((reply.status.as_u16(), &reply.body["param"]), (422, &json!(name)));
    }
    let unknown = with(json!({ "pack": "huge" }));
    assert_eq!(unknown.problem(), (422, "unknown_pack"));
    assert!(unknown.body["detail"].as_str().unwrap().contains("small, large"));
    for (name, value) in [
        ("paid", json!({ "amount": "1" })),
        ("paid", json!({ "amount": "1", "currency": "USD", "tax": "1" })),
        ("bonus", json!({ "amount": "1", "until": "never" })),
        ("only", json!("images")),
    ] {
        let mut body = json!({ "id": "pay_1", "amount": "1", "reason": "r" });
        body[name] = value;
        let reply = give(&panes, body);
        assert_eq!((reply.status.as_u16(), &reply.body["param"]), (400, &json!(name)));
    }
    for body in [
        json!({ "id": "g", "amount": "1", "reason": "r", "class": "bonus",
                "paid": { "amount": "1", "currency": "USD" } }),
        json!({ "id": "g", "amount": "1", "reason": "r", "paid": { "amount": "1", "currency": "usd" } }),
        json!({ "id": "g", "amount": "1", "reason": "r", "bonus": { "amount": "0" } }),
    ] {
        assert_eq!(give(&panes, body.clone()).problem(), (422, "invalid"), "{body}");
    }
    assert_eq!(available(&panes), "0", "nothing of all this was given");
}

#[test]
fn an_unused_purchase_goes_back_for_its_money() {
    Panes::on_own_stores(|panes| {
        let (_, key) = panes.account("acct_a", "studio");
        let body = json!({ "id": "pay_1", "amount": "100", "reason": "r",
                           "paid": { "amount": "10", "currency": "EUR" },
                           "bonus": { "amount": "20", "expires_at": "2026-12-22T12:00:00Z" } });
        let made = give(panes, body).ok();
        assert_eq!(made["bonus"]["granted"], "20");
        // The bonus pays first: 20 of it, 10 of the purchase; then 10 more are held.
        let spent = panes.hold("acct_a", &key, 30, Default::default());
        panes.settle("acct_a", spent, 30);
        let open = panes.hold("acct_a", &key, 10, Default::default());
        let taken = act(panes, "pay_1", "refund").ok();
        assert_eq!((&taken["object"], &taken["how"]), (&json!("withdrawal"), &json!("refund")));
        assert_eq!(taken["money"], json!({ "amount": "8", "currency": "EUR" }));
        assert_eq!((&taken["held"], &taken["owed"]), (&json!("10"), &json!("0")));
        assert_eq!(taken["grant"]["voided"], "80");
        assert_eq!(taken["grant"]["standing"], "voided");
        assert_eq!(available(panes), "0");
        // What was held comes back void; asked again, the money for it is told too.
        panes.settle("acct_a", open, 4);
        assert_eq!(available(panes), "0");
        let again = act(panes, "pay_1", "refund").ok();
        assert_eq!(again["money"], json!({ "amount": "8.6", "currency": "EUR" }));
        assert_eq!(again["held"], "0");
        assert_eq!(grant(panes, "pay_1")["spent"], "14");
    });
}

#[test]
fn grants_are_voided_reversed_and_ended() {
    Panes::on_own_stores(|panes| {
        let (_, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "10");
        let charge = panes.hold("acct_a", &key, 4, Default::default());
        panes.settle("acct_a", charge, 4);
        let voided = act(panes, "pay_1", "void").ok();
        assert_eq!((&voided["money"], &voided["owed"]), (&Value::Null, &json!("0")));
        assert_eq!(voided["grant"]["voided"], "6");
        assert_eq!(act(panes, "pay_1", "void").ok(), voided, "again takes nothing more");

        panes.give("acct_a", "pay_2", "10");
        let charge = panes.hold("acct_a", &key, 4, Default::default());
        panes.settle("acct_a", charge, 4);
        let reversed = act(panes, "pay_2", "reverse").ok();
        assert_eq!((&reversed["how"], &reversed["owed"]), (&json!("reversal"), &json!("4")));
        let balance = panes.operator("GET", "/accounts/acct_a/balance", None).ok();
        assert_eq!(balance["balances"][0]["owed"], "4");
        // What is bought next repays it.
        assert_eq!(panes.give("acct_a", "pay_3", "10")["repaid"], "4");

        let ended = act(panes, "pay_3", "expire").ok();
        assert_eq!((&ended["how"], &ended["grant"]["expired"]), (&json!("expire"), &json!("6")));
        assert_eq!(available(panes), "0");
        let gift = json!({ "id": "g_1", "amount": "5", "reason": "r", "class": "goodwill" });
        give(panes, gift).ok();
        for verb in ["refund", "reverse"] {
            assert_eq!(act(panes, "g_1", verb).problem(), (422, "invalid"), "{verb}");
        }
        assert_eq!(available(panes), "5");
        for verb in ["void", "refund", "reverse", "expire", "freeze", "thaw"] {
            assert_eq!(act(panes, "pay_9", verb).problem(), (404, "unknown_grant"), "{verb}");
            let path = format!("{GRANTS}/g_1/{verb}");
            let bare = panes.operator("POST", &path, Some(json!({})));
            assert_eq!((bare.status.as_u16(), &bare.body["param"]), (400, &json!("reason")));
        }
    });
}

#[test]
fn a_frozen_grant_neither_pays_nor_ends() {
    Panes::on_own_stores(|panes| {
        let (secret, key) = panes.account("acct_a", "studio");
        let ends = json!({ "id": "pay_1", "amount": "10", "reason": "r",
                           "expires_at": "2026-11-23T12:00:00Z" });
        give(panes, ends).ok();
        panes.hold("acct_a", &key, 4, Default::default());
        assert_eq!(act(panes, "pay_1", "freeze").ok()["standing"], "frozen");
        let balance = panes.client(&secret, "GET", "/balance", "").ok();
        let credits = &balance["balances"][0];
        assert_eq!((&credits["available"], &credits["held"]), (&json!("0"), &json!("4")));
        assert_eq!(credits["by_grant"], json!([]));
        assert_eq!(credits["frozen"][0]["available"], "6");
        panes.clock.advance(2 * DAY);
        assert_eq!(grant(panes, "pay_1")["expired"], "0");
        let path = format!("{GRANTS}/pay_1/thaw");
        let past = json!({ "reason": "r", "expires_at": "2026-11-23T12:00:00Z" });
        let past = panes.operator("POST", &path, Some(past));
        assert_eq!((past.status.as_u16(), &past.body["param"]), (422, &json!("expires_at")));
        let later = json!({ "reason": "r", "expires_at": "2026-12-23T12:00:00Z" });
        let thawed = panes.operator("POST", &path, Some(later)).ok();
        assert_eq!(thawed["standing"], "active");
        assert_eq!(thawed["expires_at"], "2026-12-23T12:00:00.000Z");
        // The lease of the hold has lapsed meanwhile; what is not held pays again.
        assert_ne!(available(panes), "0");
        let never = json!({ "reason": "r", "expires_at": null });
        assert_eq!(panes.operator("POST", &path, Some(never)).ok()["expires_at"], Value::Null);
    });
}
