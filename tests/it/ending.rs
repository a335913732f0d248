//! How a proxy ends and what it ends at: SIGTERM with requests in flight, a second one, the end of the drain
//! time, a second process on the folder, a full disk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tollgate::seam::{Clock, SystemClock};

use super::audit::{Seen, Sent, audit};
use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::exposition::Scrape;
use super::processes::{BIN, Process, Proxy, Site, TOKEN, answer, ask, eventually, send};

fn running(site: &Site, count: u64) {
    eventually("the upstream works", || (site.upstream.state()["running"] == count).then_some(()));
}

/// A proxy with streams in flight, each of which takes about three seconds.
fn streaming(site: &Site, streams: u64) -> (Proxy, Vec<TcpStream>) {
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 10_000));
    let told = headers(&bearer, "slow=250");
    let open = (1..=streams)
        .map(|serial| send(proxy.data, "POST", CHAT, &told, &body(serial, true)).unwrap())
        .collect();
    running(site, streams);
    (proxy, open)
}

fn whole(serials: std::ops::RangeInclusive<u64>) -> Vec<Sent> {
    serials.map(|serial| Sent { serial, seen: Seen::Whole(200) }).collect()
}

#[test]
fn streams_in_flight_finish_and_settle() {
    let site = Site::new();
    let (mut proxy, open) = streaming(&site, 20);
    // Two idle connections must not keep it: one that has said nothing yet, to each listener.
    let idle = [TcpStream::connect(proxy.data).unwrap(), TcpStream::connect(proxy.admin).unwrap()];
    proxy.process.signal(Signal::TERM);
    eventually("new connections are refused", || {
        TcpStream::connect(proxy.data).is_err().then_some(())
    });
    let ready = ask(proxy.admin, "GET", "/readyz", &[], "").unwrap();
    assert_eq!((ready.status, ready.json()["detail"].as_str()), (503, Some("draining")));
    for stream in open {
        let reply = answer(stream).unwrap();
        assert_eq!(reply.status, 200);
        assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
    }
    assert_eq!(proxy.process.wait(), Some(0), "{}", proxy.process.told());
    drop(idle);
    let found = audit(&site, &whole(1..=20));
    assert_eq!((found.settled, found.by_deadline), (20, 0));
    let proxy = site.start();
    assert_eq!(proxy.recovered(), (0, 0));
    proxy.stop();
}

/// What was cut is unknown, which the ledger knows before the process has ended.
fn cut_off(site: &Site, mut proxy: Proxy, open: Vec<TcpStream>) {
    let streams = u64::try_from(open.len()).unwrap();
    for stream in open {
        // Nothing, or a part that nobody can take for the whole, or the truth.
        let Ok(reply) = answer(stream) else { continue };
        assert!(!reply.body.contains("nothing was forwarded"), "{reply:?}");
        assert!(reply.head.contains("x-should-retry: false"), "{reply:?}");
        assert_eq!(reply.json()["code"], "upstream_error");
    }
    assert_eq!(proxy.process.wait(), Some(0), "{}", proxy.process.told());
    let proxy = site.start();
    assert_eq!(proxy.recovered(), (0, 0), "all was said before the end");
    proxy.settled("acct_a");
    assert_eq!(proxy.balance("acct_a").0, "10000");
    proxy.stop();
    let sent: Vec<Sent> = (1..=streams).map(Sent::lost).collect();
    assert_eq!(audit(site, &sent).by_deadline, sent.len());
}

#[test]
fn at_the_end_of_the_drain_time_streams_are_cut() {
    let site = Site::new();
    site.configure("limits: { drain: 1s }");
    let (proxy, open) = streaming(&site, 10);
    proxy.process.signal(Signal::TERM);
    cut_off(&site, proxy, open);
}

#[test]
fn a_second_signal_hurries() {
    let site = Site::new();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 10_000));
    let told = headers(&bearer, "hang=60");
    let open: Vec<_> = (1..=5)
        .map(|serial| send(proxy.data, "POST", IMAGES, &told, &body(serial, false)).unwrap())
        .collect();
    running(&site, 5);
    let began = SystemClock.uptime_ms();
    proxy.process.signal(Signal::TERM);
    eventually("it drains", || proxy.process.told().contains("\"draining\"").then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    proxy.process.signal(Signal::TERM);
    cut_off(&site, proxy, open);
    let took = SystemClock.uptime_ms() - began;
    assert!(took < 25_000, "{took} ms, and the drain time is 30 s");
}

