//! One round after the other: read, write, count, take out.
//!
//! Invariant: of a round that failed on the disk nothing is trusted: the files are opened again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures_util::future::join_all;

use super::lease::Lease;
use super::reading::{self, Batch, ENTRIES_MAX, Found};
use super::{Export, Trouble};
use crate::credit::{AccountId, Partition};
use crate::ledger::Setback;
use crate::ledger::model::Stop;
use crate::ledger::redis::asking::Desk;
use crate::ledger::redis::entry;
use crate::ledger::redis::epoch::Epoch;
use crate::ledger::stream::{
    Alarm, Files, Hindrance, Pending, Place, Round, Sequences, StreamId, place_of, raw_line,
};
use crate::seam::Timestamp;

/// What entries do that wait.
const HARM: &str = "they fill Redis' memory";
/// How many rounds of others go by between two looks at the streams.
const ASIDES: u32 = 8;

/// Files that are open, of a ledger.
#[derive(Debug)]
struct Work {
    files: Files,
    ledger: Epoch,
    /// Whether it was said that there is another set of files.
    others: bool,
}

/// An entry that was written.
struct Told {
    account: AccountId,
    sequence: u64,
    at: Timestamp,
    id: StreamId,
}

/// See the module.
pub(super) struct Exporter {
    desk: Arc<Desk>,
    export: Export,
    lease: Lease,
    work: Option<Work>,
    alarm: Alarm,
    sequences: Sequences,
    hindrance: Hindrance,
    exported: u64,
    /// Rounds that somebody else had, since the streams were last looked at.
    asides: u32,
    /// The partition that a round begins with: one that always has something must not starve the others.
    first: u16,
}

impl Exporter {
    /// Nothing is open yet.
    pub(super) fn new(desk: Arc<Desk>, export: Export) -> io::Result<Self> {
        let mut random = [0; 8];
        export.entropy.fill(&mut random)?;
        // A process that starts again must not take itself for the one that died: both may be alive.
        let name = format!("{}/{}", export.instance, data_encoding::HEXLOWER.encode(&random));
        let lease = Lease::new(desk.clone(), export.clock.clone(), name, export.lease_ms);
        Ok(Self {
            desk,
            lease,
            work: None,
            alarm: Alarm::at(export.settings.alarm, HARM),
            sequences: Sequences::new(),
            hindrance: Hindrance::default(),
            exported: 0,
            asides: 0,
            first: 0,
            export,
        })
    }

    /// A round; `None`: something hindered it, and was said.
    pub(super) async fn round(&mut self) -> Option<Round> {
        match self.tried().await {
            Ok(round) => {
                self.hindrance.over();
                Some(round)
            }
            Err(trouble) => {
                let (sort, why) = trouble.told(&self.export.settings);
                self.hindrance.is(&sort, &why);
                if let Trouble::Disk(_) = trouble {
                    // Nobody knows what the files hold now: they are opened again and cut back.
                    self.close();
                }
                None
            }
        }
    }

    /// Lets go of everything.
    pub(super) async fn end(&mut self) {
        self.close();
        self.lease.give_up().await;
    }

    fn close(&mut self) {
        self.work = None;
        self.sequences.others_may_have_written();
    }

    async fn tried(&mut self) -> Result<Round, Trouble> {
        let ours = self.lease.hold().await;
        if !matches!(ours, Ok(true)) && !self.lease.is_sure() {
            self.close();
        }
        if !ours? {
            self.stand_aside().await;
            return Ok(Round::Aside);
        }
        let waiting = self.sample().await?;
        let ledger = reading::epoch(&self.desk).await?;
        let mut work = match self.work.take().filter(|work| work.ledger.id == ledger.id) {
            Some(work) => work,
            None => self.open(ledger)?,
        };
        let round = self.work_on(&mut work, &waiting).await;
        if !matches!(round, Err(Trouble::Disk(_))) {
            self.work = Some(work);
        }
        round
    }

    /// Somebody else exports: what waits is counted now and then, and an alarm is theirs.
    async fn stand_aside(&mut self) {
        self.asides = self.asides.wrapping_add(1);
        if self.asides % ASIDES == 1 {
            let lengths = reading::lengths(&self.desk).await;
            if let Ok(all) = lengths.into_iter().map(|(_, length)| length).sum::<Result<u64, _>>() {
                self.export.gauges.set_entries(all);
            }
        }
    }

    fn open(&mut self, ledger: Epoch) -> io::Result<Work> {
        self.sequences.others_may_have_written();
        let Export { settings, vault, entropy, .. } = &self.export;
        let (folder, rotate) = (&settings.folder, settings.rotate_bytes);
        let files = Files::open(vault, folder, rotate, &ledger.name(), &**entropy)?;
        let checkpoint = files.checkpoint();
        let (set, file, length) = (&checkpoint.set, checkpoint.file, checkpoint.length);
        tracing::info!(folder = %folder.display(), set, file, length, "exporting the ledger stream");
        Ok(Work { files, ledger, others: false })
    }

    /// How many entries wait in each partition that answers.
    async fn sample(&mut self) -> Result<BTreeMap<u16, u64>, Trouble> {
        let (mut known, mut away) = (BTreeMap::new(), None);
        for (partition, length) in reading::lengths(&self.desk).await {
            match length {
                Ok(length) => drop(known.insert(partition.number(), length)),
                Err(stop) => away = Some(stop),
            }
        }
        match away {
            None => {
                let all = known.values().fold(0_u64, |all, one| all.saturating_add(*one));
                self.export.gauges.set_entries(all);
                self.alarm.look(all);
            }
            // The others' entries must not wait for one server of a cluster.
            Some(stop) if known.is_empty() => return Err(stop.into()),
            Some(_) => {}
        }
        Ok(known)
    }

