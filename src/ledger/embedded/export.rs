//! Writes what happened to files and takes it out of the ledger's file.
//!
//! A round: the writer takes out what the last round has written and hands over the oldest entries that are left;
//! they are written as lines, synced, and counted by a checkpoint that also names them. Whatever fails, the next
//! round begins from the checkpoint: lines behind it are cut, entries that it names are taken out and not written
//! again.
//!
//! Invariant: nothing is taken out that does not lie, synced, in a file.
//! Invariant: the disk of the files is waited for here alone, never by the writer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::EmbeddedLedger;
use super::stream::{Found, Waiting};
use crate::credit::{AccountId, Partition};
use crate::ledger::model::Stop;
use crate::ledger::stream::{
    Alarm, ExportSettings, Files, Hindrance, LAST_ROUNDS, Losses, Pace, Pending, Place, Round,
    Sequences, StreamGauges, StreamId, line, place_of,
};
use crate::ledger::{Answer, Refusal};
use crate::seam::{Entropy, Vault};

/// The most entries of a round: the writer reads them between two groups of calls.
const ENTRIES_MAX: usize = 1_024;
/// What entries do that wait.
const HARM: &str = "they fill the ledger's file, and of too many the oldest are dropped";
/// Where the checkpoint names them: the file is one stream, for all partitions.
const STREAM: u16 = 0;

/// What an exporter works with.
#[derive(Clone, Debug)]
pub struct Export {
    /// Where to.
    pub settings: ExportSettings,
    /// The disk.
    pub vault: Arc<dyn Vault>,
    /// Names the set of files.
    pub entropy: Arc<dyn Entropy>,
    /// What others are shown of it.
    pub gauges: StreamGauges,
}

/// What hinders a round.
#[derive(Debug)]
enum Trouble {
    Disk(io::Error),
    Ledger(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Exports until `stop`, then what is left, for a while.
pub(super) async fn run(ledger: &EmbeddedLedger, export: Export, stop: CancellationToken) {
    let mut exporter = Exporter::new(ledger, export);
    let mut pace = Pace::new(Duration::MAX);
    loop {
        let round = exporter.round().await;
        if !pace.rest(round, &stop).await {
            break;
        }
    }
    let last = async { while let Some(Round::More | Round::Some) = exporter.round().await {} };
    drop(tokio::time::timeout(LAST_ROUNDS, last).await);
}

/// See the module.
struct Exporter<'a> {
    ledger: &'a EmbeddedLedger,
    export: Export,
    files: Option<Files>,
    alarm: Alarm,
    losses: Losses,
    sequences: Sequences,
    hindrance: Hindrance,
    exported: u64,
}

impl<'a> Exporter<'a> {
    /// Nothing is open yet.
    fn new(ledger: &'a EmbeddedLedger, export: Export) -> Self {
        Self {
            ledger,
            files: None,
            alarm: Alarm::at(export.settings.alarm, HARM),
            losses: Losses::default(),
            sequences: Sequences::new(),
            hindrance: Hindrance::default(),
            exported: 0,
            export,
        }
    }

    /// A round; `None`: something hindered it, and was said.
    async fn round(&mut self) -> Option<Round> {
        match self.tried().await {
            Ok(round) => {
                self.hindrance.over();
                Some(round)
            }
            Err(Trouble::Ledger(why)) => {
                // An outage has many words.
                self.hindrance.is("ledger", &why);
                None
            }
            Err(Trouble::Disk(error)) => {
                let why = format!("{}: {error}", self.export.settings.folder.display());
                self.hindrance.is(&why, &why);
                None
            }
        }
    }

