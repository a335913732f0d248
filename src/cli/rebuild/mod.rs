//! `tollgate audit --rebuild`: whether the exported stream says the same as the ledger.
//!
//! The ledger is asked first, then the files are read: each account is compared as its lines leave it at the
//! number of entries that the ledger said. What the ledger has told and nobody exported yet is waited for, for a
//! moment, and then said.
//!
//! Invariant: files and ledger are only read; what is saved is a file of its own.

mod books;
mod found;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

pub(super) use self::books::{Seen, take_books};
use self::found::Found;
pub(super) use self::found::Rebuilt;
pub(super) use self::words::replayed;
use super::Failure;
use crate::credit::AccountId;
use crate::ledger::replay::{Replay, ReplayError, SaveError, Saved};
use crate::seam::{Clock, SystemClock};

/// How long what is not exported yet is waited for, in milliseconds.
const WAIT_MS: u64 = 5_000;
const PAUSE: Duration = Duration::from_millis(200);
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

/// Asks the ledger about one account; `None`: there is none.
pub(super) type Ask<'a> = &'a dyn Fn(&AccountId) -> Result<Option<Value>, Failure>;

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
        seen: &[Seen],
        audits: &[Value],
        all: bool,
        ask: Ask<'_>,
    ) -> Result<Rebuilt, Failure> {
        let from = self.from.as_deref().map(Saved::read).transpose()?;
        let ledger = self.ledger(seen, audits)?;
        let mut replay = Replay::begin(&self.rebuild, ledger.as_deref(), from)?;
        for one in seen {
            replay.mark(&one.live.account, one.live.sequence);
        }
        read(&mut replay, seen)?;
        let mut found = Found::default();
        if self.offline {
            found.offline(&replay);
        }
        for one in seen {
            found.compare(&replay, &one.live, ask)?;
        }
        if all && !self.offline {
            found.strangers(&replay, audits, ask)?;
        }
        let saved = self.saved(&replay)?;
        Ok(found.told(&replay, saved.as_deref()))
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
