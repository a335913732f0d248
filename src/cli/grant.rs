//! `tollgate grant`: giving credits.

use clap::Subcommand;
use http::Method;

use super::Failure;
use super::account::members;
use super::output::Column;
use super::remote::Remote;
use crate::credit::{AccountId, Amount, BucketId, Kind};

/// Give credits
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate grant create acct_maria 100 --id pay_4711 --reason 'order 4711'
  tollgate grant create acct_maria 5 --id sorry-2026-11-22 --class goodwill \\
      --expires-at 2026-12-22T00:00:00Z --reason 'the outage of yesterday'")]
pub(super) enum Grant {
    /// Give an account credits; the same id gives once, however often you ask
    Create {
        /// To whom
        account: AccountId,
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
        /// What sort of grant [default: purchased]
        #[arg(long, value_parser = ["goodwill", "bonus", "purchased", "free"])]
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
        remote: Remote,
    },
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

impl Grant {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Create {
            account,
            amount,
            id,
            reason,
            kind,
            class,
            priority,
            effective_at,
            expires_at,
            remote,
        } = self;
        let (amount, id) = (amount.to_string(), id.to_string());
        let kind = kind.map(|kind| kind.to_string());
        let mut body = members(&[
            ("id", Some(&id)),
            ("amount", Some(&amount)),
            ("reason", Some(&reason)),
            ("kind", kind.as_ref()),
            ("class", class.as_ref()),
            ("effective_at", effective_at.as_ref()),
            ("expires_at", expires_at.as_ref()),
        ]);
        if let Some(priority) = priority {
            body["priority"] = priority.into();
        }
        let path = format!("/accounts/{account}/grants");
        remote.output.object(&remote.ask(Method::POST, &path, Some(&body))?, COLUMNS)
    }
}
