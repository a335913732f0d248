//! What a command says.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Writes to stdout. A reader that went away has read enough.
pub(super) fn say(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("error: cannot write: {error}\n")),
    }
}

/// Writes to stderr; the command has failed.
pub(super) fn complain(text: &str) -> ExitCode {
    warn(text);
    ExitCode::FAILURE
}

/// Writes to stderr. There is nobody to tell if that fails.
pub(super) fn warn(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
