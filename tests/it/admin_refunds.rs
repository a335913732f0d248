//! The operators' API: refunds after settlement, adjustments of holds.

use serde_json::{Value, json};

use super::panes::{Panes, Reply};
use super::shop::DAY;

fn refund(panes: &Panes, charge: &str, body: Value) -> Reply {
    panes.operator("POST", &format!("/charges/{charge}/refund"), Some(body))
}

#[test]
fn a_charge_is_refunded_in_parts_and_never_beyond() {
    Panes::on_own_stores(|panes| {
        let (secret, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "100");
        let charge = panes.hold("acct_a", &key, 12, Default::default());
        let id = charge.to_string();
        let why = |id: &str| json!({ "id": id, "reason": "blurred" });
        let open = refund(panes, &id, why("r_1"));
        assert_eq!(open.problem(), (409, "charge_open"));
        panes.settle("acct_a", charge, 10);
        let part = json!({ "id": "r_1", "amount": "2.5", "reason": "blurred" });
        let done = refund(panes, &id, part.clone());
        assert_eq!(done.status, 201);
        for (name, value) in
            [("amount", "2.5"), ("refunded", "2.5"), ("charged", "7.5"), ("available", "92.5")]
        {
            assert_eq!(done.body[name], value, "{name}");
        }
        // The same id gives back once, with its amount or without; another amount is another content.
        assert_eq!(refund(panes, &id, part).ok(), done.body);
        assert_eq!(refund(panes, &id, why("r_1")).ok(), done.body);
        let other = json!({ "id": "r_1", "amount": "3", "reason": "blurred" });
        assert_eq!(refund(panes, &id, other).problem(), (409, "conflict"));
        let more = json!({ "id": "r_2", "amount": "8", "reason": "r" });
        let more = refund(panes, &id, more);
        assert_eq!(more.problem(), (422, "refund_too_large"));
        assert_eq!(more.body["left"], "7.5");
        let zero = json!({ "id": "r_2", "amount": "0", "reason": "r" });
        assert_eq!(refund(panes, &id, zero).problem(), (422, "invalid"));
        // By the id of the request, and all that is left.
        let request = id.replace("chg_", "req_");
        let rest = refund(panes, &request, why("r_3")).ok();
        assert_eq!((&rest["amount"], &rest["charged"]), (&json!("7.5"), &json!("0")));
        let none = refund(panes, &id, why("r_4"));
        assert_eq!((none.problem(), &none.body["left"]), ((422, "refund_too_large"), &json!("0")));

        let receipt = panes.client(&secret, "GET", &format!("/charges/{id}"), "").ok();
        assert_eq!((&receipt["charged"], &receipt["refunded"]), (&json!("0"), &json!("10")));
        assert_eq!(receipt["returned"], "2");
        let told: Vec<_> = receipt["refunds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| (part["id"].as_str().unwrap(), part["amount"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("r_1", "2.5"), ("r_3", "7.5")]);
        assert_eq!(receipt["refunds"][0]["reason"], "blurred");
        let why = receipt["why"].as_str().unwrap();
        assert!(why.contains("10 was charged") && why.contains("it costs 0 now"), "{why}");
        let last = receipt["timeline"].as_array().unwrap().last().unwrap();
        assert_eq!(last["event"], "refunded");
        let balance = panes.client(&secret, "GET", "/balance", "").ok();
        assert_eq!(balance["balances"][0]["available"], "100");
    });
}

#[test]
fn an_archived_charge_points_to_goodwill() {
    Panes::on_own_stores(|panes| {
        let (_, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "100");
        let charge = panes.hold("acct_a", &key, 4, Default::default());
        panes.settle("acct_a", charge, 4);
        panes.clock.advance(40 * DAY);
        for amount in [Value::Null, json!("1")] {
            let body = json!({ "id": "r_1", "reason": "r", "amount": amount });
            let late = refund(panes, &charge.to_string(), body);
            assert_eq!(late.problem(), (409, "charge_archived"), "{}", late.body);
            assert_eq!(late.body["goodwill"], format!("gw:{charge}"));
        }
        let id = format!("gw:{charge}");
        let gift = json!({ "id": id, "amount": "4", "reason": "r", "class": "goodwill" });
        for _ in 0..2 {
            let path = "/accounts/acct_a/grants";
            assert_eq!(panes.operator("POST", path, Some(gift.clone())).ok()["id"], id);
        }
        let balance = panes.operator("GET", "/accounts/acct_a/balance", None).ok();
        assert_eq!(balance["balances"][0]["available"], "100");
        // One that never was is not archived.
        let mut bytes = *charge.as_bytes();
        let young = panes.hold("acct_a", &key, 1, Default::default());
        bytes[..6].copy_from_slice(&young.as_bytes()[..6]);
        let never = tollgate::credit::ChargeId::from_bytes(bytes).to_string();
        let body = json!({ "id": "r_1", "reason": "r" });
        assert_eq!(refund(panes, &never, body).problem(), (404, "unknown_charge"));
    });
}

#[test]
fn a_hold_is_adjusted_down_and_up() {
    Panes::on_every_store(|panes| {
        let (secret, key) = panes.account("acct_a", "studio");
        panes.give("acct_a", "pay_1", "20");
        let charge = panes.hold("acct_a", &key, 10, Default::default());
        let adjust = |id: &str, held: &str| {
            let body = json!({ "id": id, "held": held });
            panes.operator("POST", &format!("/charges/{charge}/adjust"), Some(body))
        };
        let less = adjust("a_1", "4").ok();
        assert_eq!((&less["held"], &less["available"]), (&json!("4"), &json!("16")));
        assert_eq!(less["legs"], json!([{ "bucket": "pay_1", "amount": "4" }]));
        assert_eq!(adjust("a_1", "4").ok(), less);
        assert_eq!(adjust("a_1", "5").problem(), (409, "conflict"));
        let more = adjust("a_2", "25").ok();
        assert_eq!((&more["held"], &more["short"]), (&json!("20"), &json!("5")));
        // The receipt tells of both, while it runs and afterwards.
        let receipt = || panes.operator("GET", &format!("/charges/{charge}"), None).ok();
        let both = json!([
            { "id": "a_1", "wanted": "4", "held": "4", "short": "0" },
            { "id": "a_2", "wanted": "25", "held": "20", "short": "5" },
        ]);
        assert_eq!(receipt()["adjustments"], both);
        panes.settle("acct_a", charge, 20);
        let body = json!({ "id": "r_1", "amount": "3", "reason": "blurred" });
        panes.operator("POST", &format!("/charges/{charge}/refund"), Some(body)).ok();
        let receipt = receipt();
        assert_eq!(receipt["adjustments"], both);
        assert_eq!(panes.client(&secret, "GET", &format!("/charges/{charge}"), "").ok(), receipt);
        let timeline = receipt["timeline"].as_array().unwrap();
        let events: Vec<_> = timeline.iter().map(|one| one["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["reserved", "adjusted", "adjusted", "settled", "refunded"]);
        assert_eq!(
            timeline[2],
            json!({ "at": null, "event": "adjusted", "id": "a_2", "wanted": "25", "held": "20",
                    "short": "5" })
        );
        assert_eq!(
            timeline[4],
            json!({ "at": receipt["refunds"][0]["at"], "event": "refunded", "id": "r_1",
                    "amount": "3", "reason": "blurred" })
        );
        assert_eq!(adjust("a_3", "1").problem(), (409, "charge_ended"));
        let odd = panes.operator(
            "POST",
            "/charges/chg_x/adjust",
            Some(json!({ "id": "a", "held": "1" })),
        );
        assert_eq!(odd.problem(), (404, "unknown_charge"));
        for (body, param) in [
            (json!({ "held": "1" }), "id"),
            (json!({ "id": "a" }), "held"),
            (json!({ "id": "a", "held": "-1" }), "held"),
            (json!({ "id": "a", "held": "1", "reason": "r" }), "reason"),
        ] {
            let path = format!("/charges/{charge}/adjust");
            let reply = panes.operator("POST", &path, Some(body));
            assert_eq!((reply.status.as_u16(), &reply.body["param"]), (400, &json!(param)));
        }
    });
}
