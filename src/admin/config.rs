//! The configuration: which revision is in force, and reading its file again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Bare};
use super::problem::Problem;
use super::{Result, Shared};

/// Reads the configuration again and brings it into force: on the whole instance, or not at all.
pub type Reload =
    Arc<dyn Fn() -> BoxFuture<'static, std::result::Result<Reloaded, NotReloaded>> + Send + Sync>;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The revision that is in force now.
    pub revision: String,
    /// Whether it is another one than before.
    pub changed: bool,
    /// What a check of the file would warn of, as its text.
    pub warnings: Vec<String>,
}

/// Why the old configuration stays.
#[derive(Clone, Debug)]
pub struct NotReloaded {
    /// Whether the file is to blame (422), or that it cannot be done now (409).
    pub is_file: bool,
    /// A stable word.
    pub code: &'static str,
    /// What happened and what to do.
    pub detail: String,
    /// What is wrong with the file, one by one.
    pub problems: Vec<Value>,
}

/// `GET /config`.
pub(super) async fn show(State(parts): Shared, _: Bare) -> Json<Value> {
    Json(json!({ "object": "config", "revision": parts.rules.revision }))
}

/// `POST /config/reload`.
pub(super) async fn reload(State(parts): Shared, Asked(asked, _): Asked) -> Result<Json<Value>> {
    asked.end()?;
    let Reloaded { revision, changed, warnings } = (parts.reload)().await?;
    Ok(Json(json!({
        "object": "config",
        "revision": revision,
        "changed": changed,
        "warnings": warnings,
    })))
}

impl From<NotReloaded> for Problem {
    fn from(not: NotReloaded) -> Self {
        let status =
            if not.is_file { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CONFLICT };
        Self::new(status, not.code, not.detail).with("problems", not.problems)
    }
}
