//! Redis is away for several leases, or full, while fifty streams run over two gateways. No stream is ended
//! by anybody's sweeper, nobody pays a wrong amount, and service is back by itself.
//!
//! `TOLLGATE_LONG=1` also runs two minutes with leases of the usual minute.

use std::net::TcpStream;
use std::time::Duration;

use tollgate::ledger::ChargeState;
use tollgate::seam::{Clock, SystemClock};

use super::audit::{Seen, Sent};
use super::crash::{CHAT, IMAGES, body, headers};
use super::fleet_rig::{DURABLE, Fleet, PROMPT, Shape, code, paid, payer};
use super::processes::{answer, eventually, send};
use super::world::Payer;

const STREAMS: u64 = 50;
/// What a stream costs, without its serial number: eight tokens.
const WHOLE: u64 = 8_000_000;
/// Serial numbers of requests that are to be refused begin here.
const REFUSED: u64 = 1_000;
/// The parts of a stream, with a pause before each but the first.
const PARTS: u64 = 12;

/// Streams of two accounts over both gateways. Half of them last a little less than the outage, half a
/// little longer.
struct Streams {
    payers: [Payer; 2],
    open: Vec<(u64, TcpStream)>,
}

impl Streams {
    #[track_caller]
    fn begin(fleet: &Fleet, away_ms: u64) -> Self {
        let payers = ["acct_a", "acct_b"].map(|id| payer(&fleet.gateways[0], id, "studio", 10_000));
        let slow = [80, 115].map(|percent| format!("slow={}", percent * away_ms / 100 / PARTS));
        let open = (0..STREAMS).map(|serial| {
            let at = |n: u64| usize::try_from(serial / n % 2).unwrap();
            let bearer = format!("Bearer {}", payers[at(2)].key);
            let told = headers(&bearer, &slow[at(4)]);
            let to = fleet.gateways[at(1)].data;
            (serial, send(to, "POST", CHAT, &told, &body(serial, true)).unwrap())
        });
        let open = open.collect();
        fleet.running(usize::try_from(STREAMS).unwrap());
        Self { payers, open }
    }

    /// Asks for something new, which must be refused within a second, through both gateways.
    #[track_caller]
    fn refused(&self, fleet: &Fleet, serial: u64) -> [Sent; 2] {
        [0, 1].map(|at| {
            let serial = REFUSED + 2 * serial + at;
            let at = usize::try_from(at).unwrap();
            let began = SystemClock.uptime_ms();
            let body = body(serial, false);
            let reply = paid(&fleet.gateways[at], IMAGES, &self.payers[at].key, "", &body);
            let took = SystemClock.uptime_ms() - began;
            assert_eq!(code(&reply), (503, "metering_unavailable".to_owned()), "{}", reply.body);
            assert!(took < 1_000, "{took} ms");
            Sent { serial, seen: Seen::Refused(503) }
        })
    }

    /// Waits for the end of all, looking for one that somebody took for unknown meanwhile.
    #[track_caller]
    fn end(self, fleet: &Fleet, mut sent: Vec<Sent>) {
        let accounts = ["acct_a", "acct_b"];
        let readers: Vec<_> = self
            .open
            .into_iter()
            .map(|(serial, stream)| {
                let read = move || (serial, answer(stream).unwrap());
                tollgate::seam::thread("reader", read).unwrap()
            })
            .collect();
        let mut looks = 0;
        eventually("all have settled", || {
            let open: Vec<bool> = accounts.iter().flat_map(|account| fleet.open(account)).collect();
            assert!(!open.contains(&true), "a running stream was made unknown: {open:?}");
            looks += 1;
            open.is_empty().then_some(())
        });
        for reader in readers {
            let (serial, reply) = reader.join().unwrap();
            assert_eq!(reply.status, 200, "{}", reply.body);
            sent.push(Sent { serial, seen: Seen::Whole(200) });
        }
        fleet.quiet();
        let found = fleet.audit(&sent);
        assert_eq!((found.settled as u64, found.by_deadline), (STREAMS, 0), "{found:?}");
        let ledger = fleet.ledger();
        let charges = accounts.iter().flat_map(|account| fleet.charges(&ledger, account));
        let settled: Vec<_> = charges.filter(|it| it.state == ChargeState::Settled).collect();
        assert!(settled.iter().all(|it| it.charged.micro() / 1_000_000 == WHOLE / 1_000_000));
        let sum: u64 = settled.iter().map(|it| it.charged.micro()).sum();
        assert_eq!(sum, STREAMS * WHOLE + STREAMS * (STREAMS - 1) / 2);
        let refused = sent.len() as u64 - STREAMS;
        println!("outage: {looks} looks, {refused} refused, {sum} micro-credits, {found:?}");
    }

    /// Service is back through both gateways.
    #[track_caller]
    fn back(&self, fleet: &Fleet, sent: &mut Vec<Sent>) {
        for (at, serial) in [(0, 900_000), (1, 910_000)] {
            let mut serial = serial;
            eventually("service is back", || {
                serial += 1;
                let body = body(serial, false);
                // It fails, so that it costs nothing.
                let reply = paid(&fleet.gateways[at], IMAGES, &self.payers[at].key, "fail", &body);
                let served = reply.status == 500;
                let seen = if served { Seen::Whole(500) } else { Seen::Refused(reply.status) };
                sent.push(Sent { serial, seen });
                served.then_some(())
            });
        }
    }
}

