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

#[test]
fn nobody_can_lock_another_one_out_by_the_public_half_of_a_key() {
    let scene = Scene::set(&[], short);
    let (id, secret) = scene.key.rsplit_once('_').unwrap();
    let changed = if secret.starts_with('a') { "b" } else { "a" };
    let wrong = format!("{id}_{changed}{}", &secret[1..]);
    // Behind another address; here both are the same, so only the key's own rest is looked at.
    let host = |key: &str| {
        format!(
            "GET /v1/list HTTP/1.1\r\nhost: gateway\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n"
        )
    };
    let from = |address: [u8; 4], request: &str| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect(&scene.data.into()).unwrap();
        let mut stream: std::net::TcpStream = socket.into();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        text(&mut stream)
    };
    for _ in 0..10 {
        from([127, 0, 0, 2], &host(&wrong));
    }
    assert!(from([127, 0, 0, 2], &host(&wrong)).starts_with("HTTP/1.1 429"));
    let answer = from([127, 0, 0, 3], &host(&scene.key));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn wrong_keys_on_the_client_plane_count_too() {
    let scene = Scene::set(&[], short);
    let request = "GET /_credits/v1/balance HTTP/1.1\r\nhost: gateway\r\nx-api-key: tk_x\r\n\
                   connection: close\r\n\r\n";
    let answers: Vec<_> = (0..10).map(|_| text(&mut send(scene.data, request))).collect();
    assert!(answers.last().unwrap().starts_with("HTTP/1.1 429"), "{}", answers.last().unwrap());
}

#[test]
fn a_body_for_the_client_plane_must_come_in_time() {
    let scene = Scene::set(&[], short);
    let mut client = scene.ask("POST /_credits/v1/quote", "content-length: 9\r\n");
    client.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let answer = text(&mut client);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?}");
}
