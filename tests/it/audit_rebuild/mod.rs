//! `tollgate audit --rebuild` against a running program that exports its stream: what is well holds, whatever is
//! done to the files is named and ends with 1.
//!
//! Histories are made through the operators' API and by paid requests, so they are the same on every store.

mod rig;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::processes::eventually;
use rig::{Rig, STORES, STREAM};

#[test]
fn what_is_exported_is_what_the_ledger_has() {
    for (store, begin) in STORES {
        let mut rig = Rig::start(begin, 1);
        rig.every_verb();
        eventually("what nobody touched has ended", || {
            lines(&rig.stream()).concat().contains("\"verb\":\"tick\"").then_some(())
        });
        let found = rig.holds(&[]);
        let text = lines(&rig.stream()).concat();
        for verb in [
            "reserve", "settle", "release", "tick", "grant", "refund", "adjust", "withdraw",
            "freeze",
        ] {
            assert!(text.contains(&format!("\"verb\":\"{verb}\"")), "{store}: no {verb}");
        }
        for what in ["@bonus", "@rollover", "debt:", "daily@", "spare@", "\"standing\":\"frozen\""]
        {
            assert!(text.contains(what), "{store}: no {what}");
        }
        assert_eq!(found["rebuild"]["lines"], text.lines().count());
        let (code, out, err) = rig.cli(&["audit", "--rebuild", STREAM]);
        assert_eq!((code, err.as_str()), (0, ""));
        for said in
            ["Everything holds.", "I10 ", "I15 ", "3 accounts were compared", "AVAILABLE + HELD"]
        {
            assert!(out.contains(said), "{said}: {out}");
        }
        let (code, one) = rig.rebuilt(STREAM, &["acct_b"]);
        assert_eq!((code, &one["rebuild"]["compared"]), (0, &json!(1)));
        every_example(&rig);
        saves_and_goes_on(&mut rig);
        harms(&rig);
        rig.proxy.stop();
    }
}

/// The examples of the help that need a stream; the others are run with all others.
fn every_example(rig: &Rig) {
    let (_, help, _) = rig.cli(&["audit", "--help"]);
    let own = |line: &&str| line.starts_with("  tollgate ") && line.contains("--rebuild");
    let found: Vec<&str> = help.lines().filter(own).collect();
    assert!(found.len() > 2, "{help}");
    for line in found {
        let args: Vec<&str> = line.split_whitespace().skip(1).collect();
        let (code, out, err) = rig.cli(&args);
        assert_eq!((code, err.as_str()), (0, ""), "{line}: {out}");
    }
}

fn saves_and_goes_on(rig: &mut Rig) {
    let first = rig.holds(&["--save", "saved"]);
    assert_eq!(first["rebuild"]["saved"], "saved");
    for _ in 0..25 {
        rig.random_step();
    }
    let second = rig.holds(&["--from", "saved", "--save", "later"]);
    let whole = rig.holds(&["--save", "whole"]);
    let read = |name: &str| std::fs::read_to_string(rig.site.folder.path().join(name)).unwrap();
    assert_eq!(read("later"), read("whole"));
    let lines = |found: &Value| found["rebuild"]["lines"].as_u64().unwrap();
    assert!(lines(&second) > 0 && lines(&first) + lines(&second) == lines(&whole));
    let (code, alone) = rig.rebuilt(STREAM, &["--offline", "--save", "alone"]);
    assert_eq!((code, &alone["accounts"], read("alone")), (0, &json!(0), read("whole")));
    assert_eq!(alone["rebuild"]["totals"][0], whole["rebuild"]["totals"][1]);
    let damaged = read("saved").replacen("\"sequence\":", "\"sequence\":1", 1);
    std::fs::write(rig.site.folder.path().join("damaged"), damaged).unwrap();
    let (code, _, err) = rig.cli(&["audit", "--rebuild", STREAM, "--from", "damaged"]);
    assert!(code == 1 && err.contains("damaged is damaged"), "{code} {err}");
    let (code, _, err) = rig.cli(&["audit", "--rebuild", "nowhere"]);
    assert!(code == 1 && err.contains("nowhere"), "{code} {err}");
    assert_eq!(rig.cli(&["audit", "--save", "x"]).0, 2);
}

/// The lines of a folder with their ends.
fn lines(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A folder with these files, as an exporter would have left them.
fn put(rig: &Rig, name: &str, files: &[String]) -> PathBuf {
    let folder = rig.site.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let checkpoint = std::fs::read(rig.stream().join("checkpoint.json")).unwrap();
    let mut checkpoint: Value = serde_json::from_slice(&checkpoint).unwrap();
    checkpoint["file"] = files.len().into();
    checkpoint["length"] = files.last().unwrap().len().into();
    std::fs::write(folder.join("checkpoint.json"), checkpoint.to_string()).unwrap();
    for (at, text) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("ledger-{:012}.ndjson", at + 1)), text).unwrap();
    }
    folder
}

