//! Quotes as clients see them: the price, line by line, and what the ledger would decide at this moment.

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::admit::{Meter, Wanted};
use super::content::Content;
use super::host::Host;
use super::identity::{Identity, Shown};
use super::look::look;
use super::path::canonical;
use super::pricing::{Asked, Held};
use super::receipt::lines;
use super::rejection::{Detail, Language, Rejection};
use super::rights::entitled;
use super::route::Found;
use super::settings::{Route, Work};
use super::statement;
use crate::credit::{AccountId, Amount, Zone};
use crate::ledger::{Answer, CapState, Document, Quoted};

/// A request whose price is asked, told and not sent.
#[derive(Debug)]
pub struct QuoteRequest {
    /// Who asks; well-formed, not yet checked.
    pub shown: Shown,
    /// The request's method.
    pub method: Method,
    /// Its path, with its query if it has one.
    pub path: PathAndQuery,
    /// Its headers, without credentials; `Host` among them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The language of the asker.
    pub language: Language,
}

impl Meter {
    /// What a request would cost and whether it would pass. Writes nothing. `port`: that of the scheme that clients
    /// speak.
    ///
    /// # Errors
    /// When the question itself makes no sense: the key, the path, no route.
    pub async fn quote_request(&self, asked: QuoteRequest, port: u16) -> Result<Value, Rejection> {
        let identity = self.directory.payer(&asked.shown).await?;
        let path = asked.path.path();
        canonical(path).map_err(|problem| Rejection::bad_request(Detail::Path(problem)))?;
        let host = asked.headers.get(HOST).and_then(|value| value.to_str().ok());
        let host = host.and_then(|text| Host::read(text, port));
        let found = self.routes.find(host.as_ref(), &asked.method, path);
        let Found::Route(route, captures) = found else {
            return Err(Rejection::unknown_route(asked.method.as_str(), path));
        };
        let path = path.strip_prefix(route.prefix.as_str()).unwrap_or(path);
        let Work::Paid(due) = &route.work else {
            let allowed = self.free_route(identity, route).await;
            return Ok(free_quote(route, allowed.err(), asked.language));
        };
        let query = asked.path.query().unwrap_or_default();
        let wanted = Wanted {
            route,
            due,
            asked: Asked {
                method: &asked.method,
                captures: &captures,
                query,
                headers: &asked.headers,
                body: Some(Content::Whole(&asked.body)),
                plan: &route.name,
            },
            path,
            query,
            credits_max: None,
            timeout_ms: 0,
        };
        Ok(self.quoted(identity, &wanted, asked.language).await)
    }

    /// What a priced request would cost, whether it would pass, and by which rules its account has credits.
    pub async fn quoted(
        &self,
        identity: Identity,
        wanted: &Wanted<'_>,
        language: Language,
    ) -> Value {
        let (zone, plan) = (identity.zone.clone(), identity.plan_name().to_owned());
        let account = identity.document.account.clone();
        let quoted = self.quote(identity, wanted).await;
        let price = match &quoted {
            Ok((held, _)) | Err((Some(held), _)) => Some(held.priced.total),
            Err((None, _)) => None,
        };
        let mut body = quote_body(wanted.route, &zone, quoted, language);
        body["balance"] = match price {
            Some(price) => self.covers(account, plan, wanted, price).await,
            None => Value::Null,
        };
        body
    }

    /// What the account has for the request; `null` if the ledger cannot say.
    async fn covers(
        &self,
        account: AccountId,
        plan: String,
        wanted: &Wanted<'_>,
        price: Amount,
    ) -> Value {
        let Answer::Applied(document) = self.ledger.document(account).await else {
            return Value::Null;
        };
        // A token's word goes before the account's own plan.
        let document = Document { plan, ..document };
        let (route, kind) = (wanted.route, &wanted.due.price.kind);
        let meant = (&route.name, route.feature.as_ref());
        match look(&*self.ledger, &self.rules, &document, None, self.clock.now()).await {
            Answer::Applied(sight) => statement::coverage(&sight, kind, meant, price),
            Answer::Refused(_) | Answer::Unknown(_) => Value::Null,
        }
    }
}

impl Meter {
    /// Whether an account may use a free route: its plan and its key must have it. A refusal by a remembered
    /// document is looked at once more with the ledger's own.
    ///
    /// # Errors
    /// `route_not_in_plan`, `plan_unknown_here`, `invalid_key`, or `metering_unavailable`.
    pub async fn free_route(&self, identity: Identity, route: &Route) -> Result<(), Rejection> {
        match entitled(&identity, route) {
            Ok(_) => Ok(()),
            Err(refused) => {
                let newer = self.newer(&identity, refused).await?;
                entitled(&newer, route).map(drop)
            }
        }
    }
}

/// The quote of a free route; what refuses it stands inside.
#[must_use]
pub fn free_quote(route: &Route, refused: Option<Rejection>, language: Language) -> Value {
    match refused {
        Some(why) => blocked(route, None, &why, language),
        None => json!({
            "object": "quote", "decision": "allow", "route": route.name, "free": true,
            "hold": "0", "charged": "0",
        }),
    }
}

/// The answer to a quote; a request that would be refused is answered with the refusal inside.
fn quote_body(
    route: &Route,
    zone: &Zone,
    quoted: Result<(Held, Quoted), (Option<Held>, Box<Rejection>)>,
    language: Language,
) -> Value {
    match quoted {
        Ok((held, quoted)) => allowed(route, zone, &held, &quoted),
        Err((held, why)) => blocked(route, held.as_ref(), &why, language),
    }
}

fn blocked(route: &Route, held: Option<&Held>, why: &Rejection, language: Language) -> Value {
    json!({
        "object": "quote",
        "decision": "block",
        "route": route.name,
        "code": why.code(),
        "status": route.dialect.status(why).as_u16(),
        "detail": why.told(language),
        "hold": held.map(|held| held.priced.total),
        "inputs": held.map(|held| &held.facts),
        "lines": held.map(|held| lines(&held.priced)),
        "limits": why.members,
        "charged": "0",
    })
}

fn allowed(route: &Route, zone: &Zone, held: &Held, quoted: &Quoted) -> Value {
    let then = &quoted.reserved;
    let hold = held.priced.total;
    json!({
        "object": "quote",
        "decision": "allow",
        "route": route.name,
        "hold": hold,
        "inputs": held.facts,
        "lines": lines(&held.priced),
        "legs": then.legs,
        "available": then.available.saturating_add(hold),
        "available_after": then.available,
        "caps": then.caps.iter().map(|cap| headroom(cap, zone)).collect::<Vec<_>>(),
        "concurrency": then.slots.iter().map(|slot| json!({
            "name": slot.name, "scope": slot.scope.to_string(),
            "limit": slot.limit, "in_use_after": slot.used,
        })).collect::<Vec<_>>(),
        "charged": "0",
        "as_of": then.at.to_string(),
    })
}

fn headroom(cap: &CapState, zone: &Zone) -> Value {
    let shown = |count: u64| cap.measure.show(count);
    json!({
        "name": cap.name,
        "scope": cap.scope.to_string(),
        "limit": shown(cap.limit),
        "used_after": shown(cap.used),
        "remaining_after": shown(cap.limit.saturating_sub(cap.used)),
        "resets_at": zone.show(cap.period.end),
        "time_zone": zone.name(),
    })
}
