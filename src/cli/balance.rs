//! `tollgate balance`: what an account has.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::Failure;
use super::output::{Column, Format, json, print, table};
use super::remote::Remote;
use super::who::Who;

/// Show what an account has, and the grants that it comes from in the order in which they pay
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tollgate balance acct_maria")]
pub(super) struct Balance {
    /// Whose balance
    account: Who,
    #[command(flatten)]
    remote: Remote,
}

const SUMS: &[Column] = &[
    ("kind", "/kind"),
    ("available", "/available"),
    ("held", "/held"),
    ("total", "/total"),
    ("owed", "/owed"),
    ("next refill", "/next_refill/amount"),
    ("at", "/next_refill/at"),
    ("zone", "/next_refill/time_zone"),
];
const GRANTS: &[Column] = &[
    ("grant", "/id"),
    ("kind", "/kind"),
    ("class", "/class"),
    ("standing", "/standing"),
    ("pays for", "/only"),
    ("available", "/available"),
    ("held", "/held"),
    ("expires", "/expires_at"),
];

impl Balance {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = self.account.path("/balance");
        let answer = self.remote.ask(Method::GET, &path, None)?;
        if self.remote.output == Format::Json {
            return json(&answer);
        }
        let sums = answer["balances"].as_array().map_or(&[][..], Vec::as_slice);
        let of = |name: &str| -> Vec<Value> {
            sums.iter().filter_map(|sum| sum[name].as_array()).flatten().cloned().collect()
        };
        let grants = [of("by_grant"), of("frozen"), of("upcoming")].concat();
        let mut text = table(sums, SUMS);
        if !grants.is_empty() {
            text.push_str(&format!("\n{}", table(&grants, GRANTS)));
        }
        for told in of("allowances").iter().chain([&answer["free_credits"]]) {
            if let Some(detail) = told["detail"].as_str() {
                text.push_str(&format!("\n{detail}"));
            }
        }
        print(&format!("{}\n", text.trim_end()))
    }
}
