//! Load balancers that say who the client is by the PROXY protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::metrics::scrape;
use crate::redis_server::pki::Pki;
use crate::wire::{Ask, Reply};
use crate::world::{World, until};

/// From where the tests come.
const OURS: (&str, &str) = ("store:", "proxy_protocol: { from: [127.0.0.0/8] }\nstore:");

/// A header of version 2: command, family and transport, addresses, what else.
fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, family]);
    header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    header.extend(rest);
    header
}

/// An IPv4 pair.
fn pair(last: u8) -> Vec<u8> {
    vec![192, 0, 2, last, 198, 51, 100, 1, 0x30, 0x39, 0x01, 0xbb]
}

/// What comes back when these bytes are sent.
fn answer(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(world.data).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    drop(stream.write_all(bytes));
    let mut all = Vec::new();
    drop(stream.read_to_end(&mut all));
    all
}

fn models(key: &str) -> Vec<u8> {
    Ask::new("GET", "/v1/models").key(key).header("connection", "close").bytes()
}

/// The status after a header; `None`: the connection was closed.
fn status(world: &World, header: &[u8], key: &str) -> Option<u16> {
    let all = answer(world, &[header, &models(key)].concat());
    Reply::read(&all, false, true).map(|(reply, _)| reply.status)
}

fn refused(world: &World) -> u64 {
    scrape(world).value("tollgate_proxy_headers_refused_total", &[]).parse().unwrap()
}

#[test]
fn the_address_in_the_header_is_the_clients() {
    // One failed key and the address rests.
    let world = World::start(&[OURS, ("failures: 1000000", "failures: 1")]);
    // The tests' own calls of the client plane need a header too, so the payer is made by operators alone.
    let payer = world.payer("studio", "");
    let v1 = |last: u8| format!("PROXY TCP4 192.0.2.{last} 198.51.100.1 1234 443\r\n").into_bytes();
    let v2 = |last: u8| second(1, 0x11, &pair(last));
    let v6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n".to_vec();
    let mut v6_binary = vec![0; 36];
    v6_binary[..2].copy_from_slice(&[0x20, 0x01]);
    let with_more = second(1, 0x11, &[pair(5), vec![0x04, 0, 3, 1, 2, 3]].concat());
    for good in [v1(1), v2(1), v6, second(1, 0x21, &v6_binary), with_more] {
        assert_eq!(status(&world, &good, &payer.key), Some(200), "{good:?}");
    }
    // Who fails too often is the address in the header, by whichever version it comes.
    let mut statuses = Vec::new();
    for number in 0..4 {
        let header = if number % 2 == 0 { v1(7) } else { v2(7) };
        statuses.push(status(&world, &header, "tk_wrong").unwrap());
    }
    assert!(statuses.starts_with(&[401]) && statuses.ends_with(&[429]), "{statuses:?}");
    assert_eq!(status(&world, &v1(7), &payer.key), Some(429));
    assert_eq!(status(&world, &v2(8), &payer.key), Some(200));
    assert_eq!(refused(&world), 0);
}

#[test]
fn a_header_may_say_nothing() {
    let world = World::start(&[OURS]);
    let payer = world.payer("studio", "");
    let unix = second(1, 0x31, &[0; 216]);
    for silent in [b"PROXY UNKNOWN\r\n".to_vec(), second(0, 0x00, &[]), second(1, 0x00, &[]), unix]
    {
        assert_eq!(status(&world, &silent, &payer.key), Some(200), "{silent:?}");
    }
}

#[test]
fn without_a_good_header_there_is_no_connection() {
    let world = World::start(&[OURS, ("limits: {", "limits: { handshake: 1s,")]);
    let payer = world.payer("studio", "");
    let long = format!("PROXY TCP4 {} 1.2.3.4 1 2\r\n", "1".repeat(100)).into_bytes();
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("another word", b"PROXI TCP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec()),
        ("lower case", b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec()),
        ("no addresses", b"PROXY TCP4\r\n".to_vec()),
        ("a port too high", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n".to_vec()),
        ("a name", b"PROXY TCP4 localhost 1.2.3.4 1 2\r\n".to_vec()),
        ("IPv6 where IPv4 is said", b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec()),
        ("no return", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n".to_vec()),
        ("too long", long),
        ("a version of 3", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c............".to_vec()),
        ("another command", second(2, 0x11, &pair(1))),
        ("too short for its family", second(1, 0x11, &[1, 2, 3, 4])),
        ("a datagram", second(1, 0x12, &pair(1))),
        ("too much", second(1, 0x11, &[pair(1), vec![0; 5_000]].concat())),
    ];
    let before = world.forwarded();
    for (name, header) in &bad {
        assert_eq!(status(&world, header, &payer.key), None, "{name}");
    }
    assert_eq!(refused(&world), bad.len() as u64);
    assert_eq!(world.forwarded(), before);
    // A header that does not end is waited for, but not for long.
    for part in [&b"PROXY TCP4 1.2.3.4"[..], &second(1, 0x11, &pair(1))[..20], b""] {
        assert_eq!(answer(&world, part), b"");
    }
    let slow = || scrape(&world).value("tollgate_handshakes_failed_total", &[]).to_owned();
    until("all are counted", || slow() == "3");
}

#[test]
fn from_anywhere_else_it_is_not_read() {
    let world = World::start(&[("store:", "proxy_protocol: { from: [10.0.0.0/8] }\nstore:")]);
    let payer = world.payer("studio", "");
    assert_eq!(status(&world, b"", &payer.key), Some(200));
    let header = b"PROXY TCP4 192.0.2.1 198.51.100.1 1234 443\r\n";
    assert_eq!(status(&world, header, &payer.key), Some(400));
    assert_eq!(refused(&world), 0);
}

#[test]
fn tls_comes_after_it() {
    let pki = Pki::new();
    let world = World::start_tls(&pki, "", &[OURS]);
    let payer = world.payer("studio", "");
    let mut stream = TcpStream::connect(world.data).unwrap();
    stream.write_all(&second(1, 0x11, &pair(1))).unwrap();
    let config = crate::wire::trusting(&pki.ca_file(), &[b"http/1.1"], None);
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(session, stream);
    stream.write_all(&models(&payer.key)).unwrap();
    let mut all = Vec::new();
    drop(stream.read_to_end(&mut all));
    assert_eq!(Reply::read(&all, false, true).unwrap().0.status, 200);
}
