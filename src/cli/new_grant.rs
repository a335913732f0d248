//! `tollgate grant create`: giving credits, as many as said or a pack.

use clap::Args;
use http::Method;
use serde_json::json;

use super::Failure;
use super::account::members;
use super::output::Column;
use super::remote::{Once, Remote};
use super::who::Who;
use crate::credit::{Amount, BucketId, Kind, Name};

#[derive(Args, Debug)]
pub(super) struct Create {
    /// To whom
    account: Who,
    /// How many, such as 12.5; a pack says it itself
    #[arg(required_unless_present = "pack", conflicts_with = "pack")]
    amount: Option<Amount>,
    /// A pack that the configuration sells; `tollgate packs` lists them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "class", "expires_at", "only", "paid", "bonus"])]
    pack: Option<String>,
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
    /// The routes or features that it may pay for, with commas between [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Name>,
    /// What the buyer paid, such as 5.00; what a refund is reckoned by
    #[arg(long, value_name = "MONEY", requires = "currency")]
    paid: Option<Amount>,
    /// Of which currency, such as USD
    #[arg(long, value_name = "CODE", requires = "paid")]
    currency: Option<String>,
    /// How many come with the purchase
    #[arg(long, value_name = "AMOUNT")]
    bonus: Option<Amount>,
    /// When the bonus ends [default: never]
    #[arg(long, value_name = "TIME", requires = "bonus")]
    bonus_expires_at: Option<String>,
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
    ("paid", "/paid"),
    ("bonus", "/bonus/granted"),
    ("only", "/only"),
    ("effective", "/effective_at"),
    ("expires", "/expires_at"),
];

impl Create {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (amount, id) = (self.amount.map(|it| it.to_string()), self.id.to_string());
        let kind = self.kind.map(|kind| kind.to_string());
        let mut body = members(&[
            ("id", Some(&id)),
            ("amount", amount.as_ref()),
            ("pack", self.pack.as_ref()),
            ("reason", Some(&self.reason)),
            ("kind", kind.as_ref()),
            ("class", self.class.as_ref()),
            ("effective_at", self.effective_at.as_ref()),
            ("expires_at", self.expires_at.as_ref()),
        ]);
        if let Some(priority) = self.priority {
            body["priority"] = priority.into();
        }
        if !self.only.is_empty() {
            body["only"] = json!(self.only);
        }
        if let Some(paid) = self.paid {
            body["paid"] = json!({ "amount": paid, "currency": self.currency });
        }
        if let Some(bonus) = self.bonus {
            body["bonus"] = json!({ "amount": bonus, "expires_at": self.bonus_expires_at });
        }
        let path = self.account.path("/grants");
        let answer = self.remote.write(Method::POST, &path, &body, &self.once)?;
        self.remote.output.object(&answer, COLUMNS)
    }
}
