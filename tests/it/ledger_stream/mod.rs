//! The ledger's stream in files: what is exported is what happened, each entry once, whatever breaks.
//!
//! `TOLLGATE_CASES` is the number of histories, `TOLLGATE_SEED` the seed of the first.

mod faults;
mod file;
mod instances;
mod rebuild;
pub(crate) mod replay;
mod story;
mod topology;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tollgate::ledger::embedded::{self, EmbeddedLedger};
use tollgate::ledger::redis::{Export, RedisLedger, Settings};
use tollgate::ledger::{ExportSettings, Setbacks, StreamGauges};
use tollgate::seam::{Clock, SystemClock, SystemEntropy, SystemVault, Vault, thread};

use crate::ledger_redis::settings;
use crate::log::Log;
use crate::redis_server::{RedisServer, wait_until};
use faults::{Death, FaultVault};
use replay::{Replay, files};
use story::Story;

/// How an exporter is started.
#[derive(Clone)]
pub(crate) struct Start {
    vault: Arc<dyn Vault>,
    rotate_bytes: u64,
    alarm: u64,
    lease_ms: u64,
    pub(crate) setbacks: Setbacks,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            vault: Arc::new(SystemVault),
            rotate_bytes: 16_384,
            alarm: 1_000,
            lease_ms: 2_000,
            setbacks: Setbacks::default(),
        }
    }
}

/// An exporter on a thread of its own.
pub(crate) struct Exporter {
    stop: CancellationToken,
    kill: CancellationToken,
    thread: Option<JoinHandle<()>>,
    pub(crate) gauges: StreamGauges,
    log: Log,
}

impl Start {
    fn on(&self, server: &RedisServer, folder: &Path) -> Exporter {
        self.at(settings(server), folder)
    }

    fn to(&self, folder: &Path) -> ExportSettings {
        let (rotate_bytes, alarm) = (self.rotate_bytes, self.alarm);
        ExportSettings { folder: folder.to_owned(), rotate_bytes, alarm }
    }

    pub(crate) fn at(&self, settings: Settings, folder: &Path) -> Exporter {
        let gauges = StreamGauges::default();
        let export = Export {
            settings: self.to(folder),
            instance: "ins_test".into(),
            lease_ms: self.lease_ms,
            vault: self.vault.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            gauges: gauges.clone(),
        };
        let setbacks = self.setbacks.clone();
        Exporter::running(gauges, move |stop| async move {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let ledger = RedisLedger::open(settings, clock).telling(&setbacks);
            ledger.export(export, stop).await;
        })
    }

    fn on_file(&self, ledger: &Arc<EmbeddedLedger>, folder: &Path) -> Exporter {
        let (gauges, ledger) = (StreamGauges::default(), ledger.clone());
        let export = embedded::Export {
            settings: self.to(folder),
            vault: self.vault.clone(),
            entropy: Arc::new(SystemEntropy),
            gauges: gauges.clone(),
        };
        Exporter::running(gauges, move |stop| async move { ledger.export(export, stop).await })
    }
}

impl Exporter {
    fn running<F: Future<Output = ()>>(
        gauges: StreamGauges,
        work: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> Self {
        let (stop, kill, log) =
            (CancellationToken::new(), CancellationToken::new(), Log::default());
        let (stopped, killed, own) = (stop.clone(), kill.clone(), log.clone());
        let thread = thread("exporter", move || {
            let _listening = own.listen();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    biased;
                    () = killed.cancelled() => {}
                    () = work(stopped) => {}
                }
            });
        });
        Self { stop, kill, thread: Some(thread.unwrap()), gauges, log }
    }

    /// As an instance ends.
    pub(crate) fn stop(mut self) -> Log {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap();
        self.log.clone()
    }

    /// As a process dies, but for what the disk makes of it.
    fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.kill.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.end();
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Exports what is left, as an instance does that is started and stopped.
fn drain(story: &Story, folder: &Path, start: &Start) {
    story.free_the_lease();
    let exporter = start.on(&story.store, folder);
    wait_until("the streams are empty", || story.waiting() == 0);
    exporter.stop();
}

