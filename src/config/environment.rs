//! What a configuration refers to outside its file.

use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a secret's or certificate's file that are read.
const FILE_MAX: u64 = 1 << 20;

/// Where secrets, certificates and the number of cores come from.
pub trait Environment {
    /// The value of an environment variable; `None`: not set, or not Unicode.
    fn variable(&self, name: &str) -> Option<String>;

    /// The contents of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than 1 MiB.
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// How many cores there are.
    fn cores(&self) -> usize;

    /// Whether files are only assumed to be there, so that what is in them says nothing.
    fn assumes(&self) -> bool {
        false
    }
}

/// The process's own environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Environment for System {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_MAX) {
            Ok(bytes)
        } else {
            Err(io::Error::other("larger than 1 MiB"))
        }
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

/// What every secret is then: a token that is long enough, a credential, and the URL of a Redis.
const ASSUMED: &str = "redis://assumed-and-surely-long-enough";

/// An environment in which every variable is set and every file is there: for checking a file where its
/// secrets are not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Assumed;

impl Environment for Assumed {
    fn variable(&self, _name: &str) -> Option<String> {
        Some(ASSUMED.to_owned())
    }

    fn file(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(ASSUMED.as_bytes().to_vec())
    }

    fn cores(&self) -> usize {
        1
    }

    fn assumes(&self) -> bool {
        true
    }
}
