//! The few things that we ask of a disk beside the embedded store's own file, as a trait, so that a test
//! can make the n-th of them fail.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Opens, reads and replaces files.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens `path` for appending and creates it, for its owner only, if it is not there.
    ///
    /// # Errors
    /// As the system says.
    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// The whole content of `path`; empty if there is no such file.
    ///
    /// # Errors
    /// As the system says, but never `NotFound`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Puts `content` in the place of `path` so that a reader sees the old or the new, never a part.
    ///
    /// # Errors
    /// As the system says; the old content is then still there.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// The names of the files in `folder` that begin with `prefix`, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &Path, prefix: &str) -> io::Result<Vec<PathBuf>>;

    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// A new file in `folder` that has no name: it is gone once it is dropped, however this process ends.
    ///
    /// # Errors
    /// As the system says.
    fn scratch(&self, folder: &Path) -> io::Result<Box<dyn ScratchFile>>;

    /// What is another word after each start of the machine: what was not synced may be lost between two.
    ///
    /// # Errors
    /// When the system does not say; nothing unsynced may be relied upon then.
    fn boot(&self) -> io::Result<String>;
}

/// A file that only grows.
pub trait AppendFile: Send + fmt::Debug {
    /// Writes all of `bytes` at the end. They survive the end of this process, not a loss of power.
    ///
    /// # Errors
    /// As the system says; a part of `bytes` may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A file that is written, read back and forgotten.
pub trait ScratchFile: Send + fmt::Debug {
    /// Writes all of `bytes` at the end.
    ///
    /// # Errors
    /// As the system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads as many bytes as `into` has, from `offset` on.
    ///
    /// # Errors
    /// As the system says; `UnexpectedEof` if there are not so many.
    fn read_exact_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    }

    fn list(&self, folder: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path());
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn scratch(&self, folder: &Path) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(tempfile::tempfile_in(folder)?))
    }

    fn boot(&self) -> io::Result<String> {
        Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
    }
}

impl AppendFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

impl ScratchFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn read_exact_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, into, offset)
    }
}