#[test]
fn replaying_the_lines_gives_the_buckets() {
    let first = setting("TOLLGATE_SEED", 1);
    for seed in first..first + setting("TOLLGATE_CASES", 3) {
        let mut story = Story::begin(seed);
        let folder = folder();
        let exporter = Start::default().on(&story.store, folder.path());
        story.go_on(400);
        story.settle_down();
        exporter.stop();
        assert_eq!(story.waiting(), 0);
        let replay = Replay::of(&[folder.path()]);
        replay.agrees_with(&story);
        assert!(replay.lines.len() > 100 && replay.files > 2 && replay.repeats == 0);
        let modes = files(folder.path()).into_iter().map(|path| {
            let known = std::fs::metadata(path).unwrap();
            (std::os::unix::fs::PermissionsExt::mode(&known.permissions()) & 0o777, known.len())
        });
        for (mode, length) in modes {
            assert!(mode == 0o600 && length <= 16_384, "{mode:o} {length}");
        }
    }
}

/// A consumer that keeps what it has made of the lines so far, and reads on from there.
#[test]
fn replaying_goes_on_from_a_checkpoint() {
    let seed = setting("TOLLGATE_SEED", 11);
    let mut story = Story::begin(seed);
    let folder = folder();
    let start = Start { rotate_bytes: 3_000, ..Start::default() };
    let mut checkpoint = Replay::default();
    for _ in 0..5 {
        story.go_on(120);
        story.settle_down();
        drain(&story, folder.path(), &start);
        let known = checkpoint.lines.len();
        checkpoint = checkpoint.and_then(&[folder.path()]);
        checkpoint.agrees_with(&story);
        assert!(checkpoint.lines.len() > known + 20);
    }
    let whole = Replay::of(&[folder.path()]);
    whole.agrees_with(&story);
    assert_eq!(whole.lines, checkpoint.lines);
    for verb in ["refund", "adjust", "withdraw", "freeze"] {
        let told = whole.lines.iter().filter(|line| line["verb"] == verb).count();
        assert!(told > 5, "{verb} {told}");
    }
}

#[test]
fn an_exporter_that_dies_at_any_step_writes_each_entry_once() {
    let seed = setting("TOLLGATE_SEED", 21);
    let mut story = Story::begin(seed);
    let folder = folder();
    let good = Start { rotate_bytes: 3_000, ..Start::default() };
    let (mut died, mut survived) = (0, 0);
    for death in [Death::Before, Death::Half, Death::After] {
        for power in [false, true] {
            for at in 0..18 {
                story.go_on(12);
                let vault = match at {
                    0..16 => FaultVault::dying(at, death, power),
                    _ => FaultVault::dying_at_checkpoint(at % 2, death, power),
                };
                let start = Start { vault: Arc::new(vault.clone()), ..good.clone() };
                story.free_the_lease();
                let exporter = start.on(&story.store, folder.path());
                wait_until("it dies or is done", || vault.is_dead() || story.waiting() == 0);
                exporter.kill();
                *(if vault.is_dead() { &mut died } else { &mut survived }) += 1;
            }
        }
    }
    story.settle_down();
    drain(&story, folder.path(), &good);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    println!("seed {seed}: died {died} times, was done before {survived} times");
    assert!(died > 50 && replay.repeats == 0);
}

#[test]
fn an_exporter_that_is_dropped_at_any_moment_writes_each_entry_once() {
    let seed = setting("TOLLGATE_SEED", 31);
    let mut story = Story::begin(seed);
    let folder = folder();
    let start = Start { rotate_bytes: 3_000, ..Start::default() };
    let mut found = 0;
    for number in 0..60 {
        story.go_on(15);
        story.free_the_lease();
        let exporter = start.on(&story.store, folder.path());
        match number % 6 {
            0 => {}
            // However slow the machine is, some are dropped when there is nothing left.
            1 => wait_until("all is exported", || story.waiting() == 0),
            _ => std::thread::sleep(Duration::from_millis(20 + story.below(400))),
        }
        exporter.kill();
        found += usize::from(story.waiting() > 0);
    }
    story.settle_down();
    drain(&story, folder.path(), &start);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    println!("seed {seed}: of 60 times {found} left something");
    assert!(replay.repeats == 0 && found > 5 && found < 60);
}

