//! The program's own replay: random histories give what the ledger has, whatever is done to the files is found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tollgate::ledger::replay::{Live, Replay, Saved, Sums, compare};

use super::faults::{Death, FaultVault};
use super::replay::files;
use super::story::Story;
use super::{Start, drain, folder, setting};
use crate::ledger_world::{DAY, ok, wait};
use crate::redis_server::wait_until;

/// The ledger's name and what it has of each account.
fn lives(story: &Story) -> (String, Vec<Live>) {
    let mut name = String::new();
    let live = |account: &tollgate::credit::AccountId| {
        let books = ok(wait(story.ledger.books(account.clone())));
        let told = books.told.unwrap();
        name = told.ledger;
        let (account, sequence) = (books.account, told.sequence);
        Live { account, sequence, buckets: books.buckets, archived: books.archived }
    };
    let lives = story.accounts.iter().map(live).collect();
    (name, lives)
}

fn paths(folders: &[&Path]) -> Vec<PathBuf> {
    folders.iter().map(|folder| (*folder).to_owned()).collect()
}

/// Replays folders, as far as they go, with the accounts at their marks kept.
fn replayed(
    folders: &[&Path],
    (ledger, lives): &(String, Vec<Live>),
    from: Option<Saved>,
) -> Replay {
    let mut replay = Replay::begin(&paths(folders), Some(ledger.as_str()), from).unwrap();
    for live in lives {
        replay.mark(&live.account, live.sequence);
    }
    replay.read_on().unwrap();
    replay.settle_repeats().unwrap();
    replay
}

/// What differs of the accounts whose lines are all there, and the accounts of which some are not.
fn differences(replay: &Replay, lives: &[Live]) -> (Vec<String>, usize) {
    let (mut found, mut sums, mut behind) = (Vec::new(), Sums::default(), 0);
    for live in lives {
        match replay.rebuilt(&live.account) {
            Some(rebuilt) if rebuilt.sequence == live.sequence => {
                found.extend(compare(live, rebuilt, &mut sums));
            }
            Some(_) => behind += 1,
            None => {}
        }
    }
    if found.is_empty() {
        assert_eq!(sums.differing().count(), 0);
    } else {
        // An end or a standing is in no sum.
        assert!(sums.kinds.len() < 3);
    }
    (found, behind)
}

#[track_caller]
fn agrees(replay: &Replay, lives: &[Live]) -> usize {
    assert_eq!(replay.faults(), (&[][..], 0));
    assert_eq!(differences(replay, lives), (vec![], 0));
    let mut buckets = 0;
    for live in lives {
        assert!(replay.last(&live.account) >= live.sequence);
        buckets += replay.rebuilt(&live.account).unwrap().buckets();
    }
    buckets
}

#[test]
fn a_replay_is_what_the_ledger_has() {
    let first = setting("TOLLGATE_SEED", 201);
    let (mut calls, mut archived, mut lines) = (0, 0, 0);
    for seed in first..first + setting("TOLLGATE_CASES", 4) {
        let mut story = Story::begin(seed);
        let folder = folder();
        story.go_on(250);
        // Long enough for what is used up to leave the record.
        story.pass_time(40 * DAY);
        story.go_on(150);
        let known = lives(&story);
        // What comes behind the look is in the files too.
        story.go_on(60);
        drain(&story, folder.path(), &Start::default());
        let replay = replayed(&[folder.path()], &known, None);
        let buckets = agrees(&replay, &known.1);
        let later = lives(&story);
        agrees(&replayed(&[folder.path()], &later, None), &later.1);
        let gone = known.1.iter().filter(|live| !live.archived.is_empty()).count();
        println!("seed {seed}: {:?}, {buckets} buckets, {gone} archives", replay.so_far());
        calls += story.answers.values().sum::<u64>();
        archived += gone;
        lines += replay.so_far().lines;
    }
    assert!(calls > 1_500 && archived > 2 && lines > 600, "{calls} {archived} {lines}");
}

