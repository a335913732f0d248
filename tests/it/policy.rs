//! What accounts see of the rules by which their credits come, live on, pay and end.

use serde_json::{Value, json};
use tollgate::credit::Zone;
use tollgate::meter::{Place, gates};
use tollgate::seam::Clock;

use super::openapi;
use super::panes::{Panes, Reply};
use super::shop::{self, DAY};
use super::world::{IMAGES, Payer, World};

fn balance(panes: &Panes, key: &str) -> Value {
    panes.client(key, "GET", "/balance", "").ok()
}

/// Holds credits under the plan's own gates, as the proxy would.
fn hold(panes: &Panes, account: &str, key: &str, credits: u64) -> tollgate::credit::ChargeId {
    let document = panes.document(account);
    let zone: Zone = document.zone.parse().unwrap();
    let name = "images".parse().unwrap();
    let place = Place { member: None, key: Some(key.parse().unwrap()), routes: &[(&name, None)] };
    let gates = gates(&shop::club(), &document, &zone, panes.clock.now(), &place).unwrap();
    panes.hold(account, key, credits, gates)
}

#[test]
fn a_balance_says_what_comes_what_lives_on_and_what_pays_first() {
    Panes::on_own_stores(|panes| {
        let (secret, key) = panes.account("acct_a", "club");
        // What was never touched is not given, so it has nothing that could live on.
        let charge = hold(panes, "acct_a", &key, 1);
        panes.settle("acct_a", charge, 1);
        let body = json!({ "id": "pay_1", "amount": "7", "reason": "r", "only": ["images"],
                           "expires_at": "2027-01-01T00:00:00Z" });
        panes.operator("POST", "/accounts/acct_a/grants", Some(body)).ok();
        let balance = balance(panes, &secret);
        let credits = &balance["balances"][0];
        assert_eq!(
            credits["next_refill"],
            json!({ "allowance": "daily", "amount": "10", "at": "2026-11-23T00:00:00-03:00",
                    "time_zone": "America/Sao_Paulo" })
        );
        let [daily, gift] = &credits["allowances"].as_array().unwrap()[..] else { panic!() };
        assert_eq!(daily["bucket"], "daily@2026-11-22");
        assert_eq!(daily["next_at"], "2026-11-23T00:00:00-03:00");
        assert_eq!(
            daily["carry_over"],
            json!({ "percent": 50, "min": "1", "max": "4", "until": "2026-11-24T00:00:00-03:00" })
        );
        let told = daily["detail"].as_str().unwrap();
        assert!(told.contains("50 percent lives on, at least 1 and at most 4"), "{told}");
        assert_eq!((&gift["when"], &gift["next_at"]), (&json!("paid_exhausted"), &Value::Null));
        assert_eq!((&gift["bucket"], &gift["carry_over"]), (&Value::Null, &Value::Null));
        let told = gift["detail"].as_str().unwrap();
        assert!(told.contains("once paid credits cannot cover a request"), "{told}");
        let paid = &credits["by_grant"][1];
        assert_eq!((&paid["only"], &paid["standing"]), (&json!(["images"]), &json!("active")));
        assert_eq!(paid["expires_at"], "2027-01-01T00:00:00.000Z");
        let order: Vec<_> = balance["draw_order"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["class"].as_str().unwrap(), one["rank"].as_u64().unwrap()))
            .collect();
        assert_eq!(
            order,
            [
                ("rollover", 0),
                ("plan", 1),
                ("goodwill", 2),
                ("bonus", 3),
                ("purchased", 4),
                ("free", 5)
            ]
        );
        // A day later half of what was left is there still, and ends with that day.
        panes.clock.advance(DAY);
        let credits = &self::balance(panes, &secret)["balances"][0];
        let first = &credits["by_grant"][0];
        assert_eq!((&first["class"], &first["available"]), (&json!("rollover"), &json!("4")));
        assert_eq!(first["expires_at"], "2026-11-24T03:00:00.000Z");
    });
}

#[test]
fn free_credits_that_came_in_need_are_told_as_such() {
    Panes::on_own_stores(|panes| {
        let (secret, key) = panes.account("acct_a", "club");
        // Ten are paid, two are free: eleven take both.
        let charge = hold(panes, "acct_a", &key, 11);
        panes.settle("acct_a", charge, 11);
        let credits = &balance(panes, &secret)["balances"][0];
        assert_eq!(credits["available"], "1");
        let gift = &credits["allowances"][1];
        assert_eq!(gift["bucket"], "gift@2026-11");
        assert_eq!(gift["ends_at"], "2026-12-01T00:00:00-03:00");
        let told = gift["detail"].as_str().unwrap();
        assert!(told.starts_with("2 came for this period") && told.contains("once paid"), "{told}");
        assert_eq!(credits["next_refill"]["allowance"], "daily");
    });
}

