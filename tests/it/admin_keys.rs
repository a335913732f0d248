//! The operators' API: keys made, imported, rotated and ended, on every store.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tollgate::credit::AliasId;
use tollgate::ledger::{Alias, Answer, KeyStatus};

use super::panes::{Panes, Reply, wait};

const DAY: u64 = 24 * 60 * 60 * 1_000;

fn hash(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}"))
}

/// Whether a key's text opens the clients' plane.
fn speaks(panes: &Panes, secret: &str) -> bool {
    panes.client(secret, "GET", "/balance", "").status == 200
}

fn post(panes: &Panes, path: &str, body: Value) -> Reply {
    panes.operator("POST", path, Some(body))
}

#[test]
fn a_key_has_an_end_that_can_be_moved() {
    let panes = Panes::new();
    panes.account("acct_a", "studio");
    let path = "/accounts/acct_a/keys";
    let past = post(&panes, path, json!({ "ends_at": "2026-11-22T12:00:00Z" }));
    assert_eq!((past.status.as_u16(), &past.body["param"]), (422, &json!("ends_at")));
    let made = post(&panes, path, json!({ "ends_at": "2026-11-22T13:00:00Z" })).ok();
    let (secret, id) = (text(&made, "secret"), text(&made, "id"));
    assert_eq!(made["ends_at"], "2026-11-22T13:00:00.000Z");
    panes.clock.advance(60 * 60 * 1_000 - 1);
    assert!(speaks(&panes, secret));
    panes.clock.advance(1);
    assert!(!speaks(&panes, secret));
    let key = format!("/keys/{id}");
    assert_eq!(panes.operator("GET", &key, None).ok()["status"], "ended");
    let endless =
        panes.operator("PATCH", &key, Some(json!({ "ends_at": null, "label": "l" }))).ok();
    assert_eq!((&endless["status"], &endless["label"]), (&json!("active"), &json!("l")));
    assert!(speaks(&panes, secret));
    assert_eq!(panes.operator("GET", "/keys/key_x", None).problem(), (404, "unknown_key"));
}

#[test]
fn one_idempotency_key_makes_one_key_and_shows_its_secret_once() {
    Panes::on_every_store(|panes| {
        panes.account("acct_a", "studio");
        let (path, body) = ("/accounts/acct_a/keys", json!({ "label": "laptop" }));
        let first = panes.once("k1", path, &body);
        assert_eq!(first.status, 201);
        panes.clock.advance(5);
        let again = panes.once("k1", path, &body);
        assert_eq!((again.status.as_u16(), &again.body["id"]), (200, &first.body["id"]));
        assert_eq!(again.body["secret"], Value::Null);
        assert!(text(&again.body, "detail").contains("is kept nowhere"));
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let other = panes.once("k1", path, &json!({ "label": "phone" }));
        assert_eq!(other.problem(), (422, "idempotency_mismatch"));
        let listed = panes.operator("GET", path, None).ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 2);
        assert!(speaks(panes, text(&first.body, "secret")));
    });
}

#[test]
fn a_claim_whose_key_was_never_made_is_completed() {
    Panes::on_every_store(|panes| {
        panes.account("acct_a", "studio");
        // What a crash between the two leaves: the claim of the `Idempotency-Key`, no key.
        let (path, body) = ("/admin/v1/accounts/acct_b/keys", json!({}));
        let headers = [("idempotency-key", "k1")];
        let token = super::panes::TOKEN;
        let unknown = panes.by(token, &headers, "POST", path, Some(&body));
        assert_eq!(unknown.problem(), (404, "unknown_account"));
        panes.account("acct_b", "studio");
        let made = panes.by(token, &headers, "POST", path, Some(&body)).ok();
        assert!(speaks(panes, text(&made, "secret")));
    });
}

