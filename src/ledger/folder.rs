//! An instance's own folder, examined: whether it can be written, and whether there is room.
//!
//! Invariant: an examination writes nothing.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;
use crate::seam::{Clock, Timestamp};

/// Free space below which something should be done, and below which nothing should be begun, in bytes.
const LITTLE: u64 = 1 << 30;
const TOO_LITTLE: u64 = 64 << 20;
/// What a file of the embedded store begins with.
const MAGIC: &[u8; 4] = b"redb";
/// A file that was written so much later than now was written by a clock that has been set back.
const SKEW_MS: u64 = 60_000;

/// Looks at an instance's folder.
#[must_use]
pub fn examine_folder(folder: &Path) -> Vec<Finding> {
    let name = folder.display().to_string();
    let mut found = vec![match nearest(folder) {
        Some(there) if access(&there, Access::WRITE_OK | Access::EXEC_OK).is_err() => {
            let advice = "let the user that runs tollgate write there";
            Finding::error("folder_closed", &name, "it cannot be written", advice)
        }
        Some(there) if there != folder => Finding::ok("folder", &name, "it will be made"),
        _ => Finding::ok("folder", &name, "it can be written"),
    }];
    found.push(match nearest(folder).map(statvfs) {
        Some(Ok(disk)) => space(&name, disk.f_bavail.saturating_mul(disk.f_frsize)),
        _ => {
            let advice = "is its file system mounted?";
            Finding::warning("unknown_space", &name, "free space is unknown", advice)
        }
    });
    found
}

/// Looks at the embedded store's file, without opening the store: another process may have it.
#[must_use]
pub fn examine_file(file: &Path, clock: &dyn Clock) -> Vec<Finding> {
    let name = file.display().to_string();
    match head(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            vec![Finding::ok("ledger", &name, "there is none yet; `tollgate serve` makes it")]
        }
        Err(error) => {
            let advice = "let the user that runs tollgate read it; is the disk well?";
            vec![Finding::error("unreadable", &name, error.to_string(), advice)]
        }
        Ok((head, about)) if head == *MAGIC => {
            vec![
                Finding::ok("ledger", &name, format!("{} KiB", about.len().div_ceil(1_024))),
                written(&name, &about, clock.now()),
            ]
        }
        Ok(_) => {
            let advice = "restore it from a copy, or name another folder in `store`";
            vec![Finding::error("not_a_ledger", &name, "it is no ledger", advice)]
        }
    }
}

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> Option<PathBuf> {
    let above = |path: &&Path| if path.as_os_str().is_empty() { true } else { path.exists() };
    let found = folder.ancestors().find(above)?;
    Some(if found.as_os_str().is_empty() { PathBuf::from(".") } else { found.to_owned() })
}

fn space(name: &str, free: u64) -> Finding {
    let found = format!("{} MiB free", free >> 20);
    let advice = "make room, or move the folder: a full disk stops all requests";
    match free {
        ..TOO_LITTLE => Finding::error("disk_full", name, found, advice),
        TOO_LITTLE..LITTLE => Finding::warning("disk_nearly_full", name, found, advice),
        _ => Finding::ok("space", name, found),
    }
}

fn head(file: &Path) -> io::Result<([u8; 4], Metadata)> {
    let mut file = File::open(file)?;
    let mut head = [0; 4];
    match file.read_exact(&mut head) {
        // Shorter than its head: no ledger, but readable.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => head = [0; 4],
        result => result?,
    }
    Ok((head, file.metadata()?))
}

fn written(name: &str, about: &Metadata, now: Timestamp) -> Finding {
    let seconds = u64::try_from(about.mtime()).unwrap_or(0);
    let last = Timestamp(seconds.saturating_mul(1_000));
    if last.ms_since(now) > SKEW_MS {
        let found = format!("the ledger was written at {last}, which is still to come");
        let advice = "set this machine's clock right, by NTP";
        return Finding::warning("clock_behind", name, found, advice);
    }
    Finding::ok("clock", name, format!("the ledger was last written at {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::finding::Level;
    use crate::seam::SimulatedClock;

    fn codes(found: &[Finding]) -> Vec<(Level, &'static str)> {
        found.iter().map(|finding| (finding.level, finding.code)).collect()
    }

    #[test]
    fn folders_and_their_space() {
        let folder = tempfile::tempdir().unwrap();
        let found = examine_folder(folder.path());
        assert_eq!((found.len(), found[0].code, found[0].level), (2, "folder", Level::Ok));
        let inner = folder.path().join("not/there");
        assert_eq!(examine_folder(&inner)[0].found, "it will be made");
        assert!(!inner.exists(), "nothing is made");
        assert_eq!(examine_folder(Path::new("relative"))[0].level, Level::Ok);
        let levels = [(0, Level::Error), (TOO_LITTLE, Level::Warning), (LITTLE, Level::Ok)];
        for (free, level) in levels {
            assert_eq!(space("x", free).level, level, "{free}");
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.redb");
        let late = SimulatedClock::at(Timestamp(4_000_000_000_000));
        let early = SimulatedClock::at(Timestamp(1_000_000_000_000));
        assert_eq!(codes(&examine_file(&file, &late)), [(Level::Ok, "ledger")]);
        assert!(!file.exists(), "nothing is made");
        for text in ["", "no", "nothing of ours"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(codes(&examine_file(&file, &late)), [(Level::Error, "not_a_ledger")]);
        }
        std::fs::write(&file, b"redb and so on").unwrap();
        assert_eq!(
            codes(&examine_file(&file, &late)),
            [(Level::Ok, "ledger"), (Level::Ok, "clock")]
        );
        assert_eq!(codes(&examine_file(&file, &early))[1], (Level::Warning, "clock_behind"));
        let found = examine_file(folder.path(), &late);
        assert_eq!(codes(&found), [(Level::Error, "unreadable")]);
    }
}
