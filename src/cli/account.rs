//! `tollgate account`: accounts, one to one with the admin API.

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};

use super::Failure;
use super::output::Column;
use super::remote::Remote;
use crate::credit::AccountId;

/// Make, list, show and change accounts
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate account create acct_maria --plan studio --zone America/Sao_Paulo
  tollgate account change acct_maria --status suspended
  tollgate account list -o json")]
pub(super) enum Account {
    /// Make an account
    Create {
        /// Its id, acct_…; made for you if you give none
        id: Option<AccountId>,
        /// The name of its plan
        #[arg(long)]
        plan: String,
        /// Its IANA time zone, by which its days and months are counted [default: UTC]
        #[arg(long)]
        zone: Option<String>,
        /// What people call it
        #[arg(long)]
        label: Option<String>,
        /// Where its billing cycles start, such as 2026-11-22T00:00:00Z [default: now]
        #[arg(long)]
        anchor: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List accounts in the order of their ids
    List {
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last account of the page before
        #[arg(long)]
        after: Option<AccountId>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show an account
    Show {
        /// Which account
        id: AccountId,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change an account; what you leave out stays
    Change {
        /// Which account
        id: AccountId,
        /// Its new plan
        #[arg(long)]
        plan: Option<String>,
        /// Its new time zone
        #[arg(long)]
        zone: Option<String>,
        /// Its new label
        #[arg(long)]
        label: Option<String>,
        /// active, suspended, or closed for ever
        #[arg(long, value_parser = ["active", "suspended", "closed"])]
        status: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("plan", "/plan"),
    ("zone", "/zone"),
    ("keys", "/keys"),
    ("created", "/created"),
    ("label", "/label"),
];

impl Account {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create { id, plan, zone, label, anchor, remote } => {
                let id = id.map(|id| id.to_string());
                let body = members(&[
                    ("id", id.as_ref()),
                    ("plan", Some(&plan)),
                    ("zone", zone.as_ref()),
                    ("label", label.as_ref()),
                    ("anchor", anchor.as_ref()),
                ]);
                let answer = remote.ask(Method::POST, "/accounts", Some(&body))?;
                remote.output.object(&answer, COLUMNS)
            }
            Self::List { limit, after, remote } => {
                let path = page("/accounts", limit, after.as_ref().map(AccountId::as_str));
                remote.output.list(&remote.ask(Method::GET, &path, None)?, COLUMNS)
            }
            Self::Show { id, remote } => {
                let answer = remote.ask(Method::GET, &format!("/accounts/{id}"), None)?;
                remote.output.object(&answer, COLUMNS)
            }
            Self::Change { id, plan, zone, label, status, remote } => {
                let body = members(&[
                    ("plan", plan.as_ref()),
                    ("zone", zone.as_ref()),
                    ("label", label.as_ref()),
                    ("status", status.as_ref()),
                ]);
                if body == json!({}) {
                    let wanted = "nothing to change: give --plan, --zone, --label or --status";
                    return Err(Failure::usage(wanted));
                }
                let path = format!("/accounts/{id}");
                let answer = remote.ask(Method::PATCH, &path, Some(&body))?;
                remote.output.object(&answer, COLUMNS)
            }
        }
    }
}

/// The members that were given.
pub(super) fn members(pairs: &[(&str, Option<&String>)]) -> Value {
    let given = pairs.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let members = given.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    Value::Object(members.collect::<Map<_, _>>())
}

/// The path of a page of a list.
pub(super) fn page(path: &str, limit: u16, after: Option<&str>) -> String {
    match after {
        Some(id) => format!("{path}?limit={limit}&starting_after={id}"),
        None => format!("{path}?limit={limit}"),
    }
}
