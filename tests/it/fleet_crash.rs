//! kill -9 of one gateway, one story after the other, while another one lives. Nothing stays held, nothing is
//! charged twice, and each hold is ended by the right one: its own gateway's start, or anybody's sweeper.

use std::process::Command;

use rustix::process::Signal;
use tollgate::ledger::ChargeState;

use super::audit::{Seen, Sent};
use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::fleet_rig::{Fleet, Shape, payer};
use super::processes::{BIN, Proxy, answer, ask, send};

/// A lease that does not lapse while a gateway is started again.
const LONG: &str = "20s";

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
    let mut fleet = Fleet::start(Shape { changes: &changes, lease: LONG, ..Shape::default() });
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
    let mut fleet = Fleet::start(Shape { lease: LONG, ..Shape::default() });
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

/// A gateway that was stopped for longer than lease and reconcile time, while another one decided by
/// deadline: what it then settles is a late success at most, and is charged once.
#[test]
fn stopped_past_every_deadline_it_still_charges_once() {
    let fleet = Fleet::start(Shape::default());
    let key = payer(&fleet.gateways[1], "acct_a", "studio", 100).key;
    let bearer = format!("Bearer {key}");
    let told = headers(&bearer, "hang=1");
    let at = fleet.gateways[0].data;
    let open = [(1, IMAGES), (2, DUBBING), (3, CHAT)].map(|(serial, path)| {
        (serial, send(at, "POST", path, &told, &body(serial, path == CHAT)).unwrap())
    });
    fleet.running(3);
    fleet.gateways[0].process.signal(Signal::STOP);
    fleet.all_ended(&["acct_a"]);
    // By policy: nothing of what is released, all of what is charged.
    assert_eq!(fleet.gateways[1].balance("acct_a").0, "89.999998");
    fleet.gateways[0].process.signal(Signal::CONT);
    let sent = open.map(|(serial, stream)| {
        assert_eq!(answer(stream).unwrap().status, 200);
        Sent { serial, seen: Seen::Whole(200) }
    });
    fleet.quiet();
    fleet.all_ended(&["acct_a"]);
    assert_eq!(fleet.gateways[1].balance("acct_a"), ("79.999994".to_owned(), "0".to_owned()));
    let found = fleet.audit(&sent);
    assert_eq!((found.units, found.charges), (3, 3));
}
