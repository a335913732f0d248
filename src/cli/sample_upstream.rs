//! `tollgate sample-upstream`: the demo's upstream as a process of its own, for tests that kill things.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::demo::upstream::{Options, SampleUpstream};
use super::output::print;

/// Run the sample upstream alone; its address is the first line that it prints
#[derive(Args, Debug)]
pub(super) struct Sample {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A file that gets one line of JSON for each unit of work, when it has ended
    #[arg(long)]
    log: Option<PathBuf>,
    /// Refuse requests without the sample's own credential
    #[arg(long)]
    check_secret: bool,
}

impl Sample {
    pub(super) fn run(self) -> Result<(), Failure> {
        let options = Options { check_secret: self.check_secret, log: self.log };
        let upstream = SampleUpstream::start(self.listen, &options).map_err(|error| {
            Failure::failed(format!("cannot listen on {}: {error}", self.listen))
        })?;
        print(&format!("{}\n", upstream.addr))?;
        Ok(upstream.wait()?)
    }
}
