//! kill -9, with real processes: between reserve and forward, while the upstream works, during a stream,
//! during commits and during recovery, one by one and at random under load.
//!
//! After each story the books are read from the ledger's file and compared with what the upstream did and
//! what clients saw. A request and its charge are joined by the serial number that both carry: in the body,
//! and in the micro-credits of the amount (see `processes`).

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::audit::{Seen, Sent, audit};
use super::processes::{Proxy, Site, answer, eventually, send};

pub(crate) const IMAGES: &str = "/v1/images/generations";
pub(crate) const DUBBING: &str = "/v1/dubbing";
pub(crate) const CHAT: &str = "/v1/chat/completions";

/// The body of a request with this serial number.
pub(crate) fn body(serial: u64, stream: bool) -> String {
    let nonce = serial.to_string();
    json!({ "serial": serial, "nonce": nonce, "n": 2, "stream": stream, "messages": [] })
        .to_string()
}

/// Headers of a client with this key that tells the upstream what to do.
pub(crate) fn headers<'a>(bearer: &'a str, told: &'a str) -> [(&'a str, &'a str); 2] {
    [("authorization", bearer), ("x-sample", told)]
}

fn working(site: &Site) {
    eventually("the upstream works", || (site.upstream.state()["running"] == 1).then_some(()));
}

/// Kills the proxy while the upstream works on one request; starts it again and waits for the end.
fn killed_at_work(path: &str, told: &str, held: &str) -> (Site, Proxy, Value) {
    let site = Site::new();
    let mut proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    let stream = path == CHAT;
    let open = send(proxy.data, "POST", path, &headers(&bearer, told), &body(7, stream)).unwrap();
    working(&site);
    assert_eq!(proxy.balance("acct_a").1, held);
    proxy.process.kill();
    assert!(answer(open).is_err(), "the client sees that its answer is not whole");
    let proxy = site.start();
    let charge = proxy.newest("acct_a");
    // The reconcile time has begun with the restart; it may be over already on a busy machine.
    assert!(charge["status"] == "unknown" || charge["ended"] != Value::Null, "{charge}");
    assert_eq!(proxy.recovered(), (0, 1));
    let charge = proxy.settled("acct_a");
    (site, proxy, charge)
}

#[test]
fn killed_before_the_head_ends_by_policy() {
    let (site, proxy, charge) = killed_at_work(IMAGES, "hang=30", "2.000007");
    assert_eq!(charge["status"], "released", "{charge}");
    assert_eq!(charge["charged"], "0");
    assert_eq!(proxy.balance("acct_a").0, "100");
    proxy.stop();
    let found = audit(&site, &[Sent::lost(7)]);
    assert_eq!((found.by_deadline, found.units), (1, 1));

    let (site, proxy, charge) = killed_at_work(DUBBING, "hang=30", "10.000007");
    assert_eq!(charge["status"], "settled", "{charge}");
    assert_eq!(charge["charged"], "10.000007");
    assert_eq!(proxy.balance("acct_a").0, "89.999993");
    proxy.stop();
    let found = audit(&site, &[Sent::lost(7)]);
    assert_eq!((found.by_deadline, found.units), (1, 1));
}

#[test]
fn killed_during_a_stream_ends_by_policy() {
    let (site, proxy, charge) = killed_at_work(CHAT, "slow=300", "20.000007");
    assert_eq!(charge["status"], "released", "{charge}");
    assert_eq!(charge["request"]["route"], "chat");
    proxy.stop();
    let found = audit(&site, &[Sent::lost(7)]);
    assert_eq!((found.by_deadline, found.units), (1, 1));
}

/// A process that was stopped for longer than lease and reconcile time: what it then settles is a late
/// success at most, and is charged once.
#[test]
fn stopped_past_every_deadline_it_still_charges_once() {
    let site = Site::new();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    let told = headers(&bearer, "hang=1");
    let paths = [IMAGES, DUBBING];
    let open = [7, 8]
        .into_iter()
        .zip(paths)
        .map(|(serial, path)| send(proxy.data, "POST", path, &told, &body(serial, false)).unwrap());
    let open: Vec<_> = open.collect();
    eventually("the upstream works", || (site.upstream.state()["running"] == 2).then_some(()));
    proxy.process.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    proxy.process.signal(Signal::CONT);
    for stream in open {
        assert_eq!(answer(stream).unwrap().status, 200);
    }
    eventually("both are charged", || (proxy.balance("acct_a").0 == "87.999985").then_some(()));
    proxy.settled("acct_a");
    proxy.stop();
    let whole = |serial| Sent { serial, seen: Seen::Whole(200) };
    let found = audit(&site, &[whole(7), whole(8)]);
    assert_eq!((found.units, found.charges), (2, 2));
}
