//! `tollgate preset`: the presets that are built in.

use clap::Args;

use super::Failure;
use super::output::print;
use crate::config::presets;

/// Lists the presets that a configuration may `use`, or prints one of them
#[derive(Debug, Args)]
#[command(after_help = "\
A file of the same path beside the configuration goes before the one that is built in: to change a preset, print it
there.

Example:
  tollgate preset apis/replicate.yaml > apis/replicate.yaml")]
pub(super) struct Preset {
    /// The path that `use` names. Default: all are listed.
    #[arg(value_name = "PATH")]
    path: Option<String>,
}

impl Preset {
    /// Prints it.
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(path) = self.path else {
            let lines: String = presets().iter().map(|(path, _)| format!("{path}\n")).collect();
            return print(&lines);
        };
        match presets().iter().find(|(known, _)| *known == path) {
            Some((_, text)) => print(text),
            None => Err(Failure::failed(format!(
                "there is no preset `{path}`: `tollgate preset` lists them all"
            ))),
        }
    }
}
