//! What a job used, told elsewhere: in a header of its result, or by the answer that began it.

use serde_json::{Value, json};

use super::rig::Rig;
use crate::world::Payer;

fn begin(rig: &Rig, payer: &Payer) -> String {
    let body = json!({ "request_id": "r1", "status": "IN_QUEUE" });
    rig.fake.json("POST /flux", 200, &body);
    rig.world.send(&payer.post("/flux", &json!({}))).ok().charge()
}

fn done(rig: &Rig) {
    let body = json!({ "request_id": "r1", "status": "COMPLETED" });
    rig.fake.json("GET /flux/requests/r1/status", 200, &body);
}

fn flags(receipt: &Value) -> Vec<&str> {
    receipt["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

#[test]
fn a_finished_job_waits_for_the_result_that_says_what_it_used() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria);
    done(&rig);
    for _ in 0..3 {
        rig.world.send(&maria.get("/flux/requests/r1/status")).ok();
        assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    }
    let head = [("content-type", "application/json"), ("x-billable-units", "2")];
    rig.fake.says("GET /flux/requests/r1", 200, &head, "{\"images\":[{}]}");
    rig.world.send(&maria.get("/flux/requests/r1")).ok();
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("6")));
    assert_eq!(receipt["job"]["told_by"], "result");
    assert!(flags(&receipt).is_empty(), "{receipt}");
}

#[test]
fn a_result_that_comes_is_the_end_even_if_nobody_has_asked_before() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria);
    let ask = || rig.world.send(&maria.get("/flux/requests/r1"));
    rig.fake.json("GET /flux/requests/r1", 400, &json!({ "detail": "in progress" }));
    assert_eq!(ask().status, 400);
    rig.fake.json("GET /flux/requests/r1", 202, &json!({ "detail": "in progress" }));
    assert_eq!(ask().status, 202);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    // Without the header: charged as held, and said so. It is the last who could have told.
    rig.fake.says("GET /flux/requests/r1", 200, &[("content-type", "image/png")], "\u{1}PNG");
    ask().ok();
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("12")));
    assert_eq!(flags(&receipt), ["missing_quantity:units"]);
}

#[test]
fn a_result_that_never_comes_is_settled_after_the_grace() {
    let rig = Rig::start(&[("grace: 1h # grace", "grace: 1s # grace")]);
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria);
    done(&rig);
    rig.world.send(&maria.get("/flux/requests/r1/status")).ok();
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!(
        (&receipt["charged"], &receipt["job"]["told_by"]),
        (&json!("12"), &json!("watcher"))
    );
    assert_eq!(flags(&receipt), ["missing_quantity:units"]);
}

#[test]
fn a_completed_that_carries_an_error_failed() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria);
    let body = json!({ "request_id": "r1", "status": "COMPLETED", "error": "nsfw" });
    rig.fake.json("GET /flux/requests/r1/status", 200, &body);
    rig.world.send(&maria.get("/flux/requests/r1/status")).ok();
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["outcome"]), (&json!("released"), &json!("failed")));
}

#[test]
fn the_hold_follows_what_the_upstream_expects() {
    let rig = Rig::start(&[]);
    for (credits, held, charged) in
        [(json!(25), "25", "25"), (json!(80), "80", "80"), (json!(null), "50", "50")]
    {
        let maria = rig.world.payer("studio", "100");
        let body =
            json!({ "id": "f1", "status": "RUNNING", "estimatedCost": { "credits": credits } });
        rig.fake.json("POST /v1/films", 200, &body);
        let reply = rig.world.send(&maria.post("/v1/films", &json!({}))).ok();
        assert_eq!(reply.json(), body);
        let charge = reply.charge();
        assert_eq!(rig.world.purse(&maria).held, held);
        rig.fake.json("GET /v1/films?id=f1", 200, &json!({ "id": "f1", "status": "SUCCEEDED" }));
        rig.world.send(&maria.get("/v1/films?id=f1")).ok();
        let receipt = rig.world.receipt(&maria, &charge);
        assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!(charged)));
        let adjusted = receipt["adjustments"].as_array().unwrap().len();
        assert_eq!(adjusted, usize::from(held != "50"), "{receipt}");
    }
}
