//! kill -9 of one gateway while another one lives, and of Redis under the load of both. Nothing stays held,
//! nothing is charged twice, and what was refused was not forwarded.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tollgate::cli::demo::upstream::{Outcome, Work};
use tollgate::ledger::ChargeState;
use tollgate::seam::SeededEntropy;

use super::audit::Sent;
use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::crash_storm::{Chance, seen};
use super::fleet_rig::{DURABLE, Fleet, Shape, code, payer};
use super::processes::{BIN, Proxy, answer, ask, eventually, send};
use super::world::seed;

/// A lease that does not lapse while a gateway is started again.
const LONG: Shape<'_> = Shape { lease: "20s", redis: &[], reserve: "5s", changes: &[] };

/// One core: the system calls of a request are in one thread's order then.
const ONE_CORE: (&str, &str) = ("flood:", "cores: 1\nflood:");

/// Starts the first gateway of a fleet again, to die when it writes its mark: the hold is in the ledger, and
/// nothing has been sent.
fn dying(fleet: &mut Fleet) {
    fleet.gateways.remove(0).stop();
    let mut command = Command::new("strace");
    // -D: the tracer is the grandchild, so that the child is the gateway itself.
    command.args(["-D", "-f", "-q", "-o", "/dev/null", "-e", "trace=write"]);
    command.args(["-e", "inject=write:signal=KILL:when=1", "-P"]);
    command.arg(fleet.place(0).join("data/journal-0"));
    command.args([BIN, "serve", "--config"]).arg(fleet.config(0));
    fleet.gateways.insert(0, Proxy::by(&mut command));
}

/// The only charge of an account.
#[track_caller]
fn only_charge(fleet: &Fleet, account: &str) -> tollgate::ledger::ChargeRecord {
    let mut charges = fleet.charges(&fleet.ledger(), account);
    assert_eq!(charges.len(), 1, "{charges:?}");
    charges.pop().unwrap()
}

#[test]
fn killed_between_reserve_and_forward_another_gateway_ends_it() {
    let changes = [ONE_CORE];
    let mut fleet = Fleet::start(Shape { changes: &changes, ..Shape::default() });
    let key = payer(&fleet.gateways[1], "acct_a", "studio", 100).key;
    dying(&mut fleet);
    let bearer = format!("Bearer {key}");
    let told = headers(&bearer, "");
    ask(fleet.gateways[0].data, "POST", IMAGES, &told, &body(1, false)).unwrap_err();
    assert_eq!(fleet.gateways[0].process.wait(), None);
    // Nobody asks for anything: only the other gateway's sweeper can write this.
    fleet.all_ended(&["acct_a"]);
    let charge = only_charge(&fleet, "acct_a");
    assert!(charge.state == ChargeState::Released && charge.by_deadline, "{charge:?}");
    assert_eq!(fleet.forwarded(), 0);
    assert_eq!(fleet.gateways[1].balance("acct_a"), ("100".to_owned(), "0".to_owned()));
    // The dead one's start finds nothing to do, and does nothing.
    let back = fleet.gateway(0);
    assert_eq!(back.recovered(), (0, 0));
    assert_eq!(back.balance("acct_a"), ("100".to_owned(), "0".to_owned()));
    let found = fleet.audit(&[Sent::lost(1)]);
    assert_eq!((found.by_deadline, found.units, found.charges), (1, 0, 1));
}

#[test]
fn killed_between_reserve_and_forward_its_own_start_releases() {
    let changes = [ONE_CORE];
    let mut fleet = Fleet::start(Shape { changes: &changes, ..LONG });
    let key = payer(&fleet.gateways[1], "acct_a", "studio", 100).key;
    dying(&mut fleet);
    let bearer = format!("Bearer {key}");
    let told = headers(&bearer, "");
    ask(fleet.gateways[0].data, "POST", DUBBING, &told, &body(1, false)).unwrap_err();
    assert_eq!(fleet.gateways[0].process.wait(), None);
    assert_eq!(fleet.open("acct_a"), [false]);
    assert_eq!(fleet.gateways[1].balance("acct_a").1, "10.000001");
    // Another gateway's start leaves alone what is not its own.
    fleet.gateways.pop().unwrap().stop();
    fleet.gateways.push(fleet.gateway(1));
    assert_eq!(fleet.gateways[1].recovered(), (0, 0));
    assert_eq!(fleet.open("acct_a"), [false]);
    fleet.gateways[0] = fleet.gateway(0);
    assert_eq!(fleet.gateways[0].recovered(), (1, 0));
    let charge = only_charge(&fleet, "acct_a");
    assert!(charge.state == ChargeState::Released && !charge.by_deadline, "{charge:?}");
    let found = fleet.audit(&[Sent::lost(1)]);
    assert_eq!((found.released, found.units, found.charges), (1, 0, 1));
}

