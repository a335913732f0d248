//! Answers of Redis that never arrive, though the call was executed, and calls that arrive long after their
//! caller has given up: the request is refused, and what it may have held is given back by its id.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate::ledger::ChargeState;
use tollgate::seam::{Clock, SystemClock, thread};

use super::audit::{Seen, Sent};
use super::crash::{DUBBING, body};
use super::fleet_rig::{Fleet, PROMPT, Shape, code, paid, payer};
use super::processes::eventually;

/// What a reserve of the route says and nothing before it does.
const NEEDLE: &[u8] = b"dubbing";
/// Longer than a gateway waits before it takes a silent connection for dead.
const LATE: Duration = Duration::from_secs(8);

/// What becomes of the call that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is executed; instead of the answer the connection ends.
    Cut,
    /// It is executed; the answer and all later ones never come.
    Swallowed,
    /// It and all later ones arrive late, perhaps when the connection has been given up.
    Late,
}

/// A wire between gateways and Redis that does this to the next call that is looked for.
#[derive(Clone, Debug, Default)]
struct Cutter {
    next: Arc<Mutex<Option<Fate>>>,
    hits: Arc<AtomicU64>,
}

impl Cutter {
    /// Where it listens.
    fn start(&self, server: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = self.clone();
        // It ends with the test's process: nothing waits for a connection that never comes.
        let accept = move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                own.join(&client, &server);
            }
        };
        drop(thread("cutter", accept).unwrap());
        port
    }

    fn join(&self, client: &TcpStream, server: &TcpStream) {
        let silent = Arc::new(AtomicBool::new(false));
        let cut = Arc::new(AtomicBool::new(false));
        let ends = || (client.try_clone().unwrap(), server.try_clone().unwrap());
        let ((from, to), own) = (ends(), self.clone());
        let flags = (silent.clone(), cut.clone());
        drop(thread("calls", move || own.calls(from, to, &flags.0, &flags.1)).unwrap());
        let (to, from) = ends();
        drop(thread("answers", move || answers(from, to, &silent, &cut)).unwrap());
    }

    fn calls(&self, mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool, cut: &AtomicBool) {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            match self.fate(&bytes[..count]) {
                Some(Fate::Cut) => cut.store(true, Ordering::SeqCst),
                Some(Fate::Swallowed) => silent.store(true, Ordering::SeqCst),
                Some(Fate::Late) => std::thread::sleep(LATE),
                None => {}
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // What was said before the end still arrives.
        drop(to.shutdown(Shutdown::Write));
    }

    fn fate(&self, bytes: &[u8]) -> Option<Fate> {
        let mut next = self.next.lock().unwrap();
        let found = next.is_some() && bytes.windows(NEEDLE.len()).any(|part| part == NEEDLE);
        let fate = found.then(|| next.take()).flatten()?;
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(fate)
    }
}

fn answers(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool, cut: &AtomicBool) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if cut.load(Ordering::SeqCst) {
            break;
        }
        if !silent.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

/// Loses so many reserves in this way. The answer is how many of them held credits before they were released,
/// by the ledger's own records.
fn lose(fate: Fate, times: u64) -> usize {
    let cutter = Cutter::default();
    let shape = Shape { lease: "60s", deadlines: PROMPT, ..Shape::default() };
    let fleet = Fleet::through(shape, |redis| cutter.start(redis.port()));
    let payer = payer(&fleet.gateways[0], "acct_a", "studio", 100);
    let mut sent = Vec::new();
    for serial in 0..times {
        let gateway = &fleet.gateways[usize::try_from(serial % 2).unwrap()];
        // Served before, so that the account is known and only the reserve names the route.
        let mut other = 1_000 * (serial + 1);
        eventually("it is served", || {
            other += 1;
            let reply =
                paid(gateway, "/v1/images/generations", &payer.key, "fail", &body(other, false));
            let served = reply.status == 500;
            let seen = if served { Seen::Whole(500) } else { Seen::Refused(reply.status) };
            sent.push(Sent { serial: other, seen });
            served.then_some(())
        });
        fleet.all_ended(&["acct_a"]);
        *cutter.next.lock().unwrap() = Some(fate);
        let before = fleet.forwarded();
        let began = SystemClock.uptime_ms();
        let reply = paid(gateway, DUBBING, &payer.key, "", &body(serial, false));
        let took = SystemClock.uptime_ms() - began;
        assert_eq!(code(&reply), (503, "metering_unavailable".to_owned()), "{}", reply.body);
        assert!(took < 1_000, "{took} ms");
        sent.push(Sent { serial, seen: Seen::Refused(503) });
        // Long before its lease ends: by its id.
        fleet.quiet();
        fleet.all_ended(&["acct_a"]);
        let took = SystemClock.uptime_ms() - began;
        assert!(took < 20_000, "released only after {took} ms");
        assert_eq!(fleet.forwarded(), before);
        let whole = || gateway.balance("acct_a") == ("100".to_owned(), "0".to_owned());
        eventually("all is there again", || whole().then_some(()));
    }
    assert_eq!(cutter.hits.load(Ordering::SeqCst), times);
    if fate == Fate::Late {
        // Until the last of them has arrived.
        std::thread::sleep(LATE);
        assert_eq!(fleet.open("acct_a"), [] as [bool; 0], "a tombstone wins");
    }
    let found = fleet.audit(&sent);
    assert_eq!((found.settled, found.by_deadline), (0, 0), "{found:?}");
    let charges = fleet.charges(&fleet.ledger(), "acct_a");
    assert!(charges.iter().all(|charge| charge.state == ChargeState::Released));
    let held = charges.iter().filter(|it| it.route == "dubbing" && it.key.is_some()).count();
    println!("{fate:?}: {times} lost, {held} of them had held; {found:?}");
    held
}

#[test]
fn the_connection_ends_instead_of_the_answer() {
    assert_eq!(lose(Fate::Cut, 30), 30);
}

#[test]
fn the_answer_never_comes() {
    assert_eq!(lose(Fate::Swallowed, 5), 5);
}

#[test]
fn the_call_is_executed_long_after_its_caller_gave_up() {
    // Released before they arrived: they never held anything.
    assert_eq!(lose(Fate::Late, 3), 0);
}
