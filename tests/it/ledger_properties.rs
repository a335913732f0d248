//! Random histories: the embedded ledger, Redis and the model must agree answer by answer, through restarts
//! and clock steps; the invariants must hold after each step, and what is refused leaves no trace.
//!
//! `TOLLGATE_CASES` is the number of histories, `TOLLGATE_SEED` the seed of the first. A history that fails is
//! made short before it is shown, with its seed and with what was asked and answered.

mod calls;
pub(crate) mod dice;
mod history;
mod plans;
mod shrink;
mod stores;

use std::sync::Arc;

use dice::Dice;
use history::{Fault, History, Step, Tally};
use shrink::shrink;
use stores::{Judged, On};
use tollgate::ledger::Setbacks;
use tollgate::ledger::redis::Settings;

use crate::ledger_failover::patient::Patient;
use crate::ledger_redis::open;

/// Steps of one history. Some ask nothing, some ask twice.
const STEPS: usize = 500;
/// Steps of one that is ended by something else.
const LONG: usize = 100_000;
/// How many histories are tried to make a failing one short.
const TRIES: usize = 400;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn steps(seed: u64) -> Arc<Vec<Step>> {
    let dice = Dice::new(seed);
    Arc::new((0..STEPS).map(|at| Step { at, seed: dice.next() }).collect())
}

fn play(whole: &Arc<Vec<Step>>, steps: &[Step], on: On) -> (History, Result<(), Fault>) {
    let mut history = History::new(whole, on);
    let done = history.play(steps);
    (history, done)
}

/// A failing history's shortest part that was found to fail, and what it says.
fn shortest(whole: &Arc<Vec<Step>>, fault: &Fault, on: On) -> (Vec<Step>, String) {
    let upto = whole.len().min(fault.0 + 1);
    let short = shrink(&whole[..upto], TRIES, |part| play(whole, part, on).1.is_err());
    let mut history = History::new(whole, on);
    history.story = Some(Vec::new());
    let said = history.play(&short).err().map_or_else(|| fault.1.clone(), |(_, why)| why);
    let story = history.story.unwrap_or_default().join("\n");
    (short, format!("{story}\n{said}"))
}

