//! APIs whose paths are the same in one gateway: below a prefix, and at hosts.

use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use super::jobs::rig::{Fake, YAML, prediction};
use super::wire::{Ask, Reply};
use super::world::{Payer, World, until};

const HEAD: &str = "
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
flood: { per_address: 1000000, failures: 1000000 }
plans: { studio: {} }
";
/// The path that two services have.
const FLUX: &str = "/fal-ai/flux/dev";
/// A version that the preset of Replicate has a price for.
const VERSION: &str = "9dcd6d78e7c6560c340d916fe32e9f24aabfa331e5cce95fe31f77fb03121426";

/// A gateway in front of fal's queue and of fal.run, which have the same paths.
struct Twins {
    queue: Fake,
    run: Fake,
    world: World,
}

impl Twins {
    /// `queue` and `run` say where each preset stands.
    #[track_caller]
    fn start(queue: &str, run: &str) -> Self {
        let (first, second) = (Fake::start(), Fake::start());
        let (one, two) = (first.addr, second.addr);
        let yaml = format!(
            "{HEAD}upstreams:\n  fal: {{ url: \"http://{one}\" }}\n  run-fal: {{ url: \"http://{two}\" }}\n\
             use:\n  - {{ preset: apis/fal-queue.yaml{queue} }}\n  - {{ preset: apis/fal-run.yaml, as: run{run} }}\n"
        );
        let world = World::of(&yaml, &[]);
        let twins = Self { queue: first, run: second, world };
        let url = |what: &str| format!("http://{one}/fal-ai/flux/requests/r1{what}");
        let queued = json!({
            "request_id": "r1", "status": "IN_QUEUE", "status_url": url("/status"), "response_url": url(""),
            "cancel_url": url("/cancel"),
        });
        twins.queue.json(&format!("POST {FLUX}"), 200, &queued);
        twins.run.json(&format!("POST {FLUX}"), 200, &json!({ "images": [{}, {}] }));
        twins
    }

    /// How much each upstream has got.
    fn counts(&self) -> (usize, usize) {
        (self.queue.count(), self.run.count())
    }

    fn ask(&self, payer: &Payer, path: &str) -> Reply {
        self.world.send(&payer.post(path, &json!({ "prompt": "a boat", "num_images": 2 })))
    }

    /// The receipt of an answer.
    fn receipt(&self, payer: &Payer, reply: &Reply) -> Value {
        self.world.receipt(payer, &reply.charge())
    }
}

#[test]
fn below_a_prefix() {
    let twins = Twins::start("", ", prefix: /run");
    let maria = twins.world.payer("studio", "100");
    let queued = twins.ask(&maria, FLUX).ok();
    let done = twins.ask(&maria, &format!("/run{FLUX}?sync=1"));
    // The upstream knows nothing of the prefix.
    assert_eq!(done.status, 404, "it was told of the path alone: {}", done.text());
    assert_eq!(twins.run.calls(&format!("POST {FLUX}?sync=1")).len(), 1);
    let done = twins.ask(&maria, &format!("/run{FLUX}")).ok();
    assert_eq!(twins.counts(), (1, 2));
    let receipt = twins.receipt(&maria, &done);
    assert_eq!(receipt["request"]["route"], "run-fal-run");
    assert_eq!(receipt["request"]["path"], FLUX);
    assert_eq!(receipt["decision"]["price"], "run-fal-run");
    // Its table is asked by owner, app and path: captures are those of the path without the prefix.
    assert_eq!(receipt["charged"], "5");
    assert_eq!(twins.receipt(&maria, &queued)["request"]["route"], "fal");
    // What lies beside it is nothing, and the prefix has one spelling.
    for path in [
        "/run",
        "/run/",
        "/Run/fal-ai/flux/dev/",
        "/run/fal-ai",
        "/run//fal-ai/flux/dev",
        "/run/%66al-ai/flux/dev",
    ] {
        let before = twins.counts();
        let reply = twins.ask(&maria, path);
        assert!(matches!(reply.status, 400 | 404), "{path}: {} {}", reply.status, reply.text());
        assert_eq!(twins.counts(), before, "{path}");
    }
}

