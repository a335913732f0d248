//! `tollgate audit --rebuild`: whether the exported stream says the same as the ledger.
//!
//! The ledger is asked first, then the files are read: each account is compared as its lines leave it at the
//! number of entries that the ledger said. What the ledger has told and nobody exported yet is waited for, for a
//! moment, and then said.
//!
//! Invariant: files and ledger are only read; what is saved is a file of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use crate::credit::{AccountId, Amount, Bucket, BucketId, Class, Kind, Name, Paid, Standing};
use crate::ledger::replay::{
    self, Fault, Live, Place, Replay, ReplayError, SaveError, Saved, Sums,
};
use crate::seam::{Clock, SystemClock, Timestamp};

/// How long what is not exported yet is waited for, in milliseconds.
const WAIT_MS: u64 = 5_000;
const PAUSE: Duration = Duration::from_millis(200);
/// The columns of both sides.
const COLUMNS: [&str; 5] = ["granted", "available_and_held", "spent", "expired", "voided"];

/// Files of the ledger's stream, and what becomes of their replay.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Rebuild {
    /// Replay the stream's files in this folder and compare; again for each folder that an instance exported to
    #[arg(long, value_name = "FOLDER")]
    rebuild: Vec<PathBuf>,
    /// Go on from a replay that was saved
    #[arg(long, value_name = "FILE", requires = "rebuild")]
    from: Option<PathBuf>,
    /// Save the replay, to go on from there later
    #[arg(long, value_name = "FILE", requires = "rebuild")]
    save: Option<PathBuf>,
    /// Do not ask the ledger: replay the files alone
    #[arg(long, requires = "rebuild", conflicts_with = "account")]
    offline: bool,
}

/// An account as the ledger said.
#[derive(Debug)]
pub(super) struct Seen {
    ledger: String,
    live: Live,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Rebuilt {
    /// For programs.
    pub(super) told: Value,
    pub(super) breaches: Vec<Value>,
}

/// Asks the ledger about one account; `None`: there is none.
pub(super) type Ask<'a> = &'a dyn Fn(&AccountId) -> Result<Option<Value>, Failure>;

#[derive(Deserialize)]
struct Audited {
    account: AccountId,
    ledger: Option<String>,
    sequence: Option<u64>,
    books: Option<Books>,
}

#[derive(Deserialize)]
struct Books {
    buckets: Vec<Grant>,
    archived: Vec<Archived>,
}

#[derive(Deserialize)]
struct Grant {
    id: BucketId,
    kind: Kind,
    class: Class,
    priority: u8,
    granted: Amount,
    available: Amount,
    held: Amount,
    spent: Amount,
    expired: Amount,
    voided: Amount,
    effective_at: String,
    expires_at: Option<String>,
    only: Vec<Name>,
    standing: Standing,
    parent: Option<BucketId>,
    paid: Option<Paid>,
}

#[derive(Deserialize)]
struct Archived {
    kind: Kind,
    granted: Amount,
    spent: Amount,
    expired: Amount,
    voided: Amount,
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        Self::failed(error.to_string())
    }
}

impl Rebuild {
    pub(super) const fn is_wanted(&self) -> bool {
        !self.rebuild.is_empty()
    }

    pub(super) const fn is_offline(&self) -> bool {
        self.offline
    }

    /// Replays, and compares with what the ledger said: of all accounts, or of some.
    pub(super) fn run(
        &self,
        seen: Vec<Seen>,
        audits: &[Value],
        all: bool,
        ask: Ask<'_>,
    ) -> Result<Rebuilt, Failure> {
        let from = self.from.as_deref().map(Saved::read).transpose()?;
        let ledger = self.ledger(&seen, audits)?;
        let mut replay = Replay::begin(&self.rebuild, ledger.as_deref(), from)?;
        for one in &seen {
            replay.mark(&one.live.account, one.live.sequence);
        }
        read(&mut replay, &seen)?;
        let mut found = Found::default();
        if self.offline {
            found.offline(&replay);
        }
        for one in &seen {
            found.compare(&replay, &one.live, ask)?;
        }
        if all && !self.offline {
            found.strangers(&replay, audits, ask)?;
        }
        let saved = self.saved(&replay)?;
        Ok(found.told(&replay, saved))
    }

