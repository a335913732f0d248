//! A crowd before two gateways that share one ledger: far more requests at once than there are credits for.
//! Exactly what can be paid is forwarded, through whichever gateway.

use std::collections::BTreeMap;

use serde_json::json;
use tollgate::ledger::ChargeState;
use tollgate::seam::{Clock, SystemClock};

use super::crowd::{all_at_once, paid};
use super::fleet_rig::{Fleet, Shape, in_use, payer};
use super::ledger_world::{ok, wait};
use super::processes::eventually;
use super::wire::{Ask, Reply};
use super::world::{Dice, IMAGES, seed};

const ROUNDS: usize = 20;
const CROWD: usize = 1_000;
/// For how many there are credits, in one round and at most in the others.
const MANY: u64 = 300;
const FEW: u64 = 60;

#[test]
fn two_accounts_of_one_partition() {
    crowds(true);
}

#[test]
fn two_accounts_of_two_partitions() {
    crowds(false);
}

fn crowds(together: bool) {
    let mut dice = Dice(seed("fleet, crowd"));
    // The crowd is what is looked at, not what becomes of a lease on a machine that stands still for a moment: holds that
    // lapse are released on this route, and others may have their credits.
    let fleet = Fleet::start(Shape { lease: "60s", ..Shape::default() });
    let began = SystemClock.uptime_ms();
    let (mut asked, mut rounds, mut through) = (0, 0, 0);
    for number in 0..ROUNDS {
        // The first rounds are the edges: nobody, many, one.
        let enough_for = match number {
            0 => 0,
            1 => MANY,
            2 => 1,
            _ => dice.below(FEW),
        };
        round(&fleet, &mut dice, &fleet.two_accounts(number, together), enough_for);
        asked += CROWD;
        rounds += 1;
        through += enough_for;
    }
    assert_eq!((rounds, asked), (20, 20_000));
    assert_eq!(fleet.forwarded(), through);
    assert_eq!(fleet.upstream.state()["running"], 0);
    let took = SystemClock.uptime_ms() - began;
    println!("fleet, crowd: {rounds} rounds, {asked} requests, {through} forwarded, {took} ms");
}

/// Every second request is for the other account, every second pair goes to the other gateway.
fn round(fleet: &Fleet, dice: &mut Dice, accounts: &[String; 2], enough_for: u64) {
    let first = dice.below(enough_for + 1);
    let shares = [first, enough_for - first];
    let maker = &fleet.gateways[dice.pick(2)];
    let keys = [0, 1].map(|at| payer(maker, &accounts[at], "crowded", shares[at]).key);
    let asks = (0..CROWD).map(|number| {
        let body = json!({ "n": 1, "serial": 0, "nonce": format!("{}-{number}", accounts[0]) });
        let ask = Ask::new("POST", IMAGES).key(&keys[number % 2]).json(&body);
        // Some works take a while, so that holds of others are still open when the last ones ask.
        let slow = dice.below(4) == 0;
        let ask = if slow { ask.sample(&format!("hang=0.{}", dice.below(3))) } else { ask };
        (fleet.gateways[number / 2 % 2].data, ask)
    });
    let before = fleet.forwarded();
    let replies = all_at_once(asks.collect());
    assert_eq!(replies.len(), CROWD);
    let let_through = replies.iter().filter(|reply: &&Reply| paid(reply)).count();
    assert_eq!(let_through as u64, enough_for, "{}", ended(fleet, accounts));
    assert_eq!(fleet.forwarded() - before, enough_for);
    let ledger = fleet.ledger();
    for (account, key) in accounts.iter().zip(&keys) {
        for gateway in &fleet.gateways {
            let nothing = || shown(gateway.balance(account)) && in_use(gateway, key) == 0;
            eventually("all is settled", || nothing().then_some(()));
        }
        assert_eq!(fleet.at_rest(&ledger, account), 0);
        ok(wait(ledger.audit(account.parse().unwrap())));
    }
    for (account, share) in accounts.iter().zip(shares) {
        let charges = fleet.charges(&ledger, account);
        assert_eq!(charges.len() as u64, share);
        let one = |state, micro| state == ChargeState::Settled && micro == 1_000_000;
        assert!(charges.iter().all(|charge| one(charge.state, charge.charged.micro())));
    }
}

/// How the charges of the accounts have ended so far: by their state, and whether their deadline ended them.
fn ended(fleet: &Fleet, accounts: &[String; 2]) -> String {
    let ledger = fleet.ledger();
    let mut ended = BTreeMap::<String, usize>::new();
    for account in accounts {
        for charge in fleet.charges(&ledger, account) {
            let end = format!("{account} {:?}, by deadline: {}", charge.state, charge.by_deadline);
            *ended.entry(end).or_default() += 1;
        }
    }
    format!("{ended:?}")
}

fn shown((available, held): (String, String)) -> bool {
    (available.as_str(), held.as_str()) == ("0", "0")
}