#[test]
fn going_on_from_what_was_saved_is_as_good_as_from_the_start() {
    let mut story = Story::begin(setting("TOLLGATE_SEED", 211));
    let (folder, place) = (folder(), folder());
    let start = Start { rotate_bytes: 6_000, ..Start::default() };
    let saved = place.path().join("saved");
    for round in 0..5 {
        story.go_on(100);
        drain(&story, folder.path(), &start);
        let known = lives(&story);
        let from = (round > 0).then(|| Saved::read(&saved).unwrap());
        let replay = replayed(&[folder.path()], &known, from);
        agrees(&replay, &known.1);
        replay.save(&saved).unwrap();
        let whole = replayed(&[folder.path()], &known, None);
        let other = place.path().join("whole");
        whole.save(&other).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&saved), read(&other));
        assert!(round == 0 || replay.so_far().lines < whole.so_far().lines);
        // What was replayed may be removed, but for the file that is written.
        if round == 3 {
            let old = files(folder.path());
            old[..old.len() - 1].iter().for_each(|file| std::fs::remove_file(file).unwrap());
            let gone = replayed(&[folder.path()], &known, None);
            assert_eq!(gone.faults().0[0].code, "missing_file");
            break;
        }
    }
    story.go_on(100);
    drain(&story, folder.path(), &start);
    let known = lives(&story);
    agrees(&replayed(&[folder.path()], &known, Some(Saved::read(&saved).unwrap())), &known.1);
    refuses_what_does_not_fit(&saved, folder.path(), &known.0);
}

fn refuses_what_does_not_fit(saved: &Path, folder: &Path, ledger: &str) {
    let whole = std::fs::read(saved).unwrap();
    let refusal = |bytes: &[u8]| {
        std::fs::write(saved, bytes).unwrap();
        Saved::read(saved).unwrap_err().to_string()
    };
    let mut at = 0;
    while at < whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let why = refusal(&bytes);
        assert!(why.contains("is damaged") || why.contains("another version"), "{at}: {why}");
        assert!(refusal(&whole[..at]).contains("is damaged"), "{at}");
        at += 97;
    }
    assert!(refusal(&[&whole[..], b"{}\n"].concat()).contains("is damaged"));
    std::fs::write(saved, &whole).unwrap();
    let begin = |ledger: &str, folder: &Path| {
        let from = Some(Saved::read(saved).unwrap());
        Replay::begin(&paths(&[folder]), Some(ledger), from).unwrap_err().to_string()
    };
    assert!(begin("0a0b", folder).contains("it is of the ledger"));
    let other = copy(folder);
    let path = other.path().join("checkpoint.json");
    let mut checkpoint: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    checkpoint["set"] = "another".into();
    std::fs::write(&path, checkpoint.to_string()).unwrap();
    assert!(begin(ledger, other.path()).contains("no folder has its set"));
    let other = copy(folder);
    let head = whole.split(|byte| *byte == b'\n').next().unwrap();
    let head: Value = serde_json::from_slice(head).unwrap();
    let number = head["folders"][0]["file"].as_u64().unwrap();
    let file = other.path().join(format!("ledger-{number:012}.ndjson"));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"at\":\"2", "\"at\":\"3", 1_000)).unwrap();
    assert!(begin(ledger, other.path()).contains("has been changed since"));
    std::fs::remove_file(&file).unwrap();
    assert!(begin(ledger, other.path()).contains("does not fit the files"));
}

fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

#[test]
fn folders_of_several_instances_are_joined() {
    let mut story = Story::begin(setting("TOLLGATE_SEED", 221));
    let folders = [folder(), folder(), folder()];
    let start = Start { rotate_bytes: 3_000, ..Start::default() };
    for round in 0..9 {
        story.go_on(25);
        let folder = folders[round % 3].path();
        if round % 2 == 0 {
            drain(&story, folder, &start);
            continue;
        }
        story.free_the_lease();
        // It dies between its checkpoint and the removal: the next one writes the same again.
        let vault = FaultVault::dying_at_checkpoint(u32::from(round < 3), Death::After, true);
        let exporter =
            Start { vault: Arc::new(vault.clone()), ..start.clone() }.on(&story.store, folder);
        wait_until("it dies or is done", || vault.is_dead() || story.waiting() == 0);
        exporter.kill();
    }
    drain(&story, folders[2].path(), &start);
    let known = lives(&story);
    let all: Vec<&Path> = folders.iter().map(TempDir::path).collect();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let replay = replayed(&order.map(|at| all[at]), &known, None);
        agrees(&replay, &known.1);
        assert!(replay.so_far().repeats > 0, "{:?}", replay.so_far());
    }
    for without in 0..3 {
        let some: Vec<&Path> = (0..3).filter(|at| *at != without).map(|at| all[at]).collect();
        let replay = replayed(&some, &known, None);
        let gaps = replay.faults().0.iter().filter(|fault| fault.code == "gap").count();
        let (found, behind) = differences(&replay, &known.1);
        assert!(found.is_empty() && gaps + behind > 0, "without {without}: {found:?}");
    }
}

