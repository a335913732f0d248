//! `tollgate schema`: what a configuration may say, for editors.

use clap::Args;

use super::Failure;
use super::output::print;

/// Prints the JSON Schema of configuration files.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// The schema of presets instead.
    #[arg(long)]
    preset: bool,
}

impl Schema {
    /// Prints it.
    pub(super) fn run(self) -> Result<(), Failure> {
        let schema = if self.preset { crate::config::preset_schema } else { crate::config::schema };
        print(&schema())
    }
}