/// Plays whole histories and adds up what was seen; a failing one is made short and told.
fn play_all(seeds: std::ops::Range<u64>, on: On) -> (Tally, u64) {
    let (mut seen, mut calls) = (Tally::new(), 0);
    for seed in seeds {
        let whole = steps(seed);
        let (history, done) = play(&whole, &whole, on);
        if let Err(fault) = done {
            let (short, told) = shortest(&whole, &fault, on);
            let (at, why) = fault;
            let count = short.len();
            panic!("seed {seed} step {at}: {why}\n\nas short as it gets, {count} steps:\n{told}");
        }
        calls += history.calls;
        for (what, times) in history.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    (seen, calls)
}

/// What one history has come to.
pub(crate) struct Played {
    pub(crate) seen: Tally,
    pub(crate) unknown: u64,
    pub(crate) unavailable: u64,
}

/// Plays a long history on a ledger whose servers may die, as long as `goes_on` with the number of the step says so.
pub(crate) fn play_beside(
    seed: u64,
    settings: &Settings,
    setbacks: &Setbacks,
    goes_on: impl Fn(u64) -> bool,
) -> Played {
    let dice = Dice::new(seed);
    let whole: Vec<_> = (0..LONG).map(|at| Step { at, seed: dice.next() }).collect();
    let whole = Arc::new(whole);
    let mut patient = None;
    let mut history = History::over(&whole, |clock| {
        let ledger = Patient::new(open(settings, clock).telling(setbacks));
        patient = Some(ledger.clone());
        vec![Judged::Mortal(ledger)]
    });
    if let Err((at, why)) = history.play_while(&whole, goes_on) {
        panic!("seed {seed} step {at}, {} setbacks: {why}", setbacks.count());
    }
    let (unknown, unavailable) = patient.unwrap().counts();
    Played { seen: history.seen, unknown, unavailable }
}

/// What every run of the default length must have come across, or it has not tested much, and how often at
/// least.
const MUST_SEE: [(&str, u64); 82] = [
    ("applied reserve", 2_000),
    ("applied quote", 500),
    ("applied settle", 1_000),
    ("applied release", 500),
    ("applied doubt", 150),
    ("applied extend", 300),
    ("applied tick", 800),
    ("applied due", 50),
    ("applied grant", 800),
    ("applied refund", 150),
    ("applied adjust", 200),
    ("applied withdraw", 200),
    ("applied freeze", 200),
    ("applied hand_over", 100),
    ("applied job", 100),
    ("applied note_job", 70),
    ("applied watch_jobs", 200),
    ("waits for a job", 50),
    ("watched", 10),
    ("UnknownJob", 50),
    ("applied claim_free", 200),
    ("applied view", 300),
    ("applied charge", 300),
    ("applied charges", 300),
    ("applied open_of", 50),
    ("applied create_account", 72),
    ("applied change_account", 300),
    ("applied create_key", 100),
    ("applied change_key", 100),
    ("applied document", 50),
    ("applied document_of_key", 50),
    ("applied create_alias", 10),
    ("applied remove_alias", 10),
    ("applied alias", 10),
    ("applied accounts", 10),
    ("Exists", 1),
    ("UnknownAlias", 10),
    ("UnknownBucket", 5),
    ("Stale", 50),
    ("Tick", 1),
    ("ClockJump", 5),
    ("InvalidKey", 20),
    ("UnknownCharge", 100),
    ("AccountStatus", 20),
    ("AccountRestricted", 3),
    ("Conflict", 100),
    ("TooOld", 10),
    ("Ended", 100),
    ("RateLimited", 5),
    ("SlotsFull", 10),
    ("CapExceeded", 20),
    ("Insufficient", 100),
    ("RefundTooLarge", 50),
    ("Invalid", 50),
    ("late", 50),
    ("debt", 50),
    ("absorbed", 100),
    ("returned", 200),
    ("repaid", 50),
    ("with a bonus", 50),
    ("granted again", 50),
    ("exhausted", 10),
    ("carried over", 10),
    ("rollover", 5),
    ("many legs", 50),
    ("short", 20),
    ("withdrawn Void", 20),
    ("withdrawn Refund", 20),
    ("withdrawn Reversal", 20),
    ("withdrawn Expire", 20),
    ("owed", 5),
    ("money back", 5),
    ("frozen", 50),
    ("claimed", 50),
    ("not claimed", 10),
    ("good will", 5),
    ("archived", 5),
    ("by deadline", 50),
    ("a member's", 100),
    ("restart", 100),
    ("clock set back", 50),
    ("reckoned", 50),
];

#[test]
fn all_stores_agree_on_random_histories() {
    let (cases, first) = (setting("TOLLGATE_CASES", 110), setting("TOLLGATE_SEED", 1));
    // Two at a time: most of a history is waiting for a store.
    let middle = first + cases / 2;
    let halves = [first..middle, middle..first + cases].map(|seeds| {
        tollgate::seam::thread("histories", || play_all(seeds, On::MemoryAndRedis)).unwrap()
    });
    let (mut seen, mut calls) = (Tally::new(), 0);
    for half in halves {
        let (more, asked) = half.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
        calls += asked;
        for (what, times) in more {
            *seen.entry(what).or_default() += times;
        }
    }
    println!("{cases} histories from seed {first}, {calls} calls: {seen:?}");
    let of = |what: &str| seen.get(what).copied().unwrap_or(0);
    if cases >= 110 {
        assert!(calls >= 50_000, "only {calls} calls");
        let missing: Vec<_> = MUST_SEE
            .iter()
            .filter(|(what, least)| of(what) < *least)
            .map(|(what, least)| (what, least, of(what)))
            .collect();
        assert!(missing.is_empty(), "seen too rarely: {missing:?}");
    }
}

#[test]
fn a_real_file_agrees_too() {
    let first = setting("TOLLGATE_SEED", 9_900);
    let (seen, calls) = play_all(first..first + 2, On::File);
    println!("2 histories from seed {first} on a file, {calls} calls");
    assert!(seen.get("Applied").copied().unwrap_or(0) >= 400, "{seen:?}");
}

/// A store that is wrong by a millisecond in one number is found, and what is shown is short.
#[test]
fn the_rig_finds_a_wrong_store_and_tells_a_short_story() {
    let mut found = 0;
    for seed in 1..=3 {
        let whole = steps(seed);
        let Err(fault) = play(&whole, &whole, On::Wrong).1 else { continue };
        let (short, told) = shortest(&whole, &fault, On::Wrong);
        assert!(short.len() <= 4 && told.contains("lease_end"), "{} steps:\n{told}", short.len());
        found += 1;
    }
    assert_eq!(found, 3);
}
