//! The sample upstream: what it answers and what it writes into its work log.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tollgate::cli::demo::upstream::{Options, Outcome, SECRET, SampleUpstream};
use tollgate::cli::http::{Answer, Client, NoAnswer};

fn start(options: &Options) -> SampleUpstream {
    SampleUpstream::start("127.0.0.1:0".parse().unwrap(), options).unwrap()
}

fn call(
    upstream: &SampleUpstream,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Result<Answer, NoAnswer> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut request = Request::builder().method(method).uri(format!("{}{path}", upstream.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    let request = request.body(Full::new(body)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Client::new().unwrap().send(request).await })
}

/// Waits until `count` units have ended.
fn units(upstream: &SampleUpstream, count: usize) -> Vec<tollgate::cli::demo::upstream::Work> {
    for _ in 0..200 {
        if upstream.work.units().len() >= count {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    upstream.work.units()
}

#[test]
fn each_kind_of_work_is_done_and_recorded() {
    let upstream = start(&Options::default());
    let ask = json!({ "n": 3, "nonce": "a" });
    let images = call(&upstream, "/v1/images/generations", &[], Some(ask)).unwrap();
    assert_eq!(images.json()["data"].as_array().unwrap().len(), 3);
    let ask = json!({ "seconds": 95, "target_lang": "pt" });
    let dubbing = call(&upstream, "/v1/dubbing", &[("x-nonce", "b")], Some(ask)).unwrap();
    assert_eq!(dubbing.json()["seconds"], 95);
    assert_eq!(dubbing.json()["expected_duration_sec"], 95.0);
    let ask = json!({ "messages": [{ "role": "user", "content": "how are you" }] });
    let chat = call(&upstream, "/v1/chat/completions", &[], Some(ask)).unwrap();
    assert_eq!(chat.json()["usage"]["prompt_tokens"], 3);
    assert_eq!(chat.json()["usage"]["completion_tokens"], 8);
    assert_eq!(call(&upstream, "/v1/models", &[], None).unwrap().status, 200);

    let done = units(&upstream, 3);
    assert!(done.iter().all(|unit| unit.outcome == Outcome::Done));
    assert_eq!(done[0].nonce.as_deref(), Some("a"));
    assert_eq!(done[0].quantity["images"], 3.into());
    assert_eq!(done[1].nonce.as_deref(), Some("b"));
    assert_eq!(done[1].quantity["seconds"], 95.into());
    let shown = call(&upstream, "/_work?nonce=b", &[], None).unwrap().json();
    assert_eq!(shown["requests"], 4);
    assert_eq!(shown["running"], 0);
    assert_eq!(shown["units"].as_array().unwrap().len(), 1);
}

#[test]
fn a_stream_ends_with_its_usage() {
    let upstream = start(&Options::default());
    let ask = json!({ "stream": true, "max_tokens": 2, "messages": [] });
    let path = "/v1/chat/completions";
    let answer = call(&upstream, path, &[("x-sample", "usage=11,22")], Some(ask)).unwrap();
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let events: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    let usage: Value =
        serde_json::from_str(events[events.len() - 2].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(usage["usage"]["completion_tokens"], 22);
    let unit = &units(&upstream, 1)[0];
    assert_eq!(unit.outcome, Outcome::Done);
    assert_eq!(unit.quantity["prompt_tokens"], 11.into());
    assert_eq!(unit.quantity["completion_tokens"], 22.into());

    let ask = json!({ "stream": true });
    let answer = call(&upstream, path, &[("x-sample", "no-usage")], Some(ask)).unwrap();
    assert!(!String::from_utf8(answer.body.to_vec()).unwrap().contains("usage"));
}

#[test]
fn switches_make_it_go_wrong() {
    let upstream = start(&Options::default());
    let images = "/v1/images/generations";
    let chat = "/v1/chat/completions";
    let stream = json!({ "stream": true });
    let told = |path, switch, body| call(&upstream, path, &[("x-sample", switch)], Some(body));

    assert_eq!(told(images, "fail", json!({})).unwrap().status, 500);
    assert_eq!(told(images, "fail=503", json!({})).unwrap().status, 503);
    let blocked = told(images, "block", json!({})).unwrap();
    assert_eq!(blocked.status, 400);
    assert_eq!(blocked.json()["error"]["code"], "content_policy_violation");
    assert!(matches!(told(images, "cut", json!({})), Err(NoAnswer::Broken(_))));
    assert!(matches!(told(images, "lie-length", json!({})), Err(NoAnswer::Broken(_))));
    assert!(matches!(told(chat, "cut", stream.clone()), Err(NoAnswer::Broken(_))));
    let broken = told(chat, "error-event", stream).unwrap();
    assert_eq!(broken.status, 200);
    assert!(String::from_utf8(broken.body.to_vec()).unwrap().contains("server_error"));
    let other = told("/v1/dubbing", "seconds=120.5", json!({ "seconds": 95 })).unwrap();
    assert_eq!(other.json()["seconds"], 120.5);
    assert_eq!(told(images, "slow=1", json!({})).unwrap().status, 200);
    assert_eq!(told(images, "typo", json!({})).unwrap().status, 400);

    use Outcome::{Blocked, Cut, Done, Failed};
    let outcomes: Vec<_> = units(&upstream, 9).iter().map(|unit| unit.outcome).collect();
    assert_eq!(outcomes, [Failed, Failed, Blocked, Cut, Cut, Cut, Failed, Done, Done]);
}

#[test]
fn work_whose_caller_leaves_is_abandoned() {
    let upstream = start(&Options::default());
    let request = Request::post(format!("{}/v1/images/generations", upstream.url()))
        .header("x-sample", "hang=30")
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new().unwrap();
        let sent = tokio::time::timeout(Duration::from_millis(200), client.send(request)).await;
        assert!(sent.is_err());
        assert_eq!(upstream.work.running(), 1);
    });
    drop(runtime);
    assert_eq!(units(&upstream, 1)[0].outcome, Outcome::Abandoned);
    assert_eq!(upstream.work.running(), 0);
    assert_eq!(upstream.work.highest_running(), 1);
}

#[test]
fn it_may_want_its_own_secret_and_logs_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("work.jsonl");
    let upstream = start(&Options { check_secret: true, log: Some(log.clone()) });
    let images = "/v1/images/generations";
    let wrong =
        call(&upstream, images, &[("authorization", "Bearer tk_x")], Some(json!({}))).unwrap();
    assert_eq!(wrong.status, 401);
    assert!(!String::from_utf8(wrong.body.to_vec()).unwrap().contains("tk_x"));
    let bearer = format!("Bearer {SECRET}");
    let right = [("authorization", bearer.as_str())];
    assert_eq!(call(&upstream, images, &right, Some(json!({ "n": 2 }))).unwrap().status, 200);
    let headers = call(&upstream, "/_headers", &[], None).unwrap().json();
    assert!(headers.as_array().unwrap().contains(&json!(["authorization", bearer])));

    let lines = std::fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["quantity"]["images"], 2);
    assert_eq!(lines.lines().count(), 1);
}