#[test]
fn the_next_refill_is_that_of_the_allowance_that_runs() {
    Panes::on_own_stores(|panes| {
        let (secret, key) = panes.account("acct_a", "club");
        // Touched in São Paulo, where the day ends at three in the morning UTC.
        let charge = hold(panes, "acct_a", &key, 1);
        panes.settle("acct_a", charge, 1);
        let body = json!({ "zone": "Asia/Tokyo" });
        panes.operator("PATCH", "/accounts/acct_a", Some(body)).ok();
        let credits = &balance(panes, &secret)["balances"][0];
        // Tokyo's own day would end at 15:00 UTC; what runs ends at 03:00 UTC, noon in Tokyo.
        assert_eq!(credits["next_refill"]["at"], "2026-11-23T12:00:00+09:00");
        assert_eq!(credits["next_refill"]["time_zone"], "Asia/Tokyo");
        let daily = &credits["allowances"][0];
        assert_eq!(daily["ends_at"], "2026-11-23T12:00:00+09:00");
        // Until when that day's rest lives on was said by São Paulo's calendar, and is not guessed here.
        assert_eq!(
            (&daily["carry_over"]["percent"], &daily["carry_over"]["until"]),
            (&json!(50), &Value::Null)
        );
        panes.clock.advance(4 * 60 * 60 * 1_000);
        let credits = &balance(panes, &secret)["balances"][0];
        assert_eq!(credits["available"], "9", "Tokyo's new day gives nothing before the old ends");
    });
}

/// Holds an answer of the gateway against the clients' document.
fn documented(quote: &Value) {
    let kind = http::HeaderValue::from_static("application/json");
    let headers = [(http::header::CONTENT_TYPE, kind)].into_iter().collect();
    let reply = Reply { status: http::StatusCode::OK, headers, body: quote.clone() };
    openapi::holds(&openapi::CLIENT, "POST", "/_credits/v1/quote", None, &reply);
}

#[test]
fn a_quote_says_whether_the_balance_covers_the_price() {
    let world = World::start(&[]);
    let quoted = |payer: &Payer, n: u64, quality: &str| {
        let ask = payer.images(n, quality).header("prefer", "metering=quote");
        let quote = world.send(&ask).ok().json();
        documented(&quote);
        quote
    };
    let maria = world.payer("starter", "10");
    let quote = quoted(&maria, 4, "low");
    let balance = &quote["balance"];
    assert_eq!((&quote["decision"], &balance["covered"]), (&json!("allow"), &json!(true)));
    assert_eq!((&balance["required"], &balance["available"]), (&json!("4"), &json!("13")));
    let first = balance["by_grant"][0]["id"].as_str().unwrap();
    assert!(first.starts_with("monthly@"), "{first}");
    assert_eq!(quote["legs"][0]["bucket"], first);
    let statement = world.look(&maria, "/balance");
    let own = &statement["balances"][0];
    for name in ["next_refill", "allowances", "by_grant"] {
        assert_eq!(balance[name], own[name], "{name}");
    }
    assert_eq!(balance["next_refill"]["amount"], "3");
    assert_eq!(balance["draw_order"], statement["draw_order"]);

    let short = quoted(&maria, 2, "high");
    assert_eq!(
        (&short["decision"], &short["code"]),
        (&json!("block"), &json!("insufficient_credits"))
    );
    assert_eq!(short["balance"]["covered"], false);
    // What stands in the way here is a cap, not the balance.
    let capped = quoted(&world.payer("thrifty", "100"), 2, "high");
    assert_eq!(
        (&capped["code"], &capped["balance"]["covered"]),
        (&json!("cap_exceeded"), &json!(true))
    );
    // Without a price nothing can be said.
    let odd = quoted(&maria, 11, "low");
    assert_eq!((&odd["decision"], &odd["balance"]), (&json!("block"), &Value::Null));
    // The clients' plane says the same as the request itself.
    let asked = json!({ "method": "POST", "path": IMAGES, "body": { "n": 4, "quality": "low" } });
    let plane = world.send(&maria.post("/_credits/v1/quote", &asked)).ok().json();
    assert_eq!(plane["balance"], quote["balance"]);
}
