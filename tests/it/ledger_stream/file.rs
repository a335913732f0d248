//! The stream of an embedded ledger: the same lines as from Redis, once each, as many as may wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableTable, TableDefinition};
use serde_json::Value;
use tempfile::TempDir;
use tollgate::ledger::embedded::{EmbeddedLedger, STREAM_MAX, Settings};
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock};

use super::faults::{Death, FaultVault};
use super::replay::{Replay, files};
use super::story::Story;
use super::{Start, drain, folder, setting};
use crate::ledger_disk::{Loss, SimulatedDisk};
use crate::ledger_world::{LEASE, NOON, ok, wait};
use crate::log::Log;
use crate::redis_server::wait_until;

type InFile = Story<Arc<EmbeddedLedger>>;

fn at(folder: &Path) -> Settings {
    Settings { lease_ms: LEASE, ..Settings::at(folder.join("ledger.redb")) }
}

/// A life in a file of this folder.
fn begin(seed: u64, folder: &TempDir) -> InFile {
    begin_at(seed, &at(folder.path()))
}

fn begin_at(seed: u64, settings: &Settings) -> InFile {
    Story::begin_in_file(seed, |clock| EmbeddedLedger::open(settings, clock).unwrap())
}

/// Exports what is left, as a process does that is started and stopped.
fn export(story: &InFile, folder: &Path, start: &Start) -> Log {
    let exporter = start.on_file(&story.store, folder);
    let gauges = exporter.gauges.clone();
    let log = exporter.stop();
    assert_eq!(gauges.entries(), 0, "{}", log.text());
    log
}

/// Every line of a folder, in order.
fn lines(folder: &Path) -> Vec<Value> {
    let texts = files(folder).into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let read = |text: String| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    texts.flat_map(read).collect()
}

#[test]
fn replaying_the_lines_of_a_file_gives_the_buckets() {
    let first = setting("TOLLGATE_SEED", 201);
    for seed in first..first + setting("TOLLGATE_CASES", 4) {
        let (data, folder) = (folder(), folder());
        let mut story = begin(seed, &data);
        let exporter = Start::default().on_file(&story.store, folder.path());
        story.go_on(500);
        story.settle_down();
        let gauges = exporter.gauges.clone();
        let log = exporter.stop();
        let replay = Replay::of(&[folder.path()]);
        replay.agrees_with(&story);
        assert!(replay.lines.len() > 100 && replay.files > 2 && replay.repeats == 0);
        assert_eq!((gauges.entries(), gauges.dropped()), (0, 0), "{}", log.text());
        assert_eq!(gauges.exported(), u64::try_from(replay.lines.len()).unwrap());
        for verb in ["refund", "adjust", "withdraw", "freeze", "grant", "reserve", "settle"] {
            assert!(replay.lines.iter().any(|line| line["verb"] == verb), "no {verb}");
        }
    }
}

/// Lines by account and number, without what is each store's own.
fn compared(replay: &Replay) -> BTreeMap<(String, u64), Value> {
    let of = |line: &Value| {
        let mut line = line.clone();
        let own = line.as_object_mut().unwrap();
        own.remove("epoch").unwrap();
        own.remove("stream_id").unwrap();
        ((line["account"].as_str().unwrap().to_owned(), line["sequence"].as_u64().unwrap()), line)
    };
    replay.lines.iter().map(of).collect()
}

