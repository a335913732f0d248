//! Tokens of declared issuers: every algorithm, key sets that change, what the claims decide.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tollgate::ledger::{AccountChange, Ledger};

use super::rig::{Place, Seed, images, team_route};
use super::signer::{AUDIENCE, ISSUER, SetServer, Signer, claims, main_key, now, set};
use crate::ledger_redis::{open_served, settings};
use crate::ledger_world::{ok, wait};
use crate::redis_server::RedisServer;
use crate::wire::{Ask, Reply};
use crate::world::{IMAGES, Payer, until};

const BALANCE: &str = "/_credits/v1/balance";

/// An issuer in the configuration, with these words about its keys.
pub(crate) fn issuer(algorithms: &str, keys: &str) -> (&'static str, String) {
    let to = format!(
        "issuers:\n  main:\n    issuer: {ISSUER}\n    audience: [{AUDIENCE}, other.example]\n    \
         algorithms: [{algorithms}]\n    {keys}\n    leeway: 5s\n    claims: {{ account: /sub, \
         plan: /plan, tags: {{ team: /org/team, seats: /org/seats }} }}\nupstreams:\n"
    );
    ("upstreams:\n", to)
}

pub(crate) fn accounts(seed: &Seed<'_>) {
    seed.account("acct_lea", Some("user|7"));
}

pub(crate) fn lea() -> Payer {
    let (key, key_id) = (String::new(), String::new());
    Payer { account: "acct_lea".to_owned(), key, key_id }
}

/// A place whose issuer has its keys behind a URL.
pub(crate) fn behind(server: &SetServer, more: &str) -> Place {
    let keys = format!("jwks: {{ url: \"http://{}/keys\"{more} }}", server.addr);
    let (from, to) = issuer("RS256, PS256, ES256, ES384, EdDSA", &keys);
    let place = Place::on_file(&[(from, &to)], accounts);
    place.world.grant(&lea(), "1000");
    place
}

fn send(place: &Place, token: &str) -> Reply {
    place.send(&images(IMAGES).key(token))
}

/// A good token of a key.
fn good(key: &Signer, algorithm: &str, name: &str) -> String {
    key.token(&json!({ "alg": algorithm, "typ": "JWT", "kid": name }), &claims("acct_lea"))
}

static KEYS: LazyLock<[Signer; 3]> =
    LazyLock::new(|| [Signer::p256(), Signer::p384(), Signer::edwards()]);

#[test]
fn every_algorithm_and_both_stores() {
    let [p256, p384, edwards] = &*KEYS;
    let rsa = main_key();
    let all = [(rsa, "r"), (p256, "a"), (p384, "b"), (edwards, "c")];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let mut keys: Vec<Value> = all.iter().map(|(key, name)| key.public(Some(name))).collect();
    // What cannot be used does not spoil the rest.
    keys.push(json!({ "kty": "XYZ", "kid": "x" }));
    keys.push(json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k" }));
    std::fs::write(&file, set(&keys)).unwrap();
    let source = format!("jwks: {{ file: {} }}", file.display());
    let (from, to) =
        issuer("RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA", &source);
    Place::on_both(&[(from, &to)], accounts, |place| {
        place.world.grant(&lea(), "1000");
        for (key, algorithm, name) in [
            (rsa, "RS256", "r"),
            (rsa, "RS384", "r"),
            (rsa, "RS512", "r"),
            (rsa, "PS256", "r"),
            (rsa, "PS384", "r"),
            (rsa, "PS512", "r"),
            (p256, "ES256", "a"),
            (p384, "ES384", "b"),
            (edwards, "EdDSA", "c"),
        ] {
            let token = good(key, algorithm, name);
            let reply = send(place, &token);
            assert_eq!(reply.status, 200, "{algorithm}: {}", reply.text());
            let told = format!("{:?}", place.world.last_headers());
            assert!(!told.contains(&token), "{told}");
            assert_eq!(place.send(&Ask::new("GET", BALANCE).key(&token)).status, 200);
            assert_eq!(place.send(&Ask::new("GET", "/v1/models").key(&token)).status, 200);
        }
        // The scheme is Bearer alone.
        let token = good(rsa, "RS256", "r");
        for (name, value) in [("authorization", format!("Token {token}")), ("x-api-key", token)] {
            assert_eq!(place.send(&images(IMAGES).header(name, &value)).problem().0, 401);
        }
    });
}

#[test]
fn a_shared_secret_signs_too() {
    let secret = Signer::Shared(b"sample-upstream-secret".to_vec());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "0123456789abcdef0123456789abcdef").unwrap();
    let right = Signer::Shared(b"0123456789abcdef0123456789abcdef".to_vec());
    let source = format!("secret: {{ file: {} }}", file.display());
    let (from, to) = issuer("HS256", &source);
    let place = Place::on_file(&[(from, &to)], accounts);
    place.world.grant(&lea(), "1000");
    assert_eq!(send(&place, &good(&right, "HS256", "any")).status, 200);
    assert_eq!(
        send(&place, &right.token(&json!({ "alg": "HS256" }), &claims("acct_lea"))).status,
        200
    );
    assert_eq!(send(&place, &good(&secret, "HS256", "any")).problem().0, 401);
}

