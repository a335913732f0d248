//! The header by which trusted networks name an account.

use serde_json::{Value, json};

use super::rig::{Place, Seed, images, team_route};
use crate::ledger_redis::{open_served, settings};
use crate::ledger_world::{ok, wait};
use crate::redis_server::RedisServer;
use crate::wire::Ask;
use crate::world::{IMAGES, Payer, until};
use tollgate::credit::AliasId;
use tollgate::ledger::{AccountChange, Alias, Ledger};

const BALANCE: &str = "/_credits/v1/balance";
const HEADER: &str = "x-account-id";

fn believed(from: &str) -> (&'static str, String) {
    let to =
        format!("identity: {{ header: {{ name: X-Account-Id, from: [{from}] }} }}\nupstreams:\n");
    ("upstreams:\n", to)
}

fn accounts(seed: &Seed<'_>) {
    seed.account("acct_lea", Some("Team 7/Lea"));
    seed.account("acct_ben", None);
}

fn named(account: &str) -> Payer {
    Payer { account: account.to_owned(), key: String::new(), key_id: String::new() }
}

/// The key that speaks for an account, as operators see it.
#[track_caller]
fn speaker(place: &Place, account: &str) -> Value {
    let listed = place.world.operate("GET", &format!("/accounts/{account}/keys"), &Value::Null);
    let keys = listed["data"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{listed}");
    keys[0].clone()
}

#[test]
fn a_trusted_network_names_an_account_by_id_or_reference() {
    let (from, to) = believed("127.0.0.0/8");
    Place::on_both(&[(from, &to)], accounts, |place| {
        place.world.grant(&named("acct_lea"), "100");
        for name in ["acct_lea", "Team 7/Lea"] {
            let reply = place.send(&images(IMAGES).header(HEADER, name)).ok();
            let told = format!("{:?}", place.world.last_headers());
            assert!(!told.contains(HEADER), "{told}");
            let path = format!("/_credits/v1/charges/{}", reply.charge());
            let receipt = place.send(&Ask::new("GET", &path).header(HEADER, name)).ok().json();
            assert_eq!(receipt["account"], "acct_lea");
            assert_eq!(receipt["key"], speaker(place, "acct_lea")["id"]);
        }
        assert_eq!(speaker(place, "acct_lea")["label"], "header x-account-id");
        // Whom nobody knows, and what is no name.
        for name in ["acct_nobody", "Team 8", "", &"x".repeat(300)] {
            let reply = place.send(&images(IMAGES).header(HEADER, name));
            assert_eq!(reply.problem(), (401, "invalid_key".into()), "{name}");
        }
        let twice = images(IMAGES).header(HEADER, "acct_lea").header(HEADER, "acct_ben");
        assert_eq!(place.send(&twice).problem().0, 401);
        // Revoked like any key, at the next request.
        let before = place.world.forwarded();
        let id = speaker(place, "acct_lea")["id"].as_str().unwrap().to_owned();
        place.world.operate("POST", &format!("/keys/{id}/revoke"), &json!({}));
        for name in ["acct_lea", "Team 7/Lea"] {
            assert_eq!(place.send(&images(IMAGES).header(HEADER, name)).problem().0, 401);
            assert_eq!(place.send(&Ask::new("GET", BALANCE).header(HEADER, name)).problem().0, 401);
        }
        assert_eq!(place.world.forwarded(), before);
        assert_eq!(place.send(&Ask::new("GET", BALANCE).header(HEADER, "acct_ben")).status, 200);
    });
}

#[test]
fn a_header_and_a_key_are_two_identities() {
    let (from, to) = believed("127.0.0.0/8");
    let place = Place::on_file(&[(from, &to)], accounts);
    let payer = place.world.payer("studio", "100");
    let both = payer.images(1, "low").header(HEADER, "acct_lea");
    assert_eq!(place.send(&both).problem(), (400, "bad_request".into()));
    let both = payer.get(BALANCE).header(HEADER, "acct_lea");
    assert_eq!(place.send(&both).problem(), (400, "bad_request".into()));
    place.send(&payer.images(1, "low")).ok();
    assert_eq!(place.world.forwarded(), 1);
}

#[test]
fn from_anywhere_else_it_is_not_there() {
    let (from, to) = believed("10.0.0.0/8");
    let to = format!("trusted_proxies: [127.0.0.0/8]\n{to}");
    let place = Place::on_file(&[(from, &to)], accounts);
    place.world.grant(&named("acct_lea"), "100");
    // A proxy that is trusted with addresses is not trusted with accounts.
    for more in ["", "10.1.2.3"] {
        let ask = images(IMAGES).header(HEADER, "acct_lea").header("x-forwarded-for", more);
        assert_eq!(place.send(&ask).problem(), (401, "invalid_key".into()));
        let ask = Ask::new("GET", BALANCE).header(HEADER, "acct_lea");
        assert_eq!(place.send(&ask).problem(), (401, "invalid_key".into()));
    }
    let payer = place.world.payer("studio", "100");
    let reply = place.send(&payer.images(1, "low").header(HEADER, "acct_lea")).ok();
    let told = format!("{:?}", place.world.last_headers());
    assert!(!told.contains("acct_lea"), "{told}");
    assert_eq!(
        place.world.ended(&payer, &reply.charge(), "settled")["account"],
        payer.account.as_str()
    );
}

#[test]
fn a_route_says_which_ways_count() {
    let (from, to) = believed("127.0.0.0/8");
    let mut changes = team_route("", ", identity: [header]").to_vec();
    changes.push((from, to));
    changes.push((
        "match: POST /v1/images/generations",
        "match: POST /v1/images/generations\n    identity: [key]".to_owned(),
    ));
    let changes: Vec<_> = changes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let place = Place::on_file(&changes, accounts);
    let payer = place.world.payer("studio", "100");
    place.world.grant(&named("acct_lea"), "100");
    let by_header = |path: &str| images(path).header(HEADER, "acct_lea");
    place.send(&by_header("/team/images")).ok();
    assert_eq!(place.send(&images("/team/images").key(&payer.key)).problem().0, 401);
    assert_eq!(place.send(&by_header(IMAGES)).problem().0, 401);
    place.send(&images(IMAGES).key(&payer.key)).ok();
    // What does not count is not looked at, and does not go on.
    let charge = place.send(&by_header("/team/images").key(&payer.key)).ok().charge();
    let path = format!("/_credits/v1/charges/{charge}");
    let receipt = place.send(&Ask::new("GET", &path).header(HEADER, "acct_lea")).ok().json();
    assert_eq!(receipt["account"], "acct_lea");
    assert!(!place.team.all().contains(&payer.key));
    assert_eq!(place.team.count(), 2);
}

#[test]
fn a_reference_that_moves_takes_its_requests_with_it() {
    let (from, to) = believed("127.0.0.0/8");
    let place = Place::on_redis(RedisServer::start(&[]), &[(from, &to)], accounts);
    for account in ["acct_lea", "acct_ben"] {
        place.world.grant(&named(account), "100");
    }
    let ask = images(IMAGES).header(HEADER, "Team 7/Lea");
    place.send(&ask).ok();
    let ledger = open_served(&settings(place.redis()));
    let id = AliasId::of("reference", b"Team 7/Lea");
    let alias = |account: &str| Alias { id, account: account.parse().unwrap(), key: None };
    let called = |account: &str, name: Option<&str>| {
        let reference = Some(name.map(str::to_owned));
        let change = AccountChange { reference, ..AccountChange::of(account.parse().unwrap()) };
        ok(wait(ledger.change_account(change)));
    };
    called("acct_lea", None);
    ok(wait(ledger.remove_alias(alias("acct_lea"))));
    ok(wait(ledger.create_alias(alias("acct_ben"))));
    called("acct_ben", Some("Team 7/Lea"));
    let before = place.world.operate("GET", "/accounts/acct_lea/balance", &Value::Null);
    until("the other account pays", || {
        let reply = place.send(&ask);
        assert!([200, 503].contains(&reply.status), "{reply:?}");
        reply.status == 200
    });
    let after = place.world.operate("GET", "/accounts/acct_lea/balance", &Value::Null);
    assert_eq!(before["balances"], after["balances"]);
    assert_eq!(speaker(&place, "acct_ben")["label"], "header x-account-id");
}
