//! Files whose content has to survive a loss of power, as a trait, so that a test can make the n-th step
//! fail, or lose what was not synced.
//!
//! Invariant: what `sync` or `replace` has answered `Ok` to is on the disk.

use std::any::Any;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A folder's files, written so that they last.
pub trait Vault: Send + Sync + fmt::Debug {
    /// Makes `folder` if it is not there, for its owner only, and keeps every other process from writing
    /// there until the answer is dropped. `None`: another one does.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>>;

    /// The whole content of `path`; `None`: there is no such file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Puts `content` in the place of `path`, synced, and syncs the folder: a reader sees the old or the
    /// new, after a loss of power too.
    ///
    /// # Errors
    /// As the system says; either content may be there then.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// The names of the files in `folder`, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// How long a file is; `None`: there is no such file.
    ///
    /// # Errors
    /// As the system says.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Opens `path` for its owner only, making it if it is not there, and cuts it to `length`.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn LastingFile>>;

    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that grows.
pub trait LastingFile: Send + Sync + fmt::Debug {
    /// Writes all of `bytes` at the end.
    ///
    /// # Errors
    /// As the system says; a part of `bytes` may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Puts all that was appended on the disk.
    ///
    /// # Errors
    /// As the system says; nothing that was appended since the last sync may be relied upon then, nor may
    /// a later sync of the same file.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemVault;

/// The file by which a folder is locked.
const LOCK: &str = "lock";

/// Gives the lock back when it goes. To close the file is not enough: a process that is being started has it open too, until
/// it runs its own program.
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // The system gives it back in the end, whatever happens here.
        drop(self.0.unlock());
    }
}

impl Vault for SystemVault {
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        let file = owners().create(true).write(true).truncate(false).open(folder.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Locked(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        unless_missing(std::fs::read(path))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        // Always the same name: what a crash leaves behind is taken up by the next.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = owners().create(true).write(true).truncate(true).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(folder_of(path))?.sync_all()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut found = entries.collect::<io::Result<Vec<_>>>()?;
        found.sort_unstable();
        Ok(found)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(unless_missing(std::fs::metadata(path))?.map(|known| known.len()))
    }

    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn LastingFile>> {
        let file = owners().append(true).create(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()?;
        File::open(folder_of(path))?.sync_all()?;
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        unless_missing(std::fs::remove_file(path)).map(drop)
    }
}

impl LastingFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn owners() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn unless_missing<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_starts_keeps_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let others = crate::seam::thread("others", || {
            (0..200).for_each(|_| assert!(Command::new("true").status().unwrap().success()));
        });
        let others = others.unwrap();
        let mut locked = 0;
        while !others.is_finished() {
            assert!(SystemVault.lock(folder.path()).unwrap().is_some(), "after {locked} times");
            locked += 1;
        }
        others.join().unwrap();
        assert!(locked > 200, "{locked}");
        let kept = SystemVault.lock(folder.path()).unwrap();
        assert!(kept.is_some() && SystemVault.lock(folder.path()).unwrap().is_none());
    }
}
