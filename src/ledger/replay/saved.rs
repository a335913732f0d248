//! A replay in a file, from which another one can go on: what the buckets are, and how far was read.
//!
//! A line of JSON says of which ledger it is and where in the files it ends, one line follows for each account,
//! the last one is a checksum of all others.
//!
//! Invariant: what does not fit its checksum, or another ledger's, is refused by name and nothing of it is used.
//! Invariant: a file is whole or not there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::account::{Accounts, Columns, Extra, Kept, Rebuilt};
use super::cursor::{Cursor, Position};
use super::{Replay, ReplayError};
use crate::credit::{AccountId, Amount, BucketId, Class, Kind, Standing};
use crate::seam::Timestamp;

/// The format that is read and written.
const VERSION: u32 = 1;

/// Why a replay was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The files contradict themselves: who goes on from there would not know.
    #[error("the replay was not saved: the files contradict themselves")]
    Doubtful,
    /// The system says so.
    #[error("the replay was not saved: {0}: {1}")]
    Io(PathBuf, io::Error),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    object: String,
    version: u32,
    ledger: String,
    folders: Vec<Position>,
    accounts: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    account: AccountId,
    sequence: u64,
    buckets: Vec<Bucket>,
}

/// Id, kind, class, priority, effective, expires, standing; granted, available, spent, expired, voided; and what
/// few have.
#[derive(Debug, Serialize, Deserialize)]
struct Bucket(
    BucketId,
    Kind,
    Class,
    u8,
    Timestamp,
    Option<Timestamp>,
    Standing,
    Amount,
    Amount,
    Amount,
    Amount,
    Amount,
    Option<Box<Extra>>,
);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    crc32: String,
}

/// A replay that was read from a file.
#[derive(Debug)]
pub struct Saved {
    path: PathBuf,
    head: Head,
    accounts: BTreeMap<AccountId, Rebuilt>,
}

impl Saved {
    /// The ledger's epoch.
    #[must_use]
    pub fn ledger(&self) -> &str {
        &self.head.ledger
    }

    /// Reads a saved replay.
    ///
    /// # Errors
    /// When it cannot be read, is none, is of another version or is damaged; each by name.
    pub fn read(path: &Path) -> Result<Self, ReplayError> {
        let failed = |error| ReplayError::Io(path.to_owned(), error);
        let damaged = |what: &str| {
            let why = format!("{} is damaged: {what}; start from the beginning", path.display());
            ReplayError::Other(why)
        };
        let mut reader = Summed::new(BufReader::new(File::open(path).map_err(failed)?));
        let (line, _) = reader.line().map_err(failed)?;
        let known: Result<serde_json::Value, _> = serde_json::from_slice(&line);
        if known.is_ok_and(|head| head["object"] == "replay" && head["version"] != VERSION) {
            let why = format!("{} was saved by another version", path.display());
            return Err(ReplayError::Other(why));
        }
        let head: Head = serde_json::from_slice(&line).map_err(|_| damaged("it has no head"))?;
        if head.object != "replay" {
            return Err(damaged("it is no saved replay"));
        }
        let mut accounts = BTreeMap::new();
        for _ in 0..head.accounts {
            let (line, _) = reader.line().map_err(failed)?;
            let read: Line =
                serde_json::from_slice(&line).map_err(|_| damaged("an account is not whole"))?;
            accounts.insert(read.account, rebuilt(read.sequence, read.buckets));
        }
        let (line, sum) = reader.line().map_err(failed)?;
        let tail: Tail = serde_json::from_slice(&line).map_err(|_| damaged("it has no end"))?;
        let (more, _) = reader.line().map_err(failed)?;
        if tail.crc32 != format!("{sum:08x}") || !more.is_empty() {
            return Err(damaged("its checksum does not fit"));
        }
        Ok(Self { path: path.to_owned(), head, accounts })
    }

