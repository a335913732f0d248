//! `tollgate usage`: what an account has used.

use clap::Args;
use http::Method;

use super::Failure;
use super::output::{Column, Format, json, print, table};
use super::remote::Remote;
use super::who::{Query, Who};

/// Show what an account has used today or this month, in its own time zone
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tollgate usage acct_maria
  tollgate usage acct_maria --period month -o json")]
pub(super) struct Usage {
    /// Whose use
    account: Who,
    /// Which period
    #[arg(long, default_value = "today", value_parser = ["today", "month"])]
    period: String,
    #[command(flatten)]
    remote: Remote,
}

const COUNTS: &[Column] = &[
    ("kind", "/kind"),
    ("requests", "/requests"),
    ("open", "/open"),
    ("settled", "/settled"),
    ("released", "/released"),
    ("held", "/held"),
    ("charged", "/charged"),
];

impl Usage {
    pub(super) fn run(self) -> Result<(), Failure> {
        let query = Query::of(self.account.path("/usage")).with("period", Some(self.period));
        let answer = self.remote.ask(Method::GET, query.text(), None)?;
        if self.remote.output == Format::Json {
            return json(&answer);
        }
        let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
        let mut told = format!("{} to {}\n", text("starts_at"), text("ends_at"));
        if answer["complete"] == false {
            told.push_str(&format!(
                "Counted only from {}: older charges are left out.\n",
                text("counted_from")
            ));
        }
        let parts = [
            ("totals", None),
            ("by_route", Some(("route", "/route"))),
            ("by_feature", Some(("feature", "/feature"))),
            ("by_key", Some(("key", "/key"))),
        ];
        for (name, first) in parts {
            let items = answer[name].as_array().map_or(&[][..], Vec::as_slice);
            if !items.is_empty() {
                let columns: Vec<Column> =
                    first.into_iter().chain(COUNTS.iter().copied()).collect();
                told.push_str(&format!("\n{}", table(items, &columns)));
            }
        }
        if answer["totals"].as_array().is_some_and(Vec::is_empty) {
            told.push_str("Nothing yet.\n");
        }
        print(&told)
    }
}
