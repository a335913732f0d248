//! `tollgate key`: keys of accounts.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::account::members;
use super::output::{Column, Format, print};
use super::remote::{Once, Remote};
use super::who::{Query, Who};
use crate::credit::KeyId;

/// Make, import, list, rotate, disable and revoke keys
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate key create acct_maria --label laptop
  tollgate key rotate key_… --grace 1h")]
pub(super) enum Key {
    /// Make a key and print its secret, this once
    #[command(after_help = "\
Examples:
  tollgate key create acct_maria --label laptop
  tollgate key create acct_maria --member ana --routes images
  tollgate key create acct_maria --ends-at 2099-12-31T00:00:00Z --idempotency-key maria-laptop")]
    Create(Create),
    /// Let a key that was made elsewhere speak, by the SHA-256 of its text
    #[command(after_help = "\
Example:
  tollgate key import acct_maria --sha256 $(printf %s \"$OLD_KEY\" | sha256sum | cut -c1-64)")]
    Import(Import),
    /// List an account's keys, the youngest first
    #[command(after_help = "\
Example:
  tollgate key list acct_maria --limit 100")]
    List {
        /// Whose keys
        account: Who,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last key of the page before
        #[arg(long)]
        after: Option<KeyId>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a key; its secret is kept nowhere
    #[command(after_help = "\
Example:
  tollgate key show key_…")]
    Show {
        /// Which key: its id, key_…, not its secret
        key: KeyId,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change a key's label, end, member or routes
    #[command(after_help = "\
Examples:
  tollgate key change key_… --label phone
  tollgate key change key_… --no-end
  tollgate key change key_… --member ana --all-routes")]
    Change(Change),
    /// Make a key in place of another, which ends after a while
    #[command(after_help = "\
Examples:
  tollgate key rotate key_…
  tollgate key rotate key_… --grace 0s -o json")]
    Rotate(Rotate),
    /// Keep a key from speaking until it is enabled again; it binds with the next request
    #[command(after_help = "\
Example:
  tollgate key disable key_…")]
    Disable(One),
    /// Let a disabled key speak again
    #[command(after_help = "\
Example:
  tollgate key enable key_…")]
    Enable(One),
    /// Revoke a key for ever; it binds with the next request
    #[command(after_help = "\
Example:
  tollgate key revoke key_…")]
    Revoke(One),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Whose key
    account: Who,
    /// What people call it
    #[arg(long)]
    label: Option<String>,
    /// When it ends [default: never by itself]
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    /// The member of the account's team whose it is; members may have caps of their own
    #[arg(long)]
    member: Option<String>,
    /// The routes that it may use, with commas between [default: all that the plan allows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    routes: Vec<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct Import {
    /// Whose key
    account: Who,
    /// SHA-256 of the key's whole text, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    sha256: String,
    /// What people call it
    #[arg(long)]
    label: Option<String>,
    /// When it ends [default: never by itself]
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    /// The member of the account's team whose it is; members may have caps of their own
    #[arg(long)]
    member: Option<String>,
    /// The routes that it may use, with commas between [default: all that the plan allows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    routes: Vec<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct Change {
    /// Which key: its id, key_…, not its secret
    key: KeyId,
    /// Its new label
    #[arg(long)]
    label: Option<String>,
    /// When it ends
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    /// It does not end by itself
    #[arg(long, conflicts_with = "ends_at")]
    no_end: bool,
    /// Another member of the account's team whose it is
    #[arg(long)]
    member: Option<String>,
    /// It is no member's any more
    #[arg(long, conflicts_with = "member")]
    no_member: bool,
    /// Other routes that it may use, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    routes: Vec<String>,
    /// It may use all routes that the plan allows
    #[arg(long, conflicts_with = "routes")]
    all_routes: bool,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct Rotate {
    /// Which key: its id, key_…, not its secret
    key: KeyId,
    /// How long the old key still speaks; 0s ends it at once [default: 24h]
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// What people call the new key [default: as the old one]
    #[arg(long)]
    label: Option<String>,
    /// When the new key ends [default: never by itself]
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct One {
    /// Which key: its id, key_…, not its secret
    key: KeyId,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("status", "/status"),
    ("created", "/created"),
    ("ends", "/ends_at"),
    ("member", "/member"),
    ("routes", "/routes"),
    ("label", "/label"),
];
const MADE: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("label", "/label"),
    ("ends", "/ends_at"),
    ("member", "/member"),
    ("routes", "/routes"),
    ("secret", "/secret"),
];
const ROTATED: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("label", "/label"),
    ("ends", "/ends_at"),
    ("replaces", "/replaces/id"),
    ("which is", "/replaces/status"),
    ("until", "/replaces/ends_at"),
    ("secret", "/secret"),
];

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(),
            Self::Import(import) => import.run(),
            Self::List { account, limit, after, remote } => {
                let query = Query::of(account.path("/keys")).page(limit, after);
                remote.output.list(&remote.ask(Method::GET, query.text(), None)?, COLUMNS)
            }
            Self::Show { key, remote } => {
                let answer = remote.ask(Method::GET, &format!("/keys/{key}"), None)?;
                remote.output.object(&answer, COLUMNS)
            }
            Self::Change(change) => change.run(),
            Self::Rotate(rotate) => rotate.run(),
            Self::Disable(one) => one.run("disable"),
            Self::Enable(one) => one.run("enable"),
            Self::Revoke(one) => one.run("revoke"),
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let mut body = members(&[
            ("label", self.label.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
            ("member", self.member.as_ref()),
        ]);
        if !self.routes.is_empty() {
            body["routes"] = json!(self.routes);
        }
        let path = self.account.path("/keys");
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        made(&self.remote, &answer, MADE)
    }
}

