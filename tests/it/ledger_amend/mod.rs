//! What is done to charges and buckets afterwards or by hand: refunds, adjusted holds, withdrawals, frozen
//! buckets, claims of free credits. In whole credits, on every store.

mod adjusts;
mod claims;
mod crowds;
mod frozen;
mod refunds;
mod withdrawals;

use tollgate::credit::{Amount, Bucket, ChargeId};
use tollgate::ledger::*;
use tollgate::seam::Timestamp;

use crate::ledger_world::{Store, World, bucket, credits, ok, on_every_store as on_each, wait};

/// Runs a story on every store; its records agree with each other afterwards.
fn on_every_store(story: impl Fn(&World)) {
    on_each(|w| {
        story(&w);
        if let Store::Redis(store) = &w.store {
            ok(wait(store.ledger.audit(w.account.clone())));
        }
    });
}

fn refunding(w: &World, charge: ChargeId, id: &str, amount: u64) -> Refund {
    let (account, amount, reason) = (w.account.clone(), credits(amount), "late".to_owned());
    Refund { account, charge, id: bucket(id), amount, reason }
}

fn refund(w: &World, charge: ChargeId, id: &str, amount: u64) -> Answer<Refunded> {
    wait(w.store.ledger().refund(refunding(w, charge, id, amount)))
}

fn adjust(w: &World, charge: ChargeId, id: &str, held: u64) -> Answer<Adjusted> {
    let (account, held) = (w.account.clone(), credits(held));
    wait(w.store.ledger().adjust(Adjust { account, charge, id: bucket(id), held }))
}

fn withdraw(w: &World, id: &str, how: Withdrawal) -> Answer<Withdrawn> {
    let (account, reason) = (w.account.clone(), "by hand".to_owned());
    wait(w.store.ledger().withdraw(Withdraw { account, bucket: bucket(id), how, reason }))
}

fn freeze(w: &World, id: &str, frozen: bool, expires: Option<Option<Timestamp>>) -> Answer<Bucket> {
    let (account, reason) = (w.account.clone(), "by hand".to_owned());
    wait(w.store.ledger().freeze(Freeze { account, bucket: bucket(id), frozen, expires, reason }))
}

/// A charge that was settled.
fn charged(w: &World, held: u64, actual: u64) -> ChargeId {
    let call = w.call(held);
    ok(w.reserve(&call));
    ok(w.settle(call.charge, actual));
    call.charge
}

/// A call that is refused changes no byte; the answer is why.
#[track_caller]
fn refused<T: std::fmt::Debug>(w: &World, call: impl Fn() -> Answer<T>) -> Refusal {
    let before = w.everything();
    let why = crate::ledger_world::no(call());
    assert_eq!(w.everything(), before, "a refusal has left a trace: {why:?}");
    why
}

/// A call that says again what was said already changes no byte; the answer is what it said.
#[track_caller]
fn again<T: std::fmt::Debug>(w: &World, call: impl Fn() -> Answer<T>) -> T {
    let before = w.everything();
    let said = ok(call());
    assert_eq!(w.everything(), before, "the same again has left a trace: {said:?}");
    said
}

fn whole(amount: Amount) -> u64 {
    assert_eq!(amount.micro() % Amount::MICRO, 0);
    amount.micro() / Amount::MICRO
}
