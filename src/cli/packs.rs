//! `tollgate packs`: what is sold.

use clap::Args;
use http::Method;

use super::Failure;
use super::output::Column;
use super::remote::Remote;
use super::who::Query;

/// List the packs that the configuration sells
#[derive(Args, Debug)]
#[command(after_help = "\
A pack is given by its name, with the id of the payment.

Examples:
  tollgate packs
  tollgate packs -o json")]
pub(super) struct Packs {
    /// How many at most, up to 100
    #[arg(long, default_value_t = 20)]
    limit: u16,
    /// The last pack of the page before
    #[arg(long)]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

const LISTED: &[Column] = &[
    ("pack", "/name"),
    ("kind", "/kind"),
    ("amount", "/amount"),
    ("paid", "/paid/amount"),
    ("currency", "/paid/currency"),
    ("lasts ms", "/lasts_ms"),
    ("bonus", "/bonus/amount"),
    ("bonus lasts ms", "/bonus/lasts_ms"),
    ("only", "/only"),
];

impl Packs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let query = Query::of("/packs".to_owned()).page(self.limit, self.after);
        self.remote.output.list(&self.remote.ask(Method::GET, query.text(), None)?, LISTED)
    }
}
