//! What comparing ledger and files has found, for programs.
//!
//! Invariant: an account is compared at one sequence or counted as not compared.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Ask;
use crate::cli::Failure;
use crate::credit::{AccountId, Amount, Kind};
use crate::ledger::replay::{self, Fault, Live, Place, Replay, Sums};

/// The columns of both sides.
const COLUMNS: [&str; 5] = ["granted", "available_and_held", "spent", "expired", "voided"];

/// What was found.
#[derive(Debug)]
pub(in crate::cli) struct Rebuilt {
    /// For programs.
    pub(in crate::cli) told: Value,
    pub(in crate::cli) breaches: Vec<Value>,
}

/// What comparing has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    breaches: Vec<Value>,
    sums: Sums,
    compared: u64,
    waiting: u64,
    entries_waiting: u64,
    doubtful: u64,
}

fn breach(account: &AccountId, code: &str, found: &str) -> Value {
    json!({ "account": account, "invariant": "I10", "code": code, "found": found })
}

impl Found {
    pub(super) fn compare(
        &mut self,
        replay: &Replay,
        live: &Live,
        ask: Ask<'_>,
    ) -> Result<(), Failure> {
        let last = replay.last(&live.account);
        let Some(rebuilt) = replay.rebuilt(&live.account) else {
            self.doubtful = self.doubtful.saturating_add(1);
            return Ok(());
        };
        if last < live.sequence {
            self.waiting = self.waiting.saturating_add(1);
            let entries = live.sequence.saturating_sub(last);
            self.entries_waiting = self.entries_waiting.saturating_add(entries);
            return Ok(());
        }
        if last > live.sequence {
            self.look_again(&live.account, last, ask)?;
        }
        if rebuilt.sequence == live.sequence {
            self.compared = self.compared.saturating_add(1);
            for found in replay::compare(live, rebuilt, &mut self.sums) {
                self.breaches.push(breach(&live.account, "differs", &found));
            }
        }
        Ok(())
    }

    /// The files are ahead of what the ledger said: it has gone on since, or it has gone back.
    fn look_again(&mut self, account: &AccountId, last: u64, ask: Ask<'_>) -> Result<(), Failure> {
        let now = ask(account)?;
        let sequence = now.as_ref().and_then(|now| now["sequence"].as_u64());
        let found = match sequence {
            Some(sequence) if sequence >= last => return Ok(()),
            Some(sequence) => format!(
                "the ledger is at entry {sequence}, the files are at {last}: it has lost what it had told"
            ),
            None => format!("the ledger has no books of it, the files have {last} entries"),
        };
        self.breaches.push(breach(account, "sequence_regression", &found));
        Ok(())
    }

    /// Accounts that only the files know.
    pub(super) fn strangers(
        &mut self,
        replay: &Replay,
        audits: &[Value],
        ask: Ask<'_>,
    ) -> Result<(), Failure> {
        let known: BTreeSet<&str> = audits.iter().filter_map(|it| it["account"].as_str()).collect();
        for account in replay.accounts().filter(|account| !known.contains(account.as_str())) {
            self.look_again(account, replay.last(account), ask)?;
        }
        Ok(())
    }

    pub(super) fn offline(&mut self, replay: &Replay) {
        for account in replay.accounts() {
            match replay.rebuilt(account) {
                Some(rebuilt) => self.sums.add_rebuilt(rebuilt),
                None => self.doubtful = self.doubtful.saturating_add(1),
            }
        }
    }

    pub(super) fn told(mut self, replay: &Replay, saved: Option<&str>) -> Rebuilt {
        let (faults, more) = replay.faults();
        let mut breaches: Vec<Value> = faults.iter().map(fault).collect();
        if more > 0 {
            let found = format!("{more} more faults are in the files");
            breaches.push(json!({ "invariant": "I10", "code": "more", "found": found }));
        }
        breaches.append(&mut self.breaches);
        if self.compared > 0 {
            breaches.extend(self.sums.differing().map(|kind| {
                let found =
                    format!("the sums of {kind} are others in the ledger than in the files");
                json!({ "invariant": "I15", "code": "sums_differ", "found": found })
            }));
        }
        let read = replay.so_far();
        let told = json!({
            "ledger": replay.ledger(),
            "folders": replay.positions().iter().map(position).collect::<Vec<_>>(),
            "accounts": replay.accounts().count(),
            "lines": read.lines,
            "repeats": read.repeats,
            "unproven_repeats": read.unproven,
            "other_ledgers": read.others,
            "compared": self.compared,
            "waiting": self.waiting,
            "entries_waiting": self.entries_waiting,
            "doubtful": self.doubtful,
            "totals": totals(&self.sums, self.compared > 0),
            "saved": saved,
        });
        Rebuilt { told, breaches }
    }
}

fn fault(fault: &Fault) -> Value {
    json!({
        "account": fault.account,
        "invariant": "I10",
        "code": fault.code,
        "file": fault.place.file.display().to_string(),
        "line": fault.place.line,
        "found": fault.found,
    })
}

fn position((place, bytes): &(Place, u64)) -> Value {
    json!({ "file": place.file.display().to_string(), "line": place.line, "bytes": bytes })
}

/// Two lines for each kind, or one if there was no ledger.
fn totals(sums: &Sums, both: bool) -> Vec<Value> {
    let side = |kind: &Kind, name: &str, sums: &[u128; 5]| {
        let mut told = json!({ "kind": kind, "in": name });
        for (column, sum) in COLUMNS.iter().zip(sums) {
            told[*column] = json!(decimal(*sum));
        }
        told
    };
    let lines = sums.kinds.iter().flat_map(|(kind, [ledger, files])| {
        let ledger = both.then(|| side(kind, "ledger", ledger));
        ledger.into_iter().chain([side(kind, "files", files)])
    });
    lines.collect()
}

/// A sum that may be larger than an amount can be, as amounts are written.
fn decimal(micro: u128) -> String {
    let unit = u128::from(Amount::MICRO);
    let text = format!("{}.{:06}", micro / unit, micro % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_amounts_are() {
        let told = [0, 1, 2_500_000, 10_000_000].map(decimal);
        assert_eq!(told, ["0", "0.000001", "2.5", "10"]);
        assert_eq!(decimal(u128::MAX), "340282366920938463463374607431768.211455");
    }
}
