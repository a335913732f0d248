//! fal's webhooks: signed by Ed25519 with one of the keys that fal publishes.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tollgate::seam::{Clock, SystemClock};

use super::rig::{Fake, Rig, YAML};
use super::webhooks::seed;
use crate::wire::Ask;
use crate::world::{Payer, World, until};

const HOOKS: &str = "public_url: https://ai.example.com
webhooks: { secret: { file: seal }, private_addresses: true }
";
const WORDS: (&str, &str) = (
    "completed: [COMPLETED] }\n    outcomes: [",
    "completed: [COMPLETED], failed: [ERROR] }\n    outcomes: [{ body: { at: /status, equals: OK }, class: completed, charge: settle }, ",
);

fn pair() -> Ed25519KeyPair {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()
}

/// The key set as fal shows it: of two keys.
fn set(keys: &[&Ed25519KeyPair]) -> Value {
    let key = |pair: &&Ed25519KeyPair| {
        let x = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": x })
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() })
}

struct Hooked {
    rig: Rig,
    client: Fake,
    /// Where fal's keys are.
    fal: Fake,
}

impl Hooked {
    fn start(keys: &[&Ed25519KeyPair]) -> Self {
        let (fake, client, fal) = (Fake::start(), Fake::start(), Fake::start());
        if !keys.is_empty() {
            fal.json("GET /jwks.json", 200, &set(keys));
        }
        client.says("POST /hook?x=1", 200, &[], "");
        let addr = fake.addr.to_string();
        let hook = format!(
            "after: 1h }}\n    webhook: {{ url: {{ query: fal_webhook }}, verify: fal, jwks: {{ url: 'http://{}/jwks.json', refresh: 24h, unknown_key: 1s }} }}\n",
            fal.addr
        );
        let changes = [
            ("FAKE", addr.as_str()),
            ("# more\n", HOOKS),
            ("after: 1h } # watch pictures\n", hook.as_str()),
            WORDS,
        ];
        let world = World::seeded_of(YAML, &changes, seed);
        Self { rig: Rig { fake, world }, client, fal }
    }

    /// Begins a picture; the answer is its charge and the path that fal was given.
    fn begin(&self, payer: &Payer) -> (String, String) {
        let ours = "POST /flux?fal_webhook=https%3A%2F%2Fai.example.com";
        let client = format!("http%3A%2F%2F{}%2Fhook%3Fx%3D1", self.client.addr);
        let body = json!({ "request_id": "r1", "status": "IN_QUEUE" }).to_string();
        self.rig.fake.says_all(200, &[("content-type", "application/json")], &body);
        let target = format!("/flux?fal_webhook={client}");
        let charge = self.rig.world.send(&payer.post(&target, &json!({}))).ok().charge();
        let line = self.rig.fake.last().line;
        let path = line.strip_prefix(ours).unwrap().replace("%2F", "/");
        (charge, path)
    }
}

/// A call as fal signs it.
fn signed(pair: &Ed25519KeyPair, path: &str, body: &str, seconds: u64) -> Ask {
    let hash = HEXLOWER.encode(&Sha256::digest(body.as_bytes()));
    let message = format!("r1\nuser-7\n{seconds}\n{hash}");
    let signature = HEXLOWER.encode(pair.sign(message.as_bytes()).as_ref());
    Ask::new("POST", path)
        .body(body.as_bytes())
        .header("content-type", "application/json")
        .header("x-fal-webhook-request-id", "r1")
        .header("x-fal-webhook-user-id", "user-7")
        .header("x-fal-webhook-timestamp", &seconds.to_string())
        .header("x-fal-webhook-signature", &signature)
}

fn now() -> u64 {
    SystemClock.now().0 / 1_000
}

fn done() -> String {
    let payload = json!({ "images": [{ "url": "https://x/y.png" }] });
    // An `error` that is null is none.
    json!({ "request_id": "r1", "status": "OK", "error": null, "payload": payload }).to_string()
}

fn failed() -> String {
    json!({ "request_id": "r1", "status": "ERROR", "error": "Invalid status code: 422", "payload": null })
        .to_string()
}

#[test]
fn a_call_by_one_of_the_keys_is_believed() {
    let (first, second, stranger) = (pair(), pair(), pair());
    let all = Hooked::start(&[&first, &second]);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria);
    until("the keys are read", || !all.fal.calls("GET /jwks.json").is_empty());
    let status = |ask: &Ask| all.rig.world.send(ask).status;
    let without = |name: &str| {
        let mut ask = signed(&second, &path, &failed(), now());
        ask.headers.retain(|(other, _)| other != name);
        ask
    };
    let mut changed = signed(&second, &path, &done(), now());
    changed.body = failed().into_bytes();
    let mut user = signed(&second, &path, &failed(), now());
    user.headers.retain(|(name, _)| name != "x-fal-webhook-user-id");
    for (what, ask) in [
        ("another body", changed),
        ("a key that fal has not", signed(&stranger, &path, &failed(), now())),
        ("an old time", signed(&second, &path, &failed(), now() - 301)),
        ("a time to come", signed(&second, &path, &failed(), now() + 330)),
        ("another user", user.header("x-fal-webhook-user-id", "user-8")),
        ("no request id", without("x-fal-webhook-request-id")),
        ("no user id", without("x-fal-webhook-user-id")),
        ("no time", without("x-fal-webhook-timestamp")),
        ("no signature", without("x-fal-webhook-signature")),
        (
            "two signatures",
            signed(&second, &path, &failed(), now()).header("x-fal-webhook-signature", "00"),
        ),
        ("no hex", without("x-fal-webhook-signature").header("x-fal-webhook-signature", "zz")),
        (
            "a short one",
            without("x-fal-webhook-signature").header("x-fal-webhook-signature", "00ff"),
        ),
    ] {
        assert_eq!(status(&ask), 401, "{what}");
    }
    assert!(all.client.calls("POST /hook?x=1").is_empty());
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "held");
    for _ in 0..3 {
        assert_eq!(status(&signed(&second, &path, &failed(), now())), 200);
        let receipt = all.rig.world.receipt(&maria, &charge);
        assert_eq!(
            (&receipt["status"], &receipt["outcome"]),
            (&json!("released"), &json!("failed"))
        );
        assert_eq!(receipt["job"]["told_by"], "webhook");
    }
    assert_eq!(all.client.calls("POST /hook?x=1").len(), 3);
}

