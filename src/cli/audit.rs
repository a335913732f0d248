//! `tollgate audit`: whether what the ledger remembers holds together.
//!
//! Invariant: only reads; the exit code is 0 only if everything was looked at and holds.

use std::collections::BTreeMap;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::output::{Column, Format, json as print_json, print, table};
use super::rebuild::{Rebuild, Seen, replayed, take_books};
use super::remote::Remote;
use super::who::{Query, Who, escaped};
use crate::credit::{AccountId, Amount};

/// Check every account of a running ledger: buckets, holds, charges, caps, free credits
#[derive(Args, Debug)]
#[command(after_help = "\
Only reads, a page of accounts at a time; requests go on meanwhile.

With --rebuild the files of the exported stream are replayed as well and compared with the ledger, each account at the
number of entries that the ledger says it has told. A line that is missing, torn, changed or not understood is a
breach with its file and line; what is not exported yet is waited for, for five seconds, then said. Give every folder
that an instance exported to. A replay that was saved is gone on from by --from, so that older files may be removed.

Exit codes: 0 everything holds; 1 a breach, or something could not be looked at.

Examples:
  tollgate audit
  tollgate audit acct_maria -o json
  tollgate audit --rebuild data/ledger-stream
  tollgate audit --rebuild data/ledger-stream --save replay
  tollgate audit --rebuild data/ledger-stream --from replay --save replay
  tollgate audit --rebuild data/ledger-stream --offline -o json")]
pub(super) struct Audit {
    /// Only this account
    account: Option<Who>,
    #[command(flatten)]
    rebuild: Rebuild,
    #[command(flatten)]
    remote: Remote,
}

/// What the ledger answered.
#[derive(Default)]
struct Answers {
    audits: Vec<Value>,
    /// Of each account what its files are compared with.
    seen: Vec<Seen>,
    /// How many accounts of a person may have free credits.
    free: Option<u64>,
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
        let Answers { audits, seen, free } = match &self.account {
            _ if self.rebuild.is_offline() => Answers::default(),
            Some(account) => {
                let path = self.query(account.path("/audit"));
                let mut answers = Answers::default();
                answers.take(self.remote.ask(Method::GET, path.text(), None)?, &self.rebuild)?;
                answers
            }
            None => self.all()?,
        };
        let mut found = summed(&audits, free);
        if self.rebuild.is_wanted() {
            let all = self.account.is_none();
            let rebuilt = self.rebuild.run(&seen, &audits, all, &|id| self.again(id))?;
            found["rebuild"] = rebuilt.told;
            if let Some(breaches) = found["breaches"].as_array_mut() {
                breaches.extend(rebuilt.breaches);
            }
        }
        if self.remote.output == Format::Json {
            print_json(&found)?;
        } else {
            print(&told(&found, self.rebuild.is_offline()))?;
        }
        let clean = found["breaches"].as_array().is_some_and(Vec::is_empty);
        if clean { Ok(()) } else { Err(Failure::failed("")) }
    }

    /// A path, with the wish for books if there is something to compare them with.
    fn query(&self, path: String) -> Query {
        Query::of(path).with("books", self.rebuild.is_wanted().then_some(true))
    }

    fn again(&self, account: &AccountId) -> Result<Option<Value>, Failure> {
        self.remote.find(&format!("/accounts/{}/audit", escaped(account.as_str())))
    }

    /// Every account.
    fn all(&self) -> Result<Answers, Failure> {
        let (mut answers, mut after) = (Answers::default(), None);
        loop {
            let query = self.query("/audit".to_owned()).page(PAGE, after.take());
            let mut answer = self.remote.ask(Method::GET, query.text(), None)?;
            let Value::Array(data) = answer["data"].take() else { return Ok(answers) };
            for audit in data {
                answers.take(audit, &self.rebuild)?;
            }
            match answer["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => {
                    answers.free = answer["free_accounts_per_person"].as_u64();
                    return Ok(answers);
                }
            }
        }
    }
}

impl Answers {
    fn take(&mut self, mut audit: Value, rebuild: &Rebuild) -> Result<(), Failure> {
        if rebuild.is_wanted() {
            self.seen.extend(take_books(&mut audit)?);
        }
        self.audits.push(audit);
        Ok(())
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

fn told(found: &Value, offline: bool) -> String {
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let (totals, breaches) = (list("totals"), list("breaches"));
    let mut text = String::new();
    if !offline {
        text.push_str(&format!(
            "Looked at {} accounts, {} buckets, {} charges of which {} are open.\n\n{CHECKED}\n",
            found["accounts"], found["buckets"], found["charges"], found["open"]
        ));
        if found["caps_compared"] != found["accounts"] {
            text.push_str(&format!(
                "Caps were compared on {} accounts; the others changed meanwhile.\n\n",
                found["caps_compared"]
            ));
        }
        text.push_str(&table(&totals, TOTALS));
    }
    if let Some(rebuild) = found.get("rebuild") {
        text.push_str(&replayed(rebuild, offline));
    }
    let breaches: Vec<Value> = breaches.into_iter().map(with_place).collect();
    match breaches.len() {
        0 if offline => text.push_str("\nThe files hold together.\n"),
        0 => text.push_str("\nEverything holds.\n"),
        count => {
            let word = if count == 1 { "breach" } else { "breaches" };
            text.push_str(&format!("\n{}\n{count} {word}\n", table(&breaches, BREACHES)));
        }
    }
    text
}

/// What is found in a file is said with its place.
fn with_place(mut breach: Value) -> Value {
    if let Some(file) = breach["file"].as_str() {
        let place = match breach["line"].as_u64() {
            None | Some(0) => file.to_owned(),
            Some(line) => format!("{file}:{line}"),
        };
        let (code, found) = (&breach["code"], &breach["found"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        breach["found"] = format!("{place}: {} [{}]", text(found), text(code)).into();
    }
    breach
}