    /// The ledger that accounts say they are of; `None`: nobody was asked.
    fn ledger(&self, seen: &[Seen], audits: &[Value]) -> Result<Option<String>, Failure> {
        let names: BTreeSet<&str> = seen.iter().map(|one| one.ledger.as_str()).collect();
        match names.len() {
            0 if self.offline || audits.is_empty() => Ok(None),
            0 => Err(Failure::failed(
                "no account says what it told the ledger's stream: this ledger tells none, or the \
                 server is older than this program",
            )),
            1 => Ok(names.first().map(|name| (*name).to_owned())),
            _ => Err(Failure::temporary("the ledger became another one meanwhile: ask again")),
        }
    }

    fn saved(&self, replay: &Replay) -> Result<Option<String>, Failure> {
        let Some(path) = &self.save else { return Ok(None) };
        match replay.save(path) {
            Ok(()) => Ok(Some(path.display().to_string())),
            // The breaches say so, and the exit code.
            Err(SaveError::Doubtful) => Ok(None),
            Err(error) => Err(Failure::failed(error.to_string())),
        }
    }
}

/// Takes the books out of an account's audit; `None`: it has none.
pub(super) fn take_books(audit: &mut Value) -> Result<Option<Seen>, Failure> {
    let strange = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the server's books are not understood: {error}"))
    };
    let audited = Audited::deserialize(&*audit).map_err(|error| strange(&error))?;
    if let Some(members) = audit.as_object_mut() {
        members.remove("books");
    }
    let Audited { account, ledger: Some(ledger), sequence: Some(sequence), books: Some(books) } =
        audited
    else {
        return Ok(None);
    };
    let buckets: Result<_, jiff::Error> = books.buckets.into_iter().map(Grant::bucket).collect();
    let buckets = buckets.map_err(|error| strange(&error))?;
    let sums = |it: Archived| (it.kind, [it.granted, it.spent, it.expired, it.voided]);
    let archived = books.archived.into_iter().map(sums).collect();
    Ok(Some(Seen { ledger, live: Live { account, sequence, buckets, archived } }))
}

impl Grant {
    fn bucket(self) -> Result<Bucket, jiff::Error> {
        let moment = |text: String| text.parse::<Timestamp>();
        Ok(Bucket {
            id: self.id,
            kind: self.kind,
            class: self.class,
            priority: self.priority,
            effective: moment(self.effective_at)?,
            expires: self.expires_at.map(moment).transpose()?,
            granted: self.granted,
            available: self.available,
            held: self.held,
            spent: self.spent,
            expired: self.expired,
            voided: self.voided,
            only: self.only,
            standing: self.standing,
            parent: self.parent,
            paid: self.paid,
        })
    }
}

/// Reads until all that the ledger said is there, or for a moment.
fn read(replay: &mut Replay, seen: &[Seen]) -> Result<(), Failure> {
    let clock = SystemClock;
    let began = clock.uptime_ms();
    loop {
        replay.read_on()?;
        let behind = |one: &Seen| replay.last(&one.live.account) < one.live.sequence;
        if !seen.iter().any(behind) || clock.uptime_ms().saturating_sub(began) >= WAIT_MS {
            return Ok(replay.settle_repeats()?);
        }
        std::thread::sleep(PAUSE);
    }
}

/// What comparing has found.
#[derive(Debug, Default)]
struct Found {
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
    fn compare(&mut self, replay: &Replay, live: &Live, ask: Ask<'_>) -> Result<(), Failure> {
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
    fn strangers(
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

    fn offline(&mut self, replay: &Replay) {
        for account in replay.accounts() {
            match replay.rebuilt(account) {
                Some(rebuilt) => self.sums.add_rebuilt(rebuilt),
                None => self.doubtful = self.doubtful.saturating_add(1),
            }
        }
    }

    fn told(mut self, replay: &Replay, saved: Option<String>) -> Rebuilt {
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