#[test]
fn one_of_two_exporters_writes() {
    let seed = setting("TOLLGATE_SEED", 41);
    let mut story = Story::begin(seed);
    let folders = [folder(), folder()];
    let start = Start { lease_ms: 1_000, ..Start::default() };
    let first = start.on(&story.store, folders[0].path());
    wait_until("the first has begun", || !files(folders[0].path()).is_empty());
    let second = start.on(&story.store, folders[1].path());
    for _ in 0..10 {
        story.go_on(20);
        std::thread::sleep(Duration::from_millis(150));
    }
    assert!(files(folders[1].path()).is_empty(), "both write");
    first.stop();
    story.go_on(50);
    wait_until("the second goes on", || second.gauges.exported() > 0 && story.waiting() == 0);
    // The first again, while the second is there.
    let first = start.on(&story.store, folders[0].path());
    let before = Replay::of(&[folders[0].path()]).lines.len();
    story.go_on(50);
    wait_until("the second goes on", || story.waiting() == 0);
    story.settle_down();
    second.stop();
    assert_eq!(before, Replay::of(&[folders[0].path()]).lines.len());
    first.stop();
    assert_eq!(story.waiting(), 0);
    let replay = Replay::of(&[folders[0].path(), folders[1].path()]);
    replay.agrees_with(&story);
    assert_eq!(replay.repeats, 0);
    assert!(Replay::of(&[folders[0].path()]).lines.len() > 50);
}

#[test]
fn a_take_over_by_another_folder_repeats_at_most_what_was_not_taken_out() {
    let seed = setting("TOLLGATE_SEED", 111);
    let mut story = Story::begin(seed);
    let folders: Vec<_> = (0..12).map(|_| folder()).collect();
    let start = Start { rotate_bytes: 3_000, ..Start::default() };
    for (number, folder) in folders.iter().enumerate() {
        story.go_on(12);
        if number % 3 > 0 {
            drain(&story, folder.path(), &start);
            continue;
        }
        story.free_the_lease();
        // A new folder's first checkpoint comes before its first line.
        let vault = FaultVault::dying_at_checkpoint(1, Death::After, true);
        let exporter = Start { vault: Arc::new(vault.clone()), ..start.clone() };
        let exporter = exporter.on(&story.store, folder.path());
        wait_until("it dies or is done", || vault.is_dead() || story.waiting() == 0);
        exporter.kill();
    }
    story.settle_down();
    let last = folder();
    drain(&story, last.path(), &start);
    let mut all: Vec<_> = folders.iter().map(TempDir::path).collect();
    all.push(last.path());
    let replay = Replay::of(&all);
    // Equal lines but for the number: nothing is missing, nothing contradicts.
    replay.agrees_with(&story);
    assert!(replay.repeats > 0 && replay.repeats < replay.lines.len());
    let log = {
        story.go_on(20);
        story.free_the_lease();
        let exporter = start.on(&story.store, folders[0].path());
        wait_until("the streams are empty", || story.waiting() == 0);
        exporter.stop()
    };
    assert_eq!(log.count("was exported elsewhere before"), 1, "{}", log.text());
}

#[test]
fn another_process_takes_over_in_the_same_folder() {
    let seed = setting("TOLLGATE_SEED", 51);
    let mut story = Story::begin(seed);
    let folder = folder();
    let start = Start { lease_ms: 600, ..Start::default() };
    let mut running = start.on(&story.store, folder.path());
    for _ in 0..5 {
        let other = start.on(&story.store, folder.path());
        story.go_on(40);
        std::thread::sleep(Duration::from_millis(story.below(400)));
        running.kill();
        running = other;
    }
    story.settle_down();
    wait_until("the streams are empty", || story.waiting() == 0);
    running.stop();
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    assert_eq!(replay.repeats, 0);
}