#[test]
fn a_key_that_was_made_elsewhere_is_imported_once() {
    Panes::on_every_store(|panes| {
        panes.account("acct_a", "studio");
        panes.account("acct_b", "studio");
        let (path, old) = ("/accounts/acct_a/keys/import", "sk-live-0123456789");
        let body = json!({ "sha256": hash(old), "label": "old" });
        let made = post(panes, path, body.clone()).ok();
        assert_eq!((&made["label"], &made["status"]), (&json!("old"), &json!("active")));
        assert!(made.get("secret").is_none() && !made.to_string().contains(&hash(old)));
        // The contract with whoever reads keys: alias and record agree.
        let bytes: [u8; 32] = Sha256::digest(old.as_bytes()).into();
        let alias = wait(panes.ledger.alias(AliasId::of("key", &bytes)));
        assert_eq!(alias.account.as_str(), "acct_a");
        assert_eq!(alias.key.unwrap().to_string(), text(&made, "id"));
        let document = wait(panes.ledger.document(alias.account.clone()));
        assert_eq!(document.key(alias.key.unwrap()).unwrap().hash, bytes);
        // Again: the same key. Elsewhere: not at all, even after its end.
        assert_eq!(post(panes, path, body.clone()).ok(), made);
        let elsewhere = "/accounts/acct_b/keys/import";
        let taken = post(panes, elsewhere, body.clone());
        assert_eq!(
            (taken.problem(), &taken.body["account"]),
            ((409, "key_taken"), &json!("acct_a"))
        );
        let revoke = format!("/keys/{}/revoke", text(&made, "id"));
        post(panes, &revoke, json!({})).ok();
        assert_eq!(post(panes, path, body.clone()).problem(), (409, "key_revoked"));
        assert_eq!(post(panes, elsewhere, body).problem(), (409, "key_taken"));

        // What a crash left: an alias to an account that is not there, to a key that is not there.
        let lost = |text: &str, account: &str| {
            let bytes: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            let id = AliasId::of("key", &bytes);
            let key = Some(alias.key.unwrap());
            wait(panes.ledger.create_alias(Alias { id, account: account.parse().unwrap(), key }));
        };
        lost("sk-1", "acct_never");
        let again = || post(panes, elsewhere, json!({ "sha256": hash("sk-1") }));
        // It could be on its way; ten minutes later it is not.
        assert_eq!(again().problem(), (409, "key_taken"));
        panes.clock.advance(10 * 60 * 1_000);
        again().ok();
        let import = |account: &str, text: &str, key: &str| {
            let path = format!("/accounts/{account}/keys/import");
            panes.once(key, &path, &json!({ "sha256": hash(text) })).ok()
        };
        // By the same account it is completed under the id of the alias.
        let first = import("acct_b", "sk-2", "i1");
        assert_eq!(import("acct_b", "sk-2", "i1")["id"], first["id"]);
        let nobody = post(panes, "/accounts/acct_x/keys/import", json!({ "sha256": hash("sk-3") }));
        assert_eq!(nobody.problem(), (404, "unknown_account"));
        for wrong in ["", "abc", &"0".repeat(63), &"g".repeat(64)] {
            let reply = post(panes, path, json!({ "sha256": wrong }));
            assert_eq!((reply.status.as_u16(), &reply.body["param"]), (400, &json!("sha256")));
        }
    });
}

#[test]
fn an_import_that_a_crash_cut_is_completed_by_the_same_or_taken_over_by_another() {
    Panes::on_every_store(|panes| {
        let (_, own) = panes.account("acct_a", "studio");
        panes.account("acct_b", "studio");
        let document = wait(panes.ledger.document("acct_a".parse().unwrap()));
        let mut id = *document.key(own.parse().unwrap()).unwrap().id.as_bytes();
        id[15] ^= 1;
        let key = tollgate::credit::KeyId::from_bytes(id);
        let point = |text: &str| {
            let bytes: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            let account = "acct_a".parse().unwrap();
            let alias = Alias { id: AliasId::of("key", &bytes), account, key: Some(key) };
            wait(panes.ledger.create_alias(alias));
        };
        point("sk-1");
        let import = |account: &str, text: &str| {
            let path = format!("/accounts/{account}/keys/import");
            post(panes, &path, json!({ "sha256": hash(text) })).ok()
        };
        assert_eq!(import("acct_a", "sk-1")["id"], key.to_string());
        id[15] ^= 2;
        let bytes: [u8; 32] = Sha256::digest(b"sk-2").into();
        let account = "acct_a".parse().unwrap();
        let other = Some(tollgate::credit::KeyId::from_bytes(id));
        wait(panes.ledger.create_alias(Alias {
            id: AliasId::of("key", &bytes),
            account,
            key: other,
        }));
        panes.clock.advance(10 * 60 * 1_000);
        let taken = import("acct_b", "sk-2");
        let alias = wait(panes.ledger.alias(AliasId::of("key", &bytes)));
        assert_eq!(alias.account.as_str(), "acct_b");
        assert_eq!(alias.key.unwrap().to_string(), text(&taken, "id"));
    });
}

