//! `tollgate schema`: what a configuration may say, for editors.

use clap::Args;

use super::Failure;
use super::output::print;

/// Prints the JSON Schema of configuration files.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    /// Prints it.
    pub(super) fn run(self) -> Result<(), Failure> {
        print(&crate::config::schema())
    }
}
