//! Keys: in every place, of every shape, made here or elsewhere.

use serde_json::{Value, json};
use tollgate::ledger::{Alias, KeyChange, KeyStatus, Ledger, NewKey};
use tollgate::meter::ImportedKey;
use tollgate::seam::{Clock, SystemClock, Timestamp};

use super::rig::{Place, Seed, images, team_route};
use crate::exposition::Scrape;
use crate::ledger_redis::{open_served, settings};
use crate::ledger_world::{key_of, ok, wait};
use crate::processes::Site;
use crate::wire::Ask;
use crate::world::{IMAGES, Payer, TOKEN, World, until};

/// A key as other services make them.
const OLD: &str = "sk-old-4f8a1c92d7e6b350";
/// Where the balance is.
const BALANCE: &str = "/_credits/v1/balance";

fn query(name: &str) -> (&'static str, String) {
    ("upstreams:\n", format!("keys: {{ query: {name} }}\nupstreams:\n"))
}

/// Every way of showing a key.
fn shown(key: &str) -> Vec<(&'static str, String)> {
    let scheme = |scheme: &str| ("authorization", format!("{scheme} {key}"));
    let mut ways = vec![scheme("Bearer"), scheme("bearer"), scheme("Key"), scheme("Token")];
    let headers = ["x-api-key", "X-Api-Key", "xi-api-key", "api-key", "x-goog-api-key"];
    ways.extend(headers.map(|name| (name, key.to_owned())));
    ways
}

#[test]
fn a_key_counts_wherever_it_is_usual() {
    let changes = [query("api_key")];
    let changes: Vec<_> = changes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    Place::on_both(
        &changes,
        |_| {},
        |place| {
            let payer = place.world.payer("studio", "100");
            for (name, value) in shown(&payer.key) {
                let reply = place.send(&images(IMAGES).header(name, &value)).ok();
                place.world.ended(&payer, &reply.charge(), "settled");
                let told = format!("{:?}", place.world.last_headers());
                assert!(!told.contains(&payer.key), "{name}: {told}");
                let balance = place.send(&Ask::new("GET", BALANCE).header(name, &value));
                assert_eq!(balance.ok().json()["account"], payer.account.as_str(), "{name}");
            }
            let path = |path: &str| format!("{path}?api_key={}", payer.key);
            place.send(&images(&path(IMAGES))).ok();
            place.send(&Ask::new("GET", &path(BALANCE))).ok();
            place.send(&Ask::new("GET", &path("/v1/models"))).ok();
        },
    );
}

#[test]
fn two_keys_are_none() {
    let world = World::start(&[]);
    let payer = world.payer("studio", "100");
    let bearer = format!("Bearer {}", payer.key);
    for ask in [
        payer.images(1, "low").header("x-api-key", &payer.key),
        payer.images(1, "low").header("authorization", &bearer),
        images(IMAGES).header("api-key", &payer.key).header("x-api-key", "sk-other"),
        images(IMAGES).header("authorization", &format!("Basic {}", payer.key)),
        images(IMAGES).header("authorization", &payer.key),
        images(IMAGES).header("x-key", &payer.key),
        images(&format!("{IMAGES}?api_key={}", payer.key)),
        images(IMAGES),
    ] {
        assert_eq!(world.send(&ask).problem(), (401, "invalid_key".into()), "{ask:?}");
    }
    assert_eq!(world.forwarded(), 0);
}

