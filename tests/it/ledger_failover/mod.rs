//! Failovers under way: all verbs, on a cluster of six and where Sentinels watch.
//!
//! Random histories of all verbs are played while replicas take over, by order and because primaries die. Whoever does
//! not hear an answer asks again by the same id. Every answer must be the model's, which executes each call once;
//! so must be what is kept of the accounts, and what was spent must be what was charged.
//!
//! `TOLLGATE_SEED` is the seed of the first history.

mod crowd;
mod loss;
pub(crate) mod patient;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use tollgate::credit::Partition;
use tollgate::ledger::Setbacks;
use tollgate::ledger::redis::{Deadlines, Settings};
use tollgate::seam::thread;

use crate::ledger_cluster::slot_of;
use crate::ledger_properties::{Played, play_beside};
use crate::ledger_redis::{cluster_settings, make, sentinel_settings};
use crate::redis_server::cluster::RedisCluster;
use crate::redis_server::sentinels::Sentinels;
use crate::redis_server::wait_until;

/// How many histories are played at once.
const HISTORIES: u64 = 3;
/// How many steps a history has at least between two failovers.
const BETWEEN: u64 = 40;

/// Histories that are being played.
struct Players {
    threads: Vec<JoinHandle<Played>>,
    steps: Arc<Vec<AtomicU64>>,
    over: Arc<AtomicBool>,
    setbacks: Setbacks,
}

impl Players {
    fn start(settings: &Settings) -> Self {
        let seed = std::env::var("TOLLGATE_SEED").ok().and_then(|text| text.parse().ok());
        let first = seed.unwrap_or(70_000);
        let (over, setbacks) = (Arc::new(AtomicBool::new(false)), Setbacks::default());
        let steps: Arc<Vec<AtomicU64>> =
            Arc::new((0..HISTORIES).map(|_| AtomicU64::new(0)).collect());
        let player = |number: u64| {
            // As in production: calls give up while nobody is there.
            let deadlines = Deadlines::default();
            let prefix = format!("t{number}:");
            let settings = Settings { prefix, deadlines, ..settings.clone() };
            make(&settings, true);
            let (over, steps, setbacks) = (over.clone(), steps.clone(), setbacks.clone());
            let place = usize::try_from(number).unwrap();
            let play = move || {
                let on = |step| {
                    steps[place].store(step, Ordering::Relaxed);
                    !over.load(Ordering::Relaxed)
                };
                play_beside(first + number, &settings, &setbacks, on)
            };
            thread("history", play).unwrap()
        };
        let threads = (0..HISTORIES).map(player).collect();
        Self { threads, steps, over, setbacks }
    }

    /// Lets every history go on for a while.
    fn go_on(&self) {
        let now = || self.steps.iter().map(|step| step.load(Ordering::Relaxed));
        let wanted: Vec<_> = now().map(|step| step + BETWEEN).collect();
        wait_until("the histories have gone on", || {
            self.threads.iter().any(JoinHandle::is_finished)
                || now().zip(&wanted).all(|(is, wanted)| is >= *wanted)
        });
    }

    /// Ends them and judges.
    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        let (mut unknown, mut unavailable, mut applied) = (0, 0, std::collections::BTreeMap::new());
        for thread in self.threads {
            let played = thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
            unknown += played.unknown;
            unavailable += played.unavailable;
            for (what, times) in played.seen {
                *applied.entry(what).or_insert(0) += times;
            }
        }
        println!("unknown {unknown}, unavailable {unavailable}: {applied:?}");
        assert!(unavailable > 0, "no failover was noticed");
        assert_eq!(self.setbacks.count(), 0, "nothing that was acknowledged is lost");
        let verbs =
            ["reserve", "settle", "release", "grant", "refund", "adjust", "withdraw", "freeze"];
        for verb in verbs.into_iter().chain(["claim_free", "change_account", "create_key"]) {
            assert!(applied.get(&format!("applied {verb}")).is_some_and(|n| *n > 0), "{verb}");
        }
    }
}

#[test]
fn all_verbs_through_failovers_of_a_cluster_of_six() {
    let mut all = RedisCluster::start_with(3, 3, &[]);
    let players = Players::start(&cluster_settings(&all.ports()));
    // Where the histories' accounts lie.
    let slots = ["acct_ana", "acct_bob"].map(|id| slot_of(Partition::of(&id.parse().unwrap())));
    for slot in slots {
        players.go_on();
        let before = all.owner(slot);
        let replica = all.replica_of(before);
        let _: String = all.nodes()[replica].say("CLUSTER FAILOVER");
        all.wait_for_another(slot, before);
        players.go_on();
        // The new one dies, and the old one, which has followed meanwhile, takes over again.
        all.wait_until_followed(replica, before);
        all.nodes()[replica].kill_nine();
        all.wait_for_another(slot, replica);
        players.go_on();
        all.nodes()[replica].start_again();
        all.wait_until_followed(before, replica);
    }
    players.go_on();
    players.end();
}

#[test]
fn all_verbs_through_failovers_where_sentinels_watch() {
    let mut all = Sentinels::start();
    let players = Players::start(&sentinel_settings(&all.ports()));
    players.go_on();
    // Sentinels let the old primary go on for a moment: what it acknowledged then would be lost.
    let _: String = all.primary().say("CLIENT PAUSE 30000 WRITE");
    all.primary().wait_for_its_replica();
    all.fail_over();
    players.go_on();
    all.wait_until_followed();
    let before = all.primary_port();
    all.primary().kill_nine();
    all.wait_for_another(before);
    players.go_on();
    players.end();
}
