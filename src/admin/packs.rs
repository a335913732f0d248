//! Packs: purchases that are sold by their name.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::Parameters;
use super::problem::Problem;
use super::{Parts, Result, Shared};
use crate::credit::Pack;
use crate::meter::statement;

/// `GET /packs`: in the order of the configuration.
pub(super) async fn list(State(parts): Shared, parameters: Parameters) -> Result<Json<Value>> {
    let page = parameters.page()?;
    let packs = &parts.rules.packs;
    let at = |after: &String| packs.iter().position(|pack| pack.name.as_str() == after);
    let skip = match &page.after {
        None => 0,
        Some(after) => at(after).map_or(packs.len(), |at| at.saturating_add(1)),
    };
    let rest = packs.get(skip..).unwrap_or_default();
    let some = rest.get(..page.limit).unwrap_or(rest);
    let next = some.last().filter(|_| some.len() < rest.len()).map(|pack| pack.name.as_str());
    let data: Vec<Value> = some.iter().map(shown).collect();
    Ok(Json(statement::page(&data, next)))
}

fn shown(pack: &Pack) -> Value {
    json!({
        "object": "pack",
        "name": pack.name,
        "kind": pack.kind,
        "amount": pack.amount,
        "paid": pack.paid,
        "lasts_ms": pack.lasts_ms,
        "bonus": pack.bonus.map(|(amount, lasts_ms)| json!({
            "amount": amount, "lasts_ms": lasts_ms,
        })),
        "only": pack.only,
    })
}

/// The pack of this name.
pub(super) fn named<'a>(parts: &'a Parts, name: &str) -> Result<&'a Pack> {
    let packs = &parts.rules.packs;
    packs.iter().find(|pack| pack.name.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = packs.iter().map(|pack| pack.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let detail = format!("There is no pack {name:?}. There are: {known}.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_pack", detail).with("param", "pack")
    })
}
