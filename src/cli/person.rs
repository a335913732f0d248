//! `tollgate person`: whose accounts have free credits.

use clap::Args;
use http::Method;

use super::Failure;
use super::output::{Column, Format, json, print, table};
use super::remote::Remote;
use super::who::{Query, escaped};

/// Show a person's accounts, and which of them have free credits
#[derive(Args, Debug)]
#[command(after_help = "\
A person is what accounts call the human behind them (account create --person). A claim of free
credits is for ever: it stays with an account that is closed or given to somebody else. An account
that asked when the person's other accounts had them is flagged. A page looks at a bounded number
of accounts: it may hold fewer than --limit and not be the last.

Example:
  tollgate person ada")]
pub(super) struct Person {
    /// Which person
    person: String,
    /// How many accounts at most, up to 100
    #[arg(long, default_value_t = 20)]
    limit: u16,
    /// The last account of the page before
    #[arg(long)]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

const SHOWN: &[Column] = &[
    ("person", "/id"),
    ("claimed", "/free_credits/claimed"),
    ("accounts that may have free credits", "/free_credits/limit"),
    ("left", "/free_credits/left"),
];
const ACCOUNTS: &[Column] = &[
    ("account", "/id"),
    ("label", "/label"),
    ("status", "/status"),
    ("plan", "/plan"),
    ("free credits", "/free_credits"),
    ("claimed", "/claimed"),
    ("flagged", "/flagged"),
];

impl Person {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = format!("/persons/{}", escaped(&self.person));
        let query = Query::of(path).page(self.limit, self.after);
        let answer = self.remote.ask(Method::GET, query.text(), None)?;
        if self.remote.output == Format::Json {
            return json(&answer);
        }
        self.remote.output.object(&answer, SHOWN)?;
        let accounts = &answer["accounts"];
        let items = accounts["data"].as_array().map_or(&[][..], Vec::as_slice);
        let mut text = match items {
            [] => "\nNo account on this page names this person.\n".to_owned(),
            items => format!("\n{}", table(items, ACCOUNTS)),
        };
        if let Some(next) = accounts["next"].as_str() {
            text.push_str(&format!("There are more: --after {next}\n"));
        }
        print(&text)
    }
}