#[test]
fn a_rotated_key_speaks_on_for_its_grace_and_no_longer() {
    Panes::on_every_store(|panes| {
        let (old, id) = panes.account("acct_a", "studio");
        let rotate = |id: &str, key: &str, body: Value| {
            panes.once(key, &format!("/keys/{id}/rotate"), &body)
        };
        let first = rotate(&id, "r1", json!({}));
        assert_eq!(first.status, 201);
        let new = text(&first.body, "secret").to_owned();
        assert_eq!(first.body["replaces"]["id"], id.as_str());
        assert_eq!(first.body["replaces"]["ends_at"], "2026-11-23T12:00:00.000Z");
        assert!(speaks(panes, &old) && speaks(panes, &new));
        // The same again makes no third key and moves no end.
        panes.clock.advance(1_000);
        let again = rotate(&id, "r1", json!({}));
        assert_eq!(again.body["id"], first.body["id"]);
        assert_eq!(again.body["secret"], Value::Null);
        assert_eq!(again.body["replaces"]["ends_at"], "2026-11-23T12:00:00.000Z");
        let mismatch = rotate(&id, "r1", json!({ "grace": "1h" }));
        assert_eq!(mismatch.problem(), (422, "idempotency_mismatch"));
        panes.clock.advance(DAY);
        assert!(!speaks(panes, &old) && speaks(panes, &new));
        let ended = rotate(&id, "r2", json!({}));
        assert_eq!(ended.problem(), (409, "key_not_active"));

        let second = text(&first.body, "id").to_owned();
        let at_once = rotate(&second, "r3", json!({ "grace": "0s", "label": "b" })).ok();
        assert_eq!(
            (&at_once["label"], &at_once["replaces"]["status"]),
            (&json!("b"), &json!("revoked"))
        );
        assert!(!speaks(panes, &new) && speaks(panes, text(&at_once, "secret")));
        // Asked again, though the old key is revoked by now.
        assert_eq!(rotate(&second, "r3", json!({ "grace": "0s", "label": "b" })).status, 200);
        for grace in ["1", "-1s", "1 h", "999d", "1.5h", "s"] {
            let reply = rotate(&second, "r4", json!({ "grace": grace }));
            assert_eq!((reply.status.as_u16(), &reply.body["param"]), (422, &json!("grace")));
        }
        let listed = panes.operator("GET", "/accounts/acct_a/keys", None).ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn a_disabled_key_is_silent_until_it_is_enabled() {
    Panes::on_every_store(|panes| {
        let (secret, id) = panes.account("acct_a", "studio");
        let set = |verb: &str| post(panes, &format!("/keys/{id}/{verb}"), json!({}));
        assert_eq!(set("disable").ok()["status"], "disabled");
        assert_eq!(set("disable").ok()["status"], "disabled");
        assert!(!speaks(panes, &secret));
        assert_eq!(set("enable").ok()["status"], "active");
        assert!(speaks(panes, &secret));
        set("revoke").ok();
        assert_eq!(set("enable").problem(), (422, "invalid"));
        let document = super::ledger_world::wait(panes.ledger.document("acct_a".parse().unwrap()));
        let Answer::Applied(document) = document else { panic!("{document:?}") };
        assert_eq!(document.keys[0].status, KeyStatus::Revoked);
    });
}
