//! Heads that say one thing to us and another to the upstream.

use std::time::Duration;

use super::{Scene, send, short, text};

#[test]
fn what_is_priced_is_what_is_forwarded() {
    let scene = Scene::set(&[], short);
    let headers = "x-tier: cheap\r\nconnection: x-tier, close\r\n";
    text(&mut scene.ask("GET /v1/tiered", headers));
    let head = scene.heads.lock().unwrap().pop().unwrap();
    assert!(!head.contains("x-tier"), "{head}");
    assert_eq!(scene.charge()["charged"], "10", "priced by a header that the upstream never got");
}

#[test]
fn a_quote_named_hop_by_hop_is_still_a_quote() {
    let scene = Scene::set(&[], short);
    let headers = "prefer: metering=quote\r\nconnection: prefer, close\r\n";
    let answer = text(&mut scene.ask("GET /v1/file", headers));
    assert!(answer.contains("\"object\":\"quote\""), "{answer}");
    assert!(scene.heads.lock().unwrap().is_empty());
}

#[test]
fn headers_that_choose_another_method_or_path_end_here() {
    let scene = Scene::set(&[], short);
    let tricks = [
        "x-http-method-override: POST",
        "x-http-method: POST",
        "x-method-override: POST",
        "x-original-method: POST",
        "x-original-url: /v1/file",
        "x-original-uri: /v1/file",
        "x-rewrite-url: /v1/file",
        "x-forwarded-uri: /v1/file",
        "x-forwarded-prefix: /v1",
        "x-forwarded-for: 1.2.3.4",
        "x_forwarded_for: 1.2.3.4",
        "x_http_method_override: POST",
        "content_length: 3",
    ];
    let headers = tricks.map(|line| format!("{line}\r\n")).concat();
    text(&mut scene.ask("GET /v1/list", &format!("{headers}connection: close\r\n")));
    let head = scene.heads.lock().unwrap().pop().unwrap().to_lowercase();
    for line in tricks {
        let name = line.split(':').next().unwrap();
        assert!(!head.contains(&format!("{name}:")), "{name} in {head}");
    }
}