impl Import {
    fn run(self) -> Result<(), Failure> {
        let mut body = members(&[
            ("sha256", Some(&self.sha256)),
            ("label", self.label.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
            ("member", self.member.as_ref()),
        ]);
        if !self.routes.is_empty() {
            body["routes"] = json!(self.routes);
        }
        let path = self.account.path("/keys/import");
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        self.remote.output.object(&answer, COLUMNS)
    }
}

impl Change {
    fn run(self) -> Result<(), Failure> {
        let mut body = members(&[
            ("label", self.label.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
            ("member", self.member.as_ref()),
        ]);
        for (taken, name) in [(self.no_end, "ends_at"), (self.no_member, "member")] {
            if taken {
                body[name] = Value::Null;
            }
        }
        if self.all_routes || !self.routes.is_empty() {
            body["routes"] = json!(self.routes);
        }
        if body == json!({}) {
            let wanted =
                "nothing to change: give --label, --ends-at, --member, --routes or another";
            return Err(Failure::usage(wanted));
        }
        let path = format!("/keys/{}", self.key);
        let answer = self.remote.write(Method::PATCH, &path, &body, &self.once)?;
        self.remote.output.object(&answer, COLUMNS)
    }
}

impl Rotate {
    fn run(self) -> Result<(), Failure> {
        let body = members(&[
            ("grace", self.grace.as_ref()),
            ("label", self.label.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
        ]);
        let path = format!("/keys/{}/rotate", self.key);
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        made(&self.remote, &answer, ROTATED)
    }
}

impl One {
    fn run(self, verb: &str) -> Result<(), Failure> {
        let path = format!("/keys/{}/{verb}", self.key);
        let answer = self.remote.write(Method::POST, &path, &json!({}), &self.once)?;
        self.remote.output.object(&answer, COLUMNS)
    }
}

/// Prints a key that was made, and that its secret is not shown again.
fn made(remote: &Remote, answer: &Value, columns: &[Column]) -> Result<(), Failure> {
    remote.output.object(answer, columns)?;
    match (remote.output, answer["detail"].as_str()) {
        (Format::Json, _) => Ok(()),
        (Format::Table, None) => print("Keep the secret now: it is not shown again.\n"),
        (Format::Table, Some(detail)) => print(&format!("{detail}\n")),
    }
}