#[test]
fn a_declared_shape_is_made_and_read_and_the_old_one_stays() {
    let mut world = World::start(&[]);
    let old = world.payer("studio", "100");
    let shape = "keys: { shape: { prefix: key_, length: 128, alphabet: hex } }\nupstreams:\n";
    world.restart(&[("upstreams:\n", shape)]);
    let new = world.another_key(&old.account);
    let digits = new.key.strip_prefix("key_").unwrap();
    assert!(digits.len() == 128 && digits.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    for payer in [&old, &new] {
        let reply = world.send(&payer.images(1, "low")).ok();
        assert_eq!(world.ended(&old, &reply.charge(), "settled")["key"], payer.key_id.as_str());
    }
    // One wrong digit: in the id, in the secret, in what follows.
    for at in [10, 60, 120] {
        let mut wrong = new.key.clone();
        let other = if &wrong[at..=at] == "0" { "1" } else { "0" };
        wrong.replace_range(at..=at, other);
        let reply = world.send(&Ask::new("GET", BALANCE).key(&wrong));
        assert_eq!(reply.problem(), (401, "invalid_key".into()), "{at}");
    }
    // Without the shape it is no key of ours any more.
    world.restart(&[]);
    assert_eq!(world.send(&new.images(1, "low")).problem().0, 401);
    world.send(&old.images(1, "low")).ok();
}

fn import(seed: &Seed<'_>) {
    let account = seed.account("acct_lea", None);
    seed.import(&account, 9, OLD);
}

fn lea(key: &str) -> Payer {
    let (account, key_id) = ("acct_lea".to_owned(), key_of(&"acct_lea".parse().unwrap(), 9));
    Payer { account, key: key.to_owned(), key_id: key_id.to_string() }
}

#[test]
fn an_imported_key_speaks_until_it_is_revoked() {
    Place::on_both(&[], import, |place| {
        let payer = lea(OLD);
        place.world.grant(&payer, "100");
        let reply = place.send(&payer.images(2, "low")).ok();
        let receipt = place.world.ended(&payer, &reply.charge(), "settled");
        assert_eq!(receipt["key"], payer.key_id.as_str());
        assert!(!receipt.to_string().contains(OLD));
        for (name, value) in shown(OLD) {
            place.send(&images(IMAGES).header(name, &value)).ok();
        }
        let before = place.world.forwarded();
        place.world.operate("POST", &format!("/keys/{}/revoke", payer.key_id), &json!({}));
        assert_eq!(place.send(&payer.images(2, "low")).problem(), (401, "invalid_key".into()));
        assert_eq!(place.send(&payer.get(BALANCE)).problem(), (401, "invalid_key".into()));
        assert_eq!(place.world.forwarded(), before);
    });
}

#[test]
fn unknown_wrong_and_revoked_keys_get_one_answer() {
    let place = Place::on_file(&[], import);
    let gone = place.world.payer("studio", "10");
    place.world.operate("POST", &format!("/keys/{}/revoke", gone.key_id), &json!({}));
    let good = place.world.payer("studio", "10");
    let wrong = format!("{}{}", &good.key[..good.key.len() - 3], "000");
    let mut answers = Vec::new();
    for key in [gone.key.as_str(), &wrong, "sk-old-0000000000000000", "x", &"y".repeat(4_000)] {
        let reply = place.send(&images(IMAGES).key(key));
        let mut body = reply.json();
        body["instance"] = Value::Null;
        let mut headers = reply.headers.clone();
        headers.retain(|(name, _)| !name.ends_with("request-id") && name != "date");
        answers.push((reply.status, headers, body));
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    // A wrong secret must not lock the owner out.
    place.send(&good.images(1, "low")).ok();
}

#[test]
fn an_unknown_key_is_known_a_second_after_its_import() {
    let server = crate::redis_server::RedisServer::start(&[]);
    let place = Place::on_redis(server, &[], |seed| drop(seed.account("acct_lea", None)));
    let payer = lea(OLD);
    assert_eq!(place.send(&payer.images(1, "low")).problem().0, 401);
    let ledger = open_served(&settings(place.redis()));
    Seed(&ledger).import(&"acct_lea".parse().unwrap(), 9, OLD);
    place.world.grant(&payer, "10");
    let began = SystemClock.uptime_ms();
    until("the key is known", || place.send(&payer.images(1, "low")).status == 200);
    assert!(SystemClock.uptime_ms() - began < 5_000);
}

#[test]
fn a_disabled_key_is_silent_and_speaks_again() {
    let server = crate::redis_server::RedisServer::start(&[]);
    let place = Place::on_redis(server, &[], import);
    let payer = lea(OLD);
    place.world.grant(&payer, "100");
    place.send(&payer.images(1, "low")).ok();
    let ledger = open_served(&settings(place.redis()));
    let id = payer.key_id.parse().unwrap();
    let change = |status| KeyChange { status: Some(status), ..KeyChange::of(id) };
    ok(wait(ledger.change_key(change(KeyStatus::Disabled))));
    assert_eq!(place.send(&payer.images(1, "low")).problem(), (401, "invalid_key".into()));
    assert_eq!(place.send(&payer.get(BALANCE)).problem(), (401, "invalid_key".into()));
    ok(wait(ledger.change_key(change(KeyStatus::Active))));
    place.send(&payer.get(BALANCE)).ok();
    until("the key speaks again", || place.send(&payer.images(1, "low")).status == 200);
}

#[test]
fn an_import_that_lost_a_race_does_not_silence_the_one_that_won() {
    let place = Place::on_file(&[], |seed| {
        let account = seed.account("acct_lea", None);
        let lost = seed.import(&account, 9, OLD);
        ok(wait(seed.0.change_key(KeyChange::revoke(lost))));
        let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(OLD).into();
        let id = ImportedKey::alias_of(&hash);
        let alias = |key| Alias { id, account: account.clone(), key: Some(key) };
        ok(wait(seed.0.remove_alias(alias(lost))));
        let won = key_of(&account, 8);
        let (label, ends) = (String::new(), None);
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account.clone(),
            id: won,
            hash,
            label,
            ends,
        };
        ok(wait(seed.0.create_key(call)));
        ok(wait(seed.0.create_alias(alias(won))));
    });
    let payer = lea(OLD);
    place.world.grant(&payer, "100");
    let reply = place.send(&payer.images(1, "low")).ok();
    let won = key_of(&"acct_lea".parse().unwrap(), 8).to_string();
    assert_eq!(place.world.receipt(&payer, &reply.charge())["key"], won.as_str());
}

#[test]
fn a_key_ends_by_itself() {
    let account = "acct_lea".parse().unwrap();
    let end = Timestamp(SystemClock.now().0 + 4_000);
    let place = Place::on_file(&[], |seed| {
        seed.account("acct_lea", None);
        let hash = <sha2::Sha256 as sha2::Digest>::digest(OLD).into();
        let id = key_of(&account, 9);
        let (label, ends) = (String::new(), Some(end));
        let call = NewKey {
            member: None,
            routes: Vec::new(),
            account: account.clone(),
            id,
            hash,
            label,
            ends,
        };
        ok(wait(seed.0.create_key(call)));
        seed.alias(ImportedKey::alias_of(&hash), &account, Some(id));
    });
    let payer = lea(OLD);
    place.world.grant(&payer, "100");
    let models = payer.get("/v1/models");
    assert!(SystemClock.now() < end, "the machine is too slow for this test");
    place.send(&models).ok();
    until("the key has ended", || SystemClock.now() >= end);
    for ask in [payer.images(1, "low"), models, payer.get(BALANCE)] {
        assert_eq!(place.send(&ask).problem(), (401, "invalid_key".into()));
    }
}

/// A query key is read and then gone: not in the log, at the service, in a receipt, or in what is kept; and a
/// price that reads the query does not see it.
#[test]
fn a_key_in_the_query_is_told_to_nobody() {
    let site = Site::new();
    site.configure("keys: { query: api_key }");
    let mut proxy = site.start();
    let key = proxy.account("acct_maria", 100);
    let body = crate::crash::body(1, false);
    for path in [IMAGES, "/v1/nothing", BALANCE] {
        for query in [
            format!("api_key={key}"),
            format!("a=1&api_key={key}&b=2"),
            format!("api_key={key}&api_key={key}"),
            format!("API_KEY={key}"),
            format!("a=1;api_key={key}"),
        ] {
            let method = if path == BALANCE { "GET" } else { "POST" };
            let path = format!("{path}?{query}");
            let reply = crate::processes::ask(proxy.data, method, &path, &[], &body).unwrap();
            assert!(!reply.body.contains(&key) && !reply.head.contains(&key));
        }
    }
    let newest = proxy.settled("acct_maria");
    assert_eq!(newest["status"], "settled", "{newest}");
    assert!(!newest.to_string().contains(&key));
    proxy.process.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.process.wait(), Some(0));
    let mut all = proxy.process.told() + &proxy.process.printed();
    assert!(all.lines().count() > 15, "there are logs to look into");
    crate::secrets::kept(&site.data(), &mut all);
    assert!(!all.contains(key.rsplit('_').next().unwrap()));
}

