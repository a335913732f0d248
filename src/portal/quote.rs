//! What a request would cost: `POST /quote {method, path, headers?, body?}`.
//!
//! Invariant: the body is handed on byte for byte, since a price may hang on its exact digits.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::call::{Call, Refused};
use super::{Portal, QuoteAsk};
use crate::meter::{Fault, IdentityRules, Language, Members, Misread, Page, Shown};

/// `POST /quote`.
pub(super) async fn quote(State(portal): State<Portal>, call: Call) -> Response {
    call.answer(quoted(&portal, &call).await)
}

async fn quoted(portal: &Portal, call: &Call) -> Result<Value, Refused> {
    let shown = call.shown()?.clone();
    Page::none(&call.query()?)?;
    let members = Members::read(call.body()?)?;
    let mut ask =
        QuoteAsk { language: call.language(), ..read(shown, members, &portal.rules.identity)? };
    if let Some(host) = call.host.clone() {
        // What is asked here is meant for here, unless it says for which host.
        ask.headers.entry(HOST).or_insert(host);
    }
    Ok(portal.quoter.quote(ask).await?)
}

fn read(shown: Shown, mut members: Members, rules: &IdentityRules) -> Result<QuoteAsk, Misread> {
    let method = members.required::<String>("method")?;
    let method =
        method.parse::<Method>().map_err(|_| Misread::of("method", Fault::Example("POST")))?;
    let path = members.required::<String>("path")?;
    let path = path.parse::<PathAndQuery>().ok().filter(|path| path.as_str().starts_with('/'));
    let path = path.ok_or_else(|| Misread::of("path", Fault::Example("/v1/images/generations")))?;
    if path.query().is_some_and(|query| rules.keys.without(query).is_some()) {
        return Err(Misread::of("path", Fault::OtherKey));
    }
    let account = rules.header.as_ref().map(|header| &header.name);
    let names_account = |name: &HeaderName| {
        *name == AUTHORIZATION || rules.keys.headers.contains(name) || Some(name) == account
    };
    let mut headers = HeaderMap::new();
    let said = members.optional::<BTreeMap<String, String>>("headers")?.unwrap_or_default();
    for (name, value) in said {
        let name =
            name.parse::<HeaderName>().map_err(|_| Misread::of("headers", Fault::HeaderName))?;
        let value =
            value.parse::<HeaderValue>().map_err(|_| Misread::of("headers", Fault::HeaderValue))?;
        // Who asks is who pays: a second key in here would only raise doubts.
        if names_account(&name) {
            return Err(Misread::of("headers", Fault::OtherKey));
        }
        headers.append(name, value);
    }
    let body = members.raw("body").map(|raw| raw.get().to_owned());
    if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    members.end()?;
    let body = body.unwrap_or_default().into();
    Ok(QuoteAsk { shown, method, path, headers, body, language: Language::default() })
}