/// A server that comes back older than it was uses the numbers again: that is named, and nothing is compared.
#[test]
fn a_store_that_went_back_is_found_out() {
    let mut story = Story::begin(setting("TOLLGATE_SEED", 231));
    let folder = folder();
    let start = Start::default();
    story.go_on(60);
    let dir = story.store.folder().to_owned();
    story.store.kill_nine();
    let before = copy_tree(&dir);
    story.store.start_again();
    story.wait_for_the_server();
    story.go_on(60);
    drain(&story, folder.path(), &start);
    let ahead = lives(&story);
    story.store.kill_nine();
    restore_tree(before.path(), &dir);
    story.store.start_again();
    story.wait_for_the_server();
    let back = lives(&story);
    let replay = replayed(&[folder.path()], &back, None);
    // The files are well; the ledger is behind them, and agrees as far as it goes.
    assert_eq!((replay.faults(), differences(&replay, &back.1)), ((&[][..], 0), (vec![], 0)));
    let lost: u64 = ahead.1.iter().zip(&back.1).map(|(a, b)| a.sequence - b.sequence).sum();
    let behind = |live: &&Live| replay.last(&live.account) > live.sequence;
    assert!(lost > 10 && back.1.iter().any(|live| behind(&live)), "{lost}");
    story.go_on(80);
    drain(&story, folder.path(), &start);
    let known = lives(&story);
    let replay = replayed(&[folder.path()], &known, None);
    let codes: Vec<_> = replay.faults().0.iter().map(|fault| fault.code).collect();
    assert!(
        !codes.is_empty() && codes.iter().all(|code| *code == "sequence_regression"),
        "{codes:?}"
    );
    assert_eq!(differences(&replay, &known.1).0, [""; 0]);
    let refused = replay.save(&folder.path().join("saved")).unwrap_err();
    assert!(refused.to_string().contains("contradict themselves"));
}

fn copy_tree(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to.path())
        .status()
        .unwrap();
    assert!(status.success());
    to
}

fn restore_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(to).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
    let status =
        std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

/// What is done to a line; the answer is what stands in its place, and the codes that may name it. No code: what
/// the ledger has differs.
type Harm = fn(&str) -> (String, &'static [&'static str]);

fn with(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut told: Value = serde_json::from_str(line).unwrap();
    change(&mut told);
    format!("{told}\n")
}

const HARMS: [(&str, Harm); 16] = [
    ("removed", |_| (String::new(), &["gap"])),
    ("twice", |line| (format!("{line}\n{line}\n"), &[])),
    ("twice, once changed", |line| {
        let other = with(line, |told| told["at"] = "2026-11-22T12:00:00.999Z".into());
        (format!("{line}\n{other}"), &["sequence_regression"])
    }),
    ("number skipped", |line| {
        let next =
            |told: &mut Value| told["sequence"] = (told["sequence"].as_u64().unwrap() + 1).into();
        (with(line, next), &["gap", "sequence_regression"])
    }),
    ("number again", |line| {
        let back =
            |told: &mut Value| told["sequence"] = (told["sequence"].as_u64().unwrap() - 1).into();
        (with(line, back), &["sequence_regression", "out_of_order", "not_understood", "gap"])
    }),
    ("torn", |line| (format!("{}\n", &line[..line.len() / 2]), &["not_understood", "gap"])),
    ("not JSON", |_| ("oops\n".to_owned(), &["not_understood", "gap"])),
    ("raw", |line| {
        let told: Value = serde_json::from_str(line).unwrap();
        let raw = serde_json::json!({ "epoch": told["epoch"], "partition": told["partition"],
                                      "stream_id": told["stream_id"], "raw": "AA==", "error": "odd" });
        (format!("{raw}\n"), &["raw", "gap"])
    }),
    ("verb", |line| (with(line, |told| told["verb"] = "steal".into()), &["unknown_verb", "gap"])),
    ("member", |line| (with(line, |told| told["more"] = 1.into()), &["not_understood", "gap"])),
    ("epoch", |line| (with(line, |told| told["epoch"] = "0a0b".into()), &["wrong_epoch", "gap"])),
    ("amount", |line| {
        (with(line, |told| told["postings"][0]["amount"] = "0.000007".into()), &["contradiction"])
    }),
    ("column", |line| {
        (with(line, |told| told["postings"][0]["to"] = "granted".into()), &["contradiction"])
    }),
    ("bucket", |line| {
        (with(line, |told| told["postings"][0]["bucket"] = "nobody's".into()), &["contradiction"])
    }),
    ("no posting", |line| {
        let less = |told: &mut Value| drop(told["postings"].as_array_mut().unwrap().pop());
        (with(line, less), &["contradiction"])
    }),
    ("account", |line| {
        let other = |told: &mut Value| told["account"] = "acct_nobody".into();
        (with(line, other), &["gap", "contradiction"])
    }),
];

