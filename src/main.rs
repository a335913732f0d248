//! The `tollgate` program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tollgate::cli::Cli::parse().run()
}
