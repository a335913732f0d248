//! `tollgate account`: accounts, one to one with the admin API.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::Failure;
use super::output::Column;
use super::remote::{Once, Remote};
use super::restrict::Restrict;
use super::who::{Query, Who};
use crate::credit::AccountId;

/// Make, find, list, show and change accounts
///
/// Where a command asks for an account, its id (acct_…) or its reference (ref:crm-4711) will do.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  tollgate account list --status suspended
  tollgate account suspend acct_maria --reason 'chargeback 4711'")]
pub(super) enum Account {
    /// Make an account
    #[command(after_help = "\
Examples:
  tollgate account create acct_maria --plan studio --zone America/Sao_Paulo
  tollgate account create --plan studio --reference crm-4711 --idempotency-key signup-4711
  tollgate account create --plan studio --person ada --label 'Ada, second account'")]
    Create(Create),
    /// List accounts in the order of their ids
    #[command(after_help = "\
A list with --status, --plan or --person looks at a bounded number of accounts at a time: it may
show fewer than --limit, or none, and still say that there are more.

Examples:
  tollgate account list -o json
  tollgate account list --plan studio --status suspended --limit 100
  tollgate account list --reference crm-4711")]
    List(List),
    /// Show an account
    #[command(after_help = "\
Examples:
  tollgate account show acct_maria
  tollgate account show ref:crm-4711")]
    Show {
        /// Which account
        account: Who,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change an account; what you leave out stays
    #[command(after_help = "\
Examples:
  tollgate account change acct_maria --plan tiny
  tollgate account change acct_maria --reference crm-4712 --no-person")]
    Change(Change),
    /// Keep an account from spending; nothing is lost
    #[command(after_help = "\
Example:
  tollgate account suspend acct_maria --reason 'chargeback 4711'")]
    Suspend {
        /// Which account
        account: Who,
        /// Why, for people
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let a suspended account spend again
    #[command(after_help = "\
Example:
  tollgate account resume acct_maria")]
    Resume {
        /// Which account
        account: Who,
        /// Why, for people
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
    /// Keep an active account from spending until a moment, or lift that
    #[command(after_help = "\
Examples:
  tollgate account restrict acct_maria --until 2099-12-22T00:00:00Z --reason 'fair use'
  tollgate account restrict acct_maria --lift")]
    Restrict(Restrict),
    /// Close an account for ever
    #[command(after_help = "\
Example:
  tollgate account close acct_maria --reason 'asked for it'")]
    Close {
        /// Which account
        account: Who,
        /// Why, for people
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Args, Debug)]
pub(super) struct Create {
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
    #[arg(long, value_name = "TIME")]
    anchor: Option<String>,
    /// The human behind it, as your systems call them
    #[arg(long)]
    person: Option<String>,
    /// What your systems call it; no two accounts have the same
    #[arg(long)]
    reference: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only those of this status
    #[arg(long, value_parser = ["active", "suspended", "closed"])]
    status: Option<String>,
    /// Only those of this plan
    #[arg(long)]
    plan: Option<String>,
    /// Only those of this person
    #[arg(long)]
    person: Option<String>,
    /// Only the one with this reference
    #[arg(long)]
    reference: Option<String>,
    /// How many at most, up to 100
    #[arg(long, default_value_t = 20)]
    limit: u16,
    /// The last account of the page before
    #[arg(long)]
    after: Option<AccountId>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(super) struct Change {
    /// Which account
    account: Who,
    /// Its new plan
    #[arg(long)]
    plan: Option<String>,
    /// Its new time zone
    #[arg(long)]
    zone: Option<String>,
    /// Its new label
    #[arg(long)]
    label: Option<String>,
    /// Another start of its billing cycles
    #[arg(long, value_name = "TIME")]
    anchor: Option<String>,
    /// active, suspended, or closed for ever
    #[arg(long, value_parser = ["active", "suspended", "closed"])]
    status: Option<String>,
    /// Why its status is what it is
    #[arg(long)]
    reason: Option<String>,
    /// Another human behind it
    #[arg(long)]
    person: Option<String>,
    /// Nobody is named any more
    #[arg(long, conflicts_with = "person")]
    no_person: bool,
    /// Another name in your systems
    #[arg(long)]
    reference: Option<String>,
    /// No name in your systems any more
    #[arg(long, conflicts_with = "reference")]
    no_reference: bool,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    remote: Remote,
}

const LISTED: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("plan", "/plan"),
    ("free credits", "/free_credits"),
    ("zone", "/zone"),
    ("keys", "/keys"),
    ("reference", "/reference"),
    ("created", "/created"),
    ("label", "/label"),
];
pub(super) const SHOWN: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("restricted until", "/restricted_until"),
    ("reason", "/reason"),
    ("plan", "/plan"),
    ("zone", "/zone"),
    ("anchor", "/anchor"),
    ("person", "/person"),
    ("free credits", "/free_credits"),
    ("reference", "/reference"),
    ("keys", "/keys"),
    ("created", "/created"),
    ("label", "/label"),
];

impl Account {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(list) => list.run(),
            Self::Show { account, remote } => {
                let answer = remote.ask(Method::GET, &account.path(""), None)?;
                remote.output.object(&answer, SHOWN)
            }
            Self::Change(change) => change.run(),
            Self::Suspend { account, reason, once, remote } => {
                stands(&account, "/suspend", Some(&reason), &once, &remote)
            }
            Self::Resume { account, reason, once, remote } => {
                stands(&account, "/resume", reason.as_ref(), &once, &remote)
            }
            Self::Restrict(restrict) => restrict.run(),
            Self::Close { account, reason, once, remote } => {
                stands(&account, "/close", Some(&reason), &once, &remote)
            }
        }
    }
}

