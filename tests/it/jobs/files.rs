//! Files that answers about a job name: its owner has them, and nobody else.

use serde_json::{Value, json};

use super::rig::{Fake, Rig, prediction};
use super::webhooks::on_redis;
use crate::ledger_redis::create;
use crate::redis_server::RedisServer;
use crate::wire::Reply;
use crate::world::{Payer, World, until};

/// A film that is done, and names files.
fn film(id: &str, files: &Value, links: &[String]) -> Value {
    let links: Vec<_> = links.iter().map(|url| json!({ "url": url })).collect();
    json!({ "id": id, "status": "SUCCEEDED", "files": files, "links": links })
}

/// Begins a film, of which the upstream then says this.
#[track_caller]
fn begin(fake: &Fake, world: &World, payer: &Payer, said: &Value) {
    let id = said["id"].as_str().unwrap();
    fake.json("POST /v1/films", 200, &json!({ "id": id, "status": "RUNNING" }));
    world.send(&payer.post("/v1/films", &json!({}))).ok();
    fake.json(&format!("GET /v1/films?id={id}"), 200, said);
}

fn poll(world: &World, payer: &Payer, id: &str) -> Reply {
    world.send(&payer.get(&format!("/v1/films?id={id}")))
}

/// Asks for a file, which the upstream has.
fn file(fake: &Fake, world: &World, payer: &Payer, id: &str) -> u16 {
    fake.says(&format!("GET /v1/files/{id}/content"), 200, &[], "a film");
    world.send(&payer.get(&format!("/v1/files/{id}/content"))).status
}

#[test]
fn the_owner_has_what_an_answer_named_and_nobody_else() {
    let rig = Rig::start(&[]);
    let (maria, joao) = (rig.world.payer("studio", "100"), rig.world.payer("studio", "100"));
    let has = |payer: &Payer, id: &str| file(&rig.fake, &rig.world, payer, id);
    let url = format!("http://{}/v1/files/linked/content?x=1", rig.fake.addr);
    begin(&rig.fake, &rig.world, &maria, &film("f1", &json!(["one", 7, null, "a b"]), &[url]));
    assert_eq!(has(&maria, "one"), 404, "nobody has named it yet");
    let before = rig.fake.count();
    let told = poll(&rig.world, &maria, "f1").ok();
    assert_eq!(told.json()["links"][0]["url"], "http://gateway/v1/files/linked/content?x=1");
    for id in ["one", "7", "a%20b", "linked"] {
        assert_eq!(has(&maria, id), 200, "{id}");
        assert_eq!(has(&joao, id), 404, "{id} is not João's");
    }
    for id in ["two", "content", "null", "f1", "..%2Fone", "one%00"] {
        assert!([400, 404].contains(&has(&maria, id)), "{id}");
    }
    assert_eq!(rig.fake.count(), before + 5, "what nobody may have is not asked for");
    // The same file is another account's too once that account's job has named it.
    begin(&rig.fake, &rig.world, &joao, &film("f2", &json!(["one"]), &[]));
    poll(&rig.world, &joao, "f2").ok();
    assert_eq!((has(&joao, "one"), has(&maria, "one"), has(&joao, "7")), (200, 200, 404));
}

#[test]
fn an_answer_that_begins_and_ends_a_job_names_its_files_too() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    rig.fake.json("POST /v1/films", 200, &film("f1", &json!(["one"]), &[]));
    rig.world.send(&maria.post("/v1/films", &json!({}))).ok();
    assert_eq!(file(&rig.fake, &rig.world, &maria, "one"), 200);
}

#[test]
fn files_that_come_later_are_added_up_to_a_bound() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let has = |id: &str| file(&rig.fake, &rig.world, &maria, id);
    let names = |numbers: std::ops::Range<usize>| -> Value {
        numbers.map(|number| format!("n{number}")).collect()
    };
    let running = json!({ "id": "f1", "status": "RUNNING", "files": ["early"] });
    begin(&rig.fake, &rig.world, &maria, &running);
    poll(&rig.world, &maria, "f1").ok();
    assert_eq!(has("early"), 200, "while it runs");
    for numbers in [0..20, 10..40] {
        rig.fake.json("GET /v1/films?id=f1", 200, &film("f1", &names(numbers), &[]));
        poll(&rig.world, &maria, "f1").ok();
    }
    assert_eq!((has("n0"), has("n30"), has("n31"), has("early")), (200, 200, 404, 200));
}