fn told(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

fn changed(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut told = told(line);
    change(&mut told);
    format!("{told}\n")
}

/// A line that posts something, with the next one of its account.
fn pair(lines: &[String]) -> (usize, usize) {
    let posts = |line: &Value| line["postings"].as_array().is_some_and(|all| !all.is_empty());
    let next = |at: usize| {
        let own = told(&lines[at]);
        let rest = lines.iter().enumerate().skip(at + 1);
        let mut rest = rest.filter(|(_, line)| told(line)["account"] == own["account"]);
        rest.next().map(|(next, _)| (at, next)).filter(|_| posts(&own))
    };
    let found: Vec<_> = (0..lines.len()).filter_map(next).collect();
    found[found.len() / 2]
}

fn harms(rig: &Rig) {
    let lines = lines(&rig.stream());
    let (at, next) = pair(&lines);
    let other = |line: String| {
        let mut made = lines.clone();
        made[at] = line;
        vec![made.concat()]
    };
    let mut swapped = lines.clone();
    swapped.swap(at, next);
    let third = lines.len() / 3;
    let parts: Vec<String> = [&lines[..third], &lines[third..2 * third], &lines[2 * third..]]
        .map(<[String]>::concat)
        .to_vec();
    let amount = changed(&lines[at], |line| line["postings"][0]["amount"] = "0.000007".into());
    let forged = |account: &str, sequence: u64| {
        let line = changed(&lines[0], |line| {
            line["account"] = account.into();
            line["sequence"] = sequence.into();
            for members in ["postings", "buckets", "charges"] {
                line[members] = json!([]);
            }
        });
        vec![lines.concat() + &line]
    };
    let mut last = lines.iter().map(|line| told(line)).filter(|line| line["account"] == "acct_a");
    let last = last.next_back().unwrap()["sequence"].as_u64().unwrap();
    let twice = format!("{0}{0}", lines[at]);
    let again = changed(&lines[at], |line| line["stream_id"] = "9-9".into());
    let strange = changed(&lines[at], |line| line["verb"] = "steal".into());
    let elsewhere = changed(&lines[at], |line| line["epoch"] = "0a0b".into());
    let cases: Vec<(&str, Vec<String>, &[&str])> = vec![
        ("all of it", vec![lines.concat()], &[]),
        ("parts", parts.clone(), &[]),
        ("twice", other(twice), &[]),
        ("removed", other(String::new()), &["gap"]),
        ("again", other(lines[at].clone() + &again), &["sequence_regression"]),
        ("amount", other(amount), &["contradiction", "differs"]),
        ("torn", other(lines[at][..40].to_owned() + "\n"), &["not_understood"]),
        ("swapped", vec![swapped.concat()], &["gap"]),
        ("strange", other(strange), &["unknown_verb"]),
        ("elsewhere", other(elsewhere), &["wrong_epoch"]),
        ("ahead", forged("acct_a", last + 1), &["sequence_regression"]),
        ("stranger", forged("acct_nobody", 1), &["sequence_regression"]),
        ("open end", vec![lines.concat().trim_end().to_owned()], &["torn_line"]),
    ];
    for (name, files, codes) in &cases {
        named(rig, name, &put(rig, name, files), codes);
    }
    let (_, found) = rig.rebuilt("twice", &[]);
    assert_eq!(found["rebuild"]["repeats"], 1);
    let missing = put(rig, "missing", &parts);
    std::fs::remove_file(missing.join("ledger-000000000002.ndjson")).unwrap();
    named(rig, "missing", &missing, &["missing_file"]);
    let cut = put(rig, "cut", &[lines.concat()]);
    std::fs::write(cut.join("ledger-000000000001.ndjson"), lines[..lines.len() - 1].concat())
        .unwrap();
    named(rig, "cut", &cut, &["cut_file"]);
    let foreign = put(rig, "foreign", &[lines.concat()]);
    let path = foreign.join("checkpoint.json");
    let mut checkpoint = told(&std::fs::read_to_string(&path).unwrap());
    checkpoint["epoch"] = "0a0b".into();
    std::fs::write(&path, checkpoint.to_string()).unwrap();
    named(rig, "foreign", &foreign, &["wrong_epoch"]);
}

/// One of these breaches is found, with its place, and nothing is saved; without any, everything holds.
#[track_caller]
fn named(rig: &Rig, name: &str, folder: &Path, codes: &[&str]) {
    let folder = folder.to_str().unwrap();
    let (code, found) = rig.rebuilt(folder, &["--save", "not-to-be"]);
    let breaches = found["breaches"].as_array().unwrap();
    let all: BTreeSet<&str> = breaches.iter().map(|it| it["code"].as_str().unwrap()).collect();
    let is_named = codes.is_empty() || codes.iter().any(|code| all.contains(code));
    assert_eq!(code, i32::from(!codes.is_empty()), "{name}: {found:#}");
    assert!(is_named && all.is_empty() == codes.is_empty(), "{name}: {all:?}");
    assert!(breaches.iter().all(|it| it["invariant"] == "I10" || it["invariant"] == "I15"));
    let saved = rig.site.folder.path().join("not-to-be");
    let in_files = breaches.iter().any(|it| it["file"].is_string());
    assert_eq!(saved.exists(), !in_files, "{name}");
    if saved.exists() {
        std::fs::remove_file(saved).unwrap();
    }
    let (code, out, _) = rig.cli(&["audit", "--rebuild", folder]);
    assert_eq!(
        (code, out.contains("Everything holds.")),
        (i32::from(!codes.is_empty()), codes.is_empty())
    );
    if in_files {
        let place = breaches.iter().find_map(|it| it["file"].as_str()).unwrap();
        assert!(out.contains(place) && out.contains('['), "{out}");
    }
}

#[test]
fn random_histories_hold() {
    let setting = |name: &str, otherwise: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let first = setting("TOLLGATE_SEED", 301);
    for (store, begin) in STORES {
        let (mut done, mut lines) = (0, 0);
        for seed in first..first + setting("TOLLGATE_CASES", 2) {
            let mut rig = Rig::start(begin, seed);
            for _ in 0..120 {
                rig.random_step();
            }
            let found = rig.holds(&[]);
            println!("{store}, seed {seed}: {} acts, {}", rig.done, found["rebuild"]);
            done += rig.done;
            lines += found["rebuild"]["lines"].as_u64().unwrap();
            rig.proxy.stop();
        }
        assert!(done > 100 && lines > 100, "{store}: {done} acts, {lines} lines");
    }
}
