//! `tollgate charge`: receipts.

use clap::Subcommand;
use http::Method;
use serde_json::Value;

use super::Failure;
use super::account::page;
use super::output::{Column, Format, print, table};
use super::remote::Remote;
use crate::credit::{AccountId, ChargeId};

/// Show and list charges
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate charge show chg_06…
  tollgate charge list acct_maria --limit 5")]
pub(super) enum Charge {
    /// Explain one charge: its lines, inputs, legs and timeline
    Show {
        /// Which charge; clients find it in the header Credits-Charge-Id
        charge: ChargeId,
        #[command(flatten)]
        remote: Remote,
    },
    /// List an account's charges, the newest first
    List {
        /// Whose charges
        account: AccountId,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last charge of the page before
        #[arg(long)]
        after: Option<ChargeId>,
        #[command(flatten)]
        remote: Remote,
    },
}

const LISTED: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("route", "/request/route"),
    ("reserved", "/reserved"),
    ("charged", "/charged"),
    ("kind", "/kind"),
    ("created", "/created"),
];
const SHOWN: &[Column] = &[
    ("id", "/id"),
    ("account", "/account"),
    ("key", "/key"),
    ("status", "/status"),
    ("why", "/why"),
    ("reserved", "/reserved"),
    ("charged", "/charged"),
    ("returned", "/returned"),
    ("debt", "/debt"),
    ("absorbed", "/absorbed"),
    ("request", "/request/id"),
    ("method", "/request/method"),
    ("path", "/request/path"),
    ("route", "/request/route"),
    ("price", "/decision/price"),
    ("plan", "/decision/plan"),
    ("revision", "/decision/revision"),
    ("outcome", "/outcome"),
    ("upstream", "/upstream/status"),
    ("flags", "/flags"),
];
const LINES: &[Column] = &[
    ("line", "/label"),
    ("inputs", "/inputs"),
    ("rate", "/rate"),
    ("per", "/per"),
    ("amount", "/amount"),
];
const LEGS: &[Column] = &[("grant", "/bucket"), ("amount", "/amount")];
const TIMELINE: &[Column] = &[("at", "/at"), ("event", "/event")];

impl Charge {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Show { charge, remote } => {
                let receipt = remote.ask(Method::GET, &format!("/charges/{charge}"), None)?;
                remote.output.object(&receipt, SHOWN)?;
                if remote.output == Format::Table { print(&parts(&receipt)) } else { Ok(()) }
            }
            Self::List { account, limit, after, remote } => {
                let after = after.map(|id| id.to_string());
                let path = page(&format!("/accounts/{account}/charges"), limit, after.as_deref());
                remote.output.list(&remote.ask(Method::GET, &path, None)?, LISTED)
            }
        }
    }
}

/// The lists within a receipt.
fn parts(receipt: &Value) -> String {
    let mut text = String::new();
    let held = "/decision/hold/lines";
    for (pointer, columns) in
        [(held, LINES), ("/lines", LINES), ("/legs", LEGS), ("/timeline", TIMELINE)]
    {
        let items = receipt.pointer(pointer).and_then(Value::as_array);
        if let Some(items) = items.filter(|items| !items.is_empty()) {
            let title = if pointer == held { "\nWhat was held\n" } else { "\n" };
            text.push_str(title);
            text.push_str(&table(items, columns));
        }
    }
    text
}