#[test]
fn a_url_names_a_file_only_at_its_place_with_the_upstream() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let there = format!("http://{}", rig.fake.addr);
    let links = [
        "http://files.example.com/v1/files/foreign/content".to_owned(),
        "http://queue.service.test/v1/files/region/content".to_owned(),
        format!("{there}/x/v1/files/behind/content"),
        format!("{there}/v1/files/before/content/x"),
        format!("{there}/v1/Files/other/content"),
        format!("ftp://{}/v1/files/scheme/content", rig.fake.addr),
        format!("{there}/v1/files/own/content"),
    ];
    begin(&rig.fake, &rig.world, &maria, &film("f1", &json!([]), &links));
    poll(&rig.world, &maria, "f1").ok();
    for id in ["foreign", "region", "behind", "before", "other", "scheme"] {
        assert_eq!(file(&rig.fake, &rig.world, &maria, id), 404, "{id}");
    }
    assert_eq!(file(&rig.fake, &rig.world, &maria, "own"), 200);
}

#[test]
fn ids_have_a_bound_together() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let ids: Vec<String> = (0..6).map(|number| format!("{number}{}", "x".repeat(999))).collect();
    begin(&rig.fake, &rig.world, &maria, &film("f1", &json!(ids), &[]));
    poll(&rig.world, &maria, "f1").ok();
    let has = |at: usize| file(&rig.fake, &rig.world, &maria, &ids[at]);
    assert_eq!([has(0), has(3), has(4), has(5)], [200, 200, 404, 404]);
}

#[test]
fn our_watcher_learns_of_files_too() {
    let part = "  - { name: part, match: \"GET /v1/parts/{id}\", upstream: service, free: true, file_of: predictions }\n  - { name: stop,";
    let rig = Rig::start(&[
        ("ttl: 1h # ttl", "ttl: 1h\n    files: [/files/*]"),
        ("  - { name: stop,", part),
        ("every: 1s, after: 1h } # watch\n", "every: 1s, after: 1s } # watch\n"),
    ]);
    let maria = rig.world.payer("studio", "100");
    let mut said = prediction("p1", "succeeded", Some(2.0));
    said["files"] = json!(["one"]);
    rig.fake.json("GET /v1/predictions/p1", 200, &said);
    let charge = rig.predict(&maria, "p1", "starting").charge();
    until("nobody but the watcher has asked", || {
        rig.world.receipt(&maria, &charge)["status"] == "settled"
    });
    rig.fake.says("GET /v1/parts/one", 200, &[], "a film");
    assert_eq!(rig.world.send(&maria.get("/v1/parts/one")).status, 200);
    assert_eq!(rig.world.send(&maria.get("/v1/parts/two")).status, 404);
}

#[test]
fn what_is_nobodys_own_is_not_led_to() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let there = format!("http://{}/v1/about/films", rig.fake.addr);
    // Files are at the upstream's own host.
    let elsewhere = "http://queue.service.test/v1/files/one/content".to_owned();
    let links = [there.clone(), elsewhere.clone()];
    begin(&rig.fake, &rig.world, &maria, &film("f1", &json!([]), &links));
    let told = poll(&rig.world, &maria, "f1").ok().json();
    assert_eq!(
        (&told["links"][0]["url"], &told["links"][1]["url"]),
        (&json!(there), &json!(elsewhere))
    );
}

#[test]
fn a_file_is_forgotten_with_its_job() {
    let old = "store: { embedded: { path: ledger, lease: 3s } } # store";
    let new = "store: { embedded: { path: ledger, lease: 3s, test_clock: true } } # store";
    let rig = Rig::start(&[(old, new)]);
    let maria = rig.world.payer("studio", "100");
    let has = |id: &str| file(&rig.fake, &rig.world, &maria, id);
    begin(&rig.fake, &rig.world, &maria, &film("f1", &json!(["one"]), &[]));
    poll(&rig.world, &maria, "f1").ok();
    let advance = |hours: &str| {
        rig.world.operate("POST", "/test_clock/advance", &json!({ "by": hours }));
    };
    advance("12h");
    assert_eq!(has("one"), 200);
    // An hour of life, and half a day.
    advance("2h");
    until("its file is forgotten", || has("one") == 404);
    assert_eq!(poll(&rig.world, &maria, "f1").status, 200, "its owner still finds the job");
}

#[test]
fn what_one_instance_was_told_another_gives() {
    let redis = RedisServer::start(&[]);
    create(&redis, false);
    let fake = Fake::start();
    let (one, other) = (on_redis(&redis, &fake, ""), on_redis(&redis, &fake, ""));
    let maria = one.payer("studio", "100");
    begin(&fake, &one, &maria, &film("f1", &json!(["one"]), &[]));
    poll(&one, &maria, "f1").ok();
    assert_eq!(
        (file(&fake, &other, &maria, "one"), file(&fake, &other, &maria, "two")),
        (200, 404)
    );
}
