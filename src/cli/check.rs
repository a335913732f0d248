//! `tollgate check`: is this file a configuration?

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::output::{print, warn};
use crate::config::{Assumed, Environment, Problem, Settings, System, load_with};

/// Checks a configuration file.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Warnings fail the check.
    #[arg(long)]
    deny_warnings: bool,
    /// Takes every secret and file that it refers to as given, as where it is reviewed and not run.
    #[arg(long)]
    without_secrets: bool,
}

impl Check {
    /// Accepts, or fails with the report on stderr.
    pub(super) fn run(self) -> Result<(), Failure> {
        let environment: &dyn Environment = if self.without_secrets { &Assumed } else { &System };
        match load_with(&self.file, environment) {
            Ok((settings, warnings)) => self.accept(&settings, &warnings),
            Err(report) => {
                warn(&format!("{report}\n"));
                Err(Failure::failed(""))
            }
        }
    }

    fn accept(&self, settings: &Settings, warnings: &[Problem]) -> Result<(), Failure> {
        for warning in warnings {
            warn(&format!("{warning}\n"));
        }
        if self.deny_warnings && !warnings.is_empty() {
            let count = counted(warnings.len(), "warning");
            return Err(Failure::failed(format!("{count}, which --deny-warnings refuses")));
        }
        let rules = &settings.rules;
        let (routes, plans) = (rules.routes.len(), rules.plans.len());
        let (routes, plans) = (counted(routes, "route"), counted(plans, "plan"));
        print(&format!(
            "{}: ok, {routes}, {plans}, revision {}\n",
            self.file.display(),
            rules.revision
        ))
    }
}

/// `1 route`, `2 routes`.
fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
