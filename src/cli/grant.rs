//! `tollgate grant`: giving credits, and what became of them.

use clap::{Args, Subcommand};
use http::Method;

use super::Failure;
use super::account::members;
use super::output::Column;
use super::remote::{Once, Remote};
use super::who::{Query, Who, escaped};
use crate::credit::{Amount, BucketId, Kind};

/// Give credits, and see what became of them
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate grant create acct_maria 100 --id pay_4711 --reason 'order 4711'
  tollgate grant list acct_maria")]
pub(super) enum Grant {
    /// Give an account credits; the same id gives once, however often you ask
    #[command(after_help = "\
Examples:
  tollgate grant create acct_maria 100 --id pay_4711 --reason 'order 4711'
  tollgate grant create acct_maria 5 --id sorry-1 --class goodwill --reason 'the outage of May'
  tollgate grant create acct_maria 0.5 --id fix-1 --class adjustment --reason 'charged twice'
  tollgate grant create acct_maria 9 --id gift-1 --expires-at 2099-12-22T00:00:00Z --reason gift")]
    Create(Create),
    /// List an account's grants in the order in which they pay, ended ones last
    #[command(after_help = "\
Allowances of the plan and debts are grants too. Of a grant of which nothing is left, no more than
the sum is kept after 30 days.

Example:
  tollgate grant list acct_maria --limit 100")]
    List {
        /// Whose grants
        account: Who,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last grant of the page before
        #[arg(long)]
        after: Option<BucketId>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a grant
    #[command(after_help = "\
Example:
  tollgate grant show acct_maria pay_1")]
    Show {
        /// Whose grant
        account: Who,
        /// Which grant
        grant: BucketId,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// To whom
    account: Who,
    /// How many, such as 12.5
    amount: Amount,
    /// The grant's own id; for a purchase, the payment's
    #[arg(long)]
    id: BucketId,
    /// Why, for people
    #[arg(long)]
    reason: String,
    /// What sort of credit [default: credits]
    #[arg(long)]
    kind: Option<Kind>,
    /// What sort of grant; an adjustment is drawn like goodwill [default: purchased]
    #[arg(long, value_parser = ["purchased", "bonus", "goodwill", "adjustment", "free"])]
    class: Option<String>,
    /// Lower is drawn first within the class [default: 0]
    #[arg(long)]
    priority: Option<u8>,
    /// From when on it may pay [default: now]
    #[arg(long, value_name = "TIME")]
    effective_at: Option<String>,
    /// When it ends, such as 2026-12-22T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("kind", "/kind"),
    ("class", "/class"),
    ("granted", "/granted"),
    ("available", "/available"),
    ("repaid", "/repaid"),
    ("effective", "/effective_at"),
    ("expires", "/expires_at"),
];
const LISTED: &[Column] = &[
    ("id", "/id"),
    ("class", "/class"),
    ("kind", "/kind"),
    ("granted", "/granted"),
    ("available", "/available"),
    ("held", "/held"),
    ("spent", "/spent"),
    ("expired", "/expired"),
    ("voided", "/voided"),
    ("expires", "/expires_at"),
];
const SHOWN: &[Column] = &[
    ("id", "/id"),
    ("kind", "/kind"),
    ("class", "/class"),
    ("priority", "/priority"),
    ("granted", "/granted"),
    ("available", "/available"),
    ("held", "/held"),
    ("spent", "/spent"),
    ("expired", "/expired"),
    ("voided", "/voided"),
    ("effective", "/effective_at"),
    ("expires", "/expires_at"),
];

impl Grant {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(),
            Self::List { account, limit, after, remote } => {
                let query = Query::of(account.path("/grants")).page(limit, after);
                remote.output.list(&remote.ask(Method::GET, query.text(), None)?, LISTED)
            }
            Self::Show { account, grant, remote } => {
                let path = account.path(&format!("/grants/{}", escaped(grant.as_str())));
                remote.output.object(&remote.ask(Method::GET, &path, None)?, SHOWN)
            }
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let (amount, id) = (self.amount.to_string(), self.id.to_string());
        let kind = self.kind.map(|kind| kind.to_string());
        let mut body = members(&[
            ("id", Some(&id)),
            ("amount", Some(&amount)),
            ("reason", Some(&self.reason)),
            ("kind", kind.as_ref()),
            ("class", self.class.as_ref()),
            ("effective_at", self.effective_at.as_ref()),
            ("expires_at", self.expires_at.as_ref()),
        ]);
        if let Some(priority) = self.priority {
            body["priority"] = priority.into();
        }
        let path = self.account.path("/grants");
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        self.remote.output.object(&answer, COLUMNS)
    }
}
