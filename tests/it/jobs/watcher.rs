//! Our own watcher: when nobody ever asks, and when the instance that began a job is gone.

use serde_json::json;

use super::rig::{Rig, prediction};
use crate::world::until;

const SOON: (&str, &str) = ("after: 1h } # watch\n", "after: 1s } # watch\n");

#[test]
fn a_job_that_nobody_polls_is_watched_to_its_end() {
    let rig = Rig::start(&[SOON]);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p/1", "starting").charge();
    let line = "GET /v1/predictions/p%2F1";
    until("it is asked about, and fails", || !rig.fake.calls(line).is_empty());
    rig.fake.json(line, 200, &prediction("p/1", "processing", None));
    let failed = rig.fake.calls(line).len();
    until("it goes on", || rig.fake.calls(line).len() > failed);
    rig.fake.json(line, 200, &prediction("p/1", "succeeded", Some(4.0)));
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["job"]["told_by"]), (&json!("8"), &json!("watcher")));
    let call = rig.fake.calls(line).pop().unwrap();
    assert_eq!(call.header("authorization"), Some("Bearer sample-upstream-secret"));
    // Once it has ended, nobody asks any more.
    let asked = rig.fake.calls(line).len();
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(rig.fake.calls(line).len(), asked);
}

#[test]
fn a_restart_in_between_changes_nothing() {
    let mut rig = Rig::start(&[SOON]);
    let maria = rig.world.payer("single", "20");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    rig.restart(&[SOON]);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    assert_eq!(rig.world.in_use(&maria), 1);
    rig.prediction("p1", "failed", None);
    let receipt = rig.world.ended(&maria, &charge, "released");
    assert_eq!(receipt["outcome"], "failed");
    assert_eq!(rig.world.in_use(&maria), 0);
}

#[test]
fn a_finished_job_is_asked_what_it_used_where_that_is_told() {
    let soon = [(
        "every: 1s, after: 1h } # watch pictures",
        "every: 1s, after: 1s, result: \"/{model}/requests/{id}\" }",
    )];
    let rig = Rig::start(&soon);
    let maria = rig.world.payer("studio", "100");
    rig.fake.json("POST /flux", 200, &json!({ "request_id": "r1", "status": "IN_QUEUE" }));
    let done = json!({ "request_id": "r1", "status": "COMPLETED" });
    rig.fake.json("GET /flux/requests/r1/status", 200, &done);
    let head = [("content-type", "application/json"), ("x-billable-units", "3")];
    rig.fake.says("GET /flux/requests/r1", 200, &head, "{\"images\":[]}");
    let charge = rig.world.send(&maria.post("/flux", &json!({}))).ok().charge();
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["job"]["told_by"]), (&json!("9"), &json!("watcher")));
    assert_eq!(receipt["flags"], json!([]));
}
