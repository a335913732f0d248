//! `tollgate override`: raises and cuts of an account's limits and prices.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::account::members;
use super::output::Column;
use super::remote::{Once, Remote};
use super::who::{Query, Who, escaped};

/// Raise or cut an account's limits and prices for a time
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate override create acct_maria --cap two-a-day --add 8 --reason 'launch week'
  tollgate override list acct_maria")]
pub(super) enum Overrides {
    /// Make an override; it binds with the next request and ends by itself
    #[command(after_help = "\
The limit is one of the account's plan. Of several overrides of a limit the last --set counts, then
every --multiply, then every --add and --cut. Amounts of credits may have a point, counts may not.
A price is that of a route, or of every route of a feature: what a request comes to in the end, its
minimum and maximum included. A request that runs settles at the price at which it was held.

Examples:
  tollgate override create acct_maria --cap two-a-day --add 8 --reason 'launch week'
  tollgate override create acct_maria --cap two-a-day --multiply 1.5 --reason trial
  tollgate override create acct_maria --concurrency one-at-a-time --set 0 --id o-1 --reason abuse
  tollgate override create acct_maria --price images --multiply 0.5 --reason 'half of November'")]
    Create(Box<Create>),
    /// List an account's overrides in the order in which they were made
    #[command(after_help = "\
Example:
  tollgate override list acct_maria")]
    List {
        /// Whose overrides
        account: Who,
        /// How many at most, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// The last override of the page before
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let an override end now
    #[command(after_help = "\
Example:
  tollgate override end acct_maria ov_1")]
    End {
        /// Whose override
        account: Who,
        /// Which override
        id: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Whose limit or price
    account: Who,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    change: Change,
    /// Only where it counts over this: key:key_…, route:NAME, feature:NAME or member:NAME; of a price
    /// only key:key_… or member:NAME
    #[arg(long)]
    scope: Option<String>,
    /// An id of your own [default: ov_…, made for you]
    #[arg(long)]
    id: Option<String>,
    /// Why; the customer reads it in the limits, and of a price in receipts
    #[arg(long)]
    reason: String,
    /// From when on it holds [default: now]
    #[arg(long, value_name = "TIME")]
    starts_at: Option<String>,
    /// When it ends, such as 2026-12-22T00:00:00Z [default: when somebody ends it]
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

/// Of which limit or price.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Limit {
    /// A limit per day or month, by its name in the plan
    #[arg(long, value_name = "NAME")]
    cap: Option<String>,
    /// A limit on what runs at once, by its name in the plan
    #[arg(long, value_name = "NAME")]
    concurrency: Option<String>,
    /// What requests cost, by the name of a route or feature
    #[arg(long, value_name = "ROUTE")]
    price: Option<String>,
}

/// How it is changed.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Change {
    /// So much more
    #[arg(long, value_name = "COUNT")]
    add: Option<String>,
    /// So much less
    #[arg(long, value_name = "COUNT")]
    cut: Option<String>,
    /// This, whatever the plan says
    #[arg(long, value_name = "COUNT")]
    set: Option<String>,
    /// So many times as much, such as 1.5
    #[arg(long, value_name = "FACTOR")]
    multiply: Option<String>,
}

const LISTED: &[Column] = &[
    ("id", "/id"),
    ("limit", "/limit"),
    ("name", "/name"),
    ("scope", "/scope"),
    ("change", "/change"),
    ("state", "/state"),
    ("starts", "/starts_at"),
    ("ends", "/ends_at"),
    ("author", "/author"),
    ("reason", "/reason"),
];

impl Overrides {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(),
            Self::List { account, limit, after, remote } => {
                let query = Query::of(account.path("/overrides")).page(limit, after);
                remote.output.list(&remote.ask(Method::GET, query.text(), None)?, LISTED)
            }
            Self::End { account, id, once, remote } => {
                let path = account.path(&format!("/overrides/{}/end", escaped(&id)));
                let answer = remote.write(Method::POST, &path, &json!({}), &once)?;
                remote.output.object(&answer, LISTED)
            }
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let Limit { cap, concurrency, price } = &self.limit;
        let (limit, name) = match (cap, concurrency) {
            (Some(name), _) => ("cap", Some(name)),
            (None, Some(name)) => ("concurrency", Some(name)),
            (None, None) => ("price", price.as_ref()),
        };
        let mut body = members(&[
            ("name", name),
            ("scope", self.scope.as_ref()),
            ("id", self.id.as_ref()),
            ("reason", Some(&self.reason)),
            ("starts_at", self.starts_at.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
            ("add", self.change.add.as_ref()),
            ("cut", self.change.cut.as_ref()),
            ("set", self.change.set.as_ref()),
            ("multiply", self.change.multiply.as_ref()),
        ]);
        body["limit"] = Value::from(limit);
        let path = self.account.path("/overrides");
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        self.remote.output.object(&answer, LISTED)
    }
}
