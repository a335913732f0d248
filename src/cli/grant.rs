//! `tollgate grant`: giving credits, what became of them, and taking them back.

use clap::Subcommand;
use http::Method;

use super::Failure;
use super::new_grant::Create;
use super::output::Column;
use super::remote::Remote;
use super::who::{Query, Who, escaped};
use super::withdraw::{Act, Still};
use crate::credit::BucketId;

/// Give credits, see what became of them, and take them back
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
  tollgate grant create acct_maria 9 --id gift-1 --expires-at 2099-12-22T00:00:00Z --reason gift
  tollgate grant create acct_maria --pack small --id pay_4712 --reason 'order 4712'
  tollgate grant create acct_maria 500 --id p7 --paid 5 --currency USD --bonus 50 --reason sale
  tollgate grant create acct_maria 4 --id gw:chg_… --class goodwill --reason 'an old charge'")]
    Create(Box<Create>),
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
    /// Take back what should not have been given; what was spent stays spent
    #[command(after_help = "\
What open charges hold of it is void when it returns. Its bonus goes with it.

Example:
  tollgate grant void acct_maria pay_1 --reason 'given to the wrong account'")]
    Void(Act),
    /// Void the unused part of a purchase, and say the money for it
    #[command(after_help = "\
Its bonus goes in proportion. The money is the price of what is void by now, rounded down; paying it
back is the payment provider's. While some of it is held, ask again when that has ended.

Example:
  tollgate grant refund acct_maria pay_1 --reason 'asked within 14 days'")]
    Refund(Act),
    /// Take a purchase back whose payment failed; what was spent of it is owed
    #[command(after_help = "\
Example:
  tollgate grant reverse acct_maria pay_1 --reason 'chargeback 4711'")]
    Reverse(Act),
    /// Let a grant end now
    #[command(after_help = "\
Example:
  tollgate grant expire acct_maria pay_1 --reason 'the trial is over'")]
    Expire(Act),
    /// Keep a grant from paying and from ending
    #[command(after_help = "\
Example:
  tollgate grant freeze acct_maria pay_1 --reason 'payment disputed'")]
    Freeze(Still),
    /// Let a frozen grant pay again
    #[command(after_help = "\
Examples:
  tollgate grant thaw acct_maria pay_1 --reason 'dispute won'
  tollgate grant thaw acct_maria pay_1 --expires-at 2099-12-22T00:00:00Z --reason 'a month more'")]
    Thaw(Still),
}

const LISTED: &[Column] = &[
    ("id", "/id"),
    ("class", "/class"),
    ("standing", "/standing"),
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
    ("standing", "/standing"),
    ("only", "/only"),
    ("paid", "/paid"),
    ("came with", "/parent"),
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
            Self::Void(act) => act.run("void"),
            Self::Refund(act) => act.run("refund"),
            Self::Reverse(act) => act.run("reverse"),
            Self::Expire(act) => act.run("expire"),
            Self::Freeze(still) => still.run("freeze"),
            Self::Thaw(still) => still.run("thaw"),
        }
    }
}
