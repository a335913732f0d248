//! Two instances on one Redis: duplicate and reordered reports at once, and one settlement.

use super::rig::{Fake, prediction};
use super::webhooks::{HOOKS, begin, on_redis, signed};
use crate::crowd::all_at_once;
use crate::exposition::Scrape;
use crate::ledger_redis::create;
use crate::redis_server::RedisServer;
use crate::wire::Ask;
use crate::world::{TOKEN, World};

fn counts(world: &World, name: &str) -> u64 {
    let text = world.operator(&Ask::new("GET", "/metrics").key(TOKEN)).ok().text();
    Scrape::read(&text).value(name, &[("job", "predictions")]).parse().unwrap()
}

#[test]
fn fifty_reports_at_once_on_two_instances_settle_once() {
    let redis = RedisServer::start(&[]);
    create(&redis, false);
    let (fake, client) = (Fake::start(), Fake::start());
    client.says("POST /hook?x=1", 200, &[], "");
    let worlds = [0, 1].map(|_| on_redis(&redis, &fake, HOOKS));
    let maria = worlds[0].payer("studio", "1000");
    for round in 0..4 {
        let id = format!("p{round}");
        let (charge, path) = begin(&fake, &worlds[0], &maria, (&id, &client));
        let before = worlds[1].purse(&maria).available;
        // All say that it is done; some are late and say that it goes on. In the last round some say that it
        // failed: one of the two is first, and that is the end.
        let done = prediction(&id, "succeeded", Some(2.5));
        fake.json(&format!("GET /v1/predictions/{id}"), 200, &done);
        let asks = (0..50).map(|number| {
            let ask = match number % 5 {
                0 | 1 => maria.get(&format!("/v1/predictions/{id}")),
                2 => signed(&path, &prediction(&id, "processing", None).to_string(), "m0"),
                3 if round == 3 => {
                    signed(&path, &prediction(&id, "failed", None).to_string(), "m2")
                }
                _ => signed(&path, &done.to_string(), "m1"),
            };
            (worlds[number % 2].data, ask)
        });
        for reply in all_at_once(asks.collect()) {
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        let receipt = worlds[1].receipt(&maria, &charge);
        let ended = counts(&worlds[0], "tollgate_jobs_ended_total")
            + counts(&worlds[1], "tollgate_jobs_ended_total");
        assert_eq!(ended, round + 1, "{receipt}");
        let after = worlds[0].purse(&maria);
        assert_eq!(after.held, "0");
        let number = |text: &str| text.parse::<u64>().unwrap();
        // What was held is back, less what was charged.
        let charged = number(receipt["charged"].as_str().unwrap());
        assert_eq!(number(&after.available), number(&before) + 20 - charged, "{receipt}");
        match receipt["status"].as_str().unwrap() {
            "settled" => assert_eq!(charged, 5),
            "released" => assert_eq!((round, charged), (3, 0)),
            other => panic!("{other}: {receipt}"),
        }
    }
    let contradicted = counts(&worlds[0], "tollgate_job_contradictions_total")
        + counts(&worlds[1], "tollgate_job_contradictions_total");
    assert!(contradicted > 0);
    assert_eq!(worlds[0].charges(&maria).len(), 4);
}
