//! Bounds on what a connection may do, each by its setting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tollgate::seam::{Clock, SystemClock};

use super::heads;
use super::line::{Line, WAYS, Way, run, whole};
use super::service::{Service, Speaks};
use crate::metrics::scrape;
use crate::redis_server::pki::Pki;
use crate::wire::{Ask, Wire};
use crate::world::{DUBBING, IMAGES, TOKEN, World, until};

/// How long until the other side closes a connection on which `bytes` were sent.
fn closed_after(to: std::net::SocketAddr, bytes: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    let began = SystemClock.uptime_ms();
    let mut all = Vec::new();
    let ended = stream.read_to_end(&mut all);
    assert!(!ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock), "never closed");
    Duration::from_millis(SystemClock.uptime_ms() - began)
}

#[track_caller]
fn about_a_second(took: Duration) {
    assert!((900..8_000).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn a_head_has_its_time() {
    let world = World::start(&[("head: 5s", "head: 1s, idle: 20s")]);
    let payer = world.payer("studio", "");
    let models = payer.get("/v1/models").bytes();
    about_a_second(closed_after(world.data, b""));
    about_a_second(closed_after(world.data, b"GET /v1/mod"));
    about_a_second(closed_after(world.data, &models[..models.len() - 2]));
    about_a_second(closed_after(world.data, b"PRI * HTTP/2.0"));
    // The head of a second request on the same connection.
    let mut wire = world.wire();
    assert_eq!(wire.ask(&payer.get("/v1/models")).status, 200);
    std::thread::sleep(Duration::from_millis(1_500));
    let began = SystemClock.uptime_ms();
    wire.write(b"GET /v1/mod");
    assert_eq!(wire.reply().unwrap().problem(), (408, "too_slow".to_owned()));
    assert!(wire.reply().is_none());
    about_a_second(Duration::from_millis(SystemClock.uptime_ms() - began));
    // Operators are bound likewise.
    about_a_second(closed_after(world.admin, b""));
    about_a_second(closed_after(world.admin, b"GET /livez HT"));
}

#[test]
fn between_two_requests_there_is_another_time() {
    let pki = Pki::new();
    for way in WAYS {
        let world = way.world(&pki, &[("head: 5s", "head: 1s, idle: 3s")]);
        let payer = world.payer("studio", "");
        run(async {
            let mut line = Line::open(way, world.data, &pki.ca_file()).await;
            for _ in 0..2 {
                // Longer than a head may take, and short enough.
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert_eq!(line.ask(&payer.get("/v1/models")).await.status, 200, "{way:?}");
                tokio::time::sleep(Duration::from_millis(1_700)).await;
            }
            tokio::time::sleep(Duration::from_millis(3_500)).await;
            let request = line.request(&payer.get("/v1/models"));
            assert!(line.send(request).await.is_err(), "{way:?}");
        });
    }
}

#[test]
fn a_silent_answer_is_no_idle_connection() {
    let world = World::start(&[("head: 5s", "head: 1s, idle: 1s, handshake: 1s")]);
    let payer = world.payer("studio", "10");
    run(async {
        for way in [Way::One, Way::Two] {
            let mut line = Line::open(way, world.data, &world.ca_file()).await;
            let reply = line.ask(&payer.images(1, "low").sample("hang=3")).await;
            assert_eq!(reply.status, 200, "{way:?}");
            // Nor is the connection over: its time between two requests begins now.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(line.ask(&payer.images(1, "low")).await.status, 200, "{way:?}");
        }
    });
}

#[test]
fn a_handshake_has_its_time() {
    let pki = Pki::new();
    let world = World::start_tls(&pki, "", &[("limits: {", "limits: { handshake: 1s,")]);
    about_a_second(closed_after(world.data, b""));
    about_a_second(closed_after(world.data, b"\x16\x03\x01\x02\x00\x01"));
    let before = closed_after(world.data, b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n");
    assert!(before < Duration::from_secs(1), "{before:?}");
    let failed = || scrape(&world).value("tollgate_handshakes_failed_total", &[]).to_owned();
    until("all are counted", || failed() == "3");
    // Whoever comes meanwhile is not kept waiting.
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(world.data).unwrap()).collect();
    let payer = world.payer("studio", "");
    world.send(&payer.get("/v1/models")).ok();
    drop(silent);
}

/// Sends a byte now and then and takes the answer.
fn trickle(world: &World, ask: &Ask) -> crate::wire::Reply {
    let mut wire = world.wire();
    let ask = ask.clone().body(&[b' '; 1_000]);
    wire.write(&ask.head());
    for _ in 0..100 {
        wire.write(b" ");
        std::thread::sleep(Duration::from_millis(150));
    }
    wire.reply().unwrap()
}

#[test]
fn a_body_that_comes_too_slowly_is_cut_off() {
    let two = Service::in_clear(Speaks::Two);
    let to_two = format!("url: http://{}\n    http: 2", two.addr);
    let slow = ("body: 2s", "body: 40s, body_rate: 1KiB");
    let (one, two) = (World::start(&[slow]), World::start(&[slow, ("url: UPSTREAM", &to_two)]));
    std::thread::scope(|scope| {
        // Passed on as it comes, by each version.
        for world in [&one, &two] {
            scope.spawn(move || {
                let payer = world.payer("crowded", "100");
                let reply = trickle(world, &payer.post(DUBBING, &json!({})));
                assert_eq!(reply.problem(), (408, "too_slow".to_owned()));
                assert_eq!(reply.json()["hold"], "kept");
                // A part of it was sent: the route says what becomes of that.
                let receipt = world.ended(&payer, &reply.charge(), "released");
                assert_eq!(receipt["charged"], "0");
                assert_eq!(world.in_use(&payer), 0);
            });
        }
        // Read before it is priced.
        let world = &one;
        scope.spawn(move || {
            let payer = world.payer("studio", "100");
            let reply = trickle(world, &payer.post(IMAGES, &json!({})));
            assert_eq!(reply.problem(), (408, "too_slow".to_owned()));
            assert_eq!(world.purse(&payer).held, "0");
        });
    });
}

#[test]
fn a_slow_upstream_makes_no_slow_client() {
    // It takes twelve seconds before it reads on, and the client has long sent all it could.
    let world = World::start(&[("body: 2s", "body: 2s, body_rate: 1MiB")]);
    let payer = world.payer("studio", "100");
    let reply = world.send(&payer.post(DUBBING, &json!({ "seconds": 60 })).sample("hang=12"));
    assert_eq!(reply.status, 200);
}

#[test]
fn whoever_sends_much_sees_why_it_is_refused() {
    let pki = Pki::new();
    let long = Bytes::from(vec![b' '; 8 << 20]);
    for way in WAYS {
        let world = way.world(&pki, &[]);
        let payer = world.payer("studio", "");
        run(async {
            for (ask, status) in [
                (Ask::new("POST", IMAGES).key("tk_wrong"), 401),
                (payer.post(DUBBING, &json!({})), 402),
                (payer.post(IMAGES, &json!({})), 413),
                (payer.post("/v1/nowhere", &json!({})), 404),
            ] {
                let mut line = Line::open(way, world.data, &pki.ca_file()).await;
                // All of it is sent before the answer is looked at, as many clients do.
                let length = if status == 402 { 60_000 } else { long.len() };
                let request = line.request_with(&ask, whole(long.slice(..length)));
                let reply = line.send(request).await;
                let reply = reply.unwrap_or_else(|error| panic!("{way:?} {status}: {error:?}"));
                assert_eq!(reply.status(), status, "{way:?}");
            }
        });
        assert_eq!(world.forwarded(), 0);
    }
}

#[test]
fn requests_are_bounded_over_all_streams() {
    let world =
        World::start(&[("limits: {", "limits: { requests: 3,"), ("store:", "cores: 1\nstore:")]);
    let payer = world.payer("crowded", "100");
    let ask = payer.images(1, "low").sample("hang=1");
    let replies = run(async {
        let Line::Two(line) = Line::open(Way::Two, world.data, &world.ca_file()).await else {
            panic!("it does not speak HTTP/2");
        };
        let all = (0..10).map(|_| {
            let mut line = Line::Two(line.clone());
            let ask = ask.clone();
            async move { line.ask(&ask).await }
        });
        futures_util::future::join_all(all).await
    });
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((passed, world.forwarded()), (3, 3));
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.problem(), (503, "metering_unavailable".to_owned()));
        assert_eq!(reply.header("x-should-retry"), "true");
    }
    // There is room again.
    assert_eq!(world.send(&payer.images(1, "low")).status, 200);
}

