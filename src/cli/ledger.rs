//! `tollgate ledger`: the ledger as a whole.
//!
//! Invariant: no other command makes a ledger in Redis.

use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use super::demo::settings_of;
use super::output::print;
use super::remote::wait_for;
use crate::config::StoreSettings;
use crate::ledger::redis::{CreateError, create};
use crate::seam::{SystemClock, SystemEntropy};

/// Make a ledger
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  tollgate ledger create --config tollgate.yaml")]
pub(super) enum Ledger {
    /// Make the ledger in Redis, once, before the first server starts
    ///
    /// A server never makes one: an empty store where a ledger was is refused, never taken for zero balances.
    #[command(after_help = "\
Exit codes: 0 made; 1 there is one already, or what is left of one; 75 no answer; 78 configuration.")]
    Create {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Make it for tests: its clock may be set, so no money belongs into it
        #[arg(long)]
        for_tests: bool,
    },
}

impl Ledger {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Create { config, for_tests } = self;
        match settings_of(&config)?.store {
            StoreSettings::Embedded { .. } => Err(Failure::usage(
                "an embedded ledger is made by `tollgate serve`: there is nothing to create",
            )),
            StoreSettings::Redis { redis, .. } => {
                let made = wait_for(create(&redis, for_tests, &SystemClock, &SystemEntropy))?;
                print(&format!("made the ledger {}\n", made?))
            }
        }
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Refused(_) => Self::failed(error.to_string()),
            CreateError::Unreachable(_) => Self::temporary(error.to_string()),
        }
    }
}
