//! From its beginning to its end, by whoever asks; and nobody else's.

use serde_json::json;

use super::rig::{Rig, prediction};
use crate::world::{TOKEN, until};

#[test]
fn a_job_holds_its_credits_and_its_slot_until_a_poll_tells_its_end() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("single", "20");
    let begun = rig.predict(&maria, "p1", "starting");
    let charge = begun.charge();
    assert_eq!(begun.header("credits-held"), Some("20"));
    assert_eq!(begun.header("credits-charged"), None);
    assert_eq!(rig.world.in_use(&maria), 1);
    assert_eq!(rig.world.purse(&maria).held, "20");
    // Nothing is left, and the one slot is taken: asking is free and never blocked.
    let more = rig.world.send(&maria.post("/v1/predictions", &json!({})));
    assert_eq!(more.status, 429, "{}", more.text());
    rig.prediction("p1", "processing", None);
    for _ in 0..3 {
        assert_eq!(rig.poll(&maria, "p1").ok().json(), prediction("p1", "processing", None));
    }
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    rig.prediction("p1", "succeeded", Some(2.5));
    let seen = rig.poll(&maria, "p1").ok();
    assert_eq!(seen.body, prediction("p1", "succeeded", Some(2.5)).to_string().into_bytes());
    // The ledger has it before the last frame is passed on.
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("5")));
    let job = json!({ "name": "predictions", "id": "p1", "state": "completed", "told_by": "poll" });
    assert_eq!(receipt["job"], job);
    assert_eq!(rig.world.in_use(&maria), 0);
    assert_eq!(rig.world.purse(&maria).available, "15");
    assert_eq!(rig.poll(&maria, "p1").status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "5");
    assert_eq!(rig.counts("tollgate_jobs_begun_total", "predictions"), "1");
    assert_eq!(rig.counts("tollgate_jobs_ended_total", "predictions"), "1");
}

#[test]
fn an_answer_that_is_the_end_settles_at_once_and_the_job_is_still_there() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    for (status, seconds, state, charged) in [
        ("succeeded", Some(1.0), "settled", "2"),
        ("failed", None, "released", "0"),
        ("canceled", Some(4.0), "released", "0"),
    ] {
        let id = format!("at-once-{status}");
        let body = prediction(&id, status, seconds);
        rig.fake.json("POST /v1/predictions", 201, &body);
        let reply = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok();
        assert_eq!(reply.json(), body);
        let receipt = rig.world.receipt(&maria, &reply.charge());
        assert_eq!(receipt["status"], state, "{receipt}");
        assert_eq!(receipt["charged"], charged);
        assert_eq!(receipt["job"]["told_by"], "create");
        rig.prediction(&id, status, seconds);
        assert_eq!(rig.poll(&maria, &id).status, 200);
    }
}

#[test]
fn an_upstream_that_fails_at_once_costs_nothing() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    for status in [422, 500, 503] {
        rig.fake.json("POST /v1/predictions", status, &json!({ "id": "p", "detail": "no" }));
        let reply = rig.world.send(&maria.post("/v1/predictions", &json!({})));
        assert_eq!(reply.status, status);
        let receipt = rig.world.ended(&maria, &reply.charge(), "released");
        assert_eq!(receipt["charged"], "0");
        assert_eq!(rig.poll(&maria, "p").problem(), (404, "unknown_job".to_owned()));
    }
}

#[test]
fn an_answer_without_an_id_is_unknown() {
    let rig = Rig::start(&[(
        "reconcile: 1s\n  - { name: prediction,",
        "reconcile: 1h\n  - { name: prediction,",
    )]);
    let maria = rig.world.payer("studio", "100");
    for body in
        [json!({ "status": "starting" }), json!({ "id": "", "status": "starting" }), json!(7)]
    {
        rig.fake.json("POST /v1/predictions", 201, &body);
        let reply = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok();
        let receipt = rig.world.ended(&maria, &reply.charge(), "unknown");
        assert_eq!(receipt["held"], "20", "{receipt}");
        let flags = receipt["flags"].as_array().unwrap();
        assert!(flags.contains(&json!("missing_job_id")), "{receipt}");
    }
}