#[test]
fn what_an_sdk_follows_leads_back_through_the_prefix() {
    let twins = Twins::start(", prefix: /queue", "");
    let (maria, joao) = (twins.world.payer("studio", "100"), twins.world.payer("studio", "100"));
    let reply = twins.ask(&maria, &format!("/queue{FLUX}")).ok();
    let (charge, body) = (reply.charge(), reply.json());
    for (name, path) in [("status_url", "/status"), ("response_url", ""), ("cancel_url", "/cancel")]
    {
        assert_eq!(body[name], format!("http://gateway/queue/fal-ai/flux/requests/r1{path}"));
    }
    let asked = |url: &str| url.strip_prefix("http://gateway").unwrap().to_owned();
    let status = asked(body["status_url"].as_str().unwrap());
    let said = "GET /fal-ai/flux/requests/r1/status";
    let url = format!("http://{}/fal-ai/flux/requests/r1", twins.queue.addr);
    twins.queue.json(said, 200, &json!({ "status": "COMPLETED", "response_url": url }));
    let head = [("content-type", "application/json"), ("x-fal-billable-units", "1")];
    twins.queue.says("GET /fal-ai/flux/requests/r1", 200, &head, "{}");
    assert_eq!(twins.world.send(&joao.get(&status)).problem(), (404, "unknown_job".to_owned()));
    let polled = twins.world.send(&maria.get(&status)).ok().json();
    assert_eq!(twins.queue.calls(said).len(), 1);
    let result = asked(polled["response_url"].as_str().unwrap());
    assert_eq!(result, "/queue/fal-ai/flux/requests/r1");
    twins.world.send(&maria.get(&result)).ok();
    let receipt = twins.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["job"]["id"]), (&json!("2.5"), &json!("r1")));
    // The other one stands at the root, and takes what has no prefix.
    assert_eq!(
        twins.receipt(&maria, &twins.ask(&maria, FLUX).ok())["request"]["route"],
        "run-fal-run"
    );
}

/// Sends what a client writes, with these lines in place of `Host: gateway`; the route, or the code of the refusal.
fn one(twins: &Twins, payer: &Payer, target: &str, hosts: &str) -> String {
    let ask = payer.post(target, &json!({ "num_images": 1 })).header("connection", "close");
    let text = String::from_utf8(ask.bytes()).unwrap().replacen("Host: gateway\r\n", hosts, 1);
    let mut wire = twins.world.wire();
    wire.write(text.as_bytes());
    shown(twins, payer, &wire.reply().unwrap())
}

fn shown(twins: &Twins, payer: &Payer, reply: &Reply) -> String {
    if reply.status == 200 {
        return twins.receipt(payer, reply)["request"]["route"].as_str().unwrap().to_owned();
    }
    reply.problem().1
}

/// The same by HTTP/2.
fn two(twins: &Twins, payer: &Payer, authority: &str, more: &[(&str, &str)]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (status, charge, body) = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(twins.world.data).await.unwrap();
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let mut request = http::Request::post(format!("http://{authority}{FLUX}"))
            .header("authorization", format!("Bearer {}", payer.key))
            .header("content-type", "application/json");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"{\"num_images\":1}"));
        let asking = async {
            let reply = sender.send_request(request.body(body).unwrap()).await.unwrap();
            let charge = reply.headers().get("credits-charge-id");
            let charge = charge.map(|id| id.to_str().unwrap().to_owned());
            let status = reply.status().as_u16();
            let body = http_body_util::BodyExt::collect(reply.into_body()).await.unwrap();
            (status, charge, body.to_bytes())
        };
        tokio::select! {
            told = asking => told,
            ended = connection => panic!("the connection has ended: {ended:?}"),
        }
    });
    match charge {
        Some(charge) if status == 200 => {
            let receipt = twins.world.receipt(payer, &charge);
            receipt["request"]["route"].as_str().unwrap().to_owned()
        }
        _ => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            body["code"].as_str().unwrap().to_owned()
        }
    }
}

