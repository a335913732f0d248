//! Reads exported files as a consumer would, and rebuilds the buckets from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate::credit::{AccountId, Amount, Bucket};
use tollgate::ledger::{Gates, Ledger};

use super::story::Story;
use crate::ledger_world::{ok, wait};

/// Granted, available with held, spent, expired, voided.
type Columns = [u64; 5];

/// A bucket as the lines tell it.
#[derive(Clone, Debug, Default)]
struct Rebuilt {
    columns: Columns,
    /// What a bucket has but for its columns, as JSON.
    told: Value,
}

/// What lines say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    pub(crate) lines: Vec<Value>,
    pub(crate) raw: Vec<Value>,
    pub(crate) files: usize,
    /// Lines whose (account, sequence) had been there before; they must say the same.
    pub(crate) repeats: usize,
    last: BTreeMap<String, u64>,
    seen: BTreeMap<(String, u64), Value>,
    buckets: BTreeMap<(String, String), Rebuilt>,
    /// What was given back of each charge.
    refunded: BTreeMap<String, u64>,
}

/// The files of a folder in their order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    found.sort();
    found
}

/// The files of a folder as far as its checkpoint counts them.
fn counted(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(checkpoint) = std::fs::read(folder.join("checkpoint.json")) else { return Vec::new() };
    let checkpoint: Value = serde_json::from_slice(&checkpoint).unwrap();
    let active = format!("ledger-{:012}.ndjson", checkpoint["file"].as_u64().unwrap());
    let length = usize::try_from(checkpoint["length"].as_u64().unwrap()).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let known = files(folder).into_iter().filter(|path| name(path) <= active);
    let read = |path: PathBuf| {
        let mut bytes = std::fs::read(&path).unwrap();
        if name(&path) == active {
            bytes.truncate(length);
            assert_eq!(bytes.len(), length, "less is there than was promised");
        }
        (path, String::from_utf8(bytes).unwrap())
    };
    known.map(read).collect()
}

impl Replay {
    /// Of one folder or of several in the order in which they were written.
    #[track_caller]
    pub(crate) fn of(folders: &[&Path]) -> Self {
        Self::default().and_then(folders)
    }

    /// What is known as far as somebody has read, and what the files say beyond it. Lines that were known
    /// already are passed over.
    #[track_caller]
    pub(crate) fn and_then(&self, folders: &[&Path]) -> Self {
        let mut made = Self { files: 0, ..self.clone() };
        for (path, text) in folders.iter().flat_map(|folder| counted(folder)) {
            made.files += 1;
            assert!(text.is_empty() || text.ends_with('\n'), "{} is cut", path.display());
            for line in text.lines() {
                let read = serde_json::from_str(line);
                made.take(read.unwrap_or_else(|error| panic!("{error}: {line}")));
            }
        }
        made
    }

    #[track_caller]
    fn take(&mut self, line: Value) {
        if line.get("error").is_some() {
            self.raw.push(line);
            return;
        }
        let account = line["account"].as_str().unwrap().to_owned();
        let sequence = line["sequence"].as_u64().unwrap();
        if let Some(before) = self.seen.get(&(account.clone(), sequence)) {
            assert_eq!(before, &line, "the same number says something else");
            self.repeats += 1;
            return;
        }
        let last = self.last.insert(account.clone(), sequence).unwrap_or(0);
        assert_eq!(sequence, last + 1, "{account} has a gap");
        for bucket in line["buckets"].as_array().unwrap() {
            self.make(&account, bucket);
        }
        for change in line.get("changes").and_then(Value::as_array).into_iter().flatten() {
            self.change(&account, change);
        }
        for charge in line["charges"].as_array().unwrap() {
            self.end(charge);
        }
        for posting in line["postings"].as_array().unwrap() {
            self.post(&account, posting);
        }
        self.seen.insert((account, sequence), line.clone());
        self.lines.push(line);
    }

    #[track_caller]
    fn make(&mut self, account: &str, bucket: &Value) {
        let mut told = bucket.clone();
        told.as_object_mut().unwrap().remove("granted");
        told["standing"] = "active".into();
        let id = (account.to_owned(), bucket["id"].as_str().unwrap().to_owned());
        let made = Rebuilt { told, ..Rebuilt::default() };
        assert!(self.buckets.insert(id, made).is_none(), "{bucket} is made twice");
    }

