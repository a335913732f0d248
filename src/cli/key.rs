//! `tollgate key`: keys of accounts.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::Failure;
use super::account::{members, page};
use super::output::{Column, Format, print};
use super::remote::Remote;
use crate::credit::{AccountId, KeyId};

/// Make, list and revoke keys
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate key create acct_maria --label laptop
  tollgate key list acct_maria
  tollgate key revoke key_06…")]
pub(super) enum Key {
    /// Make a key and print its secret, this once
    Create {
        /// Whose key
        account: AccountId,
        /// What people call it
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List an account's keys, the youngest first
    List {
        /// Whose keys
        account: AccountId,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last key of the page before
        #[arg(long)]
        after: Option<KeyId>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Revoke a key for ever; it binds with the next request
    Revoke {
        /// Which key: its id, key_…, not its secret
        key: KeyId,
        #[command(flatten)]
        remote: Remote,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("status", "/status"),
    ("created", "/created"),
    ("label", "/label"),
];
const MADE: &[Column] = &[("id", "/id"), ("account", "/account"), ("secret", "/secret")];

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create { account, label, remote } => {
                let body = members(&[("label", label.as_ref())]);
                let path = format!("/accounts/{account}/keys");
                remote.output.object(&remote.ask(Method::POST, &path, Some(&body))?, MADE)?;
                if remote.output == Format::Table {
                    print("Keep the secret now: it is not shown again.\n")?;
                }
                Ok(())
            }
            Self::List { account, limit, after, remote } => {
                let after = after.map(|id| id.to_string());
                let path = page(&format!("/accounts/{account}/keys"), limit, after.as_deref());
                remote.output.list(&remote.ask(Method::GET, &path, None)?, COLUMNS)
            }
            Self::Revoke { key, remote } => {
                let path = format!("/keys/{key}/revoke");
                let answer = remote.ask(Method::POST, &path, Some(&json!({})))?;
                remote.output.object(&answer, COLUMNS)
            }
        }
    }
}