#[test]
fn a_cancel_is_judged_by_its_answer_and_changes_nothing_after_the_end() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let stop = || rig.world.send(&maria.post("/v1/predictions/p1/cancel", &json!({})));
    let line = "POST /v1/predictions/p1/cancel";
    // Not yet: whoever asks for the end must be told of it before anything changes.
    rig.fake.json(line, 202, &prediction("p1", "processing", None));
    assert_eq!(stop().status, 202);
    rig.fake.json(line, 409, &json!({ "detail": "no" }));
    assert_eq!(stop().status, 409);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    rig.fake.json(line, 200, &prediction("p1", "canceled", Some(3.0)));
    assert_eq!(stop().status, 200);
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!(
        (&receipt["status"], &receipt["outcome"]),
        (&json!("released"), &json!("cancelled"))
    );
    assert_eq!(receipt["job"]["told_by"], "cancel");
    // And the other way round: done first, then stopped.
    let charge = rig.predict(&maria, "p2", "starting").charge();
    rig.prediction("p2", "succeeded", Some(1.0));
    rig.poll(&maria, "p2").ok();
    rig.fake.json("POST /v1/predictions/p2/cancel", 200, &prediction("p2", "canceled", None));
    for _ in 0..2 {
        rig.world.send(&maria.post("/v1/predictions/p2/cancel", &json!({}))).ok();
    }
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("2")));
    assert_eq!(rig.counts("tollgate_job_contradictions_total", "predictions"), "1");
}

#[test]
fn a_cancel_may_cost_what_the_job_says() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    rig.fake.json("POST /v1/films", 200, &json!({ "id": "f1", "status": "RUNNING" }));
    let charge = rig.world.send(&maria.post("/v1/films", &json!({}))).ok().charge();
    rig.fake.says("DELETE /v1/films/f1", 204, &[], "");
    let ask = maria.get("/v1/films/f1");
    let gone = rig.world.send(&crate::wire::Ask { method: "DELETE".to_owned(), ..ask });
    assert_eq!(gone.status, 204);
    let receipt = rig.world.ended(&maria, &charge, "settled");
    assert_eq!((&receipt["charged"], &receipt["outcome"]), (&json!("50"), &json!("cancelled")));
}

#[test]
fn nobody_sees_another_accounts_job() {
    let rig = Rig::start(&[]);
    let (maria, joao) = (rig.world.payer("studio", "100"), rig.world.payer("studio", "100"));
    let charge = rig.predict(&maria, "p1", "starting").charge();
    rig.prediction("p1", "succeeded", Some(1.0));
    rig.prediction("guess", "succeeded", Some(1.0));
    let before = rig.fake.count();
    let long = "x".repeat(1_100);
    let strange =
        ["p1", "guess", "p1%00", "p1%0a", "p1%0d%0aX-Y:1", "p1%20", "P1", "%ff", "p1%2f..", &long];
    for id in strange {
        let who = if id == "p1" { &joao } else { &maria };
        let reply = rig.poll(who, id);
        assert!(matches!(reply.status, 400 | 404), "{id}: {} {}", reply.status, reply.text());
        if reply.status == 404 {
            assert_eq!(reply.json()["code"], "unknown_job", "{id}");
        }
        let stop = who.post(&format!("/v1/predictions/{id}/cancel"), &json!({}));
        assert!(matches!(rig.world.send(&stop).status, 400 | 404), "{id}");
    }
    let nobody = crate::wire::Ask::new("GET", "/v1/predictions/p1");
    assert_eq!(rig.world.send(&nobody).status, 401);
    assert_eq!(rig.world.send(&joao.get("/v1/films?id=p1")).status, 404);
    assert_eq!(rig.world.send(&maria.get("/v1/films")).status, 404);
    assert_eq!(rig.fake.count(), before, "something was forwarded");
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    // Another key of the same account sees it.
    let other = rig.world.another_key(&maria.account);
    assert_eq!(rig.poll(&other, "p1").status, 200);
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "settled");
}