#[test]
fn a_connection_is_told_how_many_streams_it_may_have() {
    let world = World::start(&[("limits: {", "limits: { streams: 7,")]);
    let allowed = run(async {
        let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
        let (_sender, mut connection) = h2::client::handshake(stream).await.unwrap();
        loop {
            let allowed = connection.max_concurrent_send_streams();
            if allowed < 1_000 {
                return allowed;
            }
            let tick = tokio::time::sleep(Duration::from_millis(10));
            tokio::select! {
                ended = &mut connection => panic!("{ended:?}"),
                () = tick => {}
            }
        }
    });
    assert_eq!(allowed, 7);
}

#[test]
fn heads_have_a_size_by_each_way() {
    let pki = Pki::new();
    for way in WAYS {
        let world = way.world(&pki, &[("limits: {", "limits: { headers: 20, head_bytes: 8KiB,")]);
        let payer = world.payer("studio", "");
        run(async {
            let many = (0..30).fold(payer.get("/v1/models"), |ask, number| {
                ask.header(&format!("x-{number}"), "y")
            });
            let large = payer.get("/v1/models").header("x-large", &"y".repeat(10_000));
            for ask in [many, large] {
                let mut line = Line::open(way, world.data, &pki.ca_file()).await;
                assert_eq!(line.ask(&ask).await.status, 431, "{way:?}");
            }
            let mut line = Line::open(way, world.data, &pki.ca_file()).await;
            assert_eq!(line.ask(&payer.get("/v1/models")).await.status, 200);
        });
        assert_eq!(world.forwarded(), 1);
    }
}

