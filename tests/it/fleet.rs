//! Two gateways that share a ledger are one service: what an operator does through one of them binds at the
//! very next request on the other, and two revisions of the configuration live side by side.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate::ledger::ChargeState;

use super::crash::{IMAGES, body};
use super::fleet_rig::{Fleet, Shape, code, paid, payer, scrape};
use super::processes::{Proxy, ask};
use super::world::Payer;

const TIMES: usize = 50;
/// Requests that two revisions of the configuration serve by turns.
const BY_TURNS: u64 = 200;

/// Lets an account pay through both gateways, changes something through one of them and asks the other.
#[track_caller]
fn binds_at_once(name: &str, refused: (u16, &str), change: impl Fn(&Proxy, &Payer)) {
    let fleet = Fleet::start(Shape::default());
    for number in 0..TIMES {
        let [here, there] = [number % 2, 1 - number % 2].map(|at| &fleet.gateways[at]);
        let payer = payer(here, &format!("acct_{name}_{number}"), "studio", 100);
        for gateway in [there, here, there] {
            let reply = paid(gateway, IMAGES, &payer.key, "", &body(1, false));
            assert_eq!(reply.status, 200, "{}", reply.body);
        }
        let before = fleet.forwarded();
        change(here, &payer);
        let reply = paid(there, IMAGES, &payer.key, "", &body(2, false));
        assert_eq!(code(&reply), (refused.0, refused.1.to_owned()), "{number}: {}", reply.body);
        assert_eq!(fleet.forwarded(), before, "forwarded all the same");
        there.settled(&payer.account);
        assert_eq!(there.balance(&payer.account).0, "93.999997");
    }
    assert_eq!(fleet.forwarded(), 3 * TIMES as u64);
}

#[test]
fn a_revoked_key_is_refused_at_the_next_request_elsewhere() {
    binds_at_once("revoked", (401, "invalid_key"), |by, payer| {
        by.operator("POST", &format!("/keys/{}/revoke", payer.key_id), &json!({}));
    });
}

#[test]
fn a_suspended_account_is_refused_at_the_next_request_elsewhere() {
    binds_at_once("suspended", (403, "account_suspended"), |by, payer| {
        let change = json!({ "status": "suspended" });
        by.operator("PATCH", &format!("/accounts/{}", payer.account), &change);
    });
}

#[test]
fn a_changed_plan_binds_at_the_next_request_elsewhere() {
    binds_at_once("changed", (403, "route_not_in_plan"), |by, payer| {
        let change = json!({ "plan": "walled" });
        by.operator("PATCH", &format!("/accounts/{}", payer.account), &change);
    });
}

fn revision(of: &Proxy) -> String {
    let info = scrape(of).samples.into_keys().find(|(name, _)| name == "tollgate_build_info");
    let (_, labels) = info.unwrap();
    labels.into_iter().find(|(name, _)| name == "revision").unwrap().1
}

fn reserves(of: &Proxy) -> u64 {
    let count = scrape(of);
    count.value("tollgate_store_seconds_count", &[("verb", "reserve")]).parse().unwrap()
}

#[test]
fn two_revisions_serve_one_account_by_turns() {
    let shape = Shape::default();
    let mut fleet = Fleet::start(shape);
    fleet.gateways.pop().unwrap().stop();
    let dearer = [("quantities: [n], rate: 1 }", "quantities: [n], rate: 3 }")];
    fleet.configure(1, Shape { changes: &dearer, ..shape }, fleet.redis.port());
    fleet.gateways.push(fleet.gateway(1));
    let revisions = [0, 1].map(|at| revision(&fleet.gateways[at]));
    assert_ne!(revisions[0], revisions[1]);
    let payer = payer(&fleet.gateways[0], "acct_both", "studio", 10_000);
    for serial in 0..BY_TURNS {
        let gateway = &fleet.gateways[usize::try_from(serial % 2).unwrap()];
        let reply = paid(gateway, IMAGES, &payer.key, "", &body(serial, false));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.head.contains("credits-charge-id: "), "{}", reply.head);
    }
    // One call for a request, and a few for the first look at the account.
    let calls: Vec<u64> = fleet.gateways.iter().map(reserves).collect();
    assert!(calls.iter().all(|calls| (100..=104).contains(calls)), "{calls:?}");
    fleet.gateways[0].settled("acct_both");
    let charges = fleet.charges(&fleet.ledger(), "acct_both");
    let mut seen = BTreeMap::new();
    for charge in &charges {
        assert_eq!(charge.state, ChargeState::Settled);
        let micro = charge.charged.micro();
        let at = usize::try_from(micro % 2).unwrap();
        assert_eq!(charge.revision, revisions[at]);
        assert_eq!(micro / 1_000_000, [2, 6][at], "{charge:?}");
        *seen.entry(micro % 1_000_000).or_insert(0) += 1;
    }
    assert_eq!((seen.len() as u64, charges.len() as u64), (BY_TURNS, BY_TURNS));
    // 100 × 2 + 100 × 6, and the serial numbers from 0 to 199 in micro-credits.
    assert_eq!(fleet.gateways[1].balance("acct_both").0, "9199.9801");
    let bearer = format!("Bearer {}", payer.key);
    let own = [("authorization", bearer.as_str())];
    let shown = ask(fleet.gateways[1].data, "GET", "/_credits/v1/balance", &own, "").unwrap();
    let shown: Value = shown.json();
    assert_eq!(shown["balances"][0]["available"], "9199.9801");
}
