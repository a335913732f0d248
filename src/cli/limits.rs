//! `tollgate limits`: what limits an account, and how much of it is used.

use clap::Args;
use http::Method;

use super::Failure;
use super::output::{Column, Format, json, print, table};
use super::remote::Remote;
use super::who::Who;

/// Show an account's caps, concurrency, rates and changed prices
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tollgate limits acct_maria")]
pub(super) struct Limits {
    /// Whose limits
    account: Who,
    #[command(flatten)]
    remote: Remote,
}

const CAPS: &[Column] = &[
    ("cap", "/name"),
    ("scope", "/scope"),
    ("measure", "/measure"),
    ("used", "/used"),
    ("limit", "/limit"),
    ("in the plan", "/base_limit"),
    ("overrides", "/overrides"),
    ("resets", "/resets_at"),
];
const SLOTS: &[Column] = &[
    ("concurrency", "/name"),
    ("scope", "/scope"),
    ("in use", "/in_use"),
    ("limit", "/limit"),
    ("in the plan", "/base_limit"),
    ("overrides", "/overrides"),
];
const RATES: &[Column] = &[
    ("rate", "/name"),
    ("scope", "/scope"),
    ("requests", "/requests"),
    ("per ms", "/per_ms"),
    ("burst", "/burst"),
];
const PRICES: &[Column] = &[
    ("price", "/name"),
    ("scope", "/scope"),
    ("change", "/change"),
    ("override", "/id"),
    ("ends", "/ends_at"),
    ("reason", "/reason"),
];

impl Limits {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = self.account.path("/limits");
        let answer = self.remote.ask(Method::GET, &path, None)?;
        if self.remote.output == Format::Json {
            return json(&answer);
        }
        let tables = [("caps", CAPS), ("concurrency", SLOTS), ("rates", RATES), ("prices", PRICES)];
        let shown = tables.iter().filter_map(|(name, columns)| {
            let items = answer[*name].as_array().filter(|items| !items.is_empty())?;
            Some(table(items, columns))
        });
        let text = shown.collect::<Vec<_>>().join("\n");
        print(if text.is_empty() {
            "Nothing limits this account but its credits.\n"
        } else {
            &text
        })
    }
}
