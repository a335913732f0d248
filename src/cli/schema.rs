//! `tollgate schema`: what a configuration may say, for editors.

use std::process::ExitCode;

use clap::Args;

use super::output::say;

/// Prints the JSON Schema of configuration files.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    /// Prints it.
    pub(super) fn run(&self) -> ExitCode {
        say(&crate::config::schema())
    }
}
