//! Webhooks: our URL in place of the client's, calls that are proven, judged and passed on.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tollgate::seam::{Clock, SystemClock};

use super::rig::{Fake, Rig, YAML, prediction};
use crate::redis_server::RedisServer;
use crate::wire::{Ask, Reply};
use crate::world::{Payer, World};

pub(super) const HOOKS: &str = "public_url: https://ai.example.com
webhooks: { secret: { file: seal }, secrets: { predictions: { file: signing } }, private_addresses: true }
";
pub(super) const KEY: &[u8] = b"a-key-of-the-upstream";

/// A gateway with webhooks, its upstream, and a client that waits for calls.
pub(crate) struct Hooked {
    pub(crate) rig: Rig,
    pub(crate) client: Fake,
}

pub(crate) fn seed(folder: &std::path::Path) {
    std::fs::write(folder.join("seal"), "0123456789abcdef0123456789abcdef").unwrap();
    let key = data_encoding::BASE64.encode(KEY);
    std::fs::write(folder.join("signing"), format!("whsec_{key}")).unwrap();
}

pub(crate) fn changes<'a>(addr: &'a str, more: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("FAKE", addr), ("# more\n", more)]
}

/// A gateway whose ledger is in a Redis that it may share with others.
pub(super) fn on_redis(redis: &RedisServer, fake: &Fake, more: &str) -> World {
    let addr = fake.addr.to_string();
    let store = format!(
        "store: {{ redis: {{ url: 'redis://127.0.0.1:{}', state: ./data, lease: 3s, deadlines: {{ reserve: 10s, other: 10s }} }} }} # store",
        redis.port()
    );
    let old = "store: { embedded: { path: ledger, lease: 3s } } # store";
    let changes = [("FAKE", addr.as_str()), ("# more\n", more), (old, store.as_str())];
    World::seeded_of(YAML, &changes, seed)
}

impl Hooked {
    fn start(more: &str) -> Self {
        let (fake, client) = (Fake::start(), Fake::start());
        client.says("POST /hook?x=1", 200, &[], "");
        let addr = fake.addr.to_string();
        let world = World::seeded_of(YAML, &changes(&addr, more), seed);
        Self { rig: Rig { fake, world }, client }
    }

    /// Begins a prediction; the answer is its charge and the path that the upstream was given.
    fn begin(&self, payer: &Payer, id: &str) -> (String, String) {
        begin(&self.rig.fake, &self.rig.world, payer, (id, &self.client))
    }
}

/// See [`Hooked::begin`].
pub(crate) fn begin(
    fake: &Fake,
    world: &World,
    payer: &Payer,
    (id, client): (&str, &Fake),
) -> (String, String) {
    fake.json("POST /v1/predictions", 201, &prediction(id, "starting", None));
    let url = format!("http://{}/hook?x=1", client.addr);
    let text = format!("{{\"input\": {{\"n\": 1.0}},\n \"webhook\":\"{url}\" }}");
    let ask = payer.post("/v1/predictions", &json!({})).body(text.as_bytes());
    let charge = world.send(&ask).ok().charge();
    let call = fake.calls("POST /v1/predictions").pop().unwrap();
    let ours = call.json()["webhook"].as_str().unwrap().to_owned();
    // One string has changed, and no other byte.
    assert_eq!(String::from_utf8(call.body).unwrap(), text.replace(&url, &ours));
    let path = ours.strip_prefix("https://ai.example.com").unwrap().to_owned();
    assert!(path.starts_with("/_credits/v1/webhooks/"), "{path}");
    (charge, path)
}

/// A call as the upstream signs it.
pub(crate) fn signed(path: &str, body: &str, id: &str) -> Ask {
    let time = (SystemClock.now().0 / 1_000).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    let mac = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
    Ask::new("POST", path)
        .body(body.as_bytes())
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", &time)
        .header("webhook-signature", &format!("v1,{mac}"))
}

#[test]
fn a_call_ends_the_job_and_is_passed_on_as_it_came() {
    let all = Hooked::start(HOOKS);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria, "p1");
    let going = prediction("p1", "processing", None).to_string();
    assert_eq!(all.rig.world.send(&signed(&path, &going, "m1")).status, 200);
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "held");
    let done = prediction("p1", "succeeded", Some(2.0)).to_string();
    for _ in 0..3 {
        assert_eq!(all.rig.world.send(&signed(&path, &done, "m2")).status, 200);
        let receipt = all.rig.world.receipt(&maria, &charge);
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("4")));
        assert_eq!(receipt["job"]["told_by"], "webhook");
    }
    let calls = all.client.calls("POST /hook?x=1");
    assert_eq!(calls.len(), 4);
    assert_eq!(calls[1].body, done.as_bytes());
    assert_eq!(calls[1].header("webhook-id"), Some("m2"));
    assert!(calls[1].header("webhook-signature").unwrap().starts_with("v1,"));
    let host = all.client.addr.to_string();
    assert_eq!(calls[1].header("host"), Some(host.as_str()));
    // What comes late and contradicts the end is passed on and moves nothing.
    let failed = prediction("p1", "failed", None).to_string();
    assert_eq!(all.rig.world.send(&signed(&path, &failed, "m3")).status, 200);
    assert_eq!(all.rig.world.receipt(&maria, &charge)["charged"], "4");
    assert_eq!(all.rig.counts("tollgate_job_contradictions_total", "predictions"), "1");
}

