//! Overrides of prices: from the operator's word to the quote, the hold, the receipt and the limits.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::admin::Role;
use tollgate::seam::{Clock, SystemClock};

use super::ledger_redis::{make, settings};
use super::panes::{Panes, token_of};
use super::redis_server::RedisServer;
use super::wire::Ask;
use super::world::{DUBBING, IMAGES, Payer, World, until};

/// The store of the world's configuration.
const STORE: &str = "store: { embedded: { path: ledger, lease: 3s } }";
/// Images belong to a feature; nothing else does.
const MEDIA: (&str, &str) = ("    price: images\n", "    price: images\n    feature: media\n");

/// Tells a story on each store, each time through the whole program.
fn worlds(story: impl Fn(&World)) {
    story(&World::start(&[MEDIA]));
    let server = RedisServer::start(&[]);
    make(&settings(&server), false);
    let store = "store: { redis: { url: 'redis://127.0.0.1:PORT', state: ledger, lease: 3s, deadlines: \
                 { reserve: 10s, other: 10s } } }";
    let store = store.replace("PORT", &server.port().to_string());
    story(&World::start(&[MEDIA, (STORE, store.as_str())]));
}

fn make_override(world: &World, payer: &Payer, name: &str, more: &Value) -> Value {
    let mut body = json!({ "limit": "price", "name": name, "reason": "launch week" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.operate("POST", &format!("/accounts/{}/overrides", payer.account), &body)
}

fn quote(world: &World, ask: &Ask) -> Value {
    world.send(&ask.clone().header("prefer", "metering=quote")).ok().json()
}

/// The labels and amounts of a receipt's lines.
fn told(lines: &Value) -> Vec<(&str, &str)> {
    let lines = lines.as_array().unwrap().iter();
    lines.map(|line| (line["label"].as_str().unwrap(), line["amount"].as_str().unwrap())).collect()
}

#[test]
fn a_price_is_halved_from_the_quote_to_the_receipt_until_somebody_ends_it() {
    worlds(|world| {
        let (maria, joao) = (world.payer("studio", "100"), world.payer("studio", "100"));
        let ask = |payer: &Payer| payer.images(3, "medium");
        assert_eq!(quote(world, &ask(&maria))["hold"], "15");
        let half =
            make_override(world, &maria, "media", &json!({ "id": "ov_h", "multiply": "0.5" }));
        assert_eq!((&half["limit"], &half["measure"]), (&json!("price"), &json!("credits")));
        make_override(world, &maria, "images", &json!({ "id": "ov_c", "cut": "0.25" }));
        let lines = [
            ("Images", "15"),
            ("override ov_h: × 0.5", "-7.5"),
            ("override ov_c: - 0.25", "-0.25"),
        ];
        let quoted = quote(world, &ask(&maria));
        assert_eq!(
            (&quoted["hold"], &quoted["balance"]["required"]),
            (&json!("7.25"), &json!("7.25"))
        );
        assert_eq!(told(&quoted["lines"]), lines);
        let reply = world.send(&ask(&maria)).ok();
        assert_eq!(reply.header("credits-held"), Some("7.25"));
        let receipt = world.ended(&maria, &reply.charge(), "settled");
        assert_eq!((&receipt["reserved"], &receipt["charged"]), (&json!("7.25"), &json!("7.25")));
        assert_eq!(told(&receipt["decision"]["hold"]["lines"]), lines);
        assert_eq!(told(&receipt["lines"]), lines);
        assert_eq!(
            receipt["lines"][1],
            json!({ "label": "override ov_h: × 0.5", "override": "ov_h", "reason": "launch week",
                    "before": "15", "after": "7.5", "amount": "-7.5" })
        );
        assert_eq!(world.purse(&maria).available, "92.75");
        let shown = world.look(&maria, "/limits");
        assert_eq!(
            shown["prices"][0],
            json!({ "id": "ov_h", "name": "media", "scope": null, "change": { "multiply": "0.5" },
                    "ends_at": null, "reason": "launch week" })
        );
        // Somebody else's price is what it was, and so is another route's.
        assert_eq!(quote(world, &ask(&joao))["hold"], "15");
        assert_eq!(world.look(&joao, "/limits")["prices"], json!([]));
        let dubbing = maria.post(DUBBING, &json!({ "seconds": 60 }));
        assert_eq!(quote(world, &dubbing)["hold"], "50");
        for id in ["ov_h", "ov_c"] {
            let path = format!("/accounts/{}/overrides/{id}/end", maria.account);
            world.operate("POST", &path, &json!({}));
        }
        let reply = world.send(&ask(&maria)).ok();
        assert_eq!(reply.header("credits-held"), Some("15"));
        assert_eq!(world.look(&maria, "/limits")["prices"], json!([]));
    });
}

#[test]
fn what_was_in_force_at_reserve_makes_the_charge() {
    worlds(|world| {
        let maria = world.payer("studio", "100");
        make_override(world, &maria, "dubbing", &json!({ "id": "ov_h", "multiply": "0.3" }));
        let mut wire = world.wire();
        let ask = maria.post(DUBBING, &json!({ "seconds": 90 })).sample("hang=1.5");
        wire.write(&ask.bytes());
        let open = || world.charges(&maria).first().cloned().filter(|one| one["held"] == "15");
        until("the hold is there", || open().is_some());
        // It ends while the work runs, and another one begins.
        let path = format!("/accounts/{}/overrides", maria.account);
        world.operate("POST", &format!("{path}/ov_h/end"), &json!({}));
        make_override(world, &maria, "dubbing", &json!({ "id": "ov_2", "multiply": "2" }));
        let reply = wire.reply().unwrap().ok();
        let receipt = world.ended(&maria, &reply.charge(), "settled");
        // Two started minutes are 20, three tenths of that are 6.
        assert_eq!(receipt["charged"], "6");
        assert_eq!(told(&receipt["lines"]), [("Minutes", "20"), ("override ov_h: × 0.3", "-14")]);
        assert_eq!(world.purse(&maria).available, "94");
        let next = maria.post(DUBBING, &json!({ "seconds": 90 }));
        assert_eq!(quote(world, &next)["hold"], "100");
    });
}

#[test]
fn a_price_begins_and_ends_by_itself() {
    worlds(|world| {
        let maria = world.payer("studio", "100000");
        let held = || {
            let reply = world.send(&maria.images(1, "medium")).ok();
            reply.header("credits-held").unwrap().to_owned()
        };
        assert_eq!(held(), "5");
        let now = SystemClock.now();
        let (starts, ends) = (now.plus_ms(1_500), now.plus_ms(3_000));
        let window =
            json!({ "set": "2", "starts_at": starts.to_string(), "ends_at": ends.to_string() });
        assert_eq!(make_override(world, &maria, "images", &window)["state"], "upcoming");
        // Nobody touches the account's document again: each moment is found by the clock alone.
        let mut seen = vec![held()];
        until("it has ended", || {
            std::thread::sleep(Duration::from_millis(100));
            let price = held();
            if seen.last() != Some(&price) {
                seen.push(price);
            }
            SystemClock.now() > ends.plus_ms(300)
        });
        assert_eq!(seen, ["5", "2", "5"]);
        let receipts = world.charges(&maria);
        let cheap: Vec<_> = receipts.iter().filter(|one| one["reserved"] == "2").collect();
        assert!(!cheap.is_empty());
        for receipt in cheap {
            let created: tollgate::seam::Timestamp =
                receipt["created"].as_str().unwrap().parse().unwrap();
            assert!(starts <= created && created < ends, "{receipt}");
        }
    });
}

#[test]
fn a_free_campaign_passes_at_zero_balance_and_only_for_whom_it_is() {
    let world = World::start(&[MEDIA]);
    let maria = world.payer("studio", "");
    assert_eq!(world.send(&maria.images(2, "high")).status, 402);
    let scope = format!("key:{}", maria.key_id);
    let campaign = json!({ "id": "ov_0", "multiply": "0", "scope": scope });
    make_override(&world, &maria, "images", &campaign);
    let reply = world.send(&maria.images(2, "high")).ok();
    assert_eq!(reply.header("credits-held"), Some("0"));
    let receipt = world.ended(&maria, &reply.charge(), "settled");
    assert_eq!((&receipt["charged"], &receipt["legs"]), (&json!("0"), &json!([])));
    assert_eq!(told(&receipt["lines"]), [("Images", "20"), ("override ov_0: × 0", "-20")]);
    // Another key of the account pays, and does not see it.
    let other = world.another_key(&maria.account);
    assert_eq!(world.send(&other.images(2, "high")).status, 402);
    assert_eq!(world.look(&other, "/limits")["prices"], json!([]));
    assert_eq!(world.look(&maria, "/limits")["prices"][0]["scope"], scope);
    let all = world.operate("GET", &format!("/accounts/{}/limits", maria.account), &Value::Null);
    assert_eq!(all["prices"][0]["id"], "ov_0", "operators see those of every key");
}

#[test]
fn the_most_that_a_client_pays_is_held_against_the_changed_price() {
    let world = World::start(&[MEDIA]);
    let maria = world.payer("studio", "100");
    let ask = || maria.images(1, "medium").header("credits-max", "6");
    world.send(&ask()).ok();
    make_override(&world, &maria, "images", &json!({ "add": "1.5" }));
    assert_eq!(world.send(&ask()).problem(), (412, "max_charge_exceeded".to_owned()));
    // Work that fails costs nothing all the same.
    let reply = world.send(&maria.images(1, "medium").sample("fail"));
    let receipt = world.ended(&maria, &reply.charge(), "released");
    assert_eq!((&receipt["reserved"], &receipt["charged"]), (&json!("6.5"), &json!("0")));
    // A price that cannot be counted is no price.
    make_override(&world, &maria, "images", &json!({ "add": "9007199254" }));
    let refused = world.send(&maria.post(IMAGES, &json!({ "n": 1 })));
    assert_eq!(refused.problem(), (422, "unpriceable_request".to_owned()));
}

#[test]
fn what_an_override_of_a_price_cannot_be_is_said() {
    let panes = Panes::new();
    panes.account("acct_a", "tiny");
    let path = "/accounts/acct_a/overrides";
    let make = |more: Value| {
        let mut body = json!({ "limit": "price", "name": "images", "reason": "r" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        panes.operator("POST", path, Some(body))
    };
    let unknown = make(json!({ "name": "imags", "add": "1" }));
    assert_eq!(unknown.problem(), (422, "unknown_limit"));
    assert_eq!(unknown.body["prices"], json!(["images"]));
    let detail = unknown.body["detail"].as_str().unwrap();
    assert!(detail.contains("There are: images"), "{detail}");
    for (more, status, param) in [
        (json!({ "add": 1 }), 400, "add"),
        (json!({ "set": "-1" }), 400, "set"),
        (json!({ "cut": "0.0000001" }), 400, "cut"),
        (json!({ "multiply": 0 }), 400, "multiply"),
        (json!({ "multiply": "0", "set": "0" }), 400, "add"),
        (json!({ "add": "1", "scope": "route:images" }), 422, "scope"),
        (json!({ "add": "1", "scope": "feature:media" }), 422, "scope"),
    ] {
        let reply = make(more.clone());
        let told = (reply.status.as_u16(), &reply.body["param"]);
        assert_eq!(told, (status, &json!(param)), "{more} {}", reply.body);
    }
    assert_eq!(panes.operator("GET", path, None).ok()["data"], json!([]));
    let made = make(json!({ "set": "0", "scope": "member:ana" })).ok();
    assert_eq!((&made["change"], &made["scope"]), (&json!({ "set": "0" }), &json!("member:ana")));
}

#[test]
fn limits_are_the_supports_and_prices_the_finances() {
    let panes = Panes::new();
    panes.account("acct_a", "tiny");
    let path = "/admin/v1/accounts/acct_a/overrides";
    for (limit, name, may) in [("cap", "two-a-day", "support"), ("price", "images", "finance")] {
        for role in [Role::Support, Role::Finance, Role::Owner] {
            let by = |path: &str, body: Option<&Value>| {
                panes.by(&token_of(role), &[], "POST", path, body)
            };
            let id = format!("{limit}-{role}");
            let body =
                json!({ "id": id, "limit": limit, "name": name, "multiply": "0.5", "reason": "r" });
            let owners = json!({ "id": format!("{id}-end"), "limit": limit, "name": name,
                                 "multiply": "0.5", "reason": "r" });
            panes.operator("POST", "/accounts/acct_a/overrides", Some(owners)).ok();
            let (made, ended) = (by(path, Some(&body)), by(&format!("{path}/{id}-end/end"), None));
            if role == Role::Owner || role.name() == may {
                assert_eq!((made.status.as_u16(), ended.status.as_u16()), (201, 200), "{id}");
            } else {
                assert_eq!(made.problem(), (403, "forbidden_role"), "{id}");
                assert_eq!(made.body["needed"], json!(["owner", may]));
                assert_eq!(ended.problem(), (403, "forbidden_role"), "{id}");
            }
        }
    }
}
