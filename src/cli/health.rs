//! `tollgate health`: whether a server is up and can serve; for containers' health checks.

use clap::Args;

use super::Failure;
use super::output::print;
use super::remote::Remote;

/// Ask a running server whether it is ready; needs no token
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 ready, 1 not ready, 75 no server.

Example:
  tollgate health")]
pub(super) struct Health {
    #[command(flatten)]
    remote: Remote,
}

impl Health {
    pub(super) fn run(self) -> Result<(), Failure> {
        let answer = self.remote.look("/readyz")?;
        if answer.status.is_success() {
            return print("ready\n");
        }
        let body = answer.json();
        let why = body["detail"].as_str().unwrap_or("the server does not say why");
        Err(Failure::failed(format!("not ready: {why}")))
    }
}
