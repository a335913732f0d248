//! Floor 6: the commands, one file each.
//!
//! Invariant: a command prints what was asked for to stdout and everything else to stderr; a reader that
//! goes away is no error.

mod check;
mod output;
mod schema;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A metering reverse proxy for AI generation APIs.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a configuration file and says everything that is wrong with it.
    Check(check::Check),
    /// Prints the JSON Schema of configuration files.
    Schema(schema::Schema),
}

impl Cli {
    /// Does what was asked; 0: done, 1: not.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        match &self.command {
            Command::Check(check) => check.run(),
            Command::Schema(schema) => schema.run(),
        }
    }
}
