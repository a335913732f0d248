//! A folder of exported files: which there are, and how much of them counts.
//!
//! Invariant: what lies behind the checkpoint of an exporter is not read: it may be cut.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults, Place};

const CHECKPOINT: &str = "checkpoint.json";
const PREFIX: &str = "ledger-";
const ENDING: &str = ".ndjson";
/// The longest checkpoint that is read, in bytes: it names what waits in 1,024 partitions.
const CHECKPOINT_MAX: u64 = 256 << 20;

/// What an exporter says of its files. Only what a reader needs is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Counted {
    /// Names the set of files.
    pub(super) set: String,
    /// The ledger's epoch.
    pub(super) epoch: String,
    /// The number of the file that is written.
    pub(super) file: u64,
    /// How much of it counts.
    pub(super) length: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) files: BTreeMap<u64, Arc<Path>>,
    /// `None`: there is no checkpoint, as in a copy of older files.
    pub(super) counted: Option<Counted>,
}

impl Folder {
    /// Looks at a folder. The checkpoint is read first: files that come later are behind it.
    pub(super) fn look(folder: &Path, faults: &mut Faults) -> io::Result<Self> {
        let path = folder.join(CHECKPOINT);
        let counted = match read_small(&path)? {
            None => None,
            Some(bytes) => match serde_json::from_slice::<Counted>(&bytes) {
                Ok(counted) => Some(counted),
                Err(error) => {
                    let place = Place { file: path.into(), line: 0 };
                    let why = format!("the checkpoint is not understood: {error}");
                    faults.add(Fault::at("broken_checkpoint", place, why));
                    None
                }
            },
        };
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path: PathBuf = entry?.path();
            if let Some(number) = number(&path) {
                files.insert(number, Arc::from(path));
            }
        }
        Ok(Self { files, counted })
    }

    /// The number of the last file that counts; 0: there is none.
    pub(super) fn last(&self) -> u64 {
        let listed = self.files.keys().next_back().copied().unwrap_or(0);
        self.counted.as_ref().map_or(listed, |counted| counted.file)
    }

    /// How much of a file counts, where its length does not say.
    pub(super) fn limit(&self, number: u64) -> Option<u64> {
        self.counted.as_ref().filter(|counted| counted.file == number).map(|it| it.length)
    }
}

fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(CHECKPOINT_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Where a file of this number lies.
pub(super) fn path(folder: &Path, number: u64) -> Arc<Path> {
    folder.join(format!("{PREFIX}{number:012}{ENDING}")).into()
}

fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?.parse().ok()
}