#[test]
fn a_key_in_the_query_does_not_reach_the_service() {
    let (upstream, route) = (", credentials: replace", "");
    let mut changes = team_route(upstream, route).to_vec();
    changes.push(query("api_key"));
    let changes: Vec<_> = changes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let place = Place::on_file(&changes, import);
    let payer = lea(OLD);
    place.world.grant(&payer, "100");
    place.send(&images(&format!("/team/images?a=%20&api_key={OLD}&b"))).ok();
    assert!(
        place.team.last().starts_with("POST /team/images?a=%20&b HTTP/1.1"),
        "{}",
        place.team.last()
    );
    place.send(&images(&format!("/team/images?api_key={OLD}"))).ok();
    assert!(place.team.last().starts_with("POST /team/images HTTP/1.1"), "{}", place.team.last());
    assert!(!place.team.all().contains(OLD));
}

/// How often the ledger was asked for an alias.
fn looks(world: &World) -> u64 {
    let scrape = Scrape::read(&world.operator(&Ask::new("GET", "/metrics").key(TOKEN)).text());
    let of = |answer: &str| {
        let labels = [("verb", "alias"), ("answer", answer)];
        scrape.value("tollgate_store_answers_total", &labels).parse::<u64>().unwrap()
    };
    of("applied") + of("refused")
}

#[test]
fn strangers_cannot_make_us_ask_the_ledger_at_their_leisure() {
    // The same text, again and again: once a second and core.
    let place = Place::on_file(&[], import);
    let began = SystemClock.uptime_ms();
    for _ in 0..100 {
        assert_eq!(place.send(&images(IMAGES).key("sk-guessed")).problem().0, 401);
    }
    let cores = 2;
    let seconds = (SystemClock.uptime_ms() - began) / 1_000 + 1;
    assert!(looks(&place.world) <= cores * seconds, "{} in {seconds} s", looks(&place.world));
    // Another text each time: the address rests.
    let calm = [("failures: 1000000", "failures: 10")];
    let place = Place::on_file(&calm, import);
    let guess = |number: u32| place.send(&images(IMAGES).key(&format!("sk-guess-{number}")));
    let statuses: Vec<u16> = (0..100).map(|number| guess(number).status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(looks(&place.world) <= 12, "{}", looks(&place.world));
    assert_eq!(place.world.forwarded(), 0);
}