#[test]
fn what_it_used_is_heard_where_the_result_is() {
    let pair = pair();
    let all = Hooked::start(&[&pair]);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria);
    // No signature covers this header: whoever sends the call again may write what he likes.
    let call = signed(&pair, &path, &done(), now()).header("x-billable-units", "0");
    assert_eq!(all.rig.world.send(&call).status, 200);
    // The work is done; what it used stands in a header of the result.
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "held");
    let head = [("content-type", "application/json"), ("x-billable-units", "3")];
    all.rig.fake.says("GET /flux/requests/r1", 200, &head, "{\"images\":[]}");
    assert_eq!(all.rig.world.send(&maria.get("/flux/requests/r1")).status, 200);
    assert_eq!(all.rig.world.receipt(&maria, &charge)["charged"], "9");
}

/// A client hands its genuine call of fal's to the URL that fal calls for all jobs, with headers of its own.
#[test]
fn a_receiver_believes_no_header_that_is_not_signed() {
    let pair = pair();
    let (fake, fal) = (Fake::start(), Fake::start());
    fal.json("GET /jwks.json", 200, &set(&[&pair]));
    let more = format!(
        "webhooks: {{ receivers: [{{ name: fal, jobs: [pictures], id: {{ header: x-fal-webhook-request-id }}, at: '', verify: fal, jwks: {{ url: 'http://{}/jwks.json', refresh: 24h, unknown_key: 1s }} }}] }}\n",
        fal.addr
    );
    let addr = fake.addr.to_string();
    let changes = [("FAKE", addr.as_str()), ("# more\n", more.as_str()), WORDS];
    let rig = Rig { fake, world: World::of(YAML, &changes) };
    let maria = rig.world.payer("studio", "100");
    let begun = json!({ "request_id": "r1", "status": "IN_QUEUE" });
    rig.fake.json("POST /flux", 200, &begun);
    let charge = rig.world.send(&maria.post("/flux", &json!({}))).ok().charge();
    rig.fake.json("GET /flux/requests/r1/status", 200, &begun);
    let call = |name: &str, value: &str| {
        let ask = signed(&pair, "/_credits/v1/webhooks/fal", &done(), now());
        rig.world.send(&ask.header(name, value)).status
    };
    until("the keys are read", || call("x-billable-units", "0") == 200);
    for (name, value) in [("x-billable-units", "0"), ("content-type", "text/plain")] {
        assert_eq!(call(name, value), 200, "{name}");
        let receipt = rig.world.receipt(&maria, &charge);
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("held"), &json!("0")));
    }
    let head = [("content-type", "application/json"), ("x-billable-units", "3")];
    rig.fake.says("GET /flux/requests/r1", 200, &head, "{\"images\":[]}");
    assert_eq!(rig.world.send(&maria.get("/flux/requests/r1")).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "9");
}

#[test]
fn without_keys_nothing_is_believed_and_fal_calls_again() {
    let pair = pair();
    let all = Hooked::start(&[]);
    let maria = all.rig.world.payer("studio", "100");
    let (charge, path) = all.begin(&maria);
    let reply = all.rig.world.send(&signed(&pair, &path, &failed(), now()));
    assert_eq!(reply.problem(), (503, "metering_unavailable".to_owned()));
    assert!(reply.header("retry-after").is_some());
    // What can be no call of fal's is refused whatever the keys are.
    assert_eq!(all.rig.world.send(&signed(&pair, &path, &failed(), now() - 301)).status, 401);
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "held");
    // The keys are there; and when others come, a call by one of them has them read.
    all.fal.json("GET /jwks.json", 200, &set(&[&pair]));
    until("it is believed", || {
        all.rig.world.send(&signed(&pair, &path, &failed(), now())).status == 200
    });
    assert_eq!(all.rig.world.receipt(&maria, &charge)["status"], "released");
    let newer = self::pair();
    all.fal.json("GET /jwks.json", 200, &set(&[&newer]));
    until("the newer one is read", || {
        all.rig.world.send(&signed(&newer, &path, &failed(), now())).status == 200
    });
    assert_eq!(all.rig.world.send(&signed(&pair, &path, &failed(), now())).status, 401);
}