/// The same life is the same lines, to the last word and to the moment: one reader is enough for both.
#[test]
fn redis_and_a_file_tell_the_same() {
    let first = setting("TOLLGATE_SEED", 301);
    let mut verbs = BTreeMap::<String, u64>::new();
    for seed in first..first + setting("TOLLGATE_CASES", 4) {
        let (data, folders) = (folder(), [folder(), folder()]);
        let (mut redis, mut file) = (Story::begin(seed), begin(seed, &data));
        redis.go_on(400);
        file.go_on(400);
        redis.settle_down();
        file.settle_down();
        assert_eq!(redis.answers, file.answers, "seed {seed}");
        drain(&redis, folders[0].path(), &Start::default());
        export(&file, folders[1].path(), &Start::default());
        let [wanted, told] = folders.each_ref().map(|folder| Replay::of(&[folder.path()]));
        let [wanted, told] = [compared(&wanted), compared(&told)];
        for (which, line) in &wanted {
            assert_eq!(told.get(which), Some(line), "seed {seed}: {which:?}");
            *verbs.entry(line["verb"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(wanted.len(), told.len(), "seed {seed}: the file tells more");
    }
    println!("compared {verbs:?}");
    for verb in
        ["reserve", "settle", "release", "tick", "grant", "refund", "adjust", "withdraw", "freeze"]
    {
        assert!(verbs.get(verb).is_some_and(|count| *count > 3), "{verb}: {verbs:?}");
    }
}

#[test]
fn an_exporter_of_a_file_that_dies_at_any_step_writes_each_entry_once() {
    let seed = setting("TOLLGATE_SEED", 221);
    let (data, folder) = (folder(), folder());
    let mut story = begin(seed, &data);
    let good = Start { rotate_bytes: 3_000, ..Start::default() };
    let (mut died, mut survived) = (0, 0);
    for death in [Death::Before, Death::Half, Death::After] {
        for power in [false, true] {
            for at in 0..14 {
                story.go_on(12);
                let vault = match at {
                    0..12 => FaultVault::dying(at, death, power),
                    _ => FaultVault::dying_at_checkpoint(at % 2, death, power),
                };
                let start = Start { vault: Arc::new(vault.clone()), ..good.clone() };
                let exporter = start.on_file(&story.store, folder.path());
                let gauges = exporter.gauges.clone();
                let done = || gauges.exported() > 0 && gauges.entries() == 0;
                wait_until("it dies or is done", || vault.is_dead() || done());
                exporter.kill();
                *(if vault.is_dead() { &mut died } else { &mut survived }) += 1;
            }
        }
    }
    story.settle_down();
    export(&story, folder.path(), &good);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    println!("seed {seed}: died {died} times, was done before {survived} times");
    assert!(died > 40 && replay.repeats == 0);
}

#[test]
fn an_exporter_of_a_file_that_is_dropped_at_any_moment_writes_each_entry_once() {
    let seed = setting("TOLLGATE_SEED", 231);
    let (data, folder) = (folder(), folder());
    let mut story = begin(seed, &data);
    let start = Start { rotate_bytes: 3_000, ..Start::default() };
    for _ in 0..40 {
        story.go_on(15);
        let exporter = start.on_file(&story.store, folder.path());
        std::thread::sleep(Duration::from_millis(story.below(60)));
        exporter.kill();
    }
    story.settle_down();
    export(&story, folder.path(), &start);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    assert_eq!(replay.repeats, 0);
}

/// What the ledger's disk takes along, it takes along with what was told of it.
#[test]
fn a_ledger_whose_disk_fails_tells_what_it_kept() {
    let seed = setting("TOLLGATE_SEED", 241);
    let (disk, folder) = (SimulatedDisk::default(), folder());
    let mut story = Story::begin_in_file(seed, |clock| {
        EmbeddedLedger::open_with(disk.opener(), LEASE, clock).unwrap()
    });
    let exporter = Start::default().on_file(&story.store, folder.path());
    for round in 0..30 {
        story.go_on(10);
        let loss =
            [Loss::Nothing, Loss::All, Loss::Some(round)][usize::try_from(round % 3).unwrap()];
        disk.fail_after(story.below(40), loss);
        story.go_on(8);
        disk.heal();
        wait_until("it is open again", || {
            story.pass_time(1_000);
            matches!(wait(story.ledger.due(0)), Answer::Applied(_))
        });
    }
    story.settle_down();
    let gauges = exporter.gauges.clone();
    wait_until("all is exported", || gauges.entries() == 0 && gauges.exported() > 50);
    let log = exporter.stop();
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_with(&story);
    println!("{} faults struck", disk.struck());
    assert!(disk.struck() > 10 && replay.repeats == 0);
    assert_eq!(log.count("numbers"), 0, "{}", log.text());
}

#[test]
fn a_full_disk_of_the_files_raises_an_alarm_and_too_many_entries_are_dropped_and_counted() {
    let seed = setting("TOLLGATE_SEED", 251);
    let (data, folder) = (folder(), folder());
    let settings = Settings { stream_max: 60, ..at(data.path()) };
    let mut story = begin_at(seed, &settings);
    let vault = FaultVault::default();
    vault.full(true);
    let start = Start { vault: Arc::new(vault.clone()), alarm: 40, ..Start::default() };
    let exporter = start.on_file(&story.store, folder.path());
    story.go_on(400);
    story.settle_down();
    wait_until("it counts them", || exporter.gauges.entries() == 60);
    vault.full(false);
    wait_until("all is exported", || exporter.gauges.entries() == 0);
    let (exported, dropped) = (exporter.gauges.exported(), exporter.gauges.dropped());
    assert!(exported == 60 && dropped > 50, "{exported} {dropped}");
    let log = exporter.stop();
    for said in [
        "they fill the ledger's file, and of too many the oldest are dropped",
        "the ledger stream is not exported",
        "the ledger stream is exported again",
        "the ledger stream has been exported again",
    ] {
        assert_eq!(log.count(said), 1, "{said}: {}", log.text());
    }
    assert!(log.count("entries of the ledger stream were dropped") > 0, "{}", log.text());
    // The newest are there, and every account's follow one another.
    let lines = lines(folder.path());
    assert_eq!(lines.len(), 60);
    let mut last = BTreeMap::<&str, u64>::new();
    for line in &lines {
        let (account, sequence) =
            (line["account"].as_str().unwrap(), line["sequence"].as_u64().unwrap());
        let before = last.insert(account, sequence);
        assert!(before.is_none_or(|before| before + 1 == sequence), "{account}");
    }
    assert_eq!(last.values().sum::<u64>(), 60 + dropped);
}

/// Entries that nobody can read are in the files all the same, and stop nobody's.
#[test]
fn what_is_no_entry_of_a_file_is_exported_raw() {
    let (data, folder) = (folder(), folder());
    let mut story = begin(261, &data);
    story.go_on(60);
    let Story { store, ledger, accounts, seed, .. } = story;
    drop(ledger);
    Arc::into_inner(store).unwrap().close();
    let stream: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("stream");
    let database = redb::Database::open(at(data.path()).path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(stream).unwrap();
        assert_eq!(table.first().unwrap().unwrap().0.value(), 1);
        let last = table.last().unwrap().unwrap().0.value();
        table.insert(last + 1_000, b"\x01".as_slice()).unwrap();
        table.insert(last + 1_001, b"\0\0\0\0\0\0\0\0\x09later".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let clock = Arc::new(SimulatedClock::at(NOON)) as Arc<dyn Clock>;
    let ledger = Arc::new(EmbeddedLedger::open(&at(data.path()), clock).unwrap());
    let exporter = Start::default().on_file(&ledger, folder.path());
    let gauges = exporter.gauges.clone();
    let log = exporter.stop();
    assert_eq!(gauges.entries(), 0);
    let replay = Replay::of(&[folder.path()]);
    replay.agrees_about(&*ledger, &accounts, seed);
    let raw: Vec<_> = replay.raw.iter().map(|line| line["raw"].as_str().unwrap()).collect();
    assert_eq!(raw, ["AQ==", "CWxhdGVy"]);
    assert_eq!(log.count("was exported raw"), 2, "{}", log.text());
}

/// A ledger that was put back from a copy goes on where the copy was: what it says then under a position that was
/// exported once is not taken for what was said there.
#[test]
fn a_ledger_that_was_put_back_loses_nothing_of_what_it_says_then() {
    let (data, folder) = (folder(), folder());
    let path = at(data.path()).path;
    let copy = data.path().join("copy");
    let clock = Arc::new(SimulatedClock::at(NOON));
    let open = || Arc::new(EmbeddedLedger::open(&at(data.path()), clock.clone()).unwrap());
    let account: tollgate::credit::AccountId = "acct_maria".parse().unwrap();
    let gift = |ledger: &EmbeddedLedger, id: &str| {
        clock.advance(1);
        let call = Grant {
            bonus: None,
            only: Vec::new(),
            paid: None,
            account: account.clone(),
            id: id.parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: tollgate::credit::Class::Bonus,
            amount: tollgate::credit::Amount::from_credits(1).unwrap(),
            priority: 0,
            effective: None,
            expires: None,
            reason: String::new(),
        };
        ok(wait(ledger.grant(call)));
    };
    let ledger = open();
    ok(wait(ledger.create_account(crate::ledger_world::new_account(&account))));
    gift(&ledger, "a");
    drop(ledger);
    std::fs::copy(&path, &copy).unwrap();
    let ledger = open();
    gift(&ledger, "b");
    // It dies after its checkpoint, which names both.
    let vault = FaultVault::dying_at_checkpoint(1, Death::After, true);
    let dying = Start { vault: Arc::new(vault.clone()), ..Start::default() };
    let exporter = dying.on_file(&ledger, folder.path());
    wait_until("it dies", || vault.is_dead());
    exporter.kill();
    drop(ledger);
    std::fs::copy(&copy, &path).unwrap();
    let ledger = open();
    gift(&ledger, "c");
    let exporter = Start::default().on_file(&ledger, folder.path());
    exporter.stop();
    let given = lines(folder.path()).into_iter().map(|line| line["grant"]["id"].clone());
    let given: Vec<Value> = given.collect();
    assert_eq!(given, ["a", "b", "c"]);
}

#[test]
fn the_bound_is_what_the_readme_says() {
    assert_eq!(STREAM_MAX, 1_000_000);
    assert_eq!(Settings::at("x".into()).stream_max, STREAM_MAX);
    let readme = include_str!("../../../README.md");
    assert!(readme.contains("1,000,000"));
}