#[test]
fn whatever_is_done_to_a_line_is_found() {
    let seed = setting("TOLLGATE_SEED", 241);
    let mut story = Story::begin(seed);
    let folder = folder();
    story.go_on(260);
    drain(&story, folder.path(), &Start { rotate_bytes: 1 << 20, ..Start::default() });
    let known = lives(&story);
    agrees(&replayed(&[folder.path()], &known, None), &known.1);
    let file = files(folder.path()).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last: BTreeMap<_, _> =
        known.1.iter().map(|live| (live.account.to_string(), live.sequence)).collect();
    let mut found_by: BTreeMap<&str, u32> = BTreeMap::new();
    let mut tried = 0;
    let cases = (0..lines.len()).step_by(7).flat_map(|at| HARMS.map(|harm| (at, harm)));
    for (at, (name, harm)) in cases {
        let line = lines[at];
        let told: Value = serde_json::from_str(line).unwrap();
        let posts = told["postings"].as_array().is_some_and(|all| !all.is_empty());
        let is_last = last[told["account"].as_str().unwrap()] == told["sequence"].as_u64().unwrap();
        if is_last || (!posts && matches!(name, "amount" | "column" | "bucket" | "no posting")) {
            continue;
        }
        let (instead, codes) = harm(line);
        let broken = copy(folder.path());
        let mut made: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        made[at] = instead;
        rewrite(broken.path(), &file, &made.concat());
        let replay = replayed(&[broken.path()], &known, None);
        let faults: Vec<_> = replay.faults().0.iter().map(|fault| fault.code).collect();
        let (differs, _) = differences(&replay, &known.1);
        tried += 1;
        let story = format!("seed {seed}, line {}, {name}: {faults:?} {differs:?}", at + 1);
        if name == "twice" {
            assert_eq!(replay.so_far().repeats, 1, "{story}");
            agrees(&replay, &known.1);
            continue;
        }
        assert!(!faults.is_empty() || !differs.is_empty(), "{story}");
        assert!(faults.iter().all(|code| codes.contains(code)), "{story}");
        assert!(!differs.is_empty() || faults.contains(&codes[0]) || codes.len() > 1, "{story}");
        let place = replay.faults().0.first().map(|fault| fault.place.line);
        assert!(place.is_none_or(|line| line > at as u64), "{story}");
        faults.iter().for_each(|code| *found_by.entry(code).or_default() += 1);
        *found_by.entry("differs").or_default() += u32::from(!differs.is_empty());
    }
    println!("seed {seed}: {tried} harms, found by {found_by:?}");
    assert!(tried > 150 && found_by.len() > 7, "{tried} {found_by:?}");
}

/// Puts other lines into the file that is written, as if its exporter had counted them.
fn rewrite(folder: &Path, file: &Path, text: &str) {
    let name = file.file_name().unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    let path = folder.join("checkpoint.json");
    let mut checkpoint: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let number = format!("ledger-{:012}.ndjson", checkpoint["file"].as_u64().unwrap());
    if number == name.to_str().unwrap() {
        checkpoint["length"] = text.len().into();
        std::fs::write(&path, checkpoint.to_string()).unwrap();
    }
}