#[test]
fn operators_have_a_bound_of_connections() {
    let world = World::start(&[]);
    let held: Vec<_> = (0..64).map(|_| TcpStream::connect(world.admin).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let mut more = Wire::open(world.admin);
    more.write(&Ask::new("GET", "/livez").header("connection", "close").bytes());
    assert!(more.reply().is_none());
    drop(held);
    let live = Ask::new("GET", "/admin/v1/accounts").key(TOKEN);
    until("there is room again", || {
        let mut wire = Wire::open(world.admin);
        let host = format!("Host: {}\r\n", world.admin);
        let text = String::from_utf8(live.clone().header("connection", "close").bytes()).unwrap();
        wire.write(text.replacen("Host: gateway\r\n", &host, 1).as_bytes());
        wire.reply().is_some_and(|reply| reply.status == 200)
    });
}

#[test]
fn a_client_that_gives_no_sign_of_life_has_left() {
    let world = World::start(&[("limits: {", "limits: { ping: 1s,"), ("idle: 20s", "idle: 30s")]);
    let payer = world.payer("crowded", "10");
    let hang = [("x-sample", "hang=6")];
    let frames = [heads::preface(), heads::request(1, &payer.key, &hang)].concat();
    // It never answers a ping.
    let began = SystemClock.uptime_ms();
    run(async {
        let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
        heads::talk(stream, frames).await
    });
    let took = SystemClock.uptime_ms() - began;
    assert!((1_500..5_000).contains(&took), "{took} ms");
    // What it asked for is done and charged all the same.
    until("the charge ends", || world.charges(&payer)[0]["status"] == "settled");
    assert_eq!((world.purse(&payer).available, world.in_use(&payer)), ("9".to_owned(), 0));
}

/// SETTINGS that let nothing of an answer come (CVE-2019-9517).
fn shut_window() -> Vec<u8> {
    let setting = [&4_u16.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
    let preface = heads::preface();
    [&preface[..preface.len() - 9], &heads::frame(4, 0, 0, &setting)].concat()
}

#[test]
fn a_client_that_takes_nothing_loses_its_place() {
    let world = World::start(&[
        ("limits: {", "limits: { requests: 10, stall: 1s,"),
        ("store:", "cores: 1\nstore:"),
    ]);
    let payer = world.payer("crowded", "100");
    let ask = || {
        let mut wire = world.wire();
        wire.ask(&payer.get("/v1/models")).status
    };
    // Twenty answers that nobody takes: refusals, and one that was paid for.
    let mut frames = shut_window();
    for number in 0..19 {
        frames.extend(heads::request(2 * number + 1, "tk_wrong", &[]));
    }
    frames.extend(heads::request(41, &payer.key, &[]));
    let mut stream = TcpStream::connect(world.data).unwrap();
    stream.write_all(&frames).unwrap();
    until("there is no room", || ask() == 503);
    until("there is room again", || ask() == 200);
    until("nothing is held", || world.purse(&payer).held == "0");
    // And by HTTP/1.1: answers that are larger than what the system takes for the client.
    let mut wire = TcpStream::connect(world.data).unwrap();
    let long = payer.get(&format!("/v1/{}", "x".repeat(7_000))).bytes();
    // It writes until nobody reads it any more, and then until it is told that it has lost its place.
    let closed = (0..100_000).find(|_| wire.write_all(&long).is_err());
    assert!(closed.is_some(), "it could write for ever");
    until("there is room again", || ask() == 200);
    drop(stream);
}

#[test]
fn a_connection_of_malformed_streams_is_closed() {
    let world = World::start(&[("limits: {", "limits: { stream_errors: 3,")]);
    let payer = world.payer("studio", "10");
    let came = run(async {
        let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
        let bad = (0..20)
            .map(|number| heads::request(2 * number + 1, &payer.key, &[("connection", "close")]));
        let frames = std::iter::once(heads::preface()).chain(bad).collect::<Vec<_>>().concat();
        heads::talk(stream, frames).await
    });
    assert_eq!(came.goaway, Some(11), "{came:?}");
    assert_eq!(world.forwarded(), 0);
}

#[test]
fn a_drain_lets_streams_end_and_takes_no_more() {
    let mut world = World::start(&[]);
    let payer = world.payer("crowded", "100");
    let (running, ended) = run(async {
        let Line::Two(line) = Line::open(Way::Two, world.data, &world.ca_file()).await else {
            panic!("it does not speak HTTP/2");
        };
        let (mut first, mut second) = (Line::Two(line.clone()), Line::Two(line));
        let slow = payer.images(1, "low").sample("hang=1");
        let running = async { first.ask(&slow).await.status };
        let draining = async {
            while world.forwarded() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let drain = world.drain();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let request = second.request(&payer.images(1, "low"));
            let late = second.send(request).await;
            (drain, late.is_err() || late.unwrap().status() == 503)
        };
        let (running, (drain, refused)) = tokio::join!(running, draining);
        assert!(refused);
        (running, drain)
    });
    ended.join().unwrap();
    assert_eq!(running, 200);
}