#[test]
fn an_unknown_word_means_that_the_job_goes_on() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "booting").charge();
    rig.prediction("p1", "paused", None);
    rig.poll(&maria, "p1").ok();
    assert_eq!(rig.world.receipt(&maria, &charge)["status"], "held");
    assert_eq!(rig.counts("tollgate_job_unknown_words_total", "predictions"), "2");
    rig.prediction("p1", "succeeded", Some(1.0));
    rig.poll(&maria, "p1").ok();
    assert_eq!(rig.world.receipt(&maria, &charge)["charged"], "2");
}

#[test]
fn a_job_settles_at_the_price_that_it_was_reserved_at() {
    let mut rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    rig.restart(&[("rate: 2 }] } # price", "rate: 9 }] } # price")]);
    rig.prediction("p1", "succeeded", Some(3.0));
    rig.poll(&maria, "p1").ok();
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["charged"]), (&json!("settled"), &json!("6")));
}

#[test]
fn a_job_that_never_ends_ends_as_its_route_says() {
    let rig = Rig::start(&[("ttl: 1h # ttl", "ttl: 1s # ttl")]);
    let maria = rig.world.payer("single", "20");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    until("the slot is free", || rig.world.in_use(&maria) == 0);
    let receipt = rig.world.ended(&maria, &charge, "released");
    assert_eq!(receipt["charged"], "0");
    assert_eq!(rig.world.purse(&maria).available, "20");
}

#[test]
fn a_charge_that_waits_for_its_job_names_it() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let job = json!({ "name": "predictions", "id": "p1", "state": null, "told_by": null });
    let own = rig.world.receipt(&maria, &charge);
    let theirs = rig.world.operate("GET", &format!("/charges/{charge}"), &json!({}));
    for receipt in [&own, &theirs] {
        assert_eq!((&receipt["job"], &receipt["status"]), (&job, &json!("held")));
        assert_eq!(receipt["outcome"], json!(null));
        assert_eq!(receipt["why"], "20 is held while its job runs.");
        assert_eq!(receipt["upstream"]["status"], 201);
        let events: Vec<_> = receipt["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event"].clone())
            .collect();
        assert_eq!(events.first(), Some(&json!("reserved")), "{events:?}");
        assert_eq!(events.last(), Some(&json!("handed over")), "{events:?}");
    }
    // It is no instance's, and yet in the list.
    let holds = |query: &str| rig.world.operate("GET", &format!("/holds{query}"), &json!({}));
    let (all, account) = (holds(""), format!("/accounts/{}/holds", maria.account));
    let lists = [all.clone(), rig.world.operate("GET", &account, &json!({}))];
    for list in &lists {
        let hold = &list["data"][0];
        assert_eq!((&hold["id"], &hold["job"]), (&json!(charge), &job), "{list}");
        assert_eq!((&hold["instance"], &hold["held"]), (&json!(null), &json!("20")));
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
    }
    let instance = all["instance"].as_str().unwrap();
    assert_eq!(holds(&format!("?instance={instance}"))["data"], json!([]));
    // The command line shows the same.
    let run = |words: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(words)
            .env("TOLLGATE_ADMIN_URL", format!("http://{}", rig.world.admin))
            .env("TOLLGATE_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for words in [&["charge", "show", &charge][..], &["hold", "list"]] {
        let shown = run(words);
        assert!(shown.contains("predictions") && shown.contains("p1"), "{words:?}: {shown}");
    }
    // Its end says more in the same place, also where a person ends it.
    rig.world.operate("POST", &format!("/charges/{charge}/release"), &json!({ "reason": "stuck" }));
    let receipt = rig.world.receipt(&maria, &charge);
    assert_eq!((&receipt["status"], &receipt["job"]), (&json!("released"), &job));
    assert_eq!(holds("")["data"], json!([]));
}

#[test]
fn a_job_whose_time_is_over_is_still_named() {
    let rig = Rig::start(&[("ttl: 1h # ttl", "ttl: 1s # ttl")]);
    let maria = rig.world.payer("single", "20");
    let charge = rig.predict(&maria, "p1", "starting").charge();
    let receipt = rig.world.ended(&maria, &charge, "released");
    assert_eq!(receipt["job"]["id"], "p1");
    assert_eq!(receipt["outcome"], json!(null));
}
