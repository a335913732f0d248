//! A Redis that is there and does not do what it is asked, one cause after the other: nothing is forwarded,
//! the refusal comes within the deadline, the log names the cause, and service is back by itself.

use std::process::Command;

use tollgate::seam::{Clock, SystemClock};

use super::audit::{Seen, Sent};
use super::crash::{IMAGES, body};
use super::fleet_rig::{Fleet, PROMPT, Shape, code, paid, payer};
use super::processes::{BIN, Proxy, TOKEN, ask, eventually};
use super::redis_server::{RedisServer, wait_until};
use super::world::Payer;

/// How many requests each gateway must refuse.
const REFUSALS: u64 = 10;

/// A fleet with one account, as a test of one cause sees it.
struct Case {
    fleet: Fleet,
    payer: Payer,
    sent: Vec<Sent>,
}

impl Case {
    #[track_caller]
    fn start(redis: &[&str]) -> Self {
        let fleet = Fleet::start(Shape { redis, deadlines: PROMPT, ..Shape::default() });
        let payer = payer(&fleet.gateways[0], "acct_a", "studio", 10_000);
        let mut case = Self { fleet, payer, sent: Vec::new() };
        case.served();
        case
    }

    fn ask(&mut self, at: usize) -> (u16, String, u64) {
        let serial = self.sent.len() as u64 + 1;
        let began = SystemClock.uptime_ms();
        let gateway = &self.fleet.gateways[at];
        let reply = paid(gateway, IMAGES, &self.payer.key, "", &body(serial, false));
        let took = SystemClock.uptime_ms() - began;
        let seen = if reply.status == 200 { Seen::Whole(200) } else { Seen::Refused(reply.status) };
        self.sent.push(Sent { serial, seen });
        let (status, code) = code(&reply);
        (status, code, took)
    }

    /// Both gateways serve, perhaps after a while.
    #[track_caller]
    fn served(&mut self) {
        for at in 0..2 {
            eventually("it is served", || (self.ask(at).0 == 200).then_some(()));
        }
    }

    /// Both gateways refuse as they should, and forward nothing.
    #[track_caller]
    fn refused(&mut self) {
        let before = self.fleet.forwarded();
        for _ in 0..REFUSALS {
            for at in 0..2 {
                let (status, code, took) = self.ask(at);
                assert_eq!((status, code.as_str()), (503, "metering_unavailable"));
                assert!(took < 1_000, "{took} ms");
            }
        }
        assert_eq!(self.fleet.forwarded(), before);
    }

    /// Each gateway has said the cause, once for each of its connections and no more.
    #[track_caller]
    fn told(&self, cause: &str) {
        for gateway in &self.fleet.gateways {
            let told = || {
                let lines = gateway.process.told();
                let of = |line: &&str| line.contains("does not do") && line.contains(cause);
                lines.lines().filter(of).count()
            };
            let count = eventually("the cause is in the log", || Some(told()).filter(|n| *n > 0));
            assert!(count <= CORES_AND_CONTROL, "{count} lines: {}", gateway.process.told());
        }
    }

    /// Nothing was forwarded that was refused, nothing is held, everything is charged once.
    #[track_caller]
    fn closed(self) {
        self.fleet.quiet();
        self.fleet.all_ended(&["acct_a"]);
        let found = self.fleet.audit(&self.sent);
        let served = self.sent.iter().filter(|sent| sent.seen == Seen::Whole(200)).count();
        let refused = self.sent.len() - served;
        assert_eq!((found.settled, found.by_deadline), (served, 0), "{found:?}");
        println!("{served} served, {refused} refused, {found:?}");
        assert!(served >= 4 && refused >= 20);
    }
}

/// The most connections that a gateway has here.
const CORES_AND_CONTROL: usize = 17;

#[test]
fn readonly() {
    let mut case = Case::start(&[]);
    let nobody = super::redis_server::free_port();
    let _: String = case.fleet.redis.say(&format!("REPLICAOF 127.0.0.1 {nobody}"));
    case.refused();
    case.told("READONLY");
    let _: String = case.fleet.redis.say("REPLICAOF NO ONE");
    case.served();
    case.closed();
}

#[test]
fn noauth() {
    let mut case = Case::start(&[]);
    // Stays logged in, unlike the others.
    let url = format!("redis://127.0.0.1:{}", case.fleet.redis.port());
    let mut own = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut say = |line: &str| {
        let mut command = redis::Cmd::new();
        line.split(' ').for_each(|word| _ = command.arg(word.trim_matches('\'')));
        command.query::<redis::Value>(&mut own).unwrap();
    };
    say("CONFIG SET requirepass secret");
    say("CLIENT KILL TYPE normal SKIPME yes");
    case.refused();
    case.told("NOAUTH");
    say("CONFIG SET requirepass ''");
    case.served();
    case.closed();
}