    async fn work_on(
        &mut self,
        work: &mut Work,
        waiting: &BTreeMap<u16, u64>,
    ) -> Result<Round, Trouble> {
        self.take_out(work).await;
        let wanted = self.wanted(work, waiting);
        let batches = reading::batches(&self.desk, &wanted).await?;
        if batches.iter().all(|batch| batch.entries.is_empty()) {
            return self.taken_out(work, Round::Nothing);
        }
        let told = self.write(work, &batches)?;
        for Told { account, sequence, at, id } in told {
            if let Some(known) = self.sequences.look(account.clone(), sequence, id) {
                let found = Some(sequence.saturating_sub(1));
                self.desk.setbacks().note(Setback { account, known, found, at });
            }
        }
        self.take_out(work).await;
        let all_read = batches.len() == wanted.len();
        let more = !all_read || waiting.values().any(|length| *length > ENTRIES_MAX);
        self.first = batches.last().map_or(0, |last| last.partition.number().saturating_add(1));
        self.taken_out(work, if more { Round::More } else { Round::Some })
    }

    /// Entries that could not be taken out hinder the export of their partitions.
    fn taken_out(&self, work: &Work, round: Round) -> Result<Round, Trouble> {
        match work.files.checkpoint().pending.len() {
            0 => Ok(round),
            count => {
                let why = format!("{count} partitions do not let go of what was exported");
                Err(Trouble::Redis(Stop::Failed(why)))
            }
        }
    }

    /// The partitions with entries, but for those whose written entries may still be there.
    fn wanted(&self, work: &Work, waiting: &BTreeMap<u16, u64>) -> Vec<Partition> {
        let pending = &work.files.checkpoint().pending;
        let has = |partition: &Partition| {
            let number = partition.number();
            waiting.get(&number).is_some_and(|length| *length > 0) && !pending.contains_key(&number)
        };
        let mut wanted: Vec<_> = Partition::all().filter(has).collect();
        let start = wanted.partition_point(|partition| partition.number() < self.first);
        wanted.rotate_left(start);
        wanted
    }

    /// Writes batches so that they last. The answer is whose entries they were.
    fn write(&mut self, work: &mut Work, batches: &[Batch]) -> Result<Vec<Told>, Trouble> {
        self.still_ours()?;
        let epoch = work.ledger.name();
        let (mut told, mut count) = (Vec::new(), 0_u64);
        let mut pending: Pending = work.files.checkpoint().pending.clone();
        for Batch { partition, entries } in batches {
            let partition = partition.number();
            for Found { id: stream_id, entry } in entries {
                let place = Place { epoch: &epoch, partition, stream_id };
                let line = match entry {
                    Ok(bytes) => entry::line(place, bytes),
                    Err(words) => raw_line(place, words, "it is no entry of a ledger"),
                };
                work.files.append(&line.text)?;
                match line.told {
                    Ok((account, sequence)) => {
                        let id = place_of(stream_id);
                        told.push(Told { account, sequence, at: Timestamp(id.0), id });
                    }
                    Err(why) => tracing::error!(
                        partition,
                        stream_id,
                        why,
                        "an entry of the ledger stream is not understood and was exported raw"
                    ),
                }
                count = count.saturating_add(1);
            }
            if !entries.is_empty() {
                let ids = entries.iter().map(|found| found.id.clone());
                pending.insert(partition, ids.collect());
            }
        }
        work.files.sync()?;
        // A sync may take long.
        self.still_ours()?;
        work.files.commit(pending)?;
        self.exported = self.exported.saturating_add(count);
        self.export.gauges.set_exported(self.exported);
        Ok(told)
    }

    fn still_ours(&self) -> Result<(), Trouble> {
        if self.lease.is_sure() {
            return Ok(());
        }
        Err(io::Error::other("the right to export ended before it could be renewed").into())
    }

    /// Takes out of the streams what the checkpoint names; what cannot be taken out stays named.
    async fn take_out(&self, work: &mut Work) {
        let checkpoint = work.files.checkpoint();
        let (set, named) = (checkpoint.set.clone(), checkpoint.pending.clone());
        let asked = Partition::all().filter_map(|partition| {
            let ids = named.get(&partition.number())?;
            let note = reading::remembered(ids.last()?, &set);
            let (desk, ledger) = (&self.desk, &work.ledger);
            Some(async move {
                let left = reading::take_out(desk, ledger, partition, ids, &note).await;
                (partition, ids.len(), note, left)
            })
        });
        let answers = join_all(asked.collect::<Vec<_>>()).await;
        for (partition, count, note, left) in answers {
            let Ok(left) = left else { continue };
            work.files.rid_of(partition.number());
            let missing = u32::try_from(count).is_ok_and(|count| left.there < count);
            let other = left.before.split_once(' ').map(|(_, set)| set);
            if missing && left.before != note {
                let (partition, there) = (partition.number(), left.there);
                tracing::warn!(
                    partition,
                    count,
                    there,
                    before = left.before,
                    "somebody else took exported entries out of the stream: they may lie in other files too"
                );
            } else if !work.others && other.is_some_and(|other| other != set) {
                tracing::info!(
                    before = left.before,
                    "the ledger stream was exported elsewhere before"
                );
                work.others = true;
            }
        }
    }
}