#[test]
fn claims_name_account_plan_and_tags() {
    let server = SetServer::start(&set(&[main_key().public(Some("r"))]));
    let place = behind(&server, "");
    let with = |more: Value| {
        let mut all = claims("acct_lea");
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        main_key().token(&json!({ "alg": "RS256", "kid": "r" }), &all)
    };
    let receipt = |token: &str, reply: &Reply| {
        let path = format!("/_credits/v1/charges/{}", reply.charge());
        place.send(&Ask::new("GET", &path).key(token)).ok().json()
    };
    // By the account's reference; a list of audiences; times with a fraction.
    let token = with(json!({ "sub": "user|7", "aud": ["x", "other.example"],
                             "exp": now() as f64 + 100.5, "nbf": now() - 1 }));
    let plain = receipt(&token, &send(&place, &token).ok());
    assert_eq!((&plain["account"], &plain["tags"]), (&"acct_lea".into(), &json!({})));
    assert_eq!(plain["decision"]["plan"], "studio");
    // A plan prices and gates: this one has a slot, and no route to images.
    let token = with(json!({ "plan": "single", "org": { "team": "red", "seats": 7, "other": 1 } }));
    let tagged = receipt(&token, &send(&place, &token).ok());
    assert_eq!(tagged["decision"]["plan"], "single");
    assert_eq!(tagged["tags"], json!({ "team": "red", "seats": "7" }));
    let limits = place.send(&Ask::new("GET", "/_credits/v1/limits").key(&token)).ok().json();
    assert_eq!(limits["concurrency"][0]["name"], "one-at-a-time", "{limits}");
    let walled = with(json!({ "plan": "walled" }));
    assert_eq!(send(&place, &walled).problem(), (403, "route_not_in_plan".into()));
    let nowhere = with(json!({ "plan": "platinum" }));
    assert_eq!(send(&place, &nowhere).problem(), (403, "plan_unknown_here".into()));
    let balance = place.send(&Ask::new("GET", BALANCE).key(&nowhere));
    assert_eq!(balance.problem(), (403, "plan_unknown_here".into()));
    // A long tag is cut, one of another type is left out.
    let token = with(json!({ "org": { "team": "é".repeat(500), "seats": [1] } }));
    let cut = receipt(&token, &send(&place, &token).ok());
    assert_eq!(cut["tags"], json!({ "team": "é".repeat(128) }));
}

#[test]
fn a_plan_of_a_token_survives_a_newer_document() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, set(&[main_key().public(Some("r"))])).unwrap();
    let (from, to) = issuer("RS256", &format!("jwks: {{ file: {} }}", file.display()));
    let place = Place::on_redis(RedisServer::start(&[]), &[(from, &to)], accounts);
    place.world.grant(&lea(), "1000");
    let mut all = claims("acct_lea");
    all["plan"] = "rationed".into();
    let token = main_key().token(&json!({ "alg": "RS256", "kid": "r" }), &all);
    send(&place, &token).ok();
    // The core's document is old now: the reserve answers `stale` and is priced again.
    let ledger = open_served(&settings(place.redis()));
    let account = "acct_lea".parse().unwrap();
    let change = AccountChange { label: Some("new".into()), ..AccountChange::of(account) };
    ok(wait(ledger.change_account(change)));
    send(&place, &token).ok();
    assert_eq!(send(&place, &token).problem(), (429, "cap_exceeded".into()));
}