#[test]
fn at_hosts() {
    let twins = Twins::start(
        ", hosts: [queue.gate.test, \"*.gate.test:8443\", \"[::1]\"]",
        ", hosts: [run.gate.test, \"*.gate.test\", \"queue.gate.test:444\"]",
    );
    let maria = twins.world.payer("studio", "10000");
    for (host, route) in [
        ("queue.gate.test", "fal"),
        ("QUEUE.Gate.Test", "fal"),
        ("queue.gate.test.", "fal"),
        ("queue.gate.test:80", "fal"),
        ("queue.gate.test:443", "fal"),
        // For the very port before any port.
        ("queue.gate.test:444", "run-fal-run"),
        ("run.gate.test", "run-fal-run"),
        // The whole name before what it lies below, whatever the port.
        ("run.gate.test:8443", "run-fal-run"),
        ("a.gate.test", "run-fal-run"),
        ("a.b.gate.test", "run-fal-run"),
        ("a.b.gate.test:8443", "fal"),
        ("[::1]:9000", "fal"),
        ("[0:0:0:0:0:0:0:1]", "fal"),
        ("gate.test", "unknown_route"),
        ("xgate.test", "unknown_route"),
        ("gateway", "unknown_route"),
        ("queue.gate.test.evil.test", "unknown_route"),
        ("127.0.0.1", "unknown_route"),
    ] {
        let before = twins.counts();
        assert_eq!(one(&twins, &maria, FLUX, &format!("Host: {host}\r\n")), route, "{host}");
        assert_eq!(two(&twins, &maria, host, &[]), route, "{host} by HTTP/2");
        let whole =
            one(&twins, &maria, &format!("http://{host}{FLUX}"), &format!("Host: {host}\r\n"));
        assert_eq!(whole, route, "{host} as a whole URL");
        let came = match route {
            "fal" => (3, 0),
            "run-fal-run" => (0, 3),
            _ => (0, 0),
        };
        assert_eq!(twins.counts(), (before.0 + came.0, before.1 + came.1), "{host}");
    }
    // No upstream learns for which host it was asked.
    let seen = twins.queue.calls(&format!("POST {FLUX}"));
    assert!(seen.iter().all(|call| call.header("host") == Some(&twins.queue.addr.to_string())));
    let before = twins.counts();
    for (target, hosts, code) in [
        (FLUX, "Host: queue.gate.test\r\nHost: run.gate.test\r\n", "bad_request"),
        (FLUX, "Host: queue.gate.test\r\nHost: queue.gate.test\r\n", "bad_request"),
        (FLUX, "", "bad_request"),
        (FLUX, "Host: queue.gate.test, run.gate.test\r\n", ""),
        (FLUX, "Host: user@queue.gate.test\r\n", ""),
        (FLUX, "Host: queue.gate.test:99999\r\n", ""),
        (FLUX, "Host: gateway\r\nX-Forwarded-Host: queue.gate.test\r\n", "unknown_route"),
        (FLUX, "Host: gateway\r\nForwarded: host=queue.gate.test\r\n", "unknown_route"),
        ("http://queue.gate.test/fal-ai/flux/dev", "Host: run.gate.test\r\n", "bad_request"),
    ] {
        let told = one(&twins, &maria, target, hosts);
        let refused = ["bad_request", "unknown_route"].contains(&told.as_str());
        assert!(refused && (code.is_empty() || told == code), "{target} {hosts:?}: {told}");
    }
    let other = [("host", "queue.gate.test")];
    assert_eq!(two(&twins, &maria, "run.gate.test", &other), "bad_request");
    assert_eq!(twins.counts(), before, "something was forwarded");
}

