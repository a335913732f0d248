//! `tollgate account restrict`: keeping an account from spending until a moment.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::Failure;
use super::account::{SHOWN, members};
use super::remote::{Once, Remote};
use super::who::Who;

#[derive(Args, Debug)]
pub(super) struct Restrict {
    /// Which account
    account: Who,
    /// Until when it may not spend, such as 2026-12-22T00:00:00Z
    #[arg(long, value_name = "TIME", required_unless_present = "lift", requires = "reason")]
    until: Option<String>,
    /// Let it spend again now
    #[arg(long, conflicts_with = "until")]
    lift: bool,
    /// Why; the customer reads it
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

impl Restrict {
    pub(super) fn run(self) -> Result<(), Failure> {
        let given = [("restricted_until", self.until.as_ref()), ("reason", self.reason.as_ref())];
        let mut body = members(&given);
        if self.lift {
            body["restricted_until"] = Value::Null;
        }
        let path = self.account.path("");
        let answer = self.remote.write(Method::PATCH, &path, &body, &self.once)?;
        self.remote.output.object(&answer, SHOWN)
    }
}