#[test]
fn what_speaks_for_a_token_is_revoked_like_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, set(&[main_key().public(Some("r"))])).unwrap();
    let (from, to) = issuer("RS256", &format!("jwks: {{ file: {} }}", file.display()));
    Place::on_both(&[(from, &to)], accounts, |place| {
        place.world.grant(&lea(), "1000");
        let token = good(main_key(), "RS256", "r");
        let charge = send(place, &token).ok().charge();
        let keys = place.world.operate("GET", "/accounts/acct_lea/keys", &Value::Null);
        let key = &keys["data"][0];
        assert_eq!(
            (keys["data"].as_array().unwrap().len(), &key["label"]),
            (1, &"jwt main".into())
        );
        let receipt =
            place.send(&Ask::new("GET", &format!("/_credits/v1/charges/{charge}")).key(&token));
        assert_eq!(receipt.ok().json()["key"], key["id"]);
        let before = place.world.forwarded();
        let path = format!("/keys/{}/revoke", key["id"].as_str().unwrap());
        place.world.operate("POST", &path, &json!({}));
        assert_eq!(send(place, &token).problem(), (401, "invalid_key".into()));
        assert_eq!(place.send(&Ask::new("GET", BALANCE).key(&token)).problem().0, 401);
        assert_eq!(place.world.forwarded(), before);
    });
}

#[test]
fn a_new_key_is_found_when_its_first_token_comes() {
    let [p256, _, edwards] = &*KEYS;
    let server = SetServer::start(&set(&[main_key().public(Some("old"))]));
    let place = behind(&server, ", unknown_key: 1s");
    send(&place, &good(main_key(), "RS256", "old")).ok();
    let asked = server.asked();
    server.now_answers(200, &set(&[main_key().public(Some("old")), p256.public(Some("new"))]));
    send(&place, &good(p256, "ES256", "new")).ok();
    assert_eq!(server.asked(), asked + 1);
    // Strangers' keys ask again at most once a second, and all get the one answer.
    for number in 0..50 {
        let token = good(edwards, "EdDSA", &format!("stranger-{number}"));
        assert_eq!(send(&place, &token).problem(), (401, "invalid_key".into()));
    }
    assert!(server.asked() <= asked + 4, "{} more", server.asked() - asked);
    // What the issuer has withdrawn is not believed once the set is read again.
    server.now_answers(200, &set(&[p256.public(Some("new"))]));
    let fresh = || {
        let mut all = claims("acct_lea");
        all["jti"] = rand_text().into();
        main_key().token(&json!({ "alg": "RS256", "kid": "old" }), &all)
    };
    until("the old key is gone", || {
        send(&place, &good(edwards, "EdDSA", "stranger"));
        send(&place, &fresh()).status == 401
    });
    send(&place, &good(p256, "ES256", "new")).ok();
}

fn rand_text() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst).to_string()
}

#[test]
fn a_set_that_cannot_be_read_leaves_the_old_one() {
    let server = SetServer::start(&set(&[main_key().public(Some("r"))]));
    let place = behind(&server, ", refresh: 1s, unknown_key: 10ms");
    send(&place, &good(main_key(), "RS256", "r")).ok();
    let huge = format!("{}{}", set(&[]), " ".repeat(300_000));
    for (status, body) in [(500, "oops"), (200, "{}"), (200, "not json"), (302, ""), (200, &huge)] {
        let asked = server.asked();
        server.now_answers(status, body);
        until("it was read again", || server.asked() > asked + 1);
        let mut all = claims("acct_lea");
        all["jti"] = rand_text().into();
        let token = main_key().token(&json!({ "alg": "RS256", "kid": "r" }), &all);
        assert_eq!(send(&place, &token).status, 200, "{status}");
    }
}

#[test]
fn before_any_set_was_read_nobody_is_told_that_a_token_is_wrong() {
    let server = SetServer::start("");
    server.now_answers(500, "");
    let place = behind(&server, ", unknown_key: 10ms");
    let token = good(main_key(), "RS256", "r");
    assert_eq!(send(&place, &token).problem(), (503, "metering_unavailable".into()));
    server.now_answers(200, &set(&[main_key().public(Some("r"))]));
    until("the set is there", || send(&place, &token).status == 200);
}

#[test]
fn a_token_passes_only_where_that_is_declared() {
    let server = SetServer::start(&set(&[main_key().public(Some("r"))]));
    let token = good(main_key(), "RS256", "r");
    for (how, passes) in [("", false), (", credentials: pass", true)] {
        let keys = format!("jwks: {{ url: \"http://{}/keys\" }}", server.addr);
        let mut changes = team_route(how, ", identity: [jwt]").to_vec();
        changes.push(issuer("RS256", &keys));
        let changes: Vec<_> = changes.iter().map(|(a, b)| (*a, b.as_str())).collect();
        let place = Place::on_file(&changes, accounts);
        place.world.grant(&lea(), "100");
        place.send(&images("/team/images").key(&token)).ok();
        assert_eq!(place.team.header("authorization").is_some(), passes);
        let ours = place.world.another_key("acct_lea").key;
        assert_eq!(place.send(&images("/team/images").key(&ours)).problem().0, 401);
        assert_eq!(place.team.count(), 1);
    }
}