#[test]
fn a_second_process_on_the_folder_says_so_and_ends() {
    let site = Site::new();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    let told = headers(&bearer, "hang=1");
    let open = send(proxy.data, "POST", DUBBING, &told, &body(1, false)).unwrap();
    running(&site, 1);
    let mut second =
        Process::start(Command::new(BIN).args(["serve", "--config"]).arg(site.config()));
    assert_eq!(second.wait(), Some(1));
    let told = second.told();
    let last = told.lines().last().unwrap();
    assert!(last.contains("ledger.redb: the ledger is in use"), "{told}");
    assert!(!told.contains("\"ready\""));
    // The first goes on as if nothing had been.
    assert_eq!(answer(open).unwrap().status, 200);
    proxy.settled("acct_a");
    assert_eq!(proxy.balance("acct_a").0, "89.999999");
    proxy.stop();
    assert_eq!(audit(&site, &whole(1..=1)).settled, 1);
}

/// The folder on a disk of two megabytes, which only the proxy's own mount namespace sees.
fn on_small_disk(site: &Site) -> Option<Proxy> {
    std::fs::create_dir_all(site.data()).unwrap();
    let mut command = Command::new("unshare");
    let script = r#"mount -t tmpfs -o size=2m none "$1" && exec "$2" serve --config "$3""#;
    command.args(["-m", "sh", "-c", script, "sh"]).arg(site.data()).arg(BIN).arg(site.config());
    Proxy::perhaps(&mut command)
        .inspect_err(|why| {
            // Where changes are judged, a proof that was left out is no proof.
            assert!(std::env::var_os("CI").is_none(), "no small disk: {}", why.told());
            println!("SKIPPED, AND NOTHING PROVED: no small disk: {}", why.told());
        })
        .ok()
}

#[test]
fn a_full_disk_refuses_before_forwarding() {
    let site = Site::new();
    let Some(proxy) = on_small_disk(&site) else { return };
    let bearer = format!("Bearer {}", proxy.account("acct_a", 10_000));
    let told = headers(&bearer, "");
    let mut sent = Vec::new();
    let mut one = || {
        let serial = u64::try_from(sent.len()).unwrap() + 1;
        let reply = ask(proxy.data, "POST", IMAGES, &told, &body(serial, false)).unwrap();
        let whole = reply.head.contains("credits-held:");
        let seen = if whole { Seen::Whole(reply.status) } else { Seen::Refused(reply.status) };
        sent.push(Sent { serial, seen });
        reply
    };
    assert_eq!(one().status, 200);
    // One that was forwarded while there was room, and ends when there is none.
    let told = headers(&bearer, "hang=1");
    let open = send(proxy.data, "POST", DUBBING, &told, &body(1_000, false)).unwrap();
    running(&site, 1);
    // The disk as the proxy sees it.
    let inside = format!("/proc/{}/root{}", proxy.process.id(), site.data().display());
    let filler = std::path::Path::new(&inside).join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let mut size = 1 << 16;
    while size > 0 {
        if file.write_all(&vec![1; size]).is_err() {
            size /= 2;
        }
    }
    drop(file);
    let seen = site.upstream.state()["requests"].clone();
    let (mut refused, mut served) = (0, 0);
    for _ in 0..40 {
        let reply = one();
        if reply.status != 200 {
            refused += 1;
            assert_eq!(reply.status, 503, "{reply:?}");
            assert_eq!(reply.json()["code"], "metering_unavailable");
            assert_eq!(reply.json()["charged"], "0");
        } else {
            served += 1;
        }
    }
    println!("full disk: {refused} of 40 refused");
    assert!(refused > 0);
    let token = format!("Bearer {TOKEN}");
    let told = ask(proxy.admin, "GET", "/metrics", &[("authorization", &token)], "").unwrap();
    let counted = Scrape::read(&told.body);
    let labels = [("route", "images"), ("code", "metering_unavailable")];
    assert_eq!(counted.value("tollgate_decisions_total", &labels), refused.to_string());
    let now = site.upstream.state()["requests"].as_u64();
    assert_eq!(now, seen.as_u64().map(|seen| seen + served), "refused requests are not forwarded");
    assert_eq!(answer(open).unwrap().status, 200);
    std::fs::remove_file(&filler).unwrap();
    eventually("it serves again", || (one().status == 200).then_some(()));
    proxy.settled("acct_a");
    // The disk goes with the process, but for a file that is open.
    let ledger = std::path::Path::new(&inside).join("ledger.redb");
    let mut ledger = std::fs::File::open(ledger).unwrap();
    proxy.stop();
    let mut bytes = Vec::new();
    ledger.read_to_end(&mut bytes).unwrap();
    std::fs::write(site.data().join("ledger.redb"), bytes).unwrap();
    sent.push(Sent { serial: 1_000, seen: Seen::Whole(200) });
    let found = audit(&site, &sent);
    println!("{found:?}");
    assert_eq!(found.settled, found.units);
}
