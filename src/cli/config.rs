//! `tollgate config`: the configuration of a running server.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::Failure;
use super::output::{Column, warn};
use super::remote::Remote;

/// Show which configuration a running server goes by, or have it read again
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Example:
  tollgate config reload")]
pub(super) enum Config {
    /// Show the revision that is in force; each charge keeps the one that it was made with
    #[command(after_help = "\
Example:
  tollgate config show -o json")]
    Show {
        #[command(flatten)]
        remote: Remote,
    },
    /// Read the file again: on the whole instance, or not at all
    #[command(after_help = "\
A file that is wrong changes nothing. What only a restart can change is refused by name.

Example:
  tollgate config reload")]
    Reload {
        #[command(flatten)]
        remote: Remote,
    },
}

const COLUMNS: &[Column] = &[("revision", "/revision"), ("changed", "/changed")];

impl Config {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Show { remote } => {
                let answer = remote.ask(Method::GET, "/config", None)?;
                remote.output.object(&answer, COLUMNS)
            }
            Self::Reload { remote } => {
                let answer = remote.ask(Method::POST, "/config/reload", Some(&json!({})))?;
                for warning in answer["warnings"].as_array().into_iter().flatten() {
                    warn(&format!("{}\n", warning.as_str().unwrap_or_default()));
                }
                remote.output.object(&answer, COLUMNS)
            }
        }
    }
}
