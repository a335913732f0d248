//! The demo's configuration: `config/demo.yaml`, written into a temporary folder with secrets of this run.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tempfile::TempDir;

use super::upstream::SECRET;
use crate::cli::Failure;
use crate::cli::output::warn;
use crate::config::{Settings, load};
use crate::seam::{Disk, Entropy, SystemDisk, SystemEntropy};

/// The configuration, with the address that the sample upstream has when it is run by hand.
const YAML: &str = include_str!("../../../config/demo.yaml");
/// That address, which gives way to the real one.
const UPSTREAM: &str = "http://127.0.0.1:9090";
/// How many random bytes the admin token has.
const TOKEN_BYTES: usize = 24;
/// The file that holds it, as the configuration calls it.
const TOKEN_FILE: &str = "admin-token";

/// A temporary folder with the configuration, its secrets and, later, the ledger.
#[derive(Debug)]
pub(super) struct Folder {
    folder: TempDir,
    token: String,
}

impl Folder {
    /// A new folder for an upstream at `upstream`.
    pub(super) fn make(upstream: &str) -> Result<Self, Failure> {
        let mut random = [0; TOKEN_BYTES];
        SystemEntropy.fill(&mut random)?;
        let token = HEXLOWER.encode(&random);
        let folder = tempfile::Builder::new().prefix("tollgate-demo-").tempdir()?;
        let yaml = YAML.replace(UPSTREAM, upstream);
        // `append` makes files for their owner only.
        let write = |name: &str, text: &str| {
            SystemDisk.append(&folder.path().join(name))?.append(text.as_bytes())
        };
        write(TOKEN_FILE, &token)?;
        write("upstream-secret", SECRET)?;
        write("demo.yaml", &yaml)?;
        Ok(Self { folder, token })
    }

    /// What operators must show.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Where that lies for commands to read.
    pub(super) fn token_file(&self) -> PathBuf {
        self.folder.path().join(TOKEN_FILE)
    }

    /// The settings that the folder's file gives.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        settings_of(&self.folder.path().join("demo.yaml"))
    }
}

/// The settings that a file gives; its warnings are said.
pub(in crate::cli) fn settings_of(path: &Path) -> Result<Settings, Failure> {
    match load(path) {
        Ok((settings, warnings)) => {
            warnings.iter().for_each(|warning| warn(&format!("{warning}\n")));
            Ok(settings)
        }
        Err(report) => {
            warn(&format!("{report}\n"));
            Err(Failure::configuration(""))
        }
    }
}