/// How Redis goes away and comes back.
#[derive(Clone, Copy, Debug)]
enum Away {
    Stopped,
    Killed,
}

fn outage(away: Away, lease: &str, away_ms: u64) {
    let changes = [("total: 60s", "total: 300s")];
    let mut fleet =
        Fleet::start(Shape { redis: &DURABLE, lease, deadlines: PROMPT, changes: &changes });
    let streams = Streams::begin(&fleet, away_ms);
    let mut sent = Vec::new();
    let gone = SystemClock.uptime_ms();
    match away {
        Away::Stopped => fleet.redis.stop_the_clock(),
        Away::Killed => fleet.redis.kill_nine(),
    }
    let (mut tries, before) = (0, fleet.forwarded());
    while SystemClock.uptime_ms() - gone < away_ms {
        sent.extend(streams.refused(&fleet, tries));
        tries += 1;
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(fleet.forwarded(), before);
    match away {
        Away::Stopped => fleet.redis.go_on(),
        Away::Killed => fleet.redis.start_again(),
    }
    streams.back(&fleet, &mut sent);
    streams.end(&fleet, sent);
    println!("{away:?} for {away_ms} ms with leases of {lease}: refused {tries} times");
}

/// What a gateway had written before it took the connection for dead is executed when Redis goes on. It ends
/// no lease if it is more than five seconds old by then, so the outage has to be longer than nine.
#[test]
fn redis_is_stopped_for_three_leases_while_streams_run() {
    outage(Away::Stopped, "4s", 12_000);
}

#[test]
fn redis_is_killed_for_three_leases_while_streams_run() {
    outage(Away::Killed, "4s", 12_000);
}

#[test]
fn redis_is_away_for_two_minutes_while_streams_run() {
    if std::env::var_os("TOLLGATE_LONG").is_none() {
        println!("two minutes with leases of a minute: only with TOLLGATE_LONG=1");
        return;
    }
    for away in [Away::Stopped, Away::Killed] {
        outage(away, "60s", 120_000);
    }
}

#[test]
fn redis_is_full_while_streams_run() {
    const LEASES: u64 = 3;
    const FILLERS: u64 = 256;
    let fleet = Fleet::start(Shape { lease: "3s", deadlines: PROMPT, ..Shape::default() });
    let streams = Streams::begin(&fleet, LEASES * 3_000);
    // Far more than fits, so that a buffer that is freed makes no room for a request in between.
    for key in 0..FILLERS {
        let key = format!("filler-{key}");
        fleet.redis.command(&[b"SET", key.as_bytes(), &[b'x'; 16 * 1024]]);
    }
    let _: String = fleet.redis.say("CONFIG SET maxmemory 3mb");
    let full = SystemClock.uptime_ms();
    let (mut tries, mut sent, before) = (0, Vec::new(), fleet.forwarded());
    while SystemClock.uptime_ms() - full < LEASES * 3_000 {
        sent.extend(streams.refused(&fleet, tries));
        let open = ["acct_a", "acct_b"].iter().flat_map(|account| fleet.open(account));
        assert!(open.into_iter().all(|unknown| !unknown), "a running stream was made unknown");
        tries += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(fleet.forwarded(), before);
    for key in 0..FILLERS {
        let _: i64 = fleet.redis.say(&format!("DEL filler-{key}"));
    }
    let _: String = fleet.redis.say("CONFIG SET maxmemory 0");
    streams.back(&fleet, &mut sent);
    streams.end(&fleet, sent);
    println!("full: refused {tries} times");
}

/// An end that has waited for long is not left to wait for its next try: nobody renews its lease any more.
#[test]
fn an_end_that_waits_is_told_as_soon_as_redis_is_back() {
    const LEASE_MS: u64 = 4_000;
    /// After this long the next try by itself would be more than a lease away.
    const AWAY: Duration = Duration::from_millis(6_600);
    let mut fleet = Fleet::start(Shape { redis: &DURABLE, lease: "4s", ..Shape::default() });
    let payer = payer(&fleet.gateways[0], "acct_a", "studio", 100);
    let bearer = format!("Bearer {}", payer.key);
    let told = headers(&bearer, "hang=0.5");
    let at = fleet.gateways[0].data;
    let open = send(at, "POST", IMAGES, &told, &body(1, false)).unwrap();
    fleet.running(1);
    fleet.redis.kill_nine();
    assert_eq!(answer(open).unwrap().status, 200);
    std::thread::sleep(AWAY);
    fleet.redis.start_again();
    let back = SystemClock.uptime_ms();
    fleet.all_ended(&["acct_a"]);
    let took = SystemClock.uptime_ms() - back;
    assert!(took < LEASE_MS, "{took} ms");
    fleet.quiet();
    let found = fleet.audit(&[Sent { serial: 1, seen: Seen::Whole(200) }]);
    assert_eq!((found.settled, found.by_deadline), (1, 0));
    println!("told {took} ms after Redis was back");
}