    /// Brings every folder to where it ended.
    pub(super) fn resume(
        self,
        ledger: &str,
        cursors: &mut [Cursor],
    ) -> Result<Accounts, ReplayError> {
        let name = self.path.display();
        let refuse = |why: String| Err(ReplayError::Other(format!("{name}: {why}")));
        if self.head.ledger != ledger {
            return refuse(format!("it is of the ledger {}, not {ledger}", self.head.ledger));
        }
        for position in &self.head.folders {
            let own = cursors.iter_mut().find(|cursor| cursor.set() == position.set);
            let Some(cursor) = own else {
                let set = &position.set;
                return refuse(format!("no folder has its set of files, {set:?}"));
            };
            if let Err(why) = cursor.resume(position) {
                return refuse(format!("it does not fit the files: {why}"));
            }
        }
        let mut accounts = Accounts::default();
        for (account, rebuilt) in self.accounts {
            accounts.put(account, rebuilt);
        }
        Ok(accounts)
    }
}

fn rebuilt(sequence: u64, buckets: Vec<Bucket>) -> Rebuilt {
    let kept = |bucket: Bucket| {
        let Bucket(id, kind, class, priority, effective, expires, standing, ..) = bucket;
        let Bucket(.., granted, available, spent, expired, voided, extra) = bucket;
        let columns = Columns { granted, available, spent, expired, voided };
        (id, Kept { kind, class, priority, effective, expires, standing, columns, extra })
    };
    Rebuilt { sequence, buckets: buckets.into_iter().map(kept).collect() }
}

/// A reader of lines that keeps a checksum of those before the last one.
struct Summed<R> {
    reader: R,
    hasher: crc32fast::Hasher,
}

impl<R: BufRead> Summed<R> {
    fn new(reader: R) -> Self {
        Self { reader, hasher: crc32fast::Hasher::new() }
    }

    /// The next line, and the checksum of all before it.
    fn line(&mut self) -> io::Result<(Vec<u8>, u32)> {
        let sum = self.hasher.clone().finalize();
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        self.hasher.update(&line);
        Ok((line, sum))
    }
}

/// Writes what was replayed: beside the file first, which it then replaces.
pub(super) fn save(replay: &Replay, path: &Path) -> Result<(), SaveError> {
    if !replay.faults.is_empty() {
        return Err(SaveError::Doubtful);
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = write(replay, &new).and_then(|()| std::fs::rename(&new, path)).and_then(|()| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    });
    written.map_err(|error| SaveError::Io(path.to_owned(), error))
}

fn write(replay: &Replay, path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.create(true).write(true).truncate(true).mode(0o600).open(path)?;
    let mut out = BufWriter::new(file);
    let mut hasher = crc32fast::Hasher::new();
    let mut put = |what: Vec<u8>, out: &mut BufWriter<File>| {
        let mut what = what;
        what.push(b'\n');
        hasher.update(&what);
        out.write_all(&what)
    };
    let folders = replay.cursors.iter().map(Cursor::position).collect::<io::Result<_>>()?;
    let accounts = u64::try_from(replay.accounts.latest().count()).unwrap_or(u64::MAX);
    let (object, ledger) = ("replay".to_owned(), replay.ledger.clone());
    let head = Head { object, version: VERSION, ledger, folders, accounts };
    put(serde_json::to_vec(&head)?, &mut out)?;
    for (account, rebuilt) in replay.accounts.latest() {
        let buckets = rebuilt.buckets.iter().map(bucket).collect();
        let line = Line { account: account.clone(), sequence: rebuilt.sequence, buckets };
        put(serde_json::to_vec(&line)?, &mut out)?;
    }
    let tail = Tail { crc32: format!("{:08x}", hasher.finalize()) };
    out.write_all(&serde_json::to_vec(&tail)?)?;
    out.write_all(b"\n")?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn bucket((id, kept): (&BucketId, &Kept)) -> Bucket {
    let Columns { granted, available, spent, expired, voided } = kept.columns;
    Bucket(
        id.clone(),
        kept.kind.clone(),
        kept.class,
        kept.priority,
        kept.effective,
        kept.expires,
        kept.standing,
        granted,
        available,
        spent,
        expired,
        voided,
        kept.extra.clone(),
    )
}
