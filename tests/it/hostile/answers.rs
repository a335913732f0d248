//! Answers on their way to clients that read slowly, badly or not at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Scene, text, until};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Writes 64 KiB parts until nobody takes them any more; counts what was taken.
fn flood(mut stream: TcpStream, parts: usize, taken: &AtomicUsize) {
    let part = vec![b'x'; 64 << 10];
    drop(stream.write_all(CHUNKED));
    for _ in 0..parts {
        let framed = [b"10000\r\n".as_slice(), &part, b"\r\n"].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
        taken.fetch_add(part.len(), Ordering::Relaxed);
    }
    drop(stream.write_all(b"0\r\n\r\n"));
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    let taken = Arc::new(AtomicUsize::new(0));
    let seen = taken.clone();
    let scene = Scene::set(&[], move |_, stream| flood(stream, 8_192, &seen));
    let client = scene.ask("GET /v1/list", "");
    std::thread::sleep(Duration::from_secs(2));
    let taken = taken.load(Ordering::Relaxed);
    drop(client);
    assert!(taken < 32 << 20, "{} MiB wait in the gateway for one client", taken >> 20);
}

#[test]
fn bytes_behind_a_request_do_not_hold_its_answer_back() {
    let scene = Scene::set(&[], |_, mut stream| {
        drop(stream.write_all(CHUNKED));
        drop(stream.write_all(b"5\r\nfirst\r\n"));
        std::thread::sleep(Duration::from_secs(20));
    });
    let next = scene.request("GET /v1/list", "");
    let mut client = scene.ask("GET /v1/list", "");
    client.write_all(next.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    until(&mut client, "first");
}

#[test]
fn a_client_that_was_given_up_sees_that_its_answer_is_not_whole() {
    let taken = AtomicUsize::new(0);
    let changes = [("total: 20s", "total: 1s"), ("first_byte: 20s", "first_byte: 1s")];
    let changes = [changes[0], changes[1], ("idle: 20s", "idle: 1s")];
    let scene = Scene::set(&changes, move |_, stream| flood(stream, 512, &taken));
    let mut client = scene.ask("GET /v1/list", "");
    std::thread::sleep(Duration::from_secs(3));
    let mut bytes = Vec::new();
    drop(client.read_to_end(&mut bytes));
    assert!(bytes.len() < 512 * (64 << 10), "the client was not given up");
    assert!(!bytes.ends_with(b"0\r\n\r\n"), "{} bytes look like a whole answer", bytes.len());
}

#[test]
fn an_answer_of_http_1_0_is_framed_anew() {
    let scene = Scene::set(&[], |_, mut stream| {
        drop(stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello"));
    });
    let answer = text(&mut scene.ask("GET /v1/list", "connection: close\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[test]
fn an_answer_to_head_claims_no_length() {
    let scene = Scene::set(&[], |_, mut stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"));
    });
    let answer = text(&mut scene.ask("HEAD /v1/file", "connection: close\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("content-length: 0"), "{answer}");
}

#[test]
fn trailers_say_what_the_head_did_not() {
    let scene = Scene::set(&[], |_, mut stream| {
        drop(stream.write_all(CHUNKED));
        drop(stream.write_all(b"4\r\ndata\r\n0\r\nx-seconds: 7\r\n\r\n"));
    });
    text(&mut scene.ask("GET /v1/timed", "connection: close\r\n"));
    let charge = scene.charge();
    assert_eq!(charge["charged"], "7", "{charge}");
}
