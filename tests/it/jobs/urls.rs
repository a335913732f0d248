//! URLs of the upstream's own are turned to the gateway; everything else stays as it came.

use serde_json::json;

use super::rig::Rig;

#[test]
fn declared_urls_of_the_upstream_lead_here_and_no_other_byte_changes() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let (there, here) = (format!("http://{}", rig.fake.addr), "http://gateway".to_owned());
    // Spaces, escapes and a number that no reader may touch.
    let body = format!(
        r#"{{ "id" : "p1","status":"starting", "n": 1.50e+3, "é": "\u00e9",
        "urls": {{ "get": "http:\/\/{}\/v1\/predictions\/p1?x=1", "cancel": "http://queue.service.test/v1/predictions/p1/cancel",
                  "stream": "{there}/v1/stream" }}, "output": "{there}/files/a.png?X-Amz-Signature=abc" }}"#,
        rig.fake.addr
    );
    let location = format!("{there}/v1/predictions/p1");
    let head = [("content-type", "application/json"), ("location", location.as_str())];
    rig.fake.says("POST /v1/predictions", 201, &head, &body);
    let reply = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok();
    let wanted = body
        .replace(
            &format!("http:\\/\\/{}\\/v1\\/predictions\\/p1", rig.fake.addr),
            &format!("{here}/v1/predictions/p1"),
        )
        .replace(
            "http://queue.service.test/v1/predictions/p1/cancel",
            &format!("{here}/v1/predictions/p1/cancel"),
        );
    assert_eq!(reply.text(), wanted);
    assert_eq!(reply.header("content-length"), Some(wanted.len().to_string().as_str()));
    assert_eq!(reply.header("location"), Some("http://gateway/v1/predictions/p1"));
    // What is asked for there is the same job, and its owner alone gets it.
    let joao = rig.world.payer("studio", "100");
    assert_eq!(rig.poll(&joao, "p1").status, 404);
    rig.fake.says("GET /v1/predictions/p1", 200, &head[..1], &body);
    let polled = rig.poll(&maria, "p1").ok().text();
    assert!(polled.contains("\"get\": \"http://gateway/v1/predictions/p1?x=1\""), "{polled}");
    // Not declared for this route.
    assert!(polled.contains("http://queue.service.test/v1/predictions/p1/cancel"), "{polled}");
}

#[test]
fn foreign_urls_and_bodies_that_cannot_be_read_stay() {
    let rig = Rig::start(&[]);
    let maria = rig.world.payer("studio", "100");
    let there = format!("http://{}", rig.fake.addr);
    let big = format!(
        "{{\"id\":\"big\",\"urls\":{{\"get\":\"{there}/x\"}},\"p\":\"{}\"}}",
        "x".repeat(2 << 20)
    );
    let cases = [
        (
            r#"{"id":"a","urls":{"get":"https://storage.example.com/x","cancel":null}}"#.to_owned(),
            "application/json",
        ),
        (
            format!("{{\"id\":\"b\",\"urls\":{{\"get\":\"http://user@{}/x\"}}}}", rig.fake.addr),
            "application/json",
        ),
        (
            format!(
                "{{\"id\":\"c\",\"urls\":{{\"get\":\"http://{}.evil.test/x\"}}}}",
                rig.fake.addr
            ),
            "application/json",
        ),
        (format!("{{\"id\":\"d\",\"urls\":{{\"get\":\"{there}/x\"}}"), "application/json"),
        (format!("{{\"id\":\"e\",\"urls\":{{\"get\":\"{there}/x\"}}}}"), "text/plain"),
        (big, "application/json"),
    ];
    for (body, kind) in cases {
        rig.fake.says("POST /v1/predictions", 200, &[("content-type", kind)], &body);
        let reply = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok();
        assert_eq!(reply.text().len(), body.len());
        assert!(reply.text() == body, "{}", &body[..100.min(body.len())]);
        rig.world.grant(&maria, "100");
    }
}

#[test]
fn a_public_url_goes_before_what_a_request_says() {
    let rig = Rig::start(&[("# more\n", "public_url: https://ai.example.com\n")]);
    let maria = rig.world.payer("studio", "100");
    let body = json!({ "id": "p1", "status": "starting", "urls": { "get": format!("http://{}/v1/predictions/p1", rig.fake.addr) } });
    rig.fake.json("POST /v1/predictions", 201, &body);
    let reply = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok();
    assert_eq!(reply.json()["urls"]["get"], "https://ai.example.com/v1/predictions/p1");
}

#[test]
fn a_route_that_takes_the_rest_keeps_no_url_of_a_job_from_being_turned() {
    let rest = "  - { name: rest, match: \"POST /v1/{*rest}\", upstream: service, free: true }\n  - { name: stop,";
    let rig = Rig::start(&[("  - { name: stop,", rest)]);
    let maria = rig.world.payer("studio", "100");
    let there = format!("http://{}", rig.fake.addr);
    let urls = |at: &str| json!({ "get": format!("{at}/v1/predictions/p1"), "cancel": format!("{at}/v1/predictions/p1/cancel") });
    let body = json!({ "id": "p1", "status": "starting", "urls": urls(&there), "output": format!("{there}/v1/other") });
    rig.fake.json("POST /v1/predictions", 201, &body);
    let told = rig.world.send(&maria.post("/v1/predictions", &json!({}))).ok().json();
    assert_eq!(told["urls"], urls("http://gateway"));
    assert_eq!(told["output"], body["output"], "what is there is anybody's");
}
