//! Files that answers about a job name: its owner has them, and nobody else.

use serde_json::{Value, json};

use super::rig::{Fake, Rig};
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
