//! `tollgate grant void`, `refund`, `reverse`, `expire`, `freeze` and `thaw`: a grant taken back or kept still.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::Failure;
use super::account::members;
use super::output::Column;
use super::remote::{Once, Remote};
use super::who::{Who, escaped};
use crate::credit::BucketId;

/// Which grant, and why.
#[derive(Args, Debug)]
pub(super) struct Act {
    /// Whose grant
    account: Who,
    /// Which grant
    grant: BucketId,
    /// Why, for people
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

/// The same with another end of the grant.
#[derive(Args, Debug)]
pub(super) struct Still {
    #[command(flatten)]
    act: Act,
    /// Another end of the grant [default: as it was]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// The grant does not end by itself any more
    #[arg(long, conflicts_with = "expires_at")]
    no_end: bool,
}

const TAKEN: &[Column] = &[
    ("id", "/grant/id"),
    ("class", "/grant/class"),
    ("standing", "/grant/standing"),
    ("granted", "/grant/granted"),
    ("spent", "/grant/spent"),
    ("expired", "/grant/expired"),
    ("voided", "/grant/voided"),
    ("bonus voided", "/bonus/voided"),
    ("still held", "/held"),
    ("money", "/money/amount"),
    ("currency", "/money/currency"),
    ("owed", "/owed"),
];
const STILL: &[Column] = &[
    ("id", "/id"),
    ("class", "/class"),
    ("standing", "/standing"),
    ("available", "/available"),
    ("held", "/held"),
    ("expires", "/expires_at"),
];

impl Act {
    fn ask(&self, verb: &str, body: &Value) -> Result<Value, Failure> {
        let path = self.account.path(&format!("/grants/{}/{verb}", escaped(self.grant.as_str())));
        self.remote.write(Method::POST, &path, body, &self.once)
    }

    pub(super) fn run(self, verb: &str) -> Result<(), Failure> {
        let answer = self.ask(verb, &members(&[("reason", Some(&self.reason))]))?;
        self.remote.output.object(&answer, TAKEN)
    }
}

impl Still {
    pub(super) fn run(self, verb: &str) -> Result<(), Failure> {
        let given = [("reason", Some(&self.act.reason)), ("expires_at", self.expires_at.as_ref())];
        let mut body = members(&given);
        if self.no_end {
            body["expires_at"] = Value::Null;
        }
        let answer = self.act.ask(verb, &body)?;
        self.act.remote.output.object(&answer, STILL)
    }
}