#[test]
fn a_host_goes_before_none_and_a_quote_may_name_one() {
    let twins = Twins::start(", hosts: [queue.gate.test]", "");
    let maria = twins.world.payer("studio", "100");
    for (host, route) in [("queue.gate.test", "fal"), ("gateway", "run-fal-run"), ("a b", "")] {
        let told = one(&twins, &maria, FLUX, &format!("Host: {host}\r\n"));
        assert!(told == route || route.is_empty(), "{host}: {told}");
    }
    let quoted = |headers: Value| {
        let body = json!({ "method": "POST", "path": FLUX, "headers": headers, "body": { "num_images": 2 } });
        let reply = twins.world.send(&maria.post("/_credits/v1/quote", &body)).ok().json();
        reply["route"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(quoted(json!({})), "run-fal-run");
    assert_eq!(quoted(json!({ "host": "Queue.gate.test:80" })), "fal");
    // URLs go back to where the client has asked.
    let ask = maria.post(FLUX, &json!({})).header("connection", "close");
    let text = String::from_utf8(ask.bytes()).unwrap();
    let mut wire = twins.world.wire();
    wire.write(text.replacen("Host: gateway", "Host: queue.gate.test:81", 1).as_bytes());
    let body = wire.reply().unwrap().json();
    assert_eq!(body["status_url"], "http://queue.gate.test:81/fal-ai/flux/requests/r1/status");
}

#[test]
fn one_preset_twice_is_two_accounts_at_one_service() {
    let (lab, shop) = (Fake::start(), Fake::start());
    let yaml = format!(
        "{HEAD}upstreams:\n  lab-replicate: {{ url: \"http://{}\", credentials: {{ bearer: {{ env: SECRET }} }} }}\n  \
         shop-replicate: {{ url: \"http://{}\" }}\nuse:\n  - {{ preset: apis/replicate.yaml, as: lab, prefix: /lab }}\n  \
         - {{ preset: apis/replicate.yaml, as: shop, prefix: /shop }}\n",
        lab.addr, shop.addr
    );
    let world = World::of(&yaml, &[]);
    let maria = world.payer("studio", "1000");
    let begin = |fake: &Fake, place: &str| {
        let mut body = prediction("p1", "starting", None);
        body["urls"] = json!({ "get": format!("http://{}/v1/predictions/p1", fake.addr) });
        fake.json("POST /v1/predictions", 201, &body);
        fake.json("GET /v1/predictions/p1", 200, &prediction("p1", "succeeded", Some(3.0)));
        let asked = json!({ "version": VERSION });
        let reply = world.send(&maria.post(&format!("{place}/v1/predictions"), &asked));
        let url = format!("http://gateway{place}/v1/predictions/p1");
        assert_eq!(reply.json()["urls"]["get"], url, "{}", reply.text());
        reply.charge()
    };
    // Both services call their job p1.
    let (first, second) = (begin(&lab, "/lab"), begin(&shop, "/shop"));
    let job = |charge: &str| world.receipt(&maria, charge)["job"]["name"].clone();
    assert_eq!((job(&first), job(&second)), (json!("lab-replicate"), json!("shop-replicate")));
    world.send(&maria.get("/shop/v1/predictions/p1")).ok();
    world.ended(&maria, &second, "settled");
    assert_eq!(world.receipt(&maria, &first)["status"], "held");
    assert_eq!((lab.count(), shop.count()), (1, 2));
    world.send(&maria.get("/lab/v1/predictions/p1")).ok();
    assert_eq!(world.ended(&maria, &first, "settled")["charged"], "0.3");
    assert_eq!(world.send(&maria.get("/v1/predictions/p1")).problem().1, "unknown_route");
}

#[test]
fn our_own_watcher_asks_the_upstream_at_its_own_path() {
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let changes = [
        ("FAKE", addr.as_str()),
        ("# more\n", "public_url: https://ai.example.com\n"),
        (
            "match: POST /v1/predictions\n",
            "match: POST /v1/predictions\n    prefix: /lab\n    hosts: [lab.test]\n",
        ),
        (
            "match: \"GET /v1/predictions/{id}\",",
            "match: \"GET /v1/predictions/{id}\", prefix: /lab, hosts: [lab.test],",
        ),
        ("after: 1h } # watch", "after: 1s } # watch"),
    ];
    let world = World::of(YAML, &changes);
    let maria = world.payer("studio", "100");
    let mut body = prediction("p1", "starting", None);
    body["urls"] = json!({ "get": format!("http://{addr}/v1/predictions/p1") });
    fake.json("POST /v1/predictions", 201, &body);
    fake.json("GET /v1/predictions/p1", 200, &prediction("p1", "succeeded", Some(4.0)));
    let ask = maria.post("/lab/v1/predictions", &json!({})).header("connection", "close");
    let mut wire = world.wire();
    let text = String::from_utf8(ask.bytes()).unwrap();
    wire.write(text.replacen("Host: gateway", "Host: lab.test", 1).as_bytes());
    let reply = wire.reply().unwrap();
    // The scheme is that of the public URL; the host is the one that leads to this route.
    assert_eq!(reply.json()["urls"]["get"], "https://lab.test/lab/v1/predictions/p1");
    let charge = reply.charge();
    until("the watcher asks", || world.receipt(&maria, &charge)["status"] == "settled");
    assert_eq!(world.receipt(&maria, &charge)["job"]["told_by"], "watcher");
    assert_eq!(fake.calls("GET /v1/predictions/p1").len(), 1);
    assert_eq!(world.send(&Ask::new("POST", "/lab/v1/predictions")).status, 404);
}
