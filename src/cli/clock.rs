//! `tollgate clock`: the time of a ledger that was made for tests.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::Failure;
use super::output::Column;
use super::remote::{Once, Remote};

/// Show and set the clock of a ledger for tests
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Only where `store.test_clock` is true, which a ledger is made with; time goes forward only.

Example:
  tollgate clock advance 24h")]
pub(super) enum Clock {
    /// Show what time it is there
    #[command(after_help = "Example:\n  tollgate clock show")]
    Show(Show),
    /// Let time pass
    #[command(
        after_help = "Examples:\n  tollgate clock advance 24h\n  tollgate clock advance --to 2027-01-01T00:00:00Z"
    )]
    Advance(Advance),
}

#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct Advance {
    /// For how long, such as 10m, 24h or 7d
    #[arg(required_unless_present = "to", conflicts_with = "to")]
    by: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[("now", "/now")];

impl Clock {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Show(Show { remote }) => {
                let answer = remote.ask(Method::GET, "/test_clock", None)?;
                remote.output.object(&answer, COLUMNS)
            }
            Self::Advance(Advance { by, to, remote }) => {
                let body = match (by, to) {
                    (Some(by), _) => json!({ "by": by }),
                    (None, to) => json!({ "to": to }),
                };
                let path = "/test_clock/advance";
                let answer = remote.write(Method::POST, path, &body, &Once::default())?;
                remote.output.object(&answer, COLUMNS)
            }
        }
    }
}
