//! Floor 4: the operators' API, on a listener of its own.
//!
//! Accounts, persons, keys, grants, overrides, packs, balances, usage, charges and holds as JSON under `/admin/v1`; liveness, readiness
//! and metrics beside it. Where an account is named, `ref:` and its reference will do. The command line is a
//! client of this API and nothing more.
//!
//! Invariant: nothing but `/livez` and `/readyz` answers without a token, not even whether a path exists.
//! Invariant: a name that is not understood is an error, and so is an answer of the ledger that is neither
//! yes nor no.

mod accounts;
mod asked;
mod audit;
mod changes;
mod charges;
mod config;
mod done;
mod due;
mod endpoints;
mod grants;
mod guard;
mod holds;
mod keys;
mod money;
mod new_grants;
mod new_keys;
mod once;
mod override_ids;
mod overrides;
mod packs;
mod persons;
mod problem;
mod references;
mod refunds;
mod role;
mod standing;
mod test_clock;
mod token;
mod withdrawals;

use std::fmt;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;

pub use config::{NotReloaded, Reload, Reloaded};
pub use endpoints::{ENDPOINTS, Endpoint};
pub use role::Role;
pub use token::Token;

use crate::ledger::Ledger;
use crate::meter::Rules;
use crate::seam::{Clock, Entropy};
use problem::Problem;

/// The largest body that is read, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// Whether this instance can serve; the error says why not.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The metrics as they are now: the media type of their text, and the text.
pub type Metrics = Arc<dyn Fn() -> (&'static str, String) + Send + Sync>;

/// Sets a test's clock forward by milliseconds.
pub type Advance = Arc<dyn Fn(u64) -> std::io::Result<()> + Send + Sync>;

/// What the operators' API needs.
pub struct Parts {
    /// Where money and the directory are kept.
    pub ledger: Arc<dyn Ledger>,
    /// Plans and routes.
    pub rules: Arc<Rules>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For ids and keys.
    pub entropy: Arc<dyn Entropy>,
    /// Who may call, by what they show.
    pub tokens: Vec<Token>,
    /// The names that are served beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// This instance's name.
    pub instance: String,
    /// How long the ledger surely keeps the record of a charge, in milliseconds.
    pub kept_ms: u64,
    /// What `/readyz` answers.
    pub ready: Ready,
    /// What `/metrics` answers.
    pub metrics: Metrics,
    /// Reads the configuration again.
    pub reload: Reload,
    /// Sets the clock of a ledger for tests forward; `None`: the ledger is not for tests.
    pub advance: Option<Advance>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// What a handler gets.
type Shared = State<Arc<Parts>>;
/// What a handler answers.
type Result<T, E = Problem> = std::result::Result<T, E>;

/// The operators' API as a service.
pub fn router(parts: Parts) -> Router {
    let parts = Arc::new(parts);
    let guarded = endpoints::router()
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        // Around the fallback too: without the token, nobody learns which paths there are.
        .layer(middleware::from_fn_with_state(Arc::clone(&parts), guard::admit));
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .fallback_service(guarded.with_state(Arc::clone(&parts)))
        .with_state(parts)
}

async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

async fn ready(State(parts): Shared) -> Response {
    match (parts.ready)() {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(why) => {
            let body = json!({ "status": "not_ready", "detail": why });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(State(parts): Shared) -> Response {
    let (kind, text) = (parts.metrics)();
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text).into_response()
}

/// The committed document, which tests hold against the table of endpoints and every answer.
async fn openapi() -> Response {
    const DOCUMENT: &str = include_str!("../../config/openapi/admin.json");
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

async fn unknown_path() -> Problem {
    let detail = "There is no such path. The API lies under /admin/v1.";
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
}

async fn wrong_method() -> Problem {
    let detail = "This path does not know that method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
