//! Calls that are faster than the answer that begins their job.

use std::net::SocketAddr;

use serde_json::json;

use super::rig::{Fake, YAML, prediction};
use super::webhooks::{HOOKS, changes, on_redis, seed, signed};
use crate::crowd::all_at_once;
use crate::ledger_redis::create;
use crate::redis_server::RedisServer;
use crate::wire::Reply;
use crate::world::{Payer, World, until};

/// Begins a prediction whose answer the upstream keeps back.
fn begin(
    fake: &Fake,
    client: &Fake,
    to: SocketAddr,
    payer: &Payer,
) -> (String, std::thread::JoinHandle<Reply>) {
    fake.json("POST /v1/predictions", 201, &prediction("p1", "starting", None));
    fake.hold("POST /v1/predictions");
    let url = format!("http://{}/hook?x=1", client.addr);
    let ask = payer.post("/v1/predictions", &json!({ "webhook": url }));
    let asking = tollgate::seam::thread("asking", move || all_at_once(vec![(to, ask)]).remove(0));
    until("the upstream has it", || !fake.calls("POST /v1/predictions").is_empty());
    let call = fake.calls("POST /v1/predictions").remove(0).json();
    let path = call["webhook"].as_str().unwrap().strip_prefix("https://ai.example.com").unwrap();
    (path.to_owned(), asking.unwrap())
}

/// The upstream calls `called`; the request came to `asked`.
fn early(fake: &Fake, asked: &World, called: &World) {
    let client = Fake::start();
    client.says("POST /hook?x=1", 200, &[], "");
    let maria = asked.payer("studio", "100");
    let (path, asking) = begin(fake, &client, asked.data, &maria);
    let done = prediction("p1", "succeeded", Some(2.0)).to_string();
    for _ in 0..2 {
        let reply = called.send(&signed(&path, &done, "m1"));
        assert_eq!(reply.problem(), (503, "metering_unavailable".to_owned()));
        let again: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&again), "{again}");
    }
    assert_eq!(client.count(), 0, "nobody hears of it yet");
    fake.free("POST /v1/predictions");
    let charge = asking.join().unwrap().ok().charge();
    assert_eq!(asked.receipt(&maria, &charge)["status"], "held");
    assert_eq!(called.send(&signed(&path, &done, "m1")).status, 200);
    let receipt = asked.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("4")));
    assert_eq!(client.calls("POST /hook?x=1").len(), 1);
}

#[test]
fn a_call_before_the_answer_is_asked_to_come_again() {
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let world = World::seeded_of(YAML, &changes(&addr, HOOKS), seed);
    early(&fake, &world, &world);
}

#[test]
fn so_is_one_at_another_instance() {
    let redis = RedisServer::start(&[]);
    create(&redis, false);
    let fake = Fake::start();
    let worlds = [0, 1].map(|_| on_redis(&redis, &fake, HOOKS));
    early(&fake, &worlds[0], &worlds[1]);
}
