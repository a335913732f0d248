//! `tollgate doctor`: whether the store keeps what it is given.
//!
//! Invariant: it writes nothing, and can be run beside a server.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::demo::settings_of;
use super::output::{Column, json as print_json, print, table};
use super::remote::wait_for;
use crate::config::StoreSettings;
use crate::ledger::{Finding, Level, UNREACHABLE, examine_file, examine_folder, redis};
use crate::seam::SystemClock;
use crate::serve::LEDGER_FILE;

/// Look at the store: version, persistence, eviction, replicas, clock, latency, and whether the ledger is whole
#[derive(Args, Debug)]
#[command(after_help = "\
Writes nothing; may be run beside a server.

Exit codes: 0 well, or with warnings; 1 errors; 75 the store does not answer; 78 configuration.")]
pub(super) struct Doctor {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

const COLUMNS: &[Column] =
    &[("level", "/level"), ("check", "/code"), ("at", "/place"), ("found", "/found")];

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = settings_of(&self.config)?;
        let found = examine(&settings.store)?;
        if self.json {
            print_json(&summary(&found))?;
        } else {
            print(&told(&found))?;
        }
        judged(&found)
    }
}

fn examine(store: &StoreSettings) -> Result<Vec<Finding>, Failure> {
    let mut found = match store {
        StoreSettings::Embedded { path, .. } => examine_file(&path.join(LEDGER_FILE), &SystemClock),
        StoreSettings::Redis { redis, .. } => wait_for(redis::examine(redis, &SystemClock))?,
    };
    found.extend(examine_folder(store.folder()));
    let export = &store.export().folder;
    if !export.starts_with(store.folder()) {
        found.extend(examine_folder(export));
    }
    Ok(found)
}

fn count(found: &[Finding], level: Level) -> usize {
    found.iter().filter(|finding| finding.level == level).count()
}

fn summary(found: &[Finding]) -> Value {
    json!({
        "findings": found,
        "ok": count(found, Level::Ok),
        "warnings": count(found, Level::Warning),
        "errors": count(found, Level::Error),
    })
}

/// A table, and below it what to do, the worst first and each advice once.
fn told(found: &[Finding]) -> String {
    let items: Vec<Value> = found.iter().map(|finding| json!(finding)).collect();
    let mut text = table(&items, COLUMNS);
    let mut unwell: Vec<&Finding> =
        found.iter().filter(|finding| finding.level != Level::Ok).collect();
    unwell.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let mut advised: Vec<(&str, &str)> = Vec::new();
    for Finding { code, advice, .. } in unwell {
        if !advised.contains(&(code, advice)) {
            advised.push((code, advice));
        }
    }
    if !advised.is_empty() {
        text.push_str("\nWhat to do:\n");
    }
    for (code, advice) in advised {
        text.push_str(&format!("  {code}: {advice}\n"));
    }
    let (warnings, errors) = (count(found, Level::Warning), count(found, Level::Error));
    text.push_str(&match (errors, warnings) {
        (0, 0) => "\nAll is well.\n".to_owned(),
        _ => format!("\n{}, {}\n", counted(errors, "error"), counted(warnings, "warning")),
    });
    text
}

/// `1 error`, `2 errors`.
fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// The exit code: what does not answer may later, unless something else is wrong as well.
fn judged(found: &[Finding]) -> Result<(), Failure> {
    let mut errors = found.iter().filter(|finding| finding.level == Level::Error).peekable();
    match (errors.peek().is_some(), errors.all(|finding| finding.code == UNREACHABLE)) {
        (false, _) => Ok(()),
        (true, true) => Err(Failure::temporary("")),
        (true, false) => Err(Failure::failed("")),
    }
}