#[test]
fn killed_during_a_stream_another_gateway_ends_it() {
    let mut fleet = Fleet::start(Shape::default());
    let key = payer(&fleet.gateways[1], "acct_a", "studio", 100).key;
    let bearer = format!("Bearer {key}");
    let (slow, hang) = (headers(&bearer, "slow=300"), headers(&bearer, "hang=30"));
    let at = fleet.gateways[0].data;
    let open = [
        send(at, "POST", CHAT, &slow, &body(1, true)).unwrap(),
        send(at, "POST", DUBBING, &hang, &body(2, false)).unwrap(),
    ];
    fleet.running(2);
    fleet.gateways[0].process.kill();
    for stream in open {
        assert!(answer(stream).is_err(), "the client sees that its answer is not whole");
    }
    fleet.all_ended(&["acct_a"]);
    let charges = fleet.charges(&fleet.ledger(), "acct_a");
    assert_eq!(charges.len(), 2);
    assert!(charges.iter().all(|charge| charge.by_deadline), "{charges:?}");
    // Each by its route's own policy: the stream is given back, the dubbing is charged as held.
    let left = ("89.999998".to_owned(), "0".to_owned());
    assert_eq!(fleet.gateways[1].balance("acct_a"), left);
    let back = fleet.gateway(0);
    assert_eq!(back.recovered(), (0, 0));
    assert_eq!(back.balance("acct_a"), left);
    let found = fleet.audit(&[Sent::lost(1), Sent::lost(2)]);
    assert_eq!((found.by_deadline, found.units, found.charges), (2, 2, 2));
}

#[test]
fn killed_during_a_stream_its_own_start_leaves_it_to_the_deadline() {
    let mut fleet = Fleet::start(LONG);
    let key = payer(&fleet.gateways[1], "acct_a", "studio", 100).key;
    let bearer = format!("Bearer {key}");
    let slow = headers(&bearer, "slow=300");
    let open = send(fleet.gateways[0].data, "POST", CHAT, &slow, &body(1, true)).unwrap();
    fleet.running(1);
    fleet.gateways[0].process.kill();
    assert!(answer(open).is_err(), "the client sees that its answer is not whole");
    fleet.gateways[0] = fleet.gateway(0);
    // Long before the lease's end: its own start said so.
    assert_eq!(fleet.gateways[0].recovered(), (0, 1));
    fleet.all_ended(&["acct_a"]);
    let charge = only_charge(&fleet, "acct_a");
    assert!(charge.state == ChargeState::Released && charge.by_deadline, "{charge:?}");
    let found = fleet.audit(&[Sent::lost(1)]);
    assert_eq!((found.by_deadline, found.units, found.charges), (1, 1, 1));
}

const KILLS: usize = 8;
const CLIENTS: usize = 8;
/// JSON and streams, short and long, good and bad; all of them end by a word of the upstream.
const WISHES: [(&str, &str); 8] = [
    (IMAGES, ""),
    (IMAGES, "hang=0.05"),
    (IMAGES, "slow=10"),
    (IMAGES, "fail"),
    (DUBBING, ""),
    (DUBBING, "hang=0.1"),
    (CHAT, "slow=5"),
    (CHAT, "slow=50"),
];

/// What clients of a storm share. The count is odd while Redis is away.
struct Crowd<'a> {
    fleet: &'a [Proxy],
    keys: Vec<String>,
    chance: Chance,
    serial: AtomicU64,
    weather: &'a AtomicU64,
    over: AtomicBool,
    served: AtomicU64,
    refused_while_away: AtomicU64,
}

