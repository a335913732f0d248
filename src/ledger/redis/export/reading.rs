//! Reading the streams and taking out of them what lies in files.
//!
//! Invariant: read from the beginning, so that nothing is passed over, whatever its id.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;

use crate::credit::Partition;
use crate::ledger::model::Stop;
use crate::ledger::redis::asking::{Desk, nonsense};
use crate::ledger::redis::bytes::{Reader, Writer};
use crate::ledger::redis::epoch::Epoch;
use crate::ledger::redis::replies;
use crate::ledger::redis::scripts::Verb;

/// The most entries of a partition in one round.
pub(super) const ENTRIES_MAX: u64 = 512;
/// How many partitions are read at once.
const AT_ONCE: usize = 8;
/// How many bytes of entries make a round; the partitions that are read at once may exceed it.
const BYTES_MAX: usize = 16 << 20;

/// A partition's oldest entries.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) partition: Partition,
    pub(super) entries: Vec<Found>,
}

/// An entry of a stream.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    /// The ledger's bytes, or the words that stand in their place.
    pub(super) entry: Result<Vec<u8>, Vec<u8>>,
}

/// The ledger's epoch.
pub(super) async fn epoch(desk: &Desk) -> Result<Epoch, Stop> {
    let first = Partition::default();
    let words = vec![b"GET".to_vec(), desk.keys.epoch(first)];
    let bytes = replies::text_of(desk.command(first, words).await?)?;
    Epoch::read(&bytes).ok_or_else(|| Stop::Broken("the ledger has no epoch".to_owned()))
}

/// How many entries wait in each partition; the errors of those that do not answer.
pub(super) async fn lengths(desk: &Desk) -> Vec<(Partition, Result<u64, Stop>)> {
    let asked = Partition::all().map(|partition| async move {
        let words = vec![b"XLEN".to_vec(), desk.keys.stream(partition)];
        let length = desk.command(partition, words).await.and_then(|value| match value {
            Value::Int(length) => u64::try_from(length).map_err(|_| nonsense(&value)),
            _ => Err(nonsense(&value)),
        });
        (partition, length)
    });
    join_all(asked).await
}

/// The oldest entries of these partitions, in their order, until there is enough for a round.
pub(super) async fn batches(desk: &Desk, partitions: &[Partition]) -> Result<Vec<Batch>, Stop> {
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for some in partitions.chunks(AT_ONCE) {
        for batch in join_all(some.iter().map(|partition| batch(desk, *partition))).await {
            let batch = batch?;
            let sizes = batch.entries.iter().map(|found| match &found.entry {
                Ok(bytes) | Err(bytes) => bytes.len(),
            });
            bytes = bytes.saturating_add(sizes.sum());
            found.push(batch);
        }
        if bytes >= BYTES_MAX {
            break;
        }
    }
    Ok(found)
}

async fn batch(desk: &Desk, partition: Partition) -> Result<Batch, Stop> {
    let most = ENTRIES_MAX.to_string();
    let key = desk.keys.stream(partition);
    let words: [&[u8]; 6] = [b"XRANGE", &key, b"-", b"+", b"COUNT", most.as_bytes()];
    let value = desk.command(partition, words.map(<[u8]>::to_vec).to_vec()).await?;
    let Value::Array(list) = value else { return Err(nonsense(&value)) };
    let entries = list.into_iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Batch { partition, entries })
}

fn entry(value: Value) -> Result<Found, Stop> {
    let Value::Array(parts) = value else { return Err(nonsense(&value)) };
    let mut parts = parts.into_iter();
    let id = replies::text_of(parts.next().unwrap_or(Value::Nil))?;
    let id = Reader::new(&[], "a stream's entry").parse(&id)?;
    let mut words = replies::texts(parts.next().unwrap_or(Value::Nil))?;
    let own = words.len() == 2 && words.first().is_some_and(|name| name == b"e");
    let entry = if own { Ok(words.pop().unwrap_or_default()) } else { Err(words.join(&0)) };
    Ok(Found { id, entry })
}

/// What became of entries that were to leave.
#[derive(Debug)]
pub(super) struct Left {
    /// How many were still there.
    pub(super) there: u32,
    /// What was remembered before, as `remembered` makes it.
    pub(super) before: String,
}

/// What a partition keeps of its export: the last entry, and to which set of files.
pub(super) fn remembered(last: &str, set: &str) -> String {
    format!("{last} {set}")
}

/// Takes entries out of a partition's stream.
pub(super) async fn take_out(
    desk: &Arc<Desk>,
    ledger: &Epoch,
    partition: Partition,
    ids: &[String],
    note: &str,
) -> Result<Left, Stop> {
    let mut keys = vec![desk.keys.epoch(partition); 8];
    keys.extend([desk.keys.stream(partition), desk.keys.exported(partition)]);
    let mut w = Writer::default();
    w.raw(&ledger.id).text(note)?.short(ids.len())?;
    for id in ids {
        w.word(id)?;
    }
    let heard = desk.ask_with(Verb::Exported, partition, keys, "", Ok(w.done())).await?;
    let r = &mut replies::applied(&heard, None)?;
    let (there, before) = (r.long()?, r.text()?);
    Ok(Left { there, before: r.parse(before)? })
}
