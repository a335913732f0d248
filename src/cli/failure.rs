//! Why a command failed, and the exit code that says so.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// A command that failed. The message says what to do next; empty: that has been said already.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    Usage,
    Temporary,
    Configuration,
    ReaderLeft,
}

impl Failure {
    /// It did not work, and will not work by itself.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into() }
    }

    /// It was asked in a way that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    /// It may work later.
    pub fn temporary(message: impl Into<String>) -> Self {
        Self { kind: Kind::Temporary, message: message.into() }
    }

    /// The configuration does not allow it.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { kind: Kind::Configuration, message: message.into() }
    }

    /// The exit code: as `sysexits.h` has them.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.kind {
            Kind::ReaderLeft => 0,
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Temporary => 75,
            Kind::Configuration => 78,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self { kind: Kind::ReaderLeft, message: String::new() }
        } else {
            Self::failed(error.to_string())
        }
    }
}

/// Says why on the error stream, and gives the exit code.
pub(super) fn code(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    if !failure.message.is_empty() {
        // If even this cannot be written, the code still tells.
        drop(writeln!(io::stderr().lock(), "tollgate: {failure}"));
    }
    ExitCode::from(failure.code())
}