impl Crowd<'_> {
    /// Asks until it is over. The answer is what was sent.
    fn client(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
            let (path, told) = *self.chance.one_of(&WISHES);
            let bearer = format!("Bearer {}", self.chance.one_of(&self.keys));
            let to = self.chance.one_of(self.fleet).data;
            let before = self.weather.load(Ordering::SeqCst);
            let body = body(serial, path == CHAT);
            let reply = ask(to, "POST", path, &headers(&bearer, told), &body).unwrap();
            if reply.status == 503 {
                assert_eq!(code(&reply), (503, "metering_unavailable".to_owned()));
                std::thread::sleep(Duration::from_millis(5));
            } else {
                self.served.fetch_add(1, Ordering::SeqCst);
            }
            if before % 2 == 1 && self.weather.load(Ordering::SeqCst) == before {
                assert_eq!(reply.status, 503, "{}", reply.body);
                self.refused_while_away.fetch_add(1, Ordering::SeqCst);
            }
            sent.push(Sent { serial, seen: seen(Ok(reply)) });
        }
        sent
    }
}

/// What the work of a unit costs, from the log alone, in micro-credits.
fn price(work: &Work) -> u64 {
    let serial: u64 = work.nonce.as_deref().unwrap().parse().unwrap();
    let whole = match work.route.as_str() {
        "images" => work.quantity["images"].as_u64().unwrap(),
        "dubbing" => 10,
        "chat" => work.quantity["completion_tokens"].as_u64().unwrap(),
        other => panic!("{other}"),
    };
    whole * 1_000_000 + serial
}

#[test]
fn redis_is_killed_again_and_again_under_load() {
    let seed = seed("fleet, Redis killed");
    let chance = Chance(SeededEntropy::new(seed));
    let Fleet { mut redis, upstream, gateways, folder } =
        Fleet::start(Shape { redis: &DURABLE, lease: "6s", ..Shape::default() });
    let accounts = ["acct_0", "acct_1", "acct_2", "acct_3"];
    let keys = accounts.map(|id| payer(&gateways[0], id, "studio", 1_000_000).key).to_vec();
    let weather = AtomicU64::new(0);
    let crowd = Crowd {
        fleet: &gateways,
        keys,
        chance,
        serial: AtomicU64::new(0),
        weather: &weather,
        over: AtomicBool::new(false),
        served: AtomicU64::new(0),
        refused_while_away: AtomicU64::new(0),
    };
    let sent: Vec<Sent> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| crowd.client())).collect();
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(200 + crowd.chance.below(600)));
            redis.kill_nine();
            weather.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100 + crowd.chance.below(2_500)));
            weather.fetch_add(1, Ordering::SeqCst);
            redis.start_again();
            let served = crowd.served.load(Ordering::SeqCst) + 30;
            let back = || crowd.served.load(Ordering::SeqCst) > served;
            eventually("service is back", || back().then_some(()));
        }
        crowd.over.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let refused_while_away = crowd.refused_while_away.load(Ordering::SeqCst);
    drop(crowd);
    let fleet = Fleet { redis, upstream, gateways, folder };
    let units = fleet.upstream.all_units();
    fleet.quiet();
    fleet.all_ended(&accounts);
    let found = fleet.audit(&sent);
    let done = units.iter().filter(|unit| unit.outcome == Outcome::Done).map(price).sum::<u64>();
    let ledger = fleet.ledger();
    let charged = accounts.iter().flat_map(|account| fleet.charges(&ledger, account));
    let charged: u64 = charged.map(|charge| charge.charged.micro()).sum();
    assert_eq!(done, charged, "what the upstream did is what was charged");
    assert_eq!(found.by_deadline, 0, "a gateway that lives ends all of its own");
    let mut kinds = BTreeMap::<String, usize>::new();
    sent.iter().for_each(|sent| *kinds.entry(format!("{:?}", sent.seen)).or_default() += 1);
    println!(
        "{KILLS} kills, {charged} micro-credits, {refused_while_away} refused while away; {kinds:?} {found:?}"
    );
    assert!(refused_while_away > 50 && found.settled > 200);
}
