//! `tollgate audit`: whether what the ledger remembers holds together.
//!
//! Invariant: only reads; the exit code is 0 only if everything was looked at and holds.

use std::collections::BTreeMap;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::output::{Column, Format, json as print_json, print, table};
use super::remote::Remote;
use super::who::{Query, Who};
use crate::credit::Amount;

/// Check every account of a running ledger: buckets, holds, charges, caps, free credits
#[derive(Args, Debug)]
#[command(after_help = "\
Only reads, a page of accounts at a time; requests go on meanwhile.

Exit codes: 0 everything holds; 1 a breach, or something could not be looked at.

Examples:
  tollgate audit
  tollgate audit acct_maria -o json")]
pub(super) struct Audit {
    /// Only this account
    account: Option<Who>,
    #[command(flatten)]
    remote: Remote,
}

/// Accounts that are asked for at a time.
const PAGE: u16 = 50;
/// What is checked, for people.
const CHECKED: &str = "\
I1 each bucket: granted = available + held + spent + expired + voided
I2 no debt was used, and its repayments are what was repaid
I3 what is archived adds up
I4 what buckets hold is what open charges hold
I5 no charge outlives its lease or deadline
I6 buckets lie in the order in which they pay
I7 what was charged, absorbed and refunded is what the work cost
I8 slots in use are the charges that run
I9 caps count no less than their charges
I10 no entry that this instance had seen acknowledged is gone
I11 no bucket twice, no person with too many free accounts
I12 no purchase that nobody remembers giving
I13 the head of a hold was spent, the tail returned
I14 what is looked at for due work is not late
";

const BREACHES: &[Column] =
    &[("account", "/account"), ("invariant", "/invariant"), ("found", "/found")];
const TOTALS: &[Column] = &[
    ("kind", "/kind"),
    ("granted", "/granted"),
    ("available", "/available"),
    ("held", "/held"),
    ("spent", "/spent"),
    ("expired", "/expired"),
    ("voided", "/voided"),
];

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (audits, free) = match &self.account {
            Some(account) => {
                let answer = self.remote.ask(Method::GET, &account.path("/audit"), None)?;
                (vec![answer], None)
            }
            None => self.all()?,
        };
        let found = summed(&audits, free);
        if self.remote.output == Format::Json {
            print_json(&found)?;
        } else {
            print(&told(&found))?;
        }
        let clean = found["breaches"].as_array().is_some_and(Vec::is_empty);
        if clean { Ok(()) } else { Err(Failure::failed("")) }
    }

    /// Every account, and how many accounts of a person may have free credits.
    fn all(&self) -> Result<(Vec<Value>, Option<u64>), Failure> {
        let (mut audits, mut after) = (Vec::new(), None);
        loop {
            let query = Query::of("/audit".to_owned()).page(PAGE, after.take());
            let answer = self.remote.ask(Method::GET, query.text(), None)?;
            audits.extend(answer["data"].as_array().into_iter().flatten().cloned());
            match answer["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok((audits, answer["free_accounts_per_person"].as_u64())),
            }
        }
    }
}

fn summed(audits: &[Value], free: Option<u64>) -> Value {
    let count = |pointer: &str| -> u64 {
        audits.iter().filter_map(|audit| audit[pointer].as_u64()).fold(0, u64::saturating_add)
    };
    let compared = audits.iter().filter(|audit| audit["caps_compared"] == true).count();
    let mut breaches: Vec<Value> = audits.iter().flat_map(of_account).collect();
    breaches.extend(free.map(|limit| crowded(audits, limit)).unwrap_or_default());
    json!({
        "object": "audit",
        "accounts": audits.len(),
        "buckets": count("buckets"),
        "charges": count("charges"),
        "open": count("open"),
        "caps_compared": compared,
        "totals": totals(audits),
        "breaches": breaches,
    })
}

fn of_account(audit: &Value) -> Vec<Value> {
    let with_account = |breach: &Value| {
        let mut breach = breach.clone();
        breach["account"] = audit["account"].clone();
        breach
    };
    audit["breaches"].as_array().into_iter().flatten().map(with_account).collect()
}

/// Persons with free credits on more accounts than may have them.
fn crowded(audits: &[Value], limit: u64) -> Vec<Value> {
    let mut persons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for audit in audits {
        if let (Some(person), Some(account)) = (audit["person"].as_str(), audit["account"].as_str())
        {
            persons.entry(person).or_default().push(account);
        }
    }
    let many =
        |accounts: &Vec<&str>| u64::try_from(accounts.len()).is_ok_and(|count| count > limit);
    let told = |(_, accounts): (&str, Vec<&str>)| {
        let found = format!("one person has free credits on {}", accounts.join(", "));
        json!({ "account": accounts.first(), "invariant": "I11", "found": found })
    };
    persons.into_iter().filter(|(_, accounts)| many(accounts)).map(told).collect()
}

fn totals(audits: &[Value]) -> Vec<Value> {
    let mut kinds: BTreeMap<String, Value> = BTreeMap::new();
    for total in audits.iter().filter_map(|audit| audit["totals"].as_array()).flatten() {
        let kind = total["kind"].as_str().unwrap_or_default().to_owned();
        let sums = kinds.entry(kind.clone()).or_insert_with(|| json!({ "kind": kind }));
        for (column, _) in TOTALS.iter().skip(1) {
            sums[*column] = json!(plus(&sums[*column], &total[*column]));
        }
    }
    kinds.into_values().collect()
}

fn plus(a: &Value, b: &Value) -> Amount {
    let amount = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    amount(a).unwrap_or(Amount::ZERO).saturating_add(amount(b).unwrap_or(Amount::ZERO))
}

fn told(found: &Value) -> String {
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let (totals, breaches) = (list("totals"), list("breaches"));
    let mut text = format!(
        "Looked at {} accounts, {} buckets, {} charges of which {} are open.\n\n{CHECKED}\n",
        found["accounts"], found["buckets"], found["charges"], found["open"]
    );
    if found["caps_compared"] != found["accounts"] {
        text.push_str(&format!(
            "Caps were compared on {} accounts; the others changed meanwhile.\n\n",
            found["caps_compared"]
        ));
    }
    text.push_str(&table(&totals, TOTALS));
    match breaches.len() {
        0 => text.push_str("\nEverything holds.\n"),
        count => {
            let word = if count == 1 { "breach" } else { "breaches" };
            text.push_str(&format!("\n{}\n{count} {word}\n", table(&breaches, BREACHES)));
        }
    }
    text
}