#[test]
fn busy() {
    let mut case = Case::start(&["busy-reply-threshold 50"]);
    let port = case.fleet.redis.port();
    let url = format!("redis://127.0.0.1:{port}");
    let busy = tollgate::seam::thread("busy", move || {
        let mut own = redis::Client::open(url).unwrap().get_connection().unwrap();
        let mut command = redis::cmd("EVAL");
        command.arg("while true do end").arg(0);
        command.query::<redis::Value>(&mut own).unwrap_err()
    });
    wait_until("it is busy", || {
        case.fleet.redis.try_command(&[b"PING"]).is_err_and(|it| it.code() == Some("BUSY"))
    });
    case.refused();
    case.told("BUSY");
    let _: String = case.fleet.redis.say("SCRIPT KILL");
    let killed = busy.unwrap().join().unwrap();
    assert!(killed.to_string().contains("killed"), "{killed}");
    case.served();
    case.closed();
}

#[test]
fn misconf() {
    let mut case = Case::start(&["save 3600 1000000", "stop-writes-on-bgsave-error yes"]);
    // A folder in the place of the file that is to be written.
    let file = case.fleet.redis.folder().join("dump.rdb");
    std::fs::create_dir(&file).unwrap();
    let saved = |redis: &RedisServer, how: &str| {
        let _: redis::Value = redis.command(&[b"BGSAVE"]);
        wait_until("it has tried to save", || {
            redis.say::<String>("INFO persistence").contains(&format!("last_bgsave_status:{how}"))
        });
    };
    saved(&case.fleet.redis, "err");
    case.refused();
    case.told("MISCONF");
    std::fs::remove_dir(&file).unwrap();
    saved(&case.fleet.redis, "ok");
    case.served();
    case.closed();
}

#[test]
fn loading() {
    // Many keys, each of which takes its time; it answers between them.
    const FILL: &[u8] = b"for i = 1, 20000 do redis.call('SET', 'filler:' .. i, i) end";
    let mut case = Case::start(&["loading-process-events-interval-bytes 1024"]);
    case.fleet.quiet();
    case.fleet.redis.command(&[b"EVAL", FILL, b"0"]);
    let _: String = case.fleet.redis.say("SAVE");
    case.fleet.redis.kill_nine();
    let conf = case.fleet.redis.folder().join("redis.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{text}key-load-delay 300\n")).unwrap();
    let mut own = Command::new("redis-server");
    own.arg("redis.conf").current_dir(case.fleet.redis.folder());
    let loading = || case.fleet.redis.try_command(&[b"GET", b"a"]);
    let mut own = super::processes::Process::start(&mut own);
    wait_until("it loads", || loading().is_err_and(|it| it.code() == Some("LOADING")));
    case.refused();
    let still = case.fleet.redis.try_command(&[b"GET", b"a"]);
    assert_eq!(still.unwrap_err().code(), Some("LOADING"), "it was over too soon");
    case.told("LOADING");
    case.served();
    case.fleet.quiet();
    // The rest with a server that ends with its handle.
    let _: String = case.fleet.redis.say("SAVE");
    own.kill();
    std::fs::write(&conf, text).unwrap();
    case.fleet.redis.start_again();
    case.served();
    case.closed();
}

/// What a listener says about itself.
fn ready(of: &Proxy) -> u16 {
    ask(of.admin, "GET", "/readyz", &[], "").unwrap().status
}

#[test]
fn emptied() {
    let mut case = Case::start(&[]);
    assert_eq!(case.fleet.gateways.iter().map(ready).collect::<Vec<_>>(), [200, 200]);
    case.fleet.quiet();
    let _: String = case.fleet.redis.say("FLUSHALL");
    case.refused();
    let own = [("authorization", format!("Bearer {}", case.payer.key))];
    let own = [(own[0].0, own[0].1.as_str())];
    let operators = format!("Bearer {TOKEN}");
    let operators = [("authorization", operators.as_str())];
    for gateway in &case.fleet.gateways {
        eventually("it is not ready", || (ready(gateway) == 503).then_some(()));
        let lost = |line: &&str| line.contains("ERROR") && line.contains("the ledger is lost");
        let told = || gateway.process.told().lines().filter(lost).count();
        let count = eventually("it is loud", || Some(told()).filter(|count| *count > 0));
        assert!(count <= CORES_AND_CONTROL, "{count} times");
        // No balance is better than a wrong one.
        for (to, path, own) in [
            (gateway.data, "/_credits/v1/balance", own),
            (gateway.admin, "/admin/v1/accounts/acct_a/balance", operators),
            (gateway.admin, "/admin/v1/accounts/acct_a", operators),
            (gateway.admin, "/admin/v1/accounts", operators),
        ] {
            let reply = ask(to, "GET", path, &own, "").unwrap();
            assert_eq!(reply.status, 503, "{path}: {}", reply.body);
            assert!(!reply.body.contains("balances"), "{}", reply.body);
        }
        let made =
            ask(gateway.admin, "POST", "/admin/v1/accounts", &operators, r#"{"plan":"studio"}"#);
        assert_eq!(made.unwrap().status, 503, "nothing is made where a ledger was lost");
    }
    let keys: Vec<Vec<u8>> = case.fleet.redis.say("KEYS *");
    assert_eq!(keys, Vec::<Vec<u8>>::new(), "nothing was written");
    let mut command = Command::new(BIN);
    command.args(["serve", "--config"]).arg(case.fleet.config(0));
    let refused = Proxy::perhaps(&mut command).unwrap_err();
    assert!(refused.told().contains("ledger create"), "{}", refused.told());
    // They still end in good order.
    for gateway in case.fleet.gateways.drain(..) {
        gateway.stop();
    }
}