#[test]
fn a_full_disk_keeps_everything_in_redis_and_raises_an_alarm() {
    let seed = setting("TOLLGATE_SEED", 61);
    let mut story = Story::begin(seed);
    let folder = folder();
    let vault = FaultVault::default();
    vault.full(true);
    let start = Start { vault: Arc::new(vault.clone()), alarm: 40, ..Start::default() };
    let exporter = start.on(&story.store, folder.path());
    story.go_on(300);
    let waiting = story.waiting();
    assert!(waiting > 60, "{waiting}");
    wait_until("it counts them", || exporter.gauges.entries() == waiting);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!((story.waiting(), exporter.gauges.exported()), (waiting, 0));
    assert_eq!(exporter.log.count("they fill Redis' memory"), 1, "{}", exporter.log.text());
    assert_eq!(exporter.log.count("the ledger stream is not exported"), 1);
    vault.full(false);
    wait_until("the streams are empty", || story.waiting() == 0);
    story.settle_down();
    wait_until("all is told", || exporter.gauges.entries() == 0);
    let exported = exporter.gauges.clone();
    let log = exporter.stop();
    assert_eq!(log.count("the ledger stream has been exported again"), 1, "{}", log.text());
    assert_eq!(log.count("the ledger stream is exported again"), 1);
    assert_eq!(log.count("they fill Redis' memory"), 1);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    assert_eq!((replay.lines.len() as u64, replay.repeats), (exported.exported(), 0));
}

#[test]
fn redis_may_restart_in_between() {
    let seed = setting("TOLLGATE_SEED", 71);
    let mut story = Story::begin(seed);
    let folder = folder();
    let exporter = Start::default().on(&story.store, folder.path());
    for round in 0..4 {
        story.go_on(60);
        std::thread::sleep(Duration::from_millis(story.below(300)));
        story.store.kill_nine();
        std::thread::sleep(Duration::from_millis(100 * round));
        story.store.start_again();
        story.wait_for_the_server();
    }
    story.go_on(60);
    story.settle_down();
    wait_until("the streams are empty", || story.waiting() == 0);
    let log = exporter.stop();
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    assert_eq!(replay.repeats, 0, "{}", log.text());
    assert_eq!(log.count("numbers"), 0, "{}", log.text());
}

#[test]
fn what_is_no_entry_is_exported_raw() {
    let mut story = Story::begin(81);
    story.go_on(40);
    let stream = b"tollgate:{0417}:stream";
    story.store.command(&[b"XADD", stream, b"*", b"e", b"\x01s\xff"]);
    story.store.command(&[b"XADD", stream, b"*", b"e", b"\x09later"]);
    story.store.command(&[b"XADD", stream, b"*", b"a", b"b", b"c", b"d"]);
    story.settle_down();
    let folder = folder();
    let exporter = Start::default().on(&story.store, folder.path());
    wait_until("the streams are empty", || story.waiting() == 0);
    let log = exporter.stop();
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    let raw: Vec<_> = replay.raw.iter().map(|line| line["raw"].as_str().unwrap()).collect();
    assert_eq!(raw, ["AXP/", "CWxhdGVy", "YQBiAGMAZA=="]);
    for line in &replay.raw {
        assert_eq!(line["partition"], 417);
        assert!(line["stream_id"].as_str().unwrap().contains('-') && line["error"].is_string());
    }
    assert_eq!(log.count("was exported raw"), 3, "{}", log.text());
}

#[test]
fn files_that_somebody_removed_are_not_waited_for() {
    let mut story = Story::begin(91);
    let folder = folder();
    for round in 1..=3_u64 {
        story.go_on(40);
        drain(&story, folder.path(), &Start::default());
        let numbers = files(folder.path());
        assert_eq!(numbers.len(), 1, "{numbers:?}");
        assert!(numbers[0].ends_with(format!("ledger-{round:012}.ndjson")), "{numbers:?}");
        std::fs::remove_file(&numbers[0]).unwrap();
    }
}
