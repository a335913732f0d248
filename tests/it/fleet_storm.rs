//! Storms over a fleet: Redis, or gateways, die at random moments under load, again and again. What was
//! refused was not forwarded, and what the upstream did is what was charged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tollgate::cli::demo::upstream::{Outcome, Work};
use tollgate::ledger::ChargeState;
use tollgate::seam::SeededEntropy;

use super::audit::Sent;
use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::crash_storm::{Chance, seen};
use super::fleet_rig::{DURABLE, Fleet, Shape, code, payer};
use super::processes::{ask, eventually};
use super::world::seed;

const KILLS: usize = 8;
const GATEWAY_KILLS: usize = 24;
const ACCOUNTS: [&str; 4] = ["acct_0", "acct_1", "acct_2", "acct_3"];
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

/// What clients of a storm share.
struct Crowd {
    /// Where the gateways are; `None`: dead.
    at: Mutex<[Option<SocketAddr>; 2]>,
    keys: Vec<String>,
    chance: Chance,
    serial: AtomicU64,
    /// Odd while Redis is away.
    weather: AtomicU64,
    over: AtomicBool,
    served: AtomicU64,
    refused_while_away: AtomicU64,
}

impl Crowd {
    fn new(fleet: &Fleet, of: &str) -> Self {
        let first = &fleet.gateways[0];
        let keys = ACCOUNTS.map(|id| payer(first, id, "studio", 1_000_000).key).to_vec();
        Self {
            at: Mutex::new([0, 1].map(|at| Some(fleet.gateways[at].data))),
            keys,
            chance: Chance(SeededEntropy::new(seed(of))),
            serial: AtomicU64::new(0),
            weather: AtomicU64::new(0),
            over: AtomicBool::new(false),
            served: AtomicU64::new(0),
            refused_while_away: AtomicU64::new(0),
        }
    }

    /// Asks until it is over. The answer is what was sent.
    fn client(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let Some(to) = *self.chance.one_of(&*self.at.lock().unwrap()) else { continue };
            let serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
            let (path, told) = *self.chance.one_of(&WISHES);
            let bearer = format!("Bearer {}", self.chance.one_of(&self.keys));
            let before = self.weather.load(Ordering::SeqCst);
            let body = body(serial, path == CHAT);
            let reply = ask(to, "POST", path, &headers(&bearer, told), &body);
            let status = reply.as_ref().map_or(0, |reply| reply.status);
            if status == 503 {
                let problem = code(reply.as_ref().unwrap());
                assert_eq!(problem, (503, "metering_unavailable".to_owned()));
                std::thread::sleep(Duration::from_millis(5));
            } else {
                self.served.fetch_add(1, Ordering::SeqCst);
            }
            if before % 2 == 1 && self.weather.load(Ordering::SeqCst) == before {
                assert_eq!(status, 503, "{reply:?}");
                self.refused_while_away.fetch_add(1, Ordering::SeqCst);
            }
            sent.push(Sent { serial, seen: seen(reply) });
        }
        sent
    }

    /// Lets clients ask while `weather` happens.
    fn while_asking(&self, weather: impl FnOnce()) -> Vec<Sent> {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| self.client())).collect();
            weather();
            self.over.store(true, Ordering::SeqCst);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        })
    }

    /// Waits until so many requests more were served.
    #[track_caller]
    fn serve(&self, more: u64) {
        let served = self.served.load(Ordering::SeqCst) + more;
        let back = || self.served.load(Ordering::SeqCst) > served;
        eventually("service is back", || back().then_some(()));
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

/// What the upstream did, by its serial number: its price.
fn done(fleet: &Fleet) -> BTreeMap<u64, u64> {
    let units = fleet.upstream.all_units();
    let done = units.iter().filter(|unit| unit.outcome == Outcome::Done).map(price);
    done.map(|price| (price % 1_000_000, price)).collect()
}

/// What was charged by a word of the upstream, by the serial number.
fn charged(fleet: &Fleet) -> BTreeMap<u64, u64> {
    let ledger = fleet.ledger();
    let all = ACCOUNTS.iter().flat_map(|account| fleet.charges(&ledger, account));
    let told = all.filter(|it| it.state == ChargeState::Settled && !it.by_deadline);
    told.map(|charge| charge.charged.micro()).map(|micro| (micro % 1_000_000, micro)).collect()
}

fn kinds(sent: &[Sent]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    sent.iter().for_each(|sent| *kinds.entry(format!("{:?}", sent.seen)).or_default() += 1);
    kinds
}

#[test]
fn redis_is_killed_again_and_again_under_load() {
    let mut fleet = Fleet::start(Shape { redis: &DURABLE, lease: "6s", ..Shape::default() });
    let crowd = Crowd::new(&fleet, "fleet, Redis killed");
    let sent = crowd.while_asking(|| {
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(200 + crowd.chance.below(600)));
            fleet.redis.kill_nine();
            crowd.weather.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100 + crowd.chance.below(2_500)));
            crowd.weather.fetch_add(1, Ordering::SeqCst);
            fleet.redis.start_again();
            crowd.serve(30);
        }
    });
    fleet.quiet();
    fleet.all_ended(&ACCOUNTS);
    let found = fleet.audit(&sent);
    assert_eq!(done(&fleet), charged(&fleet), "what the upstream did is what was charged");
    assert_eq!(found.by_deadline, 0, "a gateway that lives ends all of its own");
    let refused = crowd.refused_while_away.load(Ordering::SeqCst);
    println!("{KILLS} kills, {refused} refused while away; {:?} {found:?}", kinds(&sent));
    assert!(refused > 50 && found.settled > 200);
}

#[test]
fn gateways_are_killed_again_and_again_under_load() {
    let mut fleet = Fleet::start(Shape { lease: "2s", ..Shape::default() });
    let crowd = Crowd::new(&fleet, "fleet, gateways killed");
    let mut recovered = (0, 0);
    let sent = crowd.while_asking(|| {
        for _ in 0..GATEWAY_KILLS {
            std::thread::sleep(Duration::from_millis(1 + crowd.chance.below(400)));
            let at = usize::try_from(crowd.chance.below(2)).unwrap();
            crowd.at.lock().unwrap()[at] = None;
            fleet.gateways[at].process.kill();
            // Sometimes its leases lapse first, so that the other's sweeper has something to do.
            let away = if crowd.chance.below(4) == 0 { 4_000 } else { 0 };
            std::thread::sleep(Duration::from_millis(away));
            fleet.gateways[at] = fleet.gateway(at);
            let (released, unknown) = fleet.gateways[at].recovered();
            recovered = (recovered.0 + released, recovered.1 + unknown);
            crowd.at.lock().unwrap()[at] = Some(fleet.gateways[at].data);
        }
    });
    fleet.quiet();
    fleet.all_ended(&ACCOUNTS);
    let found = fleet.audit(&sent);
    // What a dead gateway had forwarded ended by deadline, whatever the upstream did; the rest is exact.
    let (done, charged) = (done(&fleet), charged(&fleet));
    for (serial, micro) in &charged {
        assert_eq!(done.get(serial), Some(micro), "{serial}");
    }
    let missing = done.len() - charged.len();
    println!(
        "{GATEWAY_KILLS} kills, recovered {recovered:?}, {missing} done and ended by deadline; {:?} {found:?}",
        kinds(&sent)
    );
    assert!(missing <= found.by_deadline && found.by_deadline > 0 && recovered.1 > 0);
    assert!(found.settled > 200, "there was a load");
}
