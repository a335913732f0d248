//! The clock of a ledger that was made for tests: the machine's, set forward by operators.
//!
//! How far it is ahead lies in a file of the instance's folder, so that a restart does not turn time back.
//!
//! Invariant: it only goes forward, and only where the ledger is for tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::admin::Advance;
use crate::seam::TestClock;

/// The file's name.
const FILE: &str = "test-clock";

/// The clock as it was left in the folder.
pub(super) fn open(folder: &Path) -> io::Result<Arc<TestClock>> {
    let file = folder.join(FILE);
    let ahead = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map_err(|_| unread(&file))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(Arc::new(TestClock::ahead(ahead)))
}

fn unread(file: &Path) -> io::Error {
    io::Error::other(format!("{} is no number of milliseconds", file.display()))
}

/// How operators set it forward: first the file, then the clock.
pub(super) fn advance(clock: Arc<TestClock>, folder: &Path) -> Advance {
    let file: PathBuf = folder.join(FILE);
    Arc::new(move |ms| {
        let ahead = clock.ahead_ms().saturating_add(ms);
        let new = file.with_extension("new");
        std::fs::write(&new, ahead.to_string()).and_then(|()| std::fs::rename(&new, &file))?;
        clock.advance(ms);
        Ok(())
    })
}
