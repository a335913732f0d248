//! Accounts: making, finding, listing, showing.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::asked::{Asked, Bare, Parameters, account, label, misread, moment, name};
use super::done::Done;
use super::once::Once;
use super::problem::{Problem, applied};
use super::references::{self, Claim};
use super::{Parts, Result, Shared};
use crate::credit::{AccountId, Partition, Zone, encode};
use crate::ledger::{AccountStatus, Answer, Document, NewAccount};
use crate::meter::{Page, statement};

/// How many accounts one call for a filtered list looks at; its answer says where to go on.
const LOOKED_AT_MAX: usize = 2_000;
/// How many of them at once.
const STEP: usize = 500;

/// `POST /accounts`.
pub(super) async fn create(State(parts): Shared, Asked(mut asked, once): Asked) -> Result<Done> {
    let id = asked.optional::<AccountId>("id")?;
    let plan: String = asked.required("plan")?;
    let zone = asked.optional::<String>("zone")?.unwrap_or_else(|| Zone::UTC.name().to_owned());
    let anchor = asked.optional::<String>("anchor")?.map(|text| moment("anchor", &text));
    let label = label(&mut asked)?.unwrap_or_default();
    let mut named =
        |member| asked.optional::<String>(member)?.map(|it| name(member, it)).transpose();
    let (person, reference) = (named("person")?, named("reference")?);
    asked.end()?;
    check_plan(&parts, &plan)?;
    check_zone(&zone)?;
    let anchor = anchor.transpose()?;
    let (account, repeated) = named_or_made(&parts, id, &once).await?;
    let call = NewAccount { account, plan, zone, anchor, label, person, reference };
    let document = made(&parts, call).await?;
    let named = |problem: Problem| problem.with("id", document.account.as_str());
    let document = claimed(&parts, document.clone()).await.map_err(named)?;
    Ok(Done::created(document.account.as_str(), shown(&document)).repeated(repeated))
}

/// The id that the call says, or a new one; and whether its `Idempotency-Key` was seen before.
async fn named_or_made(
    parts: &Parts,
    id: Option<AccountId>,
    once: &Once,
) -> Result<(AccountId, bool)> {
    let turn = once.turn(parts, Partition::default()).await?;
    let made = || format!("acct_{}", encode(turn.id.as_bytes())).parse();
    let id = id.map_or_else(made, Ok).map_err(|error| misread("id", &error.to_string()))?;
    Ok((id, turn.repeated))
}

/// Makes the account; its reference is claimed first, and the claim renewed at the end.
async fn made(parts: &Parts, call: NewAccount) -> Result<Document> {
    let (account, reference) = (call.account.clone(), call.reference.clone());
    // Whoever asks again must know the id, which may have been made here.
    let named = |problem: Problem| problem.with("id", account.as_str());
    let claim = match &reference {
        Some(reference) => Some(Claim::make(parts, reference, &account).await.map_err(named)?),
        None => None,
    };
    let answer = parts.ledger.create_account(call).await;
    let refused = matches!(answer, Answer::Refused(_));
    match (applied(answer).map_err(named), claim) {
        (Ok(document), Some(claim)) if document.reference == reference => {
            claim.renew().await.map_err(named).map(|()| document)
        }
        (document, Some(claim)) if refused || document.is_ok() => {
            // Not made; or made by the same call long ago, and called otherwise since.
            claim.withdraw().await;
            document
        }
        (document, _) => document,
    }
}

/// The account, once it was decided whether it has its person's free credits.
pub(super) async fn claimed(parts: &Parts, document: Document) -> Result<Document> {
    if document.status == AccountStatus::Closed {
        return Ok(document);
    }
    applied(parts.rules.claim_free(&*parts.ledger, document).await)
}

/// Which accounts a list is about.
#[derive(Debug, Default)]
struct Filter {
    status: Option<AccountStatus>,
    plan: Option<String>,
    person: Option<String>,
}

impl Filter {
    fn read(parameters: &mut Parameters) -> Result<Self> {
        let status = parameters.optional("status")?.map(|text| status(&text)).transpose()?;
        let (plan, person) = (parameters.optional("plan")?, parameters.optional("person")?);
        Ok(Self { status, plan, person })
    }

