//! Charges whose exchange ends badly.

use std::io::{Read, Write};
use std::time::Duration;

use super::{Scene, TOKEN, send, short, text};

/// Takes all that comes and answers nothing.
fn silent(_: &str, mut stream: std::net::TcpStream) {
    drop(stream.read_to_end(&mut Vec::new()));
}

#[test]
fn an_upload_above_its_limit_is_refused_as_such() {
    let scene = Scene::set(&[], silent);
    let mut client = scene.ask("POST /v1/upload", "transfer-encoding: chunked\r\n");
    let part = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for _ in 0..3 {
        drop(client.write_all(part.as_bytes()));
    }
    let answer = text(&mut client);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"code\":\"too_large\""), "{answer}");
    // A part of it may have been worked on: nobody knows.
    assert_eq!(scene.charge()["status"], "unknown");
}

#[test]
fn whoever_is_cut_off_is_not_told_that_nothing_was_forwarded() {
    let mut scene = Scene::set(&[], silent);
    let clients: Vec<_> =
        (0..16).map(|_| scene.ask("GET /v1/file", "connection: close\r\n")).collect();
    while scene.heads.lock().unwrap().len() < clients.len() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let running = scene.running.take().unwrap();
    running.hurry()();
    running.stop();
    for mut client in clients {
        let answer = text(&mut client);
        assert!(!answer.contains("nothing was forwarded"), "{answer}");
        assert!(!answer.contains("x-should-retry: true"), "{answer}");
    }
}

#[test]
fn a_stream_that_is_cut_off_has_no_clean_end() {
    let mut scene = Scene::set(&[], |_, mut stream| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        drop(stream.write_all(head.as_bytes()));
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let mut clients: Vec<_> =
        (0..16).map(|_| scene.ask("GET /v1/file", "connection: close\r\n")).collect();
    for client in &mut clients {
        super::until(client, "first\r\n");
    }
    let running = scene.running.take().unwrap();
    running.hurry()();
    running.stop();
    for mut client in clients {
        assert_eq!(text(&mut client), "", "a clean end");
    }
}

#[test]
fn a_call_of_an_operator_that_never_ends_does_not_keep_the_gateway_from_stopping() {
    let mut scene = Scene::set(&[], short);
    let half = format!(
        "POST /admin/v1/accounts HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: 99\r\n\r\n",
        scene.admin
    );
    let operator = send(scene.admin, &half);
    std::thread::sleep(Duration::from_millis(200));
    let running = scene.running.take().unwrap();
    let (done, waited) = std::sync::mpsc::channel();
    drop(tollgate::seam::thread("stop", move || {
        running.stop();
        done.send(()).unwrap();
    }));
    assert!(waited.recv_timeout(Duration::from_secs(20)).is_ok(), "it has not stopped");
    drop(operator);
}