#[test]
fn what_is_not_proven_does_nothing() {
    let all = Hooked::start(HOOKS);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria, "p1");
    let done = prediction("p1", "succeeded", Some(2.0)).to_string();
    let status = |ask: &Ask| all.rig.world.send(ask).status;
    let mut other = signed(&path, &done, "m1");
    other.body = prediction("p1", "failed", None).to_string().into_bytes();
    assert_eq!(status(&other), 401);
    assert_eq!(status(&Ask::new("POST", &path).body(done.as_bytes())), 401);
    let mut forged = path.clone().into_bytes();
    let last = forged.last_mut().unwrap();
    *last = if *last == b'A' { b'Q' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    assert_eq!(status(&signed(&forged, &done, "m1")), 404);
    assert_eq!(status(&signed("/_credits/v1/webhooks/x.y", &done, "m1")), 404);
    assert!(all.client.calls("POST /hook?x=1").is_empty());
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "held");
    // Proven, and about another job than the one that our URL was made for.
    let (second, _) = all.begin(&maria, "p2");
    let others = prediction("p2", "succeeded", Some(9.0)).to_string();
    assert_eq!(status(&signed(&path, &others, "m4")), 200);
    for charge in [&charge, &second] {
        assert_eq!(all.rig.world.receipt(&maria, charge)["status"], "held");
    }
}

/// Some upstreams show the URL that they call to whoever asks for the job.
#[test]
fn what_nothing_proves_is_a_reason_to_ask() {
    let all = Hooked::start(
        "public_url: https://ai.example.com\nwebhooks: { secret: { file: seal }, private_addresses: true }\n",
    );
    let (rig, maria) = (&all.rig, all.rig.world.payer("studio", "100"));
    let (charge, path) = all.begin(&maria, "p1");
    let failed = prediction("p1", "failed", None).to_string();
    let call = || {
        let json = ("content-type", "application/json");
        rig.world.send(&Ask::new("POST", &path).header(json.0, json.1).body(failed.as_bytes()))
    };
    rig.fake.says("GET /v1/predictions/p1", 500, &[], "");
    assert_eq!(call().status, 200, "the client hears of it all the same");
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    rig.prediction("p1", "succeeded", Some(2.0));
    for _ in 0..2 {
        assert_eq!(call().status, 200);
        let receipt = rig.world.receipt(&maria, &charge);
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("4")));
        assert_eq!(receipt["job"]["told_by"], "watcher");
    }
    assert_eq!(rig.fake.calls("GET /v1/predictions/p1").len(), 2, "an end is not asked for again");
    assert_eq!(all.client.calls("POST /hook?x=1").len(), 3);
}

#[test]
fn the_upstream_gets_the_clients_answer_and_calls_again() {
    let all = Hooked::start(HOOKS);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria, "p1");
    let done = prediction("p1", "succeeded", Some(2.0)).to_string();
    let call = || -> Reply { all.rig.world.send(&signed(&path, &done, "m1")) };
    for status in [500, 410, 302, 204] {
        all.client.says("POST /hook?x=1", status, &[("location", "http://127.0.0.1:1/")], "");
        assert_eq!(call().status, status);
    }
    assert_eq!(all.rig.world.receipt(&maria, &charge)["charged"], "4");
}

#[test]
fn private_addresses_are_not_called() {
    let all = Hooked::start(&HOOKS.replace("private_addresses: true", "private_addresses: false"));
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria, "p1");
    let done = prediction("p1", "succeeded", Some(2.0)).to_string();
    assert_eq!(all.rig.world.send(&signed(&path, &done, "m1")).status, 502);
    assert!(all.client.calls("POST /hook?x=1").is_empty());
    // The job has ended all the same.
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "settled");
}

#[test]
fn without_a_secret_the_clients_url_goes_to_the_upstream() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    rig.fake.json("POST /v1/predictions", 201, &prediction("p1", "starting", None));
    let body = json!({ "webhook": "https://client.example.com/hook" });
    rig.world.send(&maria.post("/v1/predictions", &body)).ok();
    assert_eq!(rig.fake.calls("POST /v1/predictions")[0].json(), body);
    assert_eq!(rig.world.send(&Ask::new("POST", "/_credits/v1/webhooks/x.y")).status, 404);
}