    const fn is_none(&self) -> bool {
        self.status.is_none() && self.plan.is_none() && self.person.is_none()
    }

    fn fits(&self, document: &Document) -> bool {
        self.status.is_none_or(|status| status == document.status)
            && self.plan.as_ref().is_none_or(|plan| *plan == document.plan)
            && self.person.as_ref().is_none_or(|it| Some(it) == document.person.as_ref())
    }
}

fn status(text: &str) -> Result<AccountStatus> {
    match text {
        "active" => Ok(AccountStatus::Active),
        "suspended" => Ok(AccountStatus::Suspended),
        "closed" => Ok(AccountStatus::Closed),
        _ => Err(misread("status", "one of active, suspended, closed")),
    }
}

/// `GET /accounts`.
pub(super) async fn list(State(parts): Shared, mut parameters: Parameters) -> Result<Json<Value>> {
    let reference = parameters.optional("reference")?;
    let filter = Filter::read(&mut parameters)?;
    let page = parameters.page()?;
    if let Some(reference) = reference {
        let found = references::find(&*parts.ledger, &reference).await?;
        let fits = found.filter(|document| filter.fits(document));
        return Ok(Json(statement::list(&fits.iter().map(shown).collect::<Vec<_>>(), false)));
    }
    listed(&parts, &filter, &page, shown).await.map(Json)
}

/// A page of a person's accounts, each as `show` tells it.
pub(super) async fn of_person(
    parts: &Parts,
    person: &str,
    page: &Page,
    show: impl Fn(&Document) -> Value,
) -> Result<Value> {
    let filter = Filter { person: Some(person.to_owned()), ..Filter::default() };
    listed(parts, &filter, page, show).await
}

/// A page of accounts. A filter looks at a bounded number of them, so a page may hold less than its limit, or
/// nothing, and still not be the last.
async fn listed(
    parts: &Parts,
    filter: &Filter,
    page: &Page,
    show: impl Fn(&Document) -> Value,
) -> Result<Value> {
    let mut after = page.cursor::<AccountId>()?;
    let mut found: Vec<Value> = Vec::new();
    let mut looked_at = 0;
    while looked_at < LOOKED_AT_MAX {
        let step = if filter.is_none() { page.limit.saturating_add(1) } else { STEP };
        let documents = applied(parts.ledger.accounts(after.clone(), step).await)?;
        let last = documents.len() < step;
        looked_at += documents.len();
        for document in documents {
            if filter.fits(&document) {
                if found.len() == page.limit {
                    return Ok(statement::page(&found, after.as_ref().map(AccountId::as_str)));
                }
                found.push(show(&document));
            }
            after = Some(document.account);
        }
        if last {
            return Ok(statement::page(&found, None));
        }
    }
    Ok(statement::page(&found, after.as_ref().map(AccountId::as_str)))
}

/// `GET /accounts/{id}`.
pub(super) async fn show(
    State(parts): Shared,
    Path(id): Path<String>,
    _: Bare,
) -> Result<Json<Value>> {
    let account = account(&parts, &id).await?;
    Ok(Json(shown(&applied(parts.ledger.document(account).await)?)))
}

/// An account for operators.
pub(super) fn shown(document: &Document) -> Value {
    json!({
        "object": "account",
        "id": document.account,
        "label": document.label,
        "status": document.status,
        "reason": document.reason,
        "plan": document.plan,
        "zone": document.zone,
        "anchor": document.anchor.to_string(),
        "person": document.person,
        "reference": document.reference,
        "created": document.created.to_string(),
        "keys": document.keys.len(),
        "restricted_until": document.restricted_until.map(|moment| moment.to_string()),
        "free_credits": document.free,
        "version": document.version,
    })
}

/// That there is such a plan.
pub(super) fn check_plan(parts: &Parts, plan: &str) -> Result<()> {
    if parts.rules.plan(plan).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = parts.rules.plans.iter().map(|plan| plan.name.as_str()).collect();
    let detail = format!("There is no plan {plan:?}. There are: {}.", known.join(", "));
    Err(Problem::invalid("plan", detail))
}

/// That there is such a time zone.
pub(super) fn check_zone(zone: &str) -> Result<()> {
    let read = zone.parse::<Zone>();
    read.map(drop).map_err(|error| Problem::invalid("zone", error.to_string()))
}