    async fn tried(&mut self) -> Result<Round, Trouble> {
        let mut files = match self.files.take().map_or_else(|| self.open(), Ok) {
            Ok(files) => files,
            Err(error) => {
                // What waits is counted all the same: it is then that it matters.
                self.turn(Vec::new(), 0).await?;
                return Err(error.into());
            }
        };
        let round = self.work_on(&mut files).await;
        // Behind a failure of the disk nobody knows what the files hold: they are opened again and cut back.
        if !matches!(round, Err(Trouble::Disk(_))) {
            self.files = Some(files);
        }
        round
    }

    fn open(&mut self) -> io::Result<Files> {
        self.sequences.others_may_have_written();
        let Export { settings, vault, entropy, .. } = &self.export;
        let (folder, rotate) = (&settings.folder, settings.rotate_bytes);
        let files = Files::open(vault, folder, rotate, &self.ledger.name, &**entropy)?;
        let checkpoint = files.checkpoint();
        let (set, file, length) = (&checkpoint.set, checkpoint.file, checkpoint.length);
        tracing::info!(folder = %folder.display(), set, file, length, "exporting the ledger stream");
        Ok(files)
    }

    async fn work_on(&mut self, files: &mut Files) -> Result<Round, Trouble> {
        let written: Vec<String> = files.checkpoint().pending.values().flatten().cloned().collect();
        let found = self.turn(written, ENTRIES_MAX).await?;
        files.rid_of_all();
        if found.entries.is_empty() {
            return Ok(Round::Nothing);
        }
        for (account, sequence, place) in self.write(files, &found.entries)? {
            // It says itself what does not follow.
            let _ = self.sequences.look(account, sequence, place);
        }
        let count = u64::try_from(found.entries.len()).unwrap_or(u64::MAX);
        Ok(if found.count > count { Round::More } else { Round::Some })
    }

    /// Has entries taken out and asks for the next.
    async fn turn(&mut self, written: Vec<String>, limit: usize) -> Result<Waiting, Trouble> {
        let waiting = match self.ledger.stream(written, limit).await {
            Answer::Applied(waiting) => waiting,
            Answer::Refused(Refusal::Unavailable(why) | Refusal::Broken(why))
            | Answer::Unknown(why) => return Err(Trouble::Ledger(why)),
            Answer::Refused(Refusal::ClockJump) => {
                return Err(Trouble::Ledger("the clock has jumped ahead".to_owned()));
            }
            Answer::Refused(other) => return Err(Trouble::Ledger(format!("{other:?}"))),
        };
        self.export.gauges.set_entries(waiting.count);
        self.export.gauges.set_dropped(waiting.dropped);
        self.alarm.look(waiting.count);
        self.losses.look(waiting.dropped);
        Ok(waiting)
    }

    /// Writes entries so that they last. The answer is whose they were.
    fn write(
        &mut self,
        files: &mut Files,
        entries: &[Found],
    ) -> io::Result<Vec<(AccountId, u64, StreamId)>> {
        let mut told = Vec::new();
        for found in entries {
            let read = found.read();
            let of = |account: &AccountId| Partition::of(account).number();
            let partition = read.as_ref().map_or(STREAM, |entry| of(&entry.told.account));
            let place = Place { epoch: &self.ledger.name, partition, stream_id: &found.id };
            let line = line(place, &found.bytes, read.map_err(why));
            files.append(&line.text)?;
            match line.told {
                Ok((account, sequence)) => told.push((account, sequence, place_of(&found.id))),
                Err(why) => tracing::error!(
                    stream_id = found.id,
                    why,
                    "an entry of the ledger stream is not understood and was exported raw"
                ),
            }
        }
        files.sync()?;
        let names = entries.iter().map(|found| found.id.clone()).collect();
        files.commit(Pending::from([(STREAM, names)]))?;
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.exported = self.exported.saturating_add(count);
        self.export.gauges.set_exported(self.exported);
        Ok(told)
    }
}

fn why(stop: Stop) -> String {
    match stop {
        Stop::Broken(why) | Stop::Newer(why) | Stop::Failed(why) => why,
        Stop::Refused(refusal) => format!("{refusal:?}"),
    }
}
