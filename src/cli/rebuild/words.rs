//! What a replay has come to, for people.

use serde_json::Value;

use crate::cli::output::{Column, table};

/// What is checked.
const REPLAYED: &str = "\
I10 entries are counted without a gap, and replaying them gives each bucket
I15 the sums over all accounts are those of the files
";
const BOTH_TOTALS: &[Column] = &[
    ("kind", "/kind"),
    ("in", "/in"),
    ("granted", "/granted"),
    ("available + held", "/available_and_held"),
    ("spent", "/spent"),
    ("expired", "/expired"),
    ("voided", "/voided"),
];

/// A replay in words, with the sums of both sides.
pub(in crate::cli) fn replayed(rebuild: &Value, offline: bool) -> String {
    let number = |name: &str| rebuild[name].as_u64().unwrap_or_default();
    let ledger = rebuild["ledger"].as_str().unwrap_or_default();
    let mut text = format!(
        "\nReplayed {} lines of {} accounts of the ledger {ledger}.\n",
        number("lines"),
        number("accounts")
    );
    for folder in rebuild["folders"].as_array().into_iter().flatten() {
        let file = folder["file"].as_str().unwrap_or_default();
        text.push_str(&format!("Read up to {file}, line {}.\n", folder["line"]));
    }
    if !offline {
        text.push_str(&format!("{} accounts were compared.\n", number("compared")));
    }
    for (count, what) in [
        (number("repeats"), "lines were there twice, the same to the byte."),
        (number("unproven_repeats"), "lines were there before, in files that are gone."),
        (number("doubtful"), "accounts were not compared: their lines contradict themselves."),
    ] {
        if count > 0 {
            text.push_str(&format!("{count} {what}\n"));
        }
    }
    if number("waiting") > 0 {
        let (accounts, entries) = (number("waiting"), number("entries_waiting"));
        text.push_str(&format!(
            "{accounts} accounts have entries that are not exported yet: {entries} in all.\n"
        ));
    }
    for (ledger, lines) in rebuild["other_ledgers"].as_object().into_iter().flatten() {
        text.push_str(&format!("{lines} lines are of another ledger, {ledger}.\n"));
    }
    if let Some(file) = rebuild["saved"].as_str() {
        text.push_str(&format!("Saved in {file}.\n"));
    }
    let totals = rebuild["totals"].as_array().cloned().unwrap_or_default();
    text.push_str(&format!("\n{REPLAYED}\n{}", table(&totals, BOTH_TOTALS)));
    text
}
