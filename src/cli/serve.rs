//! `tollgate serve`: the proxy.

use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// What is logged unless `TOLLGATE_LOG` says otherwise.
const LEVEL: &str = "info";

/// Run the proxy; SIGHUP reads its configuration again, SIGTERM drains
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tollgate serve --config tollgate.yaml")]
pub(super) struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        crate::telemetry::start(LEVEL);
        let settings = super::demo::settings_of(&self.config)?;
        Ok(crate::serve::run(settings, Some(self.config))?)
    }
}
