//! `tollgate charge`: receipts.

use clap::Subcommand;
use http::Method;
use serde_json::Value;

use super::Failure;
use super::account::members;
use super::output::{Column, Format, print, table};
use super::remote::{Once, Remote};
use super::who::{AnyId, Query, Who};
use crate::credit::{Amount, BucketId, ChargeId};

/// Show, list, release, refund and adjust charges
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate charge show chg_…
  tollgate charge list acct_maria --limit 5")]
pub(super) enum Charge {
    /// Explain one charge: its lines, inputs, legs and timeline
    #[command(after_help = "\
Clients find the id in the header Credits-Charge-Id. The Request-Id of a paid request will do as
well; free and refused requests have no charge.

Examples:
  tollgate charge show chg_…
  tollgate charge show req_… -o json")]
    Show {
        /// Which charge: chg_… or the Request-Id, req_…
        charge: AnyId,
        #[command(flatten)]
        remote: Remote,
    },
    /// List an account's charges, the newest first
    #[command(after_help = "\
Example:
  tollgate charge list acct_maria --limit 5")]
    List {
        /// Whose charges
        account: Who,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last charge of the page before
        #[arg(long)]
        after: Option<ChargeId>,
        #[command(flatten)]
        remote: Remote,
    },
    /// End an open charge by giving its hold back
    #[command(after_help = "\
For a charge that is stuck or whose outcome nobody knows. If its request runs after all and ends
within the hour, what the work cost is still drawn, at most as much as was held.

Example:
  tollgate charge release chg_… --reason 'the upstream lost the job, ticket 4711'")]
    Release {
        /// Which charge: chg_… or the Request-Id, req_…
        charge: AnyId,
        /// Why; the customer reads it in the receipt
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give back what a settled charge took, or a part of it
    #[command(after_help = "\
The credits return to the grants that they came from. The same id gives back once. A charge that
ended too long ago is archived: give goodwill with the id gw:chg_… instead.

Examples:
  tollgate charge refund chg_… --id ref_4711 --reason 'ticket 4711'
  tollgate charge refund chg_… --id ref_4712 --amount 0.5 --reason 'half of it was blurred'")]
    Refund {
        /// Which charge: chg_… or the Request-Id, req_…
        charge: AnyId,
        /// The refund's own id
        #[arg(long)]
        id: BucketId,
        /// How much [default: all that is left]
        #[arg(long)]
        amount: Option<Amount>,
        /// Why; the customer reads it in the receipt
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change what an open charge holds
    #[command(after_help = "\
Less returns to the grants at once. More is drawn as far as there is some: what is missing is an
over-run when the charge is settled.

Example:
  tollgate charge adjust chg_… --id adj_1 --held 2")]
    Adjust {
        /// Which charge: chg_… or the Request-Id, req_…
        charge: AnyId,
        /// The adjustment's own id
        #[arg(long)]
        id: BucketId,
        /// What it holds from now on
        #[arg(long)]
        held: Amount,
        #[command(flatten)]
        once: Once,
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
    ("member", "/member"),
    ("feature", "/feature"),
    ("status", "/status"),
    ("why", "/why"),
    ("reserved", "/reserved"),
    ("charged", "/charged"),
    ("returned", "/returned"),
    ("refunded", "/refunded"),
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
    ("job", "/job/name"),
    ("job's id", "/job/id"),
    ("flags", "/flags"),
];
const REFUNDED: &[Column] = &[
    ("id", "/id"),
    ("charge", "/charge"),
    ("account", "/account"),
    ("given back", "/amount"),
    ("refunded", "/refunded"),
    ("costs now", "/charged"),
    ("available", "/available"),
    ("kind", "/kind"),
];
const ADJUSTED: &[Column] = &[
    ("id", "/id"),
    ("charge", "/charge"),
    ("account", "/account"),
    ("held", "/held"),
    ("missing", "/short"),
    ("available", "/available"),
    ("kind", "/kind"),
];
const REFUNDS: &[Column] =
    &[("refund", "/id"), ("amount", "/amount"), ("at", "/at"), ("reason", "/reason")];
const ADJUSTS: &[Column] =
    &[("adjustment", "/id"), ("wanted", "/wanted"), ("held", "/held"), ("missing", "/short")];
const LINES: &[Column] = &[
    ("line", "/label"),
    ("inputs", "/inputs"),
    ("rate", "/rate"),
    ("per", "/per"),
    ("amount", "/amount"),
];
const LEGS: &[Column] = &[("grant", "/bucket"), ("amount", "/amount")];
const TIMELINE: &[Column] = &[("at", "/at"), ("event", "/event"), ("id", "/id")];

impl Charge {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Show { charge, remote } => {
                explain(&remote, &remote.ask(Method::GET, &charge.path(""), None)?)
            }
            Self::List { account, limit, after, remote } => {
                let query = Query::of(account.path("/charges")).page(limit, after);
                remote.output.list(&remote.ask(Method::GET, query.text(), None)?, LISTED)
            }
            Self::Release { charge, reason, once, remote } => {
                let path = charge.path("/release");
                let body = members(&[("reason", Some(&reason))]);
                explain(&remote, &remote.write(Method::POST, &path, &body, &once)?)
            }
            Self::Refund { charge, id, amount, reason, once, remote } => {
                let (id, amount) = (id.to_string(), amount.map(|it| it.to_string()));
                let given =
                    [("id", Some(&id)), ("amount", amount.as_ref()), ("reason", Some(&reason))];
                let path = charge.path("/refund");
                let answer = remote.write(Method::POST, &path, &members(&given), &once)?;
                remote.output.object(&answer, REFUNDED)
            }
            Self::Adjust { charge, id, held, once, remote } => {
                let (id, held) = (id.to_string(), held.to_string());
                let body = members(&[("id", Some(&id)), ("held", Some(&held))]);
                let answer = remote.write(Method::POST, &charge.path("/adjust"), &body, &once)?;
                remote.output.object(&answer, ADJUSTED)
            }
        }
    }
}

fn explain(remote: &Remote, receipt: &Value) -> Result<(), Failure> {
    remote.output.object(receipt, SHOWN)?;
    if remote.output == Format::Table { print(&parts(receipt)) } else { Ok(()) }
}

/// The lists within a receipt.
fn parts(receipt: &Value) -> String {
    let mut text = String::new();
    let held = "/decision/hold/lines";
    for (pointer, columns) in [
        (held, LINES),
        ("/lines", LINES),
        ("/legs", LEGS),
        ("/adjustments", ADJUSTS),
        ("/refunds", REFUNDS),
        ("/timeline", TIMELINE),
    ] {
        let items = receipt.pointer(pointer).and_then(Value::as_array);
        if let Some(items) = items.filter(|items| !items.is_empty()) {
            let title = if pointer == held { "\nWhat was held\n" } else { "\n" };
            text.push_str(title);
            text.push_str(&table(items, columns));
        }
    }
    text
}
