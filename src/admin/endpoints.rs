//! Every endpoint of the operators' API in one table: its path, who may call it, and what it does.
//!
//! Invariant: what is not in this table is not served, and nobody calls what the table does not let them.
//! Invariant: every call that writes leaves a line in the log: who, in which role, what, which object.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, patch, post};
use axum::{Extension, Router};

use super::done::Object;
use super::problem::Problem;
use super::role::Role;
use super::token::Operator;
use super::{
    Parts, accounts, audit, charges, config, grants, holds, keys, metrics, money, new_grants,
    new_keys, openapi, overrides, packs, persons, refunds, standing, test_clock, withdrawals,
};

/// One thing that an operator may ask for.
pub struct Endpoint {
    /// Its method.
    pub method: &'static str,
    /// Its path, with `{names}` for what is filled in.
    pub path: &'static str,
    /// The roles that may call it.
    pub roles: &'static [Role],
    /// What it does, in a line.
    pub says: &'static str,
    call: fn() -> MethodRouter<Arc<Parts>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

const ANY: &[Role] = &Role::ALL;
const OWNER: &[Role] = &[Role::Owner];
/// What was bought, and its money.
const MONEY: &[Role] = &[Role::Owner, Role::Finance];
/// Helping customers.
const HELP: &[Role] = &[Role::Owner, Role::Support];
/// Giving credits, changing limits and prices; which ones is decided by what is asked.
const GIVE: &[Role] = &[Role::Owner, Role::Finance, Role::Support];

macro_rules! endpoints {
    ($($method:ident $path:literal $roles:ident $call:path, $says:literal;)+) => {
        /// The operators' API.
        pub const ENDPOINTS: &[Endpoint] = &[$(Endpoint {
            method: method!($method),
            path: $path,
            roles: $roles,
            says: $says,
            call: || $method($call),
        }),+];
    };
}

macro_rules! method {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (patch) => {
        "PATCH"
    };
}

endpoints! {
    get "/metrics" ANY metrics, "The metrics for Prometheus";
    get "/admin/v1/openapi.json" ANY openapi, "This API as an OpenAPI 3.1 document";
    post "/admin/v1/accounts" OWNER accounts::create, "Make an account";
    get "/admin/v1/accounts" ANY accounts::list, "List accounts in the order of their ids";
    get "/admin/v1/accounts/{account}" ANY accounts::show, "Show an account";
    patch "/admin/v1/accounts/{account}" OWNER standing::change, "Change an account";
    post "/admin/v1/accounts/{account}/suspend" OWNER standing::suspend, "Keep an account from spending";
    post "/admin/v1/accounts/{account}/resume" OWNER standing::resume, "Let an account spend again";
    post "/admin/v1/accounts/{account}/close" OWNER standing::close, "Close an account for ever";
    get "/admin/v1/accounts/{account}/balance" ANY money::balance, "Show what an account has";
    get "/admin/v1/accounts/{account}/limits" ANY money::limits, "Show what limits an account";
    get "/admin/v1/accounts/{account}/usage" ANY money::used, "Show what an account has used today or this month";
    get "/admin/v1/accounts/{account}/charges" ANY charges::list, "List an account's charges, the newest first";
    get "/admin/v1/accounts/{account}/holds" ANY holds::of_account, "List an account's open charges, the oldest first";
    post "/admin/v1/accounts/{account}/grants" GIVE new_grants::create, "Give credits";
    get "/admin/v1/accounts/{account}/grants" ANY grants::list, "List an account's grants in the order in which they pay";
    get "/admin/v1/accounts/{account}/grants/{grant}" ANY grants::show, "Show a grant";
    post "/admin/v1/accounts/{account}/grants/{grant}/void" MONEY withdrawals::void, "Take back what should not have been given";
    post "/admin/v1/accounts/{account}/grants/{grant}/refund" MONEY withdrawals::refund, "Void the unused part of a purchase and say the money for it";
    post "/admin/v1/accounts/{account}/grants/{grant}/reverse" MONEY withdrawals::reverse, "Take a purchase back whose payment failed; what was spent is owed";
    post "/admin/v1/accounts/{account}/grants/{grant}/expire" MONEY withdrawals::expire, "Let a grant end now";
    post "/admin/v1/accounts/{account}/grants/{grant}/freeze" MONEY withdrawals::freeze, "Keep a grant from paying and from ending";
    post "/admin/v1/accounts/{account}/grants/{grant}/thaw" MONEY withdrawals::thaw, "Let a frozen grant pay again";
    post "/admin/v1/accounts/{account}/overrides" GIVE overrides::create, "Raise or cut a limit or price of an account for a time";
    get "/admin/v1/accounts/{account}/overrides" ANY overrides::list, "List an account's overrides in the order in which they were made";
    post "/admin/v1/accounts/{account}/overrides/{override}/end" GIVE overrides::end, "Let an override end now";
    post "/admin/v1/accounts/{account}/keys" OWNER new_keys::create, "Make a key and show its secret, this once";
    post "/admin/v1/accounts/{account}/keys/import" OWNER new_keys::import, "Let a key that was made elsewhere speak, by its hash";
    get "/admin/v1/accounts/{account}/keys" ANY keys::list, "List an account's keys, the youngest first";
    get "/admin/v1/keys/{key}" ANY keys::show, "Show a key";
    patch "/admin/v1/keys/{key}" OWNER keys::change, "Change a key's label, end, member or routes";
    post "/admin/v1/keys/{key}/rotate" HELP new_keys::rotate, "Make a key in place of another, which ends";
    post "/admin/v1/keys/{key}/disable" HELP keys::disable, "Keep a key from speaking";
    post "/admin/v1/keys/{key}/enable" HELP keys::enable, "Let a disabled key speak again";
    post "/admin/v1/keys/{key}/revoke" OWNER keys::revoke, "End a key for ever";
    get "/admin/v1/charges/{charge}" ANY charges::show, "Explain a charge, by its id or its request's";
    post "/admin/v1/charges/{charge}/release" HELP charges::release, "End an open charge by giving its hold back";
    post "/admin/v1/charges/{charge}/refund" GIVE refunds::refund, "Give back what a settled charge took, or a part of it";
    post "/admin/v1/charges/{charge}/adjust" GIVE refunds::adjust, "Change what an open charge holds";
    get "/admin/v1/persons/{person}" ANY persons::show, "Show a person's accounts and which of them have free credits";
    get "/admin/v1/packs" ANY packs::list, "List the packs that are sold";
    get "/admin/v1/config" ANY config::show, "Show which revision of the configuration is in force";
    post "/admin/v1/config/reload" OWNER config::reload, "Read the configuration again: on the whole instance, or not at all";
    get "/admin/v1/test_clock" ANY test_clock::show, "Show the time of a ledger for tests";
    post "/admin/v1/test_clock/advance" OWNER test_clock::advance, "Set the clock of a ledger for tests forward";
    get "/admin/v1/audit" ANY audit::list, "Check accounts, in the order of their ids";
    get "/admin/v1/accounts/{account}/audit" ANY audit::one, "Check an account";
    get "/admin/v1/holds" ANY holds::of_instance, "List the open charges of an instance, and those that wait for jobs, the oldest first";
}

/// The table as a service.
pub(super) fn router() -> Router<Arc<Parts>> {
    ENDPOINTS.iter().fold(Router::new(), |router, endpoint| {
        let enter = move |operator: Extension<Operator>, request: Request, next: Next| {
            enter(endpoint, operator, request, next)
        };
        router.route(endpoint.path, (endpoint.call)().route_layer(middleware::from_fn(enter)))
    })
}

/// Lets those in who may, and tells the log of what was written.
async fn enter(
    endpoint: &'static Endpoint,
    Extension(operator): Extension<Operator>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let response = if endpoint.roles.contains(&operator.role) {
        next.run(request).await
    } else {
        Problem::forbidden(operator.role, endpoint.roles).into_response()
    };
    if endpoint.method != "GET" {
        let object = response.extensions().get::<Object>();
        tracing::info!(
            operator = %operator.name,
            role = operator.role.name(),
            method = endpoint.method,
            path,
            object = object.map_or("", |Object(object)| object),
            status = response.status().as_u16(),
            request = operator.request,
            "operator"
        );
    }
    response
}
