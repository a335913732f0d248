//! `tollgate hold`: charges that are open.

use clap::{Args, Subcommand};
use http::Method;

use super::Failure;
use super::output::Column;
use super::remote::Remote;
use super::who::{Query, Who};
use crate::credit::ChargeId;

/// List charges that are open; `charge release` ends one that is stuck
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Example:
  tollgate hold list acct_maria --older-than 10m")]
pub(super) enum Hold {
    /// List open charges, the oldest first: of an account, or of an instance
    #[command(after_help = "\
Examples:
  tollgate hold list acct_maria
  tollgate hold list --older-than 1h
  tollgate hold list --instance ins_00000000000000 -o json")]
    List(List),
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Whose; without it, those of an instance
    account: Option<Who>,
    /// Which instance's alone [default: the one that is asked, and those that wait for jobs]
    #[arg(long, conflicts_with = "account")]
    instance: Option<String>,
    /// Only those that are at least so old, such as 10m
    #[arg(long, value_name = "DURATION")]
    older_than: Option<String>,
    /// How many at most, up to 100
    #[arg(long, default_value_t = 20)]
    limit: u16,
    /// The last charge of the page before
    #[arg(long)]
    after: Option<ChargeId>,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("state", "/state"),
    ("held", "/held"),
    ("kind", "/kind"),
    ("age s", "/age_s"),
    ("route", "/route"),
    ("instance", "/instance"),
    ("job", "/job/name"),
    ("job's id", "/job/id"),
    ("unknown until", "/unknown_until"),
];

impl Hold {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::List(list) = self;
        let path = list.account.map_or("/holds".to_owned(), |account| account.path("/holds"));
        let query = Query::of(path)
            .with("instance", list.instance)
            .with("older_than", list.older_than)
            .page(list.limit, list.after);
        list.remote.output.list(&list.remote.ask(Method::GET, query.text(), None)?, COLUMNS)
    }
}
