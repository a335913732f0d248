//! Requests that say in their body which job they are about, as Vertex AI's `:fetchPredictOperation`.

use serde_json::{Value, json};

use super::rig::Rig;
use crate::wire::Ask;
use crate::world::Payer;

const MODEL: &str = "/v1/projects/p/locations/l/publishers/google/models/veo";
const JOB: &str = "jobs:
  - name: operations
    id: { json: /name }
    status: /done
    words: { pending: [false], completed: [true] }
    watch: { method: POST, path: \"/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:fetchPredictOperation\", body_id: /operationName, every: 1s, after: AFTER }
";
const ROUTES: &str = "routes:
  - name: veo
    match: POST /v1/projects/{project}/locations/{location}/publishers/google/models/{model}:predictLongRunning
    upstream: service
    price: picture
    job: operations
    quantities:
      units: { type: integer, hold: 4, maximum: 100, response: [{ job_items: /response/videos }] }
    on_unknown: release
    reconcile: 1s
  - name: veo-state
    match: POST /v1/projects/{project}/locations/{location}/publishers/google/models/{model}:fetchPredictOperation
    upstream: service
    free: true
    polls: operations
    job_id: { json: /operationName }
    body_limit: 4KiB
";

fn start(after: &str) -> Rig {
    Rig::start(&[("jobs:\n", &JOB.replace("AFTER", after)), ("routes:\n", ROUTES)])
}

fn name(number: u32) -> String {
    format!("projects/p/locations/l/publishers/google/models/veo/operations/{number}")
}

fn fetch() -> String {
    format!("{MODEL}:fetchPredictOperation")
}

fn begin(rig: &Rig, payer: &Payer, number: u32) -> String {
    let path = format!("{MODEL}:predictLongRunning");
    rig.fake.json(&format!("POST {path}"), 200, &json!({ "name": name(number) }));
    rig.world.send(&payer.post(&path, &json!({ "instances": [] }))).ok().charge()
}

fn state(rig: &Rig, number: u32, videos: Option<usize>) {
    let body = match videos {
        Some(videos) => {
            let videos = vec![json!({ "gcsUri": "gs://x/y" }); videos];
            json!({ "name": name(number), "done": true, "response": { "videos": videos } })
        }
        None => json!({ "name": name(number), "done": false }),
    };
    rig.fake.json(&format!("POST {}", fetch()), 200, &body);
}

fn ask(payer: &Payer, number: u32) -> Ask {
    payer.post(&fetch(), &json!({ "operationName": name(number) }))
}

#[test]
fn the_owner_finds_a_job_that_the_body_names() {
    let rig = start("1h");
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria, 7);
    state(&rig, 7, None);
    assert_eq!(rig.world.send(&ask(&maria, 7)).status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    state(&rig, 7, Some(2));
    let reply = rig.world.send(&ask(&maria, 7)).ok();
    assert_eq!(reply.json()["response"]["videos"].as_array().unwrap().len(), 2);
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["charged"], &receipt["job"]["told_by"]), (&json!("6"), &json!("poll")));
    let sent = rig.fake.calls(&format!("POST {}", fetch()));
    assert_eq!(sent[0].json(), json!({ "operationName": name(7) }), "as it came");
}

#[test]
fn nobody_elses_and_no_two_at_once() {
    let rig = start("1h");
    let (maria, joao) = (rig.world.payer("studio", "100"), rig.world.payer("studio", "100"));
    let charge = begin(&rig, &maria, 7);
    begin(&rig, &joao, 8);
    state(&rig, 7, Some(2));
    let (own, other) = (name(8), name(7));
    let bodies: Vec<(u16, String)> = vec![
        (404, json!({ "operationName": other }).to_string()),
        (404, format!(r#"{{"operationName":"{own}","operationName":"{other}"}}"#)),
        (404, format!(r#"{{"operationName":"{own}","operationname":"{other}"}}"#)),
        (404, format!(r#"{{"operationName":["{own}","{other}"]}}"#)),
        (404, format!(r#"{{"operationName":{{"x":"{own}"}}}}"#)),
        (404, format!(r#"{{"operationName":"{own}"}} {{"operationName":"{other}"}}"#)),
        (404, r#"{"operationName":null}"#.to_owned()),
        (404, r#"{"operationName":""}"#.to_owned()),
        (404, "{}".to_owned()),
        (404, "no json".to_owned()),
        (404, String::new()),
        (413, json!({ "operationName": own, "x": "x".repeat(8_192) }).to_string()),
    ];
    for (status, body) in bodies {
        let reply = rig.world.send(&joao.post(&fetch(), &Value::Null).body(body.as_bytes()));
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        if status == 404 {
            assert_eq!(reply.problem().1, "unknown_job", "{body}");
        }
    }
    assert!(rig.fake.calls(&format!("POST {}", fetch())).is_empty(), "nothing is forwarded");
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    assert_eq!(rig.world.send(&ask(&joao, 8)).status, 200);
}

/// What the upstream may read as something else than JSON could name another's job to it.
#[test]
fn only_what_says_that_it_is_json_names_a_job() {
    let rig = start("1h");
    let maria = rig.world.payer("studio", "100");
    let charge = begin(&rig, &maria, 7);
    state(&rig, 7, Some(2));
    let with = |headers: &[(&str, &str)]| {
        let mut ask = ask(&maria, 7);
        ask.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    };
    let json = ("content-type", "application/json");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in [
        &[][..],
        &[form],
        &[("content-type", "text/plain")],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[("content-type", "application/json; charset=utf-16")],
        &[json, form],
        &[json, ("content-encoding", "gzip")],
    ] {
        let reply = rig.world.send(&with(headers));
        assert_eq!(reply.problem(), (404, "unknown_job".to_owned()), "{headers:?}");
    }
    assert!(rig.fake.calls(&format!("POST {}", fetch())).is_empty(), "nothing is forwarded");
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    let utf8 = with(&[("content-type", "application/json; charset=UTF-8")]);
    assert_eq!(rig.world.send(&utf8).status, 200);
}

#[test]
fn the_watcher_asks_in_the_same_way() {
    let rig = start("1s");
    let maria = rig.world.payer("studio", "100");
    state(&rig, 7, Some(3));
    let charge = begin(&rig, &maria, 7);
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["job"]["told_by"]), (&json!("9"), &json!("watcher")));
    let call = rig.fake.calls(&format!("POST {}", fetch())).remove(0);
    assert_eq!(call.json(), json!({ "operationName": name(7) }));
    assert_eq!(call.header("content-type"), Some("application/json"));
}