fn stands(
    account: &Who,
    verb: &str,
    reason: Option<&String>,
    once: &Once,
    remote: &Remote,
) -> Result<(), Failure> {
    let body = members(&[("reason", reason)]);
    remote.output.object(&remote.write(Method::POST, &account.path(verb), &body, once)?, SHOWN)
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let id = self.id.map(|id| id.to_string());
        let body = members(&[
            ("id", id.as_ref()),
            ("plan", Some(&self.plan)),
            ("zone", self.zone.as_ref()),
            ("label", self.label.as_ref()),
            ("anchor", self.anchor.as_ref()),
            ("person", self.person.as_ref()),
            ("reference", self.reference.as_ref()),
        ]);
        let answer = self.remote.write(Method::POST, "/accounts", &body, &self.once)?;
        self.remote.output.object(&answer, SHOWN)
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let query = Query::of("/accounts".to_owned())
            .with("status", self.status)
            .with("plan", self.plan)
            .with("person", self.person)
            .with("reference", self.reference)
            .page(self.limit, self.after);
        self.remote.output.list(&self.remote.ask(Method::GET, query.text(), None)?, LISTED)
    }
}

impl Change {
    fn run(self) -> Result<(), Failure> {
        let mut body = members(&[
            ("plan", self.plan.as_ref()),
            ("zone", self.zone.as_ref()),
            ("label", self.label.as_ref()),
            ("anchor", self.anchor.as_ref()),
            ("status", self.status.as_ref()),
            ("reason", self.reason.as_ref()),
            ("person", self.person.as_ref()),
            ("reference", self.reference.as_ref()),
        ]);
        for (taken, name) in [(self.no_person, "person"), (self.no_reference, "reference")] {
            if taken {
                body[name] = Value::Null;
            }
        }
        if body == json!({}) {
            let wanted = "nothing to change: give --plan, --zone, --label, --status or another";
            return Err(Failure::usage(wanted));
        }
        let path = self.account.path("");
        let answer = self.remote.write(Method::PATCH, &path, &body, &self.once)?;
        self.remote.output.object(&answer, SHOWN)
    }
}

/// The members that were given.
pub(super) fn members(pairs: &[(&str, Option<&String>)]) -> Value {
    let given = pairs.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let members = given.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    Value::Object(members.collect::<Map<_, _>>())
}
