//! Upstreams whose jobs are at one of several hosts, as the create answer's URLs say: Black Forest Labs' regions.

use serde_json::json;

use super::rig::{Fake, Rig, YAML, prediction};
use crate::wire::Reply;
use crate::world::{Payer, World};

const HOSTS: &str = "hosts: [queue.service.test]";

/// Begins a prediction whose answer names this host in these places.
fn begin(rig: &Rig, payer: &Payer, id: &str, body: &str, header: &str) -> Reply {
    let mut answer = prediction(id, "starting", None);
    if !body.is_empty() {
        // The first that is declared counts, whatever else there is.
        let stop = format!("http://queue.service.test/v1/predictions/{id}/cancel");
        answer["urls"] =
            json!({ "get": format!("http://{body}/v1/predictions/{id}"), "cancel": stop });
    }
    let location = format!("http://{header}/v1/predictions/{id}");
    let head = [("content-type", "application/json"), ("location", location.as_str())];
    rig.fake.says("POST /v1/predictions", 201, &head, &answer.to_string());
    let reply = rig.world.send(&payer.post("/v1/predictions", &json!({})));
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply
}

#[test]
fn a_job_is_asked_for_at_the_host_that_has_it() {
    let region = Fake::start();
    let stranger = Fake::start();
    let (there, other) = (region.addr.to_string(), stranger.addr.to_string());
    let declared = format!("hosts: [queue.service.test, '{there}']");
    let mut rig = Rig::start(&[(HOSTS, &declared)]);
    let maria = rig.world.payer("studio", "1000");
    let home = rig.fake.addr.to_string();
    for (id, body, header) in [
        ("p1", there.as_str(), home.as_str()),
        ("p2", "", there.as_str()),
        ("p3", there.as_str(), other.as_str()),
    ] {
        let line = format!("GET /v1/predictions/{id}");
        region.json(&line, 200, &prediction(id, "succeeded", Some(2.0)));
        let reply = begin(&rig, &maria, id, body, header);
        let here = format!("http://gateway/v1/predictions/{id}");
        if body == there {
            assert_eq!(reply.json()["urls"]["get"], here.as_str());
        }
        assert_eq!(rig.poll(&maria, id).status, 200);
        assert_eq!(rig.world.receipt(&maria, &reply.charge())["charged"], "4");
        let call = region.calls(&line).remove(0);
        assert_eq!(call.header("host"), Some(there.as_str()));
        assert_eq!(call.header("authorization"), Some("Bearer sample-upstream-secret"));
        assert!(rig.fake.calls(&line).is_empty());
        // And stopped there.
        let stop = format!("POST /v1/predictions/{id}/cancel");
        rig.world.send(&maria.post(&format!("/v1/predictions/{id}/cancel"), &json!({})));
        assert_eq!((region.calls(&stop).len(), rig.fake.calls(&stop).len()), (1, 0));
    }
    let line = "GET /v1/predictions/p0";
    rig.fake.json(line, 200, &prediction("p0", "succeeded", Some(2.0)));
    begin(&rig, &maria, "p0", &home, &there);
    assert_eq!(rig.poll(&maria, "p0").status, 200);
    assert!(region.calls(line).is_empty(), "a body goes before a header");
    // A host that nobody declared gets nothing, whatever an answer says.
    begin(&rig, &maria, "p4", "", &other);
    assert_eq!(rig.poll(&maria, "p4").status, 404);
    assert_eq!(rig.fake.calls("GET /v1/predictions/p4").len(), 1);
    // Nor does one that is not declared any more.
    begin(&rig, &maria, "p5", &there, &there);
    rig.restart(&[]);
    rig.poll(&maria, "p5");
    assert_eq!(rig.fake.calls("GET /v1/predictions/p5").len(), 1);
    assert!(region.calls("GET /v1/predictions/p5").is_empty());
    assert_eq!(stranger.count(), 0);
}

#[test]
fn so_does_the_watcher() {
    let region = Fake::start();
    let there = region.addr.to_string();
    let declared = format!("hosts: ['{there}']");
    let soon = ("after: 1h } # watch\n", "after: 1s } # watch\n");
    let fake = Fake::start();
    let addr = fake.addr.to_string();
    let world = World::of(YAML, &[("FAKE", addr.as_str()), (HOSTS, declared.as_str()), soon]);
    let rig = Rig { fake, world };
    let maria = rig.world.payer("studio", "100");
    region.json("GET /v1/predictions/p1", 200, &prediction("p1", "succeeded", Some(2.0)));
    let charge = begin(&rig, &maria, "p1", &there, &there).charge();
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["job"]["told_by"]), (&json!("4"), &json!("watcher")));
    assert!(rig.fake.calls("GET /v1/predictions/p1").is_empty());
}
