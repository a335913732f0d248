//! Floor 4: the clients' own view of their credits, beside the traffic that they pay for.
//!
//! Balance, limits, usage, charges and quotes under the client prefix (`/_credits/v1`), with the same key as paid
//! requests. Refusals look like every other refusal of the proxy.
//!
//! Invariant: never charged, and readable at zero balance and while the account is suspended.
//! Invariant: a key sees its own account only; what belongs to others is as unknown as what never was.

mod call;
mod identity;
mod pages;
mod quote;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::ledger::Ledger;
use crate::meter::{Finder, Language, Rejection, Rules, Shown};
use crate::seam::{Clock, Entropy};

/// A request whose price is asked.
#[derive(Clone, Debug)]
pub struct QuoteAsk {
    /// Who asks; well-formed, not yet checked.
    pub shown: Shown,
    /// The request's method.
    pub method: Method,
    /// Its path, with its query if it has one.
    pub path: http::uri::PathAndQuery,
    /// Its headers, without credentials.
    pub headers: HeaderMap,
    /// Its body, byte for byte as the asker wrote it.
    pub body: bytes::Bytes,
    /// The language of the asker.
    pub language: Language,
}

/// Says what a request would cost and whether it would pass. Writes nothing.
pub trait Quoter: Send + Sync + fmt::Debug {
    /// The quote as JSON, or the refusal of the question itself.
    fn quote(&self, ask: QuoteAsk) -> BoxFuture<'static, Result<Value, Rejection>>;
}

/// What the clients' plane needs. Clones share it.
#[derive(Clone, Debug)]
pub struct Portal {
    /// Where money and the directory are kept.
    pub ledger: Arc<dyn Ledger>,
    /// Finds the account that a call names.
    pub finder: Arc<Finder>,
    /// Plans, routes and the ways of naming an account.
    pub rules: Arc<Rules>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Who says prices.
    pub quoter: Arc<dyn Quoter>,
    /// How long the ledger surely keeps the record of a charge, in milliseconds.
    pub kept_ms: u64,
}

/// The clients' plane as a service; the caller nests it under the client prefix and `/v1`.
pub fn router(portal: Portal) -> Router {
    Router::new()
        .route("/me", get(pages::me))
        .route("/balance", get(pages::balance))
        .route("/usage", get(pages::used))
        .route("/limits", get(pages::limits))
        .route("/charges", get(pages::charges))
        .route("/charges/{charge}", get(pages::charge))
        .route("/quote", post(quote::quote))
        .fallback(pages::unknown)
        .method_not_allowed_fallback(pages::wrong_method)
        .with_state(portal)
}
