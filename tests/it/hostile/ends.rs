//! Charges whose exchange ends badly.

use std::io::{Read, Write};
use std::time::Duration;

use super::{Scene, TOKEN, send, short, text};

/// Takes all that comes and answers nothing.
fn silent(_: &str, mut stream: std::net::TcpStream) {
    drop(stream.read_to_end(&mut Vec::new()));
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