    #[track_caller]
    fn change(&mut self, account: &str, change: &Value) {
        let id = (account.to_owned(), change["bucket"].as_str().unwrap().to_owned());
        let told = &mut self.buckets.get_mut(&id).expect("a bucket that was made").told;
        told["standing"] = change["standing"].clone();
        told["expires"] = change["expires"].clone();
    }

    /// Refunds are told anew with each one more; together they are at most what was charged.
    #[track_caller]
    fn end(&mut self, charge: &Value) {
        let micro = |of: &Value| of.as_str().unwrap().parse::<Amount>().unwrap().micro();
        let refunds = charge.get("refunds").and_then(Value::as_array);
        let refunded = refunds.into_iter().flatten().map(|part| micro(&part["amount"])).sum();
        assert!(refunded <= micro(&charge["charged"]), "{charge}");
        let id = charge["id"].as_str().unwrap().to_owned();
        let before = self.refunded.insert(id, refunded).unwrap_or(0);
        assert!(before <= refunded, "a refund is gone: {charge}");
    }

    #[track_caller]
    fn post(&mut self, account: &str, posting: &Value) {
        let bucket = posting["bucket"].as_str().unwrap().to_owned();
        let amount: Amount = posting["amount"].as_str().unwrap().parse().unwrap();
        let bucket = self.buckets.get_mut(&(account.to_owned(), bucket));
        let columns = &mut bucket.expect("a bucket that was made").columns;
        match column(&posting["from"]) {
            0 => columns[0] += amount.micro(),
            from => columns[from] -= amount.micro(),
        }
        columns[column(&posting["to"])] += amount.micro();
    }

    /// What was replayed is what the ledger has, and nothing has been written twice.
    #[track_caller]
    pub(crate) fn agrees_with<S>(&self, story: &Story<S>) {
        let buckets = self.agrees_about(&*story.ledger, &story.accounts, story.seed);
        println!(
            "seed {}: {} lines in {} files, {} buckets, {} of them of the view, {} repeats; answers {:?}",
            story.seed,
            self.lines.len(),
            self.files,
            self.buckets.len(),
            buckets,
            self.repeats,
            story.answers
        );
    }

    /// The same of a ledger's accounts. The answer is how many buckets were looked at.
    #[track_caller]
    pub(crate) fn agrees_about(
        &self,
        ledger: &dyn Ledger,
        accounts: &[AccountId],
        seed: u64,
    ) -> usize {
        let mut buckets = 0;
        for account in accounts {
            let view = ok(wait(ledger.view(account.clone(), Gates::default())));
            for bucket in &view.buckets {
                let id = (account.to_string(), bucket.id.to_string());
                let held = bucket.available.micro() + bucket.held.micro();
                let rest = [bucket.spent, bucket.expired, bucket.voided].map(Amount::micro);
                let wanted = [bucket.granted.micro(), held, rest[0], rest[1], rest[2]];
                let rebuilt = self.buckets.get(&id).unwrap_or_else(|| panic!("{id:?} is not told"));
                assert_eq!(rebuilt.columns, wanted, "seed {seed}: {id:?}");
                assert_eq!(rebuilt.told, described(bucket), "seed {seed}: {id:?}");
                buckets += 1;
            }
        }
        for (id, rebuilt) in &self.buckets {
            let [granted, available, spent, expired, voided] = &rebuilt.columns;
            assert_eq!(*granted, available + spent + expired + voided, "{id:?}");
        }
        buckets
    }
}

/// What a bucket has but for its columns, as lines tell it.
fn described(bucket: &Bucket) -> Value {
    let mut told = serde_json::json!({
        "id": bucket.id,
        "kind": bucket.kind,
        "class": bucket.class,
        "priority": bucket.priority,
        "effective": bucket.effective.to_string(),
        "expires": bucket.expires.map(|at| at.to_string()),
        "standing": bucket.standing,
    });
    if !bucket.only.is_empty() {
        told["only"] = serde_json::json!(bucket.only);
    }
    if let Some(parent) = &bucket.parent {
        told["parent"] = serde_json::json!(parent);
    }
    if let Some(paid) = &bucket.paid {
        told["paid"] = serde_json::json!(paid);
    }
    told
}

fn column(name: &Value) -> usize {
    match name.as_str().unwrap() {
        "granted" => 0,
        "available" | "held" => 1,
        "spent" => 2,
        "expired" => 3,
        "voided" => 4,
        other => panic!("{other}"),
    }
}
