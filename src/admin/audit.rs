//! Auditing: whether what the ledger remembers holds together, account by account.
//!
//! Invariant: only reads; an account that cannot be read is a breach of its own, and the others go on.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::asked::{Parameters, account, misread};
use super::problem::applied;
use super::{Parts, Result, Shared};
use crate::credit::{AccountId, Amount, Bucket, Kind};
use crate::ledger::{AccountAudit, Answer, Books, Document, FreeCredits, Refusal, audit};
use crate::meter::statement;

/// The columns of a bucket.
const COLUMNS: [&str; 6] = ["granted", "available", "held", "spent", "expired", "voided"];

/// `GET /accounts/{account}/audit`.
pub(super) async fn one(
    State(parts): Shared,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>> {
    let with_books = with_books(&mut parameters)?;
    parameters.end()?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    Ok(Json(looked_at(&parts, &document, with_books).await?))
}

/// Whether the buckets themselves are asked for: an auditor compares them with the exported stream.
fn with_books(parameters: &mut Parameters) -> Result<bool> {
    match parameters.optional("books")?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(misread("books", "books is true or false")),
    }
}

/// `GET /audit`: a page of accounts, in the order of their ids.
pub(super) async fn list(State(parts): Shared, mut parameters: Parameters) -> Result<Json<Value>> {
    let with_books = with_books(&mut parameters)?;
    let page = parameters.page()?;
    let after = page.cursor::<AccountId>()?;
    let wanted = page.limit.saturating_add(1);
    let documents = applied(parts.ledger.accounts(after, wanted).await)?;
    let has_more = documents.len() > page.limit;
    let mut data = Vec::new();
    for document in documents.iter().take(page.limit) {
        data.push(looked_at(&parts, document, with_books).await?);
    }
    let next = data.last().filter(|_| has_more).and_then(|last| last["account"].as_str());
    let mut body = statement::page(&data, next);
    body["free_accounts_per_person"] = parts.rules.free_accounts.into();
    Ok(Json(body))
}

async fn looked_at(parts: &Parts, document: &Document, with_books: bool) -> Result<Value> {
    match audit(&*parts.ledger, document.account.clone()).await {
        Answer::Refused(Refusal::Broken(why)) => Ok(unreadable(document, &why)),
        answer => {
            let audit = applied(answer)?;
            let mut told = shown(&audit, document);
            if with_books {
                told["books"] = books(&audit.books);
            }
            Ok(told)
        }
    }
}

fn shown(audit: &AccountAudit, document: &Document) -> Value {
    let books = &audit.books;
    json!({
        "object": "audit",
        "account": books.account,
        "as_of": books.at.to_string(),
        "ledger": books.told.as_ref().map(|told| &told.ledger),
        "sequence": books.told.as_ref().map(|told| told.sequence),
        "buckets": books.buckets.len(),
        "open": books.open,
        "charges": audit.charges,
        "caps_compared": audit.caps_compared,
        "totals": totals(audit),
        "person": person(document),
        "breaches": books.breaches,
    })
}

/// The record's buckets, and the sums of those that it does not list any more.
fn books(books: &Books) -> Value {
    let archived = |(kind, [granted, spent, expired, voided]): &(Kind, [Amount; 4])| json!({ "kind": kind, "granted": granted, "spent": spent, "expired": expired, "voided": voided });
    let buckets: Vec<Value> = books.buckets.iter().map(statement::grant).collect();
    let archived: Vec<Value> = books.archived.iter().map(archived).collect();
    json!({ "buckets": buckets, "archived": archived })
}

/// The person of whom the account has free credits.
fn person(document: &Document) -> Option<&str> {
    document.person.as_deref().filter(|_| document.free == FreeCredits::Granted)
}

fn unreadable(document: &Document, why: &str) -> Value {
    tracing::error!(account = %document.account, why, "a record needs a person");
    json!({
        "object": "audit",
        "account": document.account,
        "caps_compared": false,
        "totals": [],
        "person": person(document),
        "breaches": [{ "invariant": "I1", "found": "its record cannot be read; the log says why" }],
    })
}

/// Per kind: the six columns of all that was ever granted.
fn totals(audit: &AccountAudit) -> Vec<Value> {
    let mut kinds: BTreeMap<&Kind, [Amount; 6]> = BTreeMap::new();
    for bucket in &audit.books.buckets {
        add(kinds.entry(&bucket.kind).or_default(), columns(bucket));
    }
    for (kind, [granted, spent, expired, voided]) in &audit.books.archived {
        let own = [*granted, Amount::ZERO, Amount::ZERO, *spent, *expired, *voided];
        add(kinds.entry(kind).or_default(), own);
    }
    let told = |(kind, sums): (&Kind, [Amount; 6])| {
        let mut told = json!({ "kind": kind });
        for (column, sum) in COLUMNS.iter().zip(sums) {
            told[*column] = json!(sum);
        }
        told
    };
    kinds.into_iter().map(told).collect()
}

const fn columns(bucket: &Bucket) -> [Amount; 6] {
    let Bucket { granted, available, held, spent, expired, voided, .. } = bucket;
    [*granted, *available, *held, *spent, *expired, *voided]
}

fn add(sums: &mut [Amount; 6], own: [Amount; 6]) {
    for (sum, amount) in sums.iter_mut().zip(own) {
        *sum = sum.saturating_add(amount);
    }
}
