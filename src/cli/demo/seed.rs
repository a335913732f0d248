//! The demo's accounts, made through the admin API like anybody's.

use http::Method;
use serde_json::{Value, json};

use super::place::{Keys, Who};
use crate::cli::Failure;
use crate::cli::remote::Admin;

/// Makes three accounts, gives them credits, and answers their keys.
pub(super) async fn accounts(url: &str, token: &str) -> Result<Keys, Failure> {
    let admin = Admin::new(url, token)?;
    let mut keys = Keys::default();
    for (who, plan, zone, credits) in [
        (Who::Maria, "studio", "America/Sao_Paulo", Some("100")),
        (Who::Joao, "starter", "Europe/Lisbon", None),
        (Who::Lea, "tiny", "Europe/Paris", Some("50")),
    ] {
        let account = who.account();
        let body = json!({ "id": account, "plan": plan, "zone": zone, "label": "demo" });
        admin.ask(Method::POST, "/accounts", Some(&body)).await?;
        if let Some(amount) = credits {
            let id = format!("welcome-{account}");
            let body = json!({ "id": id, "amount": amount, "reason": "the demo" });
            admin.ask(Method::POST, &format!("/accounts/{account}/grants"), Some(&body)).await?;
        }
        let path = format!("/accounts/{account}/keys");
        let made = admin.ask(Method::POST, &path, Some(&json!({ "label": "demo" }))).await?;
        keys.set(who, secret(&made)?);
    }
    Ok(keys)
}

fn secret(made: &Value) -> Result<String, Failure> {
    let secret = made["secret"].as_str().map(str::to_owned);
    secret.ok_or_else(|| Failure::failed("the admin API made a key without a secret"))
}
