//! Overrides: raises and cuts of an account's limits and prices, each with its author and reason.
//!
//! Invariant: an override changes a limit that the account's plan has, or a price that there is; a slip of the pen
//! makes none.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use serde_json::Value;

use super::asked::{Asked, Parameters, account, misread, name, needed_reason, time, to_come};
use super::changes::{change, check_scope, target_of};
use super::done::Done;
use super::once::Turn;
use super::problem::{Problem, applied};
use super::role::Role;
use super::token::Operator;
use super::{Parts, Result, Shared, override_ids};
use crate::credit::{AccountId, Partition, encode};
use crate::ledger::{AccountChange, Document, Limited, Override, OverrideChange, Scope};
use crate::meter::{Members, statement};
use crate::seam::Timestamp;

/// `POST /accounts/{id}/overrides`.
pub(super) async fn create(
    State(parts): Shared,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Asked(mut asked, once): Asked,
) -> Result<Done> {
    let account = account(&parts, &id).await?;
    let document = applied(parts.ledger.document(account.clone()).await)?;
    let wanted = read(&parts, &document, &mut asked)?;
    asked.end()?;
    may(&operator, wanted.base.limited)?;
    let turn = once.turn(&parts, Partition::default()).await?;
    let new = wanted.made(turn, &operator, &document);
    let document = match document.overrides.iter().find(|known| known.id == new.id) {
        // It was made before, and may have ended since.
        Some(known) if turn.repeated || *known == new => document,
        Some(_) => put(&parts, account.clone(), new.clone()).await?,
        None => {
            override_ids::unused(&parts, &account, &new.id).await?;
            put(&parts, account.clone(), new.clone()).await?
        }
    };
    override_ids::used(&parts, &account, &new.id).await?;
    let found = document.overrides.iter().find(|known| known.id == new.id).unwrap_or(&new);
    Ok(Done::created(told(found), shown(&parts, &document, found)).repeated(turn.repeated))
}

/// Limits are raised and cut by those who help customers, prices by those who see to the money.
fn may(operator: &Operator, limited: Limited) -> Result<()> {
    let needed = match limited {
        Limited::Cap | Limited::Concurrency => [Role::Owner, Role::Support],
        Limited::Price => [Role::Owner, Role::Finance],
    };
    if needed.contains(&operator.role) {
        return Ok(());
    }
    Err(Problem::forbidden(operator.role, &needed))
}

async fn put(parts: &Parts, account: AccountId, new: Override) -> Result<Document> {
    let id = new.id.clone();
    let overrides = Some(OverrideChange::Put(new));
    let call = AccountChange { overrides, ..AccountChange::of(account) };
    applied(parts.ledger.change_account(call).await).map_err(|problem| problem.with("id", id))
}

/// What a call asks for.
struct Wanted {
    id: Option<String>,
    /// What does not depend on the call's turn; its `starts` counts only if it was said.
    base: Override,
    starts: Option<Timestamp>,
}

impl Wanted {
    /// The override, by the id and the moment of the call's turn where it says none of its own.
    fn made(self, turn: Turn, operator: &Operator, document: &Document) -> Override {
        let id = self.id.unwrap_or_else(|| format!("ov_{}", encode(turn.id.as_bytes())));
        // The same again without a beginning means the same beginning.
        let known = document.overrides.iter().find(|known| known.id == id);
        let now = known.map_or_else(|| turn.id.born(), |known| known.starts);
        let author = operator.name.to_string();
        Override { id, author, starts: self.starts.unwrap_or(now), ..self.base }
    }
}

fn read(parts: &Parts, document: &Document, asked: &mut Members) -> Result<Wanted> {
    let id = asked.optional::<String>("id")?.map(|it| name("id", it)).transpose()?;
    let limited = asked.required::<Limited>("limit")?;
    let limit_name = asked.required::<String>("name")?;
    let target = target_of(parts, document, limited, &limit_name)?;
    let scope = asked.optional::<String>("scope")?;
    let scope = scope.map(|text| text.parse::<Scope>().map_err(|()| malformed())).transpose()?;
    check_scope(&target, scope.as_ref())?;
    let (starts, ends) = (time(asked, "starts_at")?, time(asked, "ends_at")?);
    let ends = ends.map(|end| to_come(parts, "ends_at", end)).transpose()?;
    if ends.is_some_and(|end| starts.is_some_and(|start| end <= start)) {
        return Err(Problem::invalid("ends_at", "ends_at must lie after starts_at"));
    }
    let base = Override {
        id: String::new(),
        limited,
        name: limit_name,
        scope,
        adjustment: change(&target, asked)?,
        starts: starts.unwrap_or_default(),
        ends,
        author: String::new(),
        reason: needed_reason(asked)?,
    };
    Ok(Wanted { id, base, starts })
}

fn malformed() -> Problem {
    misread("scope", "one of account, key:key_…, route:NAME, feature:NAME, member:NAME")
}

/// `GET /accounts/{id}/overrides`: in the order in which they were made, those that have just ended among them.
pub(super) async fn list(
    State(parts): Shared,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let document = applied(parts.ledger.document(account(&parts, &id).await?).await)?;
    let all = &document.overrides;
    let at = |after: &String| all.iter().position(|one| one.id == *after);
    let skip = match &page.after {
        None => 0,
        Some(after) => at(after).map_or(all.len(), |at| at.saturating_add(1)),
    };
    let rest = all.get(skip..).unwrap_or_default();
    let some = rest.iter().take(page.limit);
    let data: Vec<Value> = some.map(|one| shown(&parts, &document, one)).collect();
    Ok(Json(statement::list(&data, rest.len() > page.limit)))
}

/// `POST /accounts/{id}/overrides/{override}/end`: now. Saying so again changes nothing.
pub(super) async fn end(
    State(parts): Shared,
    Extension(operator): Extension<Operator>,
    Path((id, one)): Path<(String, String)>,
    Asked(asked, once): Asked,
) -> Result<Done> {
    asked.end()?;
    let account = account(&parts, &id).await?;
    let document = applied(parts.ledger.document(account.clone()).await)?;
    let known = |document: &Document| document.overrides.iter().find(|it| it.id == one).cloned();
    let there = known(&document).ok_or_else(|| unknown(&one))?;
    may(&operator, there.limited)?;
    let repeated = once.claim(&parts).await?;
    let overrides = Some(OverrideChange::End(one.clone()));
    let call = AccountChange { overrides, ..AccountChange::of(account) };
    let document = applied(parts.ledger.change_account(call).await)?;
    let ended = known(&document).ok_or_else(|| unknown(&one))?;
    Ok(Done::changed(told(&ended), shown(&parts, &document, &ended)).repeated(repeated))
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "This account lists no override {id}. One that has ended leaves the list with the next change."
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown_override", detail)
}

fn told(one: &Override) -> String {
    format!("{}: {}, {}", one.id, one.name, one.reason)
}

fn shown(parts: &Parts, document: &Document, one: &Override) -> Value {
    let plan = parts.rules.plan(&document.plan);
    statement::override_of(one, plan, parts.clock.now())
}
